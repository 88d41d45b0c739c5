"""What the live screen shows: a snapshot of the lab -> lines that fit a terminal of 80 columns and 24 rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from wsa_proxy.lab.bars import ConnectionView
from wsa_proxy.lab.bars import bars
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.node import Transition
from wsa_proxy.lab.outage import Sample
from wsa_proxy.lab.report import Row

SLICE_S = 0.1
SLICES = 76
"""The strip: one block for each tenth of a second."""
NEWS_OLD_S = 1.0
STYLES = {"master": "bold green", "backup": "cyan", "init": "yellow", "down": "bold red"}
STYLES |= dict.fromkeys(("frozen", "blocked", "starving", "mute", "ignoring"), "bold blue")


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node as it is shown."""

    name: str
    selected: bool
    state: str
    """master, backup, init; down and the ailments are about the process; starting before the first answer."""
    priority: str
    holds_virtual_ip: bool
    """By its kernel's address events; and whether it has it on its loopback interface, for what goes on there."""
    holds_silently: bool
    news_age_s: float | None
    pid: int | None
    """None when the process does not exist."""
    plugged: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is shown; times in seconds since the start of the nodes."""

    now_s: float
    virtual_ips: Sequence[str]
    nodes: Sequence[NodeView]
    samples: Sequence[Sample]
    """Of the time that the strip shows, at least."""
    connections: Sequence[ConnectionView]
    last_fault: Row | None
    transitions: Sequence[Transition]
    message: str
    rows: int
    """Height of the terminal."""


def render(snapshot: Snapshot) -> Group:
    """The whole screen."""
    nodes = _nodes_table(snapshot.nodes)
    open_ones = bars(snapshot.connections, [node.name for node in snapshot.nodes], snapshot.now_s, snapshot.last_fault)
    fixed_rows = len(snapshot.nodes) + len(open_ones) + 13
    message = Text(snapshot.message, style="yellow", no_wrap=True, overflow="ellipsis")
    if snapshot.rows <= fixed_rows:  # A low terminal: no blank lines, no transitions and fewer bars, but the keys stay.
        room = max(snapshot.rows - len(snapshot.nodes) - 8, 0)
        client = (_client_line(snapshot), _strip(snapshot.samples, snapshot.now_s), *open_ones[:room])
        return Group(nodes, *client, _fault_line(snapshot.last_fault), *_keys(snapshot.nodes), message)
    log = _log_lines(snapshot.transitions, max(snapshot.rows - fixed_rows, 1))
    title = f"wsa-proxy lab   virtual IP {', '.join(snapshot.virtual_ips)}   {snapshot.now_s:.0f} s"
    return Group(
        Text(title, style="bold", no_wrap=True, overflow="ellipsis"),
        Text(),
        nodes,
        Text(),
        _client_line(snapshot),
        _strip(snapshot.samples, snapshot.now_s),
        *open_ones,
        _fault_line(snapshot.last_fault),
        Text(),
        *log,
        Text(),
        *_keys(snapshot.nodes),
        message,
    )


def _nodes_table(nodes: Iterable[NodeView]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("node", "state", "priority", "virtual IP", "news", "process", "cable"):
        table.add_column(heading, no_wrap=True)
    for node in nodes:
        old = node.news_age_s is None or node.news_age_s > NEWS_OLD_S
        age = "none" if node.news_age_s is None else f"{node.news_age_s:.1f} s ago"
        table.add_row(
            Text(f"{'>' if node.selected else ' '} {node.name}", style="bold" if node.selected else ""),
            Text(node.state, style=STYLES.get(node.state, "dim")),
            node.priority,
            _holding(node),
            Text(age, style="bright_black" if old else ""),
            Text("none", style="bold red") if node.pid is None else Text(str(node.pid)),
            Text("in") if node.plugged else Text("OUT", style="bold red"),
        )
    return table


def _holding(node: NodeView) -> Text:
    if node.holds_virtual_ip:
        return Text("holds it", style="bold green")
    return Text("silently", style="cyan") if node.holds_silently else Text("-", style="dim")


def _client_line(snapshot: Snapshot) -> Text:
    recent = [each for each in snapshot.samples if each.end_s > snapshot.now_s - 1.0]
    succeeded = sum(each.ok for each in recent)
    line = Text(f"client  {succeeded:3} requests/s succeed, ")
    line.append(f"{len(recent) - succeeded:3} fail", style="bold red" if succeeded < len(recent) else "")
    line.append(f"   the last {SLICES * SLICE_S:.1f} s:", style="dim")
    return line


def _strip(samples: Iterable[Sample], now_s: float) -> Text:
    """One block for a tenth of a second: green all well, red all failed, yellow both, a dot nothing."""
    last = int(now_s / SLICE_S)
    succeeded, failed = [0] * SLICES, [0] * SLICES
    for sample in samples:
        place = SLICES - (last - int(sample.end_s / SLICE_S))
        if 0 <= place < SLICES:
            (succeeded if sample.ok else failed)[place] += 1
    strip = Text("  ")
    for good, bad in zip(succeeded, failed, strict=True):
        if good or bad:
            strip.append("█", style="green" if not bad else "red" if not good else "yellow")
        else:
            strip.append("·", style="dim")
    return strip


def _fault_line(row: Row | None) -> Text:
    if row is None:
        return Text("last fault  none yet", style="dim")
    line = Text("last fault  ")
    line.append(row.fault, style="bold")
    line.no_wrap, line.overflow = True, "ellipsis"
    if row.closed and row.took_over not in ("-", "nobody"):
        line.append(f" -> {row.took_over}", style="bold")
    line.append(f"  outage {row.outage_ms:.0f} ms" if row.closed else f"  down for {row.outage_ms:.0f} ms")
    line.append(f", {row.failed} failed, two holders {row.two_holders_s:.2f} s")
    return line


def _log_lines(transitions: Sequence[Transition], rows: int) -> list[Text]:
    """The newest transitions, one line each, filled up so that the footer stays in its place."""
    lines = [Text("transitions" if transitions else "transitions  none yet", style="dim")]
    for each in transitions[-(rows - 1) :] if rows > 1 else []:
        line = Text(f"{each.at_s:7.1f} s  {each.node}  {each.before} -> ", no_wrap=True, overflow="ellipsis")
        line.append(each.after, style=STYLES.get(each.after, ""))
        line.append(f"  {each.reason} {each.evidence}")
        lines.append(line)
    return lines + [Text()] * (rows - len(lines))


def _keys(nodes: Sequence[NodeView]) -> list[Text]:
    """The footer, from the table of faults; two lines of keys."""
    words: dict[str, list[str]] = {}
    for fault in FAULTS.values():
        if fault.key:
            words.setdefault(fault.key, []).append(fault.word)
    chosen = next((node.name for node in nodes if node.selected), "")
    names = "/".join(node.name for node in nodes)
    keys = [*(f"{key} {'/'.join(of_key)}" for key, of_key in words.items()), "q quit"]
    half = len(keys) // 2
    return [
        Text(f"{names} pick a node, then (now for {chosen}):", style="dim"),
        *(Text("  ".join(keys[start:end]), style="bold") for start, end in ((0, half), (half, None))),
    ]
