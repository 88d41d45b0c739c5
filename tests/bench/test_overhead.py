"""The short form of ``make overhead``: that it measures what it says; and what becomes of known samples."""

from __future__ import annotations

import re
import shutil
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from tests.bench import overhead
from tests.bench import overhead_files
from tests.bench import overhead_rows
from tests.bench.overhead_world import Order
from tests.lab.inside import needs_namespaces
from wsa_proxy.bench import programs
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.session import why_not

NO_KEEPALIVED = why_not(PRODUCTS["keepalived"])


def sample(product: str, groups: int = 0, **changes: float) -> dict[str, Any]:
    """One under load, with 100 requests a second unless said."""
    fine = {"per_s": 100.0, "p50_ms": 10.0, "p99_ms": 20.0, "errors": 0, "late_ms": 5.0, "longest_ms": 8.0}
    fine |= {"processor_ms": 2.0, "proxy_share": 0.95, "origin_share": 0.1, "clients_share": 0.05}
    return {"product": product, "groups": groups, "load": fine | changes}


def idle_sample(product: str, groups: int) -> dict[str, Any]:
    parts = {"proxy_share": 0.02, "proxy_pss_mib": 60.0, "proxy_rss_mib": 80.0}
    return {
        "product": product,
        "groups": groups,
        "idle": parts | {"beside_share": 0.001, "beside_pss_mib": 5.0, "beside_rss_mib": 11.0},
    }


