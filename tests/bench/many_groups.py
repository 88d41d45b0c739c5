"""The lab of two nodes with many groups, each with a virtual IP of its own; node a is the master of them all."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Interface
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.configuration import Overrides
from wsa_proxy.lab.holders import holdings
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.topology import CLIENT
from wsa_proxy.lab.topology import ORIGIN
from wsa_proxy.lab.topology import Host
from wsa_proxy.lab.topology import Topology

PREFIX = 22
"""Of the hosts' network and of the virtual IPs: 255 of these find no room beside the hosts in the lab's /24, and in a
/23 the last one would be the broadcast address."""


def address_of(vhid: int) -> str:
    """The virtual IP of this group."""
    return f"10.0.1.{vhid}"


class ManyGroups(Lab):
    """Groups 1 to ``groups``, set up alike but for their ids and addresses."""

    def __init__(self, groups: int, overrides: Overrides | None = None, addon: Path | None = None) -> None:
        super().__init__(overrides=overrides, addon=addon)
        self._files = {name: with_groups(file, groups) for name, file in self._files.items()}
        self.virtual_ips = [address_of(vhid) for vhid in range(1, groups + 1)]
        self.topology = Topology([wide(each) for each in (*self._hosts, CLIENT, ORIGIN)])

    def holders(self, now_s: float) -> Mapping[str, set[str]]:
        """Whose kernels have each of the addresses."""
        held: dict[str, set[str]] = {address: set() for address in self.virtual_ips}
        for each in holdings(self.holder_log.events, now_s):
            if each.open:
                held[each.address].add(each.node)
        return held


def wide(each: Host) -> Host:
    """The host in the wider network."""
    return replace(each, ipv4=IPv4Interface(f"{each.ipv4.ip}/{PREFIX}"))


def with_groups(file: NodeFile, groups: int) -> NodeFile:
    """The node's file with so many groups in place of its one."""
    document: Any = YAML(typ="safe").load(file.text)
    (example,) = document["groups"]
    document["groups"] = [
        copy.deepcopy(example) | {"id": vhid, "virtual_ip": f"{address_of(vhid)}/{PREFIX}"}
        for vhid in range(1, groups + 1)
    ]
    text = io.StringIO()
    YAML().dump(document, text)
    addresses = tuple(ip_interface(f"{address_of(vhid)}/{PREFIX}") for vhid in range(1, groups + 1))
    return NodeFile(text.getvalue(), addresses, file.hostnames, file.port)
