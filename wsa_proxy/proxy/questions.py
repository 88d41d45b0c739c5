"""What a self-test asks, over TCP and through accept(), at a loopback port of this process.

The virtual IP itself would lead a backup to its master. The sockets are made here, not by asyncio, so that each is
known as a self-test's before it connects.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.answered import was_any_sent_data
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.self_tests import SelfTests
from wsa_proxy.settings import place_text

ANSWER_SIZE_MAX = 4096
NAME_S = 86_400.0  # mitmproxy keeps a certificate for as long as it runs, and makes it for 199 days

ASKED = {"regular": "GET", "upstream": "GET", "socks5": "SOCKS greeting", "reverse": "connection"}
"""The modes that can be asked, and the word for what they are asked."""
TUNNELLING = ("regular", "upstream")
"""Those that take a CONNECT."""

SOCKS_GREETING = b"\x05\x02\x00\x02"  # RFC 1928: version 5, no authentication or user name and password
SOCKS_VERSION = b"\x05"


class Questions:
    """Each raises TimeoutError when the answer has not come within the limit, OSError with the reason otherwise."""

    def __init__(self, self_tests: SelfTests, clock: Callable[[], float] = time.monotonic) -> None:
        self._self_tests = self_tests
        self._clock = clock
        self._name = ""
        self._name_until_s = clock()
        self._context: tuple[str, ssl.SSLContext] | None = None
        """With what it trusts: mitmproxy may be given another CA while it runs."""

    async def get(self, endpoint: LoopbackEndpoint, limit_s: float) -> None:
        """Ask the mode in its own language: is there anybody?"""
        async with asyncio.timeout(limit_s):
            with self._self_tests.own_socket(endpoint.host) as (client, token):
                answer = await _converse(client, endpoint, token)
                seen = self._self_tests.was_seen(token)
        if endpoint.mode == "reverse" and not seen:
            raise OSError("the connection was closed before the proxy had taken it")
        if endpoint.mode == "socks5" and not answer.startswith(SOCKS_VERSION):
            raise _unexpected(answer)
        if endpoint.mode in TUNNELLING and token.encode() not in answer:
            raise _unexpected(answer)

    async def connect(self, endpoint: LoopbackEndpoint, limit_s: float) -> None:
        """CONNECT, a TLS handshake with the proxy's own certificate, and a GET inside: what most clients do."""
        name = self._server_name()
        async with asyncio.timeout(limit_s):
            with self._self_tests.own_socket(endpoint.host) as (client, token):
                await _open_tunnel(client, endpoint, f"{name}:443")
                tls = _Tls(client, self._tls_context(name), name)
                answer = await tls.ask(_request(f"/{token}", name), until=token.encode())
        if token.encode() not in answer:
            raise _unexpected(answer)

    async def upstream(self, endpoint: LoopbackEndpoint, url: str, limit_s: float) -> None:
        """Fetch an http or https URL from its real server; any answer below 400 is one."""
        parts = urlsplit(url)
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        async with asyncio.timeout(limit_s):
            with self._self_tests.own_socket(endpoint.host, to_server=True) as (client, _):
                if parts.scheme == "https":
                    host, target = target_of(url)
                    await _open_tunnel(client, endpoint, target)
                    tls = _Tls(client, self._tls_context(host), host)
                    answer = await tls.ask(_request(path, parts.netloc), until=b"\r\n")
                else:
                    loop = asyncio.get_running_loop()
                    await loop.sock_connect(client, (endpoint.host, endpoint.port))
                    await loop.sock_sendall(client, _request(url, parts.netloc))
                    answer = await _receive_until(client, b"\r\n")
        if not re.match(rb"HTTP/1\.[01] [23]", answer):
            raise _unexpected(answer)

    def others_answered(self, within_s: float) -> bool:
        """Whether the proxy has sent something to a client that is no self-test, within so many seconds before now."""
        return was_any_sent_data(
            (
                transport.get_extra_info("socket")
                for handler in mitmproxy_internals.tcp_handlers()
                if not self._self_tests.is_self_test(handler.client)
                and (transport := mitmproxy_internals.client_transport(handler)) is not None
            ),
            within_s,
        )

    def _server_name(self) -> str:
        """Kept for a while: mitmproxy makes and signs a certificate for each new name."""
        if self._clock() >= self._name_until_s:
            self._name = f"self-test-{secrets.token_hex(4)}.invalid"
            self._name_until_s = self._clock() + NAME_S
        return self._name

    def _tls_context(self, name: str) -> ssl.SSLContext:
        trusted, bears_name = mitmproxy_internals.expected_certificate(name)
        if self._context is None or self._context[0] != trusted:
            self._context = trusted, tls_context(trusted, bears_name=bears_name)
        return self._context[1]


