"""A configuration file as plain values that remember their lines, and the problems that are found in it.

The YAML is composed to nodes and not constructed to objects: so every value keeps its line and its spelling, all
doubled keys are found and not only the first, no tag can make an object, and nothing is converted behind the
operator's back (a date stays the text it was).

A Shared Secret or a password never appears in a problem: not its value, not its text in a syntax error, not in a
mistyped line.
"""

from __future__ import annotations

import json
import re
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode
from ruamel.yaml.nodes import Node
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.nodes import SequenceNode
from ruamel.yaml.reader import ReaderError

type KeyPath = tuple[str | int, ...]
"""``("groups", 0, "id")`` is ``groups[0].id`` in a message."""
type Plain = bool | int | float | str | list[Plain] | dict[str, Plain] | None

FILE_BYTES_MAX = 1 << 20  # 255 groups with a comment on each line take 400 KiB
NODES_MAX = 20_000  # aliases of aliases grow without limit; 255 full groups have 10,000
DEPTH_MAX = 8  # groups, item, virtual_ip, item is 4
SHOWN_CHARACTERS_MAX = 60

TAG = "tag:yaml.org,2002:"
HIDDEN_KEYS = frozenset({"shared_secret", "password"})
HIDDEN_TEXT = re.compile(r"(?i)(secret|passw\w*)\W*[:=].*", re.DOTALL)  # key and value, taken for one text


@dataclass(frozen=True, slots=True)
class Problem:
    """One line for the operator: ``FILE:LINE: KEY: VALUE: what is wrong; what is allowed; the fix``."""

    source: str
    line: int
    """Counted from 1; 0 when it is about the file as a whole."""
    key: str
    value: str | None
    """As written in the file; None when there is none, or when it is not to be seen."""
    text: str

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line else self.source
        return ": ".join(part for part in (where, self.key, self.value, self.text) if part)


class ConfigError(Exception):
    """The configuration cannot be used. ``str()`` is the whole text, one line for each problem."""

    def __init__(self, problems: tuple[Problem, ...], warnings: tuple[Problem, ...] = ()) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.warnings = warnings


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands and how it is spelled there."""

    line: int
    shown: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """A file's values with their places, and the list in which its problems are collected."""

    source: Path
    data: dict[str, Plain] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def error(self, path: KeyPath, text: str, *, value: str | None = None) -> None:
        self.errors.append(self._problem(path, text, value))

    def warning(self, path: KeyPath, text: str, *, value: str | None = None) -> None:
        self.warnings.append(self._problem(path, text, value))

    def refuse(self) -> ConfigError:
        """What to raise for all that was found."""
        return ConfigError(in_order(self.errors), in_order(self.warnings))

    def _problem(self, path: KeyPath, text: str, value: str | None) -> Problem:
        # A single value where a list is allowed counts as its item 0, which has no place of its own.
        if path and path not in self.places and isinstance(path[-1], int) and path[:-1] in self.places:
            path = path[:-1]
        place = self.places.get(path)
        line = next(self.places[path[:n]].line for n in range(len(path), -1, -1) if path[:n] in self.places)
        shown = value if value is not None else place.shown if place else None
        if HIDDEN_KEYS.intersection(path):
            shown = None
        return Problem(printable(str(self.source)), line, key_text(path), shown, text)


