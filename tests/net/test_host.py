from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.cable import Lan
from wsa_proxy.net.host import read_host
from wsa_proxy.net.host import source_towards

ROOT = Path(__file__).parents[2]
SCRIPT = """
ip link set lo up
ip link add left type veth peer name right
ip link set left address 02:00:00:00:00:0a up
ip address add 10.0.0.1/24 dev left
ip address add 10.0.0.3/32 dev left valid_lft 30 preferred_lft 30
ip address add fd00:77::1/64 dev left nodad
ip address add fd00:77::3/128 dev left valid_lft 30 preferred_lft 0 nodad
ip address add 10.9.0.1 peer 10.9.1.1/30 dev left
exec {python} -c '{code}'
"""
PRINT_FACTS = """
from wsa_proxy.net.host import read_host
for interface in read_host().interfaces:
    print(interface.name, interface.mac, interface.up, interface.carrier, interface.loopback)
    for each in interface.addresses:
        if not each.address.is_link_local:
            print(interface.name, each.address, each.network, each.permanent, (each.valid_s or 0) in range(0, 31))
"""


def run_in_namespace(code: str) -> list[str]:
    """The output's lines of Python code in a fresh namespace with a veth pair; skips when the kernel refuses."""
    refusal = subprocess.run(["unshare", "-Urn", "true"], capture_output=True, text=True, timeout=10)
    if refusal.returncode:
        pytest.skip("no user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (or run as root)")
    script = SCRIPT.format(python=sys.executable, code=code)
    result = subprocess.run(
        ["unshare", "-Urn", "sh", "-ec", script],
        capture_output=True,
        text=True,
        timeout=20,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_facts_match_what_was_configured() -> None:
    """Names, MACs, flags, prefixes, point-to-point networks and lifetimes are the kernel's."""
    lines = run_in_namespace(PRINT_FACTS)
    assert "lo  True True True" in lines
    assert "left 02:00:00:00:00:0a True False False" in lines  # the other end is down: no carrier
    assert [line.split()[-4] for line in lines if line.startswith("right ") and "/" not in line] == [lines_mac(lines)]
    assert "left 10.0.0.1/24 10.0.0.0/24 True True" in lines
    assert "left 10.0.0.3/32 10.0.0.3/32 False True" in lines
    assert "left fd00:77::1/64 fd00:77::/64 True True" in lines
    assert "left fd00:77::3/128 fd00:77::3/128 False True" in lines
    assert "left 10.9.0.1/30 10.9.1.0/30 True True" in lines


def lines_mac(lines: list[str]) -> str:
    """The MAC that the kernel chose for ``right``."""
    [line] = [line for line in lines if line.startswith("right ") and "/" not in line]
    mac = line.split()[1]
    assert len(mac) == 17
    return mac


def test_many_interfaces_need_several_answers() -> None:
    """A dump that does not fit into one datagram is read to its end."""
    code = """
import subprocess
from wsa_proxy.net.host import read_host
batch = "".join(f"link add m{n} link left type macvlan\\n" for n in range(60))
subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
print(len(read_host().interfaces))
"""
    assert run_in_namespace(code) == ["63"]


def test_reads_without_a_loop() -> None:
    """Outside any event loop, as `wsa-proxy check` does: the loopback interface is always there."""
    assert any(interface.loopback and interface.name == "lo" for interface in read_host().interfaces)


def test_reads_inside_a_running_loop() -> None:
    """Inside a running event loop, as mitmproxy's synchronous configure hook does: the same facts."""

    async def hook() -> object:
        return [interface.name for interface in read_host().interfaces]

    assert asyncio.run(hook()) == [interface.name for interface in read_host().interfaces]


def test_leaves_no_descriptor_behind() -> None:
    """Reading a hundred times keeps the number of open descriptors as it was."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        read_host()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_way_to_another_host(lan: Lan) -> None:
    """The address that the kernel would speak from; None where there is no route."""
    lan.ip("route add 10.9.0.0/24 via 10.0.0.2")
    ways = [source_towards(ip_address(text)) for text in ("10.0.0.2", "10.9.0.7", "fd00:77::2", "10.8.0.1", "fd99::1")]
    assert [way and str(way) for way in ways] == ["10.0.0.1", "10.0.0.1", "fd00:77::1", None, None]
    assert read_host().source_towards is source_towards
