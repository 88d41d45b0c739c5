"""What we use of mitmproxy's connections to servers beyond its public API; see ``mitmproxy_internals.py`` as well."""

from __future__ import annotations

import asyncio

from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from wsa_proxy.proxy.mitmproxy_internals import proxyserver


def end_server(data: ServerConnectionHookData) -> None:
    """Send nothing on a connection that has just been made: for its client it is as if the server had closed it.

    To be called in ``server_connected``; harmless when its client is gone.
    """
    handler = proxyserver().connections.get(data.client.id)
    transports = handler.transports.get(data.server) if handler is not None else None
    if transports is not None and isinstance(transports.writer, asyncio.StreamWriter):
        transports.writer.transport.abort()
