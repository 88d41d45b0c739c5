"""The judges of what a node believes: forged, repeated, old and malformed ones are named, and fresh ones refused."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from random import Random

import pytest

from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.seal import Seal
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.belief import Belief
from wsa_proxy.simulation.belief import Freshness
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.sealed import WALL_MS
from wsa_proxy.simulation.sealed import Judged
from wsa_proxy.simulation.sealed import SealedNode
from wsa_proxy.simulation.violation import Violation

NOW_MS = int(WALL_MS) + 3 * 3_600_000
"""Later than any node's wall clock."""


def is_plain_and_sealed(seed: int, sealed: bool) -> bool:
    settings = (plan := draw(Random(seed))).members[0].settings
    return plan.sealed == sealed and settings.versions == (4,) and settings.advbase == 1


SEALED = next(seed for seed in range(200) if is_plain_and_sealed(seed, sealed=True))
PLAIN = next(seed for seed in range(200) if is_plain_and_sealed(seed, sealed=False))


def counter(ms: int, advbase: int = 1, advskew: int = 0, farewell: bool = False) -> int:
    return Seal(NOW_MS + ms, advbase, advskew, farewell, False, 0).pack()


def judged(node: SealedNode, number: int, verdict: Verdict = Verdict.BELIEVED, advskew: int | None = None) -> Judged:
    """Of an advertisement with this counter, and the header that it asks for."""
    header = (number >> 6) & 255 if advskew is None else advskew
    payload = wire.encode(Advertisement(1, (number >> 14) & 255, header, 0, number, bytes(20)))
    return Judged(Advertised(4, payload), number, verdict, node.now)


class Group:
    """A node whose judge has been told that these were said, and that it has believed them."""

    def __init__(self, *believed: int, said: tuple[int, ...] = ()) -> None:
        node = Run(SEALED, draw(Random(SEALED))).nodes[0]
        assert isinstance(node, SealedNode)
        self.node = node
        self.judge = Freshness(Counter(), 1)
        node.start()
        self.judge.told(node, "life", None)
        self.judge._said.update((*said, *believed))
        for number in believed:
            first = self.judge._known[node.number].line_s is None
            self.believe(number, Verdict.FIRST_CONTACT if first else Verdict.BELIEVED)

    def believe(self, number: int, verdict: Verdict = Verdict.BELIEVED, advskew: int | None = None) -> None:
        self.judge.told(self.node, verdict.value, judged(self.node, number, verdict, advskew))

    def refuse(self, number: int, verdict: Verdict = Verdict.STALE) -> None:
        self.judge.told(self.node, "refused", judged(self.node, number, verdict))

    def pass_(self, seconds: float) -> None:
        self.node._lan.timeline.now += seconds
        self.node.arrived_s = self.node.now


def test_what_nobody_said_or_with_another_header_is_forged() -> None:
    with pytest.raises(Violation, match=r"^I4.*forged"):
        Group(counter(0)).believe(counter(1))
    with pytest.raises(Violation, match=r"^I4.*forged"):
        Group(counter(0), said=(counter(1),)).believe(counter(1), advskew=9)


def test_what_was_heard_before_or_is_older_is_a_replay() -> None:
    for number in (counter(0), counter(-1)):
        with pytest.raises(Violation, match=r"^I4.*heard before"):
            Group(counter(0), said=(number,)).believe(number)


def test_an_old_one_breaks_i4_and_a_fresh_one_does_not() -> None:
    group = Group(counter(0), said=(counter(1), counter(4000)))
    group.pass_(4.0)
    with pytest.raises(Violation, match=r"^I4.*too old"):
        group.believe(counter(1))
    group.believe(counter(4000))


def test_a_bow_out_may_be_ten_seconds_old_and_no_more() -> None:
    late, too_late = counter(1, 255, 255), counter(2, 255, 255)
    group = Group(counter(0), said=(late, too_late))
    group.pass_(9.9)
    group.believe(late)
    group.pass_(0.3)
    with pytest.raises(Violation, match=r"^I4.*too old"):
        group.believe(too_late)


@pytest.mark.parametrize(
    "number",
    [counter(0, 255, 255), counter(0, farewell=True), counter(-10 * 3_600_000)],
    ids=["bow-out", "farewell", "old"],
)
def test_a_first_contact_is_none_of_these(number: int) -> None:
    with pytest.raises(Violation, match=r"^I4.*first contact"):
        Group(said=(number,)).believe(number, Verdict.FIRST_CONTACT)


