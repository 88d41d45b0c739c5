"""Which programs have the rights of the process that starts them: real processes, with rights as a unit gives them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

AS_A_UNIT = ["setpriv", "--securebits=+noroot", "--inh-caps=+net_admin,+net_raw", "--ambient-caps=+net_admin,+net_raw"]
NET_ADMIN_AND_RAW = f"{1 << 12 | 1 << 13:016x}"
NONE = f"{0:016x}"
PROGRAM = """
import re, subprocess, threading
from wsa_proxy.net.inheritance import handed_on, keep_rights

def child():
    status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout
    print(re.search("CapEff:\\t(.*)", status)[1])

def children():
    child()
    thread = threading.Thread(target=child)
    thread.start()
    thread.join()

children()
for _ in range(2):
    keep_rights()
children()
with handed_on():
    child()
children()
print(re.search("CapEff:\\t(.*)", open("/proc/self/status").read())[1])
"""
LOCK = """
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(28, 1 << 0 | 1 << 6, 0, 0, 0) == 0  # PR_SET_SECUREBITS: noroot, no_cap_ambient_raise
os.execv(sys.argv[1], sys.argv[1:])
"""


def said(before: list[str]) -> list[str]:
    run = subprocess.run([*before, sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_what_is_handed_on_has_the_rights_and_nothing_else(lan: Any) -> None:
    """Not from a thread that began later either; the process itself has lost none."""
    both, nothing = [NET_ADMIN_AND_RAW] * 2, [NONE] * 2
    assert said(AS_A_UNIT) == [*both, *nothing, NET_ADMIN_AND_RAW, *nothing, NET_ADMIN_AND_RAW]


def test_what_could_not_be_taken_back_is_not_given_up(lan: Any) -> None:
    """A guardian without its rights could not remove an address: then all have them, as before."""
    locks = [*AS_A_UNIT[:2], *(f"{option},+setpcap" for option in AS_A_UNIT[2:]), sys.executable, "-c", LOCK]
    assert said(locks) == [f"{1 << 12 | 1 << 13 | 1 << 8:016x}"] * 8


def test_without_rights_nothing_happens(lan: Any) -> None:
    """Nobody has any, and nobody gets any."""
    assert said(["setpriv", "--securebits=+noroot"]) == [NONE] * 8
