"""The inputs that the fuzzer kept, replayed: a few seconds of `make test` for hours of looking."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.campaign import CORPUS
from tests.fuzz.campaign import FILES_MAX
from tests.fuzz.campaign import FOUND
from tests.fuzz.campaign import INPUT_BYTES_MAX
from tests.fuzz.campaign import ROOT
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

INPUTS = sorted([*CORPUS.glob("*/*"), *FOUND.glob("*/*")])
COVERED_MIN_PERCENT = 95
COVERED = ["carp/wire.py", "carp/auth.py", "carp/election.py", "carp/virtual_host.py", "carp/seal.py"]
MEASURE = """
import coverage, json, logging, sys  # measured from the first import on
measured = coverage.Coverage(config_file=False, data_file=None, include=sys.argv[2:])
measured.exclude("def will")  # what a guardian is left is never received before it is sent
measured.exclude("def (learn|now_ms)")  # what members report of the time does not come by this path
measured.start()
from tests.fuzz import test_corpus
logging.disable()
for path in test_corpus.INPUTS:
    test_corpus.replay(path)
measured.stop()
with open(sys.argv[1], "w") as report:
    json.dump({name: measured.analysis2(name)[1:4:2] for name in sys.argv[2:]}, report)
"""


def replay(path: Path) -> None:
    """Give one kept input to its target, which raises when something does not hold."""
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: "-".join([*path.parts[-3:-1], path.name[:8]]))
def test_input_that_was_kept(path: Path) -> None:
    """What the fuzzer once found worth keeping breaks nothing."""
    replay(path)


@pytest.mark.parametrize("target", TARGETS)
def test_packets_of_other_implementations(target: str) -> None:
    """The stories the fuzzer begins with break nothing, and are as short as it may make them."""
    for seed in SEEDS[target]():
        TARGETS[target](seed)
        assert len(seed) <= INPUT_BYTES_MAX


@pytest.mark.parametrize("target", TARGETS)
def test_corpus_stays_small(target: str) -> None:
    """The kept inputs are few and short, and each has its digest for a name, so that none is there twice."""
    paths = [path for path in INPUTS if path.parent.name == target]
    assert 5 < len(list((CORPUS / target).iterdir())) <= FILES_MAX
    for path in paths:
        assert len(path.read_bytes()) <= INPUT_BYTES_MAX, path
        assert path.name == hashlib.sha1(path.read_bytes()).hexdigest()


def test_corpus_covers_the_receive_path(tmp_path: Path) -> None:
    """The kept inputs alone run through nearly every line of the codec, the authentication and the election."""
    files = [str(ROOT / "wsa_proxy" / name) for name in COVERED]
    report = tmp_path / "lines.json"
    subprocess.run([sys.executable, "-c", MEASURE, str(report), *files], cwd=ROOT, check=True, timeout=100)
    for name, (statements, missing) in json.loads(report.read_text()).items():
        percent = 100 * (1 - len(missing) / len(statements))
        print(f"{name}: {percent:.1f} % of {len(statements)} lines; not {missing}")
        assert percent >= COVERED_MIN_PERCENT, f"{name}: only {percent:.1f} %, not lines {missing}"
