"""The one list of faults: the words of a script, its help text and the keys of the live screen all come from it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from wsa_proxy.lab import listeners

if TYPE_CHECKING:
    from wsa_proxy.lab.lab import Lab

NFT_TABLE = "wsa_proxy_lab"
PROTOCOL_CARP = 112
NEEDS_NFT = ("cut", "filter", "unfilter", "heal")
"""Words of faults that are rules of the bridge."""


class NodeFault(Exception):
    """A fault that is impossible now, such as killing a node that does not run."""


class Takes(Enum):
    """What a fault is done to."""

    NODE = "NODE"
    PAIR = "NODE>NODE"
    NOTHING = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that can be done to the lab."""

    word: str
    takes: Takes
    key: str
    """On the live screen; several faults share one when at most one of them is possible. Empty: only in scripts."""
    help: str
    apply: Callable[..., None]
    """Called with the lab and the names of the nodes. Raises NodeFault when it is impossible now."""
    possible: Callable[[Lab, str], bool] = lambda _lab, _node: True
    """Tell whether it makes sense for that node now."""

    def text(self, targets: Sequence[str]) -> str:
        """As it is written in a script."""
        return " ".join((self.word, ">".join(targets))).strip()


def _deafen(lab: Lab, name: str) -> None:
    node = lab.nodes[name]
    if not node.alive:
        raise NodeFault(f"node {name} is not running: it cannot be deafened")
    if not listeners.shut(node.pid, set(lab.virtual_ips), lab.port):
        raise NodeFault(f"node {name} has no socket that listens on the virtual IP at port {lab.port}")


def _pull(lab: Lab, name: str) -> None:
    if not lab.topology.plugged(name):
        raise NodeFault(f"the cable of node {name} is out already")
    lab.topology.cable(name, up=False)


def _plug(lab: Lab, name: str) -> None:
    if lab.topology.plugged(name):
        raise NodeFault(f"the cable of node {name} is in already")
    lab.topology.cable(name, up=True)


def _cut(_lab: Lab, sender: str, receiver: str) -> None:
    _nft(
        f"add table bridge {NFT_TABLE}\n"
        f"add chain bridge {NFT_TABLE} cuts {{ type filter hook forward priority 0; }}\n"
        f'add rule bridge {NFT_TABLE} cuts iifname "{sender}" oifname "{receiver}" drop\n'
    )


def _filter(_lab: Lab, sender: str, receiver: str) -> None:
    chain = _chain_of_filter(sender, receiver)
    _nft(
        f"add table bridge {NFT_TABLE}\n"
        f"create chain bridge {NFT_TABLE} {chain} {{ type filter hook forward priority 0; }}\n"
        f"add rule bridge {NFT_TABLE} {chain} "
        f'iifname "{sender}" oifname "{receiver}" meta l4proto {PROTOCOL_CARP} drop\n'
    )


def _unfilter(_lab: Lab, sender: str, receiver: str) -> None:
    _nft(f"delete chain bridge {NFT_TABLE} {_chain_of_filter(sender, receiver)}\n")


def _chain_of_filter(sender: str, receiver: str) -> str:
    return f"filter_{sender}_{receiver}"


def _heal(_lab: Lab) -> None:
    _nft(f"add table bridge {NFT_TABLE}\ndelete table bridge {NFT_TABLE}\n")


def find_nft() -> str:
    """The program for the bridge's rules. Raises NodeFault with the command that installs it."""
    program = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
    if program is None:
        raise NodeFault(f"{', '.join(NEEDS_NFT)} need nft; install it with: apt-get install nftables")
    return program


