from __future__ import annotations

import pytest
from wsproto import ConnectionType
from wsproto import WSConnection
from wsproto.events import AcceptConnection
from wsproto.events import BytesMessage
from wsproto.events import CloseConnection
from wsproto.events import Event
from wsproto.events import Ping
from wsproto.events import Pong
from wsproto.events import TextMessage

from wsa_proxy.lab.talks import HEAD_BYTES_MAX
from wsa_proxy.lab.talks import Closed
from wsa_proxy.lab.talks import Talk
from wsa_proxy.lab.talks import TunnelTalk
from wsa_proxy.lab.talks import Unexpected
from wsa_proxy.lab.talks import WebSocketTalk

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
GREETED = ESTABLISHED + b"asked by 10.0.0.2\n"


class Server:
    """The other end of a WebSocket, by wsproto."""

    def __init__(self, talk: WebSocketTalk) -> None:
        self._connection = WSConnection(ConnectionType.SERVER)
        self.heard(talk.begin())

    def heard(self, sent: bytes) -> list[Event]:
        self._connection.receive_data(sent)
        return list(self._connection.events())

    def says(self, event: Event) -> bytes:
        return self._connection.send(event)

    def accepts(self) -> bytes:
        return self.says(AcceptConnection(extra_headers=[(b"X-Asked-By", b"10.0.0.2")]))


def test_a_tunnel_is_asked_for_opens_with_the_greeting_and_carries_lines() -> None:
    """The greeting may come with the answer to CONNECT or after it."""
    talk = TunnelTalk("10.0.0.80", 7)
    assert talk.begin() == b"CONNECT 10.0.0.80:7 HTTP/1.1\r\nHost: 10.0.0.80:7\r\n\r\n"
    assert talk.hear(ESTABLISHED) == [] and talk.server == ""
    assert talk.hear(b"asked by 10.0.0.2\nmess") == [] and talk.server == "10.0.0.2"
    assert talk.say("message 1") == b"message 1\n"
    assert talk.hear(b"age 1\nmessage 2\n") == ["message 1", "message 2"]


def test_a_websocket_is_asked_for_as_a_proxy_is_asked() -> None:
    """With the whole address of what is wanted; what the server answers names the node."""
    talk = WebSocketTalk("10.0.0.80", "/echo")
    assert b"GET http://10.0.0.80/echo HTTP/1.1\r\n" in talk.begin()
    talk = WebSocketTalk("10.0.0.80", "/echo")
    server = Server(talk)
    assert talk.hear(server.accepts()) == [] and talk.server == "10.0.0.2"
    (said,) = server.heard(talk.say("message 1"))
    assert isinstance(said, TextMessage) and said.data == "message 1"
    pieces = server.says(TextMessage("mess", message_finished=False)) + server.says(TextMessage("age 1"))
    assert talk.hear(pieces) == ["message 1"]


def test_a_ping_is_answered_with_what_is_said_next() -> None:
    """There is always something next: that is soon enough."""
    talk = WebSocketTalk("10.0.0.80", "/echo")
    server = Server(talk)
    talk.hear(server.accepts())
    assert talk.hear(server.says(Ping(b"there?"))) == []
    pong, _ = server.heard(talk.say("message 1"))
    assert isinstance(pong, Pong) and pong.payload == b"there?"
    assert not any(isinstance(event, Pong) for event in server.heard(talk.say("message 2")))


def test_it_does_not_matter_how_the_bytes_are_cut() -> None:
    """TCP keeps no bounds: byte by byte both are opened and heard."""
    tunnel, websocket = TunnelTalk("10.0.0.80", 7), WebSocketTalk("10.0.0.80", "/echo")
    server = Server(websocket)
    streams: list[tuple[Talk, bytes]] = [
        (tunnel, GREETED + b"message 1\n"),
        (websocket, server.accepts() + server.says(TextMessage("message 1"))),
    ]
    for talk, stream in streams:
        assert [message for byte in stream for message in talk.hear(bytes([byte]))] == ["message 1"]
        assert talk.server == "10.0.0.2"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        ESTABLISHED + b"SSH-2.0-OpenSSH\n",
        b"x" * (HEAD_BYTES_MAX + 1),
    ],
)
def test_no_tunnel_is_told(answer: bytes) -> None:
    """A proxy's own error, another server, and an answer that does not end."""
    with pytest.raises(Unexpected):
        TunnelTalk("10.0.0.80", 7).hear(answer)


def test_no_websocket_is_told() -> None:
    """A proxy's own error, a message that is no text, and what is no WebSocket."""
    talk = WebSocketTalk("10.0.0.80", "/echo")
    talk.begin()
    with pytest.raises(Unexpected):
        talk.hear(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
    for told in (BytesMessage(b"\0"), None):
        talk = WebSocketTalk("10.0.0.80", "/echo")
        server = Server(talk)
        talk.hear(server.accepts())
        with pytest.raises(Unexpected):
            talk.hear(server.says(told) if told else b"nonsense")


def test_a_websocket_that_the_other_end_closes_is_closed() -> None:
    """In the protocol's own way, before TCP's."""
    talk = WebSocketTalk("10.0.0.80", "/echo")
    server = Server(talk)
    talk.hear(server.accepts())
    with pytest.raises(Closed, match="1001"):
        talk.hear(server.says(CloseConnection(code=1001)))
