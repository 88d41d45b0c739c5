"""The lab with a peer's nodes: what differs from ours, without starting it; test_end_to_end.py starts it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from wsa_proxy.bench import own_clients
from wsa_proxy.bench import programs
from wsa_proxy.bench.peer_lab import PEER_FAULTS
from wsa_proxy.bench.peer_lab import PeerLab
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.products import Kind
from wsa_proxy.lab.faults import FAULTS

MISSING = programs.missing(list(Kind))
pytestmark = pytest.mark.skipif(bool(MISSING), reason=programs.installing(MISSING))

UCARP = PRODUCTS["ucarp"]
TRACKING = PRODUCTS["keepalived, process tracking"]
OUTSIDE = Path("/proc/self/ns/net")


def test_the_proxy_is_plain() -> None:
    """No addon of ours; it listens on the virtual IP, and on loopback for the check script. The rest is as ours."""
    ours, theirs = super(PeerLab, PeerLab(UCARP))._failover(), PeerLab(UCARP)._failover()
    command = PeerLab(UCARP)._commands["a"]
    assert ours[0] == "-s" and ours[1].endswith("carp_failover.py")
    assert theirs == ["--mode", "regular@10.0.0.3:8080", "--mode", "regular@127.0.0.1:8080"]
    assert "carp_failover.py" not in " ".join(command) and "saboteur.py" in " ".join(command)


def test_the_files_are_for_the_hosts_of_the_lab() -> None:
    """Each its own address, the virtual IP of the example files."""
    files = PeerLab(UCARP).peer_files()
    assert set(files) == {"a", "b"}
    assert {"--srcip=10.0.0.2", "--addr=10.0.0.3", "--interface=eth0"} <= set(files["b"].command)


@pytest.mark.parametrize(
    ("holders", "lacking"),
    [
        ({"a"}, None),
        ({"b"}, "the virtual IP is held by b"),
        ({"a", "b"}, "the virtual IP is held by a, b"),
        (set(), "the virtual IP is held by nobody"),
    ],
)
def test_the_roles_are_taken_when_the_master_alone_holds_the_address(holders: set[str], lacking: str | None) -> None:
    """The kernels tell: a peer cannot be asked."""
    lab = PeerLab(UCARP)
    lab.holder_log = SimpleNamespace(holders=lambda: holders)  # type: ignore[assignment]
    assert lab._missing_roles() == lacking


def test_a_master_outside_is_started_to_die_with_the_lab() -> None:
    """There no namespace ends it; its interface has a name that nobody has taken, and its proxy knows whom to serve."""
    lab = PeerLab(TRACKING, network_of_master=OUTSIDE)
    assert own_clients.__file__ in lab._commands["a"] and own_clients.__file__ not in PeerLab(TRACKING)._commands["a"]
    assert lab._launcher[1:] == ("--pdeathsig", "KILL", "--")
    assert "interface wsa-lab-a\n" in lab.peer_files()["a"].files["keepalived.conf"]
    assert "interface eth0\n" in lab.peer_files()["b"].files["keepalived.conf"]
    assert PeerLab(UCARP)._launcher == ()


def test_the_faults_of_the_lab_are_all_there() -> None:
    """With those of a daemon, which do not hide one of them."""
    more = {"deafen-all", "daemon-kill", "daemon-start", "daemon-freeze", "daemon-thaw", "step-down", "step-up"}
    assert set(PEER_FAULTS) == {*FAULTS, *more} and not more & set(FAULTS)
