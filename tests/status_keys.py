"""The keys of a status document, and those that docs/status.md describes, in the same form: ``groups[].id``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "status.md"
NAMES_DIFFER = {
    "obstacles": "NAME",
    "demoted_by": "NAME",
    "rejected": "REASON",
    "last_rejected": "REASON",
    "unread": "REASON",
    "versions": "PRODUCT",
}
"""Objects whose keys are names and no words of the document."""


def described() -> set[str]:
    """Every key that the page has a row for, once."""
    keys = re.findall(r"^\| `([^`]+)` \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    assert len(keys) == len(set(keys)), "a key has two rows"
    return set(keys)


def keys_of(document: Any, path: str = "") -> Iterator[str]:
    """Every key of the document and of all that is in it, as often as it is there."""
    if isinstance(document, dict):
        differ = NAMES_DIFFER.get(path.rpartition(".")[2])
        for name, value in document.items():
            at = f"{path}.{differ or name}" if path else name
            yield at
            yield from keys_of(value, at)
    elif isinstance(document, list):
        for each in document:
            yield from keys_of(each, f"{path}[]")


def containers(keys: set[str]) -> set[str]:
    """Those that only hold others: a row of their own is allowed and not needed."""
    return {key for key in keys if any(each.startswith((f"{key}.", f"{key}[")) for each in keys)}
