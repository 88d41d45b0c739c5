"""The table: what is known now -> lines that fit a terminal of 80 columns. Pure.

First a sentence for each id, then what is wrong, then two lines for each sender: its numbers and its verdict, and under
them where it comes from and why it is not believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.console import RenderableType
from rich.text import Text

from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.config.source import printable
from wsa_proxy.watch.findings import Finding
from wsa_proxy.watch.judge import UNVERIFIED
from wsa_proxy.watch.judge import Tone
from wsa_proxy.watch.ledger import Row
from wsa_proxy.watch.summary import Sentence
from wsa_proxy.watch.summary import priority_text
from wsa_proxy.watch.text import counter_text
from wsa_proxy.watch.text import kind_text
from wsa_proxy.watch.text import stamp
from wsa_proxy.watch.text import vrrp_text
from wsa_proxy.watch.vrrp import Vrrp

STYLES: dict[Tone, str] = {"good": "bold green", "plain": "yellow", "bad": "bold red"}
SILENT = "dim"
HINT = "unverified: give the node's file to check digests, --config /etc/wsa-proxy/node.yaml"
FINDINGS_SHOWN_MAX = 6
ROW_LINES = 2
COLUMNS = (("id", "right"), ("sender", "left"), ("interval", "right"), ("skew", "right"), ("prio", "right"),
           ("dem", "right"), ("seen", "right"), ("count", "right"), ("rate", "right"), ("verdict", "left"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is shown."""

    title: str
    rows: Sequence[Row]
    sentences: Sequence[Sentence]
    findings: Sequence[Finding]
    notes: Sequence[str]
    """About the watch itself: what it missed."""
    now_s: float
    height: int | None
    """Lines of the terminal; None: no limit."""
    footer: str = ""


def render(snapshot: Snapshot) -> Group:
    """The whole screen."""
    parts: list[RenderableType] = [_line(Text(snapshot.title, style="bold"))]
    parts += [_line(Text(each.text, style=STYLES[each.tone])) for each in snapshot.sentences]
    parts += _findings(snapshot.findings, snapshot.now_s)
    parts += [_line(Text(note, style="yellow")) for note in snapshot.notes]
    if any(row.opinion.word == UNVERIFIED for row in snapshot.rows):
        parts.append(_line(Text(HINT, style="dim")))
    rows = _most_wanted(snapshot, fixed_lines=len(parts) + 4)
    parts += [Text(), *_table(rows, snapshot.now_s)]
    if len(rows) < len(snapshot.rows):
        parts.append(_line(Text(f"and {len(snapshot.rows) - len(rows)} more senders", style="dim")))
    if snapshot.footer:
        parts.append(_line(Text(snapshot.footer, style="dim")))
    return Group(*parts)


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _findings(findings: Sequence[Finding], now_s: float) -> list[RenderableType]:
    """The newest; one that is over is told as such, with how long it lasted."""
    lines: list[RenderableType] = []
    for finding in findings[-FINDINGS_SHOWN_MAX:]:
        goes_on = finding.is_current(now_s)
        lasted = f" for {finding.last_s - finding.first_s:.1f} s" if finding.last_s > finding.first_s else ""
        over = "" if goes_on else " (over)"
        text = f"!! {stamp(finding.first_s, with_date=False)}{lasted}{over}  {finding.text}"
        lines.append(Text(text, style="bold red" if goes_on else "dim", overflow="fold"))
    return lines


def _most_wanted(snapshot: Snapshot, fixed_lines: int) -> list[Row]:
    """As many as there is room for: who is heard now comes before who is silent, then the order of the rows."""
    if snapshot.height is None:
        return list(snapshot.rows)
    room = max((snapshot.height - fixed_lines) // ROW_LINES, 1)
    by_need = sorted(snapshot.rows, key=lambda row: not row.advertises(snapshot.now_s))
    chosen = {id(row) for row in by_need[:room]}
    return [row for row in snapshot.rows if id(row) in chosen]


def _table(rows: Sequence[Row], now_s: float) -> list[RenderableType]:
    """A heading, then two lines for each sender. Not rich's table: in that no cell can be as wide as the row."""
    cells = [_cells(row, now_s) for row in rows]
    widths = [
        max(len(each) for each in (heading, *(line[place].plain for line in cells)))
        for place, (heading, _) in enumerate(COLUMNS)
    ]
    lines: list[RenderableType] = [_line(_joined([Text(heading, style="dim") for heading, _ in COLUMNS], widths))]
    for row, line in zip(rows, cells, strict=True):
        lines.append(_line(_joined(line, widths)))
        lines.append(_line(Text(f"    {detail(row)}", style=SILENT if not row.advertises(now_s) else "")))
    return lines


def _joined(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for cell, width, (_, justify) in zip(cells, widths, COLUMNS, strict=True):
        padding = " " * (width - len(cell.plain))
        line.append(padding if justify == "right" else "")
        line.append_text(cell)
        line.append((padding if justify == "left" else "") + "  ")
    line.rstrip()
    return line


def _cells(row: Row, now_s: float) -> list[Text]:
    silent = not row.advertises(now_s)
    style = SILENT if silent else ""
    says = row.heard.says
    carp = says if isinstance(says, Advertisement) else None
    rate = row.rate(now_s)
    interval = "" if says is None or (carp and carp.is_bow_out) else f"{row.interval_s:.3g} s"
    cells = [
        str(row.number) if row.number >= 0 else "?",
        row.heard.source,
        interval,
        str(carp.advskew) if carp else "",
        priority_text(row),
        str(carp.demotion) if carp else "",
        f"{max(now_s - row.last_s, 0):.1f} s",
        str(row.count),
        f"{rate:.3g}/s" if rate is not None else "",
    ]
    verdict = Text(row.opinion.word, style=SILENT if silent and row.opinion.tone != "bad" else STYLES[row.opinion.tone])
    return [*(Text(cell, style=style) for cell in cells), verdict]


def detail(row: Row) -> str:
    """The second line of a sender: where it comes from, what is special, why it is not believed."""
    heard = row.heard
    parts = [
        f"{heard.protocol} from {heard.mac or 'a link without MAC'}",
        f"on {printable(heard.captured.interface)}" if heard.captured.interface else "",
        *(f"vlan {vlan}" for vlan in heard.vlans),
        "sent here" if heard.sent_here else "",
        kind_text(row),
        vrrp_text(heard.says) if isinstance(heard.says, Vrrp) else "",
        f"counter {counter_text(row)}" if row.counter else "",
        row.opinion.why,
        _before(row),
    ]
    return ", ".join(part for part in parts if part)


def _before(row: Row) -> str:
    """Other verdicts on the same sender, with their number."""
    others = [f"{count} {word}" for word, count in row.words.items() if word != row.opinion.word]
    return f"also {', '.join(others)}" if others else ""
