"""What is told of the other members of a group."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.documents import changed
from tests.admin.documents import document
from tests.admin.scraped import of_group
from wsa_proxy.admin.member_metrics import MEMBER_STATES

MEMBER: dict[str, Any] = document()["groups"][0]["members"]["list"][0]


def of_members(*members: dict[str, Any]) -> dict[tuple[str, ...], float]:
    return of_group(changed(lambda found: found["groups"][0]["members"].update(list=list(members))))


def state_of(told: dict[tuple[str, ...], float], member: str) -> str:
    """The one that is 1."""
    (state,) = [state for state in MEMBER_STATES if told["member_state", f"member={member}", f"state={state}"] == 1.0]
    return state


def test_a_healthy_standby() -> None:
    """It is ready, heard just now, and counted."""
    told = of_group(document())
    assert told["healthy_standbys",] == 1.0 and told["findings",] == 0.0 and told["switched_away",] == 0.0
    assert state_of(told, "b") == "backup" and told["member_ready", "member=b"] == 1.0
    assert told["member_report_age_seconds", "member=b"] < 1.5
    assert told["member_clock_offset_seconds", "member=b"] == 0.0
    assert told["reports_unread_total", "reason=bad_secret"] == 0.0 and told["reports_sent_total",] > 10
    assert ("standby_lost_seconds",) not in told


def test_nobody_is_there() -> None:
    """For how long, and how many things are wrong."""
    lost = {"redundancy": {"healthy_standbys": 0, "lost_s": 12.5}, "findings": ["one", "another"], "switched_away": {}}
    told = of_group(changed(lambda found: found["groups"][0]["members"].update(lost)))
    assert [told[name,] for name in ("healthy_standbys", "standby_lost_seconds", "findings")] == [0.0, 12.5, 2.0]


def test_without_a_secret_nothing_is_known_of_them() -> None:
    """No healthy standby is not what that means."""
    unknown = {"reports": "no secret", "redundancy": {"healthy_standbys": None, "lost_s": None}, "list": []}
    told = of_group(changed(lambda found: found["groups"][0].update(members=unknown)))
    assert not [key for key in told if key[0].startswith(("healthy_standbys", "member_", "standby_lost", "reports_"))]


@pytest.mark.parametrize(("is_fresh", "says", "state"), [(True, "master", "master"), (False, "master", "unknown")])
def test_what_a_silent_member_was_is_not_what_it_is(is_fresh: bool, says: str, state: str) -> None:
    """As in the status text."""
    assert state_of(of_members(MEMBER | {"is_fresh": is_fresh, "state": says}), "b") == state


def test_a_state_is_a_word_of_ours() -> None:
    """A member of a later version may say another, and whoever has the secret anything."""
    assert state_of(of_members(MEMBER | {"state": "draining"}), "b") == "unknown"


def test_two_lives_of_one_node_are_one_member() -> None:
    """The one that was heard last; one that was never believed comes after it."""
    old = MEMBER | {"age_s": 40.0, "is_ready": False, "is_fresh": False}
    never = MEMBER | {"age_s": None, "is_ready": False, "is_fresh": False}
    for members in ((old, MEMBER, never), (MEMBER, never, old)):
        told = of_members(*members)
        assert told["member_ready", "member=b"] == 1.0 and state_of(told, "b") == "backup"
