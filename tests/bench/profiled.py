"""What profile.py looks at, each in a process of its own: a master of one group under load, one of many, and
many idle groups."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.loaded import read
from tests.bench.loaded import wrk
from tests.bench.overhead_rows import NODE
from tests.bench.overhead_sample import ask_on
from tests.bench.overhead_world import MASTER
from tests.bench.overhead_world import Order
from tests.bench.overhead_world import World
from tests.bench.process_usage import processor_s
from tests.bench.sampler import Sampler
from tests.bench.world import build_lan
from tests.bench.world import make_node
from tests.bench.world import settle
from wsa_proxy.carp.commands import State
from wsa_proxy.lab.lab import Lab

ADDON = Path(__file__).parent / "profiled_node.py"
TOLD_S_MAX = 10.0


def parameters() -> dict[str, Any]:
    """What ``PROFILED`` asks for, as JSON: seconds, groups, and for ``under_load`` the connections of wrk."""
    found: dict[str, Any] = json.loads(os.environ["PROFILED"])
    return found


def under_load() -> dict[str, Any]:
    """The lab's master while wrk asks through it: where its time goes, and its share of a processor."""
    about = parameters()
    folder = _folder()
    with Lab(addon=ADDON) as lab:
        lab.settle()

        def ask() -> tuple[int, int]:
            load = wrk(lab, about["connections"], about["seconds"])
            return read("wrk", load.communicate(timeout=3 * about["seconds"] + 60)[0].decode())

        return _watched(lab.nodes["a"].pid, folder, ask)


def many_under_load() -> dict[str, Any]:
    """The same of the master of many groups, each with a standby: the node of ``make overhead``, with its load."""
    about = parameters()
    folder = _folder()
    world = World(Order(NODE, about["groups"]), ADDON)
    world.wait()

    def ask() -> tuple[int, int]:
        told = ask_on(world, round(about["seconds"]))
        return told["requests"], told["errors"]

    return _watched(world.proxies[MASTER].pid, folder, ask)


def _folder() -> Path:
    """Where the node is to write what it has seen."""
    folder = Path("/run/profile")
    folder.mkdir()
    os.environ["PROFILE"] = str(folder)
    return folder


def _watched(node: int, folder: Path, ask: Callable[[], tuple[int, int]]) -> dict[str, Any]:
    """What this process did while it was asked, and what of that was answered and what not."""
    began_s, began_cpu_s = time.monotonic(), processor_s([node])
    os.kill(node, signal.SIGUSR1)
    answered, errors = ask()
    os.kill(node, signal.SIGUSR1)
    share = (processor_s([node]) - began_cpu_s) / (time.monotonic() - began_s)
    written = folder / str(node)
    ends_s = time.monotonic() + TOLD_S_MAX
    while not written.exists():
        if time.monotonic() > ends_s:
            raise RuntimeError("the node did not tell what it has seen")
        time.sleep(0.05)
    return {**json.loads(written.read_text()), "share": share, "answered": answered, "errors": errors}


def idle() -> dict[str, Any]:
    """So many sealed masters with virtual MACs and nobody to serve, as in ``make cost``."""
    about = parameters()
    build_lan()

    async def live() -> dict[str, Any]:
        node = make_node(about["groups"], virtual_mac=True)
        await settle(node, State.MASTER)
        await asyncio.sleep(1.5)
        sampler = Sampler()
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        sampler.begin()
        await asyncio.sleep(about["seconds"])
        seen = sampler.end()
        seen["share"] = (time.process_time() - began_cpu_s) / (time.monotonic() - began_s)
        node.stop("the bench is over")
        node.close()
        return seen

    return asyncio.run(live())
