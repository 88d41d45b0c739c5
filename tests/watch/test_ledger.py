"""A row for each sender says what it said last, how often, and how its counter behaves; rows are bounded."""

from __future__ import annotations

from tests.watch.packets import BEGIN_S
from tests.watch.packets import BOW_OUT
from tests.watch.packets import F1
from tests.watch.packets import MAC_B
from tests.watch.packets import heard
from tests.watch.packets import vrrp_2
from wsa_proxy.carp import wire
from wsa_proxy.watch.judge import Judge
from wsa_proxy.watch.judge import Opinion
from wsa_proxy.watch.ledger import ROWS_MAX
from wsa_proxy.watch.ledger import Ledger

GOOD, BAD = Opinion("valid", tone="good"), Opinion("bad_secret", "why")


def with_counter(counter: int) -> bytes:
    return wire.encode(wire.Advertisement(1, 1, 0, 0, counter, bytes(20)))


def test_one_row_for_each_sender_id_and_protocol() -> None:
    """In the order of the ids."""
    ledger = Ledger()
    for packet in (vrrp_2(vrid=9), F1.packet, F1.packet):
        for source, mac in (("10.0.0.1", "02:00:00:00:00:0a"), ("10.0.0.2", MAC_B)):
            ledger.enter(heard(packet, 0.0, source, mac), GOOD)
    rows = [(row.number, row.heard.source, row.heard.protocol, row.count) for row in ledger.rows]
    assert rows == [
        (1, "10.0.0.1", "CARP", 2),
        (1, "10.0.0.2", "CARP", 2),
        (9, "10.0.0.1", "VRRP 2", 1),
        (9, "10.0.0.2", "VRRP 2", 1),
    ]


def test_counters() -> None:
    """All that the BSDs and ucarp do is normal and has a word."""
    ledger = Ledger()
    said = [ledger.enter(heard(with_counter(n), at_s), GOOD)[0].counter for at_s, n in enumerate((5, 5, 6, 2**63))]
    assert said == ["first", "constant", "counting", "random"]


def test_rate_and_pauses() -> None:
    """The rate is that of the present run; after three intervals of silence it advertises no more."""
    ledger = Ledger()
    row = ledger.enter(heard(F1.packet, 0.0), GOOD)[0]
    for at_s in (20.0, 20.5, 21.0):
        row = ledger.enter(heard(F1.packet, at_s), GOOD)[0]
    assert row.rate(BEGIN_S + 21) == 2.0
    assert row.since_s == BEGIN_S + 20
    assert row.advertises(BEGIN_S + 23.9) and not row.advertises(BEGIN_S + 24.1)


def test_who_leaves_or_repeats_claims_nothing() -> None:
    """A bow-out, VRRP's priority 0, and what was sent again by somebody else."""
    ledger = Ledger()
    claims = [
        ledger.enter(heard(packet, 0.0), opinion)[0].masters
        for packet, opinion in [
            (F1.packet, GOOD),
            (F1.packet, BAD),
            (BOW_OUT.packet, GOOD),
            (vrrp_2(priority=0), Opinion("VRRP 2")),
            (F1.packet, Opinion("replay")),
            (F1.packet[:20], Opinion("short")),
        ]
    ]
    assert claims == [True, True, False, False, False, False]


def test_what_no_member_does_is_told() -> None:
    """A refused repetition has a finding, with its sender, once."""
    ledger = Ledger()
    news = [ledger.enter(heard(F1.packet, at_s), Opinion("replay", "too low"))[1] for at_s in (0.0, 1.0)]
    assert [[each.text for each in some] for some in news] == [
        ["id 1: replay of 10.0.0.1 (02:00:00:00:00:0a): too low"],
        [],
    ]


def test_a_flood_of_invented_senders_leaves_the_believed_ones() -> None:
    """Rows are bounded, and the refused ones give way first."""
    ledger = Ledger()
    ledger.enter(heard(F1.packet), GOOD)
    for number in range(ROWS_MAX + 40):
        packet = heard(F1.packet, 1.0, f"10.1.{number // 250}.{number % 250 + 1}")
        ledger.enter(packet, BAD)
    assert len(ledger.rows) == ROWS_MAX and ledger.rows_dropped == 41
    assert [row.heard.source for row in ledger.rows if row.opinion is GOOD] == ["10.0.0.1"]
    assert len(ledger.findings.all()) <= 64


def test_unreadable_numbers() -> None:
    """Packets without an id have a row as well."""
    ledger = Ledger()
    for payload in (b"", b"\x21"):
        packet = heard(payload)
        row = ledger.enter(packet, Judge(None).opinion(packet))[0]
        assert (row.number, row.opinion.word, row.counter) == (-1, "short", "")
