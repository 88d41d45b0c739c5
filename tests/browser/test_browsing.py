"""A person browses through the virtual IP with a real browser, by HTTP and HTTPS, and goes on through every fault."""

from __future__ import annotations

import json
import threading
import time
from itertools import pairwise
from typing import Any

import pytest

from tests.browser.chromium import needs_chromium
from tests.lab import scenarios
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab.lab import Lab
from wsa_proxy.runtime.control import ask

pytestmark = [needs_namespaces, needs_chromium]

GAP_S_MAX = {"kill": 2.5, "freeze": 6.0, "stop": 2.5, "switch": 2.5, "cable": 9.0}
"""Between two pages that were shown: what is promised for the fault, the patience of whoever waits for an answer that a
dead node has taken along, and the time that a browser takes on a machine which has other work."""
FAILED_MAX = {"stop": 1, "switch": 1}
"""Pages that were not shown; of the faults that nobody has ordered, those that were loaded while nobody served."""
LOOK_BACK_S = 1.0
"""So long before a fault the first page of its account has ended."""
STEADY = 4
"""Pages in a row that are shown: two of each kind."""

type Document = dict[str, Any]


@pytest.fixture(scope="module")
def seen() -> dict[str, Document]:
    found: dict[str, Document] = run_inside(browse, 110.0)
    return found


@pytest.mark.parametrize("fault", GAP_S_MAX)
def test_browsing_goes_on(seen: dict[str, Document], fault: str) -> None:
    """Somebody else serves, and the pages are there again, by HTTP and HTTPS, with one certificate authority."""
    found = seen[fault]
    assert found["served_before"] != found["served_after"]
    assert found["gap_s"] < GAP_S_MAX[fault], found
    assert {load["url"].partition(":")[0] for load in found["loads"] if not load["error"]} == {"http", "https"}


@pytest.mark.parametrize("fault", FAILED_MAX)
def test_what_was_ordered_is_not_noticed(seen: dict[str, Document], fault: str) -> None:
    """One page at most, and no other error than that the proxy's connection was lost."""
    errors = [load["error"] for load in seen[fault]["loads"] if load["error"]]
    assert len(errors) <= FAILED_MAX[fault], errors


class Surfer:
    """Loads pages in the client's network for as long as the lab lives."""

    def __init__(self, lab: Lab) -> None:
        self.loads: list[Document] = []
        self._process = lab.run_in("client", "tests.browser.surfer", lab.proxy, str(lab.authority))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.loads.append(json.loads(line))

    def since(self, at_s: float) -> list[Document]:
        """What was begun from then on."""
        return [load for load in self.loads if load["at"] >= at_s]

    def is_steady(self, since_s: float) -> bool:
        last = self.since(since_s)[-STEADY:]
        return len(last) == STEADY and not any(load["error"] for load in last)

    def gap_s(self, loads: list[Document]) -> float:
        """The longest time between the ends of two pages that were shown."""
        ends = [load["at"] + load["took_s"] for load in loads if not load["error"]]
        return float(max(after - before for before, after in pairwise(ends)))


def browse() -> dict[str, Document]:
    """Inside the namespaces. Non-preemptive: each fault befalls whoever serves, and the other one takes over."""
    lab = Lab(overrides={"failover_handling": "non-preemptive"}, say=scenarios.say).__enter__()
    lab.settle()
    surfer = Surfer(lab)
    found = {}
    for fault, remedy in (("kill", "start"), ("freeze", "thaw"), ("stop", "start"), ("switch", ""), ("cable", "")):
        wait_steady(lab, surfer)
        master, at_s = serving(lab), time.monotonic()
        if fault == "switch":
            order_switch(lab, master)
        else:
            scenarios.do(lab, fault, master)
        wait_steady(lab, surfer)
        loads = [load for load in surfer.loads if load["at"] + load["took_s"] >= at_s - LOOK_BACK_S]
        found[fault] = {"served_before": master, "gap_s": surfer.gap_s(loads), "loads": loads}
        found[fault]["served_after"] = serving(lab, but=master)
        if remedy:
            scenarios.do(lab, remedy, master)
            lab.settle()
    return found


def order_switch(lab: Lab, master: str) -> None:
    """To the best standby, as an operator does."""
    answer = ask(lab.nodes[master].state_dir / "control.sock", "switch", {"group": "1"}, time_limit_s=20.0)
    assert "changes" in answer, answer


def wait_steady(lab: Lab, surfer: Surfer) -> None:
    """Until some pages in a row that are begun from now on are shown."""
    since_s = time.monotonic()

    def missing() -> str | None:
        return None if surfer.is_steady(since_s) else f"the last page: {surfer.loads[-1:]}"

    lab.wait_for("pages", missing, 30.0)


def serving(lab: Lab, but: str = "") -> str:
    """The node that is master, once there is one; not ``but``, which may be frozen."""
    found: list[str] = []

    def missing() -> str | None:
        others = [name for name in lab.nodes if name != but]
        found[:] = [name for name in others if scenarios.status(lab, name)["groups"][0]["state"] == "master"]
        return None if len(found) == 1 else f"masters: {found}"

    lab.wait_for("one master", missing, 10.0)
    return found[0]
