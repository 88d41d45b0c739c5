"""What is advertised for a group, compared with what should be: by the file, and by what the running node says."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from wsa_proxy.watch.audition import Audition
from wsa_proxy.watch.audition import Speaker


def report(heard: Audition, group: Mapping[str, Any] | None, *, preempts: bool) -> tuple[list[str], bool]:
    """Lines for the operator, and whether all is as it should be.

    ``group``: of the running node's status, asked when the listening was over; None: no node answers, and the file
    alone is what it is judged by. ``preempts``: that node's failover handling.
    """
    name = f"group {heard.vhid} {heard.hostname}".rstrip()
    lines = [f"{name} on {heard.interface}, listened for {heard.heard_for_s:.1f} s"]
    lines += [f"  {_speaker_text(each)}" for each in heard.speakers] or ["  nobody was heard"]
    masters = [each for each in heard.speakers if each.advertises and each.is_believed]
    wrong = [*_wrong_on_the_wire(heard.speakers, masters)]
    if group is None:
        lines.append("  no node answers on this host: judged by the file alone")
    else:
        said = f"{group['state'].upper()}, {group['reason']} {group['evidence']}".rstrip()
        lines.append(f"  the running node says: {said}")
        wrong += _wrong_by_the_node(heard, masters, group, preempts)
    if not wrong:
        return [*lines, f"as it should be: {_name_of_one(masters)} advertises, and nobody else"], True
    return [*lines, "NOT as it should be:", *(f"  {text}" for text in wrong)], False


def _speaker_text(speaker: Speaker) -> str:
    parts = [
        f"{speaker.source} ({speaker.mac or 'no MAC'}{', this host' if speaker.is_here else ''})",
        f"priority {speaker.priority}" if speaker.priority else "",
        f"every {speaker.interval_s:.3g} s" if speaker.advertises else "has stopped",
        f"{speaker.count} heard",
        speaker.word if not speaker.why or speaker.is_believed else f"{speaker.word}: {speaker.why}",
    ]
    return ", ".join(part for part in parts if part)


def _wrong_on_the_wire(speakers: Sequence[Speaker], masters: Sequence[Speaker]) -> list[str]:
    wrong = []
    if _count(masters) > 1:
        wrong.append(
            f"{_names(masters)} all advertise: each is master; they do not hear each other, or one not the other:"
            " let IP protocol 112 pass between them"
        )
    if not masters:
        wrong.append("no node advertises that this file believes: nobody has the virtual IP, or is not heard here")
    doubted = [each for each in speakers if each.advertises and not each.is_believed]
    wrong += [f"{each.source} advertises and is not believed: {each.why or each.word}" for each in doubted]
    return wrong


def _wrong_by_the_node(
    heard: Audition, masters: Sequence[Speaker], group: Mapping[str, Any], preempts: bool
) -> list[str]:
    if group["age_s"] < heard.heard_for_s:
        return [f"the running node became {group['state'].upper()} meanwhile, {group['age_s']:.1f} s ago: test again"]
    here = [each for each in masters if each.is_here]
    if group["state"] == "init":
        why = "; ".join(group["obstacles"].values()) or group["reason"]
        return [f"the running node takes no part in the group: {why}"]
    if group["state"] == "master":
        text = "the running node says that it is master, and does not advertise: its host lets nothing out"
        return [] if here else [text]
    if here:
        return ["this host advertises, and its node says that it is backup: another process speaks for the group"]
    followed = group["last_master"]
    if masters and followed not in [each.source for each in masters]:
        return [f"the running node follows {followed or 'nobody'}, and not {_names(masters)}: it hears others"]
    return [*_wrong_rank(masters, group)] if preempts else []


def _wrong_rank(masters: Sequence[Speaker], group: Mapping[str, Any]) -> list[str]:
    """A better node that could preempt and does not."""
    held_back = group["demotion"] or (group.get("preemption") or {}).get("waits_s") is not None
    best = max((int(each.priority) for each in masters if each.priority), default=None)
    if held_back or best is None or group["priority"] <= best:
        return []
    return [f"priority {group['priority']} here is greater than {best}: this node should be master, and is not"]


def _count(speakers: Sequence[Speaker]) -> int:
    """Nodes; one speaks in both IP versions."""
    senders = {(each.version, each.mac, each.source) for each in speakers}
    return max((sum(version == each for version, _, _ in senders) for each in (4, 6)), default=0)


def _name_of_one(speakers: Sequence[Speaker]) -> str:
    """A node that speaks in both IP versions is named by the first that was heard, with the other."""
    first, *others = dict.fromkeys(each.source for each in speakers)
    return f"{first} ({', '.join(others)})" if others else first


def _names(speakers: Sequence[Speaker]) -> str:
    return " and ".join(dict.fromkeys(each.source for each in speakers))
