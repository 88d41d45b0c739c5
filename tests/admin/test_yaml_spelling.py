"""Whatever is spelled is read again as what it was, by another reader of YAML as well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from wsa_proxy.admin.yaml_spelling import Value
from wsa_proxy.admin.yaml_spelling import spelled


def read(text: str, version: str | None = None) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = version
    return yaml.load(text)


@settings(max_examples=60)
@given(st.text(max_size=40), st.sampled_from(["", "'", '"', "|", ">", "alias"]), st.booleans())
def test_a_text_is_read_as_it_was(text: str, style: str, in_brackets: bool) -> None:
    """On one line, in a block and in brackets, whatever the style of the value before it."""
    written = spelled(text, style, in_brackets=in_brackets)
    assert "\n" not in written and "\r" not in written
    assert read(f"[{written}, 1]" if in_brackets else f"a: {written}  # c\nb: 1") == (
        [text, 1] if in_brackets else {"a": text, "b": 1}
    )


@pytest.mark.parametrize("text", ["yes", "No", "on", "~", "null", "12:30", "1.5", "0x10", "1e3", "2024-01-01", "", "-"])
def test_a_text_that_means_something_else_is_quoted(text: str) -> None:
    """In YAML 1.1 as well, where a file asks for it."""
    written = spelled(text)
    assert written == f'"{text}"' and read(f"%YAML 1.1\n---\n- {written}") == [text]


@pytest.mark.parametrize(
    ("value", "style", "expected"),
    [
        ("plain words", "", "plain words"),
        ("10.0.0.3/24", "", "10.0.0.3/24"),
        ("fd00:77::3/64", "", "fd00:77::3/64"),
        ("plain", "'", "'plain'"),
        ("it's", "'", "'it''s'"),
        ("plain", '"', '"plain"'),
        ('a "b" \\', "", '"a \\"b\\" \\\\"'),
        ("a: b", "", '"a: b"'),
        ("a: b: c", "", '"a: b: c"'),
        ("a #b", "", '"a #b"'),
        ("tab\there", "'", '"tab\\x09here"'),
        ("\u2028\U0001f600\ud800", "", '"\\u2028\U0001f600\\ud800"'),
        (255, '"', "255"),
        (0.25, "", "0.25"),
        (["10.0.0.3/24", "fd00::3/64"], "", "[10.0.0.3/24, fd00::3/64]"),
        (["a, b", "c:"], "'", '["a, b", "c:"]'),
    ],
)
def test_the_style_of_before_is_kept_where_it_can_be(value: Value, style: str, expected: str) -> None:
    """Numbers have none."""
    assert spelled(value, style) == expected
