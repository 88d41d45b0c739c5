"""The status document: complete, honest about what it cannot know, and valid JSON."""

from __future__ import annotations

import asyncio
import errno
import json

import pytest

from tests.runtime.world import MakeHost
from wsa_proxy import __version__
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import Limits
from wsa_proxy.status_warnings import status_warnings

GROUP_KEYS = {
    "id", "description", "hostname", "virtual_ip", "interface", "priority", "port", "advertisement_interval_s",
    "master_down_interval_s", "state", "since", "age_s", "reason", "evidence", "obstacles", "virtual_ip_held",
    "advskew", "demotion", "last_master", "advertisements_sent", "advertisements_received", "rejected", "transitions",
    "lease_age_s", "transition_counts",
    "security", "peers", "last_rejected", "virtual_mac", "preemption", "demoted_by", "members",
    "service", "last_outage", "carry",
}  # fmt: skip


async def test_a_group_has_all_its_keys_and_no_secret(make_host: MakeHost) -> None:
    """Whoever reads it finds the same keys in every state, and never the Shared Secret."""
    host = make_host("a", 1, pass_phrases=(b"very secret word",))
    await host.start()
    status = host.node.status()
    assert set(status["groups"][0]) == GROUP_KEYS
    assert "very secret" not in json.dumps(status)
    assert (status["schema"], status["version"]) == (1, __version__)


async def test_what_the_kernel_holds_is_asked_and_may_be_unknown(make_host: MakeHost) -> None:
    """Never what we believe to hold: an error is null, not an empty list."""
    host = make_host("a", 1)
    await host.start()
    await asyncio.sleep(3.5)
    assert host.node.status()["groups"][0]["virtual_ip_held"] == ["10.0.0.3"]
    host.leases_until_s[1] = 0.0
    assert host.node.status()["groups"][0]["virtual_ip_held"] == []
    assert host.ports is not None

    def fail() -> frozenset[None]:
        raise OSError(errno.EPERM, "refused")

    host.ports.addresses.held = fail  # type: ignore[assignment,method-assign]
    assert host.node.status()["groups"][0]["virtual_ip_held"] is None


async def test_the_master_a_backup_listens_to_is_named(make_host: MakeHost) -> None:
    """And a master names none: it is the master."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(3.5)
    assert a.node.status()["groups"][0]["last_master"] is None
    assert b.node.status()["groups"][0]["last_master"] == "10.0.0.1"


async def test_who_was_not_believed_last_is_named(make_host: MakeHost) -> None:
    """With its hardware address, when, and what it means; so a plain CARP speaker in a sealed group is found."""
    a, b = make_host("a", 1, security=("sealed",)), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(10)
    group = a.node.status()["groups"][0]
    assert group["security"] == ["sealed"] and group["rejected"]["plain_member"] > 0
    assert group["last_rejected"]["plain_member"].items() >= {"from": b.address, "mac": b.mac}.items()
    assert 0 <= group["last_rejected"]["plain_member"]["age_s"] < 2
    assert "security must be the same" in group["last_rejected"]["plain_member"]["hint"]


async def test_test_results_carry_their_age(make_host: MakeHost) -> None:
    """A result without an age would stay green for ever."""
    host = make_host("a", 1)
    await host.start()
    result = SelfTestResult(
        "get regular", False, "no answer to GET for 2.0 s, limit 2.0", 2.0, 1000.0, Limits(2.0, 3, 4)
    )
    shown = SelfTestResult("loop", passed=None, evidence="at most 0.1 s late", duration_s=0.1, finished_at_s=1001.5)
    host.node.set_health(Health(hard=None, soft="no answer to GET, 4 times", tests=(result, shown)))
    await asyncio.sleep(1.5)
    health = host.node.status()["health"]
    assert health["tests"][0]["age_s"] == 1.5 and health["tests"][0]["passed"] is False
    assert [health["tests"][0][key] for key in ("limit", "rise", "fall")] == [2.0, 3, 4]
    assert health["tests"][1]["passed"] is None and health["tests"][1]["limit"] is None
    assert host.node.status()["groups"][0]["demotion"] == 1


async def test_why_a_node_is_out_is_listed(make_host: MakeHost) -> None:
    """All obstacles at once, not only the first."""
    host = make_host("a", 1)
    await host.start()
    host.node.set_health(Health(hard="the listening socket is gone", soft=None))
    host.set_link(running=False)
    await asyncio.sleep(0.01)
    assert host.node.status()["groups"][0]["obstacles"] == {
        "proxy": "the listening socket is gone",
        "link": "eth0 is down",
    }


async def test_an_interval_below_one_second_is_told_in_seconds(make_host: MakeHost) -> None:
    """0/14 is what travels; 0.05 s is what the operator wrote, with a priority of 254."""
    host = make_host("a", 1, advbase=0, advskew=14, priority=254)
    await host.start()
    group = host.node.status()["groups"][0]
    assert group["advertisement_interval_s"] == 13 / 256 and group["master_down_interval_s"] == 42 / 256


async def test_transitions_are_counted_by_a_word(make_host: MakeHost) -> None:
    """The reason of an obstacle is a sentence, with names in it: what is counted is the obstacle's name."""
    host = make_host("a", 1)
    await host.start()
    for reason in ("no listener", "no descriptors"):
        await asyncio.sleep(3.5)
        host.node.set_health(Health(hard=reason, soft=None))
        host.node.set_health(Health(hard=None, soft=None))
    counts = host.node.status()["groups"][0]["transition_counts"]
    assert {(each["from"], each["to"], each["reason"]): each["count"] for each in counts} == {
        ("init", "backup", "ready"): 3,
        ("backup", "master", "master_silent"): 2,
        ("master", "init", "proxy"): 2,
    }


async def test_the_lease_has_its_age_where_it_is(make_host: MakeHost) -> None:
    """It grows while the loop stands still; who has no lease has no age of it."""
    a, b = make_host("a", 1), make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(4.1)
    assert 0 <= a.node.status()["groups"][0]["lease_age_s"] <= 0.25
    assert b.node.status()["groups"][0]["lease_age_s"] is None
    a.beat()
    a.loop.now += 0.7
    assert a.node.status()["groups"][0]["lease_age_s"] == 0.7


async def test_what_is_wrong_is_part_of_the_document(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same list that a reader would make of it, of the keys that others add as well."""
    host = make_host("a", 1)
    await host.start()
    host.set_link(running=False)
    history = host.node.chronicle.history
    monkeypatch.setattr(history, "status", lambda: {"trouble": "the disk is full", "events": 7})
    await asyncio.sleep(0.01)
    status = host.node.status()
    assert status["warnings"] == status_warnings(status)
    told = [(each["kind"], each["group"]) for each in status["warnings"]]
    assert ("group_out", 1) in told and ("history_trouble", None) in told
