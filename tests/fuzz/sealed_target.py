"""What must hold for any story of a sealed group; see sealed_story.py. The target ``sealed`` of ``make fuzz``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz import seal_rule
from tests.fuzz import second_reader
from tests.fuzz.seal_rule import NEAR_MS
from tests.fuzz.seal_rule import TOLERANCE_MS
from tests.fuzz.seal_rule import Key
from tests.fuzz.seal_rule import Keys
from tests.fuzz.seal_rule import Moves
from tests.fuzz.seal_rule import Now
from tests.fuzz.sealed_story import CLOCK_MS
from tests.fuzz.sealed_story import NOW_MS
from tests.fuzz.sealed_story import OWN_COUNTER
from tests.fuzz.sealed_story import PLAIN_KEY
from tests.fuzz.sealed_story import SEALED_KEYS
from tests.fuzz.sealed_story import TIME_MAX
from tests.fuzz.sealed_story import VECTOR
from tests.fuzz.sealed_story import Changed
from tests.fuzz.sealed_story import Heard
from tests.fuzz.sealed_story import Said
from tests.fuzz.sealed_story import SealedStory
from tests.fuzz.sealed_story import WallStepped
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.credentials import Believed
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Saved
from wsa_proxy.carp.wire import Reject
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.identity import Identity
from wsa_proxy.runtime.seal_file import SealFile

MEMORIES: dict[str, Saved | None] = {
    "none": None,
    "this boot": Saved("boot", NOW_MS - CLOCK_MS, int(NOW_MS) << 22),
    "another boot": Saved("before", NOW_MS, int(NOW_MS) << 22),
    "the end of time": Saved("boot", seal_rule.YEAR_2110_MS - 2 * CLOCK_MS, TIME_MAX << 22),  # no file says more
    "earlier": Saved("boot", NOW_MS - CLOCK_MS - 9 * TOLERANCE_MS, int(NOW_MS) - 10 * TOLERANCE_MS << 22),
}

NO_FILE = SealFile(Path("no file"), "boot", lambda write: None)


def fuzz_sealed(data: bytes) -> None:
    """A story of advertisements, replays, clocks and the own voice: each answer is the second reader's; what is not
    believed changes nothing (I3); what is believed is above all before it, and a second time it is not (I4)."""
    story = SealedStory(data)
    life = SealedLife(story)
    for wait_ms, late_ms, step in story.steps(life.group_ms):
        life.wait(wait_ms, late_ms)
        match step:
            case Heard():
                story.keep(step)
                life.hear(step)
            case Said():
                life.say(step)
            case WallStepped():
                life.wall_ms += step.by_ms
            case Changed():
                life.change(step)


class SealedLife:
    """The credentials of one node, the same by the rule, and the clocks."""

    def __init__(self, story: SealedStory) -> None:
        self.story = story
        self.clock_ms, self.late_ms, self.wall_ms = CLOCK_MS, 0.0, story.wall_ms
        self.times: dict[int, GroupTime] = {}
        self.keys: dict[int, Key] = {}
        """By the numbers of the sealed keys, also of those that are no longer in use: what the node knows, and what it
        should know."""
        clocks = Clocks(lambda: self.clock_ms / 1000, lambda: self.clock_ms, lambda: self.wall_ms, "boot")
        self.identity = Identity(self._credentials(story, lambda _: None), NO_FILE, clocks)
        self._take(story, ())
        assert all(0 <= key.top < 1 << 64 for key in self.keys.values())

    @property
    def rule(self) -> Keys:
        """Of the keys in use, in their order."""
        return tuple(self.keys[number] for number in self.in_use)

    def wait(self, wait_ms: float, late_ms: float) -> None:
        """Both clocks go on; the loop is late."""
        self.clock_ms += wait_ms
        self.wall_ms += wait_ms
        self.late_ms = late_ms

    def group_ms(self, number: int) -> tuple[float, int]:
        """What a member that sends now would say, and the highest counter."""
        key = self.keys.get(number) or self.rule[0]
        return (self.wall_ms if key.line_ms is None else key.line_ms + self.clock_ms), key.top

    def change(self, changed: Changed) -> None:
        """The configuration is read again: as the node does it, see runtime/identity.py."""
        old = self.in_use
        self.identity.take(self._credentials(changed, self.identity._teach))
        self._take(changed, old)

    def hear(self, heard: Heard) -> None:
        """A payload arrives."""
        expected, number = self._expected(heard)
        before = self._known()
        answer = self._accept(heard)
        after = self._known()
        if expected.is_near and (expected.name == "stale") != isinstance(answer, Reject):
            self._learn()
            return
        if isinstance(answer, Reject):
            assert answer.value == expected.name, f"{answer} where the rule says {expected.name}"
            assert after == before, f"{answer} changed more than a counter: {before} {after}"
            return
        assert expected.name in ("believed", "first_contact"), f"{answer} where the rule says {expected.name}"
        assert type(answer) is self._event(expected.name, heard.payload, number), f"another event: {answer}"
        if number is None or not self.moves.signs_sealed:
            assert after == before, "who signs plain CARP keeps no time, and what is plain CARP tells none"
            return
        self._check(expected.keys, number)
        assert [new.top > old.top for new, old in zip(after, before, strict=True)].count(True) == 1
        again = self._accept(heard)
        assert again is Reject.DUPLICATE and self._known() == after, f"believed twice: {again}"

    def say(self, said: Said) -> None:
        """The node signs; its own voice is an echo from then on, and above everything before."""
        values = (said.advbase, said.advskew, said.demotion)
        credentials = self.identity.credentials
        if not credentials.seals:
            payload = credentials.sign(*values, farewell=said.farewell, reading=self._reading(), chance=0)
            assert self._accept(Heard(payload, 4)) is Reject.ECHO
            return
        flags = said.farewell << 5 | (said.demotion > 0) << 4 | said.chance
        fields = said.advbase << 14 | said.advskew << 6 | flags
        expected = seal_rule.say(self.rule, self.moves, self._now(), fields)
        tops = [key.top for key in self._known()]
        try:
            payload = credentials.sign(*values, farewell=said.farewell, reading=self._reading(), chance=said.chance)
        except OverflowError:
            assert expected is None and [key.top for key in self._known()] == tops, "there was time left"
            self._learn()
            return
        assert expected is not None and int.from_bytes(payload[8:16]) == expected[0].top > tops[0], "another counter"
        self._check(expected, 0)
        self.story.keep(Heard(payload, 4))
        assert self._accept(Heard(payload, 6)) is Reject.ECHO

    # -- the rule ----------------------------------------------------------------------------------------------------

    def _expected(self, heard: Heard) -> tuple[seal_rule.Answer, int | None]:
        """The answer, and the number of the sealed key, None for everything else."""
        payload = heard.payload
        sealed_keys = [SEALED_KEYS[number] for number in self.in_use]
        keys = (*sealed_keys, PLAIN_KEY)
        reason = second_reader.why_not_believed(payload, heard.ttl, heard.version, VECTOR, keys, -1)
        if reason is not None:
            return seal_rule.Answer(reason, self.rule), None
        counter = payload[8:16]
        digests = [second_reader.digest(VECTOR, key, counter) for key in sealed_keys]
        if payload[16:36] in digests:
            place = digests.index(payload[16:36])
            return seal_rule.hear(self.rule, place, self.moves, self._now(), payload, self.story.limit_ms), place
        if int.from_bytes(counter) == OWN_COUNTER:
            return seal_rule.Answer("echo", self.rule), None
        return seal_rule.Answer("believed" if self.moves.takes_plain else "plain_member", self.rule), None

    def _event(self, name: str, payload: bytes, number: int | None) -> type:
        """A first contact is one only where nothing but seals is believed; a farewell is told by its bit."""
        if number is None:
            return AdvertisementReceived
        if name == "first_contact" and not self.moves.takes_plain:
            return FirstContact
        return FarewellReceived if payload[15] >> 5 & 1 else AdvertisementReceived

    # -- the node ----------------------------------------------------------------------------------------------------

    def _accept(self, heard: Heard) -> Believed | Reject:
        return self.identity.credentials.accept(
            heard.payload, heard.ttl, heard.version, "who", limit_ms=self.story.limit_ms, reading=self._reading()
        )

    def _reading(self) -> Reading:
        return Reading(self.clock_ms, self.clock_ms - self.late_ms, self.wall_ms)

    def _now(self) -> Now:
        return Now(self.clock_ms, self.clock_ms - self.late_ms, self.wall_ms)

    def _known(self) -> Keys:
        """As the node knows it."""
        return tuple(_state(self.times[number]) for number in self.in_use)

    def _learn(self) -> None:
        """So near to a limit, or at the end of time, what the node does is right."""
        self._set_rule(self._known())

    def _set_rule(self, keys: Keys) -> None:
        self.keys.update(zip(self.in_use, keys, strict=True))

    def _credentials(self, told: SealedStory | Changed, teach: Callable[[GroupTime], None]) -> Credentials:
        """Made as runtime/identity.py makes them, but for the pass phrases; a key's time is one as long as it lives."""
        vhid, addresses, sealers = VECTOR.vhid, VECTOR.addresses, []
        for number in told.in_use:
            if number not in self.times:
                memory = MEMORIES[self.story.memories[number]]
                self.times[number] = GroupTime("boot", memory, self.clock_ms, TOLERANCE_MS)
            teach(self.times[number])
            sealers.append(Sealer(SEALED_KEYS[number], vhid, addresses, self.times[number]))
        return Credentials(told.security, Authenticator([PLAIN_KEY], vhid, addresses, OWN_COUNTER), sealers)

    def _take(self, told: SealedStory | Changed, old: tuple[int, ...]) -> None:
        """The same by the rule."""
        group = tuple(self.keys[number] for number in old)
        new = []
        for number in told.in_use:
            memory = MEMORIES[self.story.memories[number]]
            new.append((self.keys.get(number) or seal_rule.remember(_kept(memory), self.clock_ms), number in old))
        self.in_use, self.moves = told.in_use, _moves(told.security)
        self._set_rule(seal_rule.change(group, new))
        assert self._known() == self.rule, f"another time of the group: {self._known()} {self.rule}"

    def _check(self, expected: Keys, told: int) -> None:
        """What is known is what the rule says, and one key has moved no other one's top, nor its time downwards."""
        before, known = self.rule, self._known()
        assert known == expected, f"another time of the group: {known} {expected}"
        for number, (old, new) in enumerate(zip(before, known, strict=True)):
            if old.line_ms is not None and old.line_ms + self.clock_ms < seal_rule.YEAR_2110_MS:
                sunk_ms = old.line_ms - (new.line_at_ms - old.line_at_ms) / 1000
                assert new.line_ms is not None and new.line_ms > sunk_ms - NEAR_MS, f"the time of {number} has fallen"
            assert number == told or (new.top, new.own) == (old.top, old.own), f"key {number} has said or heard nothing"
        self._set_rule(expected)


def _kept(saved: Saved | None) -> tuple[bool, float, int] | None:
    return None if saved is None else (saved.boot_id == "boot", saved.line_ms or 0.0, saved.top)


def _moves(security: tuple[Security, ...]) -> Moves:
    return Moves(security[0] is Security.SEALED, Security.SEALED in security, Security.CARP in security)


def _state(time: GroupTime) -> Key:
    line_at_ms = time._line_at_ms if time.line_ms is not None else 0.0
    return Key(time.line_ms, line_at_ms, time.top, tuple(time._own))
