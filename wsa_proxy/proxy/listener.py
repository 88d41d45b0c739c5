"""The failover listener: the proxy is bound to its virtual IPs before they are local, and to nothing it need not be.

A ``mode`` without a host would listen on every address of the host (0.0.0.0 and ::). That is refused here, because a
request for any other own address then loops through the proxy until its descriptors are gone. Instead such a mode is
served on

- every virtual IP, with IP_FREEBIND or IPV6_FREEBIND, so that a takeover never waits for a bind (no privilege and no
  sysctl needed), at the group's port or at the port that the mode spec names;
- 127.0.0.1 at the mode's own port, for this host's self-tests: a backup that asked its virtual IP would reach the
  master. If that port is taken, a free one is used.

Only the sockets are ours. Accepted streams go to the stock instance of the mode, so flows, options and recorded
files are those of a plain mitmproxy. A mode with a host of its own is left alone; the option ``listen_host`` takes
the place of 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from ipaddress import IPv4Address
from typing import Any

from mitmproxy import ctx

from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.accept_pace import AcceptPace
from wsa_proxy.proxy.accept_queue import AcceptQueue
from wsa_proxy.proxy.listening_socket import ACCEPT_QUEUE
from wsa_proxy.proxy.listening_socket import ACCEPTS_PER_TURN
from wsa_proxy.proxy.listening_socket import Address
from wsa_proxy.proxy.listening_socket import ListeningSocket
from wsa_proxy.proxy.listening_socket import is_bound_to
from wsa_proxy.proxy.listening_socket import open_listening_socket
from wsa_proxy.proxy.listening_socket import what_helps
from wsa_proxy.proxy.mitmproxy_internals import Instance
from wsa_proxy.proxy.mitmproxy_internals import SocketName
from wsa_proxy.proxy.modes import ListenerError
from wsa_proxy.proxy.modes import check_mode
from wsa_proxy.proxy.modes import is_ours
from wsa_proxy.proxy.modes import is_wildcard
from wsa_proxy.proxy.modes import speaks_http

logger = logging.getLogger(__name__)

LOOPBACK = IPv4Address("127.0.0.1")


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """One virtual IP and the port on which a mode without a port of its own is served there."""

    address: Address
    """A link-local one with its interface."""
    port: int


@dataclass(frozen=True, slots=True)
class LoopbackEndpoint:
    """Where this host can ask one mode whether it answers, without leaving the host."""

    mode: str
    """mitmproxy's name of the mode's type: regular, upstream, socks5, reverse."""
    spec: str
    """The mode as the user wrote it."""
    host: str
    port: int


@dataclass(eq=False, slots=True)
class _Listening:
    """One listening socket of ours."""

    instance: Instance
    address: Address
    port: int
    socket: ListeningSocket
    virtual: bool
    queue: AcceptQueue = field(default_factory=AcceptQueue)
    server: asyncio.Server | None = None
    """None until the loop watches the socket."""
    wrong: str | None = None
    """Why it was found broken; it stays so until it is replaced."""
    right_name: object = None
    """The kernel's name of the socket when it was last found to be ours: while it is the same there is nothing to read
    in it. None for a link-local address, whose interface may be made anew."""

    @property
    def stopped(self) -> bool:
        """Closed in an orderly way, by us or because mitmproxy stopped the mode."""
        if self.wrong is None:
            return self.socket.fileno() < 0
        return self.server not in mitmproxy_internals.servers_of(self.instance)

    def find_wrong(self, now_s: float) -> str | None:
        """The phrase for a broken socket, or None. A few microseconds."""
        try:
            name = self.socket.getsockname()
            if name != self.right_name and not self._is_bound(name):
                return f"{self._told} is now another one: {name}"
            wrong = self.queue.find_wrong(self.socket, now_s)
        except OSError as error:
            return f"{self._told} is gone ({error.strerror})"
        return wrong and f"{self._told} {wrong}"

    def _is_bound(self, name: object) -> bool:
        """As ``is_bound_to``, which reads the name; it is kept if it may be."""
        bound = is_bound_to(self.socket, self.address, self.port)
        if bound and getattr(self.address, "scope_id", None) is None:
            self.right_name = name
        return bound

    @property
    def _told(self) -> str:
        return f"the listening socket of {self.address} port {self.port}"

    async def serve(self) -> asyncio.Server:
        """Let the loop accept, and hand every stream to mitmproxy. Raises OSError."""
        self.server = await asyncio.start_server(
            self.instance.handle_stream, sock=self.socket, backlog=ACCEPTS_PER_TURN
        )
        self.socket.pace = AcceptPace()
        self.socket.wants_answers = speaks_http(self.instance.mode)
        self.socket.listen(ACCEPT_QUEUE)  # asyncio has set the queue to ACCEPTS_PER_TURN as well
        return self.server

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
        self.socket.close()


class FailoverListener:
    """Owns the listening sockets of all modes that name no host."""

    def __init__(self, addresses: Sequence[VirtualAddress]) -> None:
        self._addresses = tuple(dict.fromkeys(addresses))
        self._listening: list[_Listening] = []
        self._bound_before: list[Instance] = []
        """Stock servers that were bound to the wildcard before we came; open() stops them."""
        self._errors = mitmproxy_internals.ExpectedErrors()
        self._opening = False

    # --- life -------------------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Take the binding over, before the stock servers reach the wildcard: from the addon's ``configure``.

        Raises ListenerError when a mode cannot be served on a virtual IP; the stock servers are withdrawn even then.
        """
        try:
            mitmproxy_internals.take_over_listen(self._listen)
        except RuntimeError as error:
            raise ListenerError(str(error)) from error
        self._errors.install()
        self._bound_before = mitmproxy_internals.withdraw_starting(self._errors)
        self._check_listen_host()
        for mode in mitmproxy_internals.parsed_modes():
            if is_ours(mode) and mitmproxy_internals.owns_sockets(mode):
                check_mode(mode)

    async def open(self) -> None:
        """Bring all servers up: from the addon's ``running``. Raises ListenerError with the first reason."""
        for instance in self._bound_before:
            await instance.stop()
            mitmproxy_internals.forget(instance)
        self._bound_before = []
        await self._set_up()
        if ctx.options.server and not self._served():
            raise ListenerError(
                "nothing is served on the virtual IPs: every mode names a host of its own. "
                "Leave the host out of the one that the virtual IPs are for, for example `--mode regular`."
            )

    async def _set_up(self) -> None:
        """Start what has no server yet, and give those that had one before us (listen_host) their virtual IPs."""
        self._opening = True
        try:
            await mitmproxy_internals.set_up_servers()
        finally:
            self._opening = False
        for instance in self._served():
            if not instance.is_running:
                raise ListenerError(str(instance.last_exception))
            if not any(listening.instance is instance for listening in self._current()):
                mitmproxy_internals.servers_of(instance).extend(await self._serve_virtual(instance))

    def uninstall(self) -> None:
        """Stop listening on the virtual IPs and let mitmproxy bind its modes itself again."""
        mitmproxy_internals.give_back_listen()
        self._errors.uninstall()
        for listening in self._current():
            if listening.virtual:
                listening.close()

    def close_listeners(self) -> None:
        """Close every listening socket of ours: the last step of an orderly stop."""
        for listening in self._current():
            listening.close()

    # --- other virtual IPs ------------------------------------------------------------------------------------------

    async def add(self, addresses: Sequence[VirtualAddress]) -> None:
        """Serve these as well. Raises ListenerError, and then everything is as it was."""
        before = self._addresses
        async with mitmproxy_internals.updating():
            self._addresses = tuple(dict.fromkeys([*before, *addresses]))
            try:
                self._check_listen_host()
                for instance in self._served():
                    if instance.is_running:
                        mitmproxy_internals.servers_of(instance).extend(await self._serve_virtual(instance))
            except BaseException:
                self.keep(before)
                raise

    def keep(self, addresses: Sequence[VirtualAddress]) -> None:
        """Serve these and no others any more; their clients' connections have been ended."""
        self._addresses = tuple(dict.fromkeys(addresses))
        for listening in self._current():
            if listening.virtual and (listening.address, listening.port) not in self._places(listening.instance):
                servers = mitmproxy_internals.servers_of(listening.instance)
                if listening.server in servers:
                    servers.remove(listening.server)
                listening.close()

    def _places(self, instance: Instance) -> dict[tuple[Address, int], None]:
        """Where this mode is to be served: a port of its own is the same on every virtual IP."""
        port = instance.mode.custom_listen_port
        return dict.fromkeys((virtual.address, port or virtual.port) for virtual in self._addresses)

    # --- health -----------------------------------------------------------------------------------------------------

    def broken(self, now_s: float) -> str | None:
        """The first thing that is wrong with the listening sockets, or None. Cheap: to be asked ten times a second.

        A socket found broken is no longer watched by the loop, which would otherwise spin on it.
        """
        if mitmproxy_internals.is_updating():
            return None  # mitmproxy is carrying out a change of the modes; what comes out of it counts
        served = self._served()
        if not served:
            return "nothing is served on the virtual IPs (no mode without a host, or the option server is off)"
        current = self._current()
        for instance in served:
            if not instance.is_running or not any(listening.instance is instance for listening in current):
                return str(instance.last_exception or f"mode {instance.mode.full_spec} does not listen")
        for listening in current:  # all of them, so that they are replaced together
            if listening.wrong is None:
                listening.wrong = listening.find_wrong(now_s)
                if listening.wrong is not None:
                    asyncio.get_running_loop().remove_reader(listening.socket.fileno())
        return next((listening.wrong for listening in current if listening.wrong is not None), None)

    async def reopen(self) -> None:
        """Replace what is broken. Raises ListenerError when it cannot be; try again later."""
        for instance in self._served():
            if not instance.is_running:
                mitmproxy_internals.forget(instance)
        await self._set_up()
        for old in self._current():
            if old.wrong is None:
                continue
            old.close()
            new = self._bind(old.instance, old.address, old.port, old.virtual)
            servers = mitmproxy_internals.servers_of(old.instance)
            servers[servers.index(old.server)] = await new.serve()
            self._listening.remove(old)

    # --- where ------------------------------------------------------------------------------------------------------

    def listening_addresses(self) -> tuple[SocketName, ...]:
        """Every address and port that means this process: all TCP listeners, and the virtual IPs even when closed."""
        names = [(str(virtual.address), virtual.port) for virtual in self._addresses]
        names += [(str(listening.address), listening.port) for listening in self._current()]
        for instance in mitmproxy_internals.instances():
            if not is_ours(instance.mode) or ctx.options.listen_host:
                names += mitmproxy_internals.tcp_names(instance)
        return tuple(dict.fromkeys(names))

    def loopback_endpoints(self) -> tuple[LoopbackEndpoint, ...]:
        """One address per served mode where this host reaches it, whoever holds the virtual IPs."""
        virtual = {listening.server for listening in self._current() if listening.virtual}
        endpoints = []
        for instance in self._served():
            if local := mitmproxy_internals.tcp_names(instance, besides=virtual):
                endpoints.append(LoopbackEndpoint(instance.mode.type_name, instance.mode.full_spec, *local[0]))
        return tuple(endpoints)

    def _served(self) -> list[Instance]:
        return [instance for instance in mitmproxy_internals.instances() if is_ours(instance.mode)]

    def _current(self) -> list[_Listening]:
        """Our sockets without those of modes that were stopped."""
        self._listening = [listening for listening in self._listening if not listening.stopped]
        return list(self._listening)

    # --- sockets ----------------------------------------------------------------------------------------------------

    def _check_listen_host(self) -> None:
        host = ctx.options.listen_host
        if host and (is_wildcard(host) or host in {str(virtual.address) for virtual in self._addresses}):
            raise ListenerError(
                f"listen_host {host} is in the way of the virtual IPs, which are served without it. "
                "Remove the option, or set it to another address of this host."
            )

    async def _listen(self, instance: Instance, host: str, port: int) -> list[Any]:
        """What binds a mode instead of mitmproxy's own method. Raises ListenerError, or OSError for a mode's host."""
        if not is_ours(instance.mode):
            return await mitmproxy_internals.stock_listen(instance, host, port)
        try:
            check_mode(instance.mode)
            if host:
                servers = await mitmproxy_internals.stock_listen(instance, host, port)
            else:
                servers = [await self._bind_loopback(instance, port).serve()]
            try:
                return servers + await self._serve_virtual(instance)
            except ListenerError:
                for server in servers:
                    server.close()
                raise
        except (ListenerError, OSError) as error:
            if self._opening and isinstance(error, ListenerError):
                self._errors.expect(str(error))  # open() raises it; logged by mitmproxy it would be said twice
            raise

    async def _serve_virtual(self, instance: Instance) -> list[asyncio.Server]:
        """Serve one mode on every virtual IP where it is not served yet, or on none of these. Raises ListenerError."""
        mode = instance.mode
        made: list[_Listening] = []
        served = {(each.address, each.port) for each in self._current() if each.instance is instance}
        places = [place for place in self._places(instance) if place not in served]
        try:
            for address, port in places:
                made.append(self._bind(instance, address, port, virtual=True))
            servers = [await listening.serve() for listening in made]
        except OSError as error:
            raise ListenerError(f"{mode.description} cannot listen on the virtual IPs: {error}") from error
        finally:
            if not all(listening.server for listening in made) or len(made) < len(places):
                for listening in made:
                    listening.close()
        if mode.transport_protocol == "both":
            logger.warning(f"mode {mode.full_spec} is served over TCP only on the virtual IPs; its UDP part is not.")
        return servers

    def _bind_loopback(self, instance: Instance, port: int) -> _Listening:
        try:
            bound = open_listening_socket(LOOPBACK, port)
        except OSError as error:
            bound = open_listening_socket(LOOPBACK, 0)
            logger.info(
                f"{LOOPBACK} port {port} is not free ({error.strerror}): "
                f"self-tests of mode {instance.mode.full_spec} use port {bound.getsockname()[1]} instead"
            )
        listening = _Listening(instance, LOOPBACK, bound.getsockname()[1], bound, virtual=False)
        self._listening.append(listening)
        return listening

    def _bind(self, instance: Instance, address: Address, port: int, virtual: bool) -> _Listening:
        mode = instance.mode
        for other in self._current():
            if other.instance is not instance and (other.address, other.port) == (address, port):
                raise ListenerError(
                    f"modes {other.instance.mode.full_spec} and {mode.full_spec} both want {address} port {port}. "
                    f"Give one of them a port of its own, for example `--mode {mode.full_spec}@{port + 1}`."
                )
        try:
            bound = open_listening_socket(address, port)
        except OSError as error:
            raise ListenerError(
                f"{mode.description} cannot listen on {address} port {port}: {error.strerror}. "
                f"{what_helps(error, port)}"
            ) from error
        listening = _Listening(instance, address, port, bound, virtual)
        self._listening.append(listening)
        return listening
