"""Who may ask: root and the proxy's own user, without a password; nobody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.another_user import USER
from tests.unit_run import UnitHost

NODE = """
import asyncio, sys
from pathlib import Path
from wsa_proxy.runtime.control import ControlSocket

async def serve():
    why = {"why": [{"group": 1, "state": "backup", "sentences": ["It is."]}]}
    verbs = {"why": lambda: why, "restore": lambda: {"changes": ["done"]}}
    await ControlSocket(Path(sys.argv[1]), verbs).start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""
"""The real socket of a node, as the user that runs this."""


@pytest.fixture
def lan(tmp_path: Path) -> UnitHost:
    """Built in the child of the test, as every ``lan``."""
    return UnitHost(tmp_path)


def test_root_and_the_proxys_own_user(lan: UnitHost) -> None:
    """They read and order. A third user is told as whom to ask; it is the socket that is closed, not its folder."""
    state, file = lan.folder / "state", lan.folder / "node.yaml"
    state.mkdir()
    state.chmod(0o755)
    lan.give(state)
    file.write_text(f"state_dir: {state}\n")
    serving = lan.as_user(lan.user, [sys.executable, "-c", NODE, str(state / "control.sock")])
    verbs = [[sys.executable, "-m", "wsa_proxy.cli", verb, str(file)] for verb in ("why", "restore")]
    said = [(0, "group 1: BACKUP\n  It is.\n", ""), (0, "done\n", "")]
    with subprocess.Popen(serving, stdout=subprocess.PIPE, cwd="/", env=lan.environment()) as node:
        try:
            assert node.stdout is not None and node.stdout.readline() == b"ready\n"
            assert (state / "control.sock").stat().st_mode & 0o777 == 0o600
            assert [lan.run(each) for each in verbs] == said
            assert [lan.run(lan.as_user(lan.user, each)) for each in verbs] == said
            if lan.has_another_user:
                status, out, error = lan.run(lan.as_user(USER + 1, verbs[0]))
                assert (status, out) == (1, "")
                assert error.endswith("permission denied; ask as root or as the proxy's own user\n")
        finally:
            node.kill()
