"""What is said on a tunnel or a WebSocket, as bytes: messages out and in, no input and no output.

The other ends are in echoes.py.
"""

from __future__ import annotations

from typing import Protocol

from wsproto import ConnectionType
from wsproto import WSConnection
from wsproto.events import AcceptConnection
from wsproto.events import CloseConnection
from wsproto.events import Event
from wsproto.events import Ping
from wsproto.events import Request
from wsproto.events import TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import RemoteProtocolError

from wsa_proxy.lab.echoes import GREETING

HEAD_END = b"\r\n\r\n"
HEAD_BYTES_MAX = 1 << 14


class Unexpected(Exception):
    """The other end has sent what it should not; the text says what."""


class Closed(Exception):
    """The other end has said that it ends the conversation."""


class Talk(Protocol):
    """One conversation with an echo through the proxy."""

    server: str
    """Address from which the origin was asked; empty until the conversation is open."""

    def begin(self) -> bytes:
        """What is sent first."""

    def say(self, message: str) -> bytes:
        """One message, as bytes; only when it is open."""

    def hear(self, received: bytes) -> list[str]:
        """The messages that are complete now. Raises Unexpected or Closed."""


class TunnelTalk:
    """CONNECT, the origin's greeting, then lines."""

    def __init__(self, host: str, port: int) -> None:
        self.server = ""
        self._target = f"{host}:{port}"
        self._received = bytearray()
        self._connected = False

    def begin(self) -> bytes:
        return f"CONNECT {self._target} HTTP/1.1\r\nHost: {self._target}\r\n\r\n".encode()

    def say(self, message: str) -> bytes:
        return f"{message}\n".encode()

    def hear(self, received: bytes) -> list[str]:
        self._received += received
        if not self._connected and not self._read_head():
            return []
        *lines, rest = bytes(self._received).decode("latin-1").split("\n")
        self._received = bytearray(rest.encode("latin-1"))
        if lines and not self.server:
            first = lines.pop(0)
            if not first.startswith(GREETING):
                raise Unexpected(f"{first!r} is no greeting")
            self.server = first.removeprefix(GREETING)
        return lines

    def _read_head(self) -> bool:
        head, separator, rest = bytes(self._received).partition(HEAD_END)
        if not separator:
            if len(head) > HEAD_BYTES_MAX:
                raise Unexpected("an answer to CONNECT without an end")
            return False
        status = head.decode("latin-1").split("\r\n")[0]
        if status.split(" ")[1:2] != ["200"]:
            raise Unexpected(f"answer {status}")
        self._connected, self._received = True, bytearray(rest)
        return True


class WebSocketTalk:
    """An upgrade, asked for as a proxy is asked, then text messages."""

    def __init__(self, host: str, path: str) -> None:
        self.server = ""
        self._request = Request(host=host, target=f"http://{host}{path}")
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._answers = bytearray()
        self._pieces: list[str] = []

    def begin(self) -> bytes:
        return self._connection.send(self._request)

    def say(self, message: str) -> bytes:
        answers, self._answers = bytes(self._answers), bytearray()
        return answers + self._connection.send(TextMessage(message))

    def hear(self, received: bytes) -> list[str]:
        try:
            self._connection.receive_data(received)
            return [message for event in self._connection.events() for message in self._messages(event)]
        except RemoteProtocolError as error:
            raise Unexpected(str(error)) from error

    def _messages(self, event: Event) -> list[str]:
        if isinstance(event, AcceptConnection):
            fields = {name.lower(): value for name, value in event.extra_headers}
            self.server = fields.get(b"x-asked-by", b"").decode("latin-1")
        elif isinstance(event, Ping):
            self._answers += self._connection.send(event.response())  # Leaves with what is said next.
        elif isinstance(event, TextMessage):
            self._pieces.append(event.data)
            if event.message_finished:
                message, self._pieces = "".join(self._pieces), []
                return [message]
        elif isinstance(event, CloseConnection):
            if event.code == CloseReason.PROTOCOL_ERROR:  # So wsproto, too, tells what it cannot read.
                raise Unexpected(event.reason or "what came is no WebSocket")
            raise Closed(f"closed with {event.code}")
        else:
            raise Unexpected(f"{event}")
        return []
