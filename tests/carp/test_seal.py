"""The sealed counter: 64 bits by hand, and the group's time, case by case. The wind tunnel has the sequences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.seal import YEAR_2110_MS
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Saved
from wsa_proxy.carp.seal import Seal
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.carp.seal import is_bow_out
from wsa_proxy.carp.seal import is_farewell
from wsa_proxy.carp.seal import pack
from wsa_proxy.carp.seal import says
from wsa_proxy.carp.seal import sealed_key
from wsa_proxy.carp.seal import unpack

HOUR_MS = 3_600_000.0
WALL_MS = 200_000_000_000.0
INTERVAL_MS = 1000.0


def counter(ms: float, advbase: int = 1, advskew: int = 0, farewell: bool = False, chance: int = 0) -> int:
    return Seal(int(ms), advbase, advskew, farewell, False, chance).pack()


def fresh(clock_ms: float = 0.0, saved: Saved | None = None) -> GroupTime:
    return GroupTime("boot 1", saved, clock_ms)


def judge(time: GroupTime, heard: int, clock_ms: float, arrived_ms: float | None = None) -> Verdict:
    return time.judge(heard, INTERVAL_MS, clock_ms, clock_ms if arrived_ms is None else arrived_ms, WALL_MS + clock_ms)


def say(time: GroupTime, clock_ms: float, wall_ms: float = WALL_MS) -> int:
    return time.sign(1, 0, 0, False, clock_ms, wall_ms + clock_ms, 0)


def met(clock_ms: float = 0.0) -> GroupTime:
    """One that knows the time of the group: WALL_MS at its clock 0."""
    time = fresh(clock_ms)
    assert judge(time, counter(WALL_MS + clock_ms), clock_ms) is Verdict.FIRST_CONTACT
    return time


def test_the_layout_is_ms_advbase_advskew_farewell_demoted_chance() -> None:
    """By hand: one bit set in each field."""
    assert Seal(1, 0, 0, False, False, 0).pack() == 1 << 22
    assert Seal(0, 1, 0, False, False, 0).pack() == 1 << 14
    assert Seal(0, 0, 1, False, False, 0).pack() == 1 << 6
    assert Seal(0, 0, 0, True, False, 0).pack() == 1 << 5
    assert Seal(0, 0, 0, False, True, 0).pack() == 1 << 4
    assert Seal(0, 0, 0, False, False, 1).pack() == 1
    everything = Seal(2**42 - 1, 255, 255, True, True, 15)
    assert everything.pack() == 2**64 - 1 and unpack(2**64 - 1) == everything and everything.is_bow_out


@given(st.integers(0, 2**64 - 1), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_what_is_asked_of_a_counter_is_what_it_says(counter: int, advbase: int, advskew: int, demotion: int) -> None:
    """Bit by bit or unpacked, the answers are the same: for a header of any values, for its own, and one off."""
    seal = unpack(counter)
    assert is_farewell(counter) is seal.farewell
    assert is_bow_out(counter | 0xFFFF << 6) and is_bow_out(counter) is seal.is_bow_out
    own = (seal.advbase, seal.advskew, int(seal.demoted))
    assert says(counter, *own)
    assert says(counter, advbase, advskew, demotion) is (own == (advbase, advskew, demotion))
    for place in range(3):
        assert not says(counter, *(value ^ (1 << demotion % 8) * (at == place) for at, value in enumerate(own)))


def test_a_time_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(OverflowError, match="a new secret starts anew"):
        Seal(2**42, 0, 0, False, False, 0).pack()


def test_each_advertisement_is_above_everything_said_and_heard() -> None:
    """In the same millisecond, and after a higher one was heard."""
    time = fresh()
    first, second = say(time, 0.0), say(time, 0.0)
    assert unpack(second).ms == unpack(first).ms + 1
    ahead = counter(WALL_MS + HOUR_MS)
    assert judge(time, ahead, 1.0) is Verdict.BELIEVED
    assert say(time, 2.0) > ahead


@pytest.mark.parametrize("wall_ms", [-HOUR_MS, 4e12])
def test_a_wall_clock_before_2020_or_after_2100_is_not_followed(wall_ms: float) -> None:
    assert 0 <= unpack(say(fresh(), 0.0, wall_ms)).ms <= 2_524_608_000_000


def test_what_was_said_or_heard_before_is_refused_by_name() -> None:
    time = met()
    own = say(time, 10.0)
    assert judge(time, own, 11.0) is Verdict.ECHO
    heard = counter(WALL_MS + 12)
    assert judge(time, heard, 12.0) is Verdict.BELIEVED
    assert judge(time, heard, 13.0) is Verdict.DUPLICATE
    assert judge(time, counter(WALL_MS + 11), 13.0) is Verdict.REPLAY
    assert judge(time, own, 13.0) is Verdict.ECHO


def test_growth_is_not_freshness() -> None:
    """Above everything heard, and still too old: 1 s for this interval, less the sink of 1 ms a second."""
    assert judge(met(), counter(WALL_MS + 9_000 - 10), 10_000.0 - 20) is Verdict.BELIEVED
    assert judge(met(), counter(WALL_MS + 8_980), 10_000.0) is Verdict.STALE


def test_a_late_loop_makes_nothing_old() -> None:
    """What counts is when it may have arrived."""
    assert judge(met(), counter(WALL_MS + 1_000), 10_000.0, arrived_ms=1_500.0) is Verdict.BELIEVED


def test_a_bow_out_may_be_ten_seconds_old_and_moves_no_clock() -> None:
    time = met()
    line_ms = time.line_ms
    assert judge(time, counter(WALL_MS + 500, 255, 255), 10_000.0) is Verdict.BELIEVED
    assert time.line_ms == line_ms
    assert judge(time, counter(WALL_MS + 501, 255, 255), 11_000.0) is Verdict.STALE


def test_the_first_contact_is_no_bow_out_no_farewell_and_nothing_older_than_the_tolerance() -> None:
    assert judge(fresh(), counter(WALL_MS, 255, 255), 0.0) is Verdict.STALE
    assert judge(fresh(), counter(WALL_MS, farewell=True), 0.0) is Verdict.STALE
    assert judge(fresh(), counter(WALL_MS - HOUR_MS - 1), 0.0) is Verdict.STALE
    assert judge(fresh(), counter(WALL_MS - HOUR_MS + 1), 0.0) is Verdict.FIRST_CONTACT


def test_a_new_process_of_the_same_boot_knows_everything_that_was_said_meanwhile() -> None:
    time = met()
    again = fresh(60_000.0, time.saved)
    assert judge(again, counter(WALL_MS + 59_000), 60_000.0) is Verdict.REPLAY
    assert judge(again, counter(WALL_MS + 60_001), 60_000.0) is Verdict.BELIEVED


def test_of_another_boot_only_the_highest_counter_counts() -> None:
    time = met(1000.0)
    again = GroupTime("boot 2", time.saved, 5.0)
    assert again.line_ms is None and again.top == counter(WALL_MS + 1000.0)


def test_who_speaks_above_a_bow_out_from_ahead_speaks_on_in_step() -> None:
    """The wind tunnel's: each next one was a millisecond later, and soon too old for those who had followed."""
    speaker, listener = met(), met()
    bow_out = counter(WALL_MS + HOUR_MS, 255, 255)
    assert judge(speaker, bow_out, 100.0) is judge(listener, bow_out, 100.0) is Verdict.BELIEVED
    for clock_ms in range(200, 10_000, 1000):
        assert judge(listener, say(speaker, float(clock_ms)), float(clock_ms)) is Verdict.BELIEVED


