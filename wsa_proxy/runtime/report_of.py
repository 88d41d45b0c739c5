"""What this node says of itself in the report of one group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wsa_proxy import __version__
from wsa_proxy.carp import election
from wsa_proxy.carp.commands import State
from wsa_proxy.members import equal
from wsa_proxy.members.cipher import fingerprint
from wsa_proxy.members.values import SECONDS_MAX
from wsa_proxy.runtime.demotions import SWITCH
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.health import Health
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

PROVEN_S = 2.5
"""A self-test that passed within so long, or an advertisement interval if that is longer, shows that a proxy serves:
they are made once a second, and take a moment."""


def shared_settings(
    group: GroupSettings, settings: Settings, keys: Sequence[bytes], facts: ProxyFacts
) -> dict[str, str]:
    """What must be equal, by name (``members/equal.py``). ``keys`` are those of its pass phrases, in their order."""
    # Each with its own key, so that the same list in another order, as in the middle of a change, is the same.
    several = zip(keys, group.pass_phrases, strict=True) if len(keys) > 1 else ()
    secrets = sorted(fingerprint(key, phrase) for key, phrase in several)
    values = {
        "id": str(group.vhid),
        equal.VIRTUAL_IP: equal.short(equal.addresses_text(group.virtual_ips), equal.ADDRESSES_CHARACTERS_MAX),
        "hostname": group.hostname,
        "secrets": ", ".join(secrets),
        "failover_handling": "preemptive" if settings.preempt else "non-preemptive",
        "advertisement_interval": f"{group.advertisement_interval_s:g} s",
        equal.SECURITY: ", ".join(group.security),
        equal.ADVERTISING: "unicast" if group.peers else "multicast",
        "mac": "virtual" if group.virtual_mac else "interface",
        "port": str(group.port),
        equal.CA: facts.ca,
    }
    options = {name: equal.short(value) for name, value in facts.options.items()}
    hidden = {name: fingerprint(keys[0], value.encode()) for name, value in facts.secret_options.items()}
    return {name: value for name, value in values.items() if value} | options | hidden


def proven_s(health: Health, now_s: float) -> float:
    """How long ago a client of this proxy was answered last, as far as its self-tests know: of each the newest result.
    Where none is made nothing speaks against it."""
    tests = [test for test in health.tests if test.name.startswith(("get", "connect"))]
    passed = [test.finished_at_s for test in tests if test.passed]
    if health.hard is not None or (tests and not passed):
        return SECONDS_MAX
    return max(0.0, now_s - max(passed)) if passed else 0.0


def standing(driver: Driver) -> tuple[object, ...]:
    """All that ``says`` tells of the driver: the same until that changes."""
    host = driver.virtual_host
    reasons = (*driver.obstacles.values(), *driver.demotions.reasons.values())
    return host.state, host.settings, host.advskew, host.demotion, reasons


def says(driver: Driver, group: GroupSettings) -> dict[str, Any]:
    """The part of a report that follows from the driver's state, and stays until that changes."""
    host = driver.virtual_host
    reasons = [*driver.obstacles.values(), *driver.demotions.reasons.values()]
    return {
        "state": host.state.value,
        "priority": group.priority,
        "advbase": host.settings.advbase,
        "advskew": host.advskew,
        "demotion": host.demotion,
        "health": "hard" if driver.obstacles else "soft" if driver.demotions.beside([SWITCH]) else "well",
        "reasons": tuple(dict.fromkeys(reasons)),
        "interval_s": report_interval_s(group),
    }


def says_now(driver: Driver, health: Health, now_s: float) -> dict[str, Any]:
    """The part that is another one each time."""
    record = driver.record
    # What was not listened for was not missed: a node that has just become backup has missed nothing.
    missed_since_s = record.since_s if record.heard_at_s is None else max(record.since_s, record.heard_at_s)
    return {
        "holds": driver.is_master and driver.ports is not None,
        "proven_s": proven_s(health, now_s),
        "advertisement_s": now_s - missed_since_s,
    }


def report_interval_s(group: GroupSettings) -> float:
    """Between two reports: the advertisement interval, without the share of it that is the node's own."""
    return max(group.advertisement_interval_s, 1 / 256)


def serves(driver: Driver, group: GroupSettings, health: Health, now_s: float) -> bool:
    """Looked up now: it is master, the kernel has all its virtual IPs, and its proxy has shown that it answers."""
    host = driver.virtual_host
    if host.state is not State.MASTER or driver.ports is None:
        return False
    limit_s = max(election.interval_s(host.settings.advbase, host.advskew), PROVEN_S)
    if proven_s(health, now_s) > limit_s:
        return False
    try:
        return frozenset(group.addresses) <= driver.ports.addresses.held()
    except OSError:
        return False


def versions(facts: ProxyFacts) -> dict[str, str]:
    """Of this product, and of what the proxy side knows."""
    return {"wsa-proxy": __version__, **facts.versions}
