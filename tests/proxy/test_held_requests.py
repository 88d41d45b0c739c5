"""Requests that an addon holds are found while the loop turns and nobody is answered; a slow one is none of them."""

from __future__ import annotations

import asyncio

import pytest
from mitmproxy.hooks import Hook
from mitmproxy.proxy import server_hooks
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.layers.http._hooks import HttpResponseHook
from mitmproxy.test import tflow

from wsa_proxy.proxy.held_requests import HeldRequests


class World:
    """Hooks begin and end as the test says; the loop turns ten times a second."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.loaded: list[object] = [object()]
        self.held = HeldRequests(clock=lambda: self.now_s, addons=lambda: list(self.loaded))

    def turn(self, duration_s: float) -> None:
        for _ in range(round(duration_s * 10)):
            self.now_s += 0.1
            self.held.verdict(self.now_s)[0]

    def stand_still(self, duration_s: float) -> None:
        self.now_s += duration_s
        self.held.verdict(self.now_s)[0]

    def begin(self, count: int = 1) -> list[Hook]:
        """Requests that an addon has got, each on a connection of its own."""
        hooks: list[Hook] = [HttpRequestHook(tflow.tflow(client_conn=tflow.tclient_conn())) for _ in range(count)]
        for hook in hooks:
            self.held.began(hook)
        return hooks

    def end(self, *hooks: Hook) -> None:
        for hook in hooks:
            self.held.ended(hook)

    def answer(self) -> None:
        """Somebody else's request is answered."""
        hook = HttpResponseHook(tflow.tflow(resp=True))
        self.held.began(hook)
        self.held.ended(hook)

    @property
    def evidence(self) -> str:
        return self.held.verdict(self.now_s)[0].evidence


@pytest.fixture
def world() -> World:
    world = World()
    world.turn(5)
    return world


def test_requests_that_wait_longer_than_the_limit_are_found_with_their_evidence(world: World) -> None:
    """Three of them, of three clients, begun within a second."""
    for _ in range(3):
        world.begin()
        world.turn(0.3)
    world.turn(1.6)
    assert world.evidence == ""
    world.turn(0.4)
    assert world.evidence == (
        "3 hooks `request` of 3 connections wait for an addon, for 2.1 to 2.7 s, and none came through; limit 2.0"
    )
    assert not world.held.verdict(world.now_s)[0].passed


def test_a_single_slow_addon_call_is_none(world: World) -> None:
    """Nor are two, nor many of one connection."""
    hooks = world.begin(2)
    client = hooks[0].args()[0].client_conn
    for _ in range(10):
        world.held.began(HttpRequestHook(tflow.tflow(client_conn=client)))
    world.turn(60)
    assert world.evidence == ""


def test_while_others_come_through_nobody_is_held(world: World) -> None:
    """An addon that lets some wait (for a login, say) lets the others through."""
    world.begin(10)
    for _ in range(30):
        world.turn(1.5)
        world.end(*world.begin())
    assert world.evidence == ""
    world.turn(2.3)
    assert world.evidence != ""


def test_while_somebody_is_answered_nobody_is_held(world: World) -> None:
    """Whatever kind of hook waits: the proxy serves."""
    world.begin(10)
    for _ in range(30):
        world.turn(1.5)
        world.answer()
    assert world.evidence == ""


def test_what_was_cancelled_did_not_come_through(world: World) -> None:
    """mitmproxy ends the hooks of a connection that is gone: that is no sign that the addon works."""
    world.begin(3)
    world.turn(1.5)
    try:
        raise asyncio.CancelledError
    except asyncio.CancelledError:
        world.end(*world.begin(3))
    world.turn(0.8)
    assert world.evidence != ""


def test_a_process_that_stood_still_has_held_nobody(world: World) -> None:
    """Ten seconds in which nothing could come through; then it does."""
    hooks = world.begin(100)
    for _ in range(9):
        world.stand_still(10.0)
    assert world.evidence == ""
    world.end(*hooks)
    world.turn(10)
    assert world.evidence == ""


def test_waiting_for_a_name_server_is_none(world: World) -> None:
    """Our own addon looks up where a server is, and the name server may be dead: that is no fault of this node."""
    for _ in range(5):
        data = server_hooks.ServerConnectionHookData(tflow.tserver_conn(), tflow.tclient_conn())
        world.held.began(server_hooks.ServerConnectHook(data))
    world.turn(60)
    assert world.evidence == ""


def test_two_that_come_through_end_it(world: World) -> None:
    """Of the same kind; and those that were held before do not make it begin again, however long they wait."""
    hooks = world.begin(5)
    world.turn(3)
    evidence = world.evidence
    assert evidence
    world.answer()  # another kind proves nothing
    world.answer()
    world.end(hooks[0])
    assert world.evidence == evidence
    world.end(hooks[1])
    assert world.evidence == ""
    world.turn(60)
    assert world.evidence == ""
    world.begin(3)
    world.turn(6.6)  # by now it is known to be slow
    assert world.evidence != ""


def test_a_slow_addon_is_found_once_and_known_then(world: World) -> None:
    """It lets everybody through after 3 s: two nodes with it would demote each other for ever, and serve nobody."""
    faults = 0
    for _ in range(10):
        hooks = world.begin(6)
        world.turn(3)
        faults += world.evidence != ""
        world.end(*hooks)
        assert world.evidence == ""
    assert faults == 1
    world.begin(6)
    world.turn(5.5)
    assert world.evidence == ""
    world.turn(1)
    assert "; limit 5." in world.evidence


@pytest.mark.parametrize("other_script", [False, True])
def test_a_fault_that_is_over_makes_nobody_patient_for_long(world: World, other_script: bool) -> None:
    """After 100 quick ones of that kind, or with another script, the limit is the usual one."""
    hooks = world.begin(6)
    world.turn(3)
    assert world.evidence
    if other_script:
        world.end(hooks[0])
        world.loaded.append(object())
    else:
        world.end(*hooks)
        world.end(*world.begin(100))
    world.turn(3)
    assert world.evidence == ""
    world.begin(3)
    world.turn(2.3)
    assert world.evidence


def test_patience_has_an_end(world: World) -> None:
    """An addon may have taken an hour for somebody."""
    hooks = world.begin()
    world.turn(200)
    world.end(*hooks)
    world.begin(3)
    world.turn(59.8)
    assert world.evidence == ""
    world.turn(0.5)
    assert "; limit 60.0" in world.evidence


def test_the_operator_or_another_script_ends_it(world: World) -> None:
    """Those that were held stay held, and count no more."""
    world.begin(5)
    world.turn(3)
    world.held.forgive("restored")
    world.turn(60)
    assert world.evidence == ""
    world.begin(5)
    world.turn(3)
    assert world.evidence != ""
    world.loaded.append(object())
    world.turn(60)
    assert world.evidence == ""


def test_nothing_is_kept_of_hooks_that_have_ended(world: World) -> None:
    """As many entries as hooks that wait."""
    for _ in range(100):
        world.end(*world.begin(10))
    assert world.held._waiting == {}
    world.end(*[HttpRequestHook(tflow.tflow())])  # it began before anybody looked on
