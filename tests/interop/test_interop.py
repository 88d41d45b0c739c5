"""Our nodes beside the real ucarp: each side as master and as backup, ties, wrong secret, stops, counters, VRRP.

One session (scenarios.py), judged by our status, by the kernels' addresses and by what was on the wire. Bounds come
from ucarp's own reckoning: its patience, a look at its deadline once in an interval, and up to a second until it reads
a packet. ``pytest tests/interop --record-captures`` writes the captures anew from this run.
"""

from __future__ import annotations

import itertools
import os
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.interop import scenarios
from tests.interop.observer import Frame
from tests.interop.pairs import BY_NAME
from tests.interop.pairs import PAIRS
from tests.interop.pairs import TIES
from tests.interop.seen import HANDED_OVER
from tests.interop.seen import SILENCED
from tests.interop.seen import Seen
from tests.interop.ucarp import REACTION_S
from tests.interop.ucarp import find_ucarp
from tests.interop.ucarp import master_down_s
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.carp import wire
from wsa_proxy.carp.wire import Advertisement

pytestmark = [
    needs_namespaces,
    pytest.mark.skipif(find_ucarp() is None, reason="ucarp is missing: apt-get install ucarp"),
]

CAPTURES = Path(__file__).parent / "captures"
SESSION_S_MAX = 60.0
NOISE_S = 0.5
"""A busy machine is late by so much, at most."""
ADDRESS_S_MAX = 0.2
"""From an advertisement to the address, or back, on either side: a netlink request or a shell script."""


@pytest.fixture(scope="module")
def seen(pytestconfig: pytest.Config) -> Seen:
    record = bool(pytestconfig.getoption("--record-captures"))
    assert not (record and os.environ.get("CI")), "--record-captures makes the captures' tests pass: not in CI"
    seen = Seen(run_inside(scenarios.everything, 2 * SESSION_S_MAX))
    if record:
        seen.record(CAPTURES)
    return seen


def counters(frames: list[Frame]) -> list[int]:
    """Of advertisements, each of which must be one."""
    said = [wire.decode(frame.payload, frame.data[22]) for frame in frames]
    found = [each.counter for each in said if isinstance(each, Advertisement)]
    assert len(found) == len(frames)
    return found


def test_the_session_was_seen_whole_and_in_time(seen: Seen) -> None:
    """Nothing that is judged below was lost on its way here, and no node of ours stumbled."""
    assert seen.document["holder_log_complete"]
    assert seen.document["took_s"] < SESSION_S_MAX
    for name, log in seen.document["logs"].items():
        assert "Traceback" not in log, f"{name}:\n{log}"


def test_nothing_is_refused_without_its_reason(seen: Seen) -> None:
    """VRRP with the group's id is counted there, a wrong secret where there is one; all else is believed. (What is for
    other ids the kernel keeps away.)"""
    for pair in PAIRS:
        counted = {kind for kind, count in seen.group(pair)["rejected"].items() if count}
        expected = {"bad_secret"} if pair.name == "wrong_secret" else set()
        assert counted == expected | ({"vrrp"} if pair.name in scenarios.VRRP_IDS else set()), pair.name


@pytest.mark.parametrize("name", ["we_are_master", "ucarp_does_not_preempt", "vrrp_with_the_same_id"])
def test_ucarp_is_our_silent_backup(seen: Seen, name: str) -> None:
    """From its start to our stop it says nothing and has no address; without -P even if it is the better one."""
    pair = BY_NAME[name]
    begin_s, end_s = seen.mark("ucarps start"), seen.mark("nodes stop")
    assert seen.theirs(pair, end_s=end_s) == []
    assert seen.holders_during(pair, begin_s, end_s) == {pair.node}
    assert seen.group(pair)["state"] == "master" and seen.reasons(pair) == ["ready", "master_silent"]
    assert seen.group(pair)["virtual_ip_held"] == [str(pair.virtual_ip)]


@pytest.mark.parametrize("name", ["ucarp_is_master", "we_do_not_preempt"])
def test_we_are_ucarps_silent_backup(seen: Seen, name: str) -> None:
    """Until it is stopped we say nothing and have no address; non-preemptive even if we are the better one."""
    pair = BY_NAME[name]
    begin_s, end_s = seen.mark("nodes start"), seen.mark("cut")
    assert seen.ours(pair, end_s=end_s) == []
    assert seen.holders_during(pair, begin_s, end_s) == {pair.host.name}
    group = seen.group(pair, "quiet")
    assert (group["state"], group["last_master"], group["virtual_ip_held"]) == ("backup", pair.their_address, [])
    assert [each["reason"] for each in group["transitions"]] == ["ready"]


