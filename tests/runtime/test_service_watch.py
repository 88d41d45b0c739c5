"""Each virtual IP is asked in its turn, and what is known of it is never older than its age says."""

from __future__ import annotations

import asyncio
from ipaddress import ip_interface

import pytest

from tests.runtime.services import GONE
from tests.runtime.services import FakeService
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.runtime.service_watch import PROBES_PER_S
from wsa_proxy.runtime.service_watch import GroupService
from wsa_proxy.runtime.service_watch import Seen
from wsa_proxy.runtime.service_watch import ServiceWatch
from wsa_proxy.runtime.service_watch import probed_address


def watch_of(host: Host, service: FakeService) -> ServiceWatch:
    watch = ServiceWatch(service, host.loop.time, lambda: [("10.0.0.9", 4000)])
    watch.set_groups(host.node._groups)
    watch.begin()
    return watch


async def test_it_is_asked_once_in_each_interval(make_host: MakeHost) -> None:
    """Not below a second; the members' ports are told to the proxy before, and this node's to them."""
    service = FakeService()
    watch = watch_of(make_host("a", 1, advbase=0, advskew=13), service)
    await asyncio.sleep(1.9)
    assert service.asked == []
    await asyncio.sleep(10.3)
    watch.close()
    assert len(service.asked) == 11 and service.expected == {("10.0.0.9", 4000)}
    assert {asked[1:] for asked in service.asked} == {("10.0.0.3", 8080, False)}
    await asyncio.sleep(5)
    assert len(service.asked) == 11


async def test_what_was_missed_in_a_suspend_is_not_made_up_for(make_host: MakeHost) -> None:
    """The clock goes on while the host sleeps; afterwards it is one question a second as before."""
    host, service = make_host("a", 1), FakeService()
    watch = watch_of(host, service)
    watch.groups[1].due_s -= 3600
    await asyncio.sleep(10)
    watch.close()
    assert 10 <= len(service.asked) <= 12


async def test_many_groups_have_their_turns(make_host: MakeHost) -> None:
    """255 cost no more than two; none is passed over."""
    service = FakeService()
    watch = watch_of(make_host("a", 1, more_vhids=range(2, 256)), service)
    await asyncio.sleep(2 + 255 / PROBES_PER_S + 0.1)
    watch.close()
    assert len(service.asked) == 256 and len({asked[1] for asked in service.asked}) == 255


async def test_one_that_hangs_is_not_asked_again_meanwhile(make_host: MakeHost) -> None:
    """And counts as one without an answer soon, for who cannot wait for its end."""
    host = make_host("a", 1)
    service = FakeService(lambda here: GONE, takes_s=3.0)
    watch = watch_of(host, service)
    await asyncio.sleep(4.5)
    known = watch.groups[1]
    assert len(service.asked) == 1 and known.status(host.loop.now) is None
    assert known.failed_s(host.loop.now) == service.asked[0][0] and known.failed_s(service.asked[0][0] + 0.4) is None
    await asyncio.sleep(1)
    watch.close()
    assert known.status(host.loop.now) == {
        "answers": False,
        "ms": None,
        "age_s": pytest.approx(0.5, abs=0.2),
        "address": "10.0.0.3:8080",
        "evidence": "Connection refused",
    }


async def test_a_late_failure_says_nothing_of_who_answers_now(make_host: MakeHost) -> None:
    """It was asked of a master that has died since."""
    host = make_host("a", 1)
    group, driver = host.node._groups[0]
    known = GroupService(group, driver)
    known.seen(Seen(100.0, 100.004, FakeService().answer(False)))
    known.seen(Seen(101.0, 102.0, GONE))
    known.seen(Seen(103.0, 104.0, GONE))
    assert (known.well_s, known.unwell_s) == (100.004, 101.0)
    known.seen(Seen(103.5, 103.504, FakeService().answer(True)))
    known.seen(Seen(103.0, 104.0, GONE))
    assert (known.well_s, known.unwell_s) == (103.504, None) and known.status(104.5) == {
        "answers": True,
        "ms": 4.0,
        "age_s": 1.0,
        "address": "10.0.0.3:8080",
        "evidence": "answers",
    }


async def test_who_has_the_address_for_its_last_answers_asks_nobody(make_host: MakeHost) -> None:
    """It would ask itself, and call that the service."""
    host, service = make_host("a", 1), FakeService()
    host.driver.leaving.begin()
    watch = watch_of(host, service)
    await asyncio.sleep(5)
    assert service.asked == []
    watch.close()


async def test_another_file_keeps_what_is_known_of_a_group_that_goes_on(make_host: MakeHost) -> None:
    """One that starts anew begins anew."""
    host, service = make_host("a", 1), FakeService()
    watch = watch_of(host, service)
    await asyncio.sleep(1)
    known = watch.groups[1]
    watch.set_groups(host.node._groups)
    assert watch.groups[1] is known
    group, _ = host.node._groups[0]
    watch.set_groups([(group, make_host("b", 2).driver)])
    assert watch.groups[1] is not known
    watch.close()


async def test_an_address_that_names_no_interface_is_asked(make_host: MakeHost) -> None:
    """Of the IP version in which the members report, if there is one; a link-local one cannot be connected to."""
    for virtual_ips, expected in (
        (("fd00::3/64", "10.0.0.3/24"), "10.0.0.3"),
        (("fe80::3/64", "fd00::3/64"), "fd00::3"),
        (("fe80::3/64",), None),
    ):
        group = make_host("a", 1, virtual_ips=virtual_ips).node.settings.groups[0]
        found = probed_address(group)
        assert found == (expected and ip_interface(expected).ip)