@needs_namespaces
@pytest.mark.skipif(shutil.which("wrk") is None, reason="apt-get install wrk")
def test_a_node_and_its_neighbours_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """A real node with two groups, each with a standby, idle and under load: all that the tables need, no error."""
    node = overhead.measured(Order("node", 2, 1, 1.0))
    load, idle = node["load"], node["idle"]
    assert load["errors"] == 0 and load["per_s"] > 10 and 0 < load["p50_ms"] < load["p99_ms"], load
    assert 0 < load["late_ms"] <= load["longest_ms"] and 0 < load["processor_ms"] < 1000, load
    assert all(load[f"{part}_share"] > 0 for part in overhead_rows.SHARES), load
    assert 30 < idle["proxy_pss_mib"] < idle["proxy_rss_mib"] and 1 < idle["beside_pss_mib"] < 30, idle
    assert idle["proxy_share"] > 0 and idle["beside_share"] >= 0, idle
    plain = sample("plain", per_s=load["per_s"])
    assert overhead.report([plain, node, plain], []) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^\| 2 groups \| \d+ \(.* \| 1\.000 \(1\.000\.\.1\.000\) \|", printed, re.MULTILINE), printed


@needs_namespaces
@pytest.mark.skipif(NO_KEEPALIVED is not None, reason=NO_KEEPALIVED or "")
def test_keepalived_is_watched_beside_its_proxy() -> None:
    """With three instances that all take their address: else the sample would not be quiet."""
    idle = overhead.measured(Order("keepalived", 3, 0, 0.5))["idle"]
    assert 1 < idle["beside_pss_mib"] < idle["proxy_pss_mib"]


def test_a_sample_that_fails_is_lost_and_the_others_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told once, not tried again, and breaks the promise; Ctrl-C keeps what there is."""
    tried: list[int] = []

    def measured(order: Order) -> dict[str, Any]:
        tried.append(order.groups)
        if order.groups == 2:
            raise overhead.Lost("a sample ended with status 1")
        if order.groups == 4:
            raise KeyboardInterrupt
        return sample(order.product, order.groups)

    monkeypatch.setattr(overhead, "measured", measured)
    wanted = [Order("node", groups) for groups in (1, 2, 3, 2, 4, 5)]
    samples, lost, status = overhead.taken(wanted)
    assert tried == [1, 2, 3, 4]
    assert [each["groups"] for each in samples] == [1, 3]
    assert lost == ["2 groups: a sample ended with status 1"] and status == 130
    monkeypatch.setattr(overhead, "no_load", lambda: None)
    assert overhead.report([idle_sample("plain", 0)], []) == 0
    assert overhead.report([idle_sample("plain", 0)], lost) == 1
    monkeypatch.setattr(overhead, "orders", lambda *_: wanted)
    monkeypatch.setattr(overhead, "report", lambda *_: 1)
    assert overhead.main([]) == 130


def test_what_is_missing_is_said_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wrk there is no load, without keepalived no sample of it; the rest is measured."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert overhead.no_load() == "no load: wrk is missing; install it with: apt-get install wrk"
    assert "keepalived, curl missing; install with: apt-get install" in (overhead.no_keepalived() or "")
    wanted = list(overhead.orders([1], 1, 6, 6.0))
    assert wanted == [Order("plain", 0, 0, 6.0), Order("node", 1, 0, 6.0), Order("plain", 0, 0)]


def test_every_node_stands_between_two_plain_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """And keepalived, which has no load, between the rounds."""
    monkeypatch.setattr(overhead, "no_load", lambda: None)
    monkeypatch.setattr(overhead, "no_keepalived", lambda: None)
    products = [order.product for order in overhead.orders([1, 64], 2, 6, 6.0)]
    one_round = ["plain", "node", "plain", "node", "plain", "keepalived", "keepalived"]
    assert products == one_round * 2


def test_a_ratio_is_that_to_both_neighbours() -> None:
    """The machine's own pace cancels out; keepalived between them has no load and counts for nothing."""
    samples = [sample("plain"), sample("node", 1, per_s=99.0), sample("plain", per_s=80.0)]
    samples += [idle_sample("keepalived", 1), sample("plain", per_s=50.0), sample("node", 1, per_s=60.0)]
    samples += [sample("plain", per_s=70.0)]
    assert overhead_rows.ratios(samples, "per_s") == {1: [1.1, 1.0]}
    with pytest.raises(ValueError, match="not plain"):
        overhead_rows.ratios([sample("node", 1), sample("node", 2), sample("plain")], "per_s")


@pytest.mark.parametrize(
    ("groups", "per_s", "told"),
    [
        (1, 97.0, None),
        (1, 96.9, "1 group: 0.969 of plain mitmdump's requests, 0.97 promised"),
        (10, 50.0, None),
        (64, 95.0, None),
        (64, 94.0, "64 groups: 0.940 of plain mitmdump's requests, 0.95 promised"),
        (255, 10.0, None),
    ],
)
def test_what_was_promised_is_judged(groups: int, per_s: float, told: str | None) -> None:
    """With one and with 64 groups; the others are only told."""
    samples = [sample("plain"), sample("node", groups, per_s=per_s), sample("plain")]
    assert overhead_rows.missed(samples) == ([told] if told else [])


def test_one_bad_sample_breaks_no_promise_and_an_error_does() -> None:
    """The median counts; a request that failed counts always."""
    good, bad = sample("node", 1), sample("node", 1, per_s=10.0)
    between = [each for node in (good, bad, good) for each in (sample("plain"), node, sample("plain"))]
    assert overhead_rows.missed(between) == []
    between[1] = sample("node", 1, errors=2)
    assert overhead_rows.missed(between) == ["1 group: 2 requests failed"]


def test_the_tables_are_markdown() -> None:
    """Medians with lowest and highest; plain mitmdump first, and nothing beside it."""
    samples = [sample("plain"), sample("node", 1, per_s=90.0, processor_ms=2.2), sample("plain", per_s=300.0)]
    head, rule, plain, node = overhead_rows.load_table(samples)
    assert head.count("|") == rule.count("|") == plain.count("|") == node.count("|") == 10
    assert plain.startswith("| plain mitmdump | 200 (100..300) | | 10.0 (10.0..10.0) |")
    assert node.startswith("| 1 group | 90 (90..90) | 0.450 (0.450..0.450) | 10.0")
    assert node.endswith("| 2.200 (2.200..2.200) | 1.100 (1.100..1.100) |")
    idles = [idle_sample("plain", 0), idle_sample("node", 64), idle_sample("keepalived", 64)]
    assert overhead_rows.idle_table(idles)[2:] == [
        "| plain mitmdump | 2.0 (2.0..2.0) | 60.0 (60.0..60.0) | 80.0 (80.0..80.0) | | | |",
        "| 64 groups | 2.0 (2.0..2.0) | 60.0 (60.0..60.0) | 80.0 (80.0..80.0) | 0.1 (0.1..0.1) | 5.0 (5.0..5.0)"
        " | 11.0 (11.0..11.0) |",
        "| 64 groups, keepalived | 2.0 (2.0..2.0) | 60.0 (60.0..60.0) | 80.0 (80.0..80.0) | 0.1 (0.1..0.1)"
        " | 5.0 (5.0..5.0) | 11.0 (11.0..11.0) |",
    ]


def test_a_proxy_that_was_not_the_bottleneck_is_told() -> None:
    """It is the machine that was measured then."""
    fine, starved = sample("plain"), sample("plain", proxy_share=0.5)
    assert overhead_rows.doubts([fine]) == []
    (doubt,) = overhead_rows.doubts([fine, starved])
    assert doubt.startswith("in 1 of 2 samples the proxy got less than 90% of a core")
    assert overhead_rows.shares([fine]) == "under load, of a core: proxy 95 %, origin 10 %, clients 5 %"


def test_keepalived_has_as_many_instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with an id and an address of its own, and one check script for all."""
    monkeypatch.setattr(programs, "found", lambda program: f"/usr/sbin/{program}")
    text = overhead_files.keepalived_files("a", IPv4Address("10.0.0.1"), 64, tmp_path).files["keepalived.conf"]
    assert re.findall(r"virtual_router_id (\d+)", text) == [str(vhid) for vhid in range(1, 65)]
    assert re.findall(r"(10\.0\.1\.\d+)/22", text) == [f"10.0.1.{vhid}" for vhid in range(1, 65)]
    assert len(set(re.findall(r"vrrp_instance (\w+) {", text))) == 64
    assert text.count("vrrp_script") == 1 and text.count("{") == text.count("}")
