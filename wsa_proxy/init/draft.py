"""The file from the answers: the commented example with other values. And what the real checks say to it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

from wsa_proxy.config import ConfigError
from wsa_proxy.config import Problem
from wsa_proxy.config import load
from wsa_proxy.net.host import HostFacts
from wsa_proxy.resources import find

EXAMPLE = "configs/node-a.yaml"
HEAD = """\
# Failover configuration of node {node}, written by `wsa-proxy init`.
# The same file belongs on every other host of its groups, but for two lines: node and priority are each host's own.
"""
HEAD_LINES = 2
"""Of the example, which are about itself."""
SECRET_ADVICE = "; CHANGE IT, and chmod 600 this file"
NUMBERS = frozenset({"id", "priority", "port"})
PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9._/-]*|\d+\.\d+\.\d+\.\d+(/\d+)?")
NO_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that YAML, or a reader of YAML, does not take for text."""


def draft(answers: Mapping[str, str]) -> str:
    """The whole file; what is not answered stays as it is in the example."""
    text = "".join(find(EXAMPLE).read_text().splitlines(keepends=True)[HEAD_LINES:])
    text = text.replace(SECRET_ADVICE, "; keep it to this file, which only its owner may read (mode 600)")
    for key, answer in {"description": "", **answers}.items():
        before, found, after = _around(text, key)
        text = before + found + _value(key, answer) + after
    return HEAD.format(node=answers.get("node", "")) + text


def _around(text: str, key: str) -> tuple[str, str, str]:
    """What stands before a key of the example, the key itself, and what comes after its value."""
    found = re.findall(rf"(?ms)\A(.*?^)( *(?:- )?{key}: )[^\n]*?(?=  # )(.*)\Z", text)
    assert len(found) == 1, f"{EXAMPLE} has no {key} with a comment"
    before, word, after = found[0]
    return before, word, after


def problems_of(answers: Mapping[str, str], place: str, host: HostFacts) -> list[str]:
    """What `wsa-proxy check` would say to the value at this place of the file; that of others is not told."""
    return [_text(each) for each in all_problems(draft(answers), host) if _is_at(each.key, place)]


def all_problems(text: str, host: HostFacts) -> Sequence[Problem]:
    """What `wsa-proxy check` would say to the whole file."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            load(Path(folder) / "node.yaml", text=text, host=host)
        except ConfigError as error:
            return error.problems
    return ()


def _text(problem: Problem) -> str:
    return ": ".join(part for part in (problem.value, problem.text) if part)


def _is_at(key: str, place: str) -> bool:
    return key == place or key.startswith((f"{place}[", f"{place}."))


def _value(key: str, answer: str) -> str:
    if key in NUMBERS and answer.isdecimal() and answer.isascii():
        return str(int(answer))
    if key == "virtual_ip" and "," in answer:
        return f"[{', '.join(_text_value(each.strip()) for each in answer.split(','))}]"
    return _text_value(answer, always_quoted=key == "shared_secret")


def _text_value(text: str, *, always_quoted: bool = False) -> str:
    """As YAML has it: a string of JSON is one of YAML."""
    if PLAIN.fullmatch(text) and text.lower() not in NO_TEXT and not always_quoted:
        return text
    return json.dumps(text, ensure_ascii=False)
