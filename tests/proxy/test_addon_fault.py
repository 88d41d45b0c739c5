"""A fault of the addons ends for a reason, and never by itself."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from wsa_proxy.proxy.addon_fault import AddonFault
from wsa_proxy.settings import Limits


@dataclass
class World:
    now_s: float = 100.0
    loaded: list[object] = field(default_factory=lambda: [object(), object()])

    def __post_init__(self) -> None:
        self.fault = AddonFault("addons", Limits(2.0, 2, 5), clock=lambda: self.now_s, addons=lambda: list(self.loaded))


def test_it_stays_with_its_first_evidence_and_the_age_of_it() -> None:
    """However often it is found again, and however long nothing is heard."""
    world = World()
    assert world.fault.verdict(100.0)[0].passed and world.fault.verdict(100.0)[1] is None
    assert world.fault.verdict(100.0)[0].finished_at_s == 100.0
    world.fault.found("an addon raised, 5 times")
    world.now_s = 900.0
    world.fault.found("an addon raised, 6 times")
    result, soft = world.fault.verdict(world.now_s)
    assert soft == result.evidence and result.limits == Limits(2.0, 2, 5)
    assert (result.name, result.passed, result.evidence) == ("addons", False, "an addon raised, 5 times")
    assert result.finished_at_s == 100.0


def test_as_many_as_rise_have_to_pass_in_a_row() -> None:
    """One that fails in between, or is found again, makes the count begin anew."""
    fault = World().fault
    assert not fault.passed() and not fault.passed()  # nothing was wrong
    fault.found("wrong")
    assert not fault.passed()
    fault.failed()
    assert not fault.passed()
    fault.found("wrong")
    assert not fault.passed()
    assert fault.passed() and fault.verdict(0)[0].passed
    assert not fault.passed()


def test_another_addon_ends_it() -> None:
    """Loaded, taken away, or the same script loaded again; the same ones do not."""
    for change in (
        lambda loaded: loaded.pop(),
        lambda loaded: loaded.append(object()),
        lambda loaded: [loaded.pop(), loaded.append(object())],
    ):
        world = World()
        world.fault.found("wrong")
        assert not world.fault.other_addons() and not world.fault.verdict(0)[0].passed
        change(world.loaded)
        assert world.fault.other_addons() and world.fault.verdict(0)[0].passed
        assert not world.fault.other_addons()


def test_the_operator_ends_it() -> None:
    """Harmless where there is none."""
    fault = World().fault
    assert not fault.end("restored")
    fault.found("wrong")
    assert fault.end("restored") and fault.verdict(0)[0].passed
