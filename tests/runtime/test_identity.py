"""Who a node is in its group: keys of all its secrets, and a time that one late loop does not make wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_interface
from pathlib import Path

import pytest

from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.seal import sealed_key
from wsa_proxy.carp.wire import Reject
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime import identity
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.identity import KEYS_AT_ONCE_MAX
from wsa_proxy.runtime.identity import Identity
from wsa_proxy.runtime.identity import derive_keys
from wsa_proxy.runtime.identity import make_identity
from wsa_proxy.runtime.seal_file import SealFile
from wsa_proxy.settings import GroupSettings

T = 256
ADVERTISEMENT = SendAdvertisement(1, 10, 0)


class Member:
    """An identity with a clock that the test moves."""

    def __init__(
        self, folder: Path, name: str, *phrases: bytes, security: tuple[str, ...] = ("sealed",), now_s: float = 1000.0
    ) -> None:
        self.now_s = now_s
        clocks = Clocks(lambda: self.now_s, lambda: self.now_s * 1000, lambda: 2e11 + self.now_s * 1000, "boot")
        self.file = SealFile(folder / name, "boot", lambda write: write())
        group = GroupSettings(
            1, "", "proxy", (ip_interface("10.0.0.3/24"),), "eth0", 255, 1, 10, phrases, security, False, 8080
        )
        self.identity: Identity = make_identity(group, self.file, clocks, 3600.0)

    def hears(self, payload: bytes, waited_s: float = 0.0) -> object:
        packet = Packet(4, "10.0.0.9", "02:00:00:00:00:09", 255, payload, waited_s=waited_s)
        return self.identity.judge(packet, T)


def test_a_late_loop_makes_nothing_old(tmp_path: Path) -> None:
    """What waited in the socket for 5 s is judged by when it can have come; what comes after that by the clock."""
    one, other = Member(tmp_path, "one", b"secret"), Member(tmp_path, "other", b"secret")
    assert isinstance(other.hears(one.identity.sign(ADVERTISEMENT)), FirstContact)
    one.now_s += 1
    waited = one.identity.sign(ADVERTISEMENT)
    one.now_s += 1
    held_back = one.identity.sign(ADVERTISEMENT)
    other.now_s += 1
    other.identity.queue_was_empty(other.identity.seal_clock_ms())
    other.now_s += 5
    assert isinstance(other.hears(waited), AdvertisementReceived)
    other.identity.queue_was_empty(other.identity.seal_clock_ms())
    assert other.hears(held_back) is Reject.STALE


@pytest.mark.parametrize("security", ["sealed", "carp"])
def test_how_long_a_bow_out_has_waited_is_told(tmp_path: Path, security: str) -> None:
    """To whoever reckons from its arrival; it is the host's own knowledge, and makes no replay or farewell more."""
    one, other = (Member(tmp_path, name, b"secret", security=(security,)) for name in ("one", "other"))
    other.hears(one.identity.sign(ADVERTISEMENT))
    heard = other.hears(bow_out := one.identity.sign(SendAdvertisement(255, 255, 0)), 0.003)
    assert isinstance(heard, AdvertisementReceived) and heard.waited_s == 0.003
    if security == "sealed":
        assert other.hears(bow_out, 0.003) is Reject.DUPLICATE
        assert isinstance(other.hears(one.identity.sign(SendFarewell(1, 10, 0)), 0.003), FarewellReceived)


def test_a_farewell_is_signed_as_one(tmp_path: Path) -> None:
    """And heard as one."""
    one, other = Member(tmp_path, "one", b"secret"), Member(tmp_path, "other", b"secret")
    other.hears(one.identity.sign(ADVERTISEMENT))
    assert isinstance(other.hears(one.identity.sign(SendFarewell(1, 10, 0))), FarewellReceived)


def test_what_was_said_is_remembered(tmp_path: Path) -> None:
    """By a process that comes after this one: its own advertisement is nothing new to it."""
    before = Member(tmp_path, "one", b"secret")
    payload = before.identity.sign(ADVERTISEMENT)
    before.identity.remember()
    assert Member(tmp_path, "one", b"secret").hears(payload) in (Reject.REPLAY, Reject.DUPLICATE)


def test_what_a_member_has_taught_is_remembered(tmp_path: Path) -> None:
    """The file has the time of the group that is ahead, for the next process of this boot."""
    before = Member(tmp_path, "one", b"secret")
    before.identity.sign(ADVERTISEMENT)
    before.identity.learn_group_ms(before.identity.group_ms() + 5000)
    after = Member(tmp_path, "one", b"secret")
    assert after.identity.group_ms() == before.identity.group_ms()


def test_a_secret_that_comes_back_in_a_later_life_makes_nothing_new(tmp_path: Path) -> None:
    """I4: two restarts, one with another secret: a change that was taken back. What was captured was heard before."""
    one, other = Member(tmp_path, "one", b"secret"), Member(tmp_path, "other", b"secret")
    captured = []
    for _ in range(3):
        captured.append(one.identity.sign(ADVERTISEMENT))
        other.hears(captured[-1])
        one.now_s = other.now_s = one.now_s + 1
    other.identity.remember()
    between = Member(tmp_path, "other", b"another", now_s=1060.0)
    between.identity.sign(ADVERTISEMENT)
    between.identity.remember()
    again = Member(tmp_path, "other", b"secret", now_s=1120.0)
    assert [again.hears(each) for each in captured] == [Reject.REPLAY] * 3


