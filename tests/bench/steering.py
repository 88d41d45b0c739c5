"""What steering costs: the node that asks the kernel for it, and the frames that pass the rules.

    .venv/bin/python -m wsa_proxy.lab tests/bench/steering.py:changes
    .venv/bin/python -m wsa_proxy.lab tests/bench/steering.py:frames

In network namespaces of their own, with the real kernel. What is told is processor time of the thread that asks or
sends, the kernel's part in it; the median (lowest..highest). ``CROWD=500``: of so many clients.
"""

from __future__ import annotations

import os
from functools import partial

from scapy.layers.inet import IP
from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether

from tests.bench.medians import milliseconds
from tests.bench.medians import spread
from tests.bench.world import build_lan
from tests.cable import Lan
from tests.net.steered import CLIENT
from tests.net.steered import OLD
from tests.net.steered import OTHER
from tests.net.steered import PORT
from tests.net.steered import VHID
from tests.net.steered import VIP
from tests.net.steered import Version
from tests.net.steered import client
from tests.net.steered import one_processor
from tests.net.steered import packed
from tests.net.steered import segment
from tests.net.steered import steered
from wsa_proxy.net.ports import Steered
from wsa_proxy.net.steering import Steering

RUNS = 20
RUNS_OF_GROUPS = 5
CROWD = int(os.environ.get("CROWD", "10000"))
GROUPS = min(255, CROWD // 20)
CLIENTS_OF_GROUP = 40
FRAMES = 2 * CROWD
FIRST_PORT = 30_000


def changes() -> dict[str, str]:
    """A takeover, the end of its first second, what is told each half second, and the end."""
    lan = build_lan()
    steering = Steering()
    found: dict[str, str] = {}
    versions: tuple[Version, ...] = (4, 6)
    for count, version in [(10, 4), *((CROWD, version) for version in versions)]:
        clients = [client(version, FIRST_PORT + each) for each in range(count)]
        steps = {
            "from nothing": steered(lan, clients[count // 10 :], unknown=(version,)),
            "the first second ends, a tenth comes": steered(lan, clients),
            "a hundredth has ended": steered(lan, clients[count // 100 + 1 :]),
            "to nothing": None,
        }
        spent: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(RUNS):
            for name, wanted in steps.items():
                spent[name].append(milliseconds(partial(steering.steer, VHID, wanted)))
        for name, times in spent.items():
            found[f"{count} clients, IPv{version}: {name}"] = spread(times) + " ms"
    return found | many_groups(lan, steering)


def many_groups(lan: Lan, steering: Steering) -> dict[str, str]:
    """Each with a virtual MAC, one after the other."""
    lan.ip_batch("\n".join(f"link add carp{vhid} link left type macvlan" for vhid in range(1, GROUPS + 1)))
    own_mac = packed(lan.mac())

    def of_group(vhid: int) -> Steered:
        end = bytes((10, 0, 1, vhid)) + PORT.to_bytes(2)
        clients = [end + CLIENT[4].packed + (FIRST_PORT + each).to_bytes(2) for each in range(CLIENTS_OF_GROUP)]
        devices, targets, unknown = ("left", f"carp{vhid}"), dict.fromkeys(clients, OLD), {(end[:4], PORT): OLD}
        return Steered("left", devices, own_mac, frozenset((OLD,)), targets, unknown)

    wanted = {vhid: of_group(vhid) for vhid in range(1, GROUPS + 1)}
    times, sums = [], []
    for _ in range(RUNS_OF_GROUPS):
        run = [milliseconds(partial(steering.steer, vhid, each)) for vhid, each in wanted.items()]
        times += run
        sums.append(sum(run))
        for vhid in wanted:
            steering.steer(vhid, None)
    name = f"{GROUPS} groups with {CLIENTS_OF_GROUP} clients"
    return {f"{name}, each": spread(times) + " ms", f"{name}, all": spread(sums) + " ms"}


def frames() -> dict[str, str]:
    """A frame on its way into a host that steers nothing, and into one that steers the crowd."""
    lan = build_lan()
    one_processor()
    to = packed(lan.mac())
    sent = {
        "UDP": bytes(Ether(src="02:00:00:00:00:09", dst=to.hex(":")) / IP(src=str(CLIENT[4]), dst=str(VIP[4])) / UDP()),
        "TCP to another address": bytes(segment(4, to, "A", dst=OTHER[4])),
        "TCP, not listed": bytes(segment(4, to, "A", sport=FIRST_PORT - 1)),
        "TCP, listed": bytes(segment(4, to, "A", sport=FIRST_PORT)),
    }
    found = {f"{name}: nothing is steered": of_each(lan, frame) for name, frame in sent.items()}
    steering = Steering()
    clients = [client(4, FIRST_PORT + each) for each in range(CROWD)]
    phases: dict[str, tuple[Version, ...]] = {"settled": (), "in the first second": (4,)}
    for when, unknown in phases.items():
        steering.steer(VHID, steered(lan, clients, unknown=unknown))
        found |= {f"{name}: {when}": of_each(lan, frame) for name, frame in sent.items()}
    return found


def of_each(lan: Lan, frame: bytes) -> str:
    """Over a veth cable the sender's processor does the receiver's part."""
    with lan.on_the_right():
        sender = lan.raw_socket(lan.RIGHT)
    sender.setblocking(True)

    def send_all() -> None:
        for _ in range(FRAMES):
            sender.send(frame)

    times = [1000 * milliseconds(send_all) / FRAMES for _ in range(RUNS)]
    sender.close()
    return spread(times) + " us"
