"""Whether anybody asks for the clients that wait in the kernel behind a listening socket.

A socket that listens and from which nobody accepts looks well from everywhere else: clients connect, and wait. It is
as good as gone, so it counts as broken (a hard failure) and is replaced. Two cases are none: somebody asks, in vain,
since the process is out of descriptors, where a new socket could do no better and old clients are still served; and a
loop that did not turn.
"""

from __future__ import annotations

from wsa_proxy.proxy.listening_socket import ListeningSocket
from wsa_proxy.proxy.listening_socket import listens

LIMIT_S = 2.0  # asyncio asks again 1 s after it found no descriptor
LATE_S = 0.5  # looks are 0.1 s apart; after a longer gap the loop has not turned, and the count begins anew


class AcceptQueue:
    """Of one listening socket."""

    def __init__(self) -> None:
        self._asked = 0
        self._since_s = self._looked_at_s = float("-inf")

    def find_wrong(self, listening: ListeningSocket, now_s: float) -> str | None:
        """To be asked ten times a second: what is wrong, or None. Raises OSError when the socket is closed."""
        is_listening, count = listens(listening)
        if not is_listening:
            return "is shut down and accepts nothing"
        late = now_s - self._looked_at_s > LATE_S
        if not count or late or listening.asked != self._asked:
            self._asked, self._since_s = listening.asked, now_s
        self._looked_at_s = now_s
        waited_s = now_s - self._since_s
        if waited_s < LIMIT_S:
            return None
        return f"accepts nobody: {count} clients have waited for {waited_s:.1f} s, limit {LIMIT_S:.1f}"
