"""Answers requests for the PAC file, on the proxy's own listeners.

Two ways to ask, of which mitmproxy's flows tell nothing (in regular mode both look the same):

- *Directly*, ``GET /proxy.pac`` at a virtual IP, under whatever name the client knows it: the address that it has
  reached says which group is meant. Only the first bytes of a connection show it (``next_layer``); the answer ends the
  connection, so there is no second request in it.
- *Through the proxy*, ``GET http://NAME:PORT/proxy.pac``, where NAME is a hostname or a virtual IP of a group of this
  node and PORT is where it is served. Of another server a file of that name is fetched as any other.

Both only where the mode is an explicit HTTP proxy: elsewhere a path belongs to somebody else's server. Everything else
that is asked of the proxy itself is answered as before.

From ``requestheaders`` on no addon sees such a request, so it needs no ``proxyauth``, makes no flow, no name is looked
up and nothing is connected to. The connection is seen as any other: whom ``block_global`` or ``block_private`` refuse,
has no use for the file either.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from weakref import WeakSet

from mitmproxy import http
from mitmproxy.connection import Client
from mitmproxy.hooks import Hook
from mitmproxy.proxy.layer import NextLayer

from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.pac import Address
from wsa_proxy.proxy.pac import Asked
from wsa_proxy.proxy.pac import PacFiles
from wsa_proxy.proxy.pac import place_of
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

PATHS = ("/proxy.pac", "/wpad.dat")
METHODS = ("GET", "HEAD")
MODES = ("regular", "upstream")
FIRST_LINE = re.compile(rb"(?:GET|HEAD) /(?:proxy\.pac|wpad\.dat)[ ?]")
MARK = "failover_pac"  # in the metadata of a flow that is answered here
HEADERS = {
    "Content-Type": "application/x-ns-proxy-autoconfig",
    # Each client may have its own.
    "Cache-Control": "private, max-age=60",
    # A page that loads it as a script would learn the names in ``bypass``.
    "X-Content-Type-Options": "nosniff",
}


class PacRequests:
    """``settings``: those in force, asked at each request; None before there are any."""

    def __init__(self, settings: Callable[[], Settings | None]) -> None:
        self.served = 0
        """Since the start of the process."""
        self._settings = settings
        self._made_for: Settings | None = None
        self._made: PacFiles | None = None
        self._direct: WeakSet[Client] = WeakSet()
        """Those whose first request asks for the file directly, until its head has been read."""

    def answers(self, hook: Hook) -> bool:
        """Do what a request for the file needs at this hook; whether it was one, which no addon should see."""
        if hook.name == "next_layer":
            self._look(hook.args()[0])
            return False
        flow = getattr(hook, "flow", None)
        if not isinstance(flow, http.HTTPFlow):
            return False
        if hook.name == "requestheaders":
            return self._answer(flow)
        if MARK not in flow.metadata:
            return False
        self.served += hook.name == "response"
        return True

    def status(self) -> dict[str, Any] | None:
        """For the status document."""
        files = self._files()
        if files is None:
            return None
        return {"url": f"http://{place_of(files.groups[0])}{PATHS[0]}", "served": self.served}

    def _files(self) -> PacFiles | None:
        settings = self._settings()
        if settings is not self._made_for:
            self._made = PacFiles(settings.pac, settings.groups) if settings is not None and settings.pac else None
            self._made_for = settings
        return self._made

    def _look(self, asked: NextLayer) -> None:
        if mitmproxy_internals.is_for_proxy(asked) and FIRST_LINE.match(asked.data_client()):
            self._direct.add(asked.context.client)

    def _answer(self, flow: http.HTTPFlow) -> bool:
        client, request = flow.client_conn, flow.request
        is_direct = client in self._direct
        self._direct.discard(client)
        if request.method not in METHODS or request.path.partition("?")[0] not in PATHS:
            return False
        files = self._files()
        if files is None or client.proxy_mode.type_name not in MODES:
            return False
        reached, port = _address(client.sockname[0]), client.proxy_mode.custom_listen_port
        group = _reached(files.groups, reached) if is_direct else _named(files.groups, request, reached, port)
        if group is None:
            return False
        named = None if is_direct else _literal(request.host)
        asked = Asked(group.vhid, named or reached, _address(client.peername[0]), port)
        flow.response = _response(request, files.file(asked))
        flow.metadata[MARK] = True
        return True


def _reached(groups: Sequence[GroupSettings], address: Address) -> GroupSettings | None:
    """The group of this virtual IP."""
    return next((group for group in groups if address in group.addresses), None)


def _named(
    groups: Sequence[GroupSettings], request: http.Request, reached: Address, port: int | None
) -> GroupSettings | None:
    """The group whose virtual IP or hostname is asked for, at its own port; the one that was reached if it is one of
    several with that hostname."""
    served = [group for group in groups if request.port == (port or group.port)]
    address = _literal(request.host)
    if address is not None:
        return _reached(served, address)
    name = _name(request.host)
    of_that_name = [group for group in served if _name(group.hostname) == name]
    return _reached(of_that_name, reached) or next(iter(of_that_name), None)


def _address(text: str) -> Address:
    """An IPv4-mapped address is the one inside; a link-local one is known without its interface."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _literal(host: str) -> Address | None:
    """The address that stands in a URL, or None for a name."""
    try:
        return _address(host.strip("[]"))
    except ValueError:
        return None


def _name(host: str) -> str:
    return host.lower().removesuffix(".")


def _response(request: http.Request, body: bytes) -> http.Response:
    response = http.Response.make(200, b"" if request.method == "HEAD" else body, HEADERS)
    response.headers["Content-Length"] = str(len(body))
    if not request.is_http2 and not request.is_http3:  # there this header is an error
        response.headers["Connection"] = "close"
    return response
