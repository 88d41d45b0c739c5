"""The file from the answers, and what the real checks say to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.init.host import HOST
from tests.init.host import TWO_WAYS
from wsa_proxy.config import load
from wsa_proxy.init.draft import draft
from wsa_proxy.init.draft import problems_of

ANSWERS = {
    "node": "b",
    "state_dir": "/var/lib/other",
    "virtual_ip": "10.0.0.9/24",
    "interface": "eth0",
    "hostname": "proxy.example.org",
    "id": "7",
    "priority": "200",
    "shared_secret": 'quote" \\back: #it',
    "port": "3128",
}


def values(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_answers_are_in_the_file_and_the_comments_stay(tmp_path: Path) -> None:
    """Loaded by the product's own loader; each key has its comment, and nothing of the example's own story is left."""
    text = draft(ANSWERS | {"state_dir": str(tmp_path)})
    file = tmp_path / "node.yaml"
    file.touch(mode=0o600)
    file.write_text(text)
    loaded = load(file, host=HOST)
    (group,) = loaded.settings.groups
    assert (loaded.settings.node, loaded.settings.state_dir, group.vhid, group.port) == ("b", tmp_path, 7, 3128)
    assert (group.hostname, group.interface, group.priority) == ("proxy.example.org", "eth0", 200)
    assert (str(group.virtual_ips[0]), group.pass_phrases) == ("10.0.0.9/24", (b'quote" \\back: #it',))
    assert (group.description, group.security, loaded.warnings) == ("", ("sealed",), ())
    lines = text.splitlines()
    assert lines[0] == "# Failover configuration of node b, written by `wsa-proxy init`."
    assert all("  # " in line for line in lines[4:] if line) and len(lines) > 20
    assert "node-b.yaml" not in text and "CHANGE IT" not in text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=19))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    """Whatever somebody types: it is one value, and never two lines or a comment."""
    group = values(draft(ANSWERS | {"shared_secret": text, "hostname": text}))["groups"][0]
    assert (group["shared_secret"], group["hostname"]) == (text, text)


def test_several_virtual_ips() -> None:
    group = values(draft(ANSWERS | {"virtual_ip": "10.0.0.9/24, fd00:77::9/64"}))["groups"][0]
    assert group["virtual_ip"] == ["10.0.0.9/24", "fd00:77::9/64"]


@pytest.mark.parametrize(
    ("answers", "place", "said"),
    [
        ({"node": "two words"}, "node", "must be a name of 1 to 63 letters"),
        ({"node": "true"}, "node", ""),
        ({"id": "256"}, "groups[0].id", "256: must be a whole number from 1 to 255"),
        ({"id": "one"}, "groups[0].id", "must be a whole number from 1 to 255"),
        ({"priority": "0"}, "groups[0].priority", "must be a whole number from 1 to 255"),
        ({"port": "70000"}, "groups[0].port", "must be a whole number from 1 to 65535"),
        ({"virtual_ip": "192.0.2.3/24"}, "groups[0].virtual_ip", "no interface of this host is in its subnet"),
        ({"virtual_ip": "10.0.0.1/24"}, "groups[0].virtual_ip", "is already a permanent address of eth0"),
        ({"virtual_ip": "10.0.0.9/24,10.0.0.x"}, "groups[0].virtual_ip", "is not an address with a prefix"),
        ({"interface": "eth7"}, "groups[0].interface", "there is no such interface on this host"),
        ({"shared_secret": "x" * 20}, "groups[0].shared_secret", "has 20 bytes; CARP uses 19"),
        ({"hostname": "a b"}, "groups[0].hostname", "must be a host name"),
        ({"state_dir": "/dev/null/state"}, "state_dir", "/dev/null is not a folder"),
        ({"virtual_ip": "10.0.0.9/24"}, "groups[0].virtual_ip", ""),
    ],
)
def test_an_answer_is_judged_by_the_real_checks(answers: dict[str, str], place: str, said: str) -> None:
    """Its own problems only, and no secret in them."""
    problems = problems_of(answers, place, HOST)
    assert len(problems) == (1 if said else 0), problems
    assert said in "".join(problems) and "xxxx" not in "".join(problems)


def test_two_interfaces_in_one_subnet_must_be_told_apart() -> None:
    """It is the interface that is wrong then, not the address."""
    answers = {"virtual_ip": "10.0.0.9/24", "interface": "auto"}
    assert problems_of(answers, "groups[0].virtual_ip", TWO_WAYS) == []
    (problem,) = problems_of(answers, "groups[0].interface", TWO_WAYS)
    assert "several interfaces are in the subnet of the virtual IP: eth0 and eth1; name one" in problem