def test_a_fresh_one_may_not_be_refused_and_an_old_one_must() -> None:
    group = Group(counter(0), said=(counter(500), counter(4000)))
    group.refuse(counter(0), Verdict.DUPLICATE)
    group.pass_(4.0)
    group.refuse(counter(500))
    with pytest.raises(Violation, match=r"^I4.*refuses a fresh one: stale"):
        group.refuse(counter(4000))


def test_who_knows_the_time_of_the_group_has_no_first_contact() -> None:
    with pytest.raises(Violation, match=r"^I4.*first_contact"):
        Group(counter(0), said=(counter(1),)).believe(counter(1), Verdict.FIRST_CONTACT)


def test_a_first_contact_may_not_be_refused() -> None:
    group = Group(said=(counter(0), counter(1, 255, 255), counter(2, farewell=True)))
    group.refuse(counter(1, 255, 255))
    group.refuse(counter(2, farewell=True))
    with pytest.raises(Violation, match=r"^I4.*refuses a first contact"):
        group.refuse(counter(0))


def test_an_echo_is_called_so_and_nothing_else_is() -> None:
    """I3, of the last 32, wills among them."""
    group = Group(counter(0))
    for number in range(1, 34):
        group.judge.told(group.node, "said", counter(number))
    group.refuse(counter(2), Verdict.ECHO)
    group.refuse(counter(1), Verdict.REPLAY)
    for number, verdict in ((2, Verdict.REPLAY), (1, Verdict.ECHO)):
        with pytest.raises(Violation, match=r"^I3"):
            group.refuse(counter(number), verdict)


def test_nobody_runs_ahead_of_the_time_of_the_group() -> None:
    group = Group(counter(0))
    group.pass_(10.0)
    group.node.group_time.line_ms = NOW_MS + 10_000 - group.node.clock_ms
    group.judge.told(group.node, "done", None)
    group.node.group_time.line_ms += 8.0
    with pytest.raises(Violation, match=r"^I4.*ahead"):
        group.judge.told(group.node, "done", None)


def test_a_bow_out_of_less_than_ten_seconds_may_not_be_refused() -> None:
    late, too_late = counter(1, 255, 255), counter(2, 255, 255)
    group = Group(counter(0), said=(late, too_late))
    group.pass_(10.5)
    group.refuse(too_late)
    group = Group(counter(0), said=(late, too_late))
    group.pass_(9.5)
    with pytest.raises(Violation, match=r"^I4.*refuses a fresh one"):
        group.refuse(late)


def test_one_advertisement_has_one_counter() -> None:
    group = Group()
    group.judge.told(group.node, "advertisement", None)
    group.judge.told(group.node, "said", counter(0))
    group.judge.told(group.node, "done", None)
    group.judge.told(group.node, "said", counter(1))
    with pytest.raises(Violation, match=r"^I4.*2 counters for 1"):
        group.judge.told(group.node, "done", None)


def test_a_new_process_knows_what_its_file_says_and_the_time_of_its_boot() -> None:
    group = Group(counter(0), said=(counter(1), counter(5000)))
    group.node.saved = None
    group.judge.told(group.node, "life", None)
    assert group.judge._known[group.node.number].line_s is None
    group = Group(counter(0), said=(counter(1), counter(5000)))
    group.node.group_time.line_ms, group.node.group_time.top = 1.0, counter(0)
    group.node.saved = group.node.group_time.saved
    group.pass_(5.0)
    group.judge.told(group.node, "life", None)
    with pytest.raises(Violation, match=r"^I4.*heard before"):
        group.believe(counter(1))
    group.believe(counter(5000))


# -- plain CARP --------------------------------------------------------------------------------------------------------

KEY, VIP = key_from_pass_phrase(b"secret"), ip_address("10.0.0.3")
GENUINE = Authenticator([KEY], 1, [VIP], 7).sign(1, 50, 0)


def plain(sender: int = 1) -> tuple[Belief, Run]:
    """A judge that has seen the genuine one sent by ``sender``."""
    run = Run(PLAIN, draw(Random(PLAIN)))
    lan = Lan(Timeline(), Random, Weather())
    judge = Belief(9, lan, [], 1)
    judge.told(run.nodes[0], "life", None)
    lan.send(sender, Advertised(4, GENUINE))
    return judge, run


def changed(at: int, value: int) -> bytes:
    return GENUINE[:at] + bytes([value]) + GENUINE[at + 1 :]


def repaired(payload: bytes) -> bytes:
    without = payload[:6] + bytes(2) + payload[8:]
    return payload[:6] + wire.checksum(without).to_bytes(2) + payload[8:]


