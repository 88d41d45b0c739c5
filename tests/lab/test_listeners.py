from __future__ import annotations

import socket
import subprocess
import sys
from ipaddress import ip_address

import pytest

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab import listeners

LISTENER = """
import socket, sys
kept = [socket.create_server((address, 0), family=family) for address, family in
        (("127.0.0.1", socket.AF_INET), ("127.0.0.2", socket.AF_INET), ("::1", socket.AF_INET6))]
print(*(each.getsockname()[1] for each in kept), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the examples come from a little-endian machine")
def test_addresses_of_the_kernels_table_are_read() -> None:
    """Examples from /proc/net/tcp and tcp6 themselves."""
    assert listeners.parse_address("0100007F") == ip_address("127.0.0.1")
    assert listeners.parse_address("B80D0120000000000000000001000000") == ip_address("2001:db8::1")


@needs_namespaces
def test_only_the_listener_of_that_address_goes_deaf() -> None:
    """The others, and the process, live on; and an address that nobody listens on is told by the number 0."""
    assert run_inside(deafen_one) == {
        "shut": [1, 1, 0],
        "before": [True, True, True],
        "after": [False, True, False],
        "alive": True,
    }


def deafen_one() -> dict[str, object]:
    subprocess.run([sys.executable, "-c", UP], check=True)
    victim = subprocess.Popen([sys.executable, "-c", LISTENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert victim.stdout is not None
    first, second, third = map(int, victim.stdout.readline().split())
    places = [("127.0.0.1", first), ("127.0.0.2", second), ("::1", third)]
    before = [_answers(*place) for place in places]
    shut = [
        listeners.shut(victim.pid, {"127.0.0.1", "::1"}, first),
        listeners.shut(victim.pid, {"127.0.0.1", "::1"}, third),
        listeners.shut(victim.pid, {"127.0.0.9"}, first),
    ]
    after = [_answers(*place) for place in places]
    return {"shut": shut, "before": before, "after": after, "alive": victim.poll() is None}


UP = "from pyroute2 import IPRoute\nwith IPRoute() as netlink:\n    netlink.link('set', index=1, state='up')\n"


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
