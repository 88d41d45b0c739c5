"""One probe of a virtual IP, as a drill makes them: is there a proxy that answers?

It asks in the language of the mode that is served there, and for nothing: an HTTP request without a destination is
refused by mitmproxy itself before any addon is told of it, and a SOCKS greeting is answered likewise. No flow, no
server, no certificate; but that a client has connected is in the log of whichever node answers, and told to its addons.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from collections.abc import Sequence

from wsa_proxy.proxy.connections import Address
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.questions import SOCKS_GREETING
from wsa_proxy.proxy.questions import TUNNELLING

LIMIT_S = 1.0
ANSWER_BYTES = 5
WITHOUT_DESTINATION = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
QUESTIONS = dict.fromkeys(TUNNELLING, (WITHOUT_DESTINATION, b"HTTP/")) | {"socks5": (SOCKS_GREETING, b"\x05")}
"""By mode: what is asked, and how the answer begins."""


async def probe(endpoints: Callable[[], Sequence[LoopbackEndpoint]], address: Address, port: int) -> bool:
    """Whether there was an answer in time, in the mode that this node serves as well. A mode that can only be asked for
    something of a server is believed when it accepts."""
    modes = [endpoint.mode for endpoint in endpoints()]
    question, answer = QUESTIONS.get(modes[0] if modes else "", (b"", b""))
    try:
        async with asyncio.timeout(LIMIT_S):
            reader, writer = await asyncio.open_connection(str(address), port)
            try:
                writer.write(question)
                return answer == b"" or (await reader.read(ANSWER_BYTES)).startswith(answer)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except OSError:  # TimeoutError is one
        return False
