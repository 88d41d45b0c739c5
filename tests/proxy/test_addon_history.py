"""What a real mitmproxy with the addon remembers and tells: to its file, to the operator's command, to who asks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.cable import Lan
from tests.proxy.test_addon import CONFIG
from tests.proxy.test_addon import VIP
from tests.proxy.test_addon import Node
from wsa_proxy.runtime.control import ask
from wsa_proxy.runtime.history_store import HistoryStore


def group_of(node: Node) -> dict[str, Any]:
    groups: Any = node.status()["groups"]
    return dict(groups[0])


def test_it_is_kept_told_and_asked_after(lan: Lan, tmp_path: Path) -> None:
    """The service is asked by the node itself, unseen; ``notify`` hears of the end before the process is gone."""
    told = tmp_path / "told"
    command = f"notify: [/bin/sh, -c, 'sleep 0.3; cat >>{told}; env >>{told}.env']"
    (tmp_path / "node.yaml").write_text(f"{command}\n{CONFIG}")
    (tmp_path / "node.yaml").chmod(0o600)
    node = Node(lan, tmp_path, environment=os.environ | {"A_SECRET": "of the proxy"})
    node.wait_master()
    lan.until(lambda: group_of(node)["service"] is not None, "the service is asked after")
    service = group_of(node)["service"]
    assert service["answers"] and service["address"] == f"{VIP}:8080" and "client connect" not in node.log
    socket_path = tmp_path / "state" / "control.sock"
    assert [each["to"] for each in ask(socket_path, "history")["history"]] == ["master", "backup", "started"]
    assert "Group 1 is MASTER on node a since" in ask(socket_path, "why", {"group": "1"})["why"][0]["sentences"][0]
    assert "Traceback" not in node.end()
    documents = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(each["event"], each.get("to")) for each in documents] == [
        ("transition", "backup"),
        ("transition", "master"),
        ("transition", "init"),
    ]
    assert "WSA_PROXY_REASON=orderly stop" in (tmp_path / "told.env").read_text()
    assert "A_SECRET" not in (tmp_path / "told.env").read_text()
    kept = HistoryStore(tmp_path / "state" / "history.db", lambda: "").read(None, 10, None)
    assert [each["to"] for each in kept] == ["stopped", "init", "master", "backup", "started"]
