"""``wsa-proxy simulate``: a campaign ends well, a broken promise is told with the command that repeats it."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace

import pytest

from wsa_proxy import cli
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.members.carrying import Carrying
from wsa_proxy.simulation.command import MARKS
from wsa_proxy.simulation.command import MARKS_CARRYING
from wsa_proxy.simulation.command import MARKS_MOVING
from wsa_proxy.simulation.command import MARKS_REPORTING
from wsa_proxy.simulation.command import MOVING
from wsa_proxy.simulation.command import _failure
from wsa_proxy.simulation.reporting import Reporter
from wsa_proxy.simulation.run import play_moving


@pytest.mark.timeout(600)
def test_two_thousand_seeds_keep_every_promise() -> None:
    """The campaign of every ``make test``, as a user would start it; every situation was seen.

    Half a minute of reckoning, but ``make test`` gives it only what is idle: on a busy machine that is minutes.
    """
    command = [sys.executable, "-m", "wsa_proxy.cli", "simulate", "--seeds", "2000"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=590)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2000 seeds from 0: every promise was kept" in result.stdout
    assert all(mark in result.stdout for mark in (*MARKS, *MARKS_MOVING, *MARKS_REPORTING, *MARKS_CARRYING))


def test_a_broken_promise_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The invariant, the seed, the virtual time, the last events, and the command that replays it."""
    monkeypatch.setattr(VirtualHost, "_tie_extra_s", lambda self, again=False: 0.0)
    monkeypatch.setattr(VirtualHost, "_take_over", lambda self, *arguments: [])
    for seed in range(50):
        if cli.main(["simulate", "--seed", str(seed)]) == 1:
            break
    lines = capsys.readouterr().out.splitlines()
    assert f"seed {seed} broke " in lines[-2]
    assert lines[-1].endswith(f"s of virtual time; again: wsa-proxy simulate --seed {seed} --trace")
    assert len(lines) > 10


def test_a_trace_reads_as_a_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "--seed", "1", "--trace"]) == 0
    out = capsys.readouterr().out
    assert "INIT -> BACKUP reason=started" in out and out.endswith("seed 1: every promise was kept\n")


def test_a_broken_promise_of_a_moving_group_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that replays it says that the group is moved, also where that was one run of a campaign."""
    monkeypatch.setattr(Credentials, "_share_time", lambda self, sealer: None)
    for seed in range(50):
        if cli.main(["simulate", "--moving", "--seed", str(seed)]) == 1:
            break
    assert capsys.readouterr().out.endswith(f"again: wsa-proxy simulate --seed {seed} --moving --trace\n")
    told = _failure(play_moving(seed), Namespace(nodes=3, moving=False, reporting=False, carrying=False), MOVING)
    assert told.endswith(f"again: wsa-proxy simulate --seed {seed} --nodes 3 --moving --trace")


def test_a_broken_promise_of_member_reports_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Likewise; and such a run has a story of its own."""
    monkeypatch.setattr(Reporter, "ask_owner", lambda self: None)
    assert cli.main(["simulate", "--reporting", "--seed", "0"]) == 1
    out = capsys.readouterr().out
    assert "seed 0 broke I2: " in out and out.endswith("again: wsa-proxy simulate --seed 0 --reporting --trace\n")


def test_a_broken_promise_to_clients_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Likewise."""
    monkeypatch.setattr(Carrying, "take_tickles", lambda self: [])
    seed = next(seed for seed in range(50) if cli.main(["simulate", "--carrying", "--seed", str(seed)]) == 1)
    out = capsys.readouterr().out
    assert f"seed {seed} broke C4: " in out
    assert out.endswith(f"again: wsa-proxy simulate --seed {seed} --carrying --trace\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--trace"], "--trace prints one run"),
        (["--seed", "1", "--seeds", "2000"], "--seed 1 is one run only"),
        (["--seed", "1", "--first-seed", "0"], "--seed 1 is one run only"),
        (["--nodes", "1"], "--nodes 1: 2 to 5 nodes"),
        (["--seeds", "0"], "--seeds 0: at least one"),
        (["--jobs", "0"], "--jobs 0: at least one"),
        (["--moving", "--reporting"], "a run is one of them"),
        (["--reporting", "--carrying"], "a run is one of them"),
    ],
)
def test_wrong_use_is_said(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", *arguments]) == 2
    assert problem in capsys.readouterr().err
