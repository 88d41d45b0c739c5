"""One sample of ``make overhead``: a proxy is watched while it idles, and asked as fast as it answers."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.bench.bursts import stalls
from tests.bench.loaded import SCRIPT
from tests.bench.overhead_world import FOLDER
from tests.bench.overhead_world import MASTER
from tests.bench.overhead_world import Order
from tests.bench.overhead_world import World
from tests.bench.process_usage import memory
from tests.bench.process_usage import processor_s
from wsa_proxy.lab.configuration import PORT_DEFAULT
from wsa_proxy.lab.namespace import inside

CONNECTIONS = 20
"""Kept open, and each asks again when it has its answer: a single-threaded proxy has always something to do."""
WARM_S = 1
LOAD_AROUND_S_MAX = 60.0
TOLD_BY_WRK = """
function done(summary, latency, requests)
    local wrong = summary.errors
    local errors = wrong.connect + wrong.read + wrong.write + wrong.timeout + wrong.status
    io.write(string.format('\\n{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "errors": %d}\\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors))
end
"""


def take(order: Order) -> dict[str, Any]:
    """What is measured of it, as JSON."""
    world = World(order)
    world.wait()
    result: dict[str, Any] = {"product": order.product, "groups": order.groups}
    if order.idle_s:
        result["idle"] = idle(world, order.idle_s)
    if order.load_s:
        ask_on(world, WARM_S)
        result["load"] = load(world, order.load_s)
    return result


def idle(world: World, seconds: float) -> dict[str, float]:
    """Shares of a core, and MiB."""
    processes = world.processes()
    before, began_s = {name: processor_s(pids) for name, pids in processes.items()}, time.monotonic()
    time.sleep(seconds)
    result: dict[str, float] = {}
    for name, pids in processes.items():
        result[f"{name}_share"] = (processor_s(pids) - before[name]) / (time.monotonic() - began_s)
        taken = memory(pids)
        result |= {f"{name}_pss_mib": taken.pss, f"{name}_rss_mib": taken.rss}
    return result


def load(world: World, seconds: int) -> dict[str, float]:
    """What the clients saw, how late the loop was, and what each of the three took of a core meanwhile."""
    proxy = world.proxies[MASTER].pid
    takes: dict[str, Callable[[], float]] = {
        "proxy": lambda: processor_s([proxy]),
        "origin": lambda: processor_s([world.origin.pid]),
        "clients": _waited_for_s,
    }
    before, began_s = {name: take() for name, take in takes.items()}, time.monotonic()
    told = ask_on(world, seconds)
    ended_s = time.monotonic()
    taken_s = {name: take() - before[name] for name, take in takes.items()}
    lines = (Path(os.environ["LAG_PROBE"]) / str(proxy)).read_text().splitlines()
    late_ms = [1000 * each for each in stalls(lines, began_s, ended_s)]
    return {
        "per_s": told["requests"] / told["duration_us"] * 1e6,
        "p50_ms": told["p50_us"] / 1000,
        "p99_ms": told["p99_us"] / 1000,
        "errors": told["errors"],
        "late_ms": quantiles(late_ms, n=100, method="inclusive")[98],
        "longest_ms": max(late_ms),
        "processor_ms": 1000 * taken_s["proxy"] / told["requests"],
        **{f"{name}_share": each / (ended_s - began_s) for name, each in taken_s.items()},
    }


def ask_on(world: World, seconds: int) -> dict[str, int]:
    """wrk, as a client of a forward proxy. Raises RuntimeError when it fails."""
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is missing; install it with: apt-get install wrk")
    script = FOLDER / "proxy.lua"
    script.write_text(SCRIPT + TOLD_BY_WRK)
    command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script)]
    with inside(world.topology.networks["client"]):
        ended = subprocess.run(
            [*command, f"http://{world.address}:{PORT_DEFAULT}/"],
            capture_output=True,
            text=True,
            timeout=seconds + LOAD_AROUND_S_MAX,
            check=False,
        )
    if ended.returncode != 0:
        raise RuntimeError(f"wrk: {ended.stdout}{ended.stderr}")
    told: dict[str, int] = json.loads(ended.stdout.splitlines()[-1])
    if not told["requests"]:
        raise RuntimeError(f"the proxy has answered nothing: {ended.stdout}")
    return told


def _waited_for_s() -> float:
    """Seconds of processor of the children that have ended."""
    taken = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken.ru_utime + taken.ru_stime
