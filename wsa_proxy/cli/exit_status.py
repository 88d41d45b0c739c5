"""What the exit status of each verb means: the one place of it, for the help of the verbs and for the README."""

from __future__ import annotations

DONE, FAILED, WRONG_USE = 0, 1, 2
WRONG = 3
"""As systemctl answers for what does not do its work: it was looked at, and it is not as it should be."""
UNREAD = 141
"""128 and the number of SIGPIPE, as a shell says it of a program that the signal has ended."""

_ORDERED = {DONE: "done", FAILED: "refused, or no node has answered; why is on standard error"}

EXIT_STATUSES: dict[str, dict[int, str]] = {
    "run": {DONE: "the proxy was stopped", FAILED: "it could not be started, and why"},
    "init": {DONE: "the file is written", FAILED: "it is not, and why; nothing was changed"},
    "check": {DONE: "the file can be used", FAILED: "it has errors, and which"},
    "status": {
        DONE: "every group takes part and the proxy is well (with --watch: it was ended)",
        FAILED: "no node has answered",
        WRONG: "a node has answered, and something is wrong: a group is out or demoted, nobody could take over, the"
        " proxy cannot serve or serves badly, or there is no guardian",
    },
    "why": {DONE: "answered", FAILED: "no node has answered, or it knows no such group"},
    "history": {DONE: "answered", FAILED: "no node has answered"},
    "test": {
        DONE: "one node advertises, and it is the one that should",
        FAILED: "it could not be listened, and why",
        WRONG: "it is not as it should be: nobody advertises, or two do, or one that is not believed, or another one"
        " than the running node says",
    },
    "watch": {DONE: "it has looked", FAILED: "it could not, and why"},
    "doctor": {DONE: "nothing found", FAILED: "it could not be run, and why", WRONG: "something was found"},
    "switch": {DONE: "that node is master", FAILED: "it is not, and why"},
    "drill": {
        DONE: "the objective was met both times",
        FAILED: "the drill was not carried out, or not to its end, and why",
        WRONG: "the objective was missed",
    },
    "maintenance": _ORDERED,
    "demote": _ORDERED,
    "restore": _ORDERED,
    "preempt": _ORDERED,
    "reload": {DONE: "what was in the file is in force", FAILED: "nothing has changed, and why"},
    "cleanup": {DONE: "nothing is left behind", FAILED: "it may not or could not be removed, and why"},
    "completion": {DONE: "the script is on standard output"},
    "lab": {
        DONE: "the service came back after every fault",
        FAILED: "it did not",
        77: "this kernel gives no namespaces",
    },
    "bench": {
        DONE: "measured",
        FAILED: "some runs came to no end, and which; the others are written",
        77: "this kernel gives no namespaces",
    },
    "simulate": {DONE: "every promise was kept", FAILED: "one was broken, or something was never seen, and which"},
}
"""By verb. Every one has WRONG_USE as well."""


def meanings(verb: str) -> dict[int, str]:
    """By exit status, in order."""
    return dict(sorted((EXIT_STATUSES[verb] | {WRONG_USE: "wrong use"}).items()))


def epilog(verb: str) -> str:
    """The end of a verb's help."""
    return "\n".join(["exit status:", *(f"  {status:<3}  {meaning}" for status, meaning in meanings(verb).items())])


def table() -> str:
    """The table of the README, in Markdown."""
    lines = ["| verb | exit status |", "| --- | --- |"]
    for verb, statuses in EXIT_STATUSES.items():
        told = "; ".join(f"**{status}** {meaning}" for status, meaning in statuses.items())
        lines.append(f"| `{verb}` | {told} |")
    return "\n".join(lines)
