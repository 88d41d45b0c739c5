"""``wsa-proxy history`` and ``wsa-proxy why``: what has happened, and why a node is what it is now."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

from wsa_proxy.cli.asking import answer
from wsa_proxy.cli.asking import sort_out_group
from wsa_proxy.cli.colours import shown_on
from wsa_proxy.cli.exit_status import DONE
from wsa_proxy.cli.exit_status import FAILED
from wsa_proxy.cli.values import EVENTS_MAX

LIMIT_USUAL = 20
PAGE_EVENTS = 100
"""Of one answer; older ones are asked for by the number of the oldest."""


def history(options: argparse.Namespace) -> int:
    """The newest last, as in a log; in JSON the newest first, as the node has them."""
    events = _events(options)
    if events is None:
        return FAILED
    if options.json:
        print(json.dumps(events, indent=2))
    elif events:
        print(shown_on(sys.stdout, "\n".join(event_text(event) for event in reversed(events))))
    else:
        whose = f"nothing is kept of a group {options.group}" if options.group else "nothing has changed"
        print(f"{whose} in that time" if options.since else f"{whose} yet")
    return DONE


def why(options: argparse.Namespace) -> int:
    sort_out_group(options)
    answered = answer(options, "why", {} if options.group is None else {"group": options.group})
    if answered is None:
        return FAILED
    if options.json:
        print(json.dumps(answered["why"], indent=2))
        return DONE
    blocks = [
        "\n".join([f"group {each['group']}: {each['state'].upper()}", *(f"  {line}" for line in each["sentences"])])
        for each in answered["why"]
    ]
    print(shown_on(sys.stdout, "\n\n".join(blocks)))
    return DONE


def event_text(event: dict[str, Any]) -> str:
    """One transition in two or three lines."""
    at = datetime.fromisoformat(event["at"]).astimezone(UTC)
    stamp = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"
    lines = [
        f"{stamp}  {event['node']}  {_change_text(event)}  {event['reason']} {event['evidence']}".rstrip(),
        f"  {event['sentence']}",
    ]
    who = f"ordered by {event['who']}" if event["who"] else ""
    rest = [part for part in (who, _outage_text(event["outage"])) if part]
    return "\n".join([*lines, *([f"  {'; '.join(rest)}"] if rest else [])])


def _change_text(event: dict[str, Any]) -> str:
    """Of a group, or of the whole node, which starts and stops and has the group 0."""
    if event["group"] == 0:
        return str(event["to"]).upper()
    return f"group {event['group']}  {event['from'].upper()} -> {event['to'].upper()}"


def _outage_text(outage: dict[str, Any] | None) -> str:
    if outage is None:
        return ""
    least, most = outage["ms_min"], outage["ms_max"]
    span = f"{most:.0f} ms" if round(least) == round(most) else f"{least:.0f} to {most:.0f} ms"
    return f"clients had no answer for {span} ({outage['how']})"


def _events(options: argparse.Namespace) -> list[dict[str, Any]] | None:
    """The newest first; None, and said why, when they cannot be had."""
    limit = options.limit or (EVENTS_MAX if options.since else LIMIT_USUAL)
    oldest = datetime.now(UTC) - timedelta(seconds=options.since) if options.since else None
    events: list[dict[str, Any]] = []
    before = ""
    while len(events) < limit:
        wanted = {"limit": str(min(PAGE_EVENTS, limit - len(events))), "group": options.group, "before": before}
        answered = answer(options, "history", {name: text for name, text in wanted.items() if text})
        if answered is None:
            return None
        page = answered["history"]
        new = [each for each in page if oldest is None or datetime.fromisoformat(each["at"]) >= oldest]
        events += new
        if len(new) < len(page) or len(page) < int(wanted["limit"]):
            break
        before = str(page[-1]["number"])
    return events
