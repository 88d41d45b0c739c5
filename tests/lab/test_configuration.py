from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from wsa_proxy.lab.configuration import OverrideError
from wsa_proxy.lab.configuration import derive
from wsa_proxy.lab.configuration import options_of
from wsa_proxy.lab.configuration import parse_override


def documents(count: int, overrides: dict[str, Any]) -> dict[str, Any]:
    names = "abcdefgh"[:count]
    files = derive(list(names), {name: Path("/run") / name for name in names}, overrides)
    return {name: YAML(typ="safe").load(file.text) for name, file in files.items()}


def test_only_name_and_folder_differ_from_the_files_that_users_read() -> None:
    """The lab proves the shipped examples: their keys and comments stay."""
    from wsa_proxy import resources

    shipped = YAML(typ="safe").load(resources.find("configs/node-b.yaml").read_text())
    made = documents(2, {})["b"]
    assert made | {"state_dir": shipped["state_dir"]} == shipped
    assert made["state_dir"] == "/run/b"
    text = derive(["a", "b"], {"a": Path("/run/a"), "b": Path("/run/b")}, {})["b"].text
    assert "#" in text


def test_further_nodes_have_names_and_lower_priorities() -> None:
    """a and b come from the files; c to h follow."""
    made = documents(8, {})
    assert [made[name]["node"] for name in "abcdefgh"] == list("abcdefgh")
    priorities = [made[name]["groups"][0]["priority"] for name in "abcdefgh"]
    assert priorities == [255, 200, 150, 100, 50, 40, 30, 20]


def test_an_override_reaches_the_node_or_its_groups_or_one_node_only() -> None:
    """Keys of the top go to the top, others to every group; NODE.KEY to one node."""
    made = documents(
        2,
        {"failover_handling": "non-preemptive", "advertisement_interval": 2, "b.priority": 254},
    )
    assert {document["failover_handling"] for document in made.values()} == {"non-preemptive"}
    assert {document["groups"][0]["advertisement_interval"] for document in made.values()} == {2}
    assert [made[name]["groups"][0]["priority"] for name in "ab"] == [255, 254]


def test_the_virtual_ips_are_those_of_the_file() -> None:
    """One address or a list, as in the file."""
    places = {"a": Path("/run/a")}
    assert [str(each) for each in derive(["a"], places, {})["a"].virtual_ips] == ["10.0.0.3/24"]
    both = derive(["a"], places, {"virtual_ip": ["fd00:77::3/64", "10.0.0.3/24"]})["a"]
    assert [str(each.ip) for each in both.virtual_ips] == ["fd00:77::3", "10.0.0.3"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("priority", "'priority' is not KEY=VALUE"),
        ("=5", "is not KEY=VALUE"),
        ("priority=[", "is not YAML"),
        ("z.priority=5", "there is no node z; the nodes are a, b"),
        ("state_dir=/tmp", "the lab sets state_dir by itself"),
        ("a.node=x", "the lab sets node by itself"),
        ("virtual_ip=[]", "virtual_ip must have at least one address"),
        ("virtual_ip=hello", "virtual_ip: 'hello' does not appear to be"),
        ("virtual_ip=", "write an address such as 10.0.0.3/24"),
        ("port=abc", "port: 'abc' is not a number"),
    ],
)
def test_a_wrong_override_is_told(text: str, told: str) -> None:
    """The message says what is allowed."""
    with pytest.raises(OverrideError) as error:
        documents(2, dict([parse_override(text)]))
    assert told in str(error.value)


def test_the_value_of_an_override_is_yaml() -> None:
    """Numbers are numbers, lists are lists, IPv6 addresses stay text."""
    assert parse_override("virtual_ip=[fd00:77::3/64]") == ("virtual_ip", ["fd00:77::3/64"])
    assert parse_override("b.priority=254") == ("b.priority", 254)


def test_an_option_is_for_all_nodes_or_for_one() -> None:
    """Of two, the later one counts, as on a command line."""
    options = {"http2": "true", "b.http2": "false", "b.flow_detail": "1", "flow_detail": "0"}
    assert options_of("a", "ab", options) == {"http2": "true", "flow_detail": "0"}
    assert options_of("b", "ab", options) == {"http2": "false", "flow_detail": "0"}
