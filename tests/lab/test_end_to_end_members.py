"""Three real nodes that see each other: what they tell when one is lost, filtered away or set up otherwise.

1 s advertisements, priorities 255, 200 and 150, as in test_end_to_end.py; reports are as frequent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.lab import scenarios_members
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import Seen
from tests.lab.judging import check_always
from tests.lab.judging import noise_ms
from tests.lab.judging import row
from tests.lab.test_faults import needs_nft
from wsa_proxy.lab.holders import LOOPBACK
from wsa_proxy.members.equal import WORDS

pytestmark = [needs_namespaces, needs_nft]

INTERVAL_S = 1.0
TOLD_S_MAX = 3 * INTERVAL_S + 0.5
"""Three intervals, and what asking and answering take."""
MASTER_DOWN_S = 3.21
SCENARIO_S_MAX = 110.0
KINDS = [kind.name for kind in scenarios_members.KINDS]


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[str, Future[Seen]]]:
    """Both scenarios, side by side: they wait most of the time."""
    with ThreadPoolExecutor() as pool:
        scenarios = (scenarios_members.filtered, scenarios_members.mismatches)
        yield {each.__name__: pool.submit(run_inside, each, SCENARIO_S_MAX) for each in scenarios}


@pytest.fixture(scope="module")
def filtered(labs: dict[str, Future[Seen]]) -> Seen:
    return labs["filtered"].result()


@pytest.fixture(scope="module")
def mismatches(labs: dict[str, Future[Seen]]) -> Seen:
    return labs["mismatches"].result()


def check_one_owner(seen: Seen, window: list[float], owner: str = "a") -> None:
    """By the kernels' events: throughout, this node has the virtual IP, and no other one answers for any."""
    begin_s, end_s = window
    held = [each for each in seen["holdings"] if each["interface"] != LOOPBACK]
    within = [each for each in held if each["begin_s"] < end_s and each["end_s"] > begin_s]
    assert {each["node"] for each in within} == {owner}, within
    assert len(within) == 1 and within[0]["begin_s"] < begin_s, within
    assert within[0]["open"] or within[0]["end_s"] >= end_s, within
    assert within[0]["address"] == seen["virtual_ips"][0]


def by_name(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: scenarios_members.entry(told, name) for name in "abc"}


def test_each_node_lists_the_others_within_three_intervals(filtered: Seen) -> None:
    """With role, health and age, everybody fresh and nothing found."""
    assert filtered["met_s"] is not None and filtered["met_s"] <= TOLD_S_MAX
    for observer, told in filtered["redundancy"]["before"].items():
        assert told["reports"] == "sent" and told["findings"] == [], told
        listed = by_name(told)
        for name in {"a", "b", "c"} - {observer}:
            each = listed[name]
            assert each["state"] == ("master" if name == "a" else "backup")
            assert (each["health"], each["reasons"], each["mismatches"]) == ("well", [], [])
            assert each["is_fresh"] and each["hears_us"] and each["age_s"] <= TOLD_S_MAX
            assert each["priority"] == {"a": 255, "b": 200, "c": 150}[name]
        assert told["redundancy"] == {"healthy_standbys": 2, "lost_s": None, "why": None}


def test_a_lost_standby_is_told_and_one_that_is_back(filtered: Seen) -> None:
    """Of two, the first one leaves one; without any the master warns, until one is backup again."""
    redundancy = filtered["redundancy"]
    assert redundancy["one_left_s"] <= TOLD_S_MAX
    assert redundancy["lost_s"] <= TOLD_S_MAX
    assert 0 <= redundancy["lost"]["redundancy"]["lost_s"] <= TOLD_S_MAX
    assert not by_name(redundancy["lost"])["b"]["is_fresh"]
    assert all(f"{name}: last heard" in redundancy["lost"]["redundancy"]["why"] for name in "bc")
    assert redundancy["back_s"] <= TOLD_S_MAX
    assert redundancy["back"]["redundancy"]["lost_s"] is None


def test_filtered_advertisements_make_no_second_owner(filtered: Seen) -> None:
    """CARP from a to b, from b to a, and all of a's, for two master-down intervals each; nobody takes over."""
    check_always(filtered)
    check_one_owner(filtered, filtered["window"])
    for told in filtered["told"].values():
        assert {name: group["state"] for name, group in told.items()} == {"a": "master", "b": "backup", "c": "backup"}


