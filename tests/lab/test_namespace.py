from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.inside import ROOT
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab import namespace
from wsa_proxy.lab.topology import CLIENT
from wsa_proxy.lab.topology import Topology


@needs_namespaces
def test_inside_we_are_root_first_process_and_alone() -> None:
    """Fresh user, PID, network and mount namespaces, with a /proc and a /run of their own."""
    answer = run_inside(look_around)
    assert answer == {"user": 0, "pid": 1, "interfaces": ["lo"], "run": ["netns"], "processes": 1}


def look_around() -> dict[str, Any]:
    return {
        "user": os.getuid(),
        "pid": os.getpid(),
        "interfaces": [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]],
        "run": os.listdir("/run"),
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="as root only")
@needs_namespaces
def test_root_may_share_its_user_and_pid_namespaces() -> None:
    """For products that cannot live without them: network, mounts and /run are fresh all the same."""
    answer = shared_with_us(os.CLONE_NEWUSER | os.CLONE_NEWPID)
    assert answer["interfaces"] == ["lo"] and answer["run"] == ["netns"]
    assert answer["user namespace"] == os.readlink("/proc/self/ns/user")
    assert answer["pid namespace"] == os.readlink("/proc/self/ns/pid") and answer["processes"] > 1
    assert shared_with_us(os.CLONE_NEWUSER)["pid namespace"] != os.readlink("/proc/self/ns/pid")
    assert shared_with_us(0)["user namespace"] != os.readlink("/proc/self/ns/user")


def shared_with_us(flags: int) -> dict[str, Any]:
    """What is seen in namespaces of which these are the caller's."""
    code = (
        "import json, os; from wsa_proxy.lab import namespace; from tests.lab.test_namespace import look_around\n"
        "def work():\n"
        "    print(json.dumps(look_around() | {f'{each} namespace': os.readlink(f'/proc/self/ns/{each}')"
        " for each in ('user', 'pid')}))\n"
        "    return 0\n"
        f"raise SystemExit(namespace.run(work, {flags}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


@needs_namespaces
def test_nothing_is_left_behind_outside() -> None:
    """Interfaces, mounts and named namespaces of this machine are the same before, during and after."""
    before = outside()
    run_inside(build_and_look)
    assert outside() == before


def outside() -> tuple[object, ...]:
    named = Path("/run/netns")
    return (
        Path("/proc/self/net/dev").read_text().count(":"),
        Path("/proc/self/mounts").read_text(),
        sorted(os.listdir(named)) if named.exists() else None,
    )


def build_and_look() -> None:
    Topology([CLIENT]).build()
    assert sorted(os.listdir(namespace.NAMED)) == ["client"]


@needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_lab_ends_with_its_caller_however_that_ends(number: signal.Signals) -> None:
    """Killed or asked to end: every process inside is gone, also those that have a session of their own."""
    mark = f"wsa-proxy-lab-sleeper-{os.getpid()}-{number}"
    caller = subprocess.Popen(
        [sys.executable, "-m", "wsa_proxy.lab", f"{__file__}:sleep_for_long"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        env={**os.environ, "SLEEPER_MARK": mark},
    )
    assert caller.stderr is not None
    assert caller.stderr.readline() == b"ready\n"
    until(lambda: bool(processes(mark)))  # Its command line is there a moment after its start.
    caller.send_signal(number)
    status = caller.wait(10)
    caller.stderr.close()
    assert status == (-signal.SIGKILL if number == signal.SIGKILL else namespace.STATUS_INTERRUPTED)
    until(lambda: not processes(mark))


def sleep_for_long() -> None:
    mark = os.environ["SLEEPER_MARK"]
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", mark], start_new_session=True)
    print("ready", file=sys.stderr, flush=True)
    time.sleep(60)


def processes(mark: str) -> list[str]:
    """The processes of this machine with that mark in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in command:
                found.append(entry.name)
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "5 s were not enough"
        time.sleep(0.01)


@needs_namespaces
def test_the_status_of_the_work_is_the_status_of_the_run() -> None:
    """What the first process returns reaches the caller, and an exception is status 1."""
    assert namespace.run(lambda: 7) == 7
    assert namespace.run(fail) == 1


def fail() -> int:
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the traceback belongs to this test.
    raise RuntimeError("on purpose")


def test_a_refusal_names_the_setting_and_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The one line that helps: sysctl -w NAME=VALUE, for the setting that forbids it here."""
    for name, value, told in (
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ):
        root = tmp_path / name.replace("/", "-")
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(value + "\n")
        monkeypatch.setattr(namespace, "SETTINGS", root)
        explanation = namespace.explain(PermissionError(1, "Operation not permitted"))
        assert told in explanation
        assert "run as root" in explanation
    monkeypatch.setattr(namespace, "SETTINGS", tmp_path / "none")
    assert "--privileged" in namespace.explain(PermissionError(1, "Operation not permitted"))
