"""The findings as a person reads them, and as a document."""

from __future__ import annotations

from typing import Any

from wsa_proxy.config.source import printable
from wsa_proxy.doctor.finding import Examination

SCHEMA = 1


def text(examination: Examination) -> str:
    """Findings first, each in three lines; then what was not looked at; then one line that says how it stands."""
    lines: list[str] = []
    for name, finding in examination.findings:
        lines += [f"{name}: {_shown(finding.what)}"]
        lines += [f"  seen  {_shown(finding.evidence)}", f"  fix   {_shown(finding.fix)}", ""]
    whys: dict[str, list[str]] = {}
    for name, each in examination.not_made:
        whys.setdefault(each.why, []).append(name)
    lines += [f"not made: {', '.join(names)}: {_shown(why)}" for why, names in whys.items()]
    if whys:
        lines.append("")
    return "\n".join([*lines, summary(examination)])


def summary(examination: Examination) -> str:
    """``2 found: 17 checks, 3 of them not made or in part only``."""
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


def _shown(sentence: str) -> str:
    """Names on the LAN are the LAN's: no control character reaches the terminal. Nothing is cut off."""
    return sentence if sentence.isprintable() else printable(sentence)
