"""``"kill a; wait; start a; settle"`` -> steps. Pure: everything is checked before anything starts.

A step is a fault of faults.py with its nodes, or one of the words of WAITS. A script with faults that does not end with
a ``wait`` gets one: a run always ends with the answer whether the service came back.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.faults import Takes

WAITS = {
    "wait": "until the client's requests succeed again, at most 30 s",
    "settle": "until one node is master and every other running one backup, at most 30 s",
    "sleep": "S seconds (sleep 2.5)",
}
SLEEP_MAX_S = 600.0

AILING = ("frozen", "blocked", "starving", "mute", "ignoring")
ALIVE = ("running", *AILING)
ORDER = {
    "kill": (ALIVE, "down"),
    "kill-all": (ALIVE, "down"),
    "power": (ALIVE, "down"),
    "freeze": (("running",), "frozen"),
    "thaw": (("frozen",), "running"),
    "block": (("running",), "blocked"),
    "unblock": (("blocked",), "running"),
    "starve": (("running",), "starving"),
    "feed": (("starving",), "running"),
    "mute": (("running",), "mute"),
    "unmute": (("mute",), "running"),
    "ignore": (("running",), "ignoring"),
    "attend": (("ignoring",), "running"),
    "stop": (("running", "starving", "mute", "ignoring"), "down"),
    "start": (("down",), "running"),
    "switch": (("running", "mute", "ignoring"), None),
    "deafen": (ALIVE, None),
    "cable": (("plugged in",), "unplugged"),
    "plug": (("unplugged",), "plugged in"),
    "filter": (("open",), "filtered"),
    "unfilter": (("filtered",), "open"),
}
"""For a fault of a node, or of the way from one to another: what that must be for the fault to make sense, and what it
is afterwards if that changes. The others make sense at any time."""

TOUR = (
    "kill a; wait; start a; settle; freeze a; wait; thaw a; settle; stop a; wait; start a; settle; "
    "cable a; wait; plug a; settle"
)
"""What is played without a terminal and without a script: the faults that this product is there for."""


class ScriptError(Exception):
    """The script is wrong; one line for each wrong step, with what is allowed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step; ``targets`` are nodes."""

    word: str
    targets: tuple[str, ...] = ()
    sleep_s: float = 0.0

    @property
    def text(self) -> str:
        if self.word in FAULTS:
            return FAULTS[self.word].text(self.targets)
        return f"sleep {self.sleep_s:g}" if self.word == "sleep" else self.word


def parse(script: str, nodes: Sequence[str]) -> list[Step]:
    """Read a script. Raises ScriptError with all that is wrong."""
    steps: list[Step] = []
    problems: list[str] = []
    processes, cables = dict.fromkeys(nodes, "running"), dict.fromkeys(nodes, "plugged in")
    ways = {">".join(way): "open" for way in itertools.permutations(nodes, 2)}
    for number, text in enumerate(script.split(";"), start=1):
        if not (words := text.split()):
            continue
        try:
            steps.append(step := _parse_step(words, nodes))
            _follow(step, ways if len(step.targets) > 1 else cables if step.word in ("cable", "plug") else processes)
            cables |= dict.fromkeys(step.targets, "unplugged") if step.word == "power" else {}
            ways |= dict.fromkeys(ways, "open") if step.word == "heal" else {}
        except ScriptError as error:
            problems.append(f"step {number}, {text.strip()!r}: {error}")
    if not steps and not problems:
        problems.append(f"the script has no steps; the words are {', '.join([*FAULTS, *WAITS])}")
    if problems:
        raise ScriptError("\n".join(problems))
    return steps


def _parse_step(words: list[str], nodes: Sequence[str]) -> Step:
    word, *arguments = words
    if word in FAULTS:
        return Step(word, _parse_targets(word, arguments, nodes))
    if word not in WAITS:
        near = difflib.get_close_matches(word, [*FAULTS, *WAITS], n=1)
        guess = f"did you mean {near[0]}? " if near else ""
        raise ScriptError(f"unknown word {word!r}; {guess}the words are {', '.join([*FAULTS, *WAITS])}")
    if word == "sleep":
        return Step(word, sleep_s=_parse_seconds(arguments))
    if arguments:
        raise ScriptError(f"{word} takes nothing after it")
    return Step(word)


def _follow(step: Step, states: dict[str, str]) -> None:
    """Note in ``states``, which is by node or way, what the step makes of it. Raises ScriptError when it makes no
    sense."""
    if step.word not in ORDER:
        return
    key = ">".join(step.targets)
    possible, after = ORDER[step.word]
    if states[key] not in possible:
        kind = "node" if len(step.targets) == 1 else "the way"
        raise ScriptError(
            f"{kind} {key} is {states[key]} by then; {step.word} takes one that is {' or '.join(possible)}"
        )
    states[key] = after or states[key]


def _parse_targets(word: str, arguments: list[str], nodes: Sequence[str]) -> tuple[str, ...]:
    takes = FAULTS[word].takes
    # "cut a > b" is as clear as "cut a>b".
    targets = tuple("".join(arguments).split(">")) if takes is Takes.PAIR else tuple(arguments)
    wanted = {Takes.NODE: 1, Takes.PAIR: 2, Takes.NOTHING: 0}[takes]
    if len(targets) != wanted:
        form = f"{word} {takes.value}".strip()
        raise ScriptError(f"it is written {form!r}; the nodes are {', '.join(nodes)}")
    for target in targets:
        if target not in nodes:
            raise ScriptError(f"there is no node {target!r}; the nodes are {', '.join(nodes)}")
    if takes is Takes.PAIR and targets[0] == targets[1]:
        raise ScriptError("a node cannot be cut off from itself")
    return targets


def _parse_seconds(arguments: list[str]) -> float:
    try:
        (text,) = arguments
        seconds = float(text)
    except ValueError:
        raise ScriptError("it is written 'sleep SECONDS', such as 'sleep 2.5'") from None
    if not 0 <= seconds <= SLEEP_MAX_S:
        raise ScriptError(f"sleep takes 0 to {SLEEP_MAX_S:g} seconds")
    return seconds
