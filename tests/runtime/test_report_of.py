"""What a node says of itself."""

from __future__ import annotations

import asyncio

import pytest

from tests.runtime.world import MakeHost
from wsa_proxy.members.values import SECONDS_MAX
from wsa_proxy.runtime import report_of
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import SelfTestResult

KEYS = [b"k" * 32, b"l" * 32]


def test_a_proof_is_the_newest_test_that_a_client_would_feel() -> None:
    """None yet counts as now (the node would not take part); a hard failure is no proof at all."""
    tests = (
        SelfTestResult("get regular", True, "", 0.01, 7.0),
        SelfTestResult("connect", True, "", 0.01, 5.0),
        SelfTestResult("listener", True, "", 0.01, 9.9),
        SelfTestResult("get socks5", False, "no answer", 0.01, 9.0),
    )
    assert report_of.proven_s(Health(None, None, tests), 10.0) == 3.0
    assert report_of.proven_s(Health(None, None), 10.0) == 0.0
    assert report_of.proven_s(Health("dead", None, tests), 10.0) == SECONDS_MAX
    assert report_of.proven_s(Health(None, "sick", tests[2:]), 10.0) == SECONDS_MAX, "all that were made have failed"


async def test_what_must_be_equal_shows_no_secret(make_host: MakeHost) -> None:
    """Of secrets a fingerprint that only who has the first one can make; the order of the others does not matter."""
    host = make_host("a", 1, pass_phrases=(b"one good phrase", b"and another"))
    (group,) = host.node.settings.groups
    facts = ProxyFacts(ca="c0ffee", options={"mode": "regular"}, secret_options={"proxyauth": "user:word"})
    told = report_of.shared_settings(group, host.node.settings, KEYS, facts)
    assert told["virtual_ip"] == "10.0.0.3/24" and told["ca"] == "c0ffee" and told["mode"] == "regular"
    assert not {"user:word", "one good phrase", "and another"} & set(told.values())
    assert len(told["proxyauth"]) == 12 and len(told["secrets"]) == 2 * 12 + 2
    other = report_of.shared_settings(group, host.node.settings, [KEYS[1], KEYS[0]], facts)
    assert other["proxyauth"] != told["proxyauth"]


async def test_who_serves_is_looked_up(make_host: MakeHost) -> None:
    """Master, with the address in the kernel, and a proof that is not old."""
    host = make_host("a", 1)
    (group,) = host.node.settings.groups
    await host.start()
    assert not report_of.serves(host.driver, group, host.node.health, host.loop.time())
    await asyncio.sleep(4)
    assert report_of.serves(host.driver, group, host.node.health, host.loop.time())
    old = Health(None, None, (SelfTestResult("get regular", True, "", 0.0, host.loop.time() - 2.6),))
    assert not report_of.serves(host.driver, group, old, host.loop.time())
    host.leases_until_s[1] = 0.0
    assert not report_of.serves(host.driver, group, host.node.health, host.loop.time())


async def test_a_demoted_node_says_why(make_host: MakeHost) -> None:
    """All names that demote, and what stands in its way."""
    host = make_host("a", 1)
    (group,) = host.node.settings.groups
    await host.start()
    host.node.operator.demote("kernel update")
    said = report_of.says(host.driver, group)
    assert (said["health"], said["demotion"]) == ("soft", 1)
    assert said["reasons"] == ("demoted by the operator: kernel update",)
    host.set_link(running=False)
    await asyncio.sleep(0.1)
    said = report_of.says(host.driver, group)
    assert said["health"] == "hard" and said["reasons"][0] == "eth0 is down"


async def test_what_was_not_listened_for_was_not_missed(make_host: MakeHost) -> None:
    """A backup counts from its beginning, or from the last advertisement that it believed."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    await a.start()
    await asyncio.sleep(8)

    def missed_s() -> float:
        said: float = report_of.says_now(b.driver, b.node.health, b.loop.time())["advertisement_s"]
        return said

    a.lan.carries_advertisement = lambda sender, receiver: False
    await b.start()
    await asyncio.sleep(0.5)
    assert missed_s() == pytest.approx(0.5, abs=0.1)
    a.lan.carries_advertisement = lambda sender, receiver: True
    await asyncio.sleep(1.5)
    assert missed_s() <= 1.1
