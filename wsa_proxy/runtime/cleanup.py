"""What a killed proxy and its killed guardian have left behind, removed by hand or by the service manager.

Nothing of it lasts: the virtual IPs end with their lease, and the next start takes the rest over. But a host that is
to serve no more keeps the virtual MACs' interfaces, which are up and silent.
"""

from __future__ import annotations

from dataclasses import replace

from wsa_proxy.net import addresses as net_addresses
from wsa_proxy.net import rights
from wsa_proxy.net.claims import Claims
from wsa_proxy.net.virtual_interface import VirtualInterface
from wsa_proxy.runtime.claimed import claimed_by
from wsa_proxy.runtime.reload import addresses_of
from wsa_proxy.settings import Settings


def clean_up(settings: Settings) -> list[str]:
    """Remove what is there of these groups; a sentence for each. Raises OSError, ``claims.Served`` when a process
    serves one of them, and then nothing has been removed; ``rights.RightsMissing`` without CAP_NET_ADMIN."""
    rights.require([rights.Right.NET_ADMIN])
    claims = Claims()
    # An interface of an earlier configuration goes as well, unless it is another node's.
    claims.take(claimed_by(replace(group, virtual_mac=True) for group in settings.groups))
    try:
        removed = net_addresses.remove_leftovers(addresses_of(settings.groups))
        lines = [f"removed the virtual IP {entry.address}" for entry in removed]
        for group in settings.groups:
            interface = VirtualInterface(group.interface, 0, group.vhid)
            try:
                if interface.adopt():
                    interface.remove()
                    lines.append(f"removed the interface {interface.name}")
            finally:
                interface.close()
    finally:
        claims.close()
    return lines
