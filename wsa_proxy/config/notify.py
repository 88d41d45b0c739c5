"""The key ``notify``: the command that is told of each change of state, as a path or a list of path and arguments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from wsa_proxy.config.source import Document

NOTIFY_TEXT = "must be the whole path of a program, or a list of that and its arguments; no shell runs it"
WORDS_MAX = 64
CHARACTERS_MAX = 1000


def read_notify(value: object) -> tuple[str, ...]:
    """The command. Raises ValueError in the file's words."""
    words = value if isinstance(value, list) else [value]
    if not words or len(words) > WORDS_MAX or not all(_is_word(each) for each in words):
        raise ValueError(NOTIFY_TEXT)
    command = tuple(str(each) for each in words)
    if not command[0].startswith("/"):
        hint = f"; write a list: [{', '.join(command[0].split())}]" if " " in command[0] else ""
        raise ValueError(f"{NOTIFY_TEXT}{hint}")
    return command


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= CHARACTERS_MAX


def check_notify(document: Document, command: Sequence[str]) -> None:
    """Warn of a program that cannot be run: a node does not stay out because nobody can be told."""
    if not command:
        return
    path = Path(command[0])
    try:
        usable = path.is_file() and os.access(path, os.X_OK, effective_ids=True)
    except OSError:
        usable = False
    if not usable:
        document.warning(("notify",), f"{path} is no program that this user can run; nobody is told until it is")
