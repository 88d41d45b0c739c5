"""Configuration files as people write them: every indentation, quote, comment, order and line end that YAML allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

SECRET = "twelve-bytes!"
COMMENTS = ("", "", "  # a comment", " # with 'quotes' and a: colon - and a dash", "   #")
BETWEEN = ("", "", "# a line of its own", "      # an indented one: - {", "   ", "# äöü €")


@dataclass(frozen=True)
class Written:
    """A file and what it says."""

    text: str
    groups: list[dict[str, Any]]


@st.composite
def configurations(draw: st.DrawFn) -> Written:
    """With one to three groups."""
    groups = [draw(_group(vhid)) for vhid in range(1, draw(st.integers(1, 3)) + 1)]
    lines = [draw(st.sampled_from(["", "# top", "---"]))]
    handling = [
        "node: a",
        draw(st.sampled_from(["failover_handling: preemptive", "failover_handling: 'preemptive' # x"])),
    ]
    lines += handling if draw(st.booleans()) else []
    lines += [f"groups:{draw(st.sampled_from(COMMENTS))}"]
    dash = draw(st.sampled_from([0, 1, 2, 4]))
    inner = draw(st.sampled_from([2, 3, 4]))
    apart = draw(st.sampled_from([[], [""]]))
    for group in groups:
        lines += [*(apart if group is not groups[0] else []), *draw(_lines(group, dash, inner))]
    lines += draw(st.sampled_from([[], ["drain_timeout: 5  # last"], ["# the end"], ["", ""]]))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return Written(newline.join(lines) + draw(st.sampled_from([newline, ""])), groups)


@st.composite
def _group(draw: st.DrawFn, vhid: int) -> dict[str, Any]:
    group: dict[str, Any] = {
        "id": vhid,
        "hostname": f"p{vhid}.example.com",
        "virtual_ip": draw(st.sampled_from([[f"10.0.{vhid}.3/24"], [f"10.0.{vhid}.3/24", f"fd00:{vhid}::3/64"]])),
        "priority": draw(st.integers(1, 255)),
    }
    optional: dict[str, st.SearchStrategy[Any]] = {
        "description": st.sampled_from(["Proxy of: the 'LAN'", "plain words", "yes", "# no comment", ""]),
        "interface": st.sampled_from(["auto", "eth0"]),
        "shared_secret": st.just(SECRET),
        "advertisement_interval": st.sampled_from([1, 0.5]),
        "port": st.just(8080),
    }
    for key, values in optional.items():
        if draw(st.booleans()):
            group[key] = draw(values)
    keys = ["id", *draw(st.permutations([key for key in group if key != "id"]))]
    return {key: group[key] for key in keys}


@st.composite
def _lines(draw: st.DrawFn, group: dict[str, Any], dash: int, inner: int) -> list[str]:
    """One item of the list."""
    if draw(st.integers(0, 3)) == 0:
        entries = [f"{key}: {draw(_spelled(value, True))}" for key, value in group.items()]
        if draw(st.booleans()):
            return [f"{' ' * dash}-{' ' * (inner - 1)}{{{', '.join(entries)}}}{draw(st.sampled_from(COMMENTS))}"]
        first, *rest = [f"{entry}," for entry in entries]
        further = [f"{' ' * (dash + inner)}{entry} # in brackets" for entry in rest]
        return [f"{' ' * dash}-{' ' * (inner - 1)}{{{first}", *further, f"{' ' * (dash + inner)}}}"]
    lines: list[str] = []
    for n, (key, value) in enumerate(group.items()):
        start = " " * dash + "-" + " " * (inner - 1) if n == 0 else " " * (dash + inner)
        comment = draw(st.sampled_from(COMMENTS))
        if isinstance(value, list) and draw(st.booleans()):
            lines += [f"{start}{key}:{comment}"]
            lines += [f"{' ' * (dash + inner + 2)}- {draw(_spelled(each, False))}" for each in value]
        else:
            lines += [f"{start}{key}: {draw(_spelled(value, False))}{comment}"]
        if n + 1 < len(group) and draw(st.integers(0, 4)) == 0:
            lines += [draw(st.sampled_from(BETWEEN))]
    return lines


@st.composite
def _spelled(draw: st.DrawFn, value: Any, in_brackets: bool) -> str:
    if isinstance(value, list):
        if len(value) == 1 and draw(st.booleans()):
            return draw(_spelled(value[0], in_brackets))
        return "[" + ", ".join(draw(_spelled(each, True)) for each in value) + "]"
    if not isinstance(value, str):
        return str(value)
    quoted = ["'" + value.replace("'", "''") + "'", f'"{value}"']
    needs_quotes = value in ("yes", "") or value.startswith("#") or ": " in value or "'" in value
    return draw(st.sampled_from(quoted if needs_quotes else [value, *quoted]))
