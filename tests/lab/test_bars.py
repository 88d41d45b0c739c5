from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from wsa_proxy.lab.bars import LOST_STYLE
from wsa_proxy.lab.bars import NODE_STYLES
from wsa_proxy.lab.bars import SLICES
from wsa_proxy.lab.bars import ConnectionView
from wsa_proxy.lab.bars import bars
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.report import Row

NOW_S = 100.0
ROW = Row("power a", 90.0, "a", "b", 3000.0, True, 300, 0.0, 1.0, 24, 22, 15.0)


def connection(place: str, state: State, node: str, *recent: tuple[float, State, str]) -> ConnectionView:
    return ConnectionView(Fate(NOW_S, place, 1, state, "10.0.0.1", 625_000, 0.0, ""), node, 70.0, recent)


def drawn(*connections: ConnectionView, last_fault: Row | None = None) -> list[Text]:
    return bars(connections, "ab", NOW_S, last_fault)


def colours(line: Text) -> list[str]:
    """The colour of each block of a bar; empty for a dot."""
    begin = min(line.plain.index(each) for each in "█·" if each in line.plain)
    console = Console()
    styles = [line.get_style_at_offset(console, begin + place) for place in range(SLICES)]
    return [style.color.name if style.color else "" for style in styles]


def test_a_bar_goes_on_in_the_colour_of_the_node_that_serves() -> None:
    """The newest at the right end; a slice in which nothing came is a dot, one older than the bar is not shown."""
    came = [(50.0, "b"), (NOW_S - 9.8, "a"), (NOW_S - 0.7, "a"), (NOW_S - 0.2, "b")]
    news = [(at_s, State.RUNS, node) for at_s, node in came]
    bar, _ = drawn(connection("download 1", State.RUNS, "b", *news))
    painted = {place: colour for place, colour in enumerate(colours(bar)) if colour}
    assert painted == {0: NODE_STYLES[0], SLICES - 3: NODE_STYLES[0], SLICES - 1: NODE_STYLES[1]}
    assert bar.plain.startswith("  download 1  b █···")
    assert bar.plain.endswith(" 0.62 MB runs")


def test_a_loss_is_red_whatever_else_was_in_its_slice() -> None:
    """Before it or after it."""
    news = [(NOW_S - 0.24, State.RUNS, "a"), (NOW_S - 0.2, State.RESET, "a"), (NOW_S - 0.1, State.RUNS, "b")]
    bar, _ = drawn(connection("tunnel 1", State.RESET, "a", *news))
    assert colours(bar)[-1] == LOST_STYLE
    assert bar.plain.endswith("30 s reset")


def test_the_age_of_what_is_over_stands_still() -> None:
    """It counts from the begin of this connection to its end."""
    over = connection("tunnel 1", State.DONE, "a")
    bar, _ = drawn(replace(over, newest=replace(over.newest, at_s=NOW_S - 5)))
    assert bar.plain.endswith("25 s done")


def test_a_node_that_is_not_known_yet_paints_nothing() -> None:
    """It is being opened."""
    bar, _ = drawn(connection("tunnel 1", State.OPENING, "", (NOW_S, State.OPENING, "")))
    assert set(colours(bar)) == {""} and bar.plain.startswith("  tunnel 1    - ·")


def test_those_that_wait_are_counted_by_node_and_by_what_became_of_them() -> None:
    """In one line, whose end is what the last fault has done to all connections."""
    waiting = [connection(f"waiting {number}", State.RUNS, "a") for number in range(3)]
    waiting += [connection("waiting 4", State.RESET, "a"), connection("waiting 5", State.RUNS, "b")]
    (line,) = drawn(*waiting, last_fault=ROW)
    assert line.plain == "  waiting       3 a, 1 b, 1 reset   last fault: 24 lost, 22 told in 15 ms"
    (line,) = drawn(*waiting, last_fault=replace(ROW, lost=0, told=0, told_ms=None))
    assert line.plain.endswith("last fault: 0 lost, 0 told")


@pytest.mark.parametrize("last_fault", [None, ROW])
def test_without_connections_there_is_no_line(last_fault: Row | None) -> None:
    """As before the client has started."""
    assert drawn(last_fault=last_fault) == []
