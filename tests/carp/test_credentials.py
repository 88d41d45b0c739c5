"""What a node signs with and whom it believes, for each way to sign, for several secrets, and while a group moves."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from tests.carp.test_wire import repaired
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.credentials import key_name
from wsa_proxy.carp.credentials import make_credentials
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.seal import YEAR_2100_MS
from wsa_proxy.carp.seal import YEAR_2110_MS
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import unpack
from wsa_proxy.carp.wire import Reject

BOTH = [ip_address("10.0.0.3"), ip_address("fd00:77::3")]
HOUR_MS = 3_600_000.0
WALL_MS = 2e11
T_MS = 1000.0
CARP, SEALED = Security.CARP, Security.SEALED


def at(seconds: float, wall_ms: float = WALL_MS) -> Reading:
    return Reading(seconds * 1000, seconds * 1000, wall_ms + seconds * 1000)


class Member:
    """One node of the group: its ways to sign, its secrets (the first signs)."""

    def __init__(self, *security: Security, secrets: str = "a", wall_ms: float = WALL_MS, number: int = 1) -> None:
        phrases = [secret.encode() for secret in secrets]
        plain = Authenticator([key_from_pass_phrase(phrase) for phrase in phrases], 7, BOTH, number)
        # The real key takes 60 ms; what matters is that it is another one.
        self.times = [GroupTime("boot", None, 0.0) for _ in phrases]
        sealers = [Sealer(b"sealed " + phrase, 7, BOTH, time) for phrase, time in zip(phrases, self.times, strict=True)]
        self.credentials = Credentials(security, plain, sealers)
        self.wall_ms = wall_ms
        self.chance = number

    def says(self, seconds: float, advskew: int = 10, farewell: bool = False, advbase: int = 1) -> bytes:
        reading = at(seconds, self.wall_ms)
        return self.credentials.sign(advbase, advskew, 0, farewell=farewell, reading=reading, chance=self.chance)

    def hears(self, payload: bytes, seconds: float, version: int = 4) -> object:
        assert version in (4, 6)
        reading = at(seconds, self.wall_ms)
        return self.credentials.accept(payload, 255, version, "sender", limit_ms=T_MS, reading=reading)  # type: ignore[arg-type]


def acquainted(*security: Security, secrets: str = "a") -> tuple[Member, Member]:
    """Two members that know the time of the group."""
    one, other = Member(*security, secrets=secrets), Member(*security, secrets=secrets, number=2)
    other.hears(one.says(1), 1)
    one.hears(other.says(1.1), 1.1)
    return one, other


@pytest.mark.parametrize(
    ("hears", "says", "expected"),
    [
        ([CARP], [CARP], AdvertisementReceived),
        ([SEALED], [CARP], Reject.PLAIN_MEMBER),
        ([CARP], [SEALED], Reject.SEALED_MEMBER),
        ([SEALED], [SEALED], FirstContact),
        ([CARP, SEALED], [SEALED], AdvertisementReceived),
        ([CARP, SEALED], [CARP], AdvertisementReceived),
        ([SEALED, CARP], [CARP, SEALED], AdvertisementReceived),
    ],
)
def test_who_is_believed(hears: list[Security], says: list[Security], expected: object) -> None:
    """A group moves from carp by [carp, sealed] and [sealed, carp] to sealed, and each step understands the next."""
    heard = Member(*hears).hears(Member(*says, number=2).says(1), 1)
    assert heard is expected or (isinstance(expected, type) and isinstance(heard, expected))


@pytest.mark.parametrize("security", [[CARP], [SEALED], [CARP, SEALED]])
def test_another_secret_is_not_believed(security: list[Security]) -> None:
    """In no way to sign."""
    for says in ([CARP], [SEALED]):
        assert Member(*security).hears(Member(*says, secrets="b", number=2).says(1), 1) is Reject.BAD_SECRET


def test_a_sealed_advertisement_is_heard_once_in_whatever_version() -> None:
    """One counter for all copies; the silence is that of one version."""
    one, other = acquainted(SEALED)
    assert one.credentials.versions == (4,) and Member(CARP).credentials.versions == (4, 6)
    payload = one.says(2)
    heard = other.hears(payload, 2, version=6)
    assert isinstance(heard, AdvertisementReceived) and heard.version == 4
    assert other.hears(payload, 2, version=4) is Reject.DUPLICATE
    assert one.hears(payload, 2) is Reject.ECHO


def test_what_was_heard_before_is_a_replay_and_what_was_held_back_is_stale() -> None:
    """Under whatever address it comes: nobody is asked for it."""
    one, other = acquainted(SEALED)
    early, later = one.says(2), one.says(3)
    assert isinstance(other.hears(later, 3), AdvertisementReceived)
    assert other.hears(early, 3) is Reject.REPLAY
    held = one.says(4)
    assert other.hears(held, 7) is Reject.STALE


@pytest.mark.parametrize("field", [2, 4, 5])
def test_a_header_that_differs_from_the_counter_was_rewritten(field: int) -> None:
    """advskew, demotion, advbase: the HMAC covers none of them."""
    one, other = acquainted(SEALED)
    payload = bytearray(one.says(2))
    payload[field] ^= 1
    assert other.hears(repaired(bytes(payload)), 2) is Reject.REWRITTEN


def test_a_farewell_is_an_event_of_its_own() -> None:
    """And none of a node that speaks plain CARP."""
    one, other = acquainted(SEALED)
    assert isinstance(other.hears(one.says(2, farewell=True), 2), FarewellReceived)
    assert one.credentials.seals and not Member(CARP, SEALED).credentials.seals
    plain = Member(CARP, SEALED).says(2, farewell=True)
    assert isinstance(Member(CARP, number=2).hears(plain, 2), AdvertisementReceived)


def test_a_demotion_of_any_degree_is_one_bit() -> None:
    """The header says what the counter can say, or the others would call it rewritten."""
    one, other = acquainted(SEALED)
    payload = one.credentials.sign(1, 240, 3, reading=at(2), chance=0)
    heard = other.hears(payload, 2)
    assert isinstance(heard, AdvertisementReceived) and heard.advertisement.demotion == 1


def test_a_secret_is_rotated_without_a_first_contact() -> None:
    """[old, new] on all, [new, old] on all, then [new]: the time of the group is one, whatever secret tells it."""
    one, other = acquainted(SEALED, secrets="on")
    one.credentials.sealers = one.credentials.sealers[::-1]  # now it signs with the new one
    assert one.credentials.sealers[0].time.top == 0
    heard = other.hears(one.says(2), 2)
    assert isinstance(heard, AdvertisementReceived)
    assert isinstance(one.hears(other.says(2.1), 2.1), AdvertisementReceived)
    # What was held back is too old under the new secret as well, although nothing of it was heard before.
    third = Member(SEALED, secrets="on", number=3)
    third.hears(other.says(3), 3)
    assert third.hears(one.says(3), 30) is Reject.STALE


def test_what_is_not_believed_sets_no_time_of_a_new_secret() -> None:
    """The fuzzer's: a rewritten one set it, the group went on to a later time, and what is an hour old was believed."""
    hour_s = HOUR_MS / 1000
    listener, speaker = Member(SEALED, secrets="on"), Member(SEALED, secrets="n", number=2)
    listener.hears(Member(SEALED, secrets="o", number=3).says(1), 1)
    rewritten = bytearray(speaker.says(2))
    rewritten[2] ^= 1
    assert listener.hears(repaired(bytes(rewritten)), 2) is Reject.REWRITTEN
    assert listener.times[1].line_ms == listener.times[0].line_ms and listener.times[1].top == 0
    ahead = Member(SEALED, secrets="o", number=4, wall_ms=WALL_MS + HOUR_MS)
    assert isinstance(listener.hears(ahead.says(3), 3), AdvertisementReceived)
    assert listener.hears(speaker.says(4), 4) is Reject.STALE
    late = Member(SEALED, secrets="n", number=5)
    assert isinstance(listener.hears(late.says(4 + hour_s), 4), AdvertisementReceived)


