"""Plays pages: all their blocks that are run, in their order, on hosts of their own; see tests/lab/inside.py for where.

Pages that begin with two running nodes share these; before each page they have the example files again.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.docs.blocks import ROOT
from tests.docs.blocks import Block
from tests.docs.blocks import blocks_of
from tests.docs.blocks import not_said
from tests.docs.hosts import Network
from tests.docs.hosts import Started

PAGES_OF_A_PAIR = (
    "docs/warnings.md",
    "docs/browsers.md",
    "docs/certificate-authority.md",
    "docs/virtual-machines.md",
    "docs/without-multicast.md",
    "README.md",
)
PAGES_OF_TWO_HOSTS = ("docs/two-hosts.md",)
PAGES_OF_AN_INSTALLATION = ("docs/migrating.md",)
NODES = "ab"
AGAIN_S_MAX = 60.0  # a deadline, not a pause
AGAIN_EVERY_S = 1.0  # each time a Python starts
LOG_LINES_TOLD = 12
INSTALL = f"""ln -s {ROOT}/.venv /opt/wsa-proxy
ln -s /opt/wsa-proxy/bin/wsa-proxy /usr/local/bin/
mkdir -p -m 700 ~/.mitmproxy /etc/wsa-proxy /var/lib/wsa-proxy
"""
MAKE_AUTHORITY = """/opt/wsa-proxy/bin/python -c 'from pathlib import Path; from mitmproxy.certs import CertStore
CertStore.create_store(Path.home() / ".mitmproxy", "mitmproxy", 2048)'
"""
COPY_AUTHORITY = "scp -p ~/.mitmproxy/mitmproxy-ca* root@{name}:.mitmproxy/"
CONFIGURE = r"""sed -e s/change-this-secret/a-secret-of-mine/ -e 's/^# admin: /admin: /' \
    -e 's/CHOOSE ONE/a-password-of-mine/' configs/node-{name}.yaml >/etc/wsa-proxy/example.yaml
chmod 600 /etc/wsa-proxy/example.yaml
"""
TAKE = "cp -p /etc/wsa-proxy/example.yaml /etc/wsa-proxy/node.yaml"
TAKE_AGAIN = f"cmp -s /etc/wsa-proxy/example.yaml /etc/wsa-proxy/node.yaml || {{ {TAKE} && wsa-proxy reload; }}"
RUN = "exec wsa-proxy run /etc/wsa-proxy/node.yaml --set stream_large_bodies=50m"


@dataclass(frozen=True, slots=True)
class Kept:
    """A block that goes on."""

    block: Block
    started: Started


class Player:
    """Some pages on one network."""

    def __init__(self, pages: Sequence[str]) -> None:
        self._pages = {page: [each for each in blocks_of(ROOT / page) if each.is_run] for page in pages}
        names = {name for blocks in self._pages.values() for each in blocks for name in each.hosts}
        self._network = Network(sorted(names))
        self._kept: list[Kept] = []

    def install(self) -> None:
        """On all hosts; a has an authority."""
        for name in self._network.machines:
            self._carry_out(name, INSTALL)
        self._carry_out("a", MAKE_AUTHORITY)

    def start_nodes(self) -> None:
        """Nodes of the example files run on a and b."""
        for name in NODES:
            self._carry_out("a", COPY_AUTHORITY.format(name=name))
            self._carry_out(name, CONFIGURE.format(name=name) + TAKE)
            self._network.machines[name].start(RUN)
        self._wait_nodes()

    def put_back(self) -> None:
        """The nodes have the example files again."""
        for name in NODES:
            self._carry_out(name, TAKE_AGAIN)
        self._wait_nodes()

    def _wait_nodes(self) -> None:
        for name in NODES:
            self._network.machines[name].wait_node()

    def _carry_out(self, name: str, text: str) -> None:
        started = self._network.machines[name].start(text)
        assert started.wait() == 0, started.said

    def play(self, page: str) -> list[str]:
        """Play all blocks; the first one that is not as the page says ends it, and is told in full."""
        for block in self._pages[page]:
            wrong = self._play(block)
            if wrong is not None:
                return [f"{block.place}: {wrong}", *self._said_by_nodes()]
        for kept in self._kept:
            if kept.started.is_running is ("ends" in kept.block.words):
                return [f"{kept.block.place}: it should go on, or end, and does not:\n{kept.started.said}"]
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
    try:
        status = started.wait()
    except subprocess.TimeoutExpired as error:
        return f"it has not ended after {error.timeout:g} s, and said:\n{started.said}"
    if status != block.status:
        return f"exit status {status}, not {block.status}, and said:\n{started.said}"
    missing = None if block.shown is None else not_said(block.shown, started.said)
    return None if missing is None else f"the page shows the line\n{missing}\nbut it said:\n{started.said}"


def two_hosts() -> dict[str, list[str]]:
    """What is wrong with each page that begins with nothing; nothing if all went as it says."""
    player = Player(PAGES_OF_TWO_HOSTS)
    return {page: player.play(page) for page in PAGES_OF_TWO_HOSTS}


def installation() -> dict[str, list[str]]:
    """The same for pages that begin with an installed wsa-proxy."""
    player = Player(PAGES_OF_AN_INSTALLATION)
    player.install()
    return {page: player.play(page) for page in PAGES_OF_AN_INSTALLATION}


def pair() -> dict[str, list[str]]:
    """The same for pages that begin with two running nodes."""
    player = Player(PAGES_OF_A_PAIR)
    player.install()
    player.start_nodes()
    wrong = {}
    for page in PAGES_OF_A_PAIR:
        player.put_back()
        wrong[page] = player.play(page)
    return wrong
