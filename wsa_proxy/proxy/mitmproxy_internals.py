"""All that we use of mitmproxy beyond its public API, in one place, each use with a test of its own.

mitmproxy offers no way for an addon to say where a mode listens, and a script is loaded while the stock servers are
already on their way to the wildcard address:

1. ``Master.run`` starts ``Proxyserver.setup_servers``. For an empty host asyncio asks getaddrinfo in a thread, so
   every stock server is suspended there and nothing is bound yet.
2. In the *same* turn of the loop the script is loaded and its ``configure`` runs.
3. The stock servers would be resumed and bound in a later turn.

So whoever acts in ``configure`` is in time: ``take_over_listen`` replaces the method that binds, and
``withdraw_starting`` ends the servers of step 1. Read in mitmproxy 12.2.3 and 12.3.1.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
from collections import Counter
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import fields
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address
from operator import attrgetter
from typing import Any

from mitmproxy import ctx
from mitmproxy.connection import Client
from mitmproxy.connection import Server
from mitmproxy.hooks import Hook
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers import ClientTLSLayer
from mitmproxy.proxy.layers import HttpLayer
from mitmproxy.proxy.layers import ServerTLSLayer
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.mode_servers import AsyncioServerInstance
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.mode_servers import ServerInstance
from mitmproxy.proxy.mode_specs import ProxyMode

type Instance = AsyncioServerInstance[Any]
type SocketName = tuple[str, int]
"""Address and port; IPv6 names without flow and scope."""
type Listen = Callable[[Instance, str, int], Awaitable[list[Any]]]
"""Binds one mode: instance, host ("" for none), port -> the servers that it owns from now on."""
type HandleHook = Callable[[Hook], Awaitable[None]]
"""Calls the addons for one hook of a connection."""

CANCELLED = ""  # str(CancelledError()): what Servers.update logs for a start that we have cancelled

_stock_listen: Listen = AsyncioServerInstance.listen


def proxyserver() -> Any:
    """mitmproxy's addon that owns servers and client connections."""
    found = ctx.master.addons.get("proxyserver")
    if found is None:
        raise RuntimeError("mitmproxy runs without its proxyserver addon: there is nothing to fail over")
    return found


def is_serving() -> bool:
    """Whether mitmproxy has started already."""
    return bool(proxyserver().is_running)


# --- the listening side ---------------------------------------------------------------------------------------------


def take_over_listen(listen: Listen) -> None:
    """From now on ``listen`` binds every mode, at run time as well. Raises RuntimeError when already taken over."""
    if AsyncioServerInstance.listen is not _stock_listen:
        raise RuntimeError("the failover listener is already installed in this mitmproxy")

    async def patched(instance: Instance, host: str, port: int) -> list[Any]:
        return await listen(instance, host, port)

    AsyncioServerInstance.listen = patched  # type: ignore[assignment,method-assign]


def give_back_listen() -> None:
    """Let mitmproxy bind its modes itself again; harmless when repeated."""
    AsyncioServerInstance.listen = _stock_listen  # type: ignore[assignment,method-assign]


async def stock_listen(instance: Instance, host: str, port: int) -> list[Any]:
    """Bind as mitmproxy would."""
    return await _stock_listen(instance, host, port)


def instances() -> list[Instance]:
    """The servers of all modes that own sockets; local and tun modes have none."""
    return [instance for instance in proxyserver().servers if isinstance(instance, AsyncioServerInstance)]


def parsed_modes() -> list[ProxyMode]:
    """The ``mode`` option, parsed. Raises ValueError for a spec that mitmproxy refuses as well."""
    return [ProxyMode.parse(spec) for spec in ctx.options.mode]


def owns_sockets(mode: ProxyMode) -> bool:
    """Whether mitmproxy binds sockets for this mode: local and tun modes bind none."""
    return issubclass(type(ServerInstance.make(mode, proxyserver())), AsyncioServerInstance)


def servers_of(instance: Instance) -> list[Any]:
    """The list of servers that the instance owns; changing it changes what the instance closes and shows."""
    return instance._servers


def tcp_names(instance: Instance, besides: Collection[object] = ()) -> list[SocketName]:
    """Where the instance listens for TCP, beside these servers."""
    return [
        listening.getsockname()[:2]
        for server in instance._servers
        if isinstance(server, asyncio.Server) and server not in besides
        for listening in server.sockets
    ]


def listening_on(addresses: Collection[IPv4Address | IPv6Address]) -> list[socket.socket]:
    """asyncio's views of the TCP sockets that listen on one of these addresses."""
    found = []
    for instance in instances():
        for server in instance._servers:
            for listening in server.sockets if isinstance(server, asyncio.Server) else ():
                if ip_address(listening.getsockname()[0].partition("%")[0]) in addresses:
                    found.append(listening)
    return found


