"""A status that goes on: a block for each change in a pipe, a screen on a terminal, and a node that comes and goes."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.fake_node import FakeNode
from tests.cli.fake_node import configuration
from tests.cli.terminal import Terminal
from tests.test_carry_text import BUSY
from tests.test_carry_text import QUIET
from tests.test_status_text import STATUS
from wsa_proxy.cli.status_watch import essence

LEAVE_SCREEN = b"\x1b[?1049l"
GREEN_MASTER = b"\x1b[32mMASTER\x1b[0m"
LOOKING_OFTEN = (
    sys.executable,
    "-c",
    """import sys
from wsa_proxy.cli import main
from wsa_proxy.cli import status_watch
status_watch.LOOK_EVERY_S = 0.1
sys.exit(main())
""",
)
"""``wsa-proxy`` with a second that is shorter."""


def in_state(state: str, **more: Any) -> dict[str, Any]:
    return STATUS | {"groups": [STATUS["groups"][0] | {"state": state} | more]}


@contextmanager
def watching(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*LOOKING_OFTEN, "status", "--watch", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def block(stream: Any) -> list[str]:
    """What is written until the empty line after the guardian's, without that."""
    lines: list[str] = []
    while not lines or not lines[-1].startswith("guardian: process 4712"):
        assert lines == [] or lines[-1], f"it has ended: {lines}"
        lines.append(stream.readline())
    assert stream.readline() == "\n"
    return lines


def test_a_block_for_each_change_and_a_node_that_goes_away(tmp_path: Path) -> None:
    """No block for what is merely counted or measured anew; an absent node is said once; Ctrl-C is status 0."""
    asked = 0
    state = "backup"

    def answer(verb: str, arguments: dict[str, str]) -> dict[str, Any]:
        nonlocal asked, state
        asked += 1
        state = "backup" if asked < 3 else "master"
        return in_state(state, age_s=200.0 + asked, advertisements_received=90 + asked)

    node = FakeNode(tmp_path / "control.sock", answer)
    with watching(str(configuration(tmp_path))) as process:
        first = block(process.stdout)
        second = block(process.stdout)
        assert node.asked[0] == ("status", {})
        assert first[0].endswith(" UTC\n") and "BACKUP for 3 min 21 s" in "".join(first)
        assert "MASTER for 3 min 23 s" in "".join(second) and "\x1b" not in "".join(first + second)
        node.stop()
        gone = process.stderr.readline() if process.stderr else ""
        assert gone.endswith("no such socket; no node runs with this state_dir; waiting for it\n")
        node = FakeNode(tmp_path / "control.sock", lambda *_: in_state("init"))
        assert "INIT for" in "".join(block(process.stdout))
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
    node.stop()
    assert (process.returncode, out, error) == (0, "", "")


def test_json_is_a_line_for_each_change(tmp_path: Path) -> None:
    """For a program that reads it."""
    states = iter(["backup", "backup", "master"])
    node = FakeNode(tmp_path / "control.sock", lambda *_: in_state(next(states, "master")))
    with watching("--json", str(configuration(tmp_path))) as process:
        assert process.stdout is not None
        documents = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    node.stop()
    assert [each["groups"][0]["state"] for each in documents] == ["backup", "master"] and process.returncode == 0


def test_on_a_terminal_it_is_redrawn(tmp_path: Path) -> None:
    """In colours; a node that has gone is said there, too, and what was seen last stands on the terminal afterwards."""
    node = FakeNode(tmp_path / "control.sock", lambda *_: in_state("master"))
    with Terminal("status", "--watch", str(configuration(tmp_path)), program=LOOKING_OFTEN, columns=120) as terminal:
        terminal.read_until("for 3 min 20 s")
        node.stop()
        terminal.read_until("waiting for it")
        terminal.type("\x03")
        assert terminal.end() == 0
        on_screen, _, after = terminal.seen.rpartition(LEAVE_SCREEN)
        assert b"each second; Ctrl-C ends" in on_screen and b"\x1b[32mMASTER" in on_screen
        assert GREEN_MASTER in after and b"guardian: process 4712" in after and b"waiting for it" not in after
        assert select.select([terminal.ours], [], [], 0)[0] == []


def test_a_terminal_that_cannot_draw_gets_blocks(tmp_path: Path) -> None:
    """Without a colour and without another screen; a node that was never there leaves nothing behind."""
    words = ("status", "--watch", str(configuration(tmp_path)))
    with Terminal(*words, program=LOOKING_OFTEN, environment={"TERM": "dumb"}) as terminal:
        terminal.read_until("waiting for it")
        node = FakeNode(tmp_path / "control.sock", lambda *_: in_state("master"))
        terminal.read_until("guardian: process 4712")
        terminal.type("\x03")
        assert terminal.end() == 0
        node.stop()
        assert b"\x1b" not in terminal.seen


def test_what_counts_as_a_change() -> None:
    """States, obstacles, warnings, members and health; no age, no counter."""
    before = essence(STATUS)
    group = STATUS["groups"][0]
    assert essence(STATUS | {"loop_lag_s": 0.4}) == before
    counted = {"age_s": 999.0, "advertisements_sent": 99, "advertisements_received": 99}
    assert essence(STATUS | {"groups": [group | counted]}) == before
    member = {"node": "b", "state": "backup", "is_fresh": True, "is_ready": True, "priority": 1, "age_s": 0.1}
    members: dict[str, Any] = {"list": [member]}
    warned: dict[str, Any] = {"warnings": [{"kind": "no_standby", "group": 1}]}
    changed: list[dict[str, Any]] = [
        {"groups": [group | {"state": "master"}]},
        {"groups": [group | {"since": "2026-01-01T00:00:01+00:00"}]},
        {"groups": [group | {"obstacles": {}}]},
        {"groups": [group | {"members": members}]},
        {"health": STATUS["health"] | {"soft": None}},
        {"maintenance": {"reason": "x"}},
        {"guardian": {"pid": 1, "stall_limit_s": 1.0}},
        warned,
    ]
    assert all(essence(STATUS | each) != before for each in changed)
    older = essence(STATUS | {"groups": [group | {"members": members}]})
    members = {"list": [member | {"age_s": 0.9}]}
    assert essence(STATUS | {"groups": [group | {"members": members}]}) == older


def test_of_open_connections_the_beginning_and_the_end_count() -> None:
    """Their number falls each second."""

    def with_carry(**changes: Any) -> dict[str, Any]:
        return essence(in_state("backup", carry=QUIET | changes))

    fewer = [each | {"connections": 0, "settled": True} for each in BUSY["steers"]]
    assert with_carry(drains=BUSY["drains"]) == with_carry(drains={"connections": 1, "left_s": 3.0}) != with_carry()
    assert with_carry(steers=BUSY["steers"]) == with_carry(steers=fewer) != with_carry()
    assert with_carry(told=BUSY["told"]) == with_carry(told=BUSY["told"] | {"age_s": 99.0}) != with_carry()
    assert with_carry(told=BUSY["told"]) != with_carry(told=BUSY["told"] | {"clients": 201})
