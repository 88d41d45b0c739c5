"""The text of a PAC file: JavaScript that tells a browser which proxy to use for each URL.

What is configured is data in the script's first lines, embedded as JSON in ASCII, so no text of the configuration can
end a string and become code. What follows is ``pac.js``, the same in every file:

- ECMAScript 3, since there are engines that know no more (WinHTTP's).
- Nothing that asks a name server: ``dnsResolve``, ``isResolvable``, and ``isInNet`` of a name hold a browser up at each
  request, and tell the name server what the proxy would have asked for. A network in ``bypass`` means hosts that are
  asked for by their address.
- No ``myIpAddress``: on a host with several interfaces it is a guess, and 127.0.0.1 where it fails. Who wants each
  client to have a proxy of its own gives each client a file of its own (``pac.py``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import IPv4Network
from ipaddress import IPv6Network
from pathlib import Path

from wsa_proxy.settings import PacSettings

FUNCTIONS = Path(__file__).with_name("pac.js").read_text(encoding="ascii")


def pac_script(pac: PacSettings, proxies: Sequence[tuple[str, str]]) -> bytes:
    """The whole file, in ASCII. ``proxies``: the name of each, by which hosts are shared, and where it is
    (``10.0.0.3:8080``); the first one first, unless they are shared by host."""
    values = {
        "PROXIES": [(name, f"PROXY {place}") for name, place in proxies],
        "SHARED_BY_HOST": pac.share == "host",
        "LAST": ["DIRECT"] if pac.direct else [],
        "NAMES": pac.bypass_names,
        "NETWORKS": [_bits(network) for network in pac.bypass_networks],
    }
    lines = [f"var {name} = {json.dumps(value)};\n" for name, value in values.items()]
    return "".join([*lines, FUNCTIONS]).encode("ascii")


def _bits(network: IPv4Network | IPv6Network) -> str:
    """The form in which the script compares: ``4:00001010`` is 10.0.0.0/8."""
    bits = f"{int(network.network_address):0{network.max_prefixlen}b}"
    return f"{network.version}:{bits[: network.prefixlen]}"
