"""The whole product where the network or the virtual IP is an unusual one; see test_end_to_end.py for the usual."""

from __future__ import annotations

import shutil

import pytest

from tests.lab import scenarios_addresses
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import KILL_MS_MAX
from tests.lab.judging import SCENARIO_S_MAX
from tests.lab.judging import STOP_MS_MAX
from tests.lab.judging import VIRTUAL_MAC
from tests.lab.judging import Seen
from tests.lab.judging import check_always
from tests.lab.judging import lost_after_s
from tests.lab.judging import noise_ms
from tests.lab.judging import row

pytestmark = needs_namespaces


@pytest.mark.skipif(
    shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") is None, reason="apt-get install nftables"
)
def test_peers_fail_over_where_no_multicast_passes() -> None:
    """The backup hears the master by unicast, takes over in the usual time, and yields again."""
    seen: Seen = run_inside(scenarios_addresses.unicast, SCENARIO_S_MAX)
    check_always(seen)
    assert seen["sent"] >= 1 and seen["groups"]["b"]["advertisements_received"] >= 1
    assert {name: group["peers"] for name, group in seen["groups"].items()} == {"a": ["10.0.0.2"], "b": ["10.0.0.1"]}
    killed = row(seen, "kill a")
    assert killed["took_over"] == "b" and killed["outage_ms"] <= KILL_MS_MAX + noise_ms(killed), killed
    assert row(seen, "start a")["served_after"] == "a"
    since = [each["reason"] for each in seen["transitions"] if each["node"] == "b" and each["at_s"] > killed["at_s"]]
    assert since == ["master_bowed_out", "better_advertisement_received"]
    assert {name: group["state"] for name, group in seen["after"].items()} == {"a": "master", "b": "backup"}


@pytest.mark.skipif(
    shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") is None, reason="apt-get install nftables"
)
def test_with_every_announcement_lost_the_advertisements_bring_the_clients() -> None:
    """What the virtual MAC is for: the client's entry stays as it is, and the switch needs one frame."""
    seen: Seen = run_inside(scenarios_addresses.unannounced, SCENARIO_S_MAX)
    check_always(seen)
    assert seen["lost"] >= 4 and seen["neighbour"]["10.0.0.3"] == VIRTUAL_MAC
    killed, returned = row(seen, "kill a"), row(seen, "start a")
    assert killed["took_over"] == "b" and killed["outage_ms"] <= KILL_MS_MAX + noise_ms(killed), killed
    assert returned["served_after"] == "a" and returned["outage_ms"] <= 500 + noise_ms(returned), returned


def test_a_link_local_virtual_ip_is_served_and_moves() -> None:
    """The client comes over it, HTTPS too; its connection is ended, its neighbour entry moves, no loop is made."""
    seen: Seen = run_inside(scenarios_addresses.link_local, SCENARIO_S_MAX)
    check_always(seen)
    assert seen["proxy"] == "[fe80::1:2%eth0]:8080"
    assert seen["https"]["status"] == 200 and seen["itself"] == [502, 502, 502]
    assert seen["before"] == seen["after"] == ["10.0.0.3", "fe80::1:2"]
    assert seen["answered"] == 200 and seen["ended"] and seen["moved"]
    stopped = row(seen, "stop a")
    assert stopped["took_over"] == "b" and stopped["outage_ms"] <= STOP_MS_MAX + noise_ms(stopped), stopped
    assert lost_after_s(seen, "stop a", "a") <= 0.6
