"""A listening socket for asyncio that does not make things worse when the process is out of descriptors."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

OUT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)  # descriptors or memory
TOLD_AGAIN_S = 0.5


class PatientSocket(socket.socket):
    """Fails once where asyncio asks as often as its backlog is long.

    After such an error asyncio waits a second, but it asks again at once and then waits once for each time: after five
    seconds it had logged a thousand tracebacks a second, and nobody else had the processor.
    """

    _refused_at_s = float("-inf")

    def accept(self) -> tuple[socket.socket, Any]:
        """Raises OSError as always; BlockingIOError when it would say the same again."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in OUT_OF:
                raise
            now_s = asyncio.get_running_loop().time()
            if now_s - self._refused_at_s < TOLD_AGAIN_S:
                raise BlockingIOError(errno.EAGAIN, "told already") from error
            self._refused_at_s = now_s
            raise