def test_we_preempt_an_inferior_ucarp(seen: Seen) -> None:
    """With the first advertisement that we hear; it yields as soon as it has read ours, and says so once."""
    pair = BY_NAME["we_preempt"]
    assert seen.reasons(pair) == ["ready", "preempted_inferior_master"]
    first_s = seen.ours(pair)[0].at_s
    heard_s = max(frame.at_s for frame in seen.theirs(pair, end_s=first_s))
    assert first_s - heard_s < ADDRESS_S_MAX
    end_s = seen.mark("nodes stop")
    assert 1 <= len(seen.theirs(pair, first_s, end_s)) <= 2
    assert seen.both_held_s(pair, first_s, end_s) < REACTION_S + NOISE_S
    assert seen.holders_during(pair, seen.mark("quiet begins"), end_s) == {pair.node}


def test_a_better_ucarp_preempts_us(seen: Seen) -> None:
    """With -P it takes over when it hears us, and we yield at its first advertisement, without a word."""
    pair = BY_NAME["ucarp_preempts"]
    assert seen.reasons(pair)[:3] == ["ready", "master_silent", "better_advertisement_received"]
    first_s, cut_s = seen.theirs(pair)[0].at_s, seen.mark("cut")
    assert first_s - seen.mark("ucarps start") < 1 + 100 / 256 + REACTION_S + NOISE_S
    assert seen.ours(pair, first_s, cut_s) == []
    assert seen.both_held_s(pair, 0.0, cut_s) < 2 * ADDRESS_S_MAX
    assert seen.group(pair, "quiet")["last_master"] == pair.their_address
    assert seen.holders_during(pair, seen.mark("quiet begins"), cut_s) == {pair.host.name}


def test_with_another_secret_both_are_masters_and_each_says_why(seen: Seen) -> None:
    """As in every CARP: what cannot be believed changes nothing; our log names the peer, our counter goes on."""
    pair = BY_NAME["wrong_secret"]
    begin_s, end_s = seen.mark("quiet begins"), seen.mark("nodes stop")
    assert seen.holders_during(pair, begin_s, end_s) == {pair.node, pair.host.name}
    assert seen.group(pair)["state"] == "master"
    counts = [seen.group(pair, when)["rejected"]["bad_secret"] for when in ("quiet", "last")]
    assert 0 < counts[0] < counts[1] == len(seen.theirs(pair, end_s=seen.mark("documents")))
    line = f"carp vhid={pair.vhid} rejected=bad_secret count=1 from={pair.their_address} mac=00:00:5e:00:00:07: "
    assert line + "the Shared Secret or the list of Virtual IPs differs there" in seen.document["logs"][pair.node]
    assert "Bad digest" in seen.ucarp_log(pair)


@pytest.mark.parametrize("name", TIES)
def test_a_tie_ends_with_one_holder(seen: Seen, name: str) -> None:
    """Two equal masters meet after a cut: in the end one of them has the address, and only that one advertises."""
    pair = BY_NAME[name]
    assert seen.both_held_s(pair, seen.mark("cut"), seen.mark("heal")) > 0, "there was no tie"
    end_s = seen.mark("nodes stop")
    if seen.theirs(pair, seen.mark("heal"), end_s):
        assert "equal_advertisement_received" in seen.reasons(pair)
    begin_s = end_s - scenarios.AGREED_S
    (holder,) = seen.holders_during(pair, begin_s, end_s)
    assert (seen.group(pair)["state"] == "master") == (holder == pair.node)
    assert {frame.host for frame in seen.frames if frame.vhid == pair.vhid and begin_s < frame.at_s < end_s} == {holder}
    # It may cost a whole patience of both, and a second one of a ucarp that hears too late; but no third.
    assert seen.reasons(pair).count("equal_advertisement_received") <= 2


@pytest.mark.parametrize("name", TIES)
def test_ucarp_keeps_the_address_in_a_tie_if_its_own_compares_as_lower(seen: Seen, name: str) -> None:
    """It compares the bytes as they lie in memory: on little endian the last one counts most (carp.c)."""
    pair = BY_NAME[name]

    def as_ucarp_reads(address: str) -> int:
        return int.from_bytes(IPv4Address(address).packed, sys.byteorder)

    stays = as_ucarp_reads(pair.their_address) < as_ucarp_reads(pair.our_address)
    assert stays == (name != "tie_ours_lower")
    yielded = "Preferred master advertised" in seen.ucarp_log(pair)
    if seen.ours(pair, seen.mark("heal"), seen.mark("nodes stop")):
        assert yielded != stays
    else:
        assert not yielded, "it spoke first, and we yielded without a word that it could have compared"
    if stays:
        assert seen.settled_s(pair) - seen.mark("heal") < 1 + 50 / 256 + ADDRESS_S_MAX + NOISE_S