def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """By line, and each said once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: problem.line))


def key_text(path: KeyPath) -> str:
    """``groups[0].id``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{printable(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def printable(text: str) -> str:
    """One line without control characters and secrets, in a bounded length."""
    text = HIDDEN_TEXT.sub(r"\1...", text)
    if len(text) > SHOWN_CHARACTERS_MAX * 4:
        text = text[: SHOWN_CHARACTERS_MAX * 4] + "..."
    return text if text.isprintable() else json.dumps(text)[1:-1]


def read_document(path: Path, text: str | None = None) -> Document:
    """The file's content, with doubled keys and the like already in ``errors``.

    ``text``: what is to be written there, judged before it is. Raises ConfigError when nothing can be made of it.
    """
    document = Document(path)
    if text is None:
        text = _read_text(path)
    elif (size := len(text.encode())) > FILE_BYTES_MAX:
        raise _whole(path, _too_large(size))
    node = _compose(path, text)
    if node is None:
        raise _whole(path, "is empty; a configuration has at least the key groups; start from configs/node-a.yaml")
    if not isinstance(node, MappingNode):
        raise _whole(path, f"must be keys with values (groups: ...), not {_kind(node)}", node.start_mark.line + 1)
    data = _Converter(document).convert(node, (), node.start_mark.line + 1)
    assert isinstance(data, dict)
    document.data.update(data)
    return document


def _whole(path: Path, text: str, line: int = 0) -> ConfigError:
    return ConfigError((Problem(printable(str(path)), line, "", None, text),))


def _read_text(path: Path) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device would never end
            raise _whole(path, "is not a regular file; name the configuration file itself")
        if status.st_size > FILE_BYTES_MAX:
            raise _whole(path, _too_large(status.st_size))
        content = path.read_bytes()
    except FileNotFoundError:
        raise _whole(path, "there is no such file; name the failover configuration, such as node-a.yaml") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL character
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _whole(path, f"cannot be read: {reason}; it must be a file that this user may read") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _whole(path, "is not UTF-8 text; save it as UTF-8", line) from None


def _too_large(size: int) -> str:
    return f"has {size} bytes; a configuration has {FILE_BYTES_MAX} at most"


def _compose(path: Path, text: str) -> Node | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ruamel's notes on anchors used twice go to stderr
            node: Node | None = YAML(typ="rt").compose(text)
            return node
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _whole(path, "not valid YAML: a control character; remove it", line) from None
    except MarkedYAMLError as error:
        line, reason = _explain(error)
        raise _whole(path, f"not valid YAML: {reason}", line) from None
    except RecursionError:
        raise _whole(path, f"nested too deeply; a configuration has {DEPTH_MAX} levels at most") from None
    except YAMLError:
        raise _whole(path, "not valid YAML") from None


def _explain(error: MarkedYAMLError) -> tuple[int, str]:
    """(line, reason) of a syntax error, without a word of the file's text: it may be a secret."""
    problem = str(error.problem)
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    if "end of stream" in problem or "<stream end>" in problem:
        line = error.context_mark.line + 1 if error.context_mark else line
        return line, "a quote or bracket that is opened on this line or above is never closed"
    if "'\\t'" in problem or "tab" in problem:
        return line, "a tab; YAML is indented with blanks only; replace the tab by blanks"
    if "mapping values are not allowed" in problem:
        return line, (
            "a second 'key: ' where a value was expected; look at the indentation and for a missing blank after"
            " a colon in the line above, or put the value in quotes"
        )
    if "cannot start any token" in problem or "undefined alias" in problem or "unknown escape" in problem:
        return line, "a value with a special character (@ ` % & * ! | > \\); put it in single quotes"
    if "another document" in problem:
        return line, "a second document (---); a configuration is one document"
    if "could not find expected ':'" in problem:
        line = error.context_mark.line + 1 if error.context_mark else line
        return line, "a line without 'key: value'; look for a missing blank after the colon"
    if "expected <block end>" in problem:
        return line, "wrong indentation; the keys of one block start in the same column"
    if "expected '<document start>'" in problem:
        return line, "text that belongs to no key; every line is 'key: value', with no [section] or text around"
    tokens = re.sub(r"'[^<'][^']+'|\"[^\"]*\"|'[^],:[{}?-]'", "something", problem)
    return line, f"{tokens}; look at the indentation and the quotes of this line and the one above"


def _kind(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "keys with values"
    return "a list" if isinstance(node, SequenceNode) else "a single text"


class _Converter:
    """Turns the nodes of one file into plain values, and notes each place on the way."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes_count = 0

    def convert(self, node: Node, path: KeyPath, line: int) -> Plain:
        self.nodes_count += 1
        if self.nodes_count > NODES_MAX:
            raise _whole(self.document.source, f"has more than {NODES_MAX} values", line)
        self.document.places[path] = Place(line, _shown(node))
        if len(path) > DEPTH_MAX:
            self.document.error(path[:2], "nested too deeply", value="")
            return ""
        if isinstance(node, MappingNode):
            return {key: self.convert(value, (*path, key), at) for key, value, at in self._entries(node, path)}
        if isinstance(node, SequenceNode):
            return [self.convert(item, (*path, n), item.start_mark.line + 1) for n, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self._scalar(node, path)

    def _entries(self, node: MappingNode, path: KeyPath) -> Iterator[tuple[str, Node, int]]:
        lines: dict[str, int] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self.document.places.setdefault((*path, "?"), Place(line, None))
                self.document.error((*path, "?"), f"a key must be a word, not {_kind(key_node)}")
                continue
            key = key_node.value
            if key in lines:
                self.document.errors.append(
                    Problem(
                        printable(str(self.document.source)),
                        line,
                        key_text((*path, key)),
                        None,
                        f"given twice, first on line {lines[key]}; remove one of them",
                    )
                )
                continue
            lines[key] = line
            yield key, value, line

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Plain:
        tag, text = str(node.tag).removeprefix(TAG), str(node.value)
        try:
            if tag == "int":
                return _whole_number(text)
            if tag == "float":
                return float(text.replace("_", ""))
        except ValueError:
            return text
        if tag == "bool":
            return text.lower() in ("true", "yes", "on")
        if tag == "null":
            return None
        if tag not in ("str", "timestamp"):
            self.document.error(path, "a YAML tag (!...) is not allowed here; put the value in quotes")
            return None
        return text


def _whole_number(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0) if "0" in digits[:2] and digits.lstrip("+-0")[:1].isalpha() else int(digits)


def _shown(node: Node) -> str | None:
    """The value as the file spells it; None for what is not a single value, or may hold a secret."""
    if not isinstance(node, ScalarNode) or HIDDEN_TEXT.search(str(node.value)):
        return None
    text = str(node.value)
    quote = node.style if node.style in ("'", '"') else ""
    if len(text) > SHOWN_CHARACTERS_MAX:
        text = text[:SHOWN_CHARACTERS_MAX] + "..."
    if not text.isprintable():
        return json.dumps(text)
    return f"{quote}{text}{quote}" or None
