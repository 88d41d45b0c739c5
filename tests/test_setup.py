"""tools/setup.sh finds a Python that works, whatever the machine looks like, and says what is missing otherwise."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[1] / "tools" / "setup.sh"
TOOLS = ("bash", "awk", "cat", "cut", "dirname", "head", "timeout")


@dataclass(frozen=True, slots=True)
class Machine:
    """A checkout whose .python-version says 3.13, and a PATH with nothing on it but what a test puts there."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / "bin"

    @property
    def pyenv(self) -> Path:
        return self.root / "pyenv"

    def python(self, place: Path, version: str, missing: str = "-") -> str:
        """Put a Python there that answers the question of setup.sh with this version; returns its path."""
        _, minor, micro = version.split(".")
        return self.script(place, f'echo "{minor} {micro} {version} {missing} $0"')

    def script(self, place: Path, line: str) -> str:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"#!{shutil.which('bash')}\n{line}\n")
        place.chmod(0o755)
        return str(place)

    def which(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """What ``setup.sh --which`` says here."""
        everything = {"PATH": str(self.path), "HOME": str(self.root), "PYENV_ROOT": str(self.pyenv), **environment}
        command = [str(self.root / "tools" / "setup.sh"), "--which"]
        return subprocess.run(command, env=everything, capture_output=True, text=True, timeout=60)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.path.mkdir()
    (tmp_path / "tools").mkdir()
    shutil.copy(SETUP, tmp_path / "tools")
    (tmp_path / ".python-version").write_text("3.13\n")
    for name in TOOLS:
        (machine.path / name).symlink_to(str(shutil.which(name)))
    return machine


def test_default_python3_too_old_and_3_13_under_pyenv(machine: Machine) -> None:
    """With python3 = 3.11 on PATH, the 3.13 that pyenv has is found."""
    machine.python(machine.path / "python3", "3.11.2")
    machine.python(machine.pyenv / "versions/3.12.1/bin/python3", "3.12.1")
    expected = machine.python(machine.pyenv / "versions/3.13.0/bin/python3", "3.13.0")
    assert machine.which().stdout.strip() == expected


def test_only_3_12_there_although_python_version_says_3_13(machine: Machine) -> None:
    """A shim of pyenv that only complains is passed over; the 3.12 behind it is taken."""
    for name in ("python3", "python3.12", "python3.13"):
        machine.script(machine.path / name, 'echo "pyenv: version 3.13 is not installed" >&2; exit 127')
    expected = machine.python(machine.pyenv / "versions/3.12.1/bin/python3", "3.12.1")
    assert machine.which().stdout.strip() == expected


def test_system_python3_13_by_its_name(machine: Machine) -> None:
    """A python3.13 beside an old python3 is found by its name."""
    machine.python(machine.path / "python3", "3.11.2")
    expected = machine.python(machine.path / "python3.13", "3.13.5")
    assert machine.which().stdout.strip() == expected


def test_python_version_file_outranks_newer(machine: Machine) -> None:
    """The minor version of .python-version is preferred to a newer one."""
    machine.python(machine.path / "python3.14", "3.14.2")
    expected = machine.python(machine.path / "python3", "3.13.0")
    assert machine.which().stdout.strip() == expected


def test_newer_than_the_pinned_packages_is_a_last_resort(machine: Machine) -> None:
    """A Python that the pinned packages have no wheels for is taken only if there is no other."""
    newest = machine.python(machine.path / "python3.15", "3.15.0")
    assert machine.which().stdout.strip() == newest
    expected = machine.python(machine.path / "python3.12", "3.12.1")
    assert machine.which().stdout.strip() == expected


def test_variable_decides(machine: Machine) -> None:
    """PYTHON=... wins when it can be used; when it cannot, that is said and another is taken."""
    best = machine.python(machine.path / "python3.13", "3.13.0")
    wanted = machine.python(machine.root / "elsewhere/python", "3.12.4")
    assert machine.which(PYTHON=wanted).stdout.strip() == wanted
    old = machine.python(machine.root / "elsewhere/old", "3.11.9")
    result = machine.which(PYTHON=old)
    assert result.stdout.strip() == best
    assert f"PYTHON={old} cannot be used" in result.stderr


def test_uv_is_asked(machine: Machine) -> None:
    """A Python that only uv manages is found."""
    expected = machine.python(machine.root / "uv/python3.13", "3.13.2")
    machine.script(machine.path / "uv", f'case "$*" in *" 3.13") echo {expected};; *) exit 2;; esac')
    assert machine.which().stdout.strip() == expected


def test_python_without_venv_is_named_with_its_package(machine: Machine) -> None:
    """Debian's python3.13 without python3.13-venv: the message is the command that helps."""
    machine.python(machine.path / "python3.13", "3.13.5", missing="ensurepip")
    result = machine.which()
    assert result.returncode == 1
    assert "is 3.13.5, but has no ensurepip" in result.stderr
    assert "apt-get install python3.13-venv" in result.stderr


def test_nothing_there_says_what_was_looked_at_and_what_helps(machine: Machine) -> None:
    """Without any usable Python every candidate is named with what is wrong with it, then the ways out."""
    old = machine.python(machine.path / "python3", "3.11.2")
    broken = machine.script(machine.pyenv / "versions/3.13.0/bin/python3", "exit 1")
    result = machine.which()
    assert result.returncode == 1
    assert result.stdout == ""
    assert f"{old}: is 3.11.2, too old" in result.stderr
    assert f"{broken}: does not run" in result.stderr
    for way_out in ("pyenv install 3.13", "uv python install 3.13", "make setup PYTHON="):
        assert way_out in result.stderr


def test_no_python_at_all(machine: Machine) -> None:
    """With nothing to look at, that is what it says."""
    result = machine.which()
    assert result.returncode == 1
    assert "no python3 on PATH" in result.stderr
