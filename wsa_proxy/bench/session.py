"""One run of ``wsa-proxy bench``: what can be measured here, the measuring, and the files that come of it."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import sys
import time
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import closing
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from wsa_proxy.bench import initial_network
from wsa_proxy.bench import interrupts
from wsa_proxy.bench import machine
from wsa_proxy.bench import plan
from wsa_proxy.bench import process_news
from wsa_proxy.bench import programs
from wsa_proxy.bench.front import PICTURE as FRONT_PICTURE
from wsa_proxy.bench.front import front_cells
from wsa_proxy.bench.measuring import Measuring
from wsa_proxy.bench.page import PICTURE
from wsa_proxy.bench.page import make_page
from wsa_proxy.bench.peer_lab import PeerLab
from wsa_proxy.bench.playing import Run
from wsa_proxy.bench.plot import make_plot
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.products import Kind
from wsa_proxy.bench.products import Product
from wsa_proxy.bench.progress import Telling
from wsa_proxy.bench.progress import remaining_text
from wsa_proxy.bench.summary import Cell
from wsa_proxy.bench.summary import make_cells
from wsa_proxy.bench.trials import TRIALS
from wsa_proxy.bench.trials import Trial
from wsa_proxy.lab import namespace

STATUS_LOST = 1
STATUS_USAGE = 2
PLOTTED_MAX = 3


def main(arguments: argparse.Namespace) -> int:
    """Return the exit status. What is wrong is told before anything starts, as far as it can be known."""
    folder = Path(arguments.output)
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return _tell(f"{folder}: not a folder that can be written to", STATUS_USAGE)
    if (refusal := namespace.refusal()) is not None:
        return _tell(refusal, namespace.STATUS_REFUSED)
    chosen = [PRODUCTS[name] for name in arguments.product or PRODUCTS]
    unavailable = {product.name: why for product in chosen if (why := why_not(product)) is not None}
    measured = [product for product in chosen if product.name not in unavailable]
    console = Console()
    for name, why in unavailable.items():
        console.print(f"{name} is not measured: {why}", highlight=False, soft_wrap=True)
    wanted = plan.make_plan(measured, quick=arguments.quick, only=arguments.only)
    impossible = {order.trial: why for order in wanted if (why := why_not_done(TRIALS[order.trial])) is not None}
    for name, why in impossible.items():
        console.print(f"{name} is not done: {why}", highlight=False, soft_wrap=True)
    orders = [order for order in wanted if order.trial not in impossible]
    if not orders:
        return _tell("nothing is left to be measured", STATUS_USAGE)
    document = _begin(arguments, measured, unavailable) | {"impossible": impossible}
    _print_files(document, console)
    if busy := machine.busy_text(document["load"]):
        console.print(busy, highlight=False, soft_wrap=True)
    runs: list[Run] = []
    problems: list[str] = []
    try:
        measure(orders, console, runs, problems, verbose=arguments.verbose)
    finally:  # Also when the terminal is gone, or whoever read the lines.
        written = not runs or _write_or_print(finish(document, runs, problems), folder)
    if not runs:
        return _tell("nothing was measured, and nothing is written", STATUS_LOST)
    if written:
        console.print(
            f"written: benchmarks.json, benchmarks.md, {PICTURE} and {FRONT_PICTURE} in {folder}", highlight=False
        )
    return STATUS_LOST if problems or not written else 0


def why_not(product: Product) -> str | None:
    """Say why the product cannot be measured here, or None when it can."""
    missing = programs.missing([product.kind])
    if product.hears_of_processes and programs.find("setpriv") is None:  # what its master is started with
        missing.append("setpriv")
    if missing:
        return f"{', '.join(missing)} missing; install with: {programs.installing(missing)}"
    if product.shared and os.geteuid() != 0:
        return "it needs root: in a user namespace it cannot run its check script"
    return (process_news.refusal() or initial_network.refusal()) if product.hears_of_processes else None


def why_not_done(trial: Trial) -> str | None:
    """Say why the lab cannot do this fault here, or None when it can."""
    if trial.program is None or programs.find(trial.program) is not None:
        return None
    return f"{trial.program} missing; install with: {programs.installing([trial.program])}"


def measure(
    orders: Sequence[plan.Order], console: Console, runs: list[Run], problems: list[str], *, verbose: bool
) -> None:
    """Append all runs, and what was lost of them; product by product, each in a lab of its own. Ctrl-C, SIGTERM and
    SIGHUP end it with what there is by then."""
    total = sum(order.runs for order in orders)
    console.print(f"{total} runs; {remaining_text(plan.expected_s(orders))}", highlight=False)
    names = list(dict.fromkeys(order.product for order in orders))
    with interrupts.once(), Telling(total, console) as telling:
        try:
            for index, name in enumerate(names):
                behind = sum(order.runs for order in orders if order.product in names[index + 1 :])
                measuring = Measuring(
                    [order for order in orders if order.product == name], problems, telling.say if verbose else None
                )
                touched = initial_network.put_back() if PRODUCTS[name].hears_of_processes else nullcontext()
                try:
                    with touched, closing(measuring.runs()) as seen:  # its lab ends before anything is put back
                        for run in seen:
                            runs.append(run)
                            telling.run_over(run, measuring.left + behind)
                except initial_network.Taken as error:
                    problems.append(f"{name}: {error}")
        except KeyboardInterrupt:
            problems.append("interrupted: what was measured until then is written")
        for problem in problems:
            telling.say(problem)


def _begin(
    arguments: argparse.Namespace, measured: Sequence[Product], unavailable: Mapping[str, str]
) -> dict[str, Any]:
    """What is known before the first run."""
    kinds: list[Kind] = [product.kind for product in measured]
    return {
        "schema": 1,
        "command": command_of(arguments),
        "quick": arguments.quick,
        "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "began_s": time.monotonic(),
        "versions": machine.versions(kinds),
        "machine": machine.machine(),
        "load": {"before": machine.load(), "processors": float(os.cpu_count() or 1)},
        "products": {product.name: {"told": product.told, "files": files_of(product)} for product in measured},
        "unavailable": dict(unavailable),
    }


def command_of(arguments: argparse.Namespace) -> str:
    """What makes the same again, for a shell: all that says what is measured."""
    words = ["wsa-proxy", "bench", *(["--quick"] if arguments.quick else [])]
    for option, values in (("--only", arguments.only), ("--product", arguments.product or [])):
        words += [word for value in values for word in (option, value)]
    return shlex.join(words)


def files_of(product: Product) -> dict[str, str]:
    """What the daemon of node a is started with: its files by name, and its command line. Nothing for ours: those are
    configs/node-a.yaml and node-b.yaml, and what ``told`` says of them."""
    if not product.is_peer:
        return {}
    outside = Path("/proc/self/ns/net") if product.hears_of_processes else None
    first = PeerLab(product, network_of_master=outside).peer_files()["a"]
    return {**first.files, "command line": " ".join(first.command)}


def _print_files(document: Mapping[str, Any], console: Console) -> None:
    for name, product in document["products"].items():
        for file, text in product["files"].items():
            console.print(f"--- {name}, {file} of node a:\n{text}", highlight=False, markup=False, soft_wrap=True)


def finish(document: Mapping[str, Any], runs: Sequence[Run], problems: Sequence[str]) -> dict[str, Any]:
    """The document with everything that was measured."""
    complete = {key: value for key, value in document.items() if key != "began_s"}
    return complete | {
        "minutes": round((time.monotonic() - document["began_s"]) / 60, 1),
        "load": {**document["load"], "after": machine.load()},
        "cells": [asdict(cell) for cell in make_cells(runs)],
        "problems": list(problems),
        "runs": [run.document() for run in runs],
    }


def write(document: Mapping[str, Any], folder: Path) -> None:
    """All of ``texts_of`` or, where they cannot be written, nothing. Raises OSError."""
    texts = texts_of(document)
    new = {name: folder / f"{name}.new" for name in texts}
    try:
        for name, text in texts.items():
            new[name].write_text(text)
        for name, file in new.items():
            file.replace(folder / name)
    finally:
        for file in new.values():
            file.unlink(missing_ok=True)


def _write_or_print(document: Mapping[str, Any], folder: Path) -> bool:
    """Tell whether it was written. What took an hour is not lost to a full disk."""
    try:
        write(document, folder)
    except OSError as error:
        print(json.dumps(document))
        _tell(f"{folder}: {error.strerror}; benchmarks.json is on standard output instead", STATUS_LOST)
        return False
    return True


def texts_of(document: Mapping[str, Any]) -> dict[str, str]:
    """The files by name. The pictures show the products of which every fault was measured."""
    whole = [name for name in document["products"] if not PRODUCTS[name].is_variant][:PLOTTED_MAX]
    return {
        "benchmarks.json": json.dumps(document, indent=1) + "\n",
        "benchmarks.md": make_page(document),
        PICTURE: make_plot([Cell(**cell) for cell in document["cells"]], whole),
        FRONT_PICTURE: make_plot(front_cells(document), whole),
    }


def _tell(problem: str, status: int) -> int:
    print(f"wsa-proxy bench: {problem}", file=sys.stderr)
    return status
