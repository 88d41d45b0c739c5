"""What we use of mitmproxy's connections to servers, against the real mitmproxy inside the test's loop."""

from __future__ import annotations

import asyncio

from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import taddons

from tests.proxy.processes import until
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy import mitmproxy_servers


class Ending:
    """An addon that ends each connection to a server as soon as it is made, and again."""

    def server_connected(self, data: ServerConnectionHookData) -> None:
        mitmproxy_servers.end_server(data)
        mitmproxy_servers.end_server(data)


async def test_a_server_that_was_ended_gets_no_byte(inside: taddons.context) -> None:
    """The client has its answer, and the server has seen a connection that came and went."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.read())
        except ConnectionResetError:
            heard.append(b"")
        writer.close()

    inside.master.addons.add(Ending())
    await mitmproxy_internals.set_up_servers()
    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", inside.options.listen_port)
        writer.write(f"GET http://127.0.0.1:{port}/secret HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 502 ")
        await until(lambda: bool(heard))
        assert heard == [b""]
        writer.close()
