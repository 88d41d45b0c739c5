"""The real keepalived of the Debian package on a host of the lab: a VRRP router that has the id of our group."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.daemon import PATHS
from tests.daemon import Daemon


def find_keepalived() -> str | None:
    """The program, or None where it is not installed."""
    return shutil.which("keepalived", path=PATHS)


class Keepalived(Daemon):
    """One keepalived, master from its first second on; an advertisement each second."""

    def __init__(
        self,
        network: Path,
        folder: Path,
        version: int,
        vrid: int,
        addresses: Sequence[str],
        interface: str = "eth0",
    ) -> None:
        folder.mkdir(parents=True)
        configuration = folder / "keepalived.conf"
        lines = ["vrrp_instance other {", f"interface {interface}", f"version {version}", f"virtual_router_id {vrid}"]
        lines += ["state MASTER", "priority 255", "advert_int 1", "virtual_ipaddress {", *addresses, "}", "}"]
        configuration.write_text("\n".join(lines) + "\n")
        program = find_keepalived()
        assert program is not None
        # --vrrp: without its health checker. In the foreground, with its own files, and a log on its output.
        command = [program, "--dont-fork", "--log-console", "--vrrp", f"--use-file={configuration}"]
        command += [f"--pid={folder / 'pid'}", f"--vrrp_pid={folder / 'vrrp.pid'}"]
        super().__init__(network, folder / "keepalived.log", command)