def test_a_time_that_no_wall_clock_says_is_not_taken_over_to_another_secret() -> None:
    """Who knows the old secret may have pushed its time to the end; the new one begins in 2110 at the latest."""
    one = Member(SEALED, secrets="no")
    one.times[1].line_ms = YEAR_2100_MS * 1.7
    one.times[0].take_time_of(one.times[1])
    assert unpack(int.from_bytes(one.says(1)[8:16])).ms == YEAR_2110_MS + 1000


def test_a_time_beyond_2100_does_not_fall_when_another_secret_is_heard() -> None:
    """A wall clock that was wrong told the group 2100, an hour ago; what is held back grows old all the same."""
    master = Member(SEALED, secrets="on", wall_ms=YEAR_2100_MS * 1.5)
    other, listener = Member(SEALED, secrets="no", number=2), Member(SEALED, secrets="no", number=3)
    listener.hears(master.says(1), 1)
    said = master.says(3600)
    for member in (listener, other):
        member.hears(said, 3600)
    held_back = master.says(3601)
    assert isinstance(listener.hears(other.says(3602), 3602), AdvertisementReceived)
    assert listener.hears(held_back, 3900) is Reject.STALE


def test_who_is_ahead_under_one_secret_is_followed_by_those_who_sign_with_another() -> None:
    """Half of the group is at [new, old] when a node that has lost the time of the group comes back with [old, new]."""
    one, other = acquainted(SEALED, secrets="no")
    ahead = Member(SEALED, secrets="on", number=3, wall_ms=WALL_MS + 2 * HOUR_MS)
    assert isinstance(one.hears(ahead.says(2), 2), AdvertisementReceived)
    assert isinstance(ahead.hears(one.says(3), 3), AdvertisementReceived)
    assert other.hears(one.says(4), 4.1) is not Reject.STALE


