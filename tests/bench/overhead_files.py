"""keepalived's file with many groups: what the bench gives it, with its one instance repeated. Pure.

Its virtual IPs are those of the node that it is compared with (many_groups.py).
"""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from tests.bench.many_groups import PREFIX
from tests.bench.many_groups import address_of
from wsa_proxy.bench.peer_files import PeerFiles
from wsa_proxy.bench.peer_files import Place
from wsa_proxy.bench.peer_files import peer_files
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.lab.configuration import PORT_DEFAULT
from wsa_proxy.lab.topology import ORIGIN

_BLOCK = "vrrp_instance proxy {"


def keepalived_files(name: str, address: IPv4Address, groups: int, folder: Path) -> PeerFiles:
    """One instance for each group. Raises FileNotFoundError without the program."""
    first, url = address_of(1), f"http://{ORIGIN.ipv4.ip}/"
    place = Place(name, folder, "eth0", str(address), first, PREFIX, PORT_DEFAULT, url)
    one = peer_files(PRODUCTS["keepalived"], place)
    head, found, instance = one.files["keepalived.conf"].partition(_BLOCK)
    if not found:
        raise ValueError(f"no line {_BLOCK!r} in keepalived.conf")
    text = [head]
    for vhid in range(1, groups + 1):
        own = instance.replace("virtual_router_id 1\n", f"virtual_router_id {vhid}\n")
        text += [f"vrrp_instance proxy{vhid} {{", own.replace(f"{first}/", f"{address_of(vhid)}/")]
    return PeerFiles({"keepalived.conf": "".join(text)}, one.command)
