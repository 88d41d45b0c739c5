"""What is told of a failover group."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.documents import changed
from tests.admin.documents import document
from tests.admin.scraped import of_group
from wsa_proxy.admin.metric import STATES
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.wire import Reject


def after(**changes: Any) -> dict[tuple[str, ...], float]:
    """Group 1 with these."""
    return of_group(changed(lambda found: found["groups"][0].update(changes)))


def test_a_master_and_a_backup() -> None:
    """Of each state one line, of which one is 1; the virtual IPs by the kernel, without their prefixes."""
    assert set(STATES) == {state.value for state in State}
    master, backup = of_group(document(), 1), of_group(document(), 2)
    assert [master["group_state", f"state={state}"] for state in STATES] == [0.0, 0.0, 1.0]
    assert [backup["group_state", f"state={state}"] for state in STATES] == [0.0, 1.0, 0.0]
    assert master["virtual_ip_held", "address=10.0.0.3"] == 1.0
    assert backup["virtual_ip_held", "address=10.0.0.7"] == backup["virtual_ip_held", "address=fd00:77::7"] == 0.0
    assert 0 <= master["lease_age_seconds",] <= 0.25 and ("lease_age_seconds",) not in backup
    assert master["group_priority",] == 255.0 and backup["group_priority",] == 100.0
    assert backup["group_info", "interface=eth0", "virtual_ip=10.0.0.7/24, fd00:77::7/64"] == 1.0


def test_what_the_kernel_could_not_be_asked_is_not_told() -> None:
    """Neither held nor not held."""
    assert not [key for key in after(virtual_ip_held=None) if key[0] == "virtual_ip_held"]


def test_every_reject_is_told_from_the_start() -> None:
    """With 0: what begins with 1 has no increase for Prometheus."""
    told = of_group(document())
    assert all(("advertisements_rejected_total", f"reason={reject.value}") in told for reject in Reject)


def test_transitions_by_cause_and_role_changes_in_sum() -> None:
    """Those of node a's group 1: master, switched away, and back; and group 2 was never master."""
    told = of_group(document())
    one = ("transitions_total", "from=master", "reason=better_advertisement_received", "to=backup")
    assert told[one] == 1.0 and told["role_changes_total",] == 3.0
    assert of_group(document(), 2)["role_changes_total",] == 0.0


def test_what_stands_in_the_way_is_named_without_its_reason() -> None:
    """The reason is a sentence, and has no end of forms."""
    told = after(obstacles={"link": "eth0 is down"}, demoted_by={"proxy": "no answer to GET"}, demotion=1)
    assert told["group_obstacle", "obstacle=link"] == told["group_demoted_by", "by=proxy"] == 1.0
    assert told["group_demotion",] == 1.0
    assert not [key for key in of_group(document()) if key[0] in ("group_obstacle", "group_demoted_by")]


@pytest.mark.parametrize(("ms_min", "ms_max"), [(12.0, 30.0), (None, 30.0)])
def test_an_outage_is_told_in_seconds(ms_min: float | None, ms_max: float) -> None:
    """Of the two bounds those that are known."""
    told = after(last_outage={"ms_min": ms_min, "ms_max": ms_max, "age_s": 4.0})
    assert told["last_outage_seconds", "bound=max"] == 0.03 and told["last_outage_age_seconds",] == 4.0
    assert told.get(("last_outage_seconds", "bound=min")) == (None if ms_min is None else 0.012)


def test_the_service_as_seen_from_here() -> None:
    """An answer with its time; no answer has none."""
    told = after(service={"answers": True, "ms": 2.0, "age_s": 0.5})
    names = ("service_up", "service_duration_seconds", "service_age_seconds")
    assert [told[name,] for name in names] == [1.0, 0.002, 0.5]
    silent = after(service={"answers": False, "ms": None, "age_s": 0.5})
    assert silent["service_up",] == 0.0 and ("service_duration_seconds",) not in silent
    assert ("service_up",) not in after(service=None)


@pytest.mark.parametrize(
    ("virtual_mac", "refused"), [(None, None), ({"network": "carried"}, 0.0), ({"network": "refused"}, 1.0)]
)
def test_a_network_that_refuses_the_virtual_mac(virtual_mac: Any, refused: float | None) -> None:
    """Nothing is told with mac: interface."""
    assert after(virtual_mac=virtual_mac).get(("virtual_mac_refused",)) == refused


def test_a_wait_before_a_preemption() -> None:
    """While there is one."""
    assert after(preemption={"waits_s": 3.5})["preemption_wait_seconds",] == 3.5
    assert ("preemption_wait_seconds",) not in of_group(document())
