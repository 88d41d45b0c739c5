"""What must hold for any story of a sealed group; see sealed_story.py. The target ``sealed`` of ``make fuzz``."""

from __future__ import annotations

import copy

from tests.fuzz import seal_rule
from tests.fuzz import second_reader
from tests.fuzz.seal_rule import TOLERANCE_MS
from tests.fuzz.seal_rule import Key
from tests.fuzz.seal_rule import Now
from tests.fuzz.sealed_story import CLOCK_MS
from tests.fuzz.sealed_story import NOW_MS
from tests.fuzz.sealed_story import OWN_COUNTER
from tests.fuzz.sealed_story import PLAIN_KEY
from tests.fuzz.sealed_story import TIME_MAX
from tests.fuzz.sealed_story import VECTOR
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

MEMORIES: dict[str, Saved | None] = {
    "none": None,
    "this boot": Saved("boot", NOW_MS - CLOCK_MS, int(NOW_MS) << 22),
    "another boot": Saved("before", NOW_MS, int(NOW_MS) << 22),
    "the end of time": Saved("boot", TIME_MAX - CLOCK_MS - 1000, TIME_MAX << 22),
}


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


class SealedLife:
    """The credentials of one node, the same by the rule, and the clocks."""

    def __init__(self, story: SealedStory) -> None:
        self.story = story
        self.clock_ms, self.late_ms, self.wall_ms = CLOCK_MS, 0.0, story.wall_ms
        saved = MEMORIES[story.memory]
        self.times = [GroupTime("boot", saved, CLOCK_MS, TOLERANCE_MS) for _ in story.keys]
        vhid, addresses = VECTOR.vhid, VECTOR.addresses
        sealers = [Sealer(key, vhid, addresses, time) for key, time in zip(story.keys, self.times, strict=True)]
        plain = Authenticator([PLAIN_KEY], vhid, addresses, OWN_COUNTER)
        self.credentials = Credentials(story.security, plain, sealers)
        self.rule: list[Key] = []
        self._learn()
        assert all(0 <= key.top < 1 << 64 for key in self.rule)

    def wait(self, wait_ms: float, late_ms: float) -> None:
        """Both clocks go on; the loop is late."""
        self.clock_ms += wait_ms
        self.wall_ms += wait_ms
        self.late_ms = late_ms

    def group_ms(self, number: int) -> tuple[float, int]:
        """What a member that sends now would say, and the highest counter."""
        key = self.rule[min(number, len(self.rule) - 1)]
        return (self.wall_ms if key.line_ms is None else key.line_ms + self.clock_ms), key.top

    def hear(self, heard: Heard) -> None:
        """A payload arrives."""
        expected, number = self._expected(heard)
        before = [_state(time) for time in self.times]
        answer = self._accept(heard)
        after = [_state(time) for time in self.times]
        if expected.is_near and (expected.name == "stale") != isinstance(answer, Reject):
            self._learn()
            return
        if isinstance(answer, Reject):
            assert answer.value == expected.name, f"{answer} where the rule says {expected.name}"
            assert after == before, f"{answer} changed more than a counter: {before} {after}"
            return
        assert expected.name in ("believed", "first_contact"), f"{answer} where the rule says {expected.name}"
        assert type(answer) is self._event(expected.name, heard.payload, number), f"another event: {answer}"
        if number is None:
            assert after == before, "plain CARP knows no time"
            return
        self.rule[number] = expected.key
        assert self._known() == self.rule, f"another time of the group: {self._known()} {self.rule}"
        assert [one[2] > other[2] for one, other in zip(after, before, strict=True)].count(True) == 1
        again = self._accept(heard)
        assert again is Reject.DUPLICATE and [_state(time) for time in self.times] == after, f"believed twice: {again}"

    def say(self, said: Said) -> None:
        """The node signs; its own voice is an echo from then on, and above everything before."""
        values = (said.advbase, said.advskew, said.demotion)
        if not self.credentials.seals:
            payload = self.credentials.sign(*values, farewell=said.farewell, reading=self._reading(), chance=0)
            assert self._accept(Heard(payload, 4)) is Reject.ECHO
            return
        flags = said.farewell << 5 | (said.demotion > 0) << 4 | said.chance
        fields = said.advbase << 14 | said.advskew << 6 | flags
        expected = seal_rule.say(self.rule[0], self.rule[1:], self._now(), fields)
        tops = [time.top for time in self.times]
        try:
            payload = self.credentials.sign(
                *values, farewell=said.farewell, reading=self._reading(), chance=said.chance
            )
        except OverflowError:
            assert expected is None and [time.top for time in self.times] == tops, "there was time left"
            self._learn()
            return
        assert expected is not None and int.from_bytes(payload[8:16]) == expected.top > tops[0], "another counter"
        self.rule[0] = expected
        assert self._known() == self.rule, f"another time of the group: {self._known()} {self.rule}"
        self.story.keep(Heard(payload, 4))
        assert self._accept(Heard(payload, 6)) is Reject.ECHO

    # -- the rule ----------------------------------------------------------------------------------------------------

    def _expected(self, heard: Heard) -> tuple[seal_rule.Answer, int | None]:
        """The answer, and the number of the sealed key, None for everything else."""
        nothing, payload = Key(), heard.payload
        keys = (*self.story.keys, PLAIN_KEY)
        reason = second_reader.why_not_believed(payload, heard.ttl, heard.version, VECTOR, keys, -1)
        if reason is not None:
            return seal_rule.Answer(reason, nothing), None
        counter = payload[8:16]
        digests = [second_reader.digest(VECTOR, key, counter) for key in self.story.keys]
        if payload[16:36] in digests:
            number = digests.index(payload[16:36])
            others = [key for key in self.rule if key is not self.rule[number]]
            return seal_rule.hear(self.rule[number], others, self._now(), payload, self.story.limit_ms), number
        if int.from_bytes(counter) == OWN_COUNTER:
            return seal_rule.Answer("echo", nothing), None
        return seal_rule.Answer("believed" if Security.CARP in self.story.security else "plain_member", nothing), None

    def _event(self, name: str, payload: bytes, number: int | None) -> type:
        """A first contact is one only where nothing but seals is believed; a farewell is told by its bit."""
        if number is None:
            return AdvertisementReceived
        if name == "first_contact" and Security.CARP not in self.story.security:
            return FirstContact
        return FarewellReceived if payload[15] >> 5 & 1 else AdvertisementReceived

    # -- the node ----------------------------------------------------------------------------------------------------

    def _accept(self, heard: Heard) -> Believed | Reject:
        return self.credentials.accept(
            heard.payload, heard.ttl, heard.version, "who", limit_ms=self.story.limit_ms, reading=self._reading()
        )

    def _reading(self) -> Reading:
        return Reading(self.clock_ms, self.clock_ms - self.late_ms, self.wall_ms)

    def _now(self) -> Now:
        return Now(self.clock_ms, self.clock_ms - self.late_ms, self.wall_ms)

    def _known(self) -> list[Key]:
        """As the node knows it."""
        return [Key(time.line_ms, _line_at(time), time.top, list(time._own)) for time in self.times]

    def _learn(self) -> None:
        """So near to a limit, or at the end of time, what the node does is right."""
        self.rule = copy.deepcopy(self._known())


def _line_at(time: GroupTime) -> float:
    return time._line_at_ms if time.line_ms is not None else 0.0


def _state(time: GroupTime) -> tuple[float | None, float, int, list[int]]:
    return time.line_ms, _line_at(time), time.top, list(time._own)
