"""What mitmproxy does to the script itself while it runs: it looks each second whether its file has changed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.cable import Lan
from tests.proxy import test_addon
from tests.proxy.test_addon import ROOT
from tests.proxy.test_addon import VIP
from tests.proxy.test_addon import Node
from tests.proxy.test_addon import get
from tests.proxy.test_addon import origin


@pytest.mark.parametrize(("change", "told"), [("touch", "Loading script"), ("remove", "Removing script")])
def test_an_upgrade_beneath_a_running_node_changes_nothing(
    lan: Lan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, told: str
) -> None:
    """mitmproxy would end the addon and begin another one; it cannot, since ``done`` is async: the node stays master,
    answers, refuses request loops, and leaves in order."""
    script = tmp_path / "addons" / "carp_failover.py"
    script.parent.mkdir()
    shutil.copy(ROOT / "addons" / "carp_failover.py", script)
    monkeypatch.setattr(test_addon, "ROOT", tmp_path)
    node = Node(lan, tmp_path, environment={"PYTHONUNBUFFERED": "1"})
    node.wait_master()
    before = node.log.count(told)
    if change == "touch":
        later_s = time.time() + 10
        os.utime(script, (later_s, later_s))
    else:
        script.unlink()
    lan.until(lambda: node.log.count(told) > before, "mitmproxy has noticed")
    with origin(lan) as host:
        assert get(lan, f"http://{host}/").endswith(b"origin")
        assert get(lan, f"http://{VIP}:8080/").startswith(b"HTTP/1.1 502")
    assert node.status()["health"]["hard"] is None  # type: ignore[index]
    log = node.end()
    assert log.count("MASTER ->") == 1 and 'MASTER -> INIT reason="orderly stop"' in log, log
