from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.descriptors import no_descriptors
from wsa_proxy.runtime.patient_socket import PatientSocket


async def test_out_of_descriptors_is_told_once_a_second() -> None:
    """asyncio asks several times and would wait once for each, which multiplies; clients wait and are served after."""
    loop = asyncio.get_running_loop()
    told: list[float] = []
    thrice = asyncio.Event()

    def tell(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
        told.append(loop.time())
        if len(told) == 3:
            thrice.set()

    loop.set_exception_handler(tell)
    served = asyncio.Event()
    with PatientSocket() as listening, socket.socket() as client:
        listening.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(lambda _reader, _writer: served.set(), sock=listening, backlog=10)
        await asyncio.sleep(0)
        with no_descriptors():
            client.setblocking(False)
            await loop.sock_connect(client, listening.getsockname())
            began_s = loop.time()
            await asyncio.wait_for(thrice.wait(), 20)
        assert told[2] - began_s > 1.9, "one a second"
        assert served.is_set() is False
        await asyncio.wait_for(served.wait(), 5)
        server.close()
    assert len(told) <= 4