@pytest.mark.parametrize(
    ("filter_name", "blocked"),
    [("a>b", ["a and b"]), ("b>a", []), ("all of a's, both ways", ["a and b", "a and c"])],
)
def test_advertisements_that_do_not_arrive_are_told_at_both_ends(
    filtered: Seen, filter_name: str, blocked: list[str]
) -> None:
    """By the owner and by whoever misses them, and by nobody else. Of a backup's own, which sends none, nobody does."""
    assert not any(filtered["calm"].values())
    for name, group in filtered["told"][filter_name].items():
        told = [each for each in group["members"]["findings"] if "do not arrive" in each]
        wanted = [pair for pair in blocked if name in pair.split()[::2]]
        assert [each.split("between ")[1].split(":")[0] for each in sorted(told)] == wanted, told
        assert all(each.startswith("advertisements are blocked ") for each in told)
    assert filtered["healed_s"] is not None, "it is over with the filter"


def test_blocked_advertisements_are_logged_once_for_each_filter_and_never_without(filtered: Seen) -> None:
    """Two nodes have been started anew before, and have missed some, as everybody has who was not there."""
    for name, times in {"a": {"a and b": 2, "a and c": 1}, "b": {"a and b": 2}, "c": {"a and c": 1}}.items():
        logged = [line for line in filtered["logs"][name].splitlines() if "advertisements are blocked" in line]
        assert dict(Counter(line.split("between ")[1].split(":")[0] for line in logged)) == times, (name, logged)


def test_an_owner_that_dies_behind_a_filter_is_followed(filtered: Seen) -> None:
    """Nobody hears its bow-out either, so it takes a master-down interval, and a second at most for the question."""
    killed = row(filtered, "kill a")
    assert killed["took_over"] == "b", killed
    assert killed["outage_ms"] <= (MASTER_DOWN_S + 1.0) * 1000 + noise_ms(killed), killed


@pytest.mark.parametrize("name", KINDS)
def test_a_mismatch_is_named_and_one_node_serves(mismatches: Seen, name: str) -> None:
    """Exactly what differs at c is told, by the others of c and by c of the others; and only a has an address."""
    judged = next(each for each in mismatches["kinds"] if each["name"] == name)
    check_one_owner(mismatches, judged["window"])
    told = {node: groups[0]["members"] for node, groups in judged["groups"].items()}
    if name == "secret":  # whoever cannot be read may be anybody
        assert all(any(scenarios_members.SUSPECTED in each for each in told[node]["findings"]) for node in "abc"), told
        return
    words = WORDS.get(name, "option ignore_hosts")
    for observer, other in ("ac", "bc", "ca", "cb"):
        (mismatch,) = by_name(told[observer])[other]["mismatches"]
        assert mismatch.startswith(f"{words} ") and ", here " in mismatch
    assert by_name(told["a"])["b"]["mismatches"] == by_name(told["b"])["a"]["mismatches"] == []


def test_who_would_be_a_second_master_stays_in_init(mismatches: Seen) -> None:
    """Another id for the same address, other addresses under the same id, another way to sign: the reason names it."""
    for name in ("id", "virtual_ip", "security"):
        judged = next(each for each in mismatches["kinds"] if each["name"] == name)
        (group,) = judged["groups"]["c"]
        assert group["state"] == "init" and WORDS[name] in group["obstacles"]["mismatch"], group


def test_another_certificate_authority_makes_a_node_not_ready(mismatches: Seen) -> None:
    """Browsers that trust a's would trust nothing that c signs."""
    judged = next(each for each in mismatches["kinds"] if each["name"] == "ca")
    told = by_name(judged["groups"]["a"][0]["members"])["c"]
    assert not told["is_ready"] and any("authority" in each for each in told["not_ready"]), told


def test_corrected_nothing_is_left(mismatches: Seen) -> None:
    """And no request has failed because of any of it: without an owner for 50 ms there would be more of them than a
    busy machine leaves without an answer."""
    check_always(mismatches)
    assert mismatches["well_s"] is not None and mismatches["left"] == []
    assert sum(mismatches["errors"].values()) < 5, mismatches["errors"]
