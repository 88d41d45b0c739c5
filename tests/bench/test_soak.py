"""A soak of some seconds on a LAN that loses frames: the real lab, the real load, each number looked at."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench import loss
from tests.bench import soak
from tests.bench import soaked
from tests.bench.steadiness import WATCHED
from tests.lab.inside import ROOT
from tests.lab.inside import needs_namespaces

needs_nft = pytest.mark.skipif(shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin") is None, reason="needs nftables")


@needs_namespaces
@needs_nft
def test_a_short_soak_is_ended_by_ctrl_c_and_told(tmp_path: Path) -> None:
    """With the verdict so far, all its samples in the file, and status 130: nothing was broken."""
    output = tmp_path / "soak.json"
    command = [sys.executable, "-m", "tests.bench.soak", "--minutes", "60", "--output", str(output), "--each-s", "1"]
    told = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as running:
        assert running.stdout is not None
        try:
            for line in running.stdout:
                told.append(line.rstrip())
                if " left; " in line:
                    os.killpg(running.pid, signal.SIGINT)
        finally:
            running.kill()  # the lab vanishes with it
    assert running.returncode == 130, told
    assert told[-1] == "kept: nothing moved, the time was too short to see what grows"
    seen = json.loads(output.read_text())
    check(seen["samples"][-1])
    assert seen["moves"] == []


def check(newest: dict[str, Any]) -> None:
    """Each number that is watched is there, but for what takes a quarter of the hour; both clients are served."""
    assert newest["frames"]["lost"] > 0 and newest["frames"]["passed"] > 1000
    assert newest["requests"]["done"] > 20 and newest["requests"]["failed"] == 0
    assert {name: node["states"] for name, node in newest["nodes"].items()} == {"a": ["master"], "b": ["backup"]}
    for node in newest["nodes"].values():
        for watched in WATCHED:
            value: Any = node
            for key in watched.place:
                value = value[key]
            assert value is not None or watched.place == ("proxy", "live"), watched


def test_rules_throw_the_dice_for_each_frame_of_a_node_once() -> None:
    """Those that come from a node and those that go to one; the part is the one that was asked for."""
    rules = loss.rules("ab", 1.5)
    assert "numgen random mod 10000 < 150 counter" in rules
    assert rules.count('{ "a", "b" } jump dice') == 2


def test_counters_are_read() -> None:
    """nft's JSON, with what else is in it."""
    listing = {
        "nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"counter": {"family": "bridge", "name": "lost", "packets": 12, "bytes": 900}},
            {"counter": {"family": "bridge", "name": "passed", "packets": 1188, "bytes": 90000}},
        ]
    }
    assert loss.read(json.dumps(listing)) == {"lost": 12, "passed": 1188}


def test_elements_of_sets_and_maps_are_counted() -> None:
    """One without elements has no such key."""
    ruleset: list[dict[str, Any]] = [
        {"table": {"name": "wsa-steer"}},
        {"set": {"name": "mine4"}},
        {"map": {"name": "theirs4", "elem": [["10.0.0.50", "aa:bb:cc:dd:ee:ff"], ["10.0.0.51", "aa:bb:cc:dd:ee:ff"]]}},
    ]
    assert soaked.elements(ruleset) == 2


def test_times_are_ordered() -> None:
    """The slowest hundredth is not the slowest."""
    assert soaked.took([float(each) for each in reversed(range(200))]) == {"p50": 100, "p99": 198, "max": 199}
    assert soaked.took([]) == {}


@pytest.mark.parametrize("wrong", [["--minutes", "1.3"], ["--loss", "101"], ["--output", "/no/such/folder/file"]])
def test_what_is_wrong_is_told_before_anything_starts(
    wrong: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2 and a sentence."""
    monkeypatch.setattr(sys, "argv", ["soak", *wrong])
    assert soak.main() == soak.STATUS_USAGE
    assert capsys.readouterr().err.startswith("soak: ")
