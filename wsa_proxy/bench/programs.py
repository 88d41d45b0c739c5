"""The programs of the peers: where they are, of which version, and what installs those that are missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from collections.abc import Mapping

from wsa_proxy.bench.products import Kind

PATHS = "/usr/sbin:/usr/local/sbin:/sbin:/usr/bin:/bin"
"""Where Debian puts them, and an ordinary user's shell does not look."""
NEEDED: Mapping[Kind, tuple[str, ...]] = {
    Kind.OURS: (),
    Kind.KEEPALIVED: ("keepalived", "curl"),
    Kind.UCARP: ("ucarp", "ip"),
}
PACKAGES = {"ip": "iproute2", "nft": "nftables", "setpriv": "util-linux"}
"""Of Debian, where one has another name than its program."""
VERSION = re.compile(r"v?(\d+\.\d+[\w.+-]*)")


def find(program: str) -> str | None:
    """Its path, or None where it is not installed."""
    return shutil.which(program, path=PATHS)


def found(program: str) -> str:
    """Its path. Raises FileNotFoundError with the command that installs it."""
    path = find(program)
    if path is None:
        raise FileNotFoundError(f"{program} is missing; install it with: {installing([program])}")
    return path


def missing(kinds: Iterable[Kind]) -> list[str]:
    """The programs that these products need and that are not here."""
    needed = dict.fromkeys(program for kind in kinds for program in NEEDED[kind])
    return [program for program in needed if find(program) is None]


def installing(programs: Iterable[str]) -> str:
    """The command for Debian that installs them."""
    return " ".join(["apt-get install --no-install-recommends", *(PACKAGES.get(each, each) for each in programs)])


def version(program: str) -> str:
    """As the program itself tells; "not installed" or "unknown" where it does not."""
    path = find(program)
    if path is None:
        return "not installed"
    # ucarp knows no --version: it complains, and tells all the same.
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)
    match = VERSION.search(told.stdout + told.stderr)
    return match[1] if match else "unknown"
