"""The frame: the lock, the wheel, the licences, and that what the README tells people to type exists."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import wsa_proxy

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {"requirements.lock": 50, "requirements-fuzz.lock": 1}
"""The lock files, each with the number of packages that it has at least."""
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def name_of(requirement: str) -> str:
    """``mitmproxy`` for ``mitmproxy>=12.2``."""
    return re.split(r"[<>=!~\[; ]", requirement)[0]


def locked_names(lock: str) -> set[str]:
    text = (ROOT / lock).read_text()
    return {match[1] for match in re.finditer(r"^([a-z0-9-]+)==", text, re.MULTILINE)}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_host(lock: str) -> None:
    """The lock says what is accepted, never where it comes from: no URL, index, folder of wheels or path."""
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash=)", text, re.MULTILINE)
    assert not re.search(r" @ |\bfile:", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_every_line_with_a_hash(lock: str) -> None:
    """Every requirement has exactly one version and at least one SHA-256, so nothing else can be installed."""
    without_comments = re.sub(r"^ *#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    requirements = re.split(r"^(?=[a-z0-9])", without_comments, flags=re.MULTILINE)[1:]
    assert len(requirements) >= LOCKS[lock]
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+==[0-9][^ ]* ", requirement), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_lock_has_everything_that_the_project_names() -> None:
    """A dependency added to pyproject.toml without `make lock` is noticed here, not on a fresh machine."""
    build = [*PROJECT["build-system"]["requires"], *PROJECT["dependency-groups"]["dev"]]
    named = [*PROJECT["project"]["dependencies"], *build]
    names = {re.sub(r"[._]", "-", name_of(requirement).lower()) for requirement in named}
    assert names <= locked_names("requirements.lock")
    assert {name_of(requirement) for requirement in PROJECT["dependency-groups"]["fuzz"]} <= locked_names(
        "requirements-fuzz.lock"
    )


def test_dependencies_are_what_we_import() -> None:
    """Each package that the product imports is declared, each that is declared is imported: no luck, no dead weight."""
    imported = set()
    for path in [*(ROOT / "wsa_proxy").rglob("*.py"), *(ROOT / "addons").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module))
    tops = {"ruamel.yaml" if name.startswith("ruamel.yaml") else name.partition(".")[0] for name in imported}
    tops = {"pydantic" if name == "pydantic_core" else name for name in tops}  # pydantic pins its own core exactly
    tops = {"argon2_cffi" if name == "argon2" else name for name in tops}  # the one whose package has another name
    third_party = tops - sys.stdlib_module_names - {"wsa_proxy"}
    # A distribution may have a hyphen in its name, its module has an underscore there.
    declared = {name_of(requirement).replace("-", "_") for requirement in PROJECT["project"]["dependencies"]}
    assert third_party - declared == set(), "imported, not declared"
    assert declared - third_party == set(), "declared, not imported"


def test_version_is_the_same_everywhere() -> None:
    """wsa_proxy/__init__.py is the one place of the version; the installed distribution agrees."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", wsa_proxy.__version__)
    try:
        installed = version("wsa-proxy")
    except ModuleNotFoundError:
        pytest.skip("the checkout is not installed; make setup")
    assert installed == wsa_proxy.__version__


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as `pip install` would get it, built with the pinned backend and without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    (path,) = folder.glob("*.whl")
    assert path.name == f"wsa_proxy-{wsa_proxy.__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def test_wheel_carries_the_product_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """The wheel has the package with the files of the page, and as its data the addon script and the example
    configurations, byte for byte."""
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "wsa_proxy").rglob("*.py")}
    data = {
        f"wsa_proxy/_data/{path.relative_to(ROOT).as_posix()}": path
        for folder in ("addons", "configs")
        for path in (ROOT / folder).iterdir()
        if path.is_file()
    }
    static = [path for path in (ROOT / "wsa_proxy" / "admin" / "static").iterdir() if path.is_file()]
    assert {"index.html", "login.html", "page.css", "page.js", "narrow.css"} <= {path.name for path in static}
    data |= {path.relative_to(ROOT).as_posix(): path for path in static}
    templates = [path for path in (ROOT / "wsa_proxy" / "bench" / "peers").iterdir() if path.is_file()]
    assert {"keepalived.conf", "ucarp.args", "vip-up.sh", "vip-down.sh"} == {path.name for path in templates}
    data |= {path.relative_to(ROOT).as_posix(): path for path in templates}
    assert "wsa_proxy/_data/addons/carp_failover.py" in data
    assert {"wsa_proxy/_data/configs/node-a.yaml", "wsa_proxy/_data/configs/node-b.yaml"} <= data.keys()
    assert names == package | data.keys() | {"wsa_proxy/py.typed", "wsa_proxy/proxy/pac.js"}
    for name, path in data.items():
        assert wheel.read(name) == path.read_bytes(), name


def test_wheel_works_away_from_the_checkout(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked somewhere else, the wheel finds its own addon script and configurations."""
    wheel.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from wsa_proxy import resources\n"
        "for name in ('addons/carp_failover.py', 'configs/node-a.yaml', 'configs/node-b.yaml'):\n"
        "    print(resources.find(name))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    found = [Path(line) for line in result.stdout.splitlines()]
    assert [path.name for path in found] == ["carp_failover.py", "node-a.yaml", "node-b.yaml"]
    assert all(path.is_relative_to(tmp_path) for path in found)


def test_wheel_names_its_licence_and_command(wheel: zipfile.ZipFile) -> None:
    """The metadata carry the SPDX licence, both licence files and the console script."""
    names = wheel.namelist()
    metadata = next(wheel.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert "License-Expression: GPL-2.0-or-later\n" in metadata
    for licence in ("LICENSE", "NOTICE"):
        assert any(name.endswith(f".dist-info/licenses/{licence}") for name in names)
    entry_points = next(wheel.read(name).decode() for name in names if name.endswith(".dist-info/entry_points.txt"))
    assert "wsa-proxy = wsa_proxy.cli:main" in entry_points


def test_notice_names_every_direct_dependency() -> None:
    """NOTICE gives the licence of each dependency that we name."""
    notice = (ROOT / "NOTICE").read_text()
    for requirement in PROJECT["project"]["dependencies"]:
        assert re.search(rf"^  {re.escape(name_of(requirement))} ", notice, re.MULTILINE), requirement


def readme_commands() -> list[str]:
    """The lines of the README's code blocks that begin with a prompt, and what it writes in `back quotes`."""
    text = (ROOT / "README.md").read_text()
    blocks = "\n".join(re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line.removeprefix("$ ").removeprefix("# ").strip() for line in [*blocks.splitlines(), *inline]]


def test_readme_make_commands_exist() -> None:
    """Every `make X` of the README is a target; make run and make test are among them."""
    asked = {match[1] for line in readme_commands() if (match := re.match(r"make ([a-z-]+)", line))}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test"} <= asked
    assert asked <= targets


def test_readme_wsa_proxy_commands_exist() -> None:
    """Every `wsa-proxy X` of the README is a command that explains itself."""
    asked = {match[1] for line in readme_commands() if (match := re.search(r"(?:^|[ /])wsa-proxy ([a-z]+)", line))}
    assert asked
    for verb in sorted(asked):
        command = [sys.executable, "-c", "from wsa_proxy.cli import main; raise SystemExit(main())", verb, "--help"]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, f"wsa-proxy {verb}: {result.stderr}"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """.ci/run is the README's `make test`, with skips forbidden."""
    assert re.search(r"^make test PYTEST_FLAGS=--no-skips$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
