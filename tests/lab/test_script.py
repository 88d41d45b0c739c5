from __future__ import annotations

import pytest

from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.faults import Takes
from wsa_proxy.lab.script import ORDER
from wsa_proxy.lab.script import TOUR
from wsa_proxy.lab.script import WAITS
from wsa_proxy.lab.script import ScriptError
from wsa_proxy.lab.script import Step
from wsa_proxy.lab.script import parse

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
    first = {"thaw": "freeze a; ", "start": "kill a; ", "plug": "cable a; ", "unblock": "block a; "}
    first |= {"feed": "starve a; ", "unmute": "mute a; ", "attend": "ignore a; ", "unfilter": "filter a>b; "}
    for fault in FAULTS.values():
        assert parse(first.get(fault.word, "") + fault.word + forms[fault.takes.value], NODES)
    assert len(parse("wait; settle; sleep 1", NODES)) == len(WAITS)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("", "the script has no steps; the words are kill, kill-all, freeze"),
        ("kil a", "step 1, 'kil a': unknown word 'kil'; did you mean kill? the words are kill, kill-all, freeze"),
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
        ("kill a; wait; kill a", "step 3, 'kill a': node a is down by then; kill takes one that is running or frozen"),
        ("start b", "node b is running by then; start takes one that is down"),
        ("freeze a; stop a", "node a is frozen by then; stop takes one that is running"),
        ("kill b; deafen b", "node b is down by then; deafen takes one that is running or frozen or"),
        ("freeze b; switch b", "node b is frozen by then; switch takes one that is running or mute or ignoring"),
        ("mute a; feed a", "node a is mute by then; feed takes one that is starving"),
        ("power a; thaw a", "node a is down by then; thaw takes one that is frozen"),
        ("power a; cable a", "node a is unplugged by then; cable takes one that is plugged in"),
        ("thaw a", "node a is running by then; thaw takes one that is frozen"),
        ("cable a; cable a", "node a is unplugged by then; cable takes one that is plugged in"),
        ("plug b", "node b is plugged in by then; plug takes one that is unplugged"),
        ("filter a>b; filter a>b", "the way a>b is filtered by then; filter takes one that is open"),
        ("filter a>b; unfilter b>a", "the way b>a is open by then; unfilter takes one that is filtered"),
        ("filter a>b; heal; unfilter a>b", "the way a>b is open by then; unfilter takes one that is filtered"),
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


def test_each_direction_is_filtered_for_itself_and_after_heal_again() -> None:
    """Both ways are two filters; heal undoes them all, beside any cut."""
    steps = "filter a>b; filter b>a; cut a>b; cut a>b; heal; heal; filter a>b; unfilter a>b; filter a>b"
    assert "; ".join(step.text for step in parse(steps, NODES)) == steps


def test_the_order_table_knows_every_fault_of_one_node() -> None:
    """A new fault cannot be forgotten there."""
    of_ways = {"filter", "unfilter"}
    assert set(ORDER) == {fault.word for fault in FAULTS.values() if fault.takes is Takes.NODE} | of_ways
