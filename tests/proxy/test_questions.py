"""The questions of the self-tests, to a real mitmproxy in this process and to others that pretend to be it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.x509 import DNSName
from mitmproxy import http
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.certs import CertStore
from mitmproxy.test import taddons

from tests.proxy.processes import free_port
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy import questions
from wsa_proxy.proxy.hook_calls import HookCalls
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.questions import Questions
from wsa_proxy.proxy.self_tests import SelfTests

LIMIT_S = 10.0

type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def endpoint(inside: taddons.context, tmp_path: Path) -> LoopbackEndpoint:
    """mitmproxy, as it serves a regular mode."""
    inside.master.addons.add(TlsConfig())
    inside.options.update(confdir=str(tmp_path / "ca"), ssl_insecure=True)
    await mitmproxy_internals.set_up_servers()
    return LoopbackEndpoint("regular", "regular", "127.0.0.1", inside.options.listen_port)


@pytest.fixture
async def asking(inside: taddons.context) -> AsyncIterator[Questions]:
    tests = SelfTests()
    calls = HookCalls(tests)
    calls.install()
    yield Questions(tests)
    calls.uninstall()


@asynccontextmanager
async def pretender(serve: Serve, mode: str = "regular") -> AsyncIterator[LoopbackEndpoint]:
    """Somebody else at the port."""
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield LoopbackEndpoint(mode, mode, *server.sockets[0].getsockname())


def says(answer: bytes) -> Serve:
    """Whatever is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()

    return serve


async def hangs(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.5)
    writer.close()