def test_a_bow_out_under_the_old_secret_is_not_believed_after_an_advertisement_under_the_new_one() -> None:
    """Somebody held it back while the node was started anew; it may be ten seconds old. In time it is believed."""
    before, listener = acquainted(SEALED, secrets="on")
    listener.credentials.sealers = listener.credentials.sealers[::-1]  # it signs with the new one by now
    first, second, third = (before.says(seconds, 255, advbase=255) for seconds in (3, 3.5, 5.9))
    assert isinstance(listener.hears(first, 4), AdvertisementReceived)
    again = Member(SEALED, secrets="no", number=3)
    again.hears(listener.says(5), 5)
    assert isinstance(listener.hears(again.says(6), 6), AdvertisementReceived)
    known = [(time.line_ms, time.top) for time in listener.times]
    assert listener.hears(second, 6.5) is Reject.STALE
    assert [(time.line_ms, time.top) for time in listener.times] == known
    assert isinstance(listener.hears(third, 6.5), AdvertisementReceived)  # the two have crossed


def test_a_refused_advertisement_moves_no_time_of_any_secret() -> None:
    """A replay of before, signed with a secret that this process has not heard yet."""
    old = Member(SEALED, secrets="n", number=2, wall_ms=WALL_MS - 2 * HOUR_MS).says(1)
    one = Member(SEALED, secrets="on")
    one.says(1)
    before = [(time.line_ms, time._line_at_ms, time.top) for time in one.times]
    assert one.hears(old, 5) is Reject.STALE
    assert [(time.line_ms, time._line_at_ms, time.top) for time in one.times] == before


def test_a_group_moves_to_seals_although_its_clocks_are_hours_apart() -> None:
    """The master begins to seal with a clock that is behind: everybody who takes plain CARP as well believes it."""
    master = Member(SEALED, CARP, wall_ms=WALL_MS - 2 * HOUR_MS)
    for security in ([CARP, SEALED], [SEALED, CARP]):
        other = Member(*security, number=2, wall_ms=WALL_MS + 2 * HOUR_MS)
        assert isinstance(other.hears(master.says(1), 1), AdvertisementReceived)
        assert isinstance(other.hears(master.says(2), 2), AdvertisementReceived)


def test_who_signs_plain_carp_keeps_no_time_and_is_fooled_by_a_header_and_an_echo_no_more_than_others() -> None:
    """What it knows is of earlier; it could not make those follow who sign sealed and are behind."""
    one, behind = acquainted(SEALED, CARP)
    one.credentials.security = (CARP, SEALED)
    own = one.credentials.sealers[0].sign(1, 10, 0, False, at(2), 1)
    known = (one.times[0].line_ms, one.times[0].top)
    behind = Member(SEALED, CARP, number=2, wall_ms=WALL_MS - 2 * HOUR_MS)
    payload = behind.says(3)
    assert isinstance(one.hears(payload, 3), AdvertisementReceived)
    assert (one.times[0].line_ms, one.times[0].top) == known
    assert one.hears(repaired(payload[:2] + b"\0" + payload[3:]), 3) is Reject.REWRITTEN
    assert one.hears(own, 3) is Reject.ECHO


