"""A run of ``wsa-proxy bench`` whose measuring is played: what is left out and why, and the files at the end."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
from collections.abc import Generator
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bench.cells import a_run
from wsa_proxy.bench import initial_network
from wsa_proxy.bench import interrupts
from wsa_proxy.bench import process_news
from wsa_proxy.bench import programs
from wsa_proxy.bench import session
from wsa_proxy.bench.plan import Order
from wsa_proxy.bench.playing import Run
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.progress import Telling
from wsa_proxy.lab import namespace


class FakeMeasuring:
    """Each run that is ordered, at once; ucarp loses one."""

    def __init__(self, orders: list[Order], problems: list[str], say: Any) -> None:
        self._orders = orders
        self.left = sum(order.runs for order in orders)
        problems += ["ucarp, kill, run 3 (1): waited"] if orders[0].product == "ucarp" else []

    def runs(self) -> Generator[Run]:
        for order in self._orders:
            for number in range(order.runs):
                self.left -= 1
                yield a_run(order.product, order.trial, number)


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is missing, and nothing is touched; what is put back is noted."""
    noted: list[str] = []

    @contextmanager
    def put_back() -> Iterator[None]:
        try:
            yield
        finally:
            noted.append("put back")

    monkeypatch.setattr(session, "Measuring", FakeMeasuring)
    monkeypatch.setattr(namespace, "refusal", lambda: None)
    monkeypatch.setattr(programs, "missing", lambda kinds: [])
    monkeypatch.setattr(programs, "found", lambda program: f"/usr/sbin/{program}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(process_news, "refusal", lambda: None)
    monkeypatch.setattr(initial_network, "refusal", lambda: None)
    monkeypatch.setattr(initial_network, "put_back", put_back)
    return noted


def asked(output: Path, **changes: Any) -> argparse.Namespace:
    usual = {"quick": True, "only": ["kill"], "product": None, "output": str(output), "verbose": False}
    return argparse.Namespace(**(usual | changes))


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "benchmarks.json").read_text())
    return found


def test_three_files_come_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All runs as JSON, the page and its picture; the peers' files are printed, and a line for each run."""
    assert session.main(asked(tmp_path, product=["wsa-proxy", "keepalived"])) == 0
    made = document(tmp_path)
    assert [(run["product"], run["number"]) for run in made["runs"]] == [
        ("wsa-proxy", 0),
        ("wsa-proxy", 1),
        ("keepalived", 0),
        ("keepalived", 1),
    ]
    assert made["products"]["wsa-proxy"]["files"] == {} and "began_s" not in made
    assert "proxy killed (SIGKILL) | 40 (40..40) | 40 (40..40) |" in (tmp_path / "benchmarks.md").read_text()
    assert "keepalived</text>" in (tmp_path / "benchmarks.svg").read_text()
    printed = capsys.readouterr().out
    assert "virtual_router_id 1\n" in printed and "1 of 4  wsa-proxy: kill, run 1" in printed
    assert "/usr/sbin/keepalived --dont-fork" in printed


def test_lost_runs_are_told_and_the_others_written(tmp_path: Path) -> None:
    """The exit status says so as well."""
    assert session.main(asked(tmp_path, product=["ucarp"])) == session.STATUS_LOST
    assert document(tmp_path)["problems"] == ["ucarp, kill, run 3 (1): waited"]


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_what_was_measured_before_an_interrupt_is_written(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, played: list[str]
) -> None:
    """An hour is long. What had been lost by then is told as well, and what was touched is put back."""
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here")

    def runs(self: FakeMeasuring) -> Generator[Run]:
        yield a_run(self._orders[0].product)
        os.kill(os.getpid(), number)
        yield a_run(self._orders[0].product, number=1)

    monkeypatch.setattr(FakeMeasuring, "runs", runs)
    assert session.main(asked(tmp_path, product=["ucarp"])) == session.STATUS_LOST
    assert len(document(tmp_path)["runs"]) == 1
    assert [problem.split()[0] for problem in document(tmp_path)["problems"]] == ["ucarp,", "interrupted:"]
    assert session.main(asked(tmp_path, product=["keepalived, process tracking"])) == session.STATUS_LOST
    assert played == ["put back"]


def test_whoever_stops_reading_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``| head`` ends the measuring; what there is by then is written."""

    def gone(self: Telling, run: Run, left: int) -> None:
        raise SystemExit(1)  # rich's, at a broken pipe

    monkeypatch.setattr(Telling, "run_over", gone)
    with pytest.raises(SystemExit):
        session.main(asked(tmp_path))
    assert len(document(tmp_path)["runs"]) == 1


def test_nothing_measured_does_not_replace_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that is interrupted at once leaves the page of the last one alone."""

    def runs(self: FakeMeasuring) -> Generator[Run]:
        raise KeyboardInterrupt
        yield a_run()

    monkeypatch.setattr(FakeMeasuring, "runs", runs)
    (tmp_path / "benchmarks.json").write_text("{}")
    assert session.main(asked(tmp_path)) == session.STATUS_LOST
    assert document(tmp_path) == {} and "nothing was measured" in capsys.readouterr().err


def test_a_full_disk_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runs are printed, and the files of the last time stay whole."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    (tmp_path / "benchmarks.json").write_text("{}")
    monkeypatch.setattr(Path, "write_text", lambda self, text: (_ for _ in ()).throw(full))
    assert session.main(asked(tmp_path, product=["wsa-proxy"])) == session.STATUS_LOST
    told = capsys.readouterr()
    assert len(json.loads(told.out.splitlines()[-1])["runs"]) == 2 and "No space left" in told.err
    assert document(tmp_path) == {} and len(list(tmp_path.iterdir())) == 1


