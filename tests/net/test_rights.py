"""Which of root's rights are missing, as the kernel says it, and the sentence that tells what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wsa_proxy.net import rights
from wsa_proxy.net.rights import Right
from wsa_proxy.net.rights import RightsMissing

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from wsa_proxy.net import rights
try:
    rights.require()
except rights.RightsMissing as error:
    print(error.strerror)
"""


def said_with(capabilities: str) -> str:
    """What a process with these capabilities and no others is told, an empty text if nothing is missing. In a user
    namespace we are root by name; with ``noroot`` that means nothing."""
    kept = ["-all", *(f"+{each}" for each in capabilities.split())]
    words = ",".join(kept)
    command = ["setpriv", "--securebits=+noroot", "--inh-caps", words, "--ambient-caps", words, "--bounding-set", words]
    ended = subprocess.run(
        [*command, sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.strip()


def test_each_right_is_asked_for_by_itself(lan: Any) -> None:
    """The kernel's answer to an order and to a socket, not the bits of the process."""
    assert said_with("net_admin net_raw") == ""
    raw, admin = said_with("net_admin"), said_with("net_raw")
    assert raw.startswith("the process lacks CAP_NET_RAW (it sends and hears advertisements, ARP and neighbour")
    assert admin.startswith("the process lacks CAP_NET_ADMIN (it adds and removes the virtual IPs and their interf")
    assert "CAP_NET_ADMIN (" not in raw and "CAP_NET_RAW (" not in admin
    neither = said_with("")
    assert neither.startswith("the process lacks CAP_NET_ADMIN (") and " and CAP_NET_RAW (" in neither
    for each in (raw, admin, neither):  # whichever is missing: to give that one alone would take the other away
        assert "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in its unit" in each
        assert "--inh-caps +net_admin,+net_raw --ambient-caps +net_admin,+net_raw COMMAND" in each


def test_rights_over_another_network_are_none(lan: Any) -> None:
    """As in a container on its host's network: all bits are there."""
    rights.require()
    lan.lose_privileges()
    assert int(Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0], 16) >> 12 & 3 == 3
    for wanted in ([Right.NET_ADMIN], [Right.NET_RAW]):
        with pytest.raises(RightsMissing) as raised:
            rights.require(wanted)
        assert wanted[0].value in str(raised.value)


def test_asking_leaves_nothing_open(lan: Any) -> None:
    rights.require()
    before = os.listdir("/proc/self/fd")
    rights.require()
    assert os.listdir("/proc/self/fd") == before
