"""The targets themselves: what they hold for random bytes, and that each notices when the receive path is broken."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from types import FunctionType
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import seeds
from tests.fuzz import targets
from tests.fuzz.test_corpus import INPUTS
from wsa_proxy.carp import auth
from wsa_proxy.carp import credentials
from wsa_proxy.carp import seal
from wsa_proxy.carp import virtual_host
from wsa_proxy.carp import wire
from wsa_proxy.net import packet_socket
from wsa_proxy.runtime import driver
from wsa_proxy.runtime import identity

type Bug = tuple[ModuleType, str, str, str]

BEGINNING = st.tuples(*[st.integers(0, 255)] * 4).map(bytes)
HAPPENING = st.one_of(
    st.tuples(st.sampled_from(b"\x00\x01"), *[st.integers(0, 255)] * 5).map(bytes),  # a frame that is made
    st.tuples(st.sampled_from(b"\x03\x04\x07"), st.integers(0, 255)).map(bytes),  # clock, answered probe
    st.tuples(st.sampled_from(b"\x05\x06"), *[st.integers(0, 255)] * 2).map(bytes),  # start, stop, demotion
    st.tuples(st.just(6), st.integers(0, 255), st.just(0xFF), *[st.integers(0, 255)] * 3).map(bytes),  # other settings
)
STORIES = st.builds(lambda beginning, rest: beginning + seeds.STARTED + b"".join(rest), BEGINNING, st.lists(HAPPENING))

# (module, what its source says, what is planted instead, which is what)
BROKEN_CODEC: list[Bug] = [
    (wire, "vhid, advskew, _, demotion, advbase", "vhid, advbase, _, demotion, advskew", "two fields swapped"),
    (wire, "if checksum(head) != 0", "if False", "checksum not looked at"),
    (wire, "len(payload) < HEADER_BYTES", "len(payload) < 1", "length not looked at"),
    (wire, "ttl != TTL", "ttl < 1", "TTL of a router believed"),
]
BROKEN_RECEIVE: list[Bug] = [
    (auth, "next(fitting, None)", "next(fitting, 0)", "digest not looked at"),
    (auth, "if advertisement.counter == self._counter", "if False", "our own echo believed"),
    (auth, "enumerate(self._signatures)", "enumerate(self._signatures[:1])", "second key forgotten"),
    (auth, "ipv4 + ipv6", "ipv6 + ipv4", "IPv6 addresses hashed first"),
    (packet_socket, "header[header_bytes:total_bytes]", "header[header_bytes:]", "Ethernet padding kept"),
    (packet_socket, "if sensible and not fragment", "if sensible", "fragments believed"),
    (packet_socket, "_sums_to_ones(header[:header_bytes])", "True", "IPv4 checksum not looked at"),
    (driver, "self.record.rejected(", "self._handle(DeadlineReached()) or self.record.rejected(", "reject handled"),
    (virtual_host, "if now < self._earliest_s()", "if False", "MASTER early"),
    (virtual_host, "not election.outranks(self.rank, other)", "election.outranks(other, self.rank)", "tie not yielded"),
    (virtual_host, "before_s, now + self._master", "before_s, now + 9 * self._master", "deadline too late"),
    (virtual_host, "[ReleaseAddresses(), self._report(now", "[self._report(now", "not released"),
]


BROKEN_SEALED: list[Bug] = [
    (credentials, "sealer.fits(heard)", "sealer.fits(heard) or True", "digest not looked at"),
    (credentials, "if is_farewell(heard.counter)", "if False", "farewell taken for an advertisement"),
    (credentials, "if other is not sealer:", "if False:", "each secret has a time of its own"),
    (credentials, "            self._share_time(sealer)", "            pass", "what one secret hears no other knows"),
    (credentials, "        self._share_time(self.sealers[0])", "        pass", "what one secret says no other knows"),
    (credentials, "self._share_time(max(known", "self._share_time(min(known", "the earliest time is remembered"),
    (credentials, "reading._replace(wall_ms=0.0) if", "reading if", "clocks split a group that moves"),
    (credentials, "wall_ms=0.0) if Security.CARP in", "wall_ms=0.0) if True or", "nobody asks the wall clock"),
    (credentials, "if verdict is Verdict.FIRST_CONTACT and", "if False and", "first contact taken for a second"),
    (credentials, "            self.sealers[0].time.raise_to(", "            (", "signs earlier than the wall clock"),
    (credentials, "if self.seals:\n            # Who takes", "if True:\n            #", "who signs plain keeps a time"),
    (credentials, "Verdict.ECHO if self.time.has_said(", "Verdict.ECHO if not int(", "own echo to who signs plain"),
    (credentials, "if Security.SEALED not in self.security", "if False", "seals believed by who takes plain CARP only"),
    (identity, "time.take_time_of(times[0])", "pass", "a secret that returns has a time of its own"),
    (seal, "counter >> 6 & 0xFFFF == advbase << 8 | advskew and", "", "header believed"),
    (seal, "and counter >> 4 & 1 == demotion", "", "demotion believed"),
    (seal, "if counter in self._own", "if False", "own echo not known"),
    (seal, "if counter <= self.top", "if counter < self.top", "heard twice"),
    (seal, "Verdict.DUPLICATE if is_copy else", "", "a duplicate is called a replay"),
    (seal, "if bows_out or is_farewell(counter) or ms", "if ms", "first contact with a bow-out"),
    (seal, "wall_ms - self._tolerance_ms", "wall_ms - 2 * self._tolerance_ms", "first contact with what is old"),
    (seal, "sunk_ms = self._sunk_ms(", "sunk_ms = self.line_ms = self._sunk_ms(", "a refused one sinks"),
    (seal, "(clock_ms - self._line_at_ms) * SINK", "0", "no sink"),
    (seal, "ms < arrived_ms + sunk_ms", "ms < clock_ms + sunk_ms", "a late loop makes old"),
    (seal, "max(limit_ms, AGE_MS_MIN)", "limit_ms", "no time on its way"),
    (seal, "max(ms - clock_ms, sunk_ms)", "ms - clock_ms", "the time of the group falls"),
    (seal, "AGE_BOW_OUT_MS if bows_out and counter > top_of_others else", "", "a bow-out may not wait"),
    (seal, "bows_out and counter > top_of_others", "bows_out", "a bow-out of before under another secret"),
    (seal, "        if bows_out:\n", "        if False:\n", "a bow-out tells the time"),
    (seal, "(self.top >> 22) + 1,", "self.top >> 22,", "not above what was heard"),
    (seal, "self.top = counter\n        self._own.append(counter)", "self.top = counter", "own counters forgotten"),
    (seal, "self.line_ms = ms - clock_ms", "pass", "one millisecond later each time"),
    (seal, "min(max(wall_ms, 0.0), YEAR_2100_MS)", "wall_ms", "a wall clock beyond 2100"),
    (seal, "min(wall_ms, YEAR_2100_MS) - clock_ms)", "wall_ms - clock_ms)", "raised to a wall clock beyond 2100"),
    (seal, "max(self.line_ms, min(wall_ms,", "max(-1e99, min(wall_ms,", "the wall clock lowers the time"),
    (seal, "min(other.line_ms, YEAR_2110_MS - other._line_at_ms)", "other.line_ms", "a time beyond 2110 handed on"),
    (seal, "YEAR_2110_MS - other._line_at_ms", "YEAR_2100_MS - other._line_at_ms", "2100 again and again"),
    (seal, "self._line_at_ms = other._line_at_ms", "pass", "a time handed on sinks from long ago"),
]


@given(st.binary(max_size=120))
def test_codec_holds_for_any_bytes(data: bytes) -> None:
    """Whatever arrives, decode answers an Advertisement or a Reject, and what a second reader reads."""
    targets.fuzz_codec(data)


@given(st.binary(max_size=199))
def test_receive_holds_for_any_bytes(data: bytes) -> None:
    """Whatever happens to a virtual host, what it does has a reason and an order."""
    targets.fuzz_receive(data)


@given(STORIES)
def test_receive_holds_for_stories(data: bytes) -> None:
    """The same for inputs that are mostly well-signed frames, time and health."""
    targets.fuzz_receive(data)


@given(st.binary(max_size=199))
def test_sealed_holds_for_any_bytes(data: bytes) -> None:
    """Whatever is sent to a sealed group and whatever its clocks do, the answers are those of the rule."""
    targets.TARGETS["sealed"](data)


@pytest.mark.parametrize("bug", BROKEN_SEALED, ids=lambda bug: bug[3])
def test_broken_seal_is_noticed(bug: Bug) -> None:
    """Each bug planted between the digest and the event is found by a kept input or a seed, without fuzzing."""
    _check_is_noticed("sealed", bug)


@pytest.mark.parametrize("bug", BROKEN_CODEC, ids=lambda bug: bug[3])
def test_broken_codec_is_noticed(bug: Bug) -> None:
    """Each bug planted into the codec is found by a kept input or a seed, without fuzzing."""
    _check_is_noticed("codec", bug)


@pytest.mark.parametrize("bug", [*BROKEN_CODEC, *BROKEN_RECEIVE], ids=lambda bug: bug[3])
def test_broken_receive_path_is_noticed(bug: Bug) -> None:
    """Each bug planted between the frame and the election is found by a kept input or a seed, without fuzzing."""
    _check_is_noticed("receive", bug)


def _check_is_noticed(target: str, bug: Bug) -> None:
    inputs = [path.read_bytes() for path in INPUTS if path.parent.name == target] + seeds.SEEDS[target]()
    with planted(bug), pytest.raises(Exception):  # noqa: B017  (an AssertionError, or what the bug raises itself)
        for data in inputs:
            targets.TARGETS[target](data)
    for data in inputs:
        targets.TARGETS[target](data)  # the bug is gone again


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Every function of the module runs the changed source, wherever it is already imported."""
    module, says, instead, _ = bug
    source = inspect.getsource(module)
    assert source.count(says) == 1, f"{says!r} is no longer what {module.__name__} says once"
    broken = {"__name__": module.__name__}
    exec(compile(source.replace(says, instead), str(module.__file__), "exec"), broken)
    changed = functions(broken)
    before = [(function, function.__code__) for function in functions(vars(module)).values()]
    for name, function in functions(vars(module)).items():
        function.__code__ = changed[name].__code__
    try:
        yield
    finally:
        for function, code in before:
            function.__code__ = code


def functions(namespace: Mapping[str, object]) -> dict[str, FunctionType]:
    """The functions and methods that were written in this module, by their names."""
    found: dict[str, FunctionType] = {}
    for value in list(namespace.values()):
        members = vars(value).values() if isinstance(value, type) else [value]
        for member in members:
            member = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(member, FunctionType) and member.__module__ == namespace["__name__"]:
                found[member.__qualname__] = member
    return found