def test_the_command_makes_the_same_again(tmp_path: Path) -> None:
    """With all that says what is measured: the page prints it."""
    product = "keepalived, 50 ms"
    assert session.command_of(asked(tmp_path, quick=False, only=[])) == "wsa-proxy bench"
    assert session.command_of(asked(tmp_path, product=[product])) == (
        f"wsa-proxy bench --quick --only kill --product '{product}'"
    )


def test_the_files_that_are_printed_are_those_of_node_a(tmp_path: Path) -> None:
    """In the machine's own network its interface has another name than in the lab."""
    assert "interface eth0\n" in session.files_of(PRODUCTS["keepalived"])["keepalived.conf"]
    assert "interface wsa-lab-a\n" in session.files_of(PRODUCTS["keepalived, process tracking"])["keepalived.conf"]


def test_a_missing_peer_is_named_and_the_rest_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that installs it."""
    monkeypatch.setattr(programs, "missing", lambda kinds: ["ucarp"] if "ucarp" in kinds else [])
    assert session.main(asked(tmp_path, product=["wsa-proxy", "ucarp"])) == 0
    why = "ucarp missing; install with: apt-get install --no-install-recommends ucarp"
    assert f"ucarp is not measured: {why}" in capsys.readouterr().out
    assert document(tmp_path)["unavailable"] == {"ucarp": why}
    assert f"- **ucarp** was not measured: {why}." in (tmp_path / "benchmarks.md").read_text()


def test_without_nft_only_what_needs_it_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that installs it."""
    real = programs.find
    monkeypatch.setattr(programs, "find", lambda program: None if program == "nft" else real(program))
    assert session.main(asked(tmp_path, product=["wsa-proxy"], quick=False, only=["filter", "mute"])) == 0
    why = "nft missing; install with: apt-get install --no-install-recommends nftables"
    assert f"filter is not done: {why}" in capsys.readouterr().out
    found = document(tmp_path)
    assert {run["trial"] for run in found["runs"]} == {"mute"} and found["impossible"] == {"filter": why}


def test_what_needs_root_is_not_tried_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """ucarp and ours do not."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    needing = [name for name, product in PRODUCTS.items() if session.why_not(product) is not None]
    assert needing == [name for name in PRODUCTS if name.startswith("keepalived")]


def test_process_tracking_needs_news_and_a_free_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other set-ups of keepalived need neither."""
    tracking, plain = PRODUCTS["keepalived, process tracking"], PRODUCTS["keepalived"]
    assert session.why_not(tracking) is None
    monkeypatch.setattr(initial_network, "refusal", lambda: "a route")
    assert session.why_not(tracking) == "a route"
    monkeypatch.setattr(process_news, "refusal", lambda: "no news")
    assert session.why_not(tracking) == "no news" and session.why_not(plain) is None


def test_what_starts_a_master_outside_is_needed_for_that_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies with its parent by setpriv."""
    monkeypatch.setattr(programs, "find", lambda program: None if program == "setpriv" else f"/usr/bin/{program}")
    why = "setpriv missing; install with: apt-get install --no-install-recommends util-linux"
    assert session.why_not(PRODUCTS["keepalived, process tracking"]) == why
    assert session.why_not(PRODUCTS["keepalived"]) is None


def test_only_what_reaches_out_of_the_lab_is_put_back(tmp_path: Path, played: list[str]) -> None:
    """Once, when all its runs are over."""
    session.main(asked(tmp_path, product=["wsa-proxy", "keepalived"]))
    assert played == []
    session.main(asked(tmp_path, product=["keepalived, process tracking"]))
    assert played == ["put back"]


def test_where_another_bench_measures_the_rest_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs the machine's own network waits for nobody, and is told."""

    @contextmanager
    def put_back() -> Iterator[None]:
        raise initial_network.Taken("another bench")
        yield

    monkeypatch.setattr(initial_network, "put_back", put_back)
    products = ["keepalived, process tracking", "wsa-proxy"]
    assert session.main(asked(tmp_path, product=products)) == session.STATUS_LOST
    written = document(tmp_path)
    assert {run["product"] for run in written["runs"]} == {"wsa-proxy"}
    assert written["problems"] == ["keepalived, process tracking: another bench"]


def test_a_lab_ends_before_anything_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, played: list[str]
) -> None:
    """It would set it again. That does not wait for whoever else may know of the runs."""
    known: list[Generator[Run]] = []

    def runs() -> Generator[Run]:
        try:
            yield a_run("keepalived, process tracking")
        finally:
            played.append("ended")

    def interrupted(self: Telling, run: Run, left: int) -> None:
        raise KeyboardInterrupt

    known.append(runs())
    monkeypatch.setattr(FakeMeasuring, "runs", lambda self: known[0])
    monkeypatch.setattr(Telling, "run_over", interrupted)
    session.main(asked(tmp_path, product=["keepalived, process tracking"]))
    assert played == ["ended", "put back"]


def test_nothing_is_begun_that_could_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or that would measure nothing."""
    assert session.main(asked(tmp_path / "none")) == session.STATUS_USAGE
    assert session.main(asked(tmp_path, only=["mute"])) == session.STATUS_USAGE  # no fault of a quick run
    told = capsys.readouterr().err
    assert "not a folder that can be written to" in told and "nothing is left to be measured" in told
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_without_namespaces_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the lab's own status."""
    monkeypatch.setattr(namespace, "refusal", lambda: "refused")
    assert session.main(asked(tmp_path)) == 77
