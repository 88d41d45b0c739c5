"""How a value is spelled in YAML: as the one that it replaces where that is possible, otherwise in double quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode

type Single = int | float | str
SINGLE = (int, float, str)
type Value = Single | Sequence[Single]

CHARACTERS_PLAIN = re.compile(r"[\w./](?:[\w./:+() -]*[\w./)])?")
"""Of a text that may go without quotes, in a block and between brackets."""
OTHER_MEANING = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|[\d:._+-]+")
"""What YAML 1.1 takes for a truth value or for a number to the base of 60."""


def spelled(value: Value, style: str = "", *, in_brackets: bool = False) -> str:
    """On one line. ``style``: of the value that it replaces, a quote or nothing; a list is in brackets."""
    if isinstance(value, str):
        return _text(value, style, in_brackets)
    if isinstance(value, int | float):
        return repr(value)
    return f"[{', '.join(spelled(item, in_brackets=True) for item in value)}]"


def _text(text: str, style: str, in_brackets: bool) -> str:
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    # In brackets "a:b" is a text for one reader and a key with a value for another one.
    if style != '"' and _is_plain(text) and not (in_brackets and text.endswith(":")):
        return text
    return double_quoted(text)


def double_quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


@lru_cache(256)
def _is_plain(text: str) -> bool:
    """Whether YAML reads it without quotes as the text that it is, whatever stands around it."""
    if not CHARACTERS_PLAIN.fullmatch(text) or OTHER_MEANING.fullmatch(text):
        return False
    try:
        node = YAML(typ="rt").compose(f"- {text}\n").value[0]
    except YAMLError:
        return False
    return isinstance(node, ScalarNode) and node.value == text and str(node.tag).endswith(":str")
