"""SIGHUP says two things: to a service "read your configuration again", to whoever sits at a terminal that it is gone.

A terminal that is closed would end mitmproxy at once, without a word to the others of the group: that is made an
orderly stop. The kernel takes the terminal away before it tells, so one look at it says which of the two was meant;
an operator's ``kill -HUP`` from another window leaves it where it is.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Callable

TERMINAL = "/dev/tty"
"""This process's own, if it has one; tty(4)."""


def follow(reload: Callable[[], object], end: Callable[[], object]) -> None:
    """From now on one of these is called at each SIGHUP. Whoever has it ignored (nohup) or handled keeps it so."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        return
    began_at_terminal = has_terminal()

    def hung_up() -> None:
        if began_at_terminal and not has_terminal():
            end()
        else:
            reload()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)


def has_terminal() -> bool:
    """Whether this process has a controlling terminal now."""
    try:
        descriptor = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        # Out of descriptors it cannot be asked; then it is not said to be gone, and nobody ends a node that serves.
        return error.errno in (errno.EMFILE, errno.ENFILE)
    os.close(descriptor)
    return True
