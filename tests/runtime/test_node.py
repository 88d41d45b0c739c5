"""A node tells its health to all groups, and cleans up."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from tests.runtime.world import WELL
from tests.runtime.world import MakeHost
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.health import UNPROVEN


async def test_a_node_whose_proxy_is_unproven_stays_out(make_host: MakeHost) -> None:
    """Nobody is sent to a proxy that has never answered."""
    host = make_host("a", 1)
    await host.node.start()
    await asyncio.sleep(10)
    assert host.state == "init" and host.driver.obstacles == {"proxy": UNPROVEN.hard}
    host.node.set_health(WELL)
    assert host.state == "backup"


async def test_leftovers_of_an_earlier_life_go_before_the_first_event(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """I5: and the operator is told."""
    host = make_host("a", 1)
    host.leftovers = [ip_address("10.0.0.3")]
    await host.start()
    assert host.journal == ["clean", "ask neighbours 2 in init"]
    assert "10.0.0.3 of an earlier life" in caplog.text


async def test_a_group_that_fails_does_not_keep_the_proxys_health_from_the_others(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """I8: a proxy that cannot serve gives up all that it can."""
    host = make_host("a", 1, more_vhids=(2,))
    await host.start()
    await asyncio.sleep(3.5)

    def fail(version: int, payload: bytes, *, from_own_mac: bool = False) -> None:
        raise ValueError("nobody has foreseen this")

    assert host.ports is not None
    host.ports.advertisements.send = fail  # type: ignore[method-assign]
    host.node.set_health(UNPROVEN)
    assert [driver.virtual_host.state.value for _, driver in host.node._groups] == ["init", "init"]
    assert not host.holds_group(2) and "vhid=1 failed to take the proxy's health" in caplog.text


async def test_a_second_node_with_the_same_state_dir_is_refused(make_host: MakeHost) -> None:
    """The first one is left alone."""
    first, second = make_host("a", 1), make_host("a", 1)
    await first.node.start()
    with pytest.raises(ControlError, match="another wsa-proxy runs with this state_dir"):
        await second.node.start()
    assert first.node.settings.socket_path.is_socket()


async def test_the_status_tells_state_health_and_history(make_host: MakeHost) -> None:
    """The document that the command line, the lab and the mitmproxy command show."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(4.2)
    status = host.node.status()
    group = status["groups"][0]
    assert (group["state"], group["reason"], group["virtual_ip_held"]) == ("master", "master_silent", ["10.0.0.3"])
    assert group["age_s"] == pytest.approx(1.2, abs=0.01) and group["advertisements_sent"] == 2
    assert [(change["from"], change["to"]) for change in group["transitions"]] == [
        ("init", "backup"),
        ("backup", "master"),
    ]
    assert status["health"] == {"hard": None, "soft": None, "tests": []}
