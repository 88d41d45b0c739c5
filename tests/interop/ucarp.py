"""The real ucarp of the Debian package on a host of the lab, with up and down scripts as its manual wants them."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from tests.daemon import PATHS
from tests.daemon import Daemon

STATE = re.compile(r"Switching to state: (\w+)")

REACTION_S = 1.0
"""ucarp reads through libpcap with a buffer timeout of 1000 ms: so long after a packet it may not know it yet."""


def find_ucarp() -> str | None:
    """The program, or None where it is not installed."""
    return shutil.which("ucarp", path=PATHS)


def master_down_s(advskew: int) -> float:
    """How long a ucarp with an advbase of 1 is patient, by its own reckoning."""
    return 3 + advskew / 256


class Ucarp(Daemon):
    """One ucarp process. It is made without having been started."""

    def __init__(
        self,
        network: Path,
        folder: Path,
        address: IPv4Address,
        *,
        vhid: int,
        virtual_ip: IPv4Address,
        pass_phrase: str,
        advskew: int,
        options: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True)
        up, down = (_script(folder / f"vip-{word}.sh", verb) for word, verb in (("up", "add"), ("down", "del")))
        program = find_ucarp()
        assert program is not None
        command = [program, "--interface=eth0", f"--srcip={address}", f"--vhid={vhid}", f"--pass={pass_phrase}"]
        command += [f"--addr={virtual_ip}", f"--upscript={up}", f"--downscript={down}", f"--advskew={advskew}"]
        # --shutdown: without it even an orderly end leaves the virtual IP behind.
        super().__init__(network, folder / "ucarp.log", [*command, "--shutdown", *options])

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    @property
    def state(self) -> str:
        """As its log tells: INIT (not told yet), BACKUP or MASTER."""
        states = [match[1] for match in STATE.finditer(self.log)]
        return states[-1] if states else "INIT"


def _script(path: Path, verb: str) -> Path:
    """ucarp calls it with the interface and the virtual IP, and waits until it ends."""
    path.write_text(f'#!/bin/sh\nexec ip address {verb} "$2"/32 dev "$1"\n')
    path.chmod(0o755)
    return path
