"""One value of a YAML text replaced, added or removed, at its place; every other character stays what it was.

So comments, order, quotes, indentation and line ends survive, and a diff of the file shows what has changed and nothing
else. Places are found anew for each change. Whoever changes a text this way reads the result and compares it with what
was meant (``pending.py``): an anchor that others refer to, or a form of YAML that nobody thought of, is found then.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from difflib import SequenceMatcher

from wsa_proxy.admin.yaml_places import NoPlace
from wsa_proxy.admin.yaml_places import Path
from wsa_proxy.admin.yaml_places import Place
from wsa_proxy.admin.yaml_places import behind_dash
from wsa_proxy.admin.yaml_places import find
from wsa_proxy.admin.yaml_places import read_places
from wsa_proxy.admin.yaml_spelling import SINGLE
from wsa_proxy.admin.yaml_spelling import Single
from wsa_proxy.admin.yaml_spelling import Value
from wsa_proxy.admin.yaml_spelling import spelled


def set_value(text: str, path: Path, value: Value, order: Sequence[str] = ()) -> str:
    """Replace the value at a path, or add it to the mapping there, behind the keys that come before it in ``order``.

    A list stays a list. Raises NoPlace.
    """
    holder = find(read_places(text), path[:-1])
    place = next((value for key, value in holder.keys if key.text == path[-1]), None)
    if place is None:
        return _add_key(text, holder, str(path[-1]), value, order)
    if place.is_sequence:
        return _set_items(text, path, [value] if isinstance(value, SINGLE) else list(value))
    if not isinstance(value, SINGLE) and len(value) == 1:
        value = value[0]
    return _replaced(text, place, value, holder.in_brackets)


def remove_key(text: str, path: Path) -> str:
    """With its value and what is said of it on the same line. Raises NoPlace."""
    holder = find(read_places(text), path[:-1])
    n = next((n for n, (key, _) in enumerate(holder.keys) if key.text == path[-1]), None)
    if n is None or len(holder.keys) < 2:
        raise NoPlace(f"nothing stands at {path}, or nothing else")
    key, value = holder.keys[n]
    if holder.in_brackets:
        return _without(text, n, [Place(key.start, value.end, 0) for key, value in holder.keys])
    start, end = _line_start(text, key.start), _behind_line(text, value.end)
    if text[start : key.start].strip():  # behind a dash, which the next key takes over
        return text[: key.start] + text[holder.keys[n + 1][0].start :]
    return text[:start] + text[end:]


def append_item(text: str, path: Path, values: Mapping[str, Value]) -> str:
    """A mapping as the last item of the list at a path, in the form of the last one. Raises NoPlace."""
    sequence = find(read_places(text), path)
    if not sequence.items:
        raise NoPlace(f"no list with items at {path}")
    last = sequence.items[-1]
    if sequence.in_brackets or last.in_brackets:
        item = "{" + ", ".join(f"{key}: {spelled(value, in_brackets=True)}" for key, value in values.items()) + "}"
        if sequence.in_brackets:
            return text[: last.end] + f", {item}" + text[last.end :]
        lines = [item]
    else:
        lines = [f"{key}: {spelled(value)}" for key, value in values.items()]
    end, newline = _end_of_item(text, last.end, sequence.column), newline_of(text)
    dash = _dash(text, sequence, len(sequence.items) - 1)
    inner = last.column - sequence.column if _line_start(text, last.start) == _line_start(text, dash) else 2
    first, further = " " * sequence.column + "-" + " " * (inner - 1), " " * (sequence.column + inner)
    apart = newline if len(sequence.items) > 1 and _is_blank_before(text, dash) else ""
    block = newline.join([first + lines[0], *(further + line for line in lines[1:])])
    return text[:end] + newline + apart + block + text[end:]


def remove_item(text: str, path: Path) -> str:
    """An item of the list there, with the comments that are indented as its keys. Raises NoPlace."""
    n = path[-1]
    sequence = find(read_places(text), path[:-1])
    if not isinstance(n, int) or not sequence.is_sequence or not 0 <= n < len(sequence.items) > 1:
        raise NoPlace(f"nothing stands at {path}, or nothing else")
    if sequence.in_brackets:
        return _without(text, n, sequence.items)
    dash = _dash(text, sequence, n)
    start = _line_start(text, dash)
    end = _behind_line(text, _end_of_item(text, sequence.items[n].end, sequence.column))
    if _is_blank_before(text, dash):  # of two blank lines, before and behind, one goes
        while n + 1 < len(sequence.items) and text[end : _behind_line(text, end)].strip() == "" and end < len(text):
            end = _behind_line(text, end)
    return text[:start] + text[end:]


def newline_of(text: str) -> str:
    """The end of its first line."""
    at = text.find("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def _add_key(text: str, holder: Place, key: str, value: Value, order: Sequence[str]) -> str:
    if not holder.keys:
        raise NoPlace(f"no keys where {key} should be")
    before = order[: order.index(key)] if key in order else ()
    n = max((n for n, (other, _) in enumerate(holder.keys) if other.text in before), default=0)
    end = holder.keys[n][1].end
    if holder.in_brackets:
        return text[:end] + f", {key}: {spelled(value, in_brackets=True)}" + text[end:]
    at = _line_end(text, end)
    return text[:at] + newline_of(text) + " " * holder.column + f"{key}: {spelled(value)}" + text[at:]


def _replaced(text: str, place: Place, value: Value, in_brackets: bool) -> str:
    if place.is_mapping or place.is_sequence:
        raise NoPlace("more than one value")
    blank = " " if text[place.start - 1 : place.start] in (":", "-") else ""
    return text[: place.start] + blank + spelled(value, place.style, in_brackets=in_brackets) + text[place.end :]


def _set_items(text: str, path: Path, values: Sequence[Single]) -> str:
    """Item by item, so that those that stay keep their comments."""
    old = [item.text for item in find(read_places(text), path).items]
    new = [str(value) for value in values]
    # From the end, so that the numbers of those before stay right.
    for _, i1, i2, j1, j2 in reversed(SequenceMatcher(None, old, new, autojunk=False).get_opcodes()):
        both = min(i2 - i1, j2 - j1)
        for j in reversed(range(j1 + both, j2)):
            text = _insert(text, path, i1 + both, values[j])
        for i in reversed(range(i1 + both, i2)):
            text = remove_item(text, (*path, i))
        for offset in range(both):
            sequence = find(read_places(text), path)
            if old[i1 + offset] != new[j1 + offset]:
                text = _replaced(text, sequence.items[i1 + offset], values[j1 + offset], sequence.in_brackets)
    return text


def _insert(text: str, path: Path, n: int, value: Single) -> str:
    """As item n of a list that has another one."""
    sequence = find(read_places(text), path)
    if not sequence.items:
        raise NoPlace(f"no list with items at {path}")
    item = spelled(value, in_brackets=sequence.in_brackets)
    if sequence.in_brackets:
        at = sequence.items[n - 1].end if n else sequence.items[0].start
        return text[:at] + (f", {item}" if n else f"{item}, ") + text[at:]
    indentation = " " * sequence.column
    if not n:
        return text[: sequence.start] + f"- {item}{newline_of(text)}{indentation}" + text[sequence.start :]
    at = _line_end(text, sequence.items[n - 1].end)
    return text[:at] + f"{newline_of(text)}{indentation}- {item}" + text[at:]


def _without(text: str, n: int, places: Sequence[Place]) -> str:
    """Between brackets, with one of the commas beside it."""
    if n + 1 < len(places):
        return text[: places[n].start] + text[places[n + 1].start :]
    return text[: places[n - 1].end] + text[places[n].end :]


def _dash(text: str, sequence: Place, n: int) -> int:
    """Where the dash of an item is, which stands alone in front of its line. Raises NoPlace."""
    dash = behind_dash(text, sequence.items[n - 1].end) - 1 if n else sequence.start
    if text[_line_start(text, dash) : dash].strip():
        raise NoPlace("a list that begins in the middle of a line")
    return dash


def _end_of_item(text: str, end: int, column_dash: int) -> int:
    """The end of the last line that belongs to it: comments behind it count while they are indented as its keys."""
    end = at = _line_end(text, end)
    while (at := _behind_line(text, at)) < len(text):
        line = text[at : _line_end(text, at)]
        at += len(line)
        if line.strip():
            if not line.lstrip().startswith("#") or len(line) - len(line.lstrip()) <= column_dash:
                break
            end = at
    return end


def _is_blank_before(text: str, at: int) -> bool:
    start = _line_start(text, at)
    return start > 0 and not text[_line_start(text, start - 1) : start].strip()


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    """Before its line end."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    return end - 1 if end > at and text[end - 1] == "\r" else end


def _behind_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
