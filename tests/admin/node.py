"""A node whose configuration is edited: its file, the host's facts, and what it answers to a reload."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.config.example import GOOD
from tests.config.example import HOST
from wsa_proxy.admin.editing import Editing
from wsa_proxy.config import Loaded
from wsa_proxy.config import load
from wsa_proxy.config.interfaces import interface_choices

SECOND = {
    "id": "2",
    "description": "",
    "hostname": "b.example.com",
    "virtual_ip": ["10.0.0.4/24"],
    "interface": "auto",
    "priority": "200",
    "shared_secret": "another-secret!",
    "shared_secret_again": "another-secret!",
    "advertisement_interval": "1",
}


class World:
    """A node with its file; it takes what is right, unless it is told to refuse."""

    def __init__(self, folder: Path) -> None:
        (folder / "state").mkdir(mode=0o700)
        self.file = folder / "node.yaml"
        self.write(GOOD)
        self.host = HOST
        self.settings = self.check(GOOD).settings
        self.report: dict[str, Any] | None = None
        self.taken: list[str] = []
        self.who = "operator (page, 127.0.0.1)"
        self.editing = Editing(
            lambda: self.settings,
            self.check,
            self.reload,
            asker=lambda: self.who,
            interfaces=lambda: interface_choices(self.host),
        )

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.file.chmod(0o600)

    def check(self, text: str) -> Loaded:
        return load(self.file, text=text, host=self.host)

    async def reload(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.taken.append(self.file.read_text())
        return self.report or {"changes": ["group 2 begins"], "warnings": ["a word"], "errors": [], "refused": False}
