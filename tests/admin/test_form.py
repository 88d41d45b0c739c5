"""What somebody types becomes the value that he means, or an error beside the field; the rest is the file's check's."""

from __future__ import annotations

from typing import Any

import pytest

from wsa_proxy.admin.form import FormError
from wsa_proxy.admin.form import errors_by_field
from wsa_proxy.admin.form import read_global
from wsa_proxy.admin.form import read_group
from wsa_proxy.admin.form import told
from wsa_proxy.config.source import Problem

TYPED = {
    "id": "2",
    "description": " Second ",
    "hostname": "b.example.com",
    "virtual_ip": "10.0.0.4/24, fd00::4/64\n",
    "interface": "",
    "priority": 200,
    "has_secret": True,
    "shared_secret": "twelve-bytes",
    "shared_secret_again": "twelve-bytes",
    "advertisement_interval": "0.5",
}


def errors_of(form: dict[str, Any], **options: Any) -> dict[str, str]:
    with pytest.raises(FormError) as caught:
        read_group(form, **{"new": True, **options})
    assert str(caught.value)
    return caught.value.errors


def test_a_whole_form_is_in_the_files_order_and_types() -> None:
    """Blanks around a value are a slip; an interface that nobody chose is chosen automatically."""
    assert list(read_group(TYPED, new=True).values.items()) == [
        ("id", 2),
        ("description", "Second"),
        ("hostname", "b.example.com"),
        ("virtual_ip", ["10.0.0.4/24", "fd00::4/64"]),
        ("interface", "auto"),
        ("priority", 200),
        ("shared_secret", "twelve-bytes"),
        ("advertisement_interval", 0.5),
    ]


def test_an_edit_touches_only_the_fields_that_it_has() -> None:
    """A secret that is left empty stays."""
    kept = read_group({"priority": 5, "shared_secret": "", "has_secret": True}, new=False, has_secret=True)
    assert kept.values == {"priority": 5} and not kept.secret_off
    assert read_group({"has_secret": False, "shared_secret": "typed before"}, new=False, has_secret=True).secret_off
    assert read_group({"secret_file": None, "editable": True, "revision": "x"}, new=False).values == {}


def test_an_empty_form_says_what_is_missing_field_by_field() -> None:
    """All at once."""
    assert errors_of({}) == {
        "id": "missing; it must be a whole number from 1 to 255",
        "hostname": "missing; it must be a host name such as proxy.example.com",
        "virtual_ip": "missing; it must be an address with its prefix such as 10.0.0.3/24, or a list of such",
        "priority": "missing; it must be a whole number from 1 to 255",
    }


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"id": "two"}, {"id": "two: must be a whole number from 1 to 255"}),
        ({"id": True}, {"id": "must be a whole number from 1 to 255"}),
        ({"priority": "1.5"}, {"priority": "1.5: must be a whole number from 1 to 255"}),
        ({"priority": "\x1b[0m"}, {"priority": "\\u001b[0m: must be a whole number from 1 to 255"}),
        ({"hostname": 5}, {"hostname": "must be a host name such as proxy.example.com"}),
        (
            {"virtual_ip": [5]},
            {"virtual_ip": "must be an address with its prefix such as 10.0.0.3/24, or a list of such"},
        ),
        (
            {"virtual_ip": " , "},
            {"virtual_ip": "missing; it must be an address with its prefix such as 10.0.0.3/24, or a list of such"},
        ),
        (
            {"advertisement_interval": float("inf")},
            {
                "advertisement_interval": "must be a whole number of seconds from 1 to 255, or a number below 1"
                " (at least 0.004)"
            },
        ),
        ({"has_secret": "yes"}, {"has_secret": "must be true or false"}),
        ({"shared_secret": 5}, {"shared_secret": "must be text"}),
        (
            {"shared_secret_again": "twelve-bites"},
            {"shared_secret_again": "is not the same as the Shared Secret above; type both again"},
        ),
        (
            {"shared_secret_again": ""},
            {"shared_secret_again": "is not the same as the Shared Secret above; type both again"},
        ),
        (
            {"shared_secret": "", "shared_secret_again": ""},
            {"shared_secret": "missing; write one of 12 to 19 bytes, the same on all hosts"},
        ),
    ],
)
def test_a_mistake_is_told_beside_its_field(typed: dict[str, Any], errors: dict[str, str]) -> None:
    """Without showing a secret."""
    assert errors_of({**TYPED, **typed}) == errors


