"""A mitmproxy that crashes in every request is found, with the record that mitmproxy itself writes; one that crashes in
some is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from mitmproxy import connection
from mitmproxy.hooks import Hook
from mitmproxy.proxy import server_hooks
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.layers.http._hooks import HttpResponseHook
from mitmproxy.test import tflow

from wsa_proxy.proxy.core_crashes import CoreCrashes


class World:
    """Requests as the test says, half a second for each, and a mitmproxy that logs as the real one does."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.port = 1000
        self.loaded: list[object] = [object()]
        self.crashes = CoreCrashes(clock=lambda: self.now_s, addons=lambda: list(self.loaded))
        self.crashes.install()

    def call(self, hook: Hook) -> None:
        self.crashes.began(hook)
        self.crashes.ended(hook)

    def crash(self, client: connection.Client) -> None:
        try:
            raise TypeError("%d format")
        except TypeError:
            server = logging.getLogger("mitmproxy.proxy.server")
            server.error("mitmproxy has crashed!", exc_info=True, extra={"client": client.peername})

    def request(self, *, crashes: bool = True, is_answered: bool = True) -> connection.Client:
        self.port += 1
        client = tflow.tclient_conn()
        client.peername = ("10.0.0.50", self.port)
        flow = tflow.tflow(resp=True, client_conn=client)
        self.call(HttpRequestHook(flow))
        if is_answered:
            self.call(HttpResponseHook(flow))
        if crashes:
            self.crash(client)
        self.now_s += 0.5
        return client

    @property
    def evidence(self) -> str:
        return self.crashes.verdict(self.now_s)[0].evidence


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.crashes.uninstall()


@pytest.mark.parametrize("is_answered", [True, False])
def test_one_that_crashes_in_every_request_is_found_with_its_evidence(world: World, is_answered: bool) -> None:
    """Five requests in two seconds; before the answer, or when the last hook has been called and it is to be sent."""
    for _ in range(4):
        world.request(is_answered=is_answered)
        assert world.evidence == ""
    world.request(is_answered=is_answered)
    line = World.crash.__code__.co_firstlineno + 2
    assert world.evidence == (
        "mitmproxy crashed in each of the last 5 requests, for 2.0 s: TypeError('%d format')"
        f" (test_core_crashes.py line {line}); limit 5 in 2.0 s"
    )


def test_one_request_that_is_answered_shows_that_it_works_for_others(world: World) -> None:
    """Four of five fail, for a long time."""
    for count in range(50):
        world.request(crashes=count % 5 != 4)
    assert world.evidence == ""


def test_requests_side_by_side_are_each_judged_by_their_own_crash(world: World) -> None:
    """The last hook of several comes before the crash of any."""
    for _ in range(5):
        clients = [world.request(crashes=False) for _ in range(3)]
        world.now_s -= 1.5
        for client in clients:
            world.crash(client)
        world.now_s += 0.5
    assert "in each of the last 13 requests" in world.evidence


def test_a_burst_is_not_enough_and_one_connection_crashes_once(world: World) -> None:
    """Many, but not for two seconds; and a connection that goes on crashing with each packet is one request."""
    for _ in range(50):
        world.request()
        world.now_s -= 0.5
    world.now_s += 60
    assert world.evidence == ""
    world.crashes.forgive("begin anew")
    client = world.request()
    for _ in range(50):
        world.crash(client)
        world.now_s += 0.5
    assert world.evidence == ""


def test_two_in_a_row_another_script_or_the_operator_end_it(world: World) -> None:
    """As with addons that raise."""
    for end in ("passes", "script", "operator"):
        for _ in range(5):
            world.request()
        assert world.evidence != ""
        if end == "passes":
            world.request(crashes=False)
            assert world.evidence != ""
            world.request(crashes=False)
        elif end == "script":
            world.loaded.append(object())
        else:
            world.crashes.forgive("restored")
        assert world.evidence == ""


def test_a_crash_that_is_nobodys_counts_against_nobody(world: World) -> None:
    """A self-test's hooks are shown to no observer; a client that has gone is forgotten."""
    for _ in range(5):
        client = world.request(crashes=False)
        world.now_s -= 0.4
        world.call(server_hooks.ClientDisconnectedHook(client))
        world.crash(client)
        world.crash(tflow.tclient_conn())
        world.now_s += 0.5
    assert world.evidence == "" and world.crashes._asking == set()
