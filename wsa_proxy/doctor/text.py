"""The findings as a person reads them, and as a document."""

from __future__ import annotations

import textwrap
from typing import Any

from wsa_proxy.config.source import printable
from wsa_proxy.doctor.finding import Examination

SCHEMA = 1
INDENT = " " * 8


def text(examination: Examination, width: int | None = None) -> str:
    """Findings first, each in three parts; then what was not looked at; then one line that says how it stands.

    ``width``: of the terminal, where longer lines are broken between words; None: each part is one line.
    """
    lines: list[str] = []
    for name, finding in examination.findings:
        lines += _broken(f"{name}: {_shown(finding.what)}", width)
        lines += _broken(f"  seen  {_shown(finding.evidence)}", width)
        lines += [*_broken(f"  fix   {_shown(finding.fix)}", width), ""]
    whys: dict[str, list[str]] = {}
    for name, each in examination.not_made:
        whys.setdefault(each.why, []).append(name)
    for why, names in whys.items():
        lines += _broken(f"not made: {', '.join(names)}: {_shown(why)}", width)
    if whys:
        lines.append("")
    return "\n".join([*lines, summary(examination)])


def summary(examination: Examination) -> str:
    """``2 found: 18 checks, 3 of them not made or in part only``."""
    count = len(examination.findings)
    checks = f"{len(examination.answers)} checks"
    undone = len({name for name, _ in examination.not_made})
    partly = f", {undone} of them not made or in part only" if undone else ""
    return f"{count or 'nothing'} found: {checks}{partly}"


def document(examination: Examination, node: str | None) -> dict[str, Any]:
    """For ``--json``."""
    return {
        "schema": SCHEMA,
        "node": node,
        "findings": [
            {"check": name, "what": each.what, "evidence": each.evidence, "fix": each.fix}
            for name, each in examination.findings
        ],
        "not_made": [{"check": name, "why": each.why} for name, each in examination.not_made],
        "checks": [name for name, _ in examination.answers],
    }


def _broken(line: str, width: int | None) -> list[str]:
    """A path or an address is never broken."""
    if width is None:
        return [line]
    return textwrap.wrap(line, width, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False)


def _shown(sentence: str) -> str:
    """Names on the LAN are the LAN's: no control character reaches the terminal. Nothing is cut off."""
    return sentence if sentence.isprintable() else printable(sentence)
