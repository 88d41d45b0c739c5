"""What a person reads of a status document."""

from __future__ import annotations

from typing import Any

import pytest

from tests.test_carry_text import BUSY
from tests.test_carry_text import QUIET
from wsa_proxy.status_text import _duration
from wsa_proxy.status_text import is_well
from wsa_proxy.status_text import maintenance_lines
from wsa_proxy.status_text import status_text

STATUS: dict[str, Any] = {
    "schema": 1,
    "node": "a",
    "version": "0.1.0",
    "pid": 4711,
    "guardian": {"pid": 4712, "stall_limit_s": 1.0},
    "failover_handling": "preemptive",
    "started_at": "2026-01-01T00:00:00+00:00",
    "loop_lag_s": 0.001,
    "health": {
        "hard": None,
        "soft": "no answer to GET in 2.0 s, 3 times",
        "tests": [
            {"name": "get", "passed": False, "evidence": "no answer to GET for 2.0 s", "duration_s": 2, "age_s": 0.4},
            {"name": "connect", "passed": True, "evidence": "", "duration_s": 0.1, "age_s": 4.0},
            {"name": "loop", "passed": None, "evidence": "at most 0.01 s late", "duration_s": 0.01, "age_s": 0.1},
        ],
    },
    "groups": [
        {
            "id": 1,
            "description": "",
            "hostname": "proxy.example.com",
            "virtual_ip": ["10.0.0.3/24"],
            "interface": "eth0",
            "priority": 200,
            "port": 8080,
            "state": "backup",
            "age_s": 200.0,
            "reason": "better_advertisement_received",
            "evidence": "from=10.0.0.1",
            "obstacles": {"link": "eth0 is down"},
            "virtual_ip_held": [],
            "advskew": 240,
            "demotion": 1,
            "last_master": "10.0.0.1",
            "advertisements_sent": 3,
            "advertisements_received": 90,
            "virtual_mac": {"address": "00:00:5e:00:01:01", "network": "refused"},
            "rejected": {"bad_secret": 2, "vrrp": 0, "replay": 1},
            "last_rejected": {
                "bad_secret": {"from": "10.0.0.9", "mac": "02:00:00:00:00:09", "age_s": 4.0, "hint": "it differs"},
                "replay": {"from": "10.0.0.9", "mac": "02:00:00:00:00:09", "age_s": 5.0},
            },
        }
    ],
}


def test_an_operators_demotion_is_in_the_status() -> None:
    """Who looks why the better priority does not serve finds it."""
    demoted = {"reason": "kernel update", "since": "2026-01-01T00:00:00+00:00", "age_s": 200.0}
    lines = status_text(STATUS | {"demoted_by_operator": demoted}).splitlines()
    assert "demoted by the operator for 3 min 20 s: kernel update" in lines


MAINTENANCE = {
    "reason": "kernel update",
    "since": "2026-01-01T00:00:00+00:00",
    "until": "2026-01-01T02:00:00.250000+00:00",
    "left_s": 6600.0,
}


@pytest.mark.parametrize(
    ("state", "still"), [("backup", ""), ("master", "; goes on serving group 1 until another node is well")]
)
def test_maintenance_comes_first(state: str, still: str) -> None:
    """Why, for how long still, until when; and that it serves all the same, if it does."""
    status = STATUS | {"maintenance": MAINTENANCE, "groups": [STATUS["groups"][0] | {"state": state}]}
    lines = ["in maintenance: kernel update", f"  1 h 50 min left, until 2026-01-01 02:00:00 UTC{still}"]
    assert status_text(status).splitlines()[1:4] == ["", *lines] and maintenance_lines(status) == lines


def test_no_maintenance_is_not_mentioned() -> None:
    """Unless it is asked for."""
    status = STATUS | {"maintenance": None}
    assert "maintenance" not in status_text(status) and "maintenance" not in status_text(STATUS)
    assert maintenance_lines(status) == maintenance_lines(STATUS) == ["not in maintenance"]


AWAY = {"to": "c", "since": "2026-01-01T00:00:00+00:00", "only": True}
B: dict[str, Any] = {"node": "b", "address": "10.0.0.2", "state": "backup", "priority": 200, "age_s": 0.4}
B |= {"is_fresh": True, "is_ready": True, "not_ready": [], "switched_away": AWAY}
MEMBERS = {
    "reports": "sent",
    "redundancy": {"healthy_standbys": 1, "lost_s": None, "why": None},
    "findings": [],
    "switched_away": AWAY,
    "list": [B],
}


def test_a_node_that_was_switched_away_says_so() -> None:
    """Here and on the others; a node of an earlier version says nothing of it."""
    lines = status_text(STATUS | {"groups": [STATUS["groups"][0] | {"members": MEMBERS}]}).splitlines()
    sentence = "switched away by the operator to c since 2026-01-01T00:00:00+00:00"
    assert f"  {sentence}" in lines
    assert f"  member b 10.0.0.2  BACKUP  priority 200  ready; {sentence}  heard 0.4 s ago" in lines
    earlier = MEMBERS | {"list": [{name: value for name, value in B.items() if name != "switched_away"}]}
    del earlier["switched_away"]
    assert "switched away" not in status_text(STATUS | {"groups": [STATUS["groups"][0] | {"members": earlier}]})


