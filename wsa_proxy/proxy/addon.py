"""The mitmproxy addon: one failover node inside one mitmproxy process, in its event loop.

What happens when:

- ``configure``, before mitmproxy has bound anything: read the file, take over the listeners (``listener.py``).
  A wrong file ends the process with all its errors: mitmproxy never runs without failover in silence.
- ``running``: bind the listeners, clean up after an earlier life, begin the self-tests (``liveness.py``). When each of
  them has passed, the node listens; it is master a master-down interval later at the earliest.
- a reload (SIGHUP, ``failover.reload``, ``wsa-proxy reload``): read the file again and take what has changed
  (``reload.py``). A wrong file changes nothing.
- ``done``: an orderly stop (``planned_stop.py``). mitmproxy also calls it when the script's own file is replaced or
  removed, but not where it is async: so an upgrade of the package beneath a running node changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mitmproxy import connection
from mitmproxy import ctx
from mitmproxy import exceptions
from mitmproxy import http
from mitmproxy.addonmanager import Loader
from mitmproxy.hooks import Hook
from mitmproxy.proxy import server_hooks

from wsa_proxy.config import ConfigError
from wsa_proxy.config import Loaded
from wsa_proxy.config import load
from wsa_proxy.proxy import descriptors
from wsa_proxy.proxy import hangup
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy import self_connect
from wsa_proxy.proxy.addon_commands import AddonCommands
from wsa_proxy.proxy.addon_page import AddonPage
from wsa_proxy.proxy.addon_tests import AddonTests
from wsa_proxy.proxy.addon_transitions import AddonTransitions
from wsa_proxy.proxy.collector import spare_the_collector
from wsa_proxy.proxy.connections import Connections
from wsa_proxy.proxy.hook_calls import HookCalls
from wsa_proxy.proxy.listener import FailoverListener
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.listening_socket import Address
from wsa_proxy.proxy.liveness import Liveness
from wsa_proxy.proxy.mitmproxy_servers import end_server
from wsa_proxy.proxy.modes import ListenerError
from wsa_proxy.proxy.pac_requests import PacRequests
from wsa_proxy.proxy.planned_stop import DRAIN_S_MAX
from wsa_proxy.proxy.planned_stop import PlannedStop
from wsa_proxy.proxy.planned_switch import PlannedSwitch
from wsa_proxy.proxy.proof import SharedProof
from wsa_proxy.proxy.proof import prove
from wsa_proxy.proxy.questions import Questions
from wsa_proxy.proxy.reload import Reloader
from wsa_proxy.proxy.reload import virtual_addresses
from wsa_proxy.proxy.self_tests import SelfTests
from wsa_proxy.proxy.service_probe import ServiceProbe
from wsa_proxy.proxy.shared_facts import SharedFacts
from wsa_proxy.proxy.vip_probe import probe
from wsa_proxy.runtime.clocks import boottime_s
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.group_switch import ProxySide
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.identity import derive_keys
from wsa_proxy.runtime.node import Node
from wsa_proxy.runtime.ports import Kernel
from wsa_proxy.runtime.record import Transition
from wsa_proxy.runtime.reload import addresses_of
from wsa_proxy.runtime.service import ServiceManager
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.settings import Settings

logger = logging.getLogger(__name__)

NO_CONFIG = "failover_config: not set; give the file with --set failover_config=FILE"
LARGE_BODIES = (
    "failover: stream_large_bodies is not set: while mitmproxy puts a body of some hundred MB together its loop stands"
    " still, and any client can move the virtual IPs so; --set stream_large_bodies=50m prevents it"
)
NOTIFIED_S_MAX = 3.0
"""So long a stop waits for what ``notify`` runs."""
TEST_AGAIN_S = 1.0  # after the self-tests have died of an error


class _FlushedLog(logging.Handler):
    """Lets what this product says reach a log file at once: a proxy that is killed would take the reason with it.

    A handler of the root logger, behind mitmproxy's, which prints into a buffer unless it is a terminal's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(logging.Filter("wsa_proxy"))

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):  # mitmproxy itself ends when its output is gone
            sys.stdout.flush()


