"""The log lines that an operator reads at three in the morning, and the counters that a flood may only count up."""

from __future__ import annotations

import logging

import pytest

from wsa_proxy.carp.commands import ReportRefusal
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import ReportWait
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.runtime.record import CROSSING_S
from wsa_proxy.runtime.record import LASTING
from wsa_proxy.runtime.record import LINE_EVERY_S
from wsa_proxy.runtime.record import SENDERS_MAX
from wsa_proxy.runtime.record import TRANSITIONS_MAX
from wsa_proxy.runtime.record import Record
from wsa_proxy.runtime.record import Transition

ADVERTISED = AdvertisementReceived(Advertisement(1, 1, 0, 0, 0, b""), 4, "10.0.0.9")
BOW_OUT = AdvertisementReceived(Advertisement(1, 255, 255, 0, 0, b""), 4, "10.0.0.9")
LOGGER = "wsa_proxy.runtime.driver"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_transition_is_one_line_in_one_shape(caplog: pytest.LogCaptureFixture) -> None:
    """Machine and person read the same line."""
    record = Record(42, Clock())
    with caplog.at_level(logging.INFO, LOGGER):
        evidence = "silent_s=3.20 last_master=10.1.1.1"
        record.transition(ReportTransition(State.BACKUP, State.MASTER, "master_silent", evidence))
        record.transition(ReportTransition(State.MASTER, State.INIT, "eth0 is down", "late_s=1"))
    assert [entry.message for entry in caplog.records] == [
        "carp vhid=42 BACKUP -> MASTER reason=master_silent silent_s=3.20 last_master=10.1.1.1",
        'carp vhid=42 MASTER -> INIT reason="eth0 is down" late_s=1',
    ]


def test_what_else_was_seen_stands_behind_the_evidence() -> None:
    """Everywhere where that is told: whoever knows more is asked, with the change."""
    record = Record(42, Clock())
    told: list[Transition] = []
    record.on_transition = lambda vhid, transition: told.append(transition)
    record.more_evidence = lambda report: "carried=3" if report.old is State.MASTER else ""
    record.transition(ReportTransition(State.BACKUP, State.MASTER, "master_silent", "silent_s=3.20"))
    assert record.evidence == told[-1].report.evidence == "silent_s=3.20"
    record.transition(ReportTransition(State.MASTER, State.INIT, "orderly stop", ""))
    assert record.evidence == told[-1].report.evidence == record.transitions[-1].report.evidence == "carried=3"


def test_clients_that_were_told_are_counted_and_passed_on() -> None:
    record = Record(42, Clock())
    record.told(3)
    told: list[tuple[int, int]] = []
    record.on_told = lambda vhid, clients: told.append((vhid, clients))
    record.told(4)
    assert record.told_clients == 7 and told == [(42, 4)]


def test_whoever_wants_to_know_is_told_of_each_transition() -> None:
    """Of which virtual host, once it is recorded."""
    record, told = Record(42, Clock()), list[tuple[int, Transition]]()
    record.on_transition = lambda vhid, transition: told.append((vhid, transition))
    record.transition(ReportTransition(State.BACKUP, State.MASTER, "master_silent", ""))
    assert told == [(42, record.transitions[-1])]


def test_transitions_are_counted_by_word() -> None:
    """By the name of the obstacle where there is one, since its reason is a sentence; beyond those that are kept."""
    record = Record(1, Clock())
    for number in range(TRANSITIONS_MAX + 50):
        record.transition(ReportTransition(State.MASTER, State.INIT, f"eth{number} is down", ""), "link")
        record.transition(ReportTransition(State.INIT, State.BACKUP, "ready", ""))
    times = TRANSITIONS_MAX + 50
    assert record.transition_counts == {("master", "init", "link"): times, ("init", "backup", "ready"): times}


def test_the_transitions_that_are_kept_are_bounded() -> None:
    """I9: a node that flaps for a week does not grow."""
    record = Record(1, Clock())
    for _ in range(TRANSITIONS_MAX + 50):
        record.transition(ReportTransition(State.INIT, State.BACKUP, "ready", ""))
    assert len(record.transitions) == TRANSITIONS_MAX


