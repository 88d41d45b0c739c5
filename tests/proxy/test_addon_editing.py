"""The configuration of a real node is edited while it serves: what is committed, it takes at once, or the file is put
back."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from tests.cable import Lan
from tests.proxy.test_addon import CONFIG
from tests.proxy.test_addon import START_S_MAX
from tests.proxy.test_addon import VIP
from tests.proxy.test_addon import Node
from tests.proxy.test_addon_page import PASSWORD
from tests.proxy.test_addon_page import asked

SECOND, TAKEN = "10.0.0.5", "10.0.0.7"
COMMENTED = (
    f'admin: {{password: "{PASSWORD}"}}  # for scripts\n'
    + CONFIG.replace("priority: 255", "priority: 255  # the usual master")
    + "# the end\n"
)


def edit(method: str, path: str, body: Any = None) -> dict[str, Any]:
    """What the page answers, to a script that knows the password."""
    headers = {"Authorization": f"Bearer {PASSWORD}", "Content-Type": "application/json"}
    text = None if body is None else json.dumps(body)
    return dict(json.loads(asked(method, f"/api/configuration{path}", headers, body=text)[1]))


def test_a_group_is_added_and_deleted_while_the_node_serves(lan: Lan, tmp_path: Path) -> None:
    """The other group does not notice. What the node cannot have is refused, and the file is what it was."""
    config = tmp_path / "node.yaml"
    config.write_text(COMMENTED)
    config.chmod(0o600)
    node = Node(lan, tmp_path)
    node.wait_page()
    form = {
        "id": "2",
        "hostname": "second.example.com",
        "virtual_ip": [f"{SECOND}/24"],
        "interface": "left",
        "priority": "255",
        "shared_secret": "twelve-and-more",
        "shared_secret_again": "twelve-and-more",
        "advertisement_interval": "0.25",
    }
    pending = edit("POST", "/groups", form)["pending"]
    assert pending["effects"] == [f"group 2 begins: {SECOND}/24 on left"]
    assert config.read_text() == COMMENTED and not lan.held(SECOND)
    assert edit("POST", "/commit")["changes"] == [f"group 2 begins: {SECOND}/24 on left"]
    lan.until(lambda: lan.held(SECOND), "the second address", START_S_MAX)
    written = config.read_text()
    assert written.replace(written[written.index("  - id: 2") : written.index("# the end")], "") == COMMENTED
    assert config.stat().st_mode & 0o777 == 0o600

    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
        taken.bind((TAKEN, 8080))
        taken.listen()
        edit("PUT", "/groups/2", {"virtual_ip": f"{TAKEN}/24"})
        refused = edit("POST", "/commit")
    assert "the old one is back" in refused["error"] and "Address already in use" in refused["error"]
    assert config.read_text() == written and lan.held(SECOND)

    edit("DELETE", "/groups/2")
    assert edit("POST", "/commit")["changes"] == ["group 2 ends"]
    lan.until(lambda: not lan.held(SECOND), "the end of the second group", START_S_MAX)
    assert config.read_text() == COMMENTED and lan.held(VIP) and node.transitions() == 2
    log = node.end()
    assert "POST /api/configuration/commit group 2 ends: 200" in log and "Traceback" not in log, log
