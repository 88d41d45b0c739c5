"""The one JSON document about this node, behind the command line, the lab and the mitmproxy command."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wsa_proxy import __version__
from wsa_proxy.carp import election
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.net.ports import LeasePort
from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.net.virtual_interface import virtual_mac
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.record import Record
from wsa_proxy.runtime.record import Transition
from wsa_proxy.runtime.record import hint
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

SCHEMA = 1


def node_status(
    settings: Settings,
    groups: Collection[tuple[GroupSettings, Driver]],
    leases: LeasePort | None,
    health: Health,
    mac_verdict: Callable[[str], MacVerdict],
    members: Callable[[int], dict[str, Any]],
    *,
    operator: dict[str, Any] | None,
    maintenance: dict[str, Any] | None,
    guardian: int | None,
    stall_limit_s: float,
    started_at: datetime,
    loop_lag_s: float,
    now: float,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """The document but for its warnings; times in ISO 8601 UTC, ages and durations in seconds. ``more``: keys that
    others tell."""
    held = _held([driver for _, driver in groups], leases)
    return {
        "schema": SCHEMA,
        "node": settings.node,
        "version": __version__,
        "pid": os.getpid(),
        "guardian": {"pid": guardian, "stall_limit_s": stall_limit_s},
        "failover_handling": "preemptive" if settings.preempt else "non-preemptive",
        "started_at": started_at.isoformat(),
        "loop_lag_s": round(loop_lag_s, 4),
        "health": _health_status(health, now),
        "demoted_by_operator": operator,
        "maintenance": maintenance,
        "groups": [
            _group_status(group, driver, now)
            | {"virtual_ip_held": held[driver]}
            | {"virtual_mac": _virtual_mac_status(group, mac_verdict), "members": members(group.vhid)}
            for group, driver in groups
        ],
        **more,
    }


def _health_status(health: Health, now: float) -> dict[str, Any]:
    tests = [
        {
            "name": test.name,
            "passed": test.passed,
            "evidence": test.evidence,
            "duration_s": round(test.duration_s, 4),
            "age_s": round(now - test.finished_at_s, 2),
            "limit": test.limits and test.limits.limit,
            "rise": test.limits and test.limits.rise,
            "fall": test.limits and test.limits.fall,
        }
        for test in health.tests
    ]
    return {"hard": health.hard, "soft": health.soft, "tests": tests}


def _group_status(group: GroupSettings, driver: Driver, now: float) -> dict[str, Any]:
    host, record = driver.virtual_host, driver.record
    return {
        "id": group.vhid,
        "description": group.description,
        "hostname": group.hostname,
        "virtual_ip": [str(address) for address in group.virtual_ips],
        "interface": group.interface,
        "priority": group.priority,
        "port": group.port,
        "advertisement_interval_s": group.advertisement_interval_s,
        "master_down_interval_s": election.master_down_s(group.advbase, group.advskew),
        "state": host.state.value,
        "since": record.since.isoformat(),
        "age_s": round(now - record.since_s, 2),
        "reason": record.reason,
        "evidence": record.evidence,
        "obstacles": dict(driver.obstacles),
        "lease_age_s": _lease_age_s(driver, now),
        "advskew": host.advskew,
        "demotion": host.demotion,
        "demoted_by": driver.demotions.reasons,
        "preemption": _preemption_status(host, now),
        "last_master": None if host.state is State.MASTER else host.last_master,
        "advertisements_sent": record.sent,
        "advertisements_received": record.received,
        "security": list(group.security),
        "peers": [str(peer) for peer in group.peers],
        "rejected": {reject.value: count for reject, count in record.rejects.items()},
        "last_rejected": _last_rejected(record, now),
        "transitions": [_transition_status(transition) for transition in record.transitions],
        "transition_counts": _transition_counts(record),
    }


def _preemption_status(host: VirtualHost, now: float) -> dict[str, Any]:
    """``waits_s``: until an inferior master that is heard is preempted; None if there is none. The others: how long a
    wait that begins now is, and after how many role changes in quick succession."""
    waits = host.state is State.BACKUP and host.calm.waits
    return {
        "waits_s": round(max(host.calm.due_s - now, 0.0), 2) if waits else None,
        "delay_s": host.calm.delay_s(now),
        "role_changes": host.calm.role_changes(now),
    }


def _virtual_mac_status(group: GroupSettings, mac_verdict: Callable[[str], MacVerdict]) -> dict[str, Any] | None:
    """None with ``mac: interface``; ``network`` is what the interface's network does with such an address."""
    if not group.virtual_mac:
        return None
    return {"address": virtual_mac(group.vhid), "network": mac_verdict(group.interface).value}


def _transition_status(transition: Transition) -> dict[str, Any]:
    report = transition.report
    return {
        "at": transition.at.isoformat(),
        "from": report.old.value,
        "to": report.new.value,
        "reason": report.reason,
        "evidence": report.evidence,
    }


def _transition_counts(record: Record) -> list[dict[str, Any]]:
    """Since the group began here, by a word; see ``Record.transition_counts``."""
    counts = record.transition_counts.items()
    return [{"from": old, "to": new, "reason": reason, "count": count} for (old, new, reason), count in counts]


def _last_rejected(record: Record, now: float) -> dict[str, Any]:
    """By reason: the last packet that was not believed for it."""
    return {
        reject.value: {
            "from": last.source,
            "mac": last.source_mac,
            "age_s": round(now - last.at_s, 2),
            "hint": hint(reject),
        }
        for reject, last in record.last_rejected.items()
    }


def _held(drivers: Sequence[Driver], leases: LeasePort | None) -> dict[Driver, list[str] | None]:
    """What the kernel has, asked now; None when it could not be asked."""
    ports = {driver: driver.ports.addresses for driver in drivers if driver.ports is not None}
    found: dict[Driver, list[str] | None] = {driver: [] for driver in drivers}
    if leases is None or not ports:
        return found
    try:
        held = leases.held(list(ports.values()))
    except OSError:
        return found | dict.fromkeys(ports)
    return found | {driver: sorted(map(str, held[port])) for driver, port in ports.items()}


def _lease_age_s(driver: Driver, now: float) -> float | None:
    """How long ago the virtual IPs' lease was prolonged last; None while this node has none."""
    holds = driver.is_master or driver.leaving.keeps
    return round(now - driver.put_back.renewed_at_s, 3) if holds else None
