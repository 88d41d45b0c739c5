"""The faults of the bench: those of the lab, and those that only a product with a daemon of its own can have. Pure.

Each is done to the master, node a, again and again, and undone. A word of a step is one of the lab's faults.py, or of
``peer_lab.PEER_FAULTS``.
"""

from __future__ import annotations

from dataclasses import dataclass

type Step = tuple[str, ...]
"""A word and the nodes that it is done to."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault."""

    name: str
    told: str
    """For the first column of the page."""
    fault: Step
    undo: tuple[Step, ...]
    often: bool = False
    """Done ten times, the others three times."""
    holds_on: bool = True
    """The host's kernel lives and may hold the virtual IP. The lab's always does: it is the machine's own."""
    peers_fault: Step | None = None
    """What the fault is with a peer; None: the same."""
    peers_undo: tuple[Step, ...] | None = None
    program: str | None = None
    """Without which the lab cannot do it."""

    def fault_of(self, *, peer: bool) -> Step:
        """What is done."""
        return self.peers_fault if peer and self.peers_fault is not None else self.fault

    def undo_of(self, *, peer: bool) -> tuple[Step, ...]:
        """What brings the master back after it."""
        return self.peers_undo if peer and self.peers_undo is not None else self.undo


START = ("start", "a")
_LIST = (
    Trial("kill", "proxy killed (SIGKILL)", ("kill", "a"), (START,), often=True),
    Trial("freeze", "proxy frozen (SIGSTOP)", ("freeze", "a"), (("thaw", "a"),), often=True),
    Trial("stop", "node stopped in order", ("stop", "a"), (START,), often=True),
    Trial("cable", "cable pulled", ("cable", "a"), (("plug", "a"),), often=True),
    Trial("block", "loop blocked: an addon sleeps", ("block", "a"), (("unblock", "a"),)),
    # Ours listens again by itself; of a plain mitmdump only a new process does. Its second socket is for its check.
    Trial("deafen", "listening sockets shut down", ("deafen", "a"), (), peers_fault=("deafen-all", "a"),
          peers_undo=(("kill", "a"), START)),
    Trial("starve", "no file descriptors", ("starve", "a"), (("feed", "a"),)),
    Trial("mute", "answers nothing: an addon hangs", ("mute", "a"), (("unmute", "a"),)),
    Trial("ignore", "accepts nothing", ("ignore", "a"), (("attend", "a"),)),
    Trial("kill-all", "proxy and its failover killed", ("kill-all", "a"), (START,)),
    Trial("power", "power cut", ("power", "a"), (("plug", "a"), START), holds_on=False),
    Trial("cut", "one way cut: the standby hears nothing", ("cut", "a", "b"), (("heal",),), program="nft"),
    Trial("filter", "advertisements filtered, nothing else", ("filter", "a", "b"), (("unfilter", "a", "b"),),
          program="nft"),
    Trial("switch", "switch by consent", ("switch", "b"), (("switch", "a"),), peers_fault=("step-down", "a"),
          peers_undo=(("step-up", "a"),)),
    Trial("daemon-kill", "failover daemon killed (SIGKILL)", ("daemon-kill", "a"), (("daemon-start", "a"),)),
    Trial("daemon-freeze", "failover daemon frozen (SIGSTOP)", ("daemon-freeze", "a"), (("daemon-thaw", "a"),)),
)  # fmt: skip

TRIALS = {trial.name: trial for trial in _LIST}

RETURN = "start"
"""The return of the better node is no fault of its own: it is what undoes ``stop``, and measured there."""
RETURN_OF = "stop"
RETURN_TOLD = "better node started again"

ROWS = {
    name: told
    for trial in _LIST
    for name, told in [(trial.name, trial.told), *([(RETURN, RETURN_TOLD)] if trial.name == RETURN_OF else [])]
}
"""What has a line on the page and in its picture, in this order, with what it is called there."""
