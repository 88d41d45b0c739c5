"""What the benchmark measures, each in a process of its own; what exactly, stands as JSON in the environment's COST."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from statistics import median
from typing import Any

import pytest

from tests.bench.counted import Count
from tests.bench.counted import count_system_calls
from tests.bench.members import Members
from tests.bench.members import believed
from tests.bench.world import Neighbour
from tests.bench.world import build_lan
from tests.bench.world import drivers_of
from tests.bench.world import make_node
from tests.bench.world import settle
from wsa_proxy.admin.events import message_of
from wsa_proxy.admin.metrics import exposition
from wsa_proxy.carp.commands import State
from wsa_proxy.net.packet_socket import Headers
from wsa_proxy.net.packet_socket import PacketSocket
from wsa_proxy.runtime.clocks import boottime_s
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.node import Node
from wsa_proxy.runtime.rounds import SLICE_MAX

WORSE, BETTER = 254, 0
OPERATIONS = 1000
SCRAPES = 20
PREEMPTED = 0.02  # this share of the samples, the longest, are another process's doing


def parameters() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(os.environ.get("COST", "{}"))
    usual: dict[str, Any] = {"groups": 16, "dual": False, "state": "master", "heard": 0, "seconds": 5.0}
    usual |= {"members": False, "in_one_go": SLICE_MAX}
    return usual | {"security": "sealed", "virtual_mac": True} | found


def share() -> dict[str, float]:
    """The whole process over some seconds: its CPU time, and what it did in it."""
    wanted = parameters()
    lan = build_lan()

    async def live() -> dict[str, float]:
        backup = wanted["state"] == "backup"
        neighbour = Neighbour(lan, wanted["groups"], advskew=BETTER if backup else WORSE, security=wanted["security"])
        advskew = 100 if backup else 0
        how = {name: wanted[name] for name in ("dual", "security", "virtual_mac")}
        node = make_node(wanted["groups"], advskew=advskew, **how)
        if wanted["heard"] and backup:
            neighbour.speak_on(wanted["heard"])
        if wanted["members"]:
            Members(lan, wanted["groups"]).report_on(wanted["in_one_go"])
        settled_s = await settle(node, State.BACKUP if backup else State.MASTER)
        if wanted["heard"] and not backup:
            neighbour.speak_on(wanted["heard"])
        await asyncio.sleep(1.5)
        sent, received = counted(node, "sent"), counted(node, "received")
        before, guardian_before_s = resource.getrusage(resource.RUSAGE_SELF), guardian_s()
        began_s = time.monotonic()
        await asyncio.sleep(wanted["seconds"])
        elapsed_s = time.monotonic() - began_s
        after, guardian_after_s = resource.getrusage(resource.RUSAGE_SELF), guardian_s()
        held = sum(len(driver.ports.addresses.held()) for driver in drivers_of(node) if driver.ports is not None)
        expected = 0 if backup else wanted["groups"] * (2 if wanted["dual"] else 1)
        assert held == expected, f"{held} addresses are held, not {expected}"
        if wanted["members"]:
            assert believed(node) == wanted["groups"], f"{believed(node)} groups have a healthy standby"
        result = {
            "settled_s": settled_s,
            "user": (after.ru_utime - before.ru_utime) / elapsed_s,
            "system": (after.ru_stime - before.ru_stime) / elapsed_s,
            "guardian": (guardian_after_s - guardian_before_s) / elapsed_s,
            "sent": (counted(node, "sent") - sent) / elapsed_s,
            "received": (counted(node, "received") - received) / elapsed_s,
        }
        node.stop("measured")
        node.close()
        return result

    return asyncio.run(live())


def guardian_s() -> float:
    """CPU time of the guardian, the only child that leads a session of its own: the others are neighbours."""
    children = map(int, Path("/proc/thread-self/children").read_text().split())
    (child,) = [child for child in children if os.getsid(child) == child]
    user, system = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def foreign() -> dict[str, float]:
    """Microseconds of the kernel for a frame of the proxy's own traffic, which passes the filters of all groups."""
    lan = build_lan()
    with lan.on_the_right():
        sender = lan.raw_socket(lan.RIGHT)
    ethernet = bytes.fromhex(lan.mac().replace(":", "")) + bytes.fromhex("0200000000020800")
    frame = ethernet + bytes.fromhex("45000038000040000611bcb50a0000020a000001") + bytes(36)
    opened: list[PacketSocket] = []
    headers = Headers()
    result: dict[str, float] = {}
    for groups in (0, 1, 16, 255):
        opened += [PacketSocket(lan.LEFT, lan.index, vhid, [4], headers) for vhid in range(len(opened) + 1, groups + 1)]
        times_s = []
        for _ in range(5):
            began_s = time.perf_counter()
            for _ in range(OPERATIONS):
                sender.send(frame)
            times_s.append(time.perf_counter() - began_s)
        result[str(groups)] = min(times_s) / OPERATIONS * 1e6
    return result


