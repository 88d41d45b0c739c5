"""Which PAC file somebody gets: the proxies that it names, and in which order.

One address of each group is named: the one at which the file was asked for, of other groups the first one of the
client's IP version. Which group comes first is ``share``:

- ``none``: the one that was asked, then the others as configured.
- ``client``: by rendezvous hashing of the client's address, which the node knows better than a script could: each
  client has its order, which is the same at every group and on every node, and when a group is added or goes, only
  its own share of the clients moves. The clients behind one address (NAT, another proxy) count as one, and whose
  address changes may get another order with the next file.
- ``host``: the same by the host that is asked for, in the script: all clients ask for one host through one proxy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from functools import partial
from hashlib import blake2b
from ipaddress import IPv4Address
from ipaddress import IPv6Address

from wsa_proxy.proxy.pac_script import pac_script
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import PacSettings
from wsa_proxy.settings import place_text

type Address = IPv4Address | IPv6Address

FILES_KEPT = 256  # of some kilobytes each; with few groups there are fewer orders than that


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for the file, and where."""

    group: int
    address: Address
    """The address that he has named or reached: a virtual IP of the group, or none of them."""
    client: Address
    port: int | None
    """At which all groups are served in this mode; None: each at its own."""


class PacFiles:
    """The files of one configuration. ``groups``: all that the node has."""

    def __init__(self, pac: PacSettings, groups: Sequence[GroupSettings]) -> None:
        known = {group.vhid: group for group in groups}
        self.groups = [known[vhid] for vhid in pac.groups or known]
        """Those that have the file and are named in it, as configured."""
        self._pac = pac
        self._script = lru_cache(FILES_KEPT)(partial(pac_script, pac))

    def file(self, asked: Asked) -> bytes:
        """The file for this client, who asks one of ``groups``."""
        places = [
            (str(group.vhid), place_of(group, asked.address, asked.client.version, asked.port))
            for group in self._order(asked)
        ]
        return self._script(tuple(places))

    def _order(self, asked: Asked) -> list[GroupSettings]:
        if self._pac.share == "none":
            return sorted(self.groups, key=lambda group: group.vhid != asked.group)
        if self._pac.share == "client":
            return sorted(self.groups, key=lambda group: _weight(group.vhid, asked.client), reverse=True)
        return self.groups


def place_of(group: GroupSettings, asked: Address | None = None, version: int = 4, port: int | None = None) -> str:
    """Where a browser reaches this group's proxy, as an address and a port: ``asked`` if it is one of the group's, else
    the first of this IP version, else the first.

    A link-local address cannot stand in a PAC file, which knows no interfaces: a group that has no other is named by
    its hostname.
    """
    addresses = [address for address in group.addresses if not address.is_link_local]
    first = min(addresses, key=lambda address: (address != asked, address.version != version), default=group.hostname)
    return place_text(first, port or group.port)


def _weight(vhid: int, client: Address) -> bytes:
    return blake2b(client.packed, digest_size=8, key=vhid.to_bytes()).digest()