def test_an_ip_header_that_is_not_intact_is_named_first(tmp_path: Path) -> None:
    """Whatever it carries."""
    one = Member(tmp_path, "one", b"secret")
    packet = Packet(4, "10.0.0.9", "02:00:00:00:00:09", 255, b"", header_intact=False)
    assert one.identity.judge(packet, T) is Reject.BAD_CHECKSUM


def test_a_group_without_a_secret_signs_as_the_bsds_do(tmp_path: Path) -> None:
    """With 20 zero bytes, and nothing sealed can be told from a wrong secret."""
    one = Member(tmp_path, "one", security=("carp",))
    other = Member(tmp_path, "other", security=("carp",))
    assert isinstance(other.hears(one.identity.sign(ADVERTISEMENT)), AdvertisementReceived)
    assert other.hears(Member(tmp_path, "third", b"secret").identity.sign(ADVERTISEMENT)) is Reject.BAD_SECRET


def test_the_slow_keys_are_made_once(tmp_path: Path) -> None:
    """Then the loop need not wait for them."""
    phrase = b"of this test alone"
    member = Member(tmp_path, "one", b"secret")
    group = GroupSettings(1, "", "", (), "eth0", 255, 1, 0, (phrase,), ("sealed",), False, 1)
    derive_keys([group], processors=2)
    misses = sealed_key.cache_info().misses
    derive_keys([group])
    sealed_key(phrase)
    assert sealed_key.cache_info().misses == misses and member.identity.credentials.seals


def test_a_host_of_many_processors_makes_no_more_keys_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes its memory: all that there are would be a gigabyte for a moment."""
    threads: list[int] = []

    class Executor(ThreadPoolExecutor):
        def __init__(self, number: int, thread_name_prefix: str) -> None:
            threads.append(number)
            super().__init__(number, thread_name_prefix)

    monkeypatch.setattr(identity, "ThreadPoolExecutor", Executor)
    for processors in (1, 2, 128):
        derive_keys([], processors)
    assert threads == [1, 2, KEYS_AT_ONCE_MAX]


def told(member: Member, *phrases: bytes, security: tuple[str, ...] = ("sealed",)) -> None:
    """Other secrets, or another security, for a member that goes on."""
    vips = (ip_interface("10.0.0.3/24"),)
    group = GroupSettings(1, "", "proxy", vips, "eth0", 255, 1, 10, phrases, security, False, 8080)
    member.identity.take(member.identity.other_credentials(group, 3600.0))


def test_other_secrets_make_nobody_a_stranger_and_nothing_new(tmp_path: Path) -> None:
    """The time of the group goes on, also with a secret that nobody had before, and from one to the other at once."""
    one, other = Member(tmp_path, "one", b"secret"), Member(tmp_path, "other", b"secret")
    first = one.identity.sign(ADVERTISEMENT)
    assert isinstance(other.hears(first), FirstContact)
    for member in (one, other):
        told(member, b"another")
    assert other.hears(first) is Reject.BAD_SECRET
    second = one.identity.sign(ADVERTISEMENT)
    assert isinstance(other.hears(second), AdvertisementReceived)
    for member in (one, other):
        told(member, b"secret")
    assert other.hears(first) is Reject.DUPLICATE and one.hears(first) is Reject.ECHO
    assert other.hears(second) is Reject.BAD_SECRET


def test_a_secret_that_comes_back_has_the_groups_time_and_not_its_own(tmp_path: Path) -> None:
    """Hours later its own would let through what is hours old: it sinks while nobody is heard."""
    one, other = Member(tmp_path, "one", b"secret"), Member(tmp_path, "other", b"secret")
    other.hears(one.identity.sign(ADVERTISEMENT))
    told(other, b"another")
    one.now_s += 20 * 3600
    unheard = one.identity.sign(ADVERTISEMENT)
    one.now_s += 30
    other.now_s = one.now_s
    other.identity.queue_was_empty(other.identity.seal_clock_ms())
    other.identity.sign(ADVERTISEMENT)
    told(other, b"secret")
    assert other.hears(unheard) is Reject.STALE
    assert isinstance(other.hears(one.identity.sign(ADVERTISEMENT)), AdvertisementReceived)


def test_a_group_that_becomes_sealed_again_looks_at_the_clock_from_then_on(tmp_path: Path) -> None:
    """Plain CARP had not: when the queue was last empty was of no interest, and is not to be taken for long ago."""
    one, other = Member(tmp_path, "one", b"secret"), Member(tmp_path, "other", b"secret")
    other.hears(one.identity.sign(ADVERTISEMENT))
    told(other, b"secret", security=("carp",))
    other.identity.queue_was_empty(other.identity.seal_clock_ms())
    one.now_s += 1
    held_back = one.identity.sign(ADVERTISEMENT)
    one.now_s = other.now_s = one.now_s + 60
    told(other, b"secret", security=("sealed",))
    assert other.identity.is_sealed and other.hears(held_back) is Reject.STALE
    assert isinstance(other.hears(one.identity.sign(ADVERTISEMENT)), AdvertisementReceived)


def test_a_reflection_from_before_a_change_is_known(tmp_path: Path) -> None:
    """Plain CARP's counter is one for the life of the process."""
    one = Member(tmp_path, "one", b"secret", security=("carp",))
    said = one.identity.sign(ADVERTISEMENT)
    told(one, b"another", b"secret", security=("carp",))
    assert one.hears(said) is Reject.ECHO
