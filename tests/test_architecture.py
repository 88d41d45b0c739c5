"""The rooms, the arrows between them, and the sizes that keep a file readable. docs/architecture.md says why."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "wsa_proxy"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "addons").glob("*.py")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# Who may import whom, beside itself. A room is a folder or a single file of wsa_proxy; the arrows run one way:
# addons -> proxy -> runtime -> {carp, net}.
ARROWS: dict[str, set[str]] = {
    "carp": set(),
    "net": set(),
    "settings": set(),
    "resources": set(),
    "config": {"settings", "carp", "net"},
    "members": set(),
    "runtime": {"settings", "carp", "net", "members", "carry_text", "status_warnings"},
    "admin": {"settings", "config", "runtime", "status_text"},
    "proxy": {"settings", "config", "runtime", "admin"},
    "addons": {"proxy"},
    "lab": {"settings", "resources", "config", "runtime", "net"},
    "bench": {"lab"},
    "simulation": {"carp", "net", "members", "runtime"},
    "watch": {"settings", "config", "carp", "net"},
    "doctor": {"carry_text", "settings", "config", "runtime", "carp", "net", "watch"},
    "init": {"settings", "resources", "config", "net"},
    "carry_text": set(),
    "status_warnings": {"carry_text"},
    "status_text": {"carry_text", "status_warnings"},
    "cli": {
        "settings",
        "resources",
        "config",
        "runtime",
        "status_text",
        "admin",
        "lab",
        "bench",
        "simulation",
        "watch",
        "doctor",
        "init",
    },
}

# The protocol knows no socket, clock, loop, log or chance: time is an argument, the rest are commands.
BANNED_IN_CARP = {"asyncio", "datetime", "logging", "os", "random", "secrets", "select", "socket", "threading", "time"}

# Source files without a test file of their own: frozen values and protocols, with nothing in them that could be wrong.
DECLARATIONS = {
    "wsa_proxy/net/ports.py",
    "wsa_proxy/runtime/health.py",
    "wsa_proxy/runtime/facts.py",
    "wsa_proxy/carp/events.py",
    "wsa_proxy/carp/host_settings.py",
    "wsa_proxy/simulation/memory.py",
}

# Source files whose test file has another name.
TESTED_BY = {
    "addons/carp_failover.py": "tests/proxy/test_addon.py",  # a few lines that decide nothing
    "wsa_proxy/lab/__main__.py": "tests/lab/inside.py",  # every test on the test track goes through it
    "wsa_proxy/cli/__main__.py": "tests/cli/test_entry.py",
    "wsa_proxy/bench/__main__.py": "tests/bench/test_end_to_end.py",
}

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 40


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    """``carp`` for wsa_proxy/carp/wire.py, ``settings`` for wsa_proxy/settings.py, ``addons`` for a script there."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "addons" if parts[0] == "addons" else parts[1]


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted module) for every import, also inside functions; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(), name_of(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: relative import; write the whole name"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def is_package_map(path: Path) -> bool:
    return path == PACKAGE / "__init__.py"


def test_imports_follow_the_arrows() -> None:
    """No room imports a room that is not downstream of it."""
    wrong = []
    for path in SOURCES:
        if is_package_map(path):
            continue
        room = room_of(path)
        assert room in ARROWS, f"{name_of(path)}: a new room; say in ARROWS what it may import"
        for line, module in imported_modules(path):
            parts = module.split(".")
            # `from wsa_proxy import x` where x is no room reads the map itself: the version.
            if parts[0] != "wsa_proxy" or len(parts) == 1 or parts[1] not in ARROWS:
                continue
            if parts[1] not in {room, *ARROWS[room]}:
                wrong.append(f"{name_of(path)}:{line}: {room} may not import {module}")
    assert not wrong, "\n".join(wrong)


def test_the_wind_tunnel_uses_of_the_product_what_it_says() -> None:
    """Its judges are worth as much as they are apart from what they judge."""
    used = {
        ".".join(module.split(".")[1:3])
        for path in SOURCES
        if room_of(path) == "simulation"
        for _, module in imported_modules(path)
        if module.startswith(("wsa_proxy.runtime", "wsa_proxy.net", "wsa_proxy.members"))
    }
    members = {
        f"members.{name}"
        for name in ("carrying", "cipher", "owner_questions", "question", "report", "roster", "values")
    }
    pump = {"runtime.asking", "runtime.sending"}
    assert used <= {*members, *pump, "net.failures", "net.guardian", "net.guarding", "net.orders"}


def test_package_map_imports_nothing_of_ours() -> None:
    """``import wsa_proxy`` loads no room, so asking for the version costs nothing."""
    assert [module for _, module in imported_modules(PACKAGE / "__init__.py") if module.startswith("wsa_proxy")] == []


def test_the_protocol_has_no_input_output() -> None:
    """carp reads no clock, opens no socket, writes no log and throws no dice."""
    wrong = [
        f"{name_of(path)}:{line}: carp may not import {module}"
        for path in sorted((PACKAGE / "carp").glob("*.py"))
        for line, module in imported_modules(path)
        if module.split(".")[0] in BANNED_IN_CARP
    ]
    assert not wrong, "\n".join(wrong)


def test_the_protocol_needs_no_dependency() -> None:
    """Every module of carp can be imported where only the standard library is installed."""
    modules = [f"wsa_proxy.carp.{path.stem}" for path in sorted((PACKAGE / "carp").glob("*.py"))]
    modules = [module.removesuffix(".__init__") for module in modules]
    # -I -S: no site-packages at all, so nothing has to be blocked by name.
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport " + ", ".join(modules)
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_every_source_file_has_its_test_file() -> None:
    """wsa_proxy/<room>/<stem>.py is tested by tests/<room>/test_<stem>.py; without a room, by tests/test_<stem>.py."""
    missing = []
    for path in SOURCES:
        name = name_of(path)
        if path.name == "__init__.py" or name in DECLARATIONS:
            continue
        folder = "tests" if path.parent == PACKAGE else f"tests/{room_of(path)}"
        expected = TESTED_BY.get(name, f"{folder}/test_{path.stem}.py")
        if not (ROOT / expected).exists():
            missing.append(f"{name}: no {expected}")
    assert not missing, "\n".join(missing)


def test_declarations_only_declare() -> None:
    """A file excused from having tests defines no function of more than one statement."""
    for name in sorted(DECLARATIONS):
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert len(statements_of(node)) <= 1, f"{name}:{node.lineno}: {node.name} does something; test it"


def statements_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    """The function's statements without its docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_file_fits_on_a_few_screens(path: Path) -> None:
    """A file has at most 400 lines; a function of the product at most 40, its docstring not counted."""
    text = path.read_text()
    lines = text.count("\n")
    assert lines <= FILE_LINES_MAX, f"{name_of(path)}: {lines} lines; split it by duty"
    if path in TESTS:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and statements_of(node):
            first = node.lineno if ast.get_docstring(node) is None else statements_of(node)[0].lineno - 1
            length = (node.end_lineno or first) - first + 1
            assert length <= FUNCTION_LINES_MAX, f"{name_of(path)}:{node.lineno}: {node.name} has {length} lines"


# The home or checkout of whoever wrote a file. Written so that this line does not match itself.
PLACE_OF_A_MACHINE = re.compile("/(?:root|work|home/[a-z]+|Users/[A-Za-z]+)/")


def test_no_file_names_a_place_of_one_machine() -> None:
    """No file of the project holds a path that exists only where it was written."""
    wrong = []
    for path in files_of_the_project():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if PLACE_OF_A_MACHINE.search(line):
                wrong.append(f"{name_of(path)}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def files_of_the_project() -> Iterator[Path]:
    """Every file but those that setup, tests and tools make."""
    for top in sorted(ROOT.iterdir()):
        if top.is_file():
            yield top
        elif top.name in {".ci", "addons", "configs", "docs", "tests", "tools", "wsa_proxy"}:
            yield from (path for path in sorted(top.rglob("*")) if path.is_file() and path.suffix != ".pyc")
