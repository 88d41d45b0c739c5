"""The files of a node with many groups, ours and keepalived's: the examples of one group, repeated. Pure.

Group ID has the virtual IP 10.0.1.ID. What is not said here is the example's, so ours is sealed and has virtual MACs.
"""

from __future__ import annotations

import json
from copy import deepcopy
from ipaddress import IPv4Address
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from wsa_proxy import resources
from wsa_proxy.bench.peer_files import PeerFiles
from wsa_proxy.bench.peer_files import Place
from wsa_proxy.bench.peer_files import peer_files
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.lab.configuration import FIRST
from wsa_proxy.lab.configuration import SECOND
from wsa_proxy.lab.topology import ORIGIN

MASTER = "a"
PORT = 8080
NETWORK_BITS = 16
_BLOCK = "vrrp_instance proxy {"


def virtual_ip(vhid: int) -> IPv4Address:
    return IPv4Address("10.0.1.0") + vhid


def node_file(name: str, groups: int, state_dir: Path) -> str:
    """YAML, as JSON: configs/node-a.yaml for the master, node-b.yaml for the other one."""
    example = resources.find(FIRST if name == MASTER else SECOND)
    document: dict[str, Any] = YAML(typ="safe").load(example.read_text())
    (first,) = document["groups"]
    document |= {"node": name, "state_dir": str(state_dir), "groups": []}
    for vhid in range(1, groups + 1):
        address = IPv4Interface((virtual_ip(vhid), NETWORK_BITS))
        own = {"id": vhid, "virtual_ip": str(address), "hostname": f"proxy{vhid}.example.com"}
        document["groups"].append(deepcopy(first) | own)
    return json.dumps(document)


def keepalived_files(name: str, address: IPv4Address, groups: int, folder: Path) -> PeerFiles:
    """What the bench gives keepalived, with one such instance for each group. Raises FileNotFoundError without it."""
    place = Place(
        name, folder, "eth0", str(address), str(virtual_ip(1)), NETWORK_BITS, PORT, f"http://{ORIGIN.ipv4.ip}/"
    )
    one = peer_files(PRODUCTS["keepalived"], place)
    head, found, instance = one.files["keepalived.conf"].partition(_BLOCK)
    if not found:
        raise ValueError(f"no line {_BLOCK!r} in keepalived.conf")
    text = [head]
    for vhid in range(1, groups + 1):
        own = instance.replace("virtual_router_id 1\n", f"virtual_router_id {vhid}\n")
        text += [f"vrrp_instance proxy{vhid} {{", own.replace(f"{virtual_ip(1)}/", f"{virtual_ip(vhid)}/")]
    return PeerFiles({"keepalived.conf": "".join(text)}, one.command)
