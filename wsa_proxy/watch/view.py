"""The table: what is known now -> lines that fit a terminal of 80 columns. Pure.

First a sentence for each id, then what is wrong and who began when, then the senders: a line with the numbers and the
verdict, under it where it comes from, and under that why it is not believed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.console import RenderableType
from rich.padding import Padding
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
HINT = "unverified: to check digests, --config /etc/wsa-proxy/node.yaml"
FINDINGS_SHOWN_MAX = 6
INDENT = "    "
LINES_AROUND_TABLE = 4
"""A blank, the heading, what is left out, the footer."""
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
    size: tuple[int, int] | None
    """Columns and lines of the terminal; None: no limit."""
    footer: str = ""


def render(snapshot: Snapshot) -> Group:
    """The whole screen."""
    parts: list[Text] = [_line(Text(snapshot.title, style="bold"))]
    parts += [Text(each.text, style=STYLES[each.tone]) for each in snapshot.sentences]
    parts += _findings(snapshot.findings, snapshot.now_s)
    parts += [_line(Text(note, style="yellow")) for note in snapshot.notes]
    if any(row.opinion.word == UNVERIFIED for row in snapshot.rows):
        parts.append(_line(Text(HINT, style="dim")))
    with_interface = len({row.heard.captured.interface for row in snapshot.rows}) > 1
    columns = snapshot.size[0] if snapshot.size else 0
    above = sum(_height(part.plain, columns) if columns and not part.no_wrap else 1 for part in parts)
    rows = _most_wanted(snapshot, above + LINES_AROUND_TABLE)
    below: list[RenderableType] = [Text(), *_table(rows, snapshot.now_s, with_interface)]
    if len(rows) < len(snapshot.rows):
        below.append(_line(Text(f"and {len(snapshot.rows) - len(rows)} more senders", style="dim")))
    if snapshot.footer:
        below.append(_line(Text(snapshot.footer, style="dim")))
    return Group(*parts, *below)


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _findings(findings: Sequence[Finding], now_s: float) -> list[Text]:
    """What goes on, and the newest of what is over, with how long it lasted."""
    newest = findings[-FINDINGS_SHOWN_MAX:]
    going_on = [each for each in findings[:-FINDINGS_SHOWN_MAX] if each.alarm and each.is_current(now_s)]
    lines: list[Text] = []
    for finding in [*going_on[-FINDINGS_SHOWN_MAX:], *newest]:
        begun = stamp(finding.first_s, with_date=False).partition(".")[0]
        if not finding.alarm:
            lines.append(Text(f"-- {begun}  {finding.text}", style="cyan"))
            continue
        goes_on = finding.is_current(now_s)
        lasted = f" for {finding.last_s - finding.first_s:.0f} s" if finding.last_s - finding.first_s >= 1 else ""
        over = "" if goes_on else ", over"
        style = "bold red" if goes_on else "dim"
        lines.append(Text(f"!! {begun}{lasted}{over}  {finding.text}", style=style, overflow="fold"))
    return lines


def _height(text: str, columns: int) -> int:
    """Lines that it takes; words make it longer than its letters do, hence the tenth."""
    return math.ceil(len(text) * 1.1 / max(columns, 1))


def _most_wanted(snapshot: Snapshot, fixed_lines: int) -> list[Row]:
    """As many as there is room for: who is heard now comes before who is silent, then the order of the rows."""
    if snapshot.size is None:
        return list(snapshot.rows)
    columns, lines = snapshot.size
    room = lines - fixed_lines
    chosen: set[int] = set()
    for row in sorted(snapshot.rows, key=lambda row: not row.advertises(snapshot.now_s)):
        room -= 2 + _height(why_text(row), columns - len(INDENT))
        if room < 0 and chosen:
            break
        chosen.add(id(row))
    return [row for row in snapshot.rows if id(row) in chosen]


def _table(rows: Sequence[Row], now_s: float, with_interface: bool) -> list[RenderableType]:
    """A heading, then two or three lines for each sender. Not rich's table: there no cell can be as wide as a row."""
    cells = [_cells(row, now_s) for row in rows]
    widths = [
        max(len(each) for each in (heading, *(line[place].plain for line in cells)))
        for place, (heading, _) in enumerate(COLUMNS)
    ]
    lines: list[RenderableType] = [_line(_joined([Text(heading, style="dim") for heading, _ in COLUMNS], widths))]
    for row, line in zip(rows, cells, strict=True):
        lines.append(_line(_joined(line, widths)))
        style = SILENT if not row.advertises(now_s) else ""
        lines.append(_line(Text(f"{INDENT}{detail(row, with_interface)}", style=style)))
        if why := why_text(row):
            bad = row.opinion.tone == "bad" and not style
            lines.append(Padding(Text(why, style=STYLES["bad"] if bad else style), (0, 0, 0, len(INDENT))))
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
        f"{rate:.3g}/s" if rate is not None and not silent else "",
    ]
    verdict = Text(row.opinion.word, style=SILENT if silent and row.opinion.tone != "bad" else STYLES[row.opinion.tone])
    return [*(Text(cell, style=style) for cell in cells), verdict]


def detail(row: Row, with_interface: bool) -> str:
    """The second line of a sender: where it comes from, and what is special."""
    heard = row.heard
    parts = [
        f"{heard.protocol} from {heard.mac or 'a link without MAC'}",
        f"on {printable(heard.captured.interface)}" if with_interface and heard.captured.interface else "",
        *(f"vlan {vlan}" for vlan in heard.vlans),
        "sent here" if heard.sent_here else "",
        kind_text(row),
        vrrp_text(heard.says, short=True) if isinstance(heard.says, Vrrp) else "",
        counter_text(row, short=True) if row.opinion.seal else f"counter {row.counter}" if row.counter else "",
    ]
    return ", ".join(part for part in parts if part)


def why_text(row: Row) -> str:
    """The third line, if there is one: why it is not believed, and other verdicts on the same sender."""
    others = [f"{count} {word}" for word, count in row.words.items() if word != row.opinion.word]
    before = f"also {', '.join(others)}" if others else ""
    why = "" if row.opinion.is_believed else row.opinion.why
    return "; ".join(part for part in (why, before) if part)