class SignsOfLife:
    """Has the node look for what is due whenever mitmproxy calls a hook."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def began(self, _: Hook) -> None:
        self._look()

    def ended(self, _: Hook) -> None: ...


class CarpFailover(AddonCommands):
    """See the module's text. Decides nothing about mastery: the protocol does, on what this tells it."""

    name = "carp_failover"

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._listener: FailoverListener | None = None
        self._connections = Connections()
        self._loop_guard = self_connect.LoopGuard()
        self._self_tests = SelfTests()
        self._service_probe = ServiceProbe(self._self_tests, self._endpoints)
        self._questions = Questions(self._self_tests, boottime_s)
        self._hooks = HookCalls(self._self_tests)
        self._pac = PacRequests(self._in_force)
        self._addon_transitions = AddonTransitions()
        self._page = AddonPage()
        self._proven = asyncio.Event()
        self._addon_tests = AddonTests(clock=boottime_s)
        self._liveness: Liveness | None = None
        self._node: Node | None = None
        self._reloader: Reloader | None = None
        self._service = ServiceManager()
        self._tests: list[asyncio.Task[None]] = []
        self._feed_task: asyncio.Task[None] | None = None
        self._flushed_log = _FlushedLog()

    # -- life --------------------------------------------------------------------------------------------------------

    def load(self, loader: Loader) -> None:
        loader.add_option(
            "failover_config",
            str,
            "",
            "The YAML file with this node's failover groups. See configs/node-a.yaml for a commented example.",
        )

    def configure(self, updated: set[str]) -> None:
        if self._settings is not None:
            if "failover_config" in updated and _config_file() != self._settings.source:
                raise exceptions.OptionsError("failover_config cannot be changed while running: restart mitmproxy.")
            return
        if mitmproxy_internals.is_serving():
            raise exceptions.OptionsError("failover must be there when mitmproxy starts: restart it with this script.")
        if not ctx.options.failover_config:
            if mitmproxy_internals.is_updating():
                _refuse_to_run(NO_CONFIG)  # now, before the stock servers reach the wildcard
            return  # mitmdump --options asks for our options without having any
        try:
            loaded = _load()
            self._listener = FailoverListener(virtual_addresses(loaded.settings))
            self._listener.install()
            descriptors.raise_limit()
        except (ConfigError, ListenerError) as error:
            _refuse_to_run(str(error))
        logging.getLogger().addHandler(self._flushed_log)
        for problem in loaded.warnings:
            logger.warning("%s", problem)
        self._settings = loaded.settings

    async def running(self) -> None:
        if self._settings is None or self._listener is None:
            _refuse_to_run(NO_CONFIG)
        try:
            # The keys are another processor's work; meanwhile this one imports the kernel's room, which takes a quarter
            # of a second, most of it scapy's.
            processors, groups = len(os.sched_getaffinity(0)), self._settings.groups
            keys = asyncio.get_running_loop().run_in_executor(None, derive_keys, groups, processors)
            from wsa_proxy.runtime.kernel import LinuxKernel

            kernel = LinuxKernel(self._settings)
            await self._listener.open()
            self._hooks.install()
            await keys
            self._liveness = self._make_liveness(self._settings, self._listener)
            self._node = self._make_node(self._settings, kernel, self._liveness)
            self._node.reporting.on_redundancy = self._tell_redundancy
            self._reloader = Reloader(self._node, self._listener, _load, self._drain, self._take)
            await self._node.start()
            self._hooks.observers = [SignsOfLife(self._node.pulse.look), *self._addon_tests.observers]
            self._hooks.answers = self._pac.answers
        except PermissionError as error:
            _refuse_to_run(f"wsa-proxy: {error.strerror or error}")
        except (ListenerError, ControlError, OSError) as error:
            _refuse_to_run(str(error))
        if not ctx.options.stream_large_bodies:
            logger.warning("%s", LARGE_BODIES)
        spare_the_collector()
        hangup.follow(self._reloader.request, ctx.master.shutdown)
        self._service.ready()
        self._tests = [
            create_task(self._test(self._liveness), name="failover self-test"),
            create_task(self._test_addons(), name="failover addon tests"),
        ]
        self._feed_task = create_task(self._service.feed(), name="failover watchdog")
        self._page.begin(self._node, self._reloader, _load, self._proven)

    def _make_liveness(self, settings: Settings, listener: FailoverListener) -> Liveness:
        self._addon_tests.change(settings.health)
        return Liveness(
            listener,
            self._questions,
            self._set_health,
            settings.health,
            sources=self._addon_tests.sources,
            clock=boottime_s,
        )

    def _make_node(self, settings: Settings, kernel: Kernel, liveness: Liveness) -> Node:
        return Node(
            settings,
            kernel,
            close_connections=self._connections.close,
            loop_lag_s=lambda: liveness.loop_lag_s,
            on_fence=liveness.doubt,
            on_transition=self._tell_transition,
            facts=SharedFacts(settings=self._in_force, probes_from=self._service_probe.open()),
            proxy=ProxySide(
                SharedProof(self._prove),
                self._probe,
                PlannedSwitch(self._connections).hand_over,
                self._service_probe,
                self._connections,
            ),
            verbs=self._verbs(),
            more_status=lambda: {"pac": self._pac.status(), **self._page.status()},
        )

    def _in_force(self) -> Settings | None:
        return self._node.settings if self._node is not None else None

    def _tell_redundancy(self, vhid: int, healthy_standbys: int, text: str) -> None:
        self._addon_transitions.tell_redundancy(vhid, healthy_standbys, text)
        if self._node is not None:
            self._node.chronicle.redundancy(vhid, healthy_standbys, text)

    async def _prove(self) -> str:
        """By requests that begin now, before a planned switch."""
        return await prove(self._questions, self._listener.loopback_endpoints) if self._listener else "not started"

    async def _probe(self, address: Address, port: int) -> bool:
        """In a drill."""
        return await probe(self._endpoints, address, port)

    def _endpoints(self) -> Sequence[LoopbackEndpoint]:
        return self._listener.loopback_endpoints() if self._listener is not None else ()

    async def done(self) -> None:
        if self._listener is None:
            return
        self._service.stopping()
        for task in self._tests:
            task.cancel()
        if self._reloader is not None:
            await self._reloader.close()
        await self._page.close()
        if self._node is not None:
            await self._stop(self._node)
        self._listener.close_listeners()
        self._service_probe.close()
        self._hooks.uninstall()
        if self._feed_task is not None:
            self._feed_task.cancel()
        logging.getLogger().removeHandler(self._flushed_log)

    async def _stop(self, node: Node) -> None:
        stop = PlannedStop(self._connections, node.settings.drain_timeout_s)
        stop.follow_signals()
        try:
            await stop.leave(node.departure, addresses_of(node.settings.groups))
        finally:
            node.close()
        await stop.finish(mitmproxy_internals.stop_listening)
        await node.chronicle.notify.finish(NOTIFIED_S_MAX)

    async def _drain(self, addresses: Collection[Address]) -> None:
        """Let the requests being answered there finish: the groups of these addresses are about to end."""
        try:
            await asyncio.wait_for(self._connections.drain(addresses, DRAIN_S_MAX), DRAIN_S_MAX * 2)
        except TimeoutError:
            logger.warning("failover: the requests being answered were cut")
        except Exception:  # whatever went wrong with the clients, the others must hear that we leave
            logger.exception("failover: the connections could not be drained")

    async def _test(self, liveness: Liveness) -> None:
        """Health that nobody looks at any more must not stay good, and one error must not end the service for ever."""
        while True:
            try:
                await liveness.run()
            except Exception as error:
                logger.exception("failover: the self-tests have died, and begin anew")
                self._set_health(Health(hard=f"the self-tests have died: {error!r}", soft=None))
            await asyncio.sleep(TEST_AGAIN_S)

    async def _test_addons(self) -> None:
        """One error must not end them for ever."""
        while True:
            try:
                await self._addon_tests.run()
            except Exception:
                logger.exception("failover: the tests of the addons have died, and begin anew")
            await asyncio.sleep(TEST_AGAIN_S)

    def _take(self, settings: Settings) -> None:
        """The configuration was read again: how the proxy is tested from now on, and where the page is."""
        self._addon_tests.change(settings.health)
        if self._liveness is not None:
            self._liveness.change(settings.health)
        self._page.change(settings.admin)

    def _tell_transition(self, vhid: int, transition: Transition) -> None:
        """An ``OnTransition``."""
        self._addon_transitions.tell(vhid, transition)
        self._page.transition(vhid, transition)

    def _set_health(self, health: Health) -> None:
        if health.hard is None:
            self._proven.set()
        if self._node is not None:
            self._node.set_health(health)

    # -- the proxy's traffic -----------------------------------------------------------------------------------------

    def client_connected(self, client: connection.Client) -> None:
        self._loop_guard.client_connected(client)

    def client_disconnected(self, client: connection.Client) -> None:
        self._loop_guard.client_disconnected(client)
        self._connections.client_disconnected(client)

    async def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        if self._listener is not None:
            own = (*self._listener.listening_addresses(), *self._page.listening_addresses())
            await self_connect.refuse(data, own)

    def server_connected(self, data: server_hooks.ServerConnectionHookData) -> None:
        if self_connect.has_reached(data, self._page.listening_addresses()):
            end_server(data)
        self._loop_guard.server_connected(data)

    def server_disconnected(self, data: server_hooks.ServerConnectionHookData) -> None:
        self._loop_guard.server_disconnected(data)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self._connections.requestheaders(flow)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        self._connections.http_connect(flow)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        self._connections.responseheaders(flow)

    def response(self, flow: http.HTTPFlow) -> None:
        if self._liveness is not None:
            self._liveness.answered()
        self._connections.response(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._connections.error(flow)


def _config_file() -> Path:
    return Path(ctx.options.failover_config).expanduser()


def _load(running: Settings | None = None, text: str | None = None) -> Loaded:
    """At the start, or again for the node that runs with these settings; of a text that is not in the file yet.

    Raises ConfigError.
    """
    return load(_config_file(), text=text, listen_port=ctx.options.listen_port or 8080, running=running)


def _refuse_to_run(text: str) -> NoReturn:
    """End mitmproxy, which is just starting, with the reason."""
    print(text, file=sys.stderr, flush=True)
    sys.exit(1)
