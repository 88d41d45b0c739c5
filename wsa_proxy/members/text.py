"""Text that comes from another host, or goes to one."""

from __future__ import annotations

TEXT_CHARACTERS_MAX = 200


def one_line(text: str, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """A text that a report may carry, and a screen may show: what cannot be printed (or written) is a space."""
    shown = text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)
    return shown if len(shown) <= characters_max else f"{shown[: characters_max - 3]}..."
