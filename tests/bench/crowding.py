"""How busy the machine is on which something is measured: every program says so at its beginning, some at their end."""

from __future__ import annotations

import os


def told(when: str) -> str:
    """``when``: "beginning" or "end". The load is of the last minute, of all that runs on this machine."""
    return f"load of the machine at the {when}: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
