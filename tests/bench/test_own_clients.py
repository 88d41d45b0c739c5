"""A proxy in the machine's own network serves nobody who is not asked to come."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.bench import own_clients
from wsa_proxy.lab.node import mitmdump_path

VIRTUAL_IP, PORT = "10.0.0.3", 8080
CLIENTS = ("10.0.0.50", "127.0.0.1", "10.0.1.50", "192.168.7.7")
"""The lab's, the machine itself, and neighbours of its other networks."""
START_S_MAX = 30.0


def ask_from_each() -> dict[str, Any]:
    """The beginning of what a real mitmdump answers to each of them, for a request that it answers by itself."""
    with IPRoute() as netlink:
        netlink.link("set", index=1, state="up")
        for address in (VIRTUAL_IP, *CLIENTS):
            with contextlib.suppress(Exception):  # 127.0.0.1 is there
                netlink.addr("add", index=1, address=address, prefixlen=32)
    command = [mitmdump_path(), "--mode", f"regular@{VIRTUAL_IP}:{PORT}", "-s", own_clients.__file__]
    with Path("/run/log").open("wb") as log:
        proxy = subprocess.Popen([*command, "--set", "confdir=/run"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    ends_s = time.monotonic() + START_S_MAX
    while f"proxy listening at {VIRTUAL_IP}" not in Path("/run/log").read_text():
        assert proxy.poll() is None and time.monotonic() < ends_s, Path("/run/log").read_text()
        time.sleep(0.05)
    return {client: answer(client) for client in CLIENTS}


def answer(client: str) -> str:
    """Nothing where the connection is ended without a word."""
    with socket.create_connection((VIRTUAL_IP, PORT), 5.0, (client, 0)) as asking:
        try:
            asking.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return asking.recv(12).decode()
        except ConnectionError:
            return ""


@needs_namespaces
def test_only_the_labs_hosts_and_the_machine_itself_are_served() -> None:
    """Whoever else finds the address is not spoken to."""
    assert run_inside(ask_from_each) == {
        "10.0.0.50": "HTTP/1.1 400",
        "127.0.0.1": "HTTP/1.1 400",
        "10.0.1.50": "",
        "192.168.7.7": "",
    }
