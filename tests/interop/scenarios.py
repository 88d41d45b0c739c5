"""One session in which every pair lives through its story, all at the same time; see inside.py for where it runs.

It waits for what must come, with bounds from what ucarp is (its patience, and how late it reacts), does the next
thing, and returns all that was seen. The judging is in test_interop.py.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from typing import Any

from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRP

from tests.interop.pairs import BY_NAME
from tests.interop.pairs import CUT_OFF
from tests.interop.pairs import PAIRS
from tests.interop.pairs import STRANGER
from tests.interop.pairs import TIES
from tests.interop.seen import HANDED_OVER
from tests.interop.seen import SILENCED
from tests.interop.track import Track
from tests.interop.ucarp import REACTION_S
from tests.interop.ucarp import master_down_s
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.holders import holdings
from wsa_proxy.lab.namespace import inside

NOISE_S = 2.0
"""What a busy machine may add to any wait before it counts as failed; the judge has narrower bounds."""
NODE_START_S = 15.0
QUIET_S = master_down_s(100) + 1 + 100 / 256 + 0.2
"""After so long a ucarp that hears nobody is master: it looks at its deadline once in an interval."""
UCARP_DOWN_S_MAX = QUIET_S + REACTION_S + NOISE_S
OUR_DOWN_S_MAX = master_down_s(100) + NOISE_S
AGREED_S = 2.2
"""For so long one of a tied pair must have been the only holder: two intervals, in which the other hears it."""
VRRP_IDS = ("vrrp_with_the_same_id", "ucarp_is_master")
VRRP_FRAMES = 5


class Session:
    """The story, in six parts; ``marks`` are the moments in which something was done."""

    def __init__(self) -> None:
        self.track = Track()
        self.marks: dict[str, float] = {}

    def mark(self, what: str) -> None:
        self.marks[what] = time.monotonic()

    def wait_roles(self, what: str, wanted: dict[str, tuple[str, str]], within_s: float) -> None:
        """Wait until our node and ucarp say so: ``{"we_preempt": ("master", "BACKUP")}``; "" is whatever."""

        def missing() -> dict[str, tuple[str, str]]:
            now = {name: self.track.roles(BY_NAME[name]) for name in wanted}
            return {
                name: roles
                for name, roles in now.items()
                if any(want not in ("", role) for want, role in zip(wanted[name], roles, strict=True))
            }

        self.track.wait(what, missing, within_s)

    def ucarps_first(self) -> None:
        """Some ucarps are masters before we come."""
        self.track.start_ucarps(first=True)
        first = {pair.name: ("init", "MASTER") for pair in PAIRS if pair.first}
        self.wait_roles("the first ucarps are masters", first, UCARP_DOWN_S_MAX)

    def nodes_join(self) -> None:
        """Both nodes start; the preemptive one takes over from its inferior ucarp."""
        self.mark("nodes start")
        for node in self.track.nodes.values():
            node.start()
        wanted = {pair.name: ("master", "INIT") for pair in PAIRS if not pair.first}
        wanted |= {"ucarp_is_master": ("backup", "MASTER"), "we_do_not_preempt": ("backup", "MASTER")}
        wanted |= {"we_preempt": ("master", "BACKUP")}
        self.wait_roles("our nodes have found their places", wanted, NODE_START_S + OUR_DOWN_S_MAX)

    def ucarps_join(self) -> None:
        """The others start, and then nothing may happen for as long as a ucarp is patient; but there is VRRP."""
        self.mark("ucarps start")
        self.track.start_ucarps(first=False)
        wanted = {pair.name: ("master", "BACKUP") for pair in PAIRS if not pair.first}
        wanted |= {"ucarp_preempts": ("backup", "MASTER"), "wrong_secret": ("master", "MASTER")}
        self.wait_roles("the other ucarps have found their places", wanted, UCARP_DOWN_S_MAX)
        self.mark("quiet begins")
        self.send_vrrp()
        begins_s = self.marks["ucarps start"]
        self.track.wait("nothing happens", lambda: time.monotonic() < begins_s + QUIET_S, QUIET_S + NOISE_S)
        self.mark("quiet ends")

    def send_vrrp(self) -> None:
        """A VRRPv2 router with five addresses: 36 bytes with a right checksum and 0x21 in front, as CARP's."""
        with inside(self.track.topology.networks[STRANGER.name]):
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            wire.bind(("eth0", 0))
        for _ in range(VRRP_FRAMES):
            for name in VRRP_IDS:
                wire.send(vrrp_frame(BY_NAME[name].vhid))
            time.sleep(0.05)  # spread over some turns of everybody's loop

    def ucarps_leave(self) -> None:
        """Killed, ended in order, asked to be backup; at the same time others lose their cable."""
        for name in CUT_OFF:
            pair = BY_NAME[name]
            for direction in ((pair.node, pair.host.name), (pair.host.name, pair.node)):
                FAULTS["cut"].apply(self.track, *direction)
        self.mark("cut")
        for name, number in SILENCED.items():
            self.mark(f"{number} {name}")
            self.track.ucarps[name].signal(signal.Signals[number])
        wanted = {"ucarp_is_master": ("master", ""), "ucarp_preempts": ("master", "")}
        wanted |= {"we_do_not_preempt": ("master", "BACKUP")}
        wanted |= {name: ("master", "MASTER") for name in CUT_OFF}
        self.wait_roles("silence is noticed", wanted, UCARP_DOWN_S_MAX)

    def cables_back(self) -> None:
        """Two masters meet: an equal one three times, and a better one."""
        FAULTS["heal"].apply(self.track)
        self.mark("heal")
        self.wait_roles("the better ucarp is master", {"counter_adopted": ("backup", "MASTER")}, UCARP_DOWN_S_MAX)
        since_s: dict[str, float] = {}

        def disagreed() -> list[str]:
            now = time.monotonic()
            for name in TIES:
                pair = BY_NAME[name]
                agreed = len(self.track.holders(pair)) == 1 and self.track.roles(pair) in ONE_MASTER
                since_s.setdefault(name, now)
                if not agreed:
                    since_s.pop(name)
            return [name for name in TIES if now - since_s.get(name, now) < AGREED_S]

        # Both may have stepped down, and ucarp counts its patience from then.
        self.track.wait("ties are over", disagreed, AGREED_S + 2 * UCARP_DOWN_S_MAX)

    def nodes_leave(self) -> None:
        """An orderly stop of both nodes: whoever can takes over."""
        self.mark("nodes stop")
        for node in self.track.nodes.values():
            node.stop()

        def missing() -> list[str]:
            late = [frame for frame in self.track.observer.frames if frame.at_s > self.marks["nodes stop"]]
            spoke = {frame.host for frame in late if frame.vhid is not None}
            successors = [BY_NAME[name] for name in HANDED_OVER]
            return [p.name for p in successors if p.host.name not in spoke or self.track.holders(p) != {p.host.name}]

        self.track.wait("the ucarps have taken over, and say so", missing, UCARP_DOWN_S_MAX)
        self.track.wait("the nodes have ended", lambda: [n for n, o in self.track.nodes.items() if o.alive], 10)

    def seen(self, documents: dict[str, Any], holders: dict[str, list[str]]) -> dict[str, Any]:
        """Everything, for the judge; times are monotonic, but for ``time_of_day_s``, which must be added to them."""
        now = time.monotonic()
        return {
            "marks": self.marks,
            "documents": documents,
            "holders": holders,
            "time_of_day_s": time.time() - now,
            "took_s": now - self.track.began_s,
            "frames": [[frame.at_s, frame.host, frame.data.hex()] for frame in self.track.observer.frames],
            "holder_log_complete": not self.track.holder_log.lost_messages,
            "holdings": [
                {"host": each.node, "virtual_ip": each.address, "begin_s": each.begin_s, "end_s": each.end_s}
                for each in holdings(self.track.holder_log.events, now)
            ],
            "transitions": [
                {"node": each.node, "vhid": each.group, "at_s": each.at_s}
                | {"from": each.before, "to": each.after, "reason": each.reason}
                for node in self.track.nodes.values()
                for each in node.transitions
            ],
            "logs": {name: node.log.read_text() for name, node in self.track.nodes.items()},
            "ucarp_logs": {name: ucarp.log for name, ucarp in self.track.ucarps.items()},
        }


ONE_MASTER = (("master", "BACKUP"), ("backup", "MASTER"))


def vrrp_frame(vrid: int) -> bytes:
    """From a router that knows nothing of CARP; made by scapy, another implementation."""
    packet = Ether(src="02:00:00:00:00:99", dst="01:00:5e:00:00:12") / IP(
        src=str(STRANGER.ipv4.ip), dst="224.0.0.18", ttl=255, proto=112
    )
    return bytes(packet / VRRP(vrid=vrid, priority=255, addrlist=["10.0.0.3"] * 5, authtype=0))


def everything() -> dict[str, Any]:
    """The whole session."""
    session = Session()
    session.ucarps_first()
    session.nodes_join()
    session.ucarps_join()
    quiet = {name: session.track.document(name) for name in session.track.nodes}
    session.ucarps_leave()
    session.cables_back()
    session.mark("documents")
    last = {name: session.track.document(name) for name in session.track.nodes}
    holders = {pair.name: sorted(session.track.holders(pair)) for pair in PAIRS}
    session.nodes_leave()
    print(f"{time.monotonic() - session.track.began_s:6.2f} s  all", file=sys.stderr, flush=True)
    return session.seen({"quiet": quiet, "last": last}, holders)
