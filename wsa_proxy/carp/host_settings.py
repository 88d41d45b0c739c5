"""What one node is told of its virtual host; ``SettingsChanged`` (``events.py``) tells it anew while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from wsa_proxy.carp.wire import Version


@dataclass(frozen=True, slots=True)
class VirtualHostSettings:
    """What one node knows of its virtual host, in carp(4)'s words."""

    vhid: int
    advbase: int
    """Seconds, 0..255."""
    advskew: int
    """1/256 seconds, 0..254."""
    preempt: bool
    versions: tuple[Version, ...]
    """The IP versions that have a master-down deadline each: those of its addresses, as on the BSDs. One stands for all
    where sealed advertisements are believed or peers are unicast (``Credentials.versions``)."""
    tie_break: int = 0
    """0..255, of every node another: the longer wait after a tie. 0 where counters of one key decide every crossing."""
    says_farewell: bool = False
    """A defeated master says so once, in a form that only our own nodes know (``seal.py``)."""
    acquires_first: bool = False
    """The addresses before the first advertisement, which with a virtual MAC brings the clients here."""
    preempt_delay_s: float = 0.0
    """How long a better backup endures an inferior master, at first; 0: not at all, and never longer (``calm.py``)."""
    preempt_delay_max_s: float = 60.0
    """To how much that grows with role changes in quick succession; never less than the first."""
    unicast: bool = False
    """Its peers are named: what is sent to them comes from no virtual MAC."""

    @property
    def says_intent(self) -> bool:
        """To a bow-out, before it acquires, which with a virtual MAC takes some 15 ms: others that do not know of a
        better one wait 10 ms at most, and would follow as well. Not in plain CARP, where it would be the advertisement
        itself, sent twice, and not to named peers, who could not tell it from what follows."""
        return self.acquires_first and self.says_farewell and not self.unicast