def test_a_field_that_no_form_has_is_a_mistake() -> None:
    """Of a script, which would wait for its effect for ever."""
    assert errors_of({**TYPED, "prioritty": 5})[""].startswith("there is no field prioritty; known are id, descr")
    with pytest.raises(FormError, match="there is no field node"):
        read_global({"failover_handling": "preemptive", "node": "b"})


@pytest.mark.parametrize(("typed", "value"), [("1", 1), ("1.0", 1), (1.0, 1), (" 2 ", 2), (".25", 0.25), (0.25, 0.25)])
def test_an_interval_is_a_number_however_it_is_typed(typed: Any, value: float) -> None:
    """A whole one is written whole."""
    read = read_group({"advertisement_interval": typed}, new=False).values["advertisement_interval"]
    assert repr(read) == repr(value)


def test_the_global_settings_have_one_field() -> None:
    """What it may say is for the file's check."""
    assert read_global({"failover_handling": "non-preemptive"}) == {"failover_handling": "non-preemptive"}
    for form in ({}, {"failover_handling": 5}):
        with pytest.raises(FormError, match="failover_handling: must be preemptive or non-preemptive"):
            read_global(form)


GROUPS = [{"id": 1, "virtual_ip": "10.0.0.3/24"}, {"id": 2, "virtual_ip": ["10.0.0.4/24", "10.0.0.3/24"]}]


@pytest.mark.parametrize(
    ("key", "value", "n", "errors"),
    [
        ("groups[1].priority", "5", 1, {"priority": "5: is wrong"}),
        ("groups[1].virtual_ip[1]", "10.0.0.9/24", 1, {"virtual_ip": "10.0.0.9/24: is wrong"}),
        ("groups[1].shared_secret", None, 1, {"shared_secret": "is wrong"}),
        ("groups[1].shared_secret_file", "x", 1, {"shared_secret": "x: is wrong"}),
        ("groups[0].priority", "5", 1, {"": "group 1, priority: 5: is wrong"}),
        ("groups[1].security", "sealed", 1, {"": "group 2, security: sealed: is wrong"}),
        ("groups[1].virtual_ip[1]", "10.0.0.3/24", 0, {"virtual_ip": "10.0.0.3/24: is wrong"}),
        ("groups[1].id", "1", 0, {"id": "1: is wrong"}),
        ("groups[1]", "", 1, {"": "group 2: is wrong"}),
        ("groups[7].id", "5", 1, {"": "groups[7].id: 5: is wrong"}),
        ("failover_handling", "x", None, {"failover_handling": "x: is wrong"}),
        ("failover_handling", "x", 1, {"": "failover_handling: x: is wrong"}),
        ("state_dir", "x", None, {"": "state_dir: x: is wrong"}),
        ("", None, None, {"": "is wrong"}),
    ],
)
def test_what_the_check_finds_stands_beside_the_field_where_it_was_typed(
    key: str, value: str | None, n: int | None, errors: dict[str, str]
) -> None:
    """The rest of the file, and what the form does not have, is told of the whole, with the group's id."""
    assert errors_by_field([Problem("node.yaml", 3, key, value, "is wrong")], GROUPS, n) == errors


def test_several_mistakes_of_one_field_are_told_together() -> None:
    """And a warning has the words of an error."""
    problems = [Problem("f", 1, "groups[0].virtual_ip[0]", "x", text) for text in ("is wrong", "is taken")]
    assert errors_by_field(problems, GROUPS, 0) == {"virtual_ip": "x: is wrong; x: is taken"}
    assert told(problems[0], GROUPS) == "group 1, virtual_ip[0]: x: is wrong"
