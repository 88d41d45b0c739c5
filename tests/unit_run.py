"""Runs a command line of the systemd unit as systemd would: its user, its rights, and the socket that it tells.

Taken from the file itself, so what the unit does not give, the process does not have. When the tests run as root, the
unit's user is another one. Otherwise there is no other user within reach, and we are root by name only: with ``noroot``
the kernel treats the name as any other, and rights come from ``AmbientCapabilities`` alone.
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

from tests import another_user
from tests.cable import Lan
from wsa_proxy.resources import find

UNIT = "configs/wsa-proxy@.service"
INSTANCE = "a"
CAP_NET_ADMIN, CAP_NET_RAW = 12, 13  # from linux/capability.h


def value(key: str) -> str:
    """Of the one line with this key; without a continuation, and the unit has none. Empty if there is no such line."""
    lines = find(UNIT).read_text().splitlines()
    found = [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]
    assert len(found) <= 1
    return found[0] if found else ""


class UnitHost(Lan):
    """The host that the unit runs on: one end of a cable, a user, and a folder for the user's files."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.has_another_user = another_user.possible()

    def enter(self) -> None:
        if not self.has_another_user:
            super().enter()
            return
        another_user.open_the_way(self.folder)
        os.unshare(os.CLONE_NEWNET)

    @property
    def user(self) -> int:
        """Of the unit's processes."""
        return another_user.USER if self.has_another_user else os.geteuid()

    def give(self, path: Path) -> None:
        """The file or folder becomes the unit's user's."""
        os.chown(path, self.user, self.user)

    def command_line(self, key: str) -> list[str]:
        """The words of ``ExecStart`` and the like, with the folders of an installed host where the test has them."""
        text = value(key).removeprefix("-").replace("%i", INSTANCE)
        places = {
            "/opt/wsa-proxy/bin": str(Path(sys.executable).parent),
            "/etc/wsa-proxy": str(self.folder),
            "/var/lib/wsa-proxy": str(self.folder / "state"),
        }
        for there, here in places.items():
            text = text.replace(there, here)
        assert "%" not in text and "$" not in text
        return shlex.split(text)

    def as_user(self, user: int, command: Sequence[str]) -> list[str]:
        """The command as an ordinary user; without another one, as root by name."""
        if self.has_another_user:
            return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
        return ["setpriv", "--securebits=+noroot", *command]

    def with_rights(self, command: Sequence[str], capabilities: str | None = None) -> list[str]:
        """The command as the unit's user runs it, or with these capabilities (as in the unit) in the place of its."""
        ambient = _words(value("AmbientCapabilities") if capabilities is None else capabilities)
        bounding = _words(value("CapabilityBoundingSet") if capabilities is None else capabilities)
        # If the test is killed, so is what it started.
        options = ["--inh-caps", ambient, "--ambient-caps", ambient, "--bounding-set", bounding, "--pdeathsig=KILL"]
        if value("NoNewPrivileges") == "yes":
            options.append("--no-new-privs")
        return self.as_user(self.user, [*options, *command])

    def environment(self) -> dict[str, str]:
        """Ours, without what is said there to us and about us, and with the home of the unit's user."""
        ours = ("NOTIFY_", "WATCHDOG_", "SUDO_", "XDG_")
        usual = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
        return usual | {"HOME": str(self.folder / "state")}

    def run(self, command: Sequence[str]) -> tuple[int, str, str]:
        """Exit status, output and errors."""
        ended = subprocess.run(command, env=self.environment(), cwd="/", capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout, ended.stderr


def _words(names: str) -> str:
    return ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in names.split())])


class Service:
    """One start of the unit."""

    def __init__(self, host: UnitHost, watchdog_s: float, capabilities: str | None = None) -> None:
        notified = host.folder / "notify"
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(notified))
        notified.chmod(0o777)  # as systemd's is
        told = {"NOTIFY_SOCKET": str(notified), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}
        self.log = host.folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                host.with_rights(host.command_line("ExecStart"), capabilities),
                env=host.environment() | told,
                cwd="/",
                umask=int(value("UMask"), 8),
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
        """The process's only child but for a command of ``notify``, which may run at the moment."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        (guardian,) = (child for child in children if _is_guardian(Path("/proc", child, "cmdline")))
        return int(guardian)

    def kill(self) -> None:
        """Both at once, as the kernel does when memory has run out: the guardian cannot act."""
        guardian = self.guardian
        for each in (guardian, self.process.pid):
            os.kill(each, signal.SIGKILL)
        self.process.wait()


def _is_guardian(command_line: Path) -> bool:
    try:
        return b"guardian_process" in command_line.read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return False


def rights_of(process: int) -> dict[str, str]:
    """The kernel's view of a process: its user four times (real, effective, saved, of files), its groups, its
    capabilities, and whether it can get more."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    wanted = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    found = (line.partition(":") for line in lines)
    return {name: " ".join(text.split()) for name, _, text in found if name in wanted}
