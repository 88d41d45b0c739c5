"""Documents as a node answers them, for the fake node and the screenshots: made by hand, of the shape of real ones."""

from __future__ import annotations

import copy
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

from tests.test_carry_text import QUIET

type Document = dict[str, Any]

NOW = datetime(2026, 3, 14, 2, 41, 7, tzinfo=UTC)
"""When the documents say that they were made, where nothing else is asked for."""


def ago(seconds: float, now: datetime = NOW) -> str:
    return (now - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def health_test(name: str, *, passed: bool | None = True, evidence: str = "", age_s: float = 0.1) -> Document:
    return {
        "name": name,
        "passed": passed,
        "evidence": evidence,
        "duration_s": 0.0012,
        "age_s": age_s,
        "limit": 2.0,
        "rise": 2,
        "fall": 2,
    }


def member(node: str, address: str, state: str, priority: int) -> Document:
    return {
        "node": node,
        "life": node.encode().hex().ljust(16, "0"),
        "address": address,
        "group": 1,
        "state": state,
        "health": "well",
        "reasons": [],
        "priority": priority,
        "demotion": 0,
        "versions": {"wsa-proxy": "0.1.0", "mitmproxy": "12.2.3", "python": "3.13.0"},
        "clock_offset_s": -0.001,
        "age_s": 0.2,
        "is_fresh": True,
        "hears_us": True,
        "left": False,
        "mismatches": [],
        "is_ready": True,
        "not_ready": [],
        "maintenance": None,
        "switched_away": None,
    }


def members(*others: Document) -> Document:
    return {
        "reports": "sent",
        "port": 8112,
        "life": "ef62abaa96878474",
        "sent": 19,
        "unread": {"malformed": 0, "bad_secret": 0},
        "redundancy": {"healthy_standbys": 1, "lost_s": None, "why": None},
        "findings": [],
        "switched_away": None,
        "list": list(others),
    }


def group(state: str = "master", vhid: int = 1) -> Document:
    """Of node a, or of node b when it is backup."""
    is_master = state == "master"
    other = member("b", "10.0.0.2", "backup", 200) if is_master else member("a", "10.0.0.1", "master", 255)
    return {
        "id": vhid,
        "description": "Proxy of the example network",
        "hostname": "proxy.example.com",
        "virtual_ip": ["10.0.0.3/24"],
        "interface": "eth0",
        "priority": 255 if is_master else 200,
        "port": 8080,
        "advertisement_interval_s": 1,
        "master_down_interval_s": 3.0,
        "state": state,
        "since": ago(8000),
        "age_s": 8000.0,
        "reason": "preempted_inferior_master" if is_master else "ready",
        "evidence": "last_master=10.0.0.2" if is_master else "",
        "obstacles": {},
        "virtual_ip_held": ["10.0.0.3"] if is_master else [],
        "advskew": 0 if is_master else 55,
        "demotion": 0,
        "demoted_by": {},
        "preemption": {"waits_s": None, "delay_s": 0.0, "role_changes": 0},
        "last_master": None if is_master else "10.0.0.1",
        "advertisements_sent": 8007,
        "advertisements_received": 3,
        "security": ["sealed"],
        "peers": [],
        "rejected": {"bad_secret": 0, "echo": 0, "duplicate": 2, "replay": 0, "vrrp": 0},
        "last_rejected": {},
        "transitions": [],
        "virtual_mac": {"address": "00:00:5e:00:01:01", "network": "unknown"},
        "carry": dict(QUIET),
        "members": members(other),
        "last_outage": {"at": ago(8000), "ms_min": 11.0, "ms_max": 14.0, "how": "bow-out heard", "age_s": 8000.0},
        "service": {"answers": True, "ms": 2.8, "age_s": 0.4, "address": "10.0.0.3:8080", "evidence": ""},
    }


def status(*groups: Document, node: str = "a") -> Document:
    """Everything is well, unless the groups say otherwise."""
    tests = [
        health_test("listener"),
        health_test("loop", passed=None, evidence="at most 0.001 s late within the last second"),
        health_test("addons"),
        health_test("held"),
        health_test("descriptors"),
        health_test("get regular"),
        health_test("connect", age_s=3.1),
    ]
    return {
        "schema": 1,
        "node": node,
        "version": "0.1.0",
        "pid": 612,
        "guardian": {"pid": 618, "stall_limit_s": 1.0},
        "failover_handling": "preemptive",
        "started_at": ago(90000),
        "loop_lag_s": 0.0011,
        "health": {"hard": None, "soft": None, "tests": tests},
        "demoted_by_operator": None,
        "maintenance": None,
        "groups": list(groups),
        "history": {"trouble": None, "events": 5},
        "notify": {"failed": 0, "last_failure": None},
        "admin": {"url": "http://127.0.0.1:8112/", "trouble": None},
    }


def lost(document: Document) -> Document:
    """The same node when its only standby has died and the network has troubles of its own."""
    wrong = copy.deepcopy(document)
    first = wrong["groups"][0]
    first["members"]["redundancy"] = {"healthy_standbys": 0, "lost_s": 192.4, "why": "b: last heard 194.1 s ago"}
    other = first["members"]["list"][0]
    other |= {"age_s": 194.1, "is_fresh": False, "is_ready": False, "not_ready": ["last heard 194.1 s ago"]}
    first["rejected"]["vrrp"] = 41
    first["last_rejected"]["vrrp"] = {
        "from": "10.0.0.77",
        "mac": "00:00:5e:00:01:01",
        "age_s": 0.8,
        "hint": "a VRRP version 2 speaker (keepalived, a router) uses the same id on this LAN: give one another id",
    }
    wrong["notify"] = {"failed": 2, "last_failure": "exit status 3: mail: connection refused"}
    return wrong


def event(number: int, seconds_ago: float, old: str, new: str, now: datetime = NOW, **more: Any) -> Document:
    return {
        "number": number,
        "at": ago(seconds_ago, now),
        "node": "a",
        "group": 1,
        "from": old,
        "to": new,
        "reason": "ready",
        "evidence": "",
        "sentence": f"this node is {new}",
        "who": "",
        "outage": None,
        "boot": "b1",
        "life": "l1",
    } | more


def history(now: datetime = NOW) -> list[Document]:
    """The newest first: a switch to b by the page and back, then a kill of b's proxy."""
    bowed_out = {"reason": "master_bowed_out", "evidence": "silent_s=0.00 last_master=10.0.0.2"}
    killed = {"ms_min": 11.0, "ms_max": 14.0, "how": "bow-out heard; the virtual IP answered 14 ms later"}
    switched = {"ms_min": 0.0, "ms_max": 9.0, "how": "probed every 10 ms while it moved"}
    ordered = {"reason": "better_advertisement_received", "who": "operator (page)", "outage": switched}
    return [
        event(5, 520, "backup", "master", now, sentence="node b died, and this node took over", outage=killed)
        | bowed_out,
        event(4, 1410, "master", "backup", now, sentence="switched to node b", **ordered),
        event(3, 2950, "backup", "master", now, sentence="the proxy is back and has the higher priority")
        | {"reason": "preempted_inferior_master"},
        event(2, 3010, "init", "backup", now, sentence="the proxy has proven that it serves"),
        event(1, 3020, "master", "init", now, sentence="the proxy did not answer for 2.1 s") | {"reason": "proxy"},
    ]


def history_of_backup(now: datetime = NOW) -> list[Document]:
    """Of node b: it served while node a was killed, and was restarted since."""
    started = event(4, 1200, "", "started", now, sentence="Node b has started.", group=0)
    better = {"reason": "better_advertisement_received", "evidence": "from=10.0.0.1"}
    outage = {"ms_min": 14.0, "ms_max": 17.0, "how": "bow-out heard; the virtual IP answered 17 ms later"}
    return [
        event(5, 1199, "init", "backup", now, sentence="Node b became BACKUP of group 1: it takes part again."),
        started,
        event(3, 1260, "", "stopped", now, sentence="Node b has stopped.", group=0),
        event(2, 2950, "master", "backup", now, sentence="Node b became BACKUP of group 1: a better master was heard.")
        | better,
        event(1, 3020, "backup", "master", now, sentence="Node b became MASTER of group 1: the master gave it up.")
        | {"reason": "master_bowed_out", "evidence": "silent_s=0.00 last_master=10.0.0.1", "outage": outage},
    ]


def form(vhid: int = 1, **more: Any) -> Document:
    return {
        "id": vhid,
        "description": "Proxy of the example network",
        "hostname": "proxy.example.com",
        "virtual_ip": ["10.0.0.3/24"],
        "interface": "auto",
        "priority": 255,
        "has_secret": True,
        "advertisement_interval": 1,
        "editable": True,
    } | more


def configuration(*forms: Document, changes: list[str] | None = None, diff: str = "") -> Document:
    return {
        "file": "/etc/wsa-proxy/node.yaml",
        "writable": True,
        "why_not": None,
        "interfaces": [
            {"name": "eth0", "addresses": ["10.0.0.1/24", "fd00:77::1/64"]},
            {"name": "eth1", "addresses": ["192.168.7.2/24"]},
        ],
        "failover_handling": "preemptive",
        "groups": list(forms),
        "revision": "r1",
        "pending": {"changes": changes or [], "diff": diff},
    }


DIFF = """--- /etc/wsa-proxy/node.yaml
+++ /etc/wsa-proxy/node.yaml
@@ -8,5 +8,12 @@
     advertisement_interval: 1
     mac: virtual
+  - id: 2
+    description: Proxy of the guests
+    hostname: guests.example.com
+    virtual_ip: 10.0.0.4/24
+    interface: auto
+    priority: 200
+    shared_secret: (hidden)
"""
