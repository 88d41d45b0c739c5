"""One process of this host serves a group on an interface: an abstract Unix socket, which the kernel gives once.

Abstract names belong to a network namespace, as addresses do, and vanish with the last process that has the socket.
The guardian has it too, so that a new life of the proxy does not begin while the guardian of the last one may still
remove an address or bow out.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import weakref
from collections.abc import Callable
from collections.abc import Collection
from pathlib import Path

logger = logging.getLogger(__name__)

type Group = tuple[str, int]
"""Interface and id."""

GUARDIAN_ENDS_S = 3.0
"""A guardian whose proxy is gone has done its work in a fifth of a second, unless it is frozen."""
KILLED_ENDS_S = 3.0
"""After that; one that the kernel does not let go has the addresses, whatever we do."""
LOOK_AGAIN_S = 0.05
SOCKETS = Path("/proc/net/unix")
GUARDIAN_MODULE = "wsa_proxy.net.guardian"
"""By this in its command line a guardian is known."""


class Served(OSError):
    """Another process serves it."""

    def __init__(self, group: Group, holders: Collection[int]) -> None:
        interface, vhid = group
        who = " ".join(map(str, sorted(holders))) if holders else "of another user or container"
        super().__init__(
            errno.EADDRINUSE,
            f"failover group {vhid} on {interface} is served by another wsa-proxy of this host (process {who})",
        )
        self.group = group
        self.holders = frozenset(holders)
        """The processes that have the socket, as far as they can be seen from here."""


class Claims:
    """Those of one process, which are taken before anything else. A forked child has none of them: a worker of some
    addon may outlive the proxy, and serves nothing."""

    def __init__(self) -> None:
        _of_this_process.add(self)
        self._claims: dict[Group, socket.socket] = {}
        self._share: Callable[[Group, socket.socket], None] = lambda _group, _claim: None
        self._unshare: Callable[[Group], None] = lambda _group: None

    def share(self, share: Callable[[Group, socket.socket], None], unshare: Callable[[Group], None]) -> None:
        """From now on a guardian has each one too: ``share`` hands it over, ``unshare`` takes it back."""
        self._share, self._unshare = share, unshare
        for group, claim in self._claims.items():
            share(group, claim)

    async def take_patiently(self, groups: Collection[Group]) -> None:
        """As ``take``; but what a dead process's guardian still has is waited for, and in the end taken from it."""
        loop = asyncio.get_running_loop()
        ends_at_s = loop.time() + GUARDIAN_ENDS_S
        while True:
            try:
                return self.take(groups)
            except Served as error:
                late_s = loop.time() - ends_at_s
                late = late_s >= 0
                # Nobody: of another user, or it has just ended.
                hopeless = late_s >= KILLED_ENDS_S or (late and not error.holders)
                if hopeless or not all(map(_will_end, error.holders)):
                    raise
                if late:
                    for guardian in error.holders:
                        _end(guardian, error.group)
            await asyncio.sleep(LOOK_AGAIN_S)

    def take(self, groups: Collection[Group]) -> None:
        """All of them, or none that was not ours before. Raises Served or OSError."""
        taken: dict[Group, socket.socket] = {}
        try:
            for group in groups:
                if group not in self._claims:
                    taken[group] = _claim(group)
        except BaseException:
            for claim in taken.values():
                claim.close()
            raise
        for group, claim in taken.items():
            self._claims[group] = claim
            self._share(group, claim)

    def keep(self, groups: Collection[Group]) -> None:
        """Give the others back."""
        for group in [group for group in self._claims if group not in groups]:
            self._unshare(group)
            self._claims.pop(group).close()

    def close(self) -> None:
        """Give all back; harmless when repeated."""
        self.keep(())

    def forget(self) -> None:
        """In a forked child: the parent's guardian is not told."""
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()


_of_this_process = weakref.WeakSet[Claims]()


def _forget_all() -> None:
    for each in list(_of_this_process):
        each.forget()


os.register_at_fork(after_in_child=_forget_all)


def _name(group: Group) -> str:
    interface, vhid = group
    return f"wsa-proxy/{interface}/{vhid}"


def _claim(group: Group) -> socket.socket:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind("\0" + _name(group))
    except OSError as error:
        claim.close()
        if error.errno == errno.EADDRINUSE:
            raise Served(group, _holders(group)) from None
        raise
    return claim


def _holders(group: Group) -> set[int]:
    """The processes that have the socket of this name; one that just ends is among them until its descriptors are
    closed."""
    name = " @" + _name(group)
    lines = SOCKETS.read_text(errors="replace").split("\n")  # anybody's names are there, of any bytes
    found = [line.split() for line in lines if line.endswith(name)]
    wanted = {f"socket:[{fields[6]}]" for fields in found if len(fields) == 8}  # the seventh is the inode
    holders = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if any(os.readlink(each) in wanted for each in (folder / "fd").iterdir()):
                holders.add(int(folder.name))
    return holders


def _end(process: int, group: Group) -> None:
    """Kill the guardian, and nobody else: it may have ended since it was seen, and its number be another's by now. So
    the process is taken hold of first, and then looked at again."""
    try:
        pidfd = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        if process in _holders(group) and _will_end(process):
            logger.warning("failover: the guardian of an earlier life, process %d, is killed", process)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself
    finally:
        os.close(pidfd)


def _will_end(process: int) -> bool:
    """It is a guardian, or is about to be gone: a killed proxy keeps its descriptors until its memory has been given
    back, and has no command line meanwhile."""
    try:
        command_line = Path(f"/proc/{process}/cmdline").read_text(errors="replace")
    except OSError:
        return True
    return not command_line or GUARDIAN_MODULE in command_line
