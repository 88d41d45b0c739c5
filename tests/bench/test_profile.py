"""The short form of ``make profile``: that a sample belongs to whom it should, and that a real node is looked into."""

from __future__ import annotations

import shutil
import signal
import sysconfig
import time
from typing import Any

import pytest

from tests.bench import profile
from tests.bench.sampler import BENCH
from tests.bench.sampler import Sampler
from tests.bench.sampler import place
from tests.lab.inside import needs_namespaces

PACKAGES = sysconfig.get_path("purelib")
STDLIB = sysconfig.get_path("stdlib")
OURS = ("/opt/wsa-proxy/wsa_proxy/net/orders.py", "encode")
SINGLE = ("/opt/wsa-proxy/wsa_proxy/settings.py", "place_text")
THEIRS = (f"{PACKAGES}/mitmproxy/proxy/server.py", "ConnectionHandler.server_event")
LIBRARY = (f"{STDLIB}/json/encoder.py", "JSONEncoder.encode")
LOOP = (f"{STDLIB}/asyncio/events.py", "Handle._run")


@pytest.mark.parametrize(
    ("frames", "room", "function"),
    [
        ([OURS, THEIRS, LOOP], "wsa_proxy.net", "net/orders.py:encode"),
        ([LIBRARY, OURS, LOOP], "wsa_proxy.net", "net/orders.py:encode"),
        ([SINGLE, OURS, LOOP], "wsa_proxy.settings", "settings.py:place_text"),
        ([LIBRARY, THEIRS, OURS, LOOP], "mitmproxy", "proxy/server.py:ConnectionHandler.server_event"),
        ([(f"{BENCH}/profiled_node.py", "turn"), LOOP], "the bench", "turn"),
        ([LIBRARY, LOOP], "asyncio", ""),
        ([], "asyncio", ""),
    ],
)
def test_a_sample_belongs_to_the_innermost_that_is_ours_or_mitmproxy_s(
    frames: list[tuple[str, str]], room: str, function: str
) -> None:
    """What the standard library does for somebody is that one's; the product's own folder may have any name."""
    assert place(frames) == (room, function)


def test_who_works_is_seen_and_who_waits_is_not() -> None:
    """By the process's own time, whatever the machine does besides; and nothing is looked at after the end."""
    before = signal.getsignal(signal.SIGPROF)
    sampler = Sampler()
    try:
        sampler.begin()
        ends_s = time.process_time() + 0.2
        while time.process_time() < ends_s:
            pass
        worked = sum(sampler.end()["rooms"].values())
        ends_s = time.process_time() + 0.05
        while time.process_time() < ends_s:
            pass
        assert sum(sampler.end()["rooms"].values()) == worked
    finally:
        signal.signal(signal.SIGPROF, before)
    assert 20 <= worked <= 120, worked  # 100, where the kernel's clock ticks as finely


def test_the_table_has_each_room_and_ten_functions_of_ours() -> None:
    """Percent of the samples; the first line says how many there were, and our share."""
    functions = {f"net/orders.py:{number}": 1 for number in range(12)}
    seen: dict[str, Any] = {"share": 0.5, "rooms": {"mitmproxy": 36, "wsa_proxy.net": 12}, "ours": functions}
    rows = profile.table(seen)
    assert rows[0] == "50.0 % of a core, 48 samples; ours 25.0 % of them"
    assert [row.split() for row in rows[1:3]] == [["75.0", "%", "mitmproxy"], ["25.0", "%", "wsa_proxy.net"]]
    assert len(rows) == 13 and rows[3].split() == ["2.08", "%", "net/orders.py:0"]


@needs_namespaces
@pytest.mark.skipif(shutil.which("wrk") is None, reason="apt-get install wrk")
def test_a_master_is_looked_into_while_it_serves() -> None:
    """mitmproxy does most of the work, our rooms are seen, and nobody's request is lost for it."""
    seen = profile.run("under_load", 2.0, 20)
    assert seen["answered"] > 0 and seen["errors"] == 0
    assert seen["rooms"]["mitmproxy"] > sum(seen["ours"].values()) > 0
    assert seen["share"] > 0


@needs_namespaces
@pytest.mark.skipif(shutil.which("wrk") is None, reason="apt-get install wrk")
def test_a_master_of_many_groups_is_looked_into_as_well() -> None:
    """The same of the node of ``make overhead``, here with three groups."""
    seen = profile.run("many_under_load", 2.0, groups=3)
    assert seen["answered"] > 0 and seen["errors"] == 0
    assert seen["rooms"]["mitmproxy"] > sum(seen["ours"].values()) > 0
