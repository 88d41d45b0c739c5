"""An addon for a proxy in the machine's own network: it serves the lab's hosts and the machine itself, and nobody else.

The kernel takes what comes for an address of its own at any interface. So a neighbour of the machine who sends frames
for the virtual IP there would find a proxy, with this machine's way to everything, for as long as the bench runs.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from wsa_proxy.lab.topology import CLIENT


def client_connected(client: Any) -> None:
    """mitmproxy's hook: a client with an error is not served. An answer to a forged address goes to the lab."""
    address = ip_address(client.peername[0])
    if not address.is_loopback and address not in CLIENT.ipv4.network:
        client.error = "not a host of the lab"
