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
from wsa_proxy.runtime.control import ask

SECOND, TAKEN = "10.0.0.5", "10.0.0.7"
COMMENTED = CONFIG.replace("priority: 255", "priority: 255  # the usual master") + "# the end\n"
# Another addon, which has the node's configuration edited by whoever asks on a socket of its own.
EDITOR = """
import asyncio, json, sys
from pathlib import Path
from mitmproxy import ctx
from wsa_proxy.admin.editing import Editing, Refused
from wsa_proxy import config
from wsa_proxy.runtime.control import ControlSocket

class Editor:
    async def running(self):
        failover = ctx.master.addons.get("carp_failover")
        node, reloader = failover._node, failover._reloader
        def check(text):
            return config.load(node.settings.source, text=text, running=node.settings)
        editing = Editing(lambda: node.settings, check, reloader.report)
        async def commit():
            try:
                return await editing.commit()
            except Refused as error:
                return {"error": str(error), "errors": error.errors}
        self.socket = ControlSocket(Path(__file__).parent / "editor.sock", {
            "add": lambda form: editing.add_group(json.loads(form)),
            "edit": lambda vhid, form: editing.edit_group(int(vhid), json.loads(form)),
            "delete": lambda vhid: editing.delete_group(int(vhid)),
            "commit": commit,
        })
        await self.socket.start()
    def done(self):
        self.socket.close()

addons = [Editor()]
"""


def test_a_group_is_added_and_deleted_while_the_node_serves(lan: Lan, tmp_path: Path) -> None:
    """The other group does not notice. What the node cannot have is refused, and the file is what it was."""
    config = tmp_path / "node.yaml"
    config.write_text(COMMENTED)
    config.chmod(0o600)
    (tmp_path / "editor.py").write_text(EDITOR)
    node = Node(lan, tmp_path, "-s", str(tmp_path / "editor.py"))
    node.wait_master()

    def edit(verb: str, **texts: str) -> dict[str, Any]:
        return ask(tmp_path / "editor.sock", verb, texts, time_limit_s=START_S_MAX)

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
    pending = edit("add", form=json.dumps(form))["pending"]
    assert pending["effects"] == [f"group 2 begins: {SECOND}/24 on left"]
    assert config.read_text() == COMMENTED and not lan.held(SECOND)
    assert edit("commit")["changes"] == [f"group 2 begins: {SECOND}/24 on left"]
    lan.until(lambda: lan.held(SECOND), "the second address", START_S_MAX)
    written = config.read_text()
    assert written.replace(written[written.index("  - id: 2") : written.index("# the end")], "") == COMMENTED
    assert config.stat().st_mode & 0o777 == 0o600

    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
        taken.bind((TAKEN, 8080))
        taken.listen()
        edit("edit", vhid="2", form=json.dumps({"virtual_ip": f"{TAKEN}/24"}))
        refused = edit("commit")
    assert "the old one is back" in refused["error"] and "Address already in use" in refused["errors"][0]
    assert config.read_text() == written and lan.held(SECOND)

    edit("delete", vhid="2")
    assert edit("commit")["changes"] == ["group 2 ends"]
    lan.until(lambda: not lan.held(SECOND), "the end of the second group", START_S_MAX)
    assert config.read_text() == COMMENTED and lan.held(VIP) and node.transitions() == 2
    assert "Traceback" not in node.end()
