"""One lab under load, and what its nodes told of moves meanwhile; calm.py runs it in namespaces."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from wsa_proxy.lab.lab import ORIGIN_NAME
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.topology import ORIGIN

QUIET_S = 5.0
"""Watched for longer than the load lasts: what it has done may show a little later."""
AFTER_S_MAX = 90.0
MOVE = re.compile(r"carp vhid=\d+ (?:[A-Z]+ -> [A-Z]+|cannot take part|demot).*|.*\bfenced\b.*")
SCRIPT = f"""
wrk.path = "http://{ORIGIN.ipv4.ip}/"
wrk.headers["Host"] = "{ORIGIN.ipv4.ip}"
"""


def load() -> dict[str, Any]:
    """What ``CALM`` asks for, as JSON: loads, one after the other, each a kind (wrk or tls) and a number of clients;
    and seconds, of each."""
    about = json.loads(os.environ["CALM"])
    answered = errors = 0
    lags = [0.0]
    with Lab() as lab:
        lab.settle()
        before = {name: len(moves(node.log.read_text())) for name, node in lab.nodes.items()}
        for kind, clients in about["loads"]:
            output = wait(lab, STARTS[kind](lab, clients, about["seconds"]), about["seconds"], lags)
            counted = read(kind, output)
            answered, errors = answered + counted[0], errors + counted[1]
        time.sleep(QUIET_S)
        lab.settle()
        told = [
            f"{name}: {move}"
            for name, node in lab.nodes.items()
            for move in moves(node.log.read_text())[before[name] :]
        ]
    return {"answered": answered, "errors": errors, "lag_max_s": max(lags), "told": told}


def wait(lab: Lab, process: subprocess.Popen[bytes], seconds: float, lags: list[float]) -> str:
    """What the load has printed at its end; the master's loop's lag is noted meanwhile."""
    ends_s = time.monotonic() + seconds + AFTER_S_MAX
    while process.poll() is None:
        if time.monotonic() > ends_s:
            raise RuntimeError("the load did not end")
        if (news := lab.nodes["a"].news) is not None:
            lags.append(float(news.document["loop_lag_s"]))
        time.sleep(0.2)
    return process.communicate()[0].decode()


def moves(log: str) -> list[str]:
    """The lines of a node's log that tell of a change of its state, of a demotion or of a fence."""
    return [found.group() for found in map(MOVE.search, log.splitlines()) if found]


def wrk(lab: Lab, clients: int, seconds: float) -> subprocess.Popen[bytes]:
    """Each connection asks again as soon as it has its answer."""
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is missing; install it with: apt-get install wrk")
    script = Path("/run/proxy.lua")
    script.write_text(SCRIPT)
    command = [program, "-t1", f"-c{clients}", f"-d{seconds:.0f}s", "--timeout", "60s", "-s", str(script)]
    with inside(lab.topology.networks["client"]):
        return subprocess.Popen([*command, f"http://{lab.proxy}/"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def tls(lab: Lab, clients: int, seconds: float) -> subprocess.Popen[bytes]:
    """Each client makes a connection, a tunnel and a TLS session for each of its requests."""
    return lab.run_in(
        "client", "tests.bench.tls_crowd", lab.proxy, ORIGIN_NAME, str(lab.authority), str(clients), str(seconds)
    )


STARTS = {"wrk": wrk, "tls": tls}


def read(kind: str, output: str) -> tuple[int, int]:
    """How many requests were answered, and how many failed. Raises ValueError when the output is another one."""
    print(output, file=sys.stderr)
    if kind == "tls":
        answered, errors = map(int, output.split())
        return answered, errors
    total = re.search(r"(\d+) requests in", output)
    if total is None:
        raise ValueError(output)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    other = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    failed = sum(map(int, sockets.groups())) if sockets else 0
    refused = int(other.group(1)) if other else 0
    return int(total.group(1)) - refused, failed + refused