class _Tls:
    """The client's side of TLS on a connected socket."""

    def __init__(self, client: socket.socket, context: ssl.SSLContext, name: str) -> None:
        self._client = client
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    async def ask(self, request: bytes, until: bytes) -> bytes:
        """Shake hands, ask, and read to the first ``until``, or to the end."""
        try:
            await self._do(self._tls.do_handshake)
            await self._do(lambda: self._tls.write(request))
        except ssl.SSLCertVerificationError as error:
            raise OSError(f"the proxy's certificate is refused: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise OSError(f"TLS: {error.reason}") from error
        answer = b""
        with contextlib.suppress(ssl.SSLError):  # mitmproxy ends TLS by the end of the connection
            while until not in answer and len(answer) < ANSWER_SIZE_MAX:
                received = await self._do(lambda: self._tls.read(ANSWER_SIZE_MAX))
                if not received:
                    break
                answer += received
        return answer

    async def _do[T](self, step: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(self._client, self._outgoing.read())
                received = await loop.sock_recv(self._client, 65536)
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            else:
                await loop.sock_sendall(self._client, self._outgoing.read())
                return done


def tls_context(trusted: str, *, bears_name: bool) -> ssl.SSLContext:
    """For a server whose certificate leads back to ``trusted`` (PEM), and bears the name it is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=trusted)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the operator's own CA need not be a root
    context.check_hostname = bears_name
    # Whatever mitmproxy was told to allow: old versions and weak ciphers are not the question here.
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def target_of(url: str) -> tuple[str, str]:
    """Of an https URL: its host, and what a CONNECT to it says."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or 443
    return host, place_text(host, port)


async def _converse(client: socket.socket, endpoint: LoopbackEndpoint, token: str) -> bytes:
    """Ask in the mode's own language; answers what came until the end of the connection. Raises OSError."""
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (endpoint.host, endpoint.port))
    answer = b""
    try:
        await loop.sock_sendall(client, _question(endpoint.mode, token))
        while len(answer) < ANSWER_SIZE_MAX:
            received = await loop.sock_recv(client, ANSWER_SIZE_MAX)
            answer += received
            if not received or endpoint.mode == "socks5":
                break
    except ConnectionError:
        # A reverse proxy without a target closes before it has read: that is its whole answer.
        if endpoint.mode != "reverse":
            raise
    return answer


def _question(mode: str, token: str) -> bytes:
    if mode == "socks5":
        return SOCKS_GREETING
    return _request(f"/{token}" if mode == "reverse" else f"http://{token}.invalid/{token}", f"{token}.invalid")


def _request(target: str, host: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


async def _open_tunnel(client: socket.socket, endpoint: LoopbackEndpoint, target: str) -> None:
    """Raises OSError when the proxy does not open it."""
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (endpoint.host, endpoint.port))
    await loop.sock_sendall(client, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    answer = await _receive_until(client, b"\r\n\r\n")
    if not re.match(rb"HTTP/1\.[01] 200 ", answer):
        raise _unexpected(answer)


async def _receive_until(client: socket.socket, end: bytes) -> bytes:
    """Up to the first ``end``, or what came before the connection ended."""
    loop = asyncio.get_running_loop()
    answer = b""
    while end not in answer and len(answer) < ANSWER_SIZE_MAX:
        received = await loop.sock_recv(client, ANSWER_SIZE_MAX)
        if not received:
            break
        answer += received
    return answer


def _unexpected(answer: bytes) -> OSError:
    return OSError(f"unexpected answer {answer[:40]!r}" if answer else "the connection was closed")
