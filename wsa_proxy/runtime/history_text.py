"""The words of the history: what a change of state means, for whoever does not know the protocol's."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping

from wsa_proxy.carp.commands import Reason
from wsa_proxy.carry_text import connections

CARRIED, STEERED, TOLD = "carried", "steered", "told"
"""Of an evidence: how many connections, and of ``told`` how many clients."""

type Facts = Mapping[str, str]
"""What an evidence says: ``silent_s=3.20 last_master=10.0.0.1``."""


def facts_of(evidence: str) -> dict[str, str]:
    """The names and values of an evidence; words without a value are passed over."""
    pairs = (word.partition("=") for word in evidence.split())
    return {name: value for name, equals, value in pairs if equals}


def cause(reason: str, evidence: str) -> str:
    """Why, as a clause that follows a colon. The words of who has stopped or started the group stay as they are."""
    words = CAUSES.get(reason)
    return words(facts_of(evidence)) if words is not None else reason


def sentence(node: str, group: int, old: str, new: str, reason: str, evidence: str, who: str) -> str:
    """One English sentence about one event; ``group`` 0 is the whole node."""
    ordered = f", ordered by {who}" if who else ""
    if not group:
        return f"Node {node} has {new}{f': {evidence}' if evidence else ''}{ordered}."
    what = f"became {new.upper()} of group {group}" if new != "init" else f"left group {group} (INIT)"
    return f"Node {node} {what}: {cause(reason, evidence)}{ordered}{_of_connections(facts_of(evidence))}."


def with_told(evidence: str, clients: int) -> str:
    """The evidence of a takeover, after so many more clients were told that their connections are gone."""
    before = int(facts_of(evidence).get(TOLD, "0"))
    others = [word for word in evidence.split() if not word.startswith(f"{TOLD}=")]
    return " ".join([*others, f"{TOLD}={before + clients}"])


def _of_connections(facts: Facts) -> str:
    """What became of them, where something did."""
    numbers = {name: int(facts[name]) for name in (CARRIED, STEERED, TOLD) if facts.get(name, "").isdecimal()}
    clauses = {
        CARRIED: f"; {connections(numbers.get(CARRIED, 0))} went on there",
        STEERED: f"; it steered {connections(numbers.get(STEERED, 0))} to the node that had them",
        TOLD: f"; clients that were told that their connections are gone: {numbers.get(TOLD, 0)}",
    }
    return "".join(clauses[name] for name in numbers)


def _master(facts: Facts) -> str:
    known = facts.get("last_master", "none")
    return "the master" if known == "none" else f"the master {known}"


def _silent(facts: Facts) -> str:
    if facts.get("last_master", "none") == "none":
        return "no other master was heard"
    silent_s = facts.get("silent_s")
    return f"{_master(facts)} was not heard{f' for {silent_s} s' if silent_s else ''}"


def _compared(facts: Facts) -> str:
    sender = facts.get("from")
    return f" ({sender})" if sender else ""


def _demoted(facts: Facts) -> str:
    return f"the master is demoted, and this node {'is not' if facts.get('own', '0') == '0' else 'less so'}"


def _outranked(facts: Facts) -> str:
    if facts.get("own_demotion", "0") != facts.get("its_demotion", "0"):
        return f"another master was heard{_compared(facts)}, and this node is demoted"
    return f"a better master was heard{_compared(facts)}"


CAUSES: dict[str, Callable[[Facts], str]] = {
    Reason.MASTER_SILENT.value: _silent,
    Reason.MASTER_BOWED_OUT.value: lambda facts: f"{_master(facts)} gave the group up",
    Reason.MASTER_HOPELESS.value: lambda facts: "the master advertises so rarely that it counts as gone",
    Reason.MASTER_DEMOTED.value: _demoted,
    Reason.PREEMPTED.value: lambda facts: "it outranks the master that was there",
    Reason.OUTRANKED.value: _outranked,
    Reason.TIED.value: lambda facts: f"a master of the same rank was heard{_compared(facts)}",
    Reason.OVERSLEPT.value: lambda facts: f"its process stood still and was {facts.get('late_s', 'some')} s late",
    Reason.ADDRESS_ANSWERED.value: lambda facts: f"the host {facts.get('mac', '?')} answers for the virtual IP",
    "ready": lambda facts: "it takes part, and listens first",
}
"""By the protocol's word."""