def test_who_speaks_knows_how_late_it_is() -> None:
    """The wind tunnel's: a master hears nobody for an hour, and its line had sunk all that time, by 3.6 s."""
    master = met()
    for clock_ms in range(0, 3_600_000, 1000):
        say(master, float(clock_ms))
    held_back = say(met(), 3_599_600.0)
    assert judge(master, held_back, 3_601_500.0) is Verdict.STALE


def test_the_time_of_the_group_sinks_by_a_thousandth_while_nobody_is_heard() -> None:
    """Clocks that run 1,000 ppm slower than ours are followed still, and not those that are slower than that."""
    after_ms = 2 * HOUR_MS
    for slower, verdict in ((0.9e-3, Verdict.BELIEVED), (1.6e-3, Verdict.STALE)):
        assert judge(met(), counter(WALL_MS + after_ms * (1 - slower)), after_ms) is verdict


def test_a_farewell_is_as_fresh_as_any_other() -> None:
    """Only a bow-out may have waited in a guardian's hands."""
    assert judge(met(), counter(WALL_MS + 100, farewell=True), 5_000.0) is Verdict.STALE
    assert judge(met(), counter(WALL_MS + 4_900, farewell=True), 5_000.0) is Verdict.BELIEVED


def test_the_chance_is_what_the_caller_draws() -> None:
    """Two equals that speak in the same millisecond would take each other for an echo."""
    said = {fresh().sign(1, 0, 0, False, 0.0, WALL_MS, chance) for chance in range(16)}
    assert {unpack(number).chance for number in said} == set(range(16))


def test_the_sealed_key_is_scrypt_of_the_secret() -> None:
    """Made with another implementation: openssl kdf -keylen 20 -kdfopt pass:secret -kdfopt n:16384 ... SCRYPT."""
    assert sealed_key(b"secret").hex() == "a84db540c7f402ed36b05c3c3948d9fef5fece07"
    assert sealed_key(b"secret") != key_from_pass_phrase(b"secret")