def test_of_a_silent_member_its_age_is_told_once_and_no_switch() -> None:
    """What it held to is over: another life of it is not bound."""
    silent = B | {"is_fresh": False, "is_ready": False, "not_ready": ["last heard 10.0 s ago"], "age_s": 10.0}
    members = MEMBERS | {"list": [silent]}
    lines = status_text(STATUS | {"groups": [STATUS["groups"][0] | {"members": members}]}).splitlines()
    assert "  member b 10.0.0.2  UNKNOWN  priority 200  last heard 10.0 s ago" in lines


@pytest.mark.parametrize(("names", "well"), [(["switch"], True), (["switch", "proxy"], False)])
def test_it_is_well_unless_something_else_demotes_it(names: list[str], well: bool) -> None:
    """The operator wanted it so."""
    demoted_by = dict.fromkeys(names, "a reason")
    group = STATUS["groups"][0] | {"obstacles": {}, "demotion": 1, "demoted_by": demoted_by, "members": MEMBERS}
    health: dict[str, Any] = {"hard": None, "soft": None, "tests": []}
    assert is_well(STATUS | {"groups": [group], "health": health}) is well


@pytest.mark.parametrize(
    ("preemption", "line"),
    [
        (
            {"waits_s": 7.23, "delay_s": 8.0, "role_changes": 3},
            "  preempts in 7.2 s of 8 s: 3 role changes in quick succession (wsa-proxy preempt: at once)",
        ),
        (
            {"waits_s": 0.5, "delay_s": 2.5, "role_changes": 1},
            "  preempts in 0.5 s of 2.5 s: preempt_delay (wsa-proxy preempt: at once)",
        ),
        ({"waits_s": None, "delay_s": 2.5, "role_changes": 1}, None),
    ],
)
def test_a_wait_before_a_preemption_is_in_the_status(preemption: dict[str, Any], line: str | None) -> None:
    """How long still, why, and what ends it; nothing where nothing is waited for."""
    group = STATUS["groups"][0] | {"preemption": preemption}
    lines = status_text(STATUS | {"groups": [group]}).splitlines()
    assert [each for each in lines if "preempts in" in each] == ([line] if line else [])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (3600, "1 h 0 min"), (90000, "1 d 1 h")],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    """Two units, never more."""
    assert _duration(seconds) == text


def test_whether_the_virtual_ip_answers_and_what_the_last_outage_was() -> None:
    """Each with its age."""
    service = {"answers": True, "ms": 1.25, "age_s": 0.4, "address": "10.0.0.3:8080", "evidence": ""}
    outage = {"at": "", "ms_min": 25.2, "ms_max": 35.0, "how": "asked from the promotion on", "age_s": 200.0}
    group = STATUS["groups"][0] | {"service": service, "last_outage": outage}
    lines = status_text(STATUS | {"groups": [group]}).splitlines()
    assert "  service: 10.0.0.3:8080 answers in 1.2 ms, asked 0.4 s ago" in lines
    assert "  last outage: 25 to 35 ms, 3 min 20 s ago (asked from the promotion on)" in lines
    silent = service | {"answers": False, "ms": None, "evidence": "timed out"}
    lines = status_text(STATUS | {"groups": [group | {"service": silent, "last_outage": None}]}).splitlines()
    assert "  service: 10.0.0.3:8080 DOES NOT ANSWER, asked 0.4 s ago" in lines
    assert not any("last outage" in line for line in lines)


def test_where_a_browser_finds_the_page_and_the_pac_file() -> None:
    """At the end; a page that cannot be served has a warning instead."""
    admin = {"url": "http://127.0.0.1:8112/", "trouble": None}
    more: dict[str, Any] = {"admin": admin, "pac": {"url": "http://10.0.0.3:8080/proxy.pac", "served": 7}}
    lines = status_text(STATUS | more).splitlines()
    assert lines[-2:] == ["page: http://127.0.0.1:8112/", "PAC file: http://10.0.0.3:8080/proxy.pac, served 7 times"]
    more = {"admin": admin | {"trouble": "address in use"}, "pac": None}
    assert "page: " not in status_text(STATUS | more)


def test_what_becomes_of_open_connections() -> None:
    """A line for each thing that happens to them, none while they are where they began."""
    there: dict[str, Any] = STATUS["groups"][0] | {"members": MEMBERS}
    lines = status_text(STATUS | {"groups": [there | {"carry": BUSY}]}).splitlines()
    first = lines.index("  finishes 12 connections that it had as master, 43 s left")
    assert lines[first + 1 : first + 4] == [
        "  steers 1 connection to node a",
        "  steers 0 connections to node c",
        "  told 200 clients of node a that their connections are gone, 12.0 s ago",
    ]
    assert status_text(STATUS | {"groups": [there | {"carry": QUIET}]}) == status_text(STATUS | {"groups": [there]})


def test_a_switch_that_would_cut_them() -> None:
    """Before it is ordered."""
    carry = QUIET | {"why_not": "node b cannot steer: old"}
    master: dict[str, Any] = STATUS["groups"][0] | {"members": MEMBERS, "state": "master", "carry": carry}
    lines = status_text(STATUS | {"groups": [master]}).splitlines()
    assert "  a switch would cut open connections: node b cannot steer: old" in lines
