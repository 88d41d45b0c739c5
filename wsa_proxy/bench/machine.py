"""What was measured, and on what: versions and the machine, for whoever compares two results."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from wsa_proxy import __version__
from wsa_proxy.bench import programs
from wsa_proxy.bench.products import Kind


def versions(kinds: Iterable[Kind]) -> dict[str, str]:
    """Of the products that are measured, and of what is below all of them."""
    peers = [kind.value for kind in dict.fromkeys(kinds) if kind is not Kind.OURS]
    found = {"wsa-proxy": __version__, "mitmproxy": version("mitmproxy"), "Python": platform.python_version()}
    return found | {peer: programs.version(peer) for peer in peers}


def machine() -> dict[str, str]:
    """Its processors, kernel and memory."""
    return {
        "processors": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def load() -> float:
    """Processes that ran or waited for a processor in the last minute, on average."""
    return round(os.getloadavg()[0], 1)


def busy_text(load: Mapping[str, float]) -> str | None:
    """Say what it means that others had work for more processors than there are; None where they had not. ``load`` is
    that of session.py."""
    if load["before"] <= load["processors"]:
        return None
    return f"the machine was busy before it began (load {load['before']:g}): a check may fail for want of a processor"


def _processor(information: Path = Path("/proc/cpuinfo")) -> str:
    for line in information.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
