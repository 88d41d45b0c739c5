"""Plays a page: all its blocks that are run, in its order, on hosts of its own; see tests/lab/inside.py for where.

The page is named by the environment, since a function that is run inside takes no arguments.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.docs.blocks import ROOT
from tests.docs.blocks import Block
from tests.docs.blocks import blocks_of
from tests.docs.blocks import not_said
from tests.docs.hosts import Network
from tests.docs.hosts import Started

PAGE = "WSA_PROXY_TESTS_PAGE"
PREPARED = "WSA_PROXY_TESTS_PREPARED"
AGAIN_S_MAX = 30.0
AGAIN_EVERY_S = 0.25
LOG_LINES_TOLD = 12
INSTALL = f"""ln -s {ROOT}/.venv /opt/wsa-proxy
ln -s /opt/wsa-proxy/bin/wsa-proxy /usr/local/bin/
mkdir -p -m 700 ~/.mitmproxy /etc/wsa-proxy /var/lib/wsa-proxy
"""
MAKE_AUTHORITY = """/opt/wsa-proxy/bin/python -c 'from pathlib import Path; from mitmproxy.certs import CertStore
CertStore.create_store(Path.home() / ".mitmproxy", "mitmproxy", 2048)'
"""
COPY_AUTHORITY = "scp -p ~/.mitmproxy/mitmproxy-ca* root@{name}:.mitmproxy/"
CONFIGURE = """cp configs/node-{name}.yaml /etc/wsa-proxy/node.yaml
sed -i s/change-this-secret/a-secret-of-mine/ /etc/wsa-proxy/node.yaml
chmod 600 /etc/wsa-proxy/node.yaml
"""
RUN = "exec wsa-proxy run /etc/wsa-proxy/node.yaml --set stream_large_bodies=50m"


@dataclass(frozen=True, slots=True)
class Kept:
    """A block that goes on."""

    block: Block
    started: Started


class Player:
    """One page on its network."""

    def __init__(self, page: str, prepared: str) -> None:
        self._blocks = [each for each in blocks_of(ROOT / page) if each.is_run]
        names = {name for each in self._blocks for name in each.hosts} | set(prepared.partition(":")[2])
        self._network = Network(sorted(names))
        self._kept: list[Kept] = []
        if prepared:
            self._prepare(prepared)

    def _prepare(self, prepared: str) -> None:
        """``installed``: on all hosts, and a has an authority; ``pair:ab``: and nodes of the example files run there."""
        for name in self._network.machines:
            self._carry_out(name, INSTALL)
        self._carry_out("a", MAKE_AUTHORITY)
        running = prepared.partition(":")[2]
        for name in running:
            self._carry_out("a", COPY_AUTHORITY.format(name=name))
            self._carry_out(name, CONFIGURE.format(name=name))
            self._network.machines[name].start(RUN)
        for name in running:
            self._network.machines[name].wait_node()

    def _carry_out(self, name: str, text: str) -> None:
        started = self._network.machines[name].start(text)
        assert started.wait() == 0, started.said

    def play(self) -> list[str]:
        """Play all blocks; the first one that is not as the page says ends it, and is told in full."""
        for block in self._blocks:
            wrong = self._play(block)
            if wrong is not None:
                return [f"{block.place}: {wrong}", *self._said_by_nodes()]
        for kept in self._kept:
            if not kept.started.is_running:
                return [f"{kept.block.place}: it should go on and has ended:\n{kept.started.said}"]
        return []

    def _said_by_nodes(self) -> list[str]:
        tails = ["\n".join(each.started.said.splitlines()[-LOG_LINES_TOLD:]) for each in self._kept]
        return [f"{each.block.place} said last:\n{tail}" for each, tail in zip(self._kept, tails, strict=True)]

    def _play(self, block: Block) -> str | None:
        deadline_s = time.monotonic() + (AGAIN_S_MAX if "again" in block.words else 0)
        while (wrong := self._once(block)) is not None and time.monotonic() < deadline_s:
            time.sleep(AGAIN_EVERY_S)
        return wrong

    def _once(self, block: Block) -> str | None:
        machines = [self._network.machines[name] for name in block.hosts]
        started = [machine.start(block.text) for machine in machines]
        if "background" in block.words:
            self._kept += [Kept(block, each) for each in started]
            if "wsa-proxy run" in block.text:
                for machine in machines:
                    machine.wait_node()
            return None
        wrong = [_judged(block, each) for each in started]
        return next((each for each in wrong if each is not None), None)


def _judged(block: Block, started: Started) -> str | None:
    status = started.wait()
    if status != block.status:
        return f"exit status {status}, not {block.status}, and said:\n{started.said}"
    missing = None if block.shown is None else not_said(block.shown, started.said)
    return None if missing is None else f"the page shows the line\n{missing}\nbut it said:\n{started.said}"


def play() -> Sequence[Any]:
    """What is wrong with the page; nothing if all went as it says."""
    return Player(os.environ[PAGE], os.environ[PREPARED]).play()
