"""On which interfaces to listen: those that were named, else those of the configuration's groups, else the only one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from wsa_proxy.config.source import printable
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import InterfaceFacts
from wsa_proxy.watch.groups import WatchedGroup


class NoInterface(Exception):
    """There is nothing to listen on; the text names what there is."""


def choose(named: Sequence[str], groups: Sequence[WatchedGroup] | None, host: HostFacts) -> list[InterfaceFacts]:
    """In the order in which they were named, each once. Raises NoInterface."""
    usable = [each for each in host.interfaces if each.mac and not each.loopback]
    wanted = list(dict.fromkeys(named or [group.interface for group in groups or () if group.interface]))
    if wanted:
        return [_find(name, usable, host) for name in wanted]
    up = [each for each in usable if each.up]
    if len(up) == 1:
        return up
    if not up:
        raise NoInterface(f"no interface is up where neighbours could be heard; there are {_list(usable)}")
    raise NoInterface(f"several interfaces can be watched; name one with --interface: {_list(up)}")


def _find(name: str, usable: Sequence[InterfaceFacts], host: HostFacts) -> InterfaceFacts:
    shown = printable(name)
    found = next((each for each in host.interfaces if each.name == name), None)
    if found is None:
        near = difflib.get_close_matches(name, [each.name for each in usable], 1)
        hint = f"; did you mean {printable(near[0])}?" if near else ""
        raise NoInterface(f"there is no interface {shown} on this host; there are {_list(usable)}{hint}")
    if found not in usable:
        kind = "the loopback interface" if found.loopback else "not an Ethernet interface"
        raise NoInterface(f"{shown} is {kind}, where no CARP is spoken; there are {_list(usable)}")
    if not found.up:
        raise NoInterface(f"{shown} is down, nothing can be heard there: ip link set {shown} up")
    return found


def _list(interfaces: Sequence[InterfaceFacts]) -> str:
    texts = []
    for each in interfaces:
        addresses = ", ".join(str(facts.address) for facts in each.addresses) or "no address"
        texts.append(f"{printable(each.name)} ({addresses}{'' if each.up else ', down'})")
    return ", ".join(texts) or "none but the loopback interface"
