"""Everything that the product warns of, collected from its source: what docs/warnings.md has to explain.

A sentence with values in it becomes a pattern: ``the clock of {} is {} s {} this host's`` fits what the page shows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.blocks import ROOT

PACKAGE = ROOT / "wsa_proxy"
VALUE = "{}"
LOG_ROOMS = ("runtime", "proxy", "net", "members", "admin")
LOG_LEVELS = ("warning", "error", "exception", "critical")
FORMAT = re.compile(r"%[-#0-9.]*[a-z]")
WORDS_MIN = 3
"""A line of fewer words, such as ``carp {}``, passes on what is said elsewhere."""
BEGINNING_WORDS_MIN = 2


def template(node: ast.expr) -> str | None:
    """The text of a string or an f-string, with VALUE where a value comes in; None where it is neither."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else VALUE for each in node.values)
    return None


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each call of a file with the last part of its function's name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr, node
            elif isinstance(node.func, ast.Name):
                yield node.func.id, node


def doctors_findings() -> set[str]:
    """What each ``Finding(what, ...)`` of the doctor says; the few that are made elsewhere have a test of their own."""
    said = (
        template(call.args[0])
        for path in sorted((PACKAGE / "doctor").glob("*.py"))
        for name, call in calls(path)
        if name == "Finding" and call.args
    )
    return {text for text in said if text is not None}


def checks_warnings() -> set[str]:
    """What ``wsa-proxy check`` warns of, in words after the key and its value."""
    said = (
        template(call.args[1])
        for path in sorted((PACKAGE / "config").glob("*.py"))
        for name, call in calls(path)
        if name == "warning" and len(call.args) > 1
    )
    return {text for text in said if text is not None}


def log_lines() -> set[str]:
    """The lines of the log that are warnings and errors, without ``carp vhid=1`` and ``failover:`` before them."""
    said = (
        template(call.args[0])
        for room in LOG_ROOMS
        for path in sorted((PACKAGE / room).glob("*.py"))
        for name, call in calls(path)
        if name in LOG_LEVELS and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "logger"
    )
    lines = (FORMAT.sub(VALUE, text) for text in said if text is not None)
    stripped = (re.sub(r"^(?:carp vhid=\{\} |carp |failover: )", "", line) for line in lines)
    return {line for line in stripped if len(line.replace(VALUE, " ").split()) >= WORDS_MIN}


def members_findings() -> set[str]:
    """The sentences of runtime/findings.py and runtime/strangers.py about what is wrong between nodes."""
    said: set[str] = set()
    for name in ("findings.py", "strangers.py"):
        tree = ast.parse((PACKAGE / "runtime" / name).read_text())
        nodes = list(ast.walk(tree))
        prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        texts = (template(node) for node in nodes if isinstance(node, ast.expr) and id(node) not in prose | parts)
        said |= {text for text in texts if text is not None and len(text.split()) > WORDS_MIN and "%d" not in text}
    return said


def beginning(text: str) -> str:
    """What a page quotes of a sentence: it goes on behind a colon or a semicolon with what helps, or with details."""
    head = re.match(r"[^:;]+", text)
    said = head[0].strip() if head is not None else ""
    return said if len(said.replace(VALUE, " ").split()) >= BEGINNING_WORDS_MIN else text


def pattern(text: str) -> re.Pattern[str]:
    """What fits the beginning of a template, with whatever values, and goes on or not."""
    parts = [re.escape(part) for part in beginning(text).rstrip().split(VALUE)]
    return re.compile(".*?".join(parts) + "(?:[:;].*)?")
