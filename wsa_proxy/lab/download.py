"""One download of known bytes through the proxy, compared byte by byte as it comes."""

from __future__ import annotations

import asyncio

from wsa_proxy.lab.known_bytes import known_bytes
from wsa_proxy.lab.talks import HEAD_END
from wsa_proxy.lab.talks import Closed
from wsa_proxy.lab.talks import Unexpected
from wsa_proxy.lab.watch import Watch

OPENING_S_MAX = 20.0
SILENT_S = 5.0
"""What is due and does not come for so long does not come any more."""
PIECE_BYTES = 1 << 16


async def download(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, url: str, count: int, watch: Watch
) -> None:
    """Fetch ``count`` bytes. Raises Unexpected, Closed, TimeoutError when nothing came for SILENT_S, or OSError."""
    host = url.split("/")[2]
    writer.write(f"GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(OPENING_S_MAX):
        try:
            head = (await reader.readuntil(HEAD_END)).decode("latin-1")
        except asyncio.IncompleteReadError as error:
            raise Closed("closed before an answer") from error
    status, *lines = head.split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if status.split(" ")[1:2] != ["200"] or not fields.get("x-asked-by"):
        raise Unexpected(f"answer {status}")
    watch.runs(fields["x-asked-by"])
    while watch.count < count:
        async with asyncio.timeout(SILENT_S):
            piece = await reader.read(PIECE_BYTES)
        if not piece:
            raise Closed(f"closed after {watch.count} of {count} bytes")
        if piece != known_bytes(watch.count, min(len(piece), count - watch.count)):
            raise Unexpected(f"not what was sent, after {watch.count} bytes")
        watch.came(watch.count + len(piece))
