"""``make fuzz``: each target for some time; the inputs that reach new code are added to those that are kept.

Ends with 1 at the first finding and says which file has the input. ``python -m tests.fuzz.campaign 60`` is a minute
for each target. What is generated on the way is in build/fuzz.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.fuzz.seeds import SEEDS

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"  # inputs that together reach all that was ever reached
FOUND = ROOT / "tests" / "fuzz" / "found"  # inputs that broke something once; never dropped
BUILD = ROOT / "build" / "fuzz"
LOCK = "requirements-fuzz.lock"

INPUT_BYTES_MAX = 199
FILES_MAX = 149  # for each target: more are minimised anew
ONE_INPUT_S_MAX = 10  # an input takes a millisecond; one that takes so long is a finding


def main() -> None:
    """Raises SystemExit with a sentence when atheris cannot be had or something was found."""
    seconds = int(sys.argv[1])
    os.chdir(ROOT)
    _install_atheris()
    for target in SEEDS:
        folder = BUILD / target
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number, seed in enumerate(SEEDS[target]()):
            (folder / f"seed-{number}").write_bytes(seed)
        _fuzz(target, folder, seconds)
        _keep(target, folder)


def _install_atheris() -> None:
    """Only here: `make test` does without. The hashes of the lock say what is accepted, as in tools/setup.sh."""
    if importlib.util.find_spec("atheris") is not None:
        return
    print(f"fuzz: installing the packages of {LOCK}", flush=True)
    elsewhere = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_REQUIREMENT", "PIP_NO_BINARY"}
    environment = {name: value for name, value in os.environ.items() if name not in elsewhere}
    environment |= {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action", "ignore"]
    command = [*pip, "--only-binary", ":all:", "--require-hashes", "-r", LOCK]
    result = subprocess.run(command, env=environment, check=False)
    importlib.invalidate_caches()
    if result.returncode != 0 or importlib.util.find_spec("atheris") is None:
        here = f"Python {platform.python_version()} on {platform.machine()}"
        sys.exit(
            f"fuzz: atheris could not be installed for {here}; it has wheels for CPython 3.12 to 3.14 on Linux x86_64"
        )


def _fuzz(target: str, folder: Path, seconds: int) -> None:
    log = BUILD / f"{target}.log"
    print(f"fuzz: {target} for {seconds} s", flush=True)
    flags = [f"-max_total_time={seconds}", f"-timeout={ONE_INPUT_S_MAX}", f"-artifact_prefix={BUILD / target}-"]
    known = [str(each / target) for each in (CORPUS, FOUND) if (each / target).is_dir()]
    exit_code = _atheris(target, [*flags, str(folder), *known], log)
    lines = log.read_text(errors="replace").splitlines()
    if exit_code != 0:
        why = next((line for line in lines if "Error" in line), "libFuzzer stopped")
        written = next((line.split()[-1] for line in lines if "Test unit written to" in line), "no file")
        place = f"tests/fuzz/found/{target}"
        sys.exit(
            f"fuzz: {target}: FOUND: {why}\nfuzz: the input is {written}, the log is {log}; copied into {place}"
            " with its SHA-1 for a name, the input fails in tests/fuzz/test_corpus.py"
        )
    for line in lines:
        if "DONE" in line or line.startswith("Done"):
            print(f"fuzz: {target}: {line}", flush=True)


def _keep(target: str, folder: Path) -> None:
    """Add the fewest inputs that reach what the kept ones do not; when they become too many, choose among all anew."""
    corpus, chosen = CORPUS / target, BUILD / f"{target}-chosen"
    before = {path.name for path in corpus.iterdir()}
    _merge(target, corpus, folder)
    # How often a line was reached counts as well, unless that makes too many.
    for flags in ([], ["-use_counters=0"]):
        if len(list(corpus.iterdir())) > FILES_MAX:
            shutil.rmtree(chosen, ignore_errors=True)
            chosen.mkdir()
            _merge(target, chosen, corpus, folder, *flags)
            shutil.rmtree(corpus)
            chosen.rename(corpus)
    after = {path.name for path in corpus.iterdir()}
    told = f"{len(after)} inputs are kept, {len(after - before)} of them new, {len(before - after)} dropped"
    print(f"fuzz: {target}: {told}", flush=True)


def _merge(target: str, into: Path, *others: Path | str) -> None:
    arguments = ["-set_cover_merge=1", str(into), *map(str, others)]
    if _atheris(target, arguments, BUILD / f"{target}-merge.log") != 0:
        sys.exit(f"fuzz: {target}: the inputs could not be merged; see build/fuzz/{target}-merge.log")


def _atheris(target: str, arguments: list[str], log: Path) -> int:
    command = [sys.executable, "-m", "tests.fuzz.fuzz", target, f"-max_len={INPUT_BYTES_MAX}", *arguments]
    with log.open("wb") as output:
        return subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode


if __name__ == "__main__":
    main()
