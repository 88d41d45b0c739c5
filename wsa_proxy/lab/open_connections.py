"""The client that keeps connections open, a process of its own, and tells what becomes of each of them.

    python -m wsa_proxy.lab.open_connections --proxy 10.0.0.3:8080 --origin 10.0.0.80 --downloads 2 --waiting 20

Downloads of known bytes; CONNECT tunnels and WebSockets on which a message goes there and back five times a second; and
tunnels whose client only waits. One line of JSON for each news goes to stdout, in the order of the fields of Fate:

    [at_s, place, number, state, server, count, pause_s, error]

At SIGTERM no new ones are begun: each download still has to get its last byte, and each conversation one more message
back; then the process ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import signal
import sys
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import astuple
from dataclasses import dataclass

from wsa_proxy.lab.conversation import Conversation
from wsa_proxy.lab.download import OPENING_S_MAX
from wsa_proxy.lab.download import download
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.origin import ECHO_PORT
from wsa_proxy.lab.origin import WEBSOCKET_PATH
from wsa_proxy.lab.talks import Closed
from wsa_proxy.lab.talks import Talk
from wsa_proxy.lab.talks import TunnelTalk
from wsa_proxy.lab.talks import Unexpected
from wsa_proxy.lab.talks import WebSocketTalk
from wsa_proxy.lab.watch import Watch

AGAIN_S = 1.0
"""After a connection has ended, before the next one begins in its place: so long its end can be seen."""

DEMONSTRATION_COUNT = 24
BYTES_PER_S = 100_000

type Hold = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Watch], Awaitable[None]]


def demonstration(lasts_s: float) -> list[str]:
    """The arguments of what ``wsa-proxy lab`` keeps open, where each connection lasts so long."""
    kinds = ("--downloads", "2", "--tunnels", "1", "--websockets", "1", "--waiting", "20")
    lasts = ("--download-bytes", f"{lasts_s * BYTES_PER_S:.0f}", "--download-s", str(lasts_s), "--talk-s", str(lasts_s))
    return [*kinds, *lasts, "--apart-s", "0.2", "--again"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept open through which proxy."""

    proxy_host: str
    proxy_port: int
    origin: str
    downloads: int
    download_bytes: int
    download_s: float
    tunnels: int
    websockets: int
    waiting: int
    talk_s: float
    """How long those last that are no downloads, unless the end is asked for before."""
    again: bool
    """Begin a new one where one has ended."""
    apart_s: float
    """From one of a kind to the next; a crowd that comes at once would only measure how it waits for itself."""


class Client:
    """All connections of one plan. ``tell`` gets each news."""

    def __init__(self, plan: Plan, tell: Callable[[Fate], None]) -> None:
        self._plan, self._tell = plan, tell
        self.finishing = asyncio.Event()

    async def run(self) -> None:
        """Keep them open until all have ended and none is to be begun again, or ``finishing`` is set."""
        plan = self._plan
        kinds: list[tuple[str, int, Hold]] = [
            ("download", plan.downloads, self._download),
            ("tunnel", plan.tunnels, self._tunnel),
            ("websocket", plan.websockets, self._websocket),
            ("waiting", plan.waiting, self._wait),
        ]
        async with asyncio.TaskGroup() as group:
            for kind, count, hold in kinds:
                for number in range(1, count + 1):
                    group.create_task(self._keep(f"{kind} {number}", hold, (number - 1) * plan.apart_s))

    async def _keep(self, place: str, hold: Hold, begin_after_s: float) -> None:
        """Have one connection after the other in this place."""
        number, pause_s = 1, begin_after_s
        while await self._goes_on(pause_s):
            await self._one(Watch(place, number, self._tell), hold)
            if not self._plan.again:
                return
            number, pause_s = number + 1, AGAIN_S

    async def _goes_on(self, pause_s: float) -> bool:
        """Wait for so long; tell whether a connection may be begun then."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.finishing.wait(), pause_s)
        return not self.finishing.is_set()

    async def _one(self, watch: Watch, hold: Hold) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(OPENING_S_MAX):
                reader, writer = await asyncio.open_connection(self._plan.proxy_host, self._plan.proxy_port)
            await hold(reader, writer, watch)
            watch.ended(State.DONE)
        except Unexpected as error:
            watch.ended(State.WRONG, str(error))
        except (Closed, BrokenPipeError) as error:
            watch.ended(State.CUT, str(error))
        except ConnectionResetError as error:
            watch.ended(State.RESET, str(error))
        except OSError as error:  # A TimeoutError is one, of asyncio and of the kernel.
            watch.ended(State.SILENT, str(error) or "nothing came")
        finally:
            if writer is not None:
                writer.transport.abort()
                with contextlib.suppress(OSError):  # told already; asyncio would complain on the user's terminal
                    await writer.wait_closed()

    async def _download(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Watch) -> None:
        plan = self._plan
        url = f"http://{plan.origin}/paced/{plan.download_bytes}/{plan.download_s:g}"
        await download(reader, writer, url, plan.download_bytes, watch)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Watch) -> None:
        await self._conversation(TunnelTalk(self._plan.origin, ECHO_PORT), watch, speaks=True).hold(reader, writer)

    async def _wait(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Watch) -> None:
        await self._conversation(TunnelTalk(self._plan.origin, ECHO_PORT), watch, speaks=False).hold(reader, writer)

    async def _websocket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Watch) -> None:
        await self._conversation(WebSocketTalk(self._plan.origin, WEBSOCKET_PATH), watch, speaks=True).hold(
            reader, writer
        )

    def _conversation(self, talk: Talk, watch: Watch, *, speaks: bool) -> Conversation:
        return Conversation(talk, watch, self.finishing, speaks=speaks, lasts_s=self._plan.talk_s)


def tell(fate: Fate) -> None:
    """Print one line. The lab reads a pipe; when the lab is gone, end."""
    try:
        print(json.dumps(astuple(fate)), flush=True)
    except BrokenPipeError:
        os._exit(0)  # An orderly exit would try to write once more, and complain on the user's terminal.


async def run(plan: Plan) -> None:
    client = Client(plan, tell)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, client.finishing.set)
    await client.run()


def main() -> None:
    asyncio.run(run(read_plan(sys.argv[1:])))


def read_plan(arguments: Sequence[str]) -> Plan:
    """The command line."""
    parser = argparse.ArgumentParser(description="The lab's client that keeps connections open.")
    parser.add_argument("--proxy", required=True, help="address:port; an IPv6 address in brackets")
    parser.add_argument("--origin", required=True, help="address of the web server")
    parser.add_argument("--downloads", type=int, default=0, metavar="N")
    parser.add_argument("--download-bytes", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--download-s", type=float, default=10.0, metavar="S")
    parser.add_argument("--tunnels", type=int, default=0, metavar="N", help="CONNECT tunnels with messages")
    parser.add_argument("--websockets", type=int, default=0, metavar="N")
    parser.add_argument("--waiting", type=int, default=0, metavar="N", help="CONNECT tunnels whose client only waits")
    parser.add_argument("--talk-s", type=float, default=math.inf, metavar="S", help="how long those without bytes last")
    parser.add_argument("--apart-s", type=float, default=0.01, metavar="S", help="from one of a kind to the next")
    parser.add_argument("--again", action="store_true", help="begin anew what has ended")
    values = vars(parser.parse_args(arguments))
    host, _, port = values.pop("proxy").rpartition(":")
    return Plan(proxy_host=host.strip("[]"), proxy_port=int(port), **values)


if __name__ == "__main__":
    main()
