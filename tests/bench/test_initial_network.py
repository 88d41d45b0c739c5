"""A node in the machine's own network: only where the lab's addresses are nobody else's, and leaving nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.bench import initial_network


def routes() -> dict[str, Any]:
    """What is said with routes to other networks, to a part of the lab's, and to everything; and with a used port."""
    seen: dict[str, Any] = {}
    with IPRoute() as netlink:
        netlink.link("set", index=1, state="up")
        netlink.link("add", ifname="other", kind="bridge")
        index = netlink.link_lookup(ifname="other")[0]
        netlink.link("set", index=index, state="up")
        netlink.route("add", dst="10.0.1.0/24", oif=index)
        netlink.route("add", dst="0.0.0.0/0", oif=index)
        seen["others"] = initial_network.refusal()
        for network in ("10.0.0.64/26", "10.0.0.0/8", "fd00:77::/48"):
            netlink.route("add", dst=network, oif=index)
            seen[network] = initial_network.refusal()
            netlink.route("del", dst=network, oif=index)
    for own in ("127.0.0.1", "0.0.0.0"):
        with socket.create_server((own, 8080)):
            seen[own] = initial_network.refusal()
    seen["after"] = initial_network.refusal()
    return seen


@needs_namespaces
def test_a_route_into_the_labs_network_is_a_refusal() -> None:
    """To a part of it, or to more; a default route is none, and neither are other networks. A port that is in use is
    one: the proxy would not start, and its check would ask somebody else's."""
    seen = run_inside(routes)
    in_use = "its proxy cannot listen at 127.0.0.1:8080 of this machine: Address already in use"
    assert seen.pop("127.0.0.1") == seen.pop("0.0.0.0") == in_use
    assert seen.pop("others") is None and seen.pop("after") is None
    assert seen == {
        network: f"this machine has a route to {network}, which the lab uses"
        for network in ("10.0.0.64/26", "10.0.0.0/8", "fd00:77::/48")
    }


def test_the_setting_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the measuring fails."""
    setting = tmp_path / "ip_nonlocal_bind"
    setting.write_text("0\n")
    monkeypatch.setattr(initial_network, "NONLOCAL_BIND", setting)
    with pytest.raises(RuntimeError), initial_network.put_back():
        setting.write_text("1")
        raise RuntimeError
    assert setting.read_text() == "0\n"


def test_what_another_bench_has_written_is_not_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would stay, when that one has ended first; so one of them says what is in its way."""
    setting = tmp_path / "ip_nonlocal_bind"
    setting.write_text("0\n")
    monkeypatch.setattr(initial_network, "NONLOCAL_BIND", setting)
    with initial_network.put_back():
        setting.write_text("1")
        with pytest.raises(initial_network.Taken, match="another bench"), initial_network.put_back():
            pass
    with initial_network.put_back():
        pass
    assert setting.read_text() == "0\n"