def own_certificate(folder: Path, name: str) -> ssl.SSLContext:
    """For a server with a certificate that no mitmproxy has made."""
    made = CertStore.from_store(folder, "other", 2048).get_cert(name, [DNSName(name)])
    key = made.privatekey.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "leaf.pem").write_bytes(key + made.cert.to_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    return context


async def test_mitmproxy_answers(asking: Questions, endpoint: LoopbackEndpoint) -> None:
    """A GET, and a CONNECT with TLS and a GET inside."""
    await asking.get(endpoint, LIMIT_S)
    await asking.connect(endpoint, LIMIT_S)


async def test_an_answer_inside_the_tunnel_repeats_the_token(asking: Questions, endpoint: LoopbackEndpoint) -> None:
    """TLS alone is no proof that somebody answers."""

    def answer(flow: http.HTTPFlow) -> None:
        flow.response = http.Response.make(200, "hello", {"Connection": "close"})

    asking._self_tests._serverless["requestheaders"] = answer
    with pytest.raises(OSError, match=r"unexpected answer b'HTTP/1\.1 200 OK"):
        await asking.connect(endpoint, LIMIT_S)


async def test_one_certificate_lasts_for_many_questions(
    asking: Questions, endpoint: LoopbackEndpoint, inside: taddons.context
) -> None:
    """mitmproxy signs one for each name; after a day another name is taken, long before the certificate ends."""
    now_s = 0.0
    asking._clock = lambda: now_s
    asking._name_until_s = 0.0
    certificates = inside.master.addons.get("tlsconfig").certstore.certs
    for _ in range(3):
        await asking.connect(endpoint, LIMIT_S)
    assert len(certificates) == 1
    now_s = questions.NAME_S
    await asking.connect(endpoint, LIMIT_S)
    assert len(certificates) == 2


async def test_a_new_ca_is_trusted_and_no_other(
    asking: Questions, endpoint: LoopbackEndpoint, inside: taddons.context, tmp_path: Path
) -> None:
    """Its certificate leads back to the CA that mitmproxy has now; a name is not all."""
    await asking.connect(endpoint, LIMIT_S)
    inside.options.update(confdir=str(tmp_path / "new"))
    await asking.connect(endpoint, LIMIT_S)
    store = inside.master.addons.get("tlsconfig").certstore
    other = CertStore.from_store(tmp_path / "other", "mitmproxy", 2048)
    store.default_ca, right = other.default_ca, store.default_ca
    with pytest.raises(OSError, match="the proxy's certificate is refused: unable to get local issuer certificate"):
        await asking.connect(endpoint, LIMIT_S)
    store.default_ca = right
    await asking.connect(endpoint, LIMIT_S)


async def test_a_certificate_for_another_name_is_refused(
    asking: Questions, endpoint: LoopbackEndpoint, inside: taddons.context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every client would."""
    tls = inside.master.addons.get("tlsconfig")
    made = tls.certstore.get_cert("www.example.com", [])
    monkeypatch.setattr(tls, "get_cert", lambda context: made)
    with pytest.raises(OSError, match="the proxy's certificate is refused: Hostname mismatch"):
        await asking.connect(endpoint, LIMIT_S)


@pytest.mark.parametrize(
    ("answer", "phrase"),
    [
        (b"", "the connection was closed"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "unexpected answer b'HTTP/1.1 502 Bad Gateway"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 what is TLS\r\n\r\n", "TLS: "),
    ],
)
async def test_a_tunnel_that_is_none(asking: Questions, endpoint: LoopbackEndpoint, answer: bytes, phrase: str) -> None:
    """Each way not to answer has its evidence."""
    async with pretender(says(answer)) as other:
        with pytest.raises(OSError, match=phrase):
            await asking.connect(other, LIMIT_S)


@pytest.mark.parametrize(
    ("mode", "answer", "phrase"),
    [
        ("regular", b"", "the connection was closed"),
        ("regular", b"HTTP/1.1 200 OK\r\n\r\nsomebody else", "unexpected answer b'HTTP/1.1 200 OK"),
        ("socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n", "unexpected answer b'HTTP"),
        ("reverse", b"HTTP/1.1 200 OK\r\n\r\n", "the connection was closed before the proxy had taken it"),
    ],
)
async def test_somebody_elses_answer_is_no_proof(asking: Questions, mode: str, answer: bytes, phrase: str) -> None:
    """What does not repeat the token, or was not seen by this proxy, was not answered by it."""
    async with pretender(says(answer), mode) as other:
        with pytest.raises(OSError, match=phrase):
            await asking.get(other, LIMIT_S)


async def test_no_answer_ends_after_the_limit(asking: Questions, endpoint: LoopbackEndpoint) -> None:
    """And the socket is gone with it."""
    async with pretender(hangs) as other:
        for ask in (asking.get, asking.connect):
            with pytest.raises(TimeoutError):
                await ask(other, 0.05)
        with pytest.raises(TimeoutError):
            await asking.upstream(endpoint, f"http://127.0.0.1:{other.port}/", 0.05)


async def test_nobody_there(asking: Questions, endpoint: LoopbackEndpoint) -> None:
    """Refused is told as the system says it."""
    nobody = LoopbackEndpoint("regular", "regular", "127.0.0.1", free_port())
    for ask in (asking.get, asking.connect):
        with pytest.raises(ConnectionRefusedError):
            await ask(nobody, LIMIT_S)


async def test_upstream_over_http(asking: Questions, endpoint: LoopbackEndpoint, inside: taddons.context) -> None:
    """From its real server, through the proxy; an answer from 400 on is none; a proxy that cannot reach it says so."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n")).strip())
        status = b"503 Gone" if b"gone" in asked[-1] else b"204 No Content"
        writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
        writer.close()

    async with pretender(serve) as origin:
        url = f"http://127.0.0.1:{origin.port}"
        await asking.upstream(endpoint, f"{url}/check?a=b", LIMIT_S)
        with pytest.raises(OSError, match=r"unexpected answer b'HTTP/1\.1 503"):
            await asking.upstream(endpoint, f"{url}/gone", LIMIT_S)
    assert asked == [b"GET /check?a=b HTTP/1.1", b"GET /gone HTTP/1.1"]
    with pytest.raises(OSError, match=r"unexpected answer b'HTTP/1\.1 502"):
        await asking.upstream(endpoint, f"{url}/", LIMIT_S)


@pytest.mark.parametrize("strategy", ["eager", "lazy"])
async def test_upstream_over_https(
    asking: Questions, endpoint: LoopbackEndpoint, inside: taddons.context, tmp_path: Path, strategy: str
) -> None:
    """Through a tunnel that mitmproxy opens: to the server with its certificate, to us with the proxy's own."""
    inside.options.update(connection_strategy=strategy)
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n")).strip())
        writer.write(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    context = own_certificate(tmp_path, "localhost")
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        await asking.upstream(endpoint, f"https://localhost:{port}/", LIMIT_S)
        inside.options.update(ssl_insecure=False)
        with pytest.raises(OSError, match=r"unexpected answer b'HTTP/1\.1 502"):
            await asking.upstream(endpoint, f"https://localhost:{port}/", LIMIT_S)
    assert asked == [b"GET / HTTP/1.1"]


def test_an_address_in_brackets_is_the_same_server() -> None:
    """The target of a CONNECT has them, the socket's name has not."""
    assert questions.target_of("https://[2001:db8::1]/a") == ("2001:db8::1", "[2001:db8::1]:443")
    assert questions.target_of("https://a.b:8443/") == ("a.b", "a.b:8443")
