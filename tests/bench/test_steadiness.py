"""What is judged of a soak, with chosen numbers; tests/bench/test_soak.py plays a short one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import soak_report
from tests.bench.steadiness import WATCHED
from tests.bench.steadiness import Record
from tests.bench.steadiness import broken
from tests.bench.steadiness import growths

PROXY = {"rss_mib": 150.0, "pss_mib": 120.0, "live": 800_000, "tasks": 40, "descriptors": 60, "threads": 3}
GUARDIAN = {"rss_mib": 11.6, "descriptors": 14, "threads": 2}


def sample(number: int, **changes: float) -> dict[str, Any]:
    """The sample of a quiet node, ten seconds after the one before; ``changes`` are those of its proxy."""
    node = {
        "states": ["master"],
        "demotions": [0],
        "warnings": [],
        "lag_ms": 12.0,
        "proxy": PROXY | {"cpu_percent": 30.0} | changes,
        "guardian": GUARDIAN,
        "network": {"sent": 1000 * number, "sent_again": 10 * number, "in_use": 50},
        "nft_elements": 0,
        "state_kib": 72.0,
    }
    asked = {"done": 1000, "failed": 0, "gap_ms": 40 + number}
    frames = {"passed": 990 * number, "lost": 10 * number}
    return {"at_s": 10.0 * number, "load": 1.0, "frames": frames, "requests": asked, "tls": asked, "nodes": {"a": node}}


def record(*samples: dict[str, Any]) -> Record:
    return Record(names=["a"], planned_s=3600.0, samples=list(samples) or [sample(number) for number in range(1, 41)])


def test_a_quiet_run_is_kept() -> None:
    """Each number that is watched is found in the samples."""
    assert broken(record()) == []
    assert [each.watched for each in growths(record())] == list(WATCHED)


@pytest.mark.parametrize(
    ("key", "each_sample", "told"),
    [
        ("rss_mib", 0.1, []),
        ("rss_mib", 0.3, ["node a, proxy: RSS, MiB: 154.65 has become 160.65, 4 more are allowed"]),
        ("descriptors", 3.0, ["node a, proxy: descriptors: 106.5 has become 166.5, 40 more are allowed"]),
        ("tasks", -1.0, []),
    ],
)
def test_what_grows_is_told(key: str, each_sample: float, told: list[str]) -> None:
    """From the middle of the second quarter to that of the last one; what shrinks is fine."""
    grown = [sample(number, **{key: PROXY[key] + each_sample * number}) for number in range(1, 41)]
    assert broken(record(*grown)) == told


def test_a_backup_may_grow_less_than_a_master() -> None:
    """It has no clients by which it could be excused."""
    grown = [sample(number, rss_mib=150.0 + 0.15 * number) for number in range(1, 41)]
    assert broken(record(*grown)) == []
    for each in grown:
        each["nodes"]["a"]["states"] = ["backup"]
    assert broken(record(*grown)) == ["node a, proxy: RSS, MiB: 152.325 has become 155.325, 2 more are allowed"]


def test_warming_up_and_single_bursts_are_not_growth() -> None:
    """The first quarter is not looked at, and a median does not see one sample in five."""
    samples = [
        sample(number, rss_mib=100.0 + min(number, 10) * 5 + (80.0 if number % 5 == 0 else 0.0))
        for number in range(1, 41)
    ]
    assert broken(record(*samples)) == []


def test_too_short_a_run_says_nothing_of_growth() -> None:
    """Two samples in each quarter are the least."""
    short = record(*(sample(number) for number in range(7)))
    assert growths(short) == []
    assert soak_report.verdict(short, []) == ["kept: nothing moved, the time was too short to see what grows"]
    assert growths(record(*(sample(number) for number in range(8)))) != []


def test_everything_else_that_was_promised_is_told() -> None:
    """A sentence for each."""
    seen = record()
    seen.moves.append("a: carp vhid=1 MASTER -> BACKUP reason=superior")
    seen.two_holders_s, seen.holders_known = 0.25, False
    seen.lost_connections.append("download 1, wrong: not what was sent")
    seen.errors.append("answer HTTP/1.1 502 Bad Gateway, 2 times")
    seen.problems.append("node b ended by itself")
    assert broken(seen) == [
        "node b ended by itself",
        "a node has moved: a: carp vhid=1 MASTER -> BACKUP reason=superior",
        "two nodes had the virtual IP for 0.250 s",
        "events of the nodes' addresses were missed: who had the virtual IP is not known",
        "an open connection was lost: download 1, wrong: not what was sent",
        "requests have failed: answer HTTP/1.1 502 Bad Gateway, 2 times",
    ]


def test_a_line_tells_of_the_last_minute() -> None:
    """What has passed since, of the client and the LAN; and what the nodes are now."""
    seen = record()
    assert soak_report.line(seen) == (
        "7 of 60 min, 53 left; 0 moves; a master, 30 %, 150 MiB, 60 descriptors, 40 tasks; 12000 requests, 0 failed, "
        "longest gap 80 ms; loss 1.00 %; load 1.0"
    )


def test_tables_have_each_kind_of_request_and_each_number() -> None:
    """In Markdown; growth and what is allowed of it for the same time, an hour."""
    seen = record(*(sample(number, rss_mib=150.0 + number / 100) for number in range(1, 41)))
    seen.times_ms["requests"].extend([10.0] * 98 + [1000.0, 2000.0])
    lines = soak_report.tables(seen)
    assert "| HTTP, every other one on a kept connection | 40000 | 0 | 10 | 2000 | 2000 | 80 |" in lines
    assert "| a | proxy: RSS, MiB | 150.2 | 150.4 | 150.1..150.4 | +3.6 | 72 |" in lines
    assert len([each for each in lines if each.startswith("| a |")]) == len(WATCHED)
    assert "1.00 % of its segments sent again" in lines[2]


def test_a_crowded_machine_is_named_where_something_is_broken() -> None:
    """Only there: what was kept was kept in spite of it."""
    seen = record()
    assert soak_report.verdict(seen, []) == ["kept: nothing moved, nothing has grown"]
    assert soak_report.verdict(seen, ["slow"]) == ["broken: slow"]
    seen.samples = [{**each, "load": 9.4} for each in seen.samples]
    assert soak_report.verdict(seen, []) == ["kept: nothing moved, nothing has grown"]
    assert soak_report.verdict(seen, ["slow"])[1].startswith("others had this machine as well (load 9.4)")


def test_the_document_is_what_was_seen() -> None:
    """With the verdict, without the time of each single request."""
    seen = record()
    told = soak_report.document(seen, ["slow"])
    assert told["broken"] == ["slow"] and told["samples"] == seen.samples and "times_ms" not in told
