"""A bar for each connection that the client keeps open: where something came, and by which node. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.report import Row

SLICE_S = 0.25
SLICES = 40
"""The last ten seconds."""
NODE_STYLES = ("green", "cyan", "magenta", "blue", "yellow")
"""Of the nodes in their order: a bar that goes on in one colour is still served by the same node."""
LOST_STYLE = "red"
CROWD = "waiting"
"""The kind of which there are too many for a bar each."""


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """One connection, and what is known of its place; times in seconds since the start of the nodes."""

    newest: Fate
    node: str
    """By name; empty while unknown."""
    began_s: float
    recent: Sequence[tuple[float, State, str]]
    """The news of the time that the bar shows, at least: when, what, and by which node."""


def bars(
    connections: Sequence[ConnectionView], nodes: Sequence[str], now_s: float, last_fault: Row | None
) -> list[Text]:
    """One line for each connection, then one for those that wait and for what the last fault has done to all."""
    if not connections:
        return []
    crowd = [each for each in connections if each.newest.kind == CROWD]
    lines = [_bar(each, nodes, now_s) for each in connections if each.newest.kind != CROWD]
    return [*lines, _crowd_line(crowd, last_fault)]


def _bar(connection: ConnectionView, nodes: Sequence[str], now_s: float) -> Text:
    newest = connection.newest
    line = Text(f"  {newest.place:11} {connection.node or '-':1} ", no_wrap=True, overflow="ellipsis")
    line.append_text(_strip(connection.recent, nodes, now_s))
    age_s = (newest.at_s if newest.state.over else now_s) - connection.began_s
    amount = f"{newest.count / 1e6:.2f} MB" if newest.kind == "download" else f"{age_s:.0f} s"
    line.append(f" {amount:>8} ")
    return line.append(newest.state, style=LOST_STYLE if newest.state.lost else "")


def _strip(recent: Sequence[tuple[float, State, str]], nodes: Sequence[str], now_s: float) -> Text:
    """A block where something came, in the colour of the node; red where the connection was lost; else a dot."""
    last = int(now_s / SLICE_S)
    styles = [""] * SLICES
    for at_s, state, node in recent:
        place = SLICES - (last - int(at_s / SLICE_S))
        if 0 <= place < SLICES and styles[place] != LOST_STYLE:
            if state.lost:
                styles[place] = LOST_STYLE
            elif node in nodes:
                styles[place] = NODE_STYLES[nodes.index(node)]
    strip = Text()
    for style in styles:
        strip.append("█" if style else "·", style=style or "dim")
    return strip


def _crowd_line(crowd: Sequence[ConnectionView], last_fault: Row | None) -> Text:
    """How many wait at which node, or are in which state."""
    states = Counter(each.node if each.newest.state is State.RUNS else str(each.newest.state) for each in crowd)
    line = Text(f"  {CROWD:11}   ", no_wrap=True, overflow="ellipsis")
    line.append(", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "nobody")
    if last_fault is not None:
        soon = "" if last_fault.told_ms is None else f" in {last_fault.told_ms:.0f} ms"
        told = f"   last fault: {last_fault.lost} lost, {last_fault.told} told{soon}"
        line.append(told, style=LOST_STYLE if last_fault.lost else "dim")
    return line