def test_plain_carp_believes_what_a_member_has_signed() -> None:
    judge, run = plain()
    judge.told(run.nodes[0], "accept", Advertised(4, GENUINE))
    judge.told(run.nodes[0], "accept", Advertised(4, repaired(changed(2, 0)), forged=True))  # as the BSDs do


@pytest.mark.parametrize(
    "frame",
    [
        Advertised(4, repaired(changed(35, 1))),
        Advertised(4, repaired(changed(15, 1))),
        Advertised(4, changed(2, 0)),
        Advertised(4, repaired(changed(0, 0x22))),
        Advertised(4, repaired(changed(1, 2))),
        Advertised(4, repaired(changed(3, 1))),
        Advertised(4, GENUINE[:35]),
        Advertised(4, GENUINE[:2]),
        Advertised(4, GENUINE, ttl=254),
        Advertised(6, GENUINE),
    ],
    ids=["digest", "counter", "checksum", "type", "vhid", "authlen", "short", "very short", "ttl", "version"],
)
def test_plain_carp_believes_nothing_else(frame: Advertised) -> None:
    judge, run = plain()
    with pytest.raises(Violation, match=r"^I4"):
        judge.told(run.nodes[0], "accept", frame)


def test_its_own_echo_is_not_believed() -> None:
    judge, run = plain(sender=run_number())
    with pytest.raises(Violation, match=r"^I4.*echo"):
        judge.told(run.nodes[0], "accept", Advertised(4, GENUINE))


def run_number() -> int:
    return Run(PLAIN, draw(Random(PLAIN))).nodes[0].number


def will(number: int) -> bytes:
    return wire.encode(Advertisement(1, 255, 255, 0, number, bytes(20)))


def test_a_process_speaks_above_its_own_will() -> None:
    group = Group(counter(0))
    group.judge.told(group.node, "willed", will(counter(5, 255, 255)))
    with pytest.raises(Violation, match=r"^I4.*above its own will"):
        group.judge.told(group.node, "said", counter(5))
    group.judge.told(group.node, "said", counter(6))


def test_a_will_is_above_all_that_its_node_has_said_and_heard() -> None:
    group = Group(counter(0), counter(10))
    group.node.core = None
    with pytest.raises(Violation, match=r"^V3.*says what is old"):
        group.judge.told(group.node, "bowed out by its guardian", will(counter(9, 255, 255)))
    group.judge.told(group.node, "bowed out by its guardian", will(counter(10, 255, 255)))


def test_a_will_that_is_said_again_may_be_below_what_was_heard_of_the_successor() -> None:
    """The copies are for those who have missed the first one. (Seed 1667: an intent had come in between.)"""
    group = Group(counter(0), counter(10))
    group.node.core = None
    for number in (11, 11):
        group.judge.told(group.node, "bowed out by its guardian", will(counter(number, 255, 255)))
        group.judge._known[group.node.number].highest = counter(12)
    with pytest.raises(Violation, match=r"^V3.*says what is old"):
        group.judge.told(group.node, "bowed out by its guardian", will(counter(12)))


def test_an_own_will_that_comes_back_is_an_echo() -> None:
    group = Group(counter(0))
    group.judge.told(group.node, "willed", will(counter(5, 255, 255)))
    group.refuse(counter(5, 255, 255), Verdict.ECHO)
    with pytest.raises(Violation, match=r"^I3"):
        group.refuse(counter(5, 255, 255), Verdict.REPLAY)


def test_nobody_believes_the_will_of_who_is_awake_and_master() -> None:
    """Unless it has been another one's time since, or that one has said the same itself."""
    promoted = ReportTransition(State.BACKUP, State.MASTER, "master_silent", "")
    for excuse in ("none", "asleep", "backup", "again", "said"):
        group = Group(counter(0))
        other = Run(SEALED, draw(Random(SEALED))).nodes[1]
        assert isinstance(other, SealedNode)
        other.start()
        assert other.core is not None
        group.judge.told(other, "life", None)
        group.judge.told(other, "transition", promoted)
        group.judge.told(other, "willed", will(counter(5, 255, 255)))
        other.core.state = State.BACKUP if excuse == "backup" else State.MASTER
        if excuse == "asleep":
            other.stall(1.0)
        elif excuse == "again":
            group.judge.told(other, "transition", promoted)
        elif excuse == "said":
            group.judge.told(group.node, "said", counter(4))
            group.judge._spoken.add(counter(5, 255, 255))
        if excuse == "none":
            with pytest.raises(Violation, match=r"^I4.*believes the will"):
                group.believe(counter(5, 255, 255))
        else:
            group.believe(counter(5, 255, 255))
