"""What has happened, and why: from the documents of the control socket to lines for a person."""

from __future__ import annotations

import json
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.fake_node import FakeNode
from tests.cli.fake_node import configuration
from wsa_proxy import cli
from wsa_proxy.cli.history import PAGE_EVENTS
from wsa_proxy.cli.history import event_text

EVENT: dict[str, Any] = {
    "number": 17,
    "at": "2026-11-29T03:17:49.250+00:00",
    "node": "a",
    "group": 1,
    "from": "backup",
    "to": "master",
    "reason": "master_silent",
    "evidence": "silent_s=3.21 last_master=10.0.0.2",
    "sentence": "Node a took over because 10.0.0.2 had said nothing for 3.2 s.",
    "who": "",
    "outage": None,
    "boot": "x",
    "life": "y",
}


def events(count: int, **more: Any) -> list[dict[str, Any]]:
    """The newest first, a minute apart, the newest now."""
    now = datetime.now(UTC)
    return [
        EVENT | {"number": count - n, "at": (now - timedelta(minutes=n)).isoformat(timespec="milliseconds")} | more
        for n in range(count)
    ]


class Answering:
    """The history of a node, in pages as it is asked for."""

    def __init__(self, kept: list[dict[str, Any]]) -> None:
        self.kept = kept

    def __call__(self, verb: str, arguments: dict[str, str]) -> dict[str, Any]:
        before = int(arguments.get("before", 10**9))
        older = [each for each in self.kept if each["number"] < before]
        return {"history": older[: int(arguments["limit"])]}


def test_an_event_in_words() -> None:
    """When, who, what, why; then the sentence, and only if there is one, who ordered it and what it cost."""
    first = (
        "2026-11-29 03:17:49.250 UTC  a  group 1  BACKUP -> MASTER  master_silent silent_s=3.21 last_master=10.0.0.2"
    )
    sentence = "  Node a took over because 10.0.0.2 had said nothing for 3.2 s."
    assert event_text(EVENT) == f"{first}\n{sentence}"
    outage = {"ms_min": 25.0, "ms_max": 35.0, "how": "probes of c"}
    ordered = EVENT | {"who": "operator (uid 0, cli)", "outage": outage}
    said = "  ordered by operator (uid 0, cli); clients had no answer for 25 to 35 ms (probes of c)"
    assert event_text(ordered) == f"{first}\n{sentence}\n{said}"
    exact = EVENT | {"outage": outage | {"ms_min": 35.0}}
    assert event_text(exact).splitlines()[-1] == "  clients had no answer for 35 ms (probes of c)"


def test_a_start_of_the_node_is_of_no_group() -> None:
    """It came from no state."""
    started = EVENT | {"group": 0, "from": "", "to": "started", "reason": "node_started", "evidence": "it was killed"}
    started |= {"sentence": "The node has started."}
    assert event_text(started) == (
        "2026-11-29 03:17:49.250 UTC  a  STARTED  node_started it was killed\n  The node has started."
    )


def test_the_newest_is_the_last_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in a log; of one group if it is asked for, and not more than asked for."""
    node = FakeNode(tmp_path / "control.sock", Answering(events(30)))
    file = str(configuration(tmp_path))
    assert cli.main(["history", file]) == 0
    assert cli.main(["history", file, "--group", "1", "--limit", "3", "--json"]) == 0
    node.stop()
    out = capsys.readouterr().out
    lines, document = out[: out.index("[\n")], json.loads(out[out.index("[\n") :])
    stamps = [line[:23] for line in lines.splitlines() if "BACKUP -> MASTER" in line]
    assert len(stamps) == 20 and stamps == sorted(stamps)
    assert [each["number"] for each in document] == [30, 29, 28]
    assert node.asked == [("history", {"limit": "20"}), ("history", {"limit": "3", "group": "1"})]


def test_a_time_is_read_page_by_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it, and nothing older; the node is asked for the next page by the number of the oldest."""
    node = FakeNode(tmp_path / "control.sock", Answering(events(500)))
    assert cli.main(["history", str(configuration(tmp_path)), "--since", "2h", "--json"]) == 0
    node.stop()
    assert len(json.loads(capsys.readouterr().out)) == 120
    page = str(PAGE_EVENTS)
    assert node.asked == [("history", {"limit": page}), ("history", {"limit": page, "before": "401"})]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "nothing has changed yet\n"),
        (["--since", "1m"], "nothing has changed in that time\n"),
        (["--group", "7"], "nothing is kept of a group 7 yet\n"),
        (["--group", "7", "--since", "1m"], "nothing is kept of a group 7 in that time\n"),
        (["--json"], "[]\n"),
    ],
)
def test_an_empty_history(arguments: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = FakeNode(tmp_path / "control.sock", Answering([]))
    assert cli.main(["history", str(configuration(tmp_path)), *arguments]) == 0
    node.stop()
    assert capsys.readouterr().out == text


def test_why_in_three_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one group or of all; a number alone is a group."""
    sentences = ["It is backup.", "Node b is better.", "It takes over after 3 s."]
    told = [{"group": 1, "state": "backup", "sentences": sentences}, {"group": 2, "state": "master", "sentences": []}]
    node = FakeNode(tmp_path / "control.sock", lambda *_: {"why": told})
    file = str(configuration(tmp_path))
    assert cli.main(["why", file]) == cli.main(["why", file, "1"]) == 0
    block = "group 1: BACKUP\n  It is backup.\n  Node b is better.\n  It takes over after 3 s.\n\ngroup 2: MASTER\n"
    assert capsys.readouterr().out == block * 2
    assert cli.main(["why", file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == told
    node.stop()
    assert node.asked == [("why", {}), ("why", {"group": "1"}), ("why", {})]


@pytest.mark.parametrize("verb", ["history", "why"])
def test_what_the_node_refuses(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 and its words."""
    node = FakeNode(tmp_path / "control.sock", lambda *_: {"error": "there is no group 9"})
    assert cli.main([verb, str(configuration(tmp_path))]) == 1
    node.stop()
    assert capsys.readouterr() == ("", "wsa-proxy: there is no group 9\n")
