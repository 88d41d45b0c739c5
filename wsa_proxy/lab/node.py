"""One node of the lab: a real mitmdump with the real addon in its own network namespace.

What the lab knows about a node's inside it asks over the Unix socket of ``wsa-proxy status``; the process itself it
only starts and sends signals to.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.saboteur import Order
from wsa_proxy.lab.topology import Host
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.control import ask

POLL_INTERVAL_S = 0.2
ANSWER_LIMIT_S = 0.5
ENDING_S_MAX = 20.0
LOG_LINES_TOLD = 12
STARVING_DESCRIPTORS = 3
"""The limit for a starving process. The numbers below it, stdin, stdout and stderr, are open and stay so; with none at
all poll(2) would refuse to wait for a single descriptor, which no real shortage does."""
DEAF_TO_SIGNALS = {"frozen": "thaw", "blocked": "unblock"}
"""Ailments with which a process handles none, and what undoes them."""
SWITCH_LIMIT_S = 30.0
"""For a planned switch; the node itself gives up before."""
DUMB = (*DEAF_TO_SIGNALS, "starving")
"""With these it cannot be asked for its status either."""


@dataclass(frozen=True, slots=True)
class News:
    """The newest status of a node; the document's shape is that of runtime/status.py."""

    at_s: float
    document: dict[str, Any]

    @property
    def groups(self) -> list[dict[str, Any]]:
        return list(self.document.get("groups", []))


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state that a node reported."""

    at_s: float
    """Monotonic, from the node's own wall clock time, which is this machine's."""
    node: str
    group: int
    before: str
    after: str
    reason: str
    evidence: str


class Node:
    """One node. All faults raise NodeFault when they make no sense in the node's present state."""

    def __init__(self, host: Host, network: Path, folder: Path, file: NodeFile, command: Sequence[str]) -> None:
        """``command`` is the mitmdump command line without the configuration; ``folder`` is the node's own."""
        self.host = host
        self.name = host.name
        self.log = folder / "mitmdump.log"
        self.state_dir = folder / "state"
        self.news: News | None = None
        """The newest status of the running process; None when it has not answered yet."""
        self.transitions: list[Transition] = []
        self.ailment: str = ""
        """What a fault has made of the running process and has not been undone: frozen, blocked, starving, mute or
        ignoring; else empty."""
        self.wanted: bool = False
        """True from start until kill or stop: an end in between is the node's own."""
        self._network = network
        self._process: subprocess.Popen[bytes] | None = None
        self._descriptors = (0, 0)
        """The limits before ``starve``, soft and hard."""
        self._seen: set[tuple[object, ...]] = set()
        self.state_dir.mkdir(parents=True)
        self.configuration = folder / "node.yaml"
        self.configuration.touch(mode=0o600)  # It holds the shared secret.
        self.configure(file, command)
        threading.Thread(target=self._poll, name=f"status of {self.name}", daemon=True).start()

    def configure(self, file: NodeFile, command: Sequence[str]) -> None:
        """What the next start finds; a running process reads its file at a reload only."""
        self.configuration.write_text(file.text)
        self._command = [*command, "--set", f"failover_config={self.configuration}"]

    @property
    def pid(self) -> int:
        """Of the process; 0 before the first start."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Tell whether the process exists; an ailing one does."""
        return self._process is not None and self._process.poll() is None

    @property
    def ended_by_itself(self) -> bool:
        """Tell whether the process ended although nobody asked it to: a wrong configuration, a crash."""
        return self.wanted and not self.alive

    @property
    def answers(self) -> bool:
        """Tell whether the process can tell its status."""
        return self.alive and self.ailment not in DUMB

    def start(self) -> None:
        """Start the process. After ``stop`` the old one may still be finishing its work: it gets ENDING_S_MAX."""
        if self.wanted and self.alive:
            raise NodeFault(f"node {self.name} is running already")
        if self._process is not None:
            try:
                self._process.wait(ENDING_S_MAX)
            except subprocess.TimeoutExpired:
                told = f"node {self.name} has been stopping for {ENDING_S_MAX:g} s and has not ended"
                raise NodeFault(f"{told}: it finishes its connections, for drain_timeout at most") from None
        self.news, self.ailment = None, ""
        with inside(self._network), self.log.open("ab") as log:
            # A session of its own: Ctrl-C at the live screen is for the lab, not for the nodes.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.wanted = True

    def kill(self) -> None:
        """SIGKILL; the process is gone when this returns."""
        process = self._running("killed")
        self.wanted, self.ailment = False, ""
        process.kill()
        process.wait()

    def kill_all(self) -> None:
        """SIGKILL for the process and its children, the guardian among them: that first, or it would do its work."""
        children = Path(f"/proc/{self._running('killed').pid}/task/{self.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        self.kill()

    def stop(self) -> None:
        """SIGTERM; the process ends in its own time."""
        process = self._running("stopped")
        if self.ailment in DEAF_TO_SIGNALS:
            undone_by = DEAF_TO_SIGNALS[self.ailment]
            raise NodeFault(f"node {self.name} is {self.ailment}: it cannot stop before {undone_by}")
        self.wanted, self.ailment = False, ""
        process.terminate()

    def switch_here(self) -> None:
        """Order it to be master of its groups, by consent, and wait for what comes of it."""
        self._running("switched to")
        if self.news is None:
            raise NodeFault(f"node {self.name} has not started yet: it cannot be switched to")
        for group in self.news.groups:
            try:
                order = {"group": str(group["id"]), "to": self.name}
                answer = ask(self.state_dir / "control.sock", "switch", order, time_limit_s=SWITCH_LIMIT_S)
            except ControlError as error:
                raise NodeFault(f"node {self.name} cannot be asked: {error}") from error
            if "error" in answer:
                raise NodeFault(f"node {self.name} is not switched to: {answer['error']}")

    @property
    def is_backup(self) -> bool:
        """Of some group, by its newest status."""
        return self.alive and any(group["state"] == "backup" for group in (self.news.groups if self.news else []))

    def freeze(self) -> None:
        """SIGSTOP."""
        self._fall_ill("frozen").send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._recover("frozen").send_signal(signal.SIGCONT)

    def starve(self) -> None:
        """No descriptor can be opened any more; those that are open stay."""
        process = self._fall_ill("starving")
        self._descriptors = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        _, hard = self._descriptors
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (STARVING_DESCRIPTORS, hard))

    def feed(self) -> None:
        """Undo ``starve``."""
        resource.prlimit(self._recover("starving").pid, resource.RLIMIT_NOFILE, self._descriptors)

    def block(self) -> None:
        """A callback that sleeps for 30 s, see saboteur.py."""
        self._sabotage("blocked", Order.BLOCK)

    def unblock(self) -> None:
        """Wake it, if it has not ended by itself."""
        self._recover("blocked").send_signal(Order.UNBLOCK)

    def mute(self) -> None:
        """A hook that never returns, see saboteur.py."""
        self._sabotage("mute", Order.MUTE)

    def unmute(self) -> None:
        """Let it return."""
        self._recover("mute").send_signal(Order.UNMUTE)

    def ignore(self) -> None:
        """Nobody accepts any more, see saboteur.py."""
        self._sabotage("ignoring", Order.IGNORE)

    def attend(self) -> None:
        """Accept again."""
        self._recover("ignoring").send_signal(Order.ATTEND)

    def _sabotage(self, ailment: str, order: Order) -> None:
        process = self._running(ailment)
        if not _catches(process.pid, Order.BLOCK):
            raise NodeFault(f"node {self.name} has not started yet: it cannot be {ailment}")
        self._fall_ill(ailment).send_signal(order)

    def _fall_ill(self, ailment: str) -> subprocess.Popen[bytes]:
        """One ailment at a time: what two of them are together nobody could say."""
        process = self._running(ailment)
        if self.ailment:
            raise NodeFault(f"node {self.name} is {self.ailment} already")
        self.ailment = ailment
        return process

    def _recover(self, ailment: str) -> subprocess.Popen[bytes]:
        process = self._running("cured")
        if self.ailment != ailment:
            raise NodeFault(f"node {self.name} is not {ailment}")
        self.ailment = ""
        return process

    def log_tail(self) -> str:
        """The last lines of the process's output."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_TOLD:])
        return ""

    def _running(self, participle: str) -> subprocess.Popen[bytes]:
        if self._process is None or not self.alive:
            raise NodeFault(f"node {self.name} is not running: it cannot be {participle}")
        return self._process

    def _poll(self) -> None:
        """Ask for the status for ever. No answer is no news: the age of the last ones tells."""
        while True:
            if self.alive:
                pid = self.pid
                with contextlib.suppress(ControlError):
                    document = ask(self.state_dir / "control.sock", "status", time_limit_s=ANSWER_LIMIT_S)
                    if self.pid == pid:
                        self.news = News(time.monotonic(), document)
                        self._remember(document)
            time.sleep(POLL_INTERVAL_S)

    def _remember(self, document: dict[str, Any]) -> None:
        for group in document.get("groups", []):
            for each in group.get("transitions", []):
                key = (document.get("pid"), group["id"], each["at"], each["from"], each["to"])
                if key not in self._seen:
                    self._seen.add(key)
                    at_s = _monotonic(each["at"])
                    self.transitions.append(
                        Transition(
                            at_s, self.name, group["id"], each["from"], each["to"], each["reason"], each["evidence"]
                        )
                    )


def _catches(pid: int, number: int) -> bool:
    """Tell whether the process handles the signal: else it would die of it."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(fields["SigCgt"], 16) >> number - 1 & 1)


def mitmdump_path() -> str:
    """The mitmdump of this installation: beside the running Python, else the first in PATH."""
    beside = Path(sys.executable).with_name("mitmdump")
    if os.access(beside, os.X_OK):
        return str(beside)
    found = shutil.which("mitmdump")
    if found is None:
        raise FileNotFoundError(f"mitmdump is neither beside {sys.executable} nor in PATH: install mitmproxy")
    return found


def _monotonic(iso: str) -> float:
    """Turn wall clock time into monotonic seconds; right as long as nobody sets the clock."""
    return datetime.datetime.fromisoformat(iso).timestamp() - time.time() + time.monotonic()
