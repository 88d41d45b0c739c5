"""An addon that raises in every request is found; one that raises in some is not. With real addons in mitmproxy's own
addon manager, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mitmproxy import connection
from mitmproxy import http
from mitmproxy.hooks import Hook
from mitmproxy.hooks import all_hooks
from mitmproxy.proxy import server_hooks
from mitmproxy.proxy.layers.http._hooks import HttpConnectHook
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.layers.http._hooks import HttpResponseHook
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from wsa_proxy.proxy import every_request
from wsa_proxy.proxy import held_requests
from wsa_proxy.proxy.addon_errors import MARKED_MAX
from wsa_proxy.proxy.addon_errors import AddonErrors
from wsa_proxy.settings import Limits


class Broken:
    """An addon that raises in these hooks, for those that ``spares`` does not."""

    def __init__(self) -> None:
        self.raises_in = {"request"}
        self.spared: set[str] = set()
        self.raises: Exception = KeyError("x")

    def client_connected(self, client: connection.Client) -> None:
        self._raise("client_connected")

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.id not in self.spared:
            self._raise("request")

    def http_connect(self, flow: http.HTTPFlow) -> None:
        self._raise("http_connect")

    def response(self, flow: http.HTTPFlow) -> None:
        self._raise("response")

    def _raise(self, hook: str) -> None:
        if hook in self.raises_in:
            raise self.raises


class World:
    """mitmproxy's addon manager with a broken addon in it, and whoever looks on."""

    def __init__(self, context: taddons.context) -> None:
        self.now_s = 100.0
        self.addon = Broken()
        self.addons = context.master.addons
        self.addons.add(self.addon)
        self.errors = AddonErrors(clock=lambda: self.now_s)
        self.errors.install()

    async def call(self, hook: Hook) -> None:
        """As HookCalls does."""
        self.errors.began(hook)
        try:
            await self.addons.handle_lifecycle(hook)
        finally:
            self.errors.ended(hook)

    async def request(
        self, *, spared: bool = False, client: connection.Client | None = None, lost: bool = False
    ) -> None:
        """One request from its beginning to its end; half a second passes meanwhile."""
        flow = tflow.tflow(resp=True, client_conn=client or tflow.tclient_conn())
        if spared:
            self.addon.spared.add(flow.id)
        await self.call(HttpRequestHook(flow))
        self.now_s += 0.5
        await self.call(HttpErrorHook(flow) if lost else HttpResponseHook(flow))

    @property
    def evidence(self) -> str:
        return self.errors.verdict(self.now_s)[0].evidence


@pytest.fixture
def world() -> Iterator[World]:
    with taddons.context() as context:
        world = World(context)
        yield world
        world.errors.uninstall()


async def test_an_addon_that_raises_in_every_request_is_found_with_its_evidence(world: World) -> None:
    """Five requests in two seconds; whether they end with an answer or without one."""
    for count in range(4):
        await world.request(lost=bool(count % 2))
        assert world.evidence == ""
    await world.request()
    line = Broken.request.__code__.co_firstlineno + 2
    assert world.evidence == (
        "an addon raised in each of the last 5 requests, for 2.0 s: KeyError('x') in request"
        f" (test_addon_errors.py line {line}); limit 5 in 2.0 s"
    )
    assert not world.errors.verdict(world.now_s)[0].passed


async def test_a_burst_is_not_enough(world: World) -> None:
    """The parts of one page that an addon cannot bear: many, but not for two seconds."""
    for _ in range(50):
        await world.request()
        world.now_s -= 0.5
    assert world.evidence == ""


async def test_one_request_without_an_error_shows_that_it_works_for_others(world: World) -> None:
    """Four of five fail, for a long time: the node serves badly, and so would another one with the same addon."""
    for count in range(50):
        await world.request(spared=count % 5 == 4)
    assert world.evidence == ""


async def test_two_in_a_row_without_an_error_end_it(world: World) -> None:
    """One alone does not."""
    for _ in range(5):
        await world.request()
    for spared in (True, False, True):
        await world.request(spared=spared)
        assert world.evidence != ""
    await world.request(spared=True)
    assert world.evidence == "" and world.errors.verdict(world.now_s)[0].passed