def stop_listening() -> None:
    """Accept no more clients over TCP in any mode; those that are served are left alone."""
    for instance in instances():
        for server in instance._servers:
            if isinstance(server, asyncio.Server):
                server.close()


def is_updating() -> bool:
    """Whether mitmproxy is starting or stopping servers right now."""
    return bool(proxyserver().servers.is_updating)


def updating() -> asyncio.Lock:
    """Held by mitmproxy while it starts or stops servers; to be held by whoever changes what they listen on."""
    lock: asyncio.Lock = proxyserver().servers._lock
    return lock


def withdraw_starting(expected: ExpectedErrors) -> list[Instance]:
    """End every stock server that is on its way to the wildcard; answers those that are bound there already.

    A withdrawn one is forgotten, so that ``set_up_servers`` makes it anew. mitmproxy logs an error for each task that
    we cancel, which would end the process at start: ``expected`` drops exactly these records.
    """
    waiting = {id(instance): task for instance, task in _starting()}
    bound = []
    for instance in instances():
        if instance.mode.listen_host(ctx.options.listen_host):
            continue  # it never goes to the wildcard
        if task := waiting.get(id(instance)):
            expected.expect(CANCELLED)
            task.cancel()
            forget(instance)
        elif instance.is_running:
            bound.append(instance)
    return bound


def _starting() -> Iterator[tuple[Instance, asyncio.Task[Any]]]:
    for task in asyncio.all_tasks():
        coroutine = task.get_coro()
        if inspect.iscoroutine(coroutine) and coroutine.cr_code is ServerInstance.start.__code__:
            yield inspect.getcoroutinelocals(coroutine)["self"], task


def forget(instance: Instance) -> None:
    """Take the instance off mitmproxy's books, so that the next ``set_up_servers`` makes a new one."""
    proxyserver().servers._instances.pop(instance.mode, None)


async def set_up_servers() -> None:
    """Start every mode that has no server. Look at the instances afterwards: errors are only logged."""
    await proxyserver().setup_servers()


class ExpectedErrors(logging.Filter):
    """Drops error records of mitmproxy's proxyserver that we caused or report ourselves, each one once."""

    def __init__(self) -> None:
        super().__init__()
        self._expected: Counter[str] = Counter()

    def install(self) -> None:
        logging.getLogger("mitmproxy.addons.proxyserver").addFilter(self)

    def uninstall(self) -> None:
        logging.getLogger("mitmproxy.addons.proxyserver").removeFilter(self)

    def expect(self, text: str) -> None:
        self._expected[text] += 1

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if not self._expected[text]:
            return True
        self._expected[text] -= 1
        return False


# --- the hooks of the connections -----------------------------------------------------------------------------------


def take_over_hooks(handle: HandleHook) -> HandleHook:
    """From now on ``handle`` gets every hook of every connection; answers what calls the addons, as mitmproxy would.

    Hooks about no connection (load, configure, running, done) do not pass here. Raises RuntimeError when already taken
    over.
    """
    addons = ctx.master.addons
    if "handle_lifecycle" in vars(addons):
        raise RuntimeError("the hooks of this mitmproxy are already taken over")
    stock: HandleHook = addons.handle_lifecycle
    addons.handle_lifecycle = handle  # type: ignore[assignment,method-assign]
    return stock


def give_back_hooks() -> None:
    """Let mitmproxy call its addons itself again; harmless when repeated."""
    vars(ctx.master.addons).pop("handle_lifecycle", None)


_paths_to_client: dict[type[Hook], Callable[[Hook], Client] | None] = {}


def client_of(hook: Hook) -> Client | None:
    """Whose connection a hook is about, or None: a hook carries a client, or something that leads to one."""
    kind = type(hook)
    if kind not in _paths_to_client:
        _paths_to_client[kind] = _path_to_client(hook)
    path = _paths_to_client[kind]
    return path(hook) if path else None


def _path_to_client(hook: Hook) -> Callable[[Hook], Client] | None:
    for field in fields(hook):  # type: ignore[arg-type]
        for tail in ("", ".client_conn", ".client", ".context.client"):
            path = attrgetter(field.name + tail)
            try:
                if isinstance(path(hook), Client):
                    return path
            except AttributeError:
                continue
    return None


def is_for_proxy(asked: NextLayer) -> bool:
    """Whether these bytes are for the proxy itself, and not for a server in a tunnel."""
    return len(asked.context.layers) == 1


