"""The file, and what is wrong with it on this host: interface, subnet, prefix, a virtual IP that is the host's own."""

from __future__ import annotations

from collections.abc import Iterator

from wsa_proxy.config.source import Problem
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade


def check_file(facts: Facts) -> Iterator[Answer]:
    """The errors of ``wsa-proxy check``; its advice is not repeated."""
    if facts.file is None:
        yield NotMade("no file was named, and the running node's command line names none: wsa-proxy doctor FILE")
    judged = {each.path for each in facts.files if each.mode is not None}
    for problem in facts.problems:
        if problem.key.endswith("shared_secret_file") and "others may use it" in problem.text and judged:
            continue  # the check of the files says it
        yield _finding(problem)


def check_interface(facts: Facts) -> Iterator[Answer]:
    """Exists, is up, has carrier, and a network that contains the virtual IPs with the same prefix."""
    yield from map(_finding, facts.host_problems)
    if facts.file is not None:
        return
    for group in facts.groups:
        interface = next((each for each in facts.host.interfaces if each.name == group.interface), None)
        if interface is None or not interface.up or not interface.carrier:
            state = "is gone" if interface is None else "is down" if not interface.up else "has no carrier"
            yield Finding(
                f"the interface of group {group.vhid}, {group.interface}, {state}",
                f"the running node's status names {group.interface}; ip link show dev {group.interface}",
                "bring it up, or look at its cable and its port at the switch",
            )


def _finding(problem: Problem) -> Finding:
    """Its text is: what is wrong; what is allowed or how to correct it."""
    what, _, fix = problem.text.partition("; ")
    subject = " ".join(each for each in (problem.key, problem.value) if each)
    place = f"{problem.source}:{problem.line}" if problem.line else problem.source
    if not problem.key or what.startswith(("is ", "has ", "must ", "cannot ", "needs ", "gives ", "used ")):
        what = f"{subject} {what}".strip()
    else:
        what = f"{subject}: {what}"
    return Finding(what, place, fix or f"correct it there; wsa-proxy check {problem.source} knows what is allowed")