async def test_the_operator_ends_it_and_it_is_found_again(world: World) -> None:
    """It takes as many requests as the first time."""
    for _ in range(5):
        await world.request()
    world.errors.forgive("restored")
    for _ in range(4):
        await world.request()
        assert world.evidence == ""
    await world.request()
    assert world.evidence != ""


async def test_another_script_ends_it(world: World) -> None:
    """The operator has corrected it and mitmproxy has loaded it again."""
    for _ in range(5):
        await world.request()
    assert world.evidence != ""
    world.addons.remove(world.addon)
    assert world.evidence == ""


@pytest.mark.parametrize("hook", ["client_connected", "http_connect"])
async def test_errors_about_the_connection_count_against_its_next_request(world: World, hook: str) -> None:
    """Once: on a connection that lives long, the requests after that are as good as others."""
    world.addon.raises_in = {hook}
    client = tflow.tclient_conn()
    for count in range(10):
        if count < 5:
            client = tflow.tclient_conn()
            flow = tflow.tflow(client_conn=client)
            connected = server_hooks.ClientConnectedHook(client)
            await world.call(connected if hook == "client_connected" else HttpConnectHook(flow))
        await world.request(client=client)
        assert (world.evidence != "") == (4 <= count <= 5), count


async def test_two_requests_of_one_client_at_once_are_two(world: World) -> None:
    """HTTP/2: the one that met an error ends after one that met none, so the last one of them all was wrong."""
    world.errors.change(Limits(0.0, 2, 1))
    client = tflow.tclient_conn()
    wrong, right = (tflow.tflow(resp=True, client_conn=client) for _ in range(2))
    world.addon.spared.add(right.id)
    await world.call(HttpRequestHook(wrong))
    await world.call(HttpRequestHook(right))
    await world.call(HttpResponseHook(right))
    assert world.evidence == ""
    await world.call(HttpResponseHook(wrong))
    assert world.evidence != ""


async def test_a_client_that_has_gone_is_forgotten(world: World) -> None:
    """And there is a bound for those that never go."""
    world.addon.raises_in = {"client_connected"}
    client = tflow.tclient_conn()
    await world.call(server_hooks.ClientConnectedHook(client))
    assert len(world.errors._marked) == 1
    await world.call(server_hooks.ClientDisconnectedHook(client))
    assert len(world.errors._marked) == 0
    world.errors._marked = {str(number): "" for number in range(MARKED_MAX)}
    await world.call(server_hooks.ClientConnectedHook(client))
    assert len(world.errors._marked) == MARKED_MAX and "0" not in world.errors._marked


async def test_what_is_raised_outside_of_a_hook_counts_against_nobody(world: World) -> None:
    """A self-test's hooks are shown to no observer; mitmproxy may call addons about other things as well."""
    for _ in range(5):
        flow = tflow.tflow(resp=True)
        await world.addons.handle_lifecycle(HttpRequestHook(flow))
        world.now_s += 0.5
        await world.call(HttpResponseHook(flow))
    assert world.evidence == "" and world.errors._marked == {}


async def test_an_exception_that_cannot_be_shown_is_named_and_a_long_one_is_cut(world: World) -> None:
    """Whatever an addon raises, the evidence is one line."""

    class Mean(Exception):
        def __repr__(self) -> str:
            raise RuntimeError("no")

        __str__ = __repr__

    for error, said in ((ValueError("a\nb" * 500), "ValueError('a\\nba"), (OSError("a  \n b"), "OSError('a \\n b')")):
        world.errors.forgive("another one")
        world.addon.raises = error
        for _ in range(5):
            await world.request()
        assert said in world.evidence and "\n" not in world.evidence and len(world.evidence) < 400
    world.errors._raised(Mean(), None)
    world.errors.began(HttpRequestHook(tflow.tflow()))
    world.errors._raised(Mean(), None)
    assert list(world.errors._marked.values()) == ["Mean in request"]


def test_every_hook_that_is_named_is_one_of_mitmproxys() -> None:
    """A hook that is renamed upstream would never be seen."""
    names = every_request.REQUEST_HOOKS | held_requests.ANSWERS | held_requests.NOT_JUDGED | {"client_disconnected"}
    assert names <= set(all_hooks)