def choose_layer(asked: NextLayer, *, to_server: bool) -> None:
    """TLS where the client begins it, else HTTP. Unless ``to_server``, without a layer that connects to anything.

    What mitmproxy's own addon would choose if it had no options such as ignore_hosts and tcp_hosts.
    """
    context, data = asked.context, asked.data_client()
    if len(data) < 3:  # a TLS record cannot be told yet; asked again when there is more
        return
    is_proxy = isinstance(context.layers[-1], modes.HttpProxy | modes.HttpUpstreamProxy)
    if starts_like_tls_record(data):
        if to_server:
            asked.layer = ServerTLSLayer(context)
            asked.layer.child_layer = ClientTLSLayer(context)
        else:
            asked.layer = ClientTLSLayer(context)
    elif to_server and isinstance(context.layers[-1], modes.HttpUpstreamProxy):
        asked.layer = HttpLayer(context, HTTPMode.upstream)
    else:
        asked.layer = HttpLayer(context, HTTPMode.regular if is_proxy else HTTPMode.transparent)


async def call_addon(name: str, hook: Hook) -> None:
    """Call one of mitmproxy's own addons for a hook, and no other; nothing when it is not there."""
    addons = ctx.master.addons
    if (addon := addons.get(name)) is not None:
        await addons.invoke_addon(addon, hook)


def tlsconfig() -> Any:
    """mitmproxy's addon that makes certificates and answers TLS handshakes."""
    found = ctx.master.addons.get("tlsconfig")
    if found is None:
        raise RuntimeError("mitmproxy runs without its tlsconfig addon: it cannot answer TLS")
    return found


def expected_certificate(name: str) -> tuple[str, bool]:
    """What the certificate that a client of ``name`` is shown leads back to, in PEM, and whether it bears the name.

    That is mitmproxy's CA, which makes one for the name; or one that the operator gave for every name (``--certs``).
    """
    store = tlsconfig().certstore
    for key in (*store.asterisk_forms(name), "*"):
        if (given := store.certs.get(key)) is not None:
            return given.cert.to_pem().decode(), False
    return store.default_ca.to_pem().decode(), True


def own_ca() -> Any | None:
    """The certificate that those of all servers lead back to; None before mitmproxy has read or made it."""
    found = ctx.master.addons.get("tlsconfig")
    store = getattr(found, "certstore", None)
    return None if store is None else store.default_ca


# --- the clients' side ----------------------------------------------------------------------------------------------


def tcp_handlers() -> list[ProxyConnectionHandler]:
    """One handler per client connection over TCP."""
    return [
        handler
        for handler in list(proxyserver().connections.values())
        if handler.client.transport_protocol == "tcp" and client_transport(handler) is not None
    ]


def is_connected(client_id: str) -> bool:
    """Whether this client connection is still being handled."""
    return client_id in proxyserver().connections


def client_transport(handler: ProxyConnectionHandler) -> asyncio.Transport | None:
    """The transport towards the client, or None once it is closed."""
    transports = handler.transports.get(handler.client)
    if transports is None or not isinstance(transports.writer, asyncio.StreamWriter):
        return None
    return transports.writer.transport  # type: ignore[return-value]


def end_handler(handler: ProxyConnectionHandler) -> None:
    """Let mitmproxy clean a client connection up as if it had been closed by command. Nothing more is sent."""
    transports = handler.transports.get(handler.client)
    if transports is None:
        return
    if isinstance(transports.writer, asyncio.StreamWriter):
        transports.writer.transport.abort()
    if transports.handler is not None:  # None while the client_connected hook runs; it then meets the end by reading
        handler.close_connection(handler.client)


def end_client(client: Client) -> None:
    """End one client connection at once; harmless when it is gone."""
    handler = proxyserver().connections.get(client.id)
    if handler is not None:
        end_handler(handler)


def upstream_proxy(server: Server) -> SocketName | None:
    """The upstream proxy through which ``server`` is reached, or None."""
    return server.via[1][:2] if server.via else None


class HiddenClients(logging.Filter):
    """Drops the lines about clients that are self-tests, ours or other members'; what went wrong is their evidence."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: dict[SocketName, str] = {}
        """With the token of the self-test, as a port may be used again."""
        self.members: frozenset[SocketName] = frozenset()
        """Where other nodes' probes of the virtual IPs come from."""

    def install(self) -> None:
        logging.getLogger("mitmproxy.proxy.server").addFilter(self)

    def uninstall(self) -> None:
        logging.getLogger("mitmproxy.proxy.server").removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        client = getattr(record, "client", None)
        if record.levelno >= logging.ERROR or client is None:
            return True
        return client[:2] not in self.hidden and client[:2] not in self.members