def counted(node: Node, name: str) -> int:
    return sum(getattr(driver.record, name) for driver in drivers_of(node))


def operations() -> dict[str, dict[str, float]]:
    """One operation at a time, with what the sockets' system calls took apart from the rest."""
    wanted = parameters()
    lan = build_lan()
    with pytest.MonkeyPatch.context() as patch:
        neighbour = Neighbour(lan, wanted["groups"], advskew=BETTER, security=wanted["security"])
        count = count_system_calls(patch)

        async def live() -> dict[str, dict[str, float]]:
            node = make_node(wanted["groups"], advskew=100, security=wanted["security"])
            await settle(node, State.MASTER)
            drivers = drivers_of(node)
            result = {
                "sent": measured(count, [advertise(driver) for driver in drivers]),
                "renewed": renewals(count, node),
            }
            for number, driver in enumerate(drivers):
                neighbour.speak(number)
                driver.turn()
            result["received"] = measured(count, [hear(neighbour, *each) for each in enumerate(drivers)])
            node.stop("measured")
            node.close()
            return result

        return asyncio.run(live())


def scrape() -> dict[str, float]:
    """Milliseconds of processor: of the status document, which asks the kernel for each group's addresses, of its
    metrics, and of the message to the open pages; how many bytes that has."""
    wanted = parameters()
    lan = build_lan()

    async def live() -> dict[str, float]:
        node = make_node(wanted["groups"], virtual_mac=wanted["virtual_mac"])
        Members(lan, wanted["groups"]).report_on()
        await settle(node, State.MASTER)
        await asyncio.sleep(3)
        assert believed(node) == wanted["groups"], f"{believed(node)} groups have a healthy standby"
        document_ms, text_ms, message_ms, text, message = [], [], [], b"", b""
        for _ in range(SCRAPES):
            began_s = time.thread_time()
            document = node.status()
            asked_s = time.thread_time()
            text = exposition(document)
            document_ms.append((asked_s - began_s) * 1e3)
            scraped_s = time.thread_time()
            message = message_of("status", document)
            message_ms.append((time.thread_time() - scraped_s) * 1e3)
            text_ms.append((scraped_s - asked_s) * 1e3)
            await asyncio.sleep(0.1)
        node.stop("measured")
        node.close()
        return {
            "document_ms": median(document_ms),
            "text_ms": median(text_ms),
            "lines": text.count(b"\n"),
            "message_ms": median(message_ms),
            "bytes": len(message),
        }

    return asyncio.run(live())


def advertise(driver: Driver) -> tuple[Callable[[], None], Callable[[], None]]:
    def prepare() -> None:
        driver.virtual_host._deadline_advertisement_s = boottime_s()

    return prepare, driver.turn


def hear(neighbour: Neighbour, number: int, driver: Driver) -> tuple[Callable[[], None], Callable[[], None]]:
    return lambda: neighbour.speak(number), driver.turn


def renew(node: Node) -> None:
    """All groups' leases once, and the news of it that the kernel sends back."""
    assert node._beat is not None
    node._beat._due_s = boottime_s()  # in time, as it is while the loop turns
    node._beat.beat()


def renewals(count: Count, node: Node) -> dict[str, float]:
    """For each of the groups."""
    groups = len(drivers_of(node))

    def work() -> None:
        renew(node)
        node.drain_kernel()

    return {name: value / groups for name, value in measured(count, [(lambda: None, work)], 50).items()}


def measured(
    count: Count, works: list[tuple[Callable[[], None], Callable[[], None]]], operations: int = OPERATIONS
) -> dict[str, float]:
    """Microseconds of one operation, outside and inside system calls, and how many of these there are."""
    outside_us, inside_us = [], []
    calls = 0
    for number in range(operations):
        prepare, work = works[number % len(works)]
        prepare()
        inside_s, calls_before = count.inside_s, count.calls.total()
        began_s = time.perf_counter()
        work()
        elapsed_s = time.perf_counter() - began_s
        inside_s = count.inside_s - inside_s
        calls += count.calls.total() - calls_before
        outside_us.append((elapsed_s - inside_s) * 1e6)
        inside_us.append(inside_s * 1e6)
    kept = int(operations * (1 - PREEMPTED))
    return {
        "python_us": mean(sorted(outside_us)[:kept]),
        "kernel_us": mean(sorted(inside_us)[:kept]),
        "calls": calls / operations,
    }
