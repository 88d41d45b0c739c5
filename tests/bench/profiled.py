"""What profile.py looks at, each in a process of its own: a master under load, and 255 idle groups."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.bench.loaded import read
from tests.bench.loaded import wrk
from tests.bench.process_usage import processor_s
from tests.bench.sampler import Sampler
from tests.bench.world import build_lan
from tests.bench.world import make_node
from tests.bench.world import settle
from wsa_proxy.carp.commands import State
from wsa_proxy.lab.lab import Lab

HERE = Path(__file__).parent
GROUPS = 255
TOLD_S_MAX = 10.0


def parameters() -> dict[str, Any]:
    """What ``PROFILED`` asks for, as JSON: seconds, and for ``under_load`` the connections of wrk."""
    found: dict[str, Any] = json.loads(os.environ["PROFILED"])
    return found


def under_load() -> dict[str, Any]:
    """The lab's master while wrk asks through it: where its time goes, and its share of a processor."""
    about = parameters()
    folder = Path("/run/profile")
    folder.mkdir()
    os.environ["PROFILE"] = str(folder)
    with Lab(addon=HERE / "profiled_node.py") as lab:
        lab.settle()
        master = lab.nodes["a"].pid
        load = wrk(lab, about["connections"], about["seconds"])
        began_s, began_cpu_s = time.monotonic(), processor_s([master])
        os.kill(master, signal.SIGUSR1)
        output = load.communicate(timeout=3 * about["seconds"] + 60)[0].decode()
        os.kill(master, signal.SIGUSR1)
        share = (processor_s([master]) - began_cpu_s) / (time.monotonic() - began_s)
        written = folder / str(master)
        ends_s = time.monotonic() + TOLD_S_MAX
        while not written.exists():
            if time.monotonic() > ends_s:
                raise RuntimeError("the node did not tell what it has seen")
            time.sleep(0.05)
        answered, errors = read("wrk", output)
        return {**json.loads(written.read_text()), "share": share, "answered": answered, "errors": errors}


def idle() -> dict[str, Any]:
    """255 sealed masters with virtual MACs and nobody to serve, as in ``make cost``."""
    about = parameters()
    build_lan()

    async def live() -> dict[str, Any]:
        node = make_node(GROUPS, virtual_mac=True)
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
