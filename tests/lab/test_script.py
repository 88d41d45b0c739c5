from __future__ import annotations

import pytest

from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.node import NodeFault
from wsa_proxy.lab.script import TOUR
from wsa_proxy.lab.script import WAITS
from wsa_proxy.lab.script import ScriptError
from wsa_proxy.lab.script import Step
from wsa_proxy.lab.script import StepFailed
from wsa_proxy.lab.script import parse
from wsa_proxy.lab.script import play

NODES = "ab"


def test_the_script_of_the_manual_is_read_as_it_is_meant() -> None:
    """Faults with their nodes, waits without; spaces and a last semicolon do not matter."""
    assert parse(" kill a; wait;start  a ;sleep 2.5; cut a > b; heal;", NODES) == [
        Step("kill", ("a",)),
        Step("wait"),
        Step("start", ("a",)),
        Step("sleep", sleep_s=2.5),
        Step("cut", ("a", "b")),
        Step("heal"),
    ]


def test_every_word_of_the_help_can_be_written() -> None:
    """The tour and each step's own text are valid scripts."""
    steps = parse(TOUR, NODES)
    assert parse("; ".join(step.text for step in steps), NODES) == steps
    forms = {"NODE": " a", "NODE>NODE": " a>b", "": ""}
    for fault in FAULTS.values():
        assert parse(fault.word + forms[fault.takes.value], NODES)
    assert len(parse("wait; settle; sleep 1", NODES)) == len(WAITS)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("", "the script has no steps; the words are kill, freeze"),
        ("kil a", "step 1, 'kil a': unknown word 'kil'; did you mean kill? the words are kill, freeze"),
        ("explode a", "unknown word 'explode'; the words are"),
        ("kill c", "there is no node 'c'; the nodes are a, b"),
        ("kill", "it is written 'kill NODE'; the nodes are a, b"),
        ("kill a b", "it is written 'kill NODE'"),
        ("cut a", "it is written 'cut NODE>NODE'"),
        ("cut a>a", "a node cannot be cut off from itself"),
        ("heal a", "it is written 'heal'"),
        ("wait 5", "wait takes nothing after it"),
        ("sleep", "it is written 'sleep SECONDS'"),
        ("sleep long", "it is written 'sleep SECONDS'"),
        ("sleep -1", "sleep takes 0 to 600 seconds"),
        ("sleep nan", "sleep takes 0 to 600 seconds"),
    ],
)
def test_a_wrong_step_is_told_with_what_is_allowed(script: str, told: str) -> None:
    """Each mistake has its own sentence."""
    with pytest.raises(ScriptError) as error:
        parse(script, NODES)
    assert told in str(error.value)


def test_all_wrong_steps_are_told_at_once() -> None:
    """One line for each wrong step, by its number."""
    with pytest.raises(ScriptError) as error:
        parse("kil a; kill a; kill z", NODES)
    assert [line.split(",")[0] for line in str(error.value).splitlines()] == ["step 1", "step 3"]


class FakeLab:
    """Notes what is asked of it; refuses one thing."""

    def __init__(self, refuses: str = "") -> None:
        self.done: list[str] = []
        self.applied: list[object] = []
        self._refuses = refuses

    def _do(self, text: str) -> None:
        if text == self._refuses:
            raise NodeFault("it makes no sense now")
        self.done.append(text)

    def apply(self, fault: object, *targets: str) -> None:
        self._do(f"{getattr(fault, 'word', '')} {' '.join(targets)}")

    def wait_service(self) -> None:
        self._do("wait")

    def settle(self) -> None:
        self._do("settle")


def test_a_run_ends_with_the_answer_whether_the_service_came_back() -> None:
    """A script that ends with a fault is followed by a wait."""
    lab = FakeLab()
    play(lab, parse("settle; kill a", NODES), say=lambda line: None)  # type: ignore[arg-type]
    assert lab.done == ["settle", "kill a", "wait"]


def test_a_step_that_fails_ends_the_run_and_is_named() -> None:
    """Nothing after it is done."""
    lab = FakeLab(refuses="kill a")
    with pytest.raises(StepFailed, match=r"step 2, 'kill a': it makes no sense now"):
        play(lab, parse("wait; kill a; settle", NODES), say=lambda line: None)  # type: ignore[arg-type]
    assert lab.done == ["wait"]
