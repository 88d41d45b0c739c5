"""Runs a command line of the systemd unit as systemd would: its rights, its environment, and the socket that it tells.

Taken from the file itself, so what the unit does not give, the process does not have. For use inside the network of a
test (fixture ``lan``). There we are root by name only, since no other user is mapped: with ``noroot`` the kernel treats
the name as any other, and rights come from ``AmbientCapabilities`` alone.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from wsa_proxy.resources import find

UNIT = "configs/wsa-proxy@.service"
INSTANCE = "a"
CAP_NET_ADMIN, CAP_NET_RAW = 12, 13  # from linux/capability.h


def value(key: str) -> str:
    """Of the one line with this key; without a continuation, and the unit has none."""
    (found,) = [line.partition("=")[2] for line in find(UNIT).read_text().splitlines() if line.startswith(f"{key}=")]
    return found


def command_line(key: str, folder: Path) -> list[str]:
    """The words of ``ExecStart`` and the like, with the folders of an installed host where the test has them."""
    text = value(key).removeprefix("-").replace("%i", INSTANCE)
    places = {
        "/opt/wsa-proxy/bin": str(Path(sys.executable).parent),
        "/etc/wsa-proxy": str(folder),
        "/var/lib/wsa-proxy": str(folder / "state"),
    }
    for there, here in places.items():
        text = text.replace(there, here)
    assert "%" not in text and "$" not in text
    return shlex.split(text)


def with_rights(command: Sequence[str], capabilities: str | None = None) -> list[str]:
    """The command as the unit's user runs it, or with these capabilities (names as in the unit) in the place of its."""
    ambient = value("AmbientCapabilities") if capabilities is None else capabilities
    bounding = value("CapabilityBoundingSet") if capabilities is None else capabilities
    privileges = ["--no-new-privs"] if value("NoNewPrivileges") == "yes" else []
    return [
        "setpriv",
        "--securebits=+noroot",
        "--inh-caps",
        _words(ambient),
        "--ambient-caps",
        _words(ambient),
        "--bounding-set",
        _words(bounding),
        *privileges,
        *command,
    ]


def _words(names: str) -> str:
    return ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in names.split())])


class Service:
    """One start of the unit."""

    def __init__(self, folder: Path, watchdog_s: float, capabilities: str | None = None) -> None:
        self.folder = folder
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(folder / "notify"))
        usual = {name: text for name, text in os.environ.items() if not name.startswith(("NOTIFY_", "WATCHDOG_"))}
        told = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                with_rights(command_line("ExecStart", folder), capabilities),
                env=usual | told,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def hears(self, within_s: float) -> str:
        """What the service manager is told next; empty when it is nothing."""
        self._manager.settimeout(within_s)
        try:
            return self._manager.recv(4096).decode()
        except TimeoutError:
            return ""

    def hears_at_last(self, wanted: str, within_s: float) -> bool:
        """Whether it is told this, whatever else before."""
        ends_s = time.monotonic() + within_s
        while (left_s := ends_s - time.monotonic()) > 0:
            if self.hears(left_s) == wanted:
                return True
        return False

    @property
    def guardian(self) -> int:
        """The process's only child."""
        (child,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(child)

    def kill(self) -> None:
        """Both at once, as the kernel does when memory has run out: the guardian cannot act."""
        guardian = self.guardian
        for each in (guardian, self.process.pid):
            os.kill(each, signal.SIGKILL)
        self.process.wait()


def rights_of(process: int) -> dict[str, str]:
    """The kernel's view of a process: user, capabilities, and whether it can get more."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    wanted = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines) if name in wanted}