def _nft(rules: str) -> None:
    """Change the bridge's rules in one transaction."""
    ended = subprocess.run([find_nft(), "-f", "-"], input=rules, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise NodeFault(f"nft refused the rules: {ended.stderr.strip()}")


def _power(lab: Lab, name: str) -> None:
    node = lab.nodes[name]
    if not node.alive:
        raise NodeFault(f"node {name} is not running: there is nothing to cut the power of")
    if lab.topology.plugged(name):
        lab.topology.cable(name, up=False)  # first, or the dying could still say something
    node.kill_all()


def _alive(lab: Lab, name: str) -> bool:
    return lab.nodes[name].alive


def _well(lab: Lab, name: str) -> bool:
    return lab.nodes[name].alive and not lab.nodes[name].ailment


def _is(ailment: str) -> Callable[[Lab, str], bool]:
    return lambda lab, name: lab.nodes[name].ailment == ailment


_LIST = (
    Fault("kill", Takes.NODE, "k", "kill the proxy (SIGKILL)", lambda lab, name: lab.nodes[name].kill(), _alive),
    Fault("kill-all", Takes.NODE, "", "kill the proxy and its guardian",
          lambda lab, name: lab.nodes[name].kill_all(), _alive),
    Fault("freeze", Takes.NODE, "z", "freeze the proxy (SIGSTOP)", lambda lab, name: lab.nodes[name].freeze(), _well),
    Fault("thaw", Takes.NODE, "t", "let a frozen proxy go on (SIGCONT)",
          lambda lab, name: lab.nodes[name].thaw(), _is("frozen")),
    Fault("block", Takes.NODE, "l", "block the proxy's loop: an addon sleeps for 30 s",
          lambda lab, name: lab.nodes[name].block(), _well),
    Fault("unblock", Takes.NODE, "l", "wake that addon",
          lambda lab, name: lab.nodes[name].unblock(), _is("blocked")),
    Fault("starve", Takes.NODE, "n", "no file descriptor can be opened any more",
          lambda lab, name: lab.nodes[name].starve(), _well),
    Fault("feed", Takes.NODE, "n", "they can again", lambda lab, name: lab.nodes[name].feed(), _is("starving")),
    Fault("mute", Takes.NODE, "m", "accept, but answer nothing: an addon holds every request",
          lambda lab, name: lab.nodes[name].mute(), _well),
    Fault("unmute", Takes.NODE, "m", "let that addon go on", lambda lab, name: lab.nodes[name].unmute(), _is("mute")),
    Fault("ignore", Takes.NODE, "i", "accept nothing; only the kernel does, until its queue is full",
          lambda lab, name: lab.nodes[name].ignore(), _well),
    Fault("attend", Takes.NODE, "i", "accept again", lambda lab, name: lab.nodes[name].attend(), _is("ignoring")),
    Fault("stop", Takes.NODE, "s", "stop the proxy in order (SIGTERM)",
          lambda lab, name: lab.nodes[name].stop(), lambda lab, name: lab.nodes[name].wanted),
    Fault("start", Takes.NODE, "s", "start the proxy again",
          lambda lab, name: lab.nodes[name].start(),
          lambda lab, name: not lab.nodes[name].wanted and not lab.nodes[name].alive),
    Fault("switch", Takes.NODE, "w", "have the node take over by consent (wsa-proxy switch)",
          lambda lab, name: lab.nodes[name].switch_here(), lambda lab, name: lab.nodes[name].is_backup),
    Fault("deafen", Takes.NODE, "x", "shut its listening sockets behind its back",
          _deafen, _alive),
    Fault("cable", Takes.NODE, "u", "pull the node's network cable",
          _pull, lambda lab, name: lab.topology.plugged(name)),
    Fault("plug", Takes.NODE, "u", "plug the cable in again",
          _plug, lambda lab, name: not lab.topology.plugged(name)),
    Fault("power", Takes.NODE, "p", "cut the node's power: cable and processes at once (undo with plug and start)",
          _power, _alive),
    Fault("cut", Takes.PAIR, "", "drop what the first node sends to the second (one way)", _cut),
    Fault("filter", Takes.PAIR, "", "drop its CARP (protocol 112) on the way to the second, nothing else (one way)",
          _filter),
    Fault("unfilter", Takes.PAIR, "", "let that pass again", _unfilter),
    Fault("heal", Takes.NOTHING, "", "undo every cut and filter", _heal),
)  # fmt: skip

FAULTS = {fault.word: fault for fault in _LIST}
