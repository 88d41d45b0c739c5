"""Judges the unicast peers of a group by this host and by its virtual IPs.

A peer is named by an address of its own, never by a virtual one, which is now here and now there. A list that names
this node as well is no mistake worth an error: so the same one may stand in every node's file.
"""

from __future__ import annotations

from ipaddress import ip_interface

from wsa_proxy.config.peer import Address
from wsa_proxy.config.schema import GroupKeys
from wsa_proxy.config.schema import TopKeys
from wsa_proxy.config.source import Document
from wsa_proxy.config.source import KeyPath
from wsa_proxy.net.host import HostFacts


def check_peers(
    document: Document, path: KeyPath, keys: TopKeys, group: GroupKeys, interface: str, host: HostFacts
) -> list[Address]:
    """The peers of one group without this host itself; what is wrong is told in the document.

    ``interface``: the group's, as it was chosen. (mac: virtual: what goes to peers comes from the interface's own
    hardware address, so that only the announcements, which are broadcasts, teach the switch where the virtual MAC is.)
    """
    virtual = {ip_interface(each).ip for other in keys.groups or () for each in other.virtual_ip if each}
    own = {facts.address.ip for interface in host.interfaces for facts in interface.addresses} - virtual
    peers: list[Address] = []
    for number, peer in enumerate(group.peers):
        if peer is None:
            continue  # a wrong one, told and taken out
        at = (*path, "peers", number)
        if peer in group.peers[:number]:
            document.error(at, "stands in the list twice")
        elif peer in virtual:
            document.error(at, "is a virtual IP, which is not always there; name the peer by an address of its own")
        elif broadcast := _broadcast_of(peer, host):
            document.error(at, f"is the broadcast address of {broadcast}; name each peer by an address of its own")
        elif peer in own:
            document.warning(at, "is an address of this host itself; it is left out")
        else:
            peers.append(peer)
            _check_way(document, at, peer, interface, host)
    at = (*path, "peers")
    if not peers and own.issuperset(group.peers) and group.peers:
        document.error(at, "names nobody but this host itself; write the other nodes' addresses", value="")
    _check_versions(document, at, group, peers)
    return peers


def _check_way(document: Document, at: KeyPath, peer: Address, interface: str, host: HostFacts) -> None:
    """What a peer sends is heard on the group's interface only, and the way there is most likely the way back."""
    source = None if peer.is_link_local else host.source_towards(peer)
    through = {each.name for each in host.interfaces for facts in each.addresses if facts.address.ip == source}
    if through and interface and interface not in through:
        text = f"is reached through {' and '.join(sorted(through))}, and the group listens on {interface} only"
        document.warning(at, f"{text}: correct the route, or name the peer by an address of that network")


def _broadcast_of(peer: Address, host: HostFacts) -> str | None:
    """The interface and network whose broadcast address this is."""
    for interface in host.interfaces:
        for facts in interface.addresses:
            network = facts.network
            if network.version == 4 and network.num_addresses > 2 and peer == network.broadcast_address:
                return f"{interface.name}'s network {network}"
    return None


def _check_versions(document: Document, at: KeyPath, group: GroupKeys, peers: list[Address]) -> None:
    """FreeBSD takes a silence in either of its IP versions for a dead master; we take any copy for all."""
    spoken = {peer.version for peer in peers}
    silent = {ip_interface(each).version for each in group.virtual_ip if each} - spoken
    if spoken and silent and "carp" in (group.security or ()):
        version = min(silent)
        text = (
            f"no peer has an IPv{version} address here, and the group has IPv{version} virtual IPs: that is enough"
            f" for our own nodes, but a BSD takes over when it hears no IPv{version} advertisement"
        )
        document.warning(at, text, value="")
