from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from tests.config.example import GOOD
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.config import ConfigError
from wsa_proxy.config import load
from wsa_proxy.config.source import FILE_BYTES_MAX
from wsa_proxy.config.source import NODES_MAX

CASES: list[tuple[str | bytes, str]] = [
    ("", " is empty; a configuration has at least the key groups; start from configs/node-a.yaml"),
    ("# nothing\n", " is empty; a configuration has at least the key groups; start from configs/node-a.yaml"),
    ("- a\n", "1: must be keys with values (groups: ...), not a list"),
    ("hello\n", "1: must be keys with values (groups: ...), not a single text"),
    ("groups: []\n", "1: groups: must be a list of failover groups, each starting with '- id: ...'"),
    ("groups: {id: 1}\n", "1: groups: must be a list of failover groups, each starting with '- id: ...'"),
    ("groups:\n", "1: groups: has no value; it must be a list of failover groups, each starting with '- id: ...'"),
    ("groups: 5\n", "1: groups: must be a list of failover groups, each starting with '- id: ...'"),
    ("node: a\n", "1: groups: missing; it must be a list of failover groups, each starting with '- id: ...'"),
    (
        "groups:\n  - {}\n",
        (
            "2: groups[0].id: missing; it must be a whole number from 1 to 255\n"
            "2: groups[0].hostname: missing; it must be a host name such as proxy.example.com\n"
            "2: groups[0].virtual_ip: missing; it must be an address with its prefix such as 10.0.0.3/24, or a list "
            "of such\n"
            "2: groups[0].priority: missing; it must be a whole number from 1 to 255"
        ),
    ),
    ("groups:\n  - shared_secret=hunter2\n", "2: groups[0]: must be keys with values, starting with '- id: ...'"),
    ("groups:\n\t- id: 1\n", "2: not valid YAML: a tab; YAML is indented with blanks only; replace the tab by blanks"),
    ("groups: [\n", "2: not valid YAML: a quote or bracket that is opened on this line or above is never closed"),
    ("node: 'a\n", "1: not valid YAML: a quote or bracket that is opened on this line or above is never closed"),
    ("a: 1\n---\nb: 2\n", "2: not valid YAML: a second document (---); a configuration is one document"),
    (b"node: a\nb: \xff\n", "2: is not UTF-8 text; save it as UTF-8"),
    ("node: a\nb: \u0007\n", "2: not valid YAML: a control character; remove it"),
    (
        "groups:\n  - id: 1\n   hostname: x\n",
        "3: not valid YAML: wrong indentation; the keys of one block start in the same column",
    ),
    ("[" * 5000, " nested too deeply; a configuration has 8 levels at most"),
    (
        "groups:\n  - id: 1\n    shared_secret:hunter2\n",
        "3: not valid YAML: a line without 'key: value'; look for a missing blank after the colon",
    ),
    (
        "groups: &a\n - *a\n",
        "1: groups[0]: nested too deeply\n1: groups[0]: must be keys with values, starting with '- id: ...'",
    ),
    (
        "shared_secret: *hunter2\n",
        "1: not valid YAML: a value with a special character (@ ` % & * ! | > \\); put it in single quotes",
    ),
    (
        "shared_secret: @hunter2\n",
        "1: not valid YAML: a value with a special character (@ ` % & * ! | > \\); put it in single quotes",
    ),
    (
        'shared_secret: "\\hunter2"\n',
        "1: not valid YAML: a value with a special character (@ ` % & * ! | > \\); put it in single quotes",
    ),
    (
        "shared_secret: a: hunter2\n",
        (
            "1: not valid YAML: a second 'key: ' where a value was expected; look at the indentation and for a "
            "missing blank after a colon in the line above, or put the value in quotes"
        ),
    ),
    (
        "node: a\nnode: b\nnode: c\ngroups: [1, 2]\n",
        (
            "2: node: given twice, first on line 1; remove one of them\n"
            "3: node: given twice, first on line 1; remove one of them\n"
            "4: groups[0]: must be keys with values, starting with '- id: ...'\n"
            "4: groups[1]: must be keys with values, starting with '- id: ...'"
        ),
    ),
    (
        "? [a]\n: 1\n",
        (
            "1: ?: a key must be a word, not a list\n"
            "1: groups: missing; it must be a list of failover groups, each starting with '- id: ...'"
        ),
    ),
    (
        "a: [b, , c]\n",
        (
            "1: not valid YAML: expected the node content, but found ','; look at the indentation and the quotes of "
            "this line and the one above"
        ),
    ),
]


