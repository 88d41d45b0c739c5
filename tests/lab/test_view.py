from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from wsa_proxy.lab.bars import ConnectionView
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.node import Transition
from wsa_proxy.lab.outage import Sample
from wsa_proxy.lab.report import Row
from wsa_proxy.lab.view import NodeView
from wsa_proxy.lab.view import Snapshot
from wsa_proxy.lab.view import render

A = NodeView("a", True, "down", "255", False, False, 4.0, None, True)
B = NodeView("b", False, "master", "200", True, False, 0.1, 17, False)
ROW = Row("cut a>b", 40.0, "a", "b", 123456.0, True, 12345, 10.25, 1.0, 12345, 12340, 1999.0)
REASON = "preempted_inferior_master"
EVIDENCE = "its_interval_s=1.215 own_s=1.000 its_demotion=0 own_demotion=0"
PLACES = ("download 1", "download 2", "tunnel 1", "websocket 1", "waiting 1")
OPEN = [
    ConnectionView(Fate(99.9, place, 1, State.RUNS, "10.0.0.2", 10**9, 0.0, ""), "b", 1.0, [(99.9, State.RUNS, "b")])
    for place in PLACES
]
SNAPSHOT = Snapshot(
    now_s=100.0,
    virtual_ips=["10.0.0.3", "fd00:77::3"],
    nodes=[A, B],
    samples=[Sample(0, 0, 99.95, True, "10.0.0.2", ""), Sample(0, 0, 99.85, False, "", "no answer in 1 s")],
    connections=OPEN,
    last_fault=ROW,
    transitions=[Transition(90.0 + n, "a", 1, "backup", f"state{n}", REASON, EVIDENCE) for n in range(50)],
    message="node a ended by itself: " + "x" * 200,
    rows=24,
)


def lines_of(snapshot: Snapshot, width: int = 80) -> list[str]:
    console = Console(width=width, height=snapshot.rows, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(render(snapshot))
    return captured.get().rstrip("\n").split("\n")


@pytest.mark.parametrize("count", [2, 8])
@pytest.mark.parametrize("last_fault", [None, ROW, replace(ROW, closed=False, served_after=None)])
def test_the_screen_fits_80_columns_and_24_rows(count: int, last_fault: Row | None) -> None:
    """With long messages, many transitions and eight nodes: nothing wraps, and the footer is the end."""
    nodes = [A, *[replace(B, name=name) for name in "bcdefgh"[: count - 1]]]
    lines = lines_of(replace(SNAPSHOT, nodes=nodes, last_fault=last_fault))
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "q quit" in lines[-2]


def test_a_low_terminal_still_shows_nodes_client_and_keys() -> None:
    """Ten rows are enough for two nodes; transitions and bars are what is left out, and the bars come back first."""
    lines = lines_of(replace(SNAPSHOT, rows=10))
    assert len(lines) <= 10
    assert "q quit" in lines[-2] and lines[1].startswith("> a") and "requests/s" in lines[3]
    assert not any("websocket" in line or "download" in line for line in lines)
    twelve = lines_of(replace(SNAPSHOT, rows=12))
    assert len(twelve) <= 12 and "download 2" in twelve[6] and "last fault" in twelve[7]


def test_old_news_is_grey() -> None:
    """A status that nobody confirms any more must not look like a fresh one."""
    console = Console(width=80, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(render(SNAPSHOT))
    assert "\x1b[90m4.0 s ago" in captured.get() and "\x1b[90m0.1 s ago" not in captured.get()


def test_every_node_shows_its_state_holder_news_process_and_cable() -> None:
    """A dead node with old news, and a master whose cable is out."""
    text = "\n".join(lines_of(SNAPSHOT))
    (dead,) = [line for line in text.splitlines() if line.startswith("> a")]
    (master,) = [line for line in text.splitlines() if line.startswith("  b")]
    assert dead.split() == [">", "a", "down", "255", "-", "4.0", "s", "ago", "none", "in"]
    assert master.split() == ["b", "master", "200", "holds", "it", "0.1", "s", "ago", "17", "OUT"]


def test_a_node_that_finishes_its_connections_holds_the_address_silently() -> None:
    """It is no second holder, and not without the address either."""
    lines = lines_of(replace(SNAPSHOT, nodes=[replace(A, holds_silently=True), B]))
    assert [line.split()[4:6] for line in lines if line.startswith("> a")] == [["silently", "4.0"]]


def test_the_newest_transitions_are_shown() -> None:
    """Older ones leave the screen first."""
    text = "\n".join(lines_of(SNAPSHOT))
    assert "state49" in text
    assert "state0 " not in text


def test_the_strip_has_the_newest_at_its_right_end() -> None:
    """A tenth of a second of successes, before it one of failures, and nothing before."""
    console = Console(width=80, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(render(SNAPSHOT))
    strip = next(line for line in captured.get().splitlines() if "█" in line)
    assert strip.index("\x1b[31m█") < strip.index("\x1b[32m█")


def test_the_footer_offers_every_fault_that_has_a_key() -> None:
    """The keys come from the one list of faults."""
    text = "\n".join(lines_of(SNAPSHOT))
    for fault in FAULTS.values():
        assert not fault.key or fault.word in text
