"""The status in words or as JSON, and its exit status for scripts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.test_status_text import STATUS
from wsa_proxy import cli


def test_the_status_says_what_since_when_and_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong comes first, each with what helps; of what is counted only what is not zero is listed."""
    monkeypatch.setattr("wsa_proxy.runtime.control.ask", lambda *_, **__: STATUS)
    assert cli.main(["status"]) == 3
    assert capsys.readouterr().out == (
        "node a  preemptive  wsa-proxy 0.1.0  pid 4711\n"
        "\n"
        "ERROR group 1: out because link: eth0 is down\n"
        "  fix: connect the interface: ip link set eth0 up; cable, switch port\n"
        "WARNING the proxy serves badly: no answer to GET in 2.0 s, 3 times\n"
        "  fix: see its tests; a well node serves meanwhile, if there is one\n"
        "WARNING group 1: the network seems to refuse the virtual MAC 00:00:5e:00:01:01\n"
        "  fix: allow promiscuous mode, MAC changes and forged transmits on the virtual switch, or mac: interface\n"
        "WARNING group 1: refuses advertisements (bad_secret): 2, the last 4 s ago from 10.0.0.9 (unverified),"
        " 02:00:00:00:00:09\n"
        "  fix: it differs\n"
        "NOTE group 1: refuses advertisements (replay): 1, the last 5 s ago from 10.0.0.9 (unverified),"
        " 02:00:00:00:00:09\n"
        "  fix: see the log\n"
        "\n"
        "group 1  proxy.example.com  10.0.0.3/24 port 8080  on eth0\n"
        "  BACKUP for 3 min 20 s: better_advertisement_received from=10.0.0.1\n"
        "  virtual IP held here: none    master heard: 10.0.0.1\n"
        "  priority 200 (advskew 240, demotion 1)    sent 3  received 90\n"
        "  rejected: bad_secret 2, last 4.0 s ago from 10.0.0.9 (unverified), 02:00:00:00:00:09\n"
        "  rejected: replay 1, last 5.0 s ago from 10.0.0.9 (unverified), 02:00:00:00:00:09\n"
        "\n"
        "proxy: no answer to GET in 2.0 s, 3 times\n"
        "  FAILED 0.4 s ago  get  no answer to GET for 2.0 s\n"
        "  passed 4.0 s ago  connect\n"
        "  seen   0.1 s ago  loop  at most 0.01 s late\n"
        "guardian: process 4712, gives the virtual IPs up when the proxy's loop stands still for 1 s\n"
    )


WELL = {
    **STATUS,
    "health": {"hard": None, "soft": None, "tests": []},
    "groups": [{**STATUS["groups"][0], "obstacles": {}, "demotion": 0}, {**STATUS["groups"][0], "obstacles": {}}],
}
WELL["groups"][1] |= {"state": "master", "demotion": 0}


def with_members(lost_s: float | None, *findings: str) -> list[dict[str, Any]]:
    """One group, and what its members make of each other."""
    redundancy = {"healthy_standbys": 0, "lost_s": lost_s, "why": None if lost_s is None else "b: slow"}
    members = {"reports": "sent", "port": 8112, "redundancy": redundancy, "findings": [*findings], "list": []}
    return [{**WELL["groups"][0], "members": members}]


MAINTAINED: dict[str, Any] = {"maintenance": {"reason": "x", "since": "", "until": "", "left_s": 1.0}}


@pytest.mark.parametrize(
    ("wrong", "exit_status"),
    [
        ({}, 0),
        ({"guardian": {"pid": None, "stall_limit_s": 1.0}}, 3),
        ({"health": {"hard": "not proven yet", "soft": None, "tests": []}}, 3),
        ({"health": {"hard": None, "soft": "slow", "tests": []}}, 3),
        ({"groups": [*WELL["groups"][:1], {**WELL["groups"][1], "state": "init"}]}, 3),
        ({"groups": [*WELL["groups"][:1], {**WELL["groups"][1], "demotion": 1}]}, 3),
        ({"groups": [{**WELL["groups"][0], "obstacles": {"kernel": "refused"}}, *WELL["groups"][1:]]}, 3),
        ({"groups": [{**WELL["groups"][0], "demotion": 1, "demoted_by": {"maintenance": "x"}}]}, 0),
        ({"groups": [{**WELL["groups"][0], "demotion": 1, "demoted_by": {"maintenance": "x", "sending": "y"}}]}, 3),
        ({"groups": with_members(None)}, 0),
        ({"groups": with_members(4.0)}, 3),
        ({"groups": with_members(None, "VIP 10.0.0.4/24, here 10.0.0.3/24")}, 3),
        (MAINTAINED | {"groups": with_members(4.0)}, 0),
        (MAINTAINED | {"groups": with_members(4.0, "VIP 10.0.0.4/24, here 10.0.0.3/24")}, 3),
    ],
)
def test_a_script_can_ask_whether_all_is_well(
    wrong: dict[str, Any], exit_status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every group takes part, the proxy is well, and there is a guardian; else 3, as systemctl says it. Maintenance is
    intended, and hides nothing else."""
    monkeypatch.setattr("wsa_proxy.runtime.control.ask", lambda *_, **__: WELL | wrong)
    assert cli.main(["status"]) == cli.main(["status", "--json"]) == exit_status


def test_a_node_of_an_earlier_version_has_no_guardian_to_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = {name: value for name, value in WELL.items() if name != "guardian"}
    monkeypatch.setattr("wsa_proxy.runtime.control.ask", lambda *_, **__: earlier)
    assert cli.main(["status"]) == 0


def test_the_whole_document_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts."""
    monkeypatch.setattr("wsa_proxy.runtime.control.ask", lambda *_, **__: STATUS)
    assert cli.main(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == STATUS