def test_who_learned_the_time_of_a_replay_while_plain_carp_is_taken_signs_no_earlier_than_its_wall_clock_says() -> None:
    """Else everything that was captured since would be new again."""
    old = Member(SEALED, number=2, wall_ms=WALL_MS - 30 * HOUR_MS).says(1)
    one = Member(SEALED, CARP)
    assert isinstance(one.hears(old, 1), AdvertisementReceived)
    assert unpack(int.from_bytes(one.says(2)[8:16])).ms == WALL_MS + 2000


def test_a_first_contact_teaches_the_time_and_nothing_else() -> None:
    """The next one is believed."""
    one, other = Member(SEALED), Member(SEALED, number=2, wall_ms=WALL_MS - HOUR_MS / 2)
    assert isinstance(other.hears(one.says(1), 1), FirstContact)
    assert isinstance(other.hears(one.says(2), 2), AdvertisementReceived)


def test_a_group_must_sign_somehow_and_seals_with_a_secret_only() -> None:
    """A mistake of our own code, not of the network."""
    plain = Authenticator([bytes(20)], 7, BOTH, 1)
    for security in ([], [SEALED], [CARP, SEALED]):
        with pytest.raises(ValueError):
            Credentials(security, plain, [])
    assert Credentials([CARP], plain, []).versions == (4, 6)


def test_a_key_has_a_name_that_tells_nothing_of_it() -> None:
    """Different keys, different names."""
    assert key_name(b"one") != key_name(b"two") and b"one".hex() not in key_name(b"one")


def node(security: Security, *peers: str, number: int = 3) -> Credentials:
    """Of a group with virtual IPs of both versions; its advertisements go to these peers, or are multicast."""
    time = GroupTime("boot", None, 0.0)
    time.line_ms = float(WALL_MS)
    addresses = [ip_address(peer) for peer in peers]
    return make_credentials([security], [b"a good phrase"], 7, BOTH, number, lambda name: time, peers=addresses)


def heard_by(receiver: Credentials, payload: bytes, ttl: int = 255, version: int = 4, seconds: float = 1.0) -> object:
    reading = at(seconds)
    return receiver.accept(payload, ttl, version, "x", limit_ms=T_MS, reading=reading)  # type: ignore[arg-type]


@pytest.mark.parametrize("security", [SEALED, CARP])
def test_a_unicast_peers_ttl_means_nothing(security: Security) -> None:
    """It may be behind routers (FreeBSD); in a multicast group the same packet is refused."""
    payload = node(security).sign(1, 0, 0, reading=at(1), chance=1)
    for ttl in (255, 254, 1):
        event = heard_by(node(security, "10.0.0.1", number=4), payload, ttl)
        assert isinstance(event, AdvertisementReceived), (ttl, event)
    assert heard_by(node(security, number=4), payload, 254) is Reject.BAD_TTL


@pytest.mark.parametrize("security", [SEALED, CARP])
def test_among_unicast_peers_one_ip_version_stands_for_all(security: Security) -> None:
    """Two nodes may speak in the one that a third never hears: what comes in any is heard for all."""
    receiver = node(security, "10.0.0.1", "fd00::1")
    sender = node(security, number=4)
    assert len(receiver.versions) == 1
    for seconds, version in ((1, 4), (2, 6)):
        payload = sender.sign(1, 0, 0, reading=at(seconds), chance=1)
        event = heard_by(receiver, payload, version=version, seconds=seconds)
        assert isinstance(event, AdvertisementReceived) and event.version == receiver.versions[0]


@pytest.mark.parametrize(("peer", "version", "believed"), [("10.0.0.1", 6, False), ("fd00::1", 6, True)])
def test_an_ip_version_in_which_nobody_is_spoken_to_is_not_the_groups(peer: str, version: int, believed: bool) -> None:
    """All nodes of a group name each other in the same versions, which need not be those of the virtual IPs."""
    event = heard_by(node(CARP, peer), node(CARP, number=4).sign(1, 0, 0, reading=at(1), chance=1), version=version)
    assert isinstance(event, AdvertisementReceived) if believed else event is Reject.OTHER_FAMILY