@pytest.mark.parametrize("name", HANDED_OVER)
def test_ucarp_follows_our_bow_out(seen: Seen, name: str) -> None:
    """An orderly stop says 255/255 once and nothing after it; ucarp has the address as soon as it has read that."""
    pair = BY_NAME[name]
    bow_out = seen.bow_out(pair)
    assert seen.ours(pair)[-1] == bow_out
    taken_s, _ = seen.held(pair, pair.host.name)[-1]
    assert taken_s - bow_out.at_s < REACTION_S + NOISE_S <= master_down_s(pair.theirs) / 2
    assert seen.both_held_s(pair, bow_out.at_s + ADDRESS_S_MAX, taken_s + NOISE_S) == 0
    assert "Putting MASTER DOWN (going to time out)" in seen.ucarp_log(pair)


@pytest.mark.parametrize("name", SILENCED)
def test_we_follow_ucarps_silence_after_our_own_patience(seen: Seen, name: str) -> None:
    """Killed, stopped in order or asked to be backup, it says nothing: D after its last advertisement we are master."""
    pair = BY_NAME[name]
    mark_s = seen.mark(f"{SILENCED[name]} {name}")
    first_s = seen.ours(pair, mark_s)[0].at_s
    last_s = seen.theirs(pair, end_s=first_s)[-1].at_s
    assert 0 <= first_s - last_s - pair.our_master_down_s < ADDRESS_S_MAX
    assert seen.reasons(pair)[-1] == "master_silent"
    assert seen.theirs(pair, last_s + 1e-6, seen.mark("nodes stop")) == []
    held_until_s = seen.held(pair, pair.host.name)[0][1]
    if SILENCED[name] == "SIGKILL":
        # Nobody is left to run its down script; our announcement has told the LAN who answers now.
        assert held_until_s > seen.mark("nodes stop")
        assert any(f.is_arp and f.host == pair.node and pair.virtual_ip.packed in f.data for f in seen.frames)
    else:
        assert held_until_s - mark_s < REACTION_S + NOISE_S
    assert seen.group(pair)["virtual_ip_held"] == [str(pair.virtual_ip)]


def test_a_ucarp_that_adopts_our_counter_is_believed(seen: Seen) -> None:
    """It goes on from our constant counter, one more each time; nothing of it is taken for our own echo."""
    pair = BY_NAME["counter_adopted"]
    (ours,) = set(counters(seen.ours(pair)))
    cut_s = seen.mark("cut")
    assert seen.theirs(pair, end_s=cut_s) == []
    theirs = counters(seen.theirs(pair))
    assert theirs[0] == (ours + 1) % 2**64
    for one, other in itertools.pairwise(theirs):
        assert other in ((one + 1) % 2**64, (ours + 1) % 2**64)  # the latter: it has heard us again in between
    assert seen.reasons(pair) == ["ready", "master_silent", "better_advertisement_received"]
    group = seen.group(pair)
    assert (group["state"], group["last_master"]) == ("backup", pair.their_address)
    assert group["rejected"]["echo"] == 0 and group["advertisements_received"] > 0
    assert seen.holders_during(pair, seen.settled_s(pair), seen.mark("nodes stop")) == {pair.host.name}


@pytest.mark.parametrize("name", scenarios.VRRP_IDS)
def test_a_vrrp_router_with_the_same_id_disturbs_nobody(seen: Seen, name: str) -> None:
    """Five addresses make 36 bytes that begin as CARP's: counted under their name, and whoever is master goes on."""
    pair = BY_NAME[name]
    routers = seen.sent(pair, "stranger")
    assert len(routers) == scenarios.VRRP_FRAMES
    for router in routers:
        assert (len(router.payload), router.payload[0], wire.checksum(router.payload)) == (36, 0x21, 0)
    begin_s, end_s = seen.mark("quiet begins"), seen.mark("cut")
    assert seen.group(pair, "quiet")["rejected"]["vrrp"] == scenarios.VRRP_FRAMES
    changed = [each for each in seen.document["transitions"] if each["vhid"] == pair.vhid]
    assert not [each for each in changed if begin_s < each["at_s"] < end_s]
    master = pair.node if name == "vrrp_with_the_same_id" else pair.host.name
    assert seen.holders_during(pair, begin_s, end_s) == {master}
    times_s = [frame.at_s for frame in seen.sent(pair, master, begin_s - 2, end_s)]
    assert max(other - one for one, other in itertools.pairwise(times_s)) < 1 + NOISE_S
    if master == pair.node:  # a ucarp that is master is deaf to it at the same place
        assert "Bad digest" in seen.ucarp_log(pair)


def test_every_pair_is_judged() -> None:
    """A pair that nobody asks about would be a test that was lost."""
    text = Path(__file__).read_text()
    lists = (*HANDED_OVER, *SILENCED, *TIES, *scenarios.VRRP_IDS)
    assert [pair.name for pair in PAIRS if f'"{pair.name}"' not in text and pair.name not in lists] == []
    assert len({pair.vhid for pair in PAIRS}) == len(PAIRS)
