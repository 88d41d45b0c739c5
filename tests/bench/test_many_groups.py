from __future__ import annotations

from ipaddress import ip_interface

from ruamel.yaml import YAML

from tests.bench.many_groups import address_of
from tests.bench.many_groups import wide
from tests.bench.many_groups import with_groups
from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.topology import CLIENT

FILE = "node: b\ngroups:\n  - {id: 1, virtual_ip: 10.0.0.3/24, interface: auto, priority: 200, mac: virtual}\n"


def test_each_group_has_an_id_and_an_address_of_its_own() -> None:
    """All else is as in the node's file; the addresses are on the hosts' link, and none of them is a host's or
    all hosts'."""
    made = with_groups(NodeFile(FILE, (), ("proxy.example.com",), 8080), 255)
    groups = YAML(typ="safe").load(made.text)["groups"]
    assert [group["id"] for group in groups] == list(range(1, 256))
    assert {(group["priority"], group["mac"], group["interface"]) for group in groups} == {(200, "virtual", "auto")}
    assert made.virtual_ips == tuple(ip_interface(group["virtual_ip"]) for group in groups)
    assert len({each.ip for each in made.virtual_ips}) == 255 and address_of(7) == "10.0.1.7"
    assert {each.network for each in made.virtual_ips} == {wide(CLIENT).ipv4.network}
    assert all(each.ip != each.network.broadcast_address for each in made.virtual_ips)
    assert wide(CLIENT).ipv4.ip == CLIENT.ipv4.ip and (made.hostnames, made.port) == (("proxy.example.com",), 8080)
