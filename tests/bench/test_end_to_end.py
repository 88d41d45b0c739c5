"""One fault of each product, really done: the plain mitmdump, the peers' daemons, the process that plays them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.inside import needs_namespaces
from wsa_proxy.bench import initial_network
from wsa_proxy.bench import programs
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.products import Kind
from wsa_proxy.bench.session import why_not

ROOT = Path(__file__).resolve().parents[2]
MISSING = programs.missing(list(Kind))
ROOT_ONLY = "keepalived's check script cannot be run without root"
EVERY_S = 0.05  # a busy machine's proxy may not keep up with more, and that is not what is asked here
BUSY_S = 90.0
"""A machine that has other tests to run as well is slow; alone each takes a third of this."""
MARK = ("TEST_OF_THE_BENCH", str(os.getpid()))
"""In the environment of all that is started here: other labs may run beside it."""

pytestmark = [needs_namespaces, pytest.mark.skipif(bool(MISSING), reason=programs.installing(MISSING))]


def runs(product: str, *trials: str) -> list[dict[str, Any]]:
    """One run of each, by ``python -m wsa_proxy.bench``."""
    wanted = json.dumps({"product": product, "interval_s": EVERY_S, "trials": [[trial, [0]] for trial in trials]})
    ended = subprocess.run(
        [sys.executable, "-m", "wsa_proxy.bench", wanted],
        cwd=ROOT,
        env=os.environ | dict([MARK]),
        capture_output=True,
        text=True,
        timeout=BUSY_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_ours_fails_over() -> None:
    """The run is told with what undid it: the better node comes back."""
    (run,) = runs("wsa-proxy", "kill")
    assert run["fault"]["served_by"] == "b" and run["fault"]["came_back"] and not run["fault"]["two_holders_stayed"]
    assert run["back"]["came_back"]


def test_ucarp_hands_over_in_its_own_time() -> None:
    """Stopped in order it says nothing: the other one waits for its three seconds."""
    (run,) = runs("ucarp", "stop")
    assert run["fault"]["served_by"] == "b" and run["fault"]["outage_ms"] > 2000 and run["fault"]["failed"] > 0


@pytest.mark.skipif(os.geteuid() != 0, reason=ROOT_ONLY)
def test_a_killed_keepalived_leaves_its_address_behind() -> None:
    """Both nodes have it until it is started again, which takes the leftover away. Its check script sees a proxy that
    does not listen."""
    run, deaf, switch = runs("keepalived", "daemon-kill", "deafen", "switch")
    assert run["fault"]["two_holders_stayed"] and run["fault"]["came_back"]
    assert not run["back"]["two_holders_stayed"]
    assert deaf["fault"]["served_by"] == "b" and deaf["fault"]["came_back"]
    assert switch["fault"]["served_by"] == "b" and switch["back"]["served_by"] == "a"


def test_nothing_of_a_node_in_the_initial_namespaces_is_left() -> None:
    """keepalived hears of the proxy's end there, long before its check script does."""
    if (refusal := why_not(PRODUCTS["keepalived, process tracking"])) is not None:
        pytest.skip(refusal)
    with initial_network.put_back():
        (run,) = runs("keepalived, process tracking", "kill")
    assert run["fault"]["served_by"] == "b" and run["fault"]["came_back"]
    left = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    assert "wsa-lab-a" not in left
    assert not list(marked())


def marked() -> Iterator[bytes]:
    """The command lines of all processes that come of this test's."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has ended.
            if f"{MARK[0]}={MARK[1]}".encode() in (process / "environ").read_bytes().split(b"\0"):
                yield (process / "cmdline").read_bytes()


@pytest.mark.parametrize("arguments", [[], ["{}", "{}"]])
def test_without_orders_it_says_what_it_takes(arguments: list[str]) -> None:
    """It is no verb for users."""
    ended = subprocess.run(
        [sys.executable, "-m", "wsa_proxy.bench", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2 and "ORDERS is JSON" in ended.stderr
