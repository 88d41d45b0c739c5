"""Everything that a virtual host is told comes from the settings of its group, or from its credentials."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from ipaddress import ip_interface
from pathlib import Path

from tests.runtime.world import MakeHost
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.runtime.host_settings import host_settings_of
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

GROUP = GroupSettings(
    vhid=7,
    description="",
    hostname="proxy",
    virtual_ips=(ip_interface("10.0.0.3/24"), ip_interface("fd00::3/64")),
    interface="eth3",
    priority=245,
    advbase=2,
    advskew=10,
    pass_phrases=(b"a good phrase",),
    security=("carp",),
    virtual_mac=True,
    port=8080,
    preempt_delay_s=4.0,
    preempt_delay_max_s=90.0,
)
SETTINGS = Settings(Path("node.yaml"), "a", False, Path("state"), (GROUP,))


def refuse(interface: str) -> int:
    raise OSError(interface)


async def test_each_setting_has_its_source(make_host: MakeHost) -> None:
    """A plain group has ties; a sealed one has none, and does not ask for what breaks them."""
    credentials = make_host("a", 1, virtual_ips=("10.0.0.3/24", "fd00::3/64")).node._identities[1].credentials
    asked: list[str] = []

    def tie_break(interface: str) -> int:
        asked.append(interface)
        return 33

    told = host_settings_of(GROUP, SETTINGS, credentials, tie_break)
    assert told == VirtualHostSettings(7, 2, 10, False, (4, 6), 33, False, True, 4.0, 90.0) and asked == ["eth3"]
    assert host_settings_of(GROUP, replace(SETTINGS, preempt=True), credentials, tie_break).preempt
    sealed = make_host("b", 2, security=("sealed",)).node._identities[1].credentials
    told = host_settings_of(GROUP, SETTINGS, sealed, refuse)
    assert (told.tie_break, told.says_farewell, told.says_intent) == (0, True, True)
    assert not replace(told, acquires_first=False).says_intent and not replace(told, says_farewell=False).says_intent
    peers = (ip_address("10.0.0.2"),)
    told = host_settings_of(replace(GROUP, peers=peers), SETTINGS, sealed, refuse)
    assert told.unicast and not told.says_intent
