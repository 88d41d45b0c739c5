"""What is advertised, compared with what the file and the running node say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wsa_proxy.cli.group_verdict import report
from wsa_proxy.watch.audition import Audition
from wsa_proxy.watch.audition import Speaker

A = Speaker("10.0.0.1", 4, "02:00:00:00:00:0a", False, True, True, "valid", "", "255", 1.0, 3)
HERE = replace(A, source="10.0.0.2", mac="02:00:00:00:00:0b", is_here=True, priority="200", interval_s=1.215)
STRANGER = replace(A, source="10.0.0.9", is_believed=False, word="bad_secret", why="signed with another secret")
BACKUP: dict[str, Any] = {
    "state": "backup", "age_s": 100.0, "reason": "better_advertisement_received", "evidence": "from=10.0.0.1",
    "obstacles": {}, "last_master": "10.0.0.1", "priority": 200, "demotion": 0, "preemption": {"waits_s": None},
}  # fmt: skip
MASTER = BACKUP | {"state": "master", "reason": "master_silent", "evidence": "silent_s=3.2", "last_master": None}


def verdict(*speakers: Speaker, group: dict[str, Any] | None = None, preempts: bool = True) -> tuple[str, bool]:
    """The last lines, from the verdict on."""
    lines, is_right = report(Audition(1, "proxy.example.com", "eth0", 3.2, speakers), group, preempts=preempts)
    begin = next(n for n, line in enumerate(lines) if line.startswith(("as it should", "NOT")))
    return "\n".join(lines[begin:]), is_right


def test_all_is_told_before_it_is_judged() -> None:
    """Who was heard, what is made of it, and what the node says of itself."""
    left = replace(A, source="10.0.0.4", advertises=False, priority="")
    lines, is_right = report(Audition(1, "proxy.example.com", "eth0", 3.2, (A, left)), BACKUP, preempts=True)
    assert is_right and lines == [
        "group 1 proxy.example.com on eth0, listened for 3.2 s",
        "  10.0.0.1 (02:00:00:00:00:0a), priority 255, every 1 s, 3 heard, valid",
        "  10.0.0.4 (02:00:00:00:00:0a), has stopped, 3 heard, valid",
        "  the running node says: BACKUP, better_advertisement_received from=10.0.0.1",
        "as it should be: 10.0.0.1 advertises, and nobody else",
    ]


def test_one_node_in_both_ip_versions_is_one() -> None:
    both = (HERE, replace(HERE, source="fe80::2", version=6))
    assert verdict(*both, group=MASTER) == (
        "as it should be: 10.0.0.2 (fe80::2) advertises, and nobody else",
        True,
    )


RIGHT = [((A,), None), ((A,), BACKUP), ((HERE,), MASTER), ((HERE,), None)]
WRONG: list[tuple[tuple[Speaker, ...], dict[str, Any] | None, str]] = [
    ((), None, "no node advertises that this file believes"),
    ((replace(A, advertises=False),), None, "no node advertises that this file believes"),
    ((A, HERE), MASTER, "10.0.0.1 and 10.0.0.2 all advertise: each is master"),
    ((A, STRANGER), BACKUP, "10.0.0.9 advertises and is not believed: signed with another secret"),
    ((A,), MASTER, "the running node says that it is master, and does not advertise"),
    ((HERE,), BACKUP, "this host advertises, and its node says that it is backup"),
    ((A,), BACKUP | {"last_master": "10.0.0.7"}, "the running node follows 10.0.0.7, and not 10.0.0.1"),
    ((A,), BACKUP | {"age_s": 1.0}, "the running node became BACKUP meanwhile, 1.0 s ago: test again"),
    (
        (A,),
        BACKUP | {"state": "init", "obstacles": {"link": "eth0 is down"}},
        "takes no part in the group: eth0 is down",
    ),
    ((replace(A, priority="100"),), BACKUP, "priority 200 here is greater than 100: this node should be master"),
]


@pytest.mark.parametrize(("speakers", "group"), RIGHT)
def test_as_it_should_be(speakers: tuple[Speaker, ...], group: dict[str, Any] | None) -> None:
    text, is_right = verdict(*speakers, group=group)
    assert is_right and text.count("\n") == 0


@pytest.mark.parametrize(("speakers", "group", "said"), WRONG)
def test_not_as_it_should_be(speakers: tuple[Speaker, ...], group: dict[str, Any] | None, said: str) -> None:
    """Each is said, and nothing beside it."""
    text, is_right = verdict(*speakers, group=group)
    assert not is_right and said in text and text.count("\n") == 1, text


@pytest.mark.parametrize(
    ("changes", "preempts"), [({}, False), ({"demotion": 1}, True), ({"preemption": {"waits_s": 3.0}}, True)]
)
def test_a_better_node_that_is_held_back_is_right(changes: dict[str, Any], preempts: bool) -> None:
    """Non-preemptive, demoted, or waiting: so it was ordered."""
    _, is_right = verdict(replace(A, priority="100"), group=BACKUP | changes, preempts=preempts)
    assert is_right
