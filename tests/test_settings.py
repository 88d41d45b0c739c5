"""What follows from a group's settings."""

from __future__ import annotations

from ipaddress import ip_address
from ipaddress import ip_interface
from typing import Any

import pytest

from wsa_proxy.config.timers import timers
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import place_text

BOTH = (ip_interface("fd00::3/64"), ip_interface("10.0.0.3/24"))


def group(**changes: Any) -> GroupSettings:
    usual: dict[str, Any] = {"vhid": 1, "description": "", "hostname": "proxy", "virtual_ips": BOTH}
    usual |= {"interface": "eth0", "priority": 255, "advbase": 1, "advskew": 0, "pass_phrases": ()}
    return GroupSettings(**(usual | {"security": ("carp",), "virtual_mac": True, "port": 8080} | changes))


@pytest.mark.parametrize("interval_s", [1, 5, 255, 0.05078125, 0.5])
def test_the_interval_is_the_one_that_was_written(interval_s: float) -> None:
    """Whatever the priority: below one second it shares advskew with it."""
    for priority in (255, 254, 240):
        pair = timers(interval_s, priority)
        if pair is None:
            assert interval_s < 1
            continue
        written = group(priority=priority, advbase=pair.advbase, advskew=pair.advskew)
        assert written.advertisement_interval_s == interval_s


def test_the_ip_versions_are_the_peers_if_there_are_any() -> None:
    """Else those of the virtual IPs, each once."""
    assert group().versions == (4, 6) and group(virtual_ips=BOTH[1:] * 2).versions == (4,)
    assert group(peers=(ip_address("10.0.0.2"),)).versions == (4,)


def test_the_addresses_are_without_prefixes() -> None:
    """In the order of the file."""
    assert group().addresses == (ip_address("fd00::3"), ip_address("10.0.0.3"))


def test_a_place_is_written_as_in_a_url() -> None:
    """An IPv6 address in brackets, whether it comes as text or not."""
    assert place_text(ip_address("10.0.0.3"), 8080) == "10.0.0.3:8080" and place_text("proxy", 1) == "proxy:1"
    assert place_text(ip_address("fd00::3"), 8080) == place_text("fd00::3", 8080) == "[fd00::3]:8080"