def test_a_reject_is_counted_always_and_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Each reason has its own minute, and the line carries the count so far."""
    clock = Clock()
    record = Record(1, clock)
    for _ in range(1000):
        record.rejected(Reject.BAD_SECRET, "10.0.0.9", "02:00:00:00:00:09")
    record.rejected(Reject.VRRP, "10.0.0.8", "02:00:00:00:00:08")
    clock.now += LINE_EVERY_S
    record.rejected(Reject.BAD_SECRET, "10.0.0.9", "02:00:00:00:00:09")
    assert record.rejects[Reject.BAD_SECRET] == 1001 and record.rejects[Reject.VRRP] == 1
    lines = [entry.message for entry in caplog.records]
    assert len(lines) == 3
    assert lines[0] == (
        "carp vhid=1 rejected=bad_secret count=1 from=10.0.0.9 mac=02:00:00:00:00:09:"
        " the Shared Secret or the list of Virtual IPs differs there, or another group has this id"
    )
    assert "keepalived" in lines[1] and "count=1001" in lines[2]


def test_advertisements_that_cross_in_a_takeover_are_counted_only(caplog: pytest.LogCaptureFixture) -> None:
    """Two that become master at once each send the higher counter before they read the other's; whoever repeats what
    he has captured goes on, or does so at another time."""
    clock = Clock()
    record = Record(1, clock)
    clock.now += 100
    record.transition(ReportTransition(State.BACKUP, State.MASTER, "master_bowed_out", ""))
    clock.now += CROSSING_S - 0.1
    record.rejected(Reject.REPLAY, "10.0.0.9", "00:00:5e:00:01:01")
    assert record.rejects[Reject.REPLAY] == 1 and "rejected" not in caplog.text
    record.rejected(Reject.BAD_SECRET, "10.0.0.9", "00:00:5e:00:01:01")
    assert "rejected=bad_secret" in caplog.text
    clock.now += 0.2
    record.rejected(Reject.REPLAY, "10.0.0.9", "00:00:5e:00:01:01")
    assert "rejected=replay count=2" in caplog.text


def test_a_refusal_becomes_the_reason_of_the_status(caplog: pytest.LogCaptureFixture) -> None:
    """The state did not change, but the operator must see why it did not."""
    record = Record(1, Clock())
    record.stays(ReportRefusal("address_answered_by_another_host", "mac=02:00:00:00:00:99"))
    assert (record.reason, record.evidence) == ("address_answered_by_another_host", "mac=02:00:00:00:00:99")
    assert "stays BACKUP" in caplog.text and not record.transitions


def test_a_refusal_ends_when_a_master_is_heard() -> None:
    """The other host's secret was corrected: the status must not go on naming what is over."""
    record = Record(1, Clock())
    record.transition(ReportTransition(State.INIT, State.BACKUP, "ready", "listening_s=3.00"))
    for _ in range(2):
        record.stays(ReportRefusal("address_answered_by_another_host", "mac=02:00:00:00:00:99"))
    record.heard(ADVERTISED)
    assert (record.reason, record.evidence, record.received) == ("ready", "listening_s=3.00", 1)
    record.stays(ReportRefusal("address_answered_by_another_host", "mac=02:00:00:00:00:99"))
    record.transition(ReportTransition(State.BACKUP, State.MASTER, "master_silent", ""))
    record.heard(ADVERTISED)
    assert record.reason == "master_silent"


def test_a_bow_out_is_no_sign_of_service() -> None:
    """When somebody served last, and when he gave up, is what the length of an outage is reckoned from."""
    clock = Clock()
    record = Record(1, clock)
    record.heard(ADVERTISED)
    for _ in range(2):
        clock.now += 1
        record.heard(BOW_OUT)
    record.heard(FarewellReceived("10.0.0.9"))
    assert (record.served_at_s, record.bowed_out_at_s, record.heard_at_s) == (100.0, 101.0, 102.0)
    clock.now += 1
    record.answered()
    assert (record.served_at_s, record.bowed_out_at_s) == (103.0, None)


def test_a_refusal_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever answers for the address all night fills no log; after a change of state it is news again."""
    clock = Clock()
    record = Record(1, clock)
    for number in range(40):
        record.stays(ReportRefusal("address_answered_by_another_host", f"mac=02:00:00:00:00:{number:02x}"))
        clock.now += 3
    assert len(caplog.messages) == 2
    record.transition(ReportTransition(State.INIT, State.BACKUP, "ready", ""))
    record.stays(ReportRefusal("address_answered_by_another_host", "mac=02:00:00:00:00:99"))
    assert len(caplog.messages) == 3


def test_failing_sends_are_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """One advertisement a second must not be one line a second."""
    record = Record(1, Clock())
    for _ in range(30):
        record.send_failed("IPv4: operation not permitted")
    assert len(caplog.records) == 1


def test_what_lies_in_the_network_is_told_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    """A reflecting switch and a VRRP router do not go away by being told of; a new one is news, at most each minute."""
    clock = Clock()
    record = Record(1, clock)
    for _ in range(2000):
        for reject in LASTING:
            record.rejected(reject, "10.0.0.9", "02:00:00:00:00:09")
        clock.now += 60
    lines = [line for line in caplog.messages if "rejected=echo" in line]
    assert [line.split("count=")[1].split()[0] for line in lines] == ["1", "1441"] and len(caplog.messages) == 6
    record.rejected(Reject.VRRP, "10.0.0.10", "02:00:00:00:00:0a")
    for number in range(100):
        record.rejected(Reject.VRRP, "10.0.0.9", f"02:00:00:00:01:{number:02x}")
    assert len(caplog.messages) == 7


def test_two_senders_are_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """They take turns; and who makes up senders without end fills neither the log nor the memory."""
    clock = Clock()
    record = Record(1, clock)
    for number in range(600):
        record.rejected(Reject.VRRP, "10.0.0.9", f"02:00:00:00:00:{number % 2:02x}")
        clock.now += 60
    assert len(caplog.messages) == 2
    for number in range(1000):
        record.rejected(Reject.VRRP, "10.0.0.9", f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}")
        clock.now += 6
    assert len(caplog.messages) == 102 and len(record._told) == SENDERS_MAX


def test_a_wait_is_one_line_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    """Why the better node does not serve yet, and until when; it is no other reason to be backup."""
    record = Record(1, Clock())
    with caplog.at_level(logging.INFO, LOGGER):
        record.stays(ReportWait(8.0, 3, 40.0))
        record.stays(ReportWait(1.96, 1, 12.3456))
        record.stays(ReportWait(4.0, 0, 0.0))
    assert [entry.message for entry in caplog.records] == [
        "carp vhid=1 stays BACKUP for now: preempts in 8 s: 3 role changes within 40 s",
        "carp vhid=1 stays BACKUP for now: preempts in 1.96 s: preempt_delay",
        "carp vhid=1 stays BACKUP for now: preempts in 4 s: preempt_delay",
    ]
    assert record.reason == "starting"
