"""One lab in which many clients come at once, again and again; burst.py runs it in namespaces.

With intercepted TLS or plain HTTP, to plain mitmdump and to the lab's master in turns, or (``kill``) to the node that
takes over when the master is killed.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import plain
from tests.bench.loaded import moves
from tests.bench.process_usage import processor_s
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.lab import ORIGIN_CERTIFICATE
from wsa_proxy.lab.lab import ORIGIN_NAME
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.namespace import inside
from wsa_proxy.settings import place_text

HERE = Path(__file__).parent
PLAIN, NODE, KILL = "plain", "addon", "kill"
TLS = "tls"
BURST_S_MAX = 90.0
RETURN_S = 90.0
QUIET_S = 1.0
"""Between two bursts: what is left of the one must not disturb the other."""


def come() -> list[dict[str, Any]]:
    """What ``BURST`` asks for, as JSON: clients, and bursts, each a crowd and a kind. A result for each burst."""
    about = json.loads(os.environ["BURST"])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the addon raises its own limit; plain mitmdump does not
    lags = Path("/run/lags")
    lags.mkdir()
    os.environ["LAG_PROBE"] = str(lags)
    with Lab(addon=HERE / "probed_node.py") as lab:
        lab.settle()
        beside = start_plain(lab)
        return [burst(lab, beside, crowd, kind, about["clients"]) for crowd, kind in about["bursts"]]


def start_plain(lab: Lab) -> subprocess.Popen[bytes]:
    """With the probe of its loop's lag; ready when this returns."""
    more = ["-s", str(HERE / "lag_probe.py"), "--set", f"ssl_verify_upstream_trusted_ca={ORIGIN_CERTIFICATE}"]
    process = plain.start(lab, *more)
    lab.wait_for("plain mitmdump to listen", lambda: missing_listener(lab), RETURN_S)
    return process


def missing_listener(lab: Lab) -> str | None:
    with inside(lab.topology.networks["a"]):
        try:
            socket.create_connection((str(lab.nodes["a"].host.ipv4.ip), plain.PORT), 1.0).close()
        except OSError as error:
            return str(error)
    return None


def burst(lab: Lab, beside: subprocess.Popen[bytes], crowd: str, kind: str, clients: int) -> dict[str, Any]:
    """One burst, and how the proxy that was asked has met it; after a kill all is as it was before."""
    lab.settle()
    time.sleep(QUIET_S)
    proxy = place_text(str(lab.nodes["a"].host.ipv4.ip), plain.PORT) if kind == PLAIN else lab.proxy
    asked = {PLAIN: beside.pid, NODE: lab.nodes["a"].pid, KILL: lab.nodes["b"].pid}[kind]
    before = told(lab)
    trusted = (str(lab.authority),) if crowd == TLS else ()
    coming = lab.run_in("client", "tests.bench.client_burst", proxy, ORIGIN_NAME, str(clients), *trusted)
    assert coming.stdout is not None
    if coming.stdout.readline() != b"ready\n":
        raise RuntimeError("the clients did not start")
    if kind == KILL:
        lab.apply(FAULTS["kill"], "a")
        await_takeover(lab)
    began_s, began_cpu_s = time.monotonic(), processor_s([asked])
    coming.send_signal(signal.SIGUSR1)
    seen = json.loads(coming.communicate(timeout=BURST_S_MAX)[0])
    ended_s = time.monotonic()
    lab.settle()
    result = measured(seen, began_s) | {"crowd": crowd, "kind": kind, "told": told(lab)[len(before) :]}
    result["cpu_s"] = processor_s([asked]) - began_cpu_s
    result["stall_ms"] = stall_s(asked, began_s, ended_s) * 1000
    if kind == KILL:
        lab.apply(FAULTS["start"], "a")
        lab.wait_for("node a to be back", lambda: None if is_master(lab, "a") else "not yet", RETURN_S)
    return result


def await_takeover(lab: Lab) -> None:
    """Until node b has the virtual IP: to a thousandth of a second, which ``Lab.wait_for`` is not."""
    ends_s = time.monotonic() + RETURN_S
    while lab.holder_log.holders() != {"b"}:
        if time.monotonic() > ends_s:
            raise RuntimeError("node b did not take over")
        time.sleep(0.001)


def told(lab: Lab) -> list[str]:
    """What the nodes' logs tell of changes of state, of demotions and of fences."""
    return [f"{name}: {move}" for name, node in lab.nodes.items() for move in moves(node.log.read_text())]


def is_master(lab: Lab, name: str) -> bool:
    news = lab.nodes[name].news
    return news is not None and all(group["state"] == "master" for group in news.groups)


def measured(seen: dict[str, Any], began_s: float) -> dict[str, Any]:
    """Milliseconds from the burst's beginning to the first answer, the middle one and the last one."""
    after_ms = sorted((each - began_s) * 1000 for each in seen["served_s"])
    if not after_ms:
        raise RuntimeError("nobody was served")
    return {
        "first_ms": after_ms[0],
        "middle_ms": after_ms[len(after_ms) // 2],
        "last_ms": after_ms[-1],
        "served": len(after_ms),
        "failed": seen["failed"],
    }


def stall_s(pid: int, began_s: float, ended_s: float) -> float:
    """The longest time for which this process's loop was late between these moments."""
    return max(stalls((Path(os.environ["LAG_PROBE"]) / str(pid)).read_text().splitlines(), began_s, ended_s))


def stalls(lines: Sequence[str], began_s: float, ended_s: float) -> list[float]:
    """Of what lag_probe.py has written; 0 at the beginning."""
    pairs = [tuple(map(float, line.split())) for line in lines if line.count(" ") == 1]
    return [0.0, *(late for due, late in pairs if due + late >= began_s and due <= ended_s)]