@pytest.mark.parametrize(("text", "lines"), CASES)
def test_each_is_told_precisely(tmp_path: Path, text: str | bytes, lines: str) -> None:
    """A file that is no configuration at all gives one clear line, with the place."""
    assert told(tmp_path, text) == lines


def test_a_file_that_is_not_there() -> None:
    """A mistyped file name is named as it was given."""
    with pytest.raises(ConfigError) as caught:
        load(Path("none.yaml"))
    assert str(caught.value) == "none.yaml: there is no such file; name the failover configuration, such as node-a.yaml"


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A folder, a device or a name with a NUL ends with one line, not with a wait or a traceback."""
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(ConfigError, match=r"is not a regular file; name the configuration file itself"):
            load(path)
    with pytest.raises(ConfigError, match=r"cannot be read: "):
        load(Path("a\0b"))


def test_bounds(tmp_path: Path) -> None:
    """A huge file, and a small one that grows by aliases, are refused before they cost time or memory."""
    assert told(tmp_path, "#" * (FILE_BYTES_MAX + 1)).endswith(f"a configuration has {FILE_BYTES_MAX} at most")
    bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for here, before in zip("bcdef", "abcde", strict=True):
        bomb += f"{here}: &{here} [{', '.join([f'*{before}'] * 10)}]\n"
    assert f"has more than {NODES_MAX} values" in told(tmp_path, bomb)


def test_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    """A file saved by a Windows editor as UTF-8 is read as it is meant."""
    assert loaded(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()).settings.node == "a"


# Pieces of configurations, right and wrong, that random texts are made of.
PIECES = [
    "groups:\n",
    "  - ",
    "id: 1\n",
    "    virtual_ip: ",
    "10.0.0.3/24",
    "fd00::1",
    "\n",
    "    ",
    "[",
    "]",
    "{",
    "}",
    "'",
]
PIECES += [
    '"',
    "&a ",
    "*a",
    "!x ",
    "|\n",
    ": ",
    ",",
    "- ",
    "? ",
    "#",
    "<<: ",
    "\t",
    "priority: 0x1F\n",
    "~",
    "true",
    ".nan",
]
PIECES += [
    "shared_secret: ",
    "advertisement_interval: ",
    "0.5",
    "1e999",
    "hostname: a\n",
    "interface: eth0\n",
    "%YAML 1.1\n",
]
PIECES += [
    "---\n",
    "...\n",
    "2020-99-99",
    "!!int ",
    "!!binary ",
    "!!set ",
    "node: ",
    "state_dir: ",
    "mac: ",
    "security: ",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=strategies.lists(strategies.sampled_from(PIECES) | strategies.text(max_size=3), max_size=25).map("".join))
def test_no_text_raises_anything_else(tmp_path: Path, text: str) -> None:
    """Random text is a configuration or a ConfigError with printable lines, never another error."""
    _load_or_refuse(tmp_path, text.encode(errors="replace"))


VALUES = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(max_size=8),
    lambda inner: (
        strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ["id", "description", "hostname", "virtual_ip", "interface", "priority", "shared_secret", "shared_secret_file"]
KEYS += ["advertisement_interval", "port", "mac", "security", "peers", "zzz"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    group=strategies.dictionaries(strategies.sampled_from(KEYS), VALUES),
    top=strategies.dictionaries(
        strategies.sampled_from(["node", "failover_handling", "state_dir", "admin", "id"]), VALUES
    ),
)
def test_no_value_raises_anything_else(tmp_path: Path, group: dict[str, object], top: dict[str, object]) -> None:
    """Any value under any key is accepted or told, never another error."""
    _load_or_refuse(tmp_path, json.dumps({**top, "groups": [group, group]}).encode())


def _load_or_refuse(folder: Path, content: bytes) -> None:
    try:
        loaded(folder, content)
    except ConfigError as error:
        assert error.problems
        assert all(str(problem).isprintable() for problem in (*error.problems, *error.warnings))
