"""Status documents of real nodes that see each other, made in virtual time; only their kernels are fakes."""

from __future__ import annotations

import asyncio
import functools
import json
import tempfile
from collections.abc import Callable
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from tests.runtime.virtual_time import VirtualTimeLoop
from tests.runtime.world import Host
from tests.runtime.world import Lan
from tests.test_carry_text import BUSY
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import SelfTestResult

TESTS = (
    SelfTestResult("get regular", True, "", 0.002, 1006.0),
    SelfTestResult("loop", None, "at most 0.004 s late within the last second", 0.004, 1008.0),
)
SECOND: dict[str, Any] = {"vhid": 2, "virtual_ips": (ip_interface("10.0.0.7/24"), ip_interface("fd00:77::7/64"))}

TOLD_BY_OTHERS: dict[str, Any] = {
    "history": {"trouble": None, "events": 12},
    "notify": {"failed": 0, "last_failure": None},
    "pac": {"url": "http://10.0.0.3:8080/proxy.pac", "served": 3},
}
"""What the document has beside, as the docs of its schema say."""
TOLD_OF_A_GROUP: dict[str, Any] = {
    "last_outage": {
        "at": "2026-01-01T00:00:00.000+00:00", "ms_min": 12.0, "ms_max": 30.0, "how": "measured", "age_s": 3.0,
    },
    "service": {"answers": True, "ms": 2.0, "age_s": 0.4, "address": "10.0.0.3:8080", "evidence": ""},
}  # fmt: skip


@functools.cache
def _lived() -> str:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return json.dumps(runner.run(_live(Path(folder))))


async def _live(folder: Path) -> dict[str, Any]:
    """Node a is master of group 1 and backup of group 2; node b the other way round."""
    lan = Lan()
    lan.carries_report = lambda sender, receiver: True
    a = Host(lan, "a", 1, folder, security=("sealed",), more_groups=[SECOND | {"priority": 100, "advskew": 155}])
    b = Host(lan, "b", 2, folder, security=("sealed",), priority=200, advskew=55, more_groups=[SECOND])
    for host in (a, b):
        await host.start()
    await asyncio.sleep(8)
    a.node.set_health(Health(hard=None, soft=None, tests=TESTS))
    await a.node.maintenance.on("memory", "30m")
    await asyncio.sleep(2)
    await a.node.maintenance.off()
    await asyncio.sleep(8)
    documents = {host.name: host.node.status() for host in (a, b)}
    for host in (a, b):
        host.node.stop("the test is over")
        host.node.close()
    return documents


def document(node: str = "a") -> dict[str, Any]:
    """Of this node; the caller may change it."""
    found: dict[str, Any] = json.loads(_lived())[node]
    return found


def full_document() -> dict[str, Any]:
    """The same with a value in every place that has none: what every metric has a line of."""
    full = TOLD_BY_OTHERS | document()
    full["guardian"]["pid"] = 4712
    full["maintenance"] = {"reason": "memory", "since": "", "until": "", "left_s": 1800.0}
    for group in full["groups"]:
        group |= {name: group.get(name) or told for name, told in TOLD_OF_A_GROUP.items()}
        group["obstacles"] = {"link": "eth0 is down"}
        group["demoted_by"] = {"maintenance": "memory"}
        group["preemption"]["waits_s"] = 3.5
        group["virtual_mac"] = {"address": "00:00:5e:00:01:01", "network": "refused"}
        group["lease_age_s"] = 0.1
        group["members"]["redundancy"]["lost_s"] = 4.0
        group["carry"] = BUSY
    return full


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The document of node a after this."""
    found = document()
    change(found)
    return found