def test_the_copies_of_a_bow_out_are_no_replays_for_a_second() -> None:
    """A guardian sends three; whoever took over because of the first has said something above it by then."""
    time = met()
    bow_out = counter(WALL_MS + 500, 255, 255)
    assert judge(time, bow_out, 500) is Verdict.BELIEVED
    assert say(time, 510) > bow_out
    assert judge(time, bow_out, 520) is judge(time, bow_out, 1499) is Verdict.DUPLICATE
    assert judge(time, bow_out, 1501) is Verdict.REPLAY
    other = counter(WALL_MS + 400, 255, 255)
    assert judge(time, other, 520) is Verdict.REPLAY


def test_a_will_lies_between_two_advertisements() -> None:
    """Above what was sent and heard before, below what is sent next; and it is ours."""
    a, b = met(), met()
    first = say(a, 1000)
    assert judge(b, first, 1000) is Verdict.BELIEVED
    will = Seal(first >> 22, 255, 255, False, True, 9).pack()
    before = a.saved
    assert a.will(1, 9, 1000) == will > first and a.saved == before
    second = say(a, 1000)
    assert second > will and judge(a, will, 1001) is Verdict.ECHO
    assert judge(b, will, 1001) is Verdict.BELIEVED and judge(b, second, 1002) is Verdict.BELIEVED
    heard = say(b, 1003)
    assert judge(a, heard, 1004) is Verdict.BELIEVED and a.will(0, 0, 1004) > heard


def test_a_will_of_later_is_no_older_than_its_making() -> None:
    """Advertisements may be minutes apart, and a bow-out that is ten seconds old is stale. Still it is below the next
    advertisement, even of the same millisecond."""
    a, b = met(), met()
    assert judge(b, say(a, 1000), 1000) is Verdict.BELIEVED
    old, new = a.will(0, 0, 1000), a.will(0, 15, 100_000)
    assert judge(b, old, 100_000) is Verdict.STALE and judge(b, new, 100_000) is Verdict.BELIEVED
    assert say(a, 100_000) > new


def test_a_will_at_the_end_of_time_is_one() -> None:
    a = met()
    a.line_ms = float(1 << 42)
    assert a.will(0, 0, 1000) >> 22 == (1 << 42) - 1


def test_a_will_is_above_another_masters_bow_out_too() -> None:
    """Nothing of the same millisecond is. Who has heard both follows the will, and then what its node says next."""
    a, b = met(), met()
    bow_out = counter(WALL_MS + 500, 255, 255) | 0x1F
    assert judge(a, bow_out, 500) is judge(b, bow_out, 500) is Verdict.BELIEVED
    will = a.will(0, 0, 500)
    assert judge(b, will, 500) is Verdict.BELIEVED
    said = say(a, 500)
    assert said > will and judge(b, said, 500) is Verdict.BELIEVED


def test_what_a_first_contact_has_taught_is_known_better_by_a_member() -> None:
    """A replay of an hour ago, and those that came after it: with the true time they are old."""
    hour_ms, clock_ms, wall_ms = 3_600_000.0, 50_000.0, 2e11
    replays = [pack(int(wall_ms - hour_ms / 2) + 1000 * n, 1, 0, False, False, n) for n in range(3)]
    time = GroupTime("boot", None, clock_ms)
    assert time.judge(replays[0], 1000, clock_ms, clock_ms, wall_ms) is Verdict.FIRST_CONTACT
    assert time.now_ms(clock_ms) == 0, "it tells nobody what may be wrong"
    time.learn(int(wall_ms), clock_ms)
    assert time.now_ms(clock_ms + 1000) == pytest.approx(wall_ms + 1000, abs=2)
    assert time.judge(replays[1], 1000, clock_ms + 1000, clock_ms + 1000, wall_ms + 1000) is Verdict.STALE
    genuine = pack(int(wall_ms + 2000), 1, 0, False, False, 1)
    assert time.judge(genuine, 1000, clock_ms + 2000, clock_ms + 2000, wall_ms) is Verdict.BELIEVED


def test_who_is_ahead_by_its_report_is_followed() -> None:
    """A master whose time lags is too old for a backup that is ahead; this one never speaks, but it reports."""
    clock_ms, wall_ms = 50_000.0, 2e11
    master, backup = GroupTime("boot", None, clock_ms), GroupTime("boot", None, clock_ms)
    backup.learn(int(wall_ms + 5000), clock_ms)
    said = master.sign(1, 0, 0, False, clock_ms, wall_ms, 0)
    assert backup.judge(said, 1000, clock_ms, clock_ms, wall_ms) is Verdict.STALE
    master.learn(backup.now_ms(clock_ms), clock_ms)
    said = master.sign(1, 0, 0, False, clock_ms + 1000, wall_ms, 0)
    assert backup.judge(said, 1000, clock_ms + 1000, clock_ms + 1000, wall_ms) is Verdict.BELIEVED
    backup.learn(int(wall_ms), clock_ms + 1000)
    assert backup.now_ms(clock_ms + 1000) == pytest.approx(wall_ms + 6000, abs=2), "nobody is followed back"
    backup.learn(1 << 60, clock_ms + 1000)
    assert backup.now_ms(clock_ms + 1000) <= YEAR_2110_MS
