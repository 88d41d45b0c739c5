from __future__ import annotations

import asyncio
import math

import pytest

from tests.lab.one_server import Serve
from tests.lab.one_server import connected
from wsa_proxy.lab import conversation as conversation_module
from wsa_proxy.lab.conversation import Conversation
from wsa_proxy.lab.talks import Closed
from wsa_proxy.lab.talks import TunnelTalk
from wsa_proxy.lab.talks import Unexpected
from wsa_proxy.lab.watch import Watch

GREETED = b"HTTP/1.1 200 Connection established\r\n\r\nasked by 10.0.0.2\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a second."""
    for name, limit_s in (("MESSAGE_EVERY_S", 0.01), ("LOOKS_EVERY_S", 0.02), ("SILENT_S", 0.2)):
        monkeypatch.setattr(conversation_module, name, limit_s)


class Echo:
    """Answers CONNECT, greets, and notes what it gets; sends it back, or something else."""

    def __init__(self, back: bytes | None = None) -> None:
        self.heard: list[bytes] = []
        self.finishing = asyncio.Event()
        self.finish_after = 0
        """So many messages; then ``finishing`` is set before the last of them goes back."""
        self._back = back

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(GREETED)
        while line := await reader.readline():
            self.heard.append(line)
            if len(self.heard) == self.finish_after:
                self.finishing.set()
            writer.write(line if self._back is None else self._back)


async def hold(serve: Serve, finishing: asyncio.Event, *, speaks: bool, lasts_s: float = math.inf) -> int:
    """Hold a conversation until its end; how many messages came back."""
    watch = Watch("tunnel 1", 1, lambda fate: None)
    async with connected(serve) as stream:
        talk = TunnelTalk("10.0.0.80", 7)
        await Conversation(talk, watch, finishing, speaks=speaks, lasts_s=lasts_s).hold(*stream)
    return watch.count


async def test_a_message_goes_there_and_back_again_and_again_and_once_more_at_the_end() -> None:
    """What was on its way when the end was asked for proves nothing: the last one is sent after that."""
    echo = Echo()
    echo.finish_after = 5
    assert await hold(echo.serve, echo.finishing, speaks=True) == 6
    assert echo.heard == [f"message {number}\n".encode() for number in range(1, 7)]


async def test_who_only_waits_sends_nothing_but_the_last_message() -> None:
    """That is how the lab knows that a tunnel without a word still lives."""
    echo = Echo()
    asyncio.get_running_loop().call_later(0.2, echo.finishing.set)
    assert await hold(echo.serve, echo.finishing, speaks=False) == 1
    assert echo.heard == [b"message 1\n"]


async def test_when_its_time_is_over_the_last_message_is_sent_as_well() -> None:
    """Nobody has asked for the end then."""
    echo = Echo()
    assert await hold(echo.serve, echo.finishing, speaks=False, lasts_s=0.1) == 1
    assert not echo.finishing.is_set()


@pytest.mark.parametrize("speaks", [True, False])
async def test_the_other_end_s_close_is_told(speaks: bool) -> None:
    """At once, whether the client waits or speaks."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(GREETED)

    with pytest.raises(Closed):
        await hold(serve, asyncio.Event(), speaks=speaks)


async def test_a_message_that_does_not_come_back_is_silence() -> None:
    """The limit is of what is due; who waits has none."""
    with pytest.raises(TimeoutError, match=r"nothing came in 0\.2 s"):
        await hold(Echo(back=b"").serve, asyncio.Event(), speaks=True)


@pytest.mark.parametrize("back", [b"message 2\n", b"message 1\nmessage 1\n"])
async def test_another_message_than_the_one_that_is_due_is_wrong(back: bytes) -> None:
    """Another connection's, or one that comes twice."""
    with pytest.raises(Unexpected, match="was due"):
        await hold(Echo(back=back).serve, asyncio.Event(), speaks=True)
