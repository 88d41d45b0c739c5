"""With idle addons passed over, addons are called exactly as mitmproxy calls them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy import options
from mitmproxy.addonmanager import AddonManager
from mitmproxy.hooks import Hook
from mitmproxy.hooks import UpdateHook
from mitmproxy.master import Master
from mitmproxy.tools.dump import DumpMaster

from wsa_proxy.proxy import mitmproxy_idle_addons
from wsa_proxy.proxy.mitmproxy_idle_addons import IdleAddons

type Called = list[str]


class Idle:
    """Has nothing to do with ``update``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


class Sync(Idle):
    def __init__(self, name: str, called: Called, then: Callable[[], object] = lambda: None) -> None:
        super().__init__(name)
        self.called, self.then = called, then

    def update(self, _: Any) -> None:
        self.called.append(self.name)
        self.then()


class Async(Sync):
    async def update(self, _: Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.called.append(self.name)
        self.then()


class NotCallable(Idle):
    update = 42


class Module(Idle):
    update = logging  # ``from mitmproxy import ...`` has made such names: mitmproxy passes over them


class Falsy(Idle):
    update = ()


class Asked(Idle):
    """Says what it has only when it is asked, and complains."""

    @property
    def update(self) -> Any:
        raise ZeroDivisionError("do not ask")


class Parent(Idle):
    def __init__(self, name: str, *children: object) -> None:
        super().__init__(name)
        self.addons = children


class BadParent(Idle):
    @property
    def addons(self) -> Any:
        raise ZeroDivisionError("nobody at home")


def fail(error: Exception) -> Callable[[], None]:
    def raising() -> None:
        raise error

    return raising


def chain_of(called: Called, manager: AddonManager, handler: type[Sync]) -> list[object]:
    """All that an addon may be, in one chain; what comes behind shows what each has done to the rest."""
    late = handler("late", called)
    gone = handler("gone", called)

    def replace() -> None:
        manager.chain = [each for each in manager.chain if each is not gone]  # as ``remove`` does
        manager.chain.append(late)

    return [
        *(Idle("idle"), handler("first", called), NotCallable("a number"), Module("a module"), Falsy("nothing")),
        *(Asked("asked"), handler("raises", called, fail(KeyError("x"))), BadParent("bad parent")),
        Parent("parent", Idle("child"), handler("second", called, fail(KeyError("y"))), handler("unreached", called)),
        Parent("outer", Parent("inner", handler("third", called))),
        handler("adds", called, lambda: manager.chain.append(handler("added", called))),
        *(handler("replaces", called, replace), gone, Idle("last")),
    ]


async def run(trigger: str, handler: type[Sync], *, passed_over: bool, more: Callable[[Called], object]) -> list[Any]:
    """What is called, what is logged and what is raised when ``update`` is triggered twice."""
    called: Called = []
    records: list[tuple[str, str]] = []
    # Without a Master, which would call the addons again for each line that is logged.
    manager = AddonManager(SimpleNamespace(options=options.Options()))
    manager.chain = [*chain_of(called, manager, handler), more(called), handler("behind", called)]
    collector = logging.Handler()
    collector.emit = lambda record: records.append((record.name, record.getMessage()))  # type: ignore[method-assign]
    logging.getLogger().addHandler(collector)
    idle = IdleAddons(manager)
    try:
        if passed_over:
            assert idle.install()
        for _ in range(2):
            try:
                result = getattr(manager, trigger)(UpdateHook([]))
                if result is not None:
                    await result
            except exceptions.OptionsError as error:
                called.append(f"raised {error}")
    finally:
        logging.getLogger().removeHandler(collector)
        idle.uninstall()
    return [called, records]


MORE: dict[str, Callable[[Called], object]] = {
    "nobody": lambda called: Idle("nobody"),
    "halts": lambda called: Sync("halts", called, fail(exceptions.AddonHalt())),
    "refuses": lambda called: Sync("refuses", called, fail(exceptions.OptionsError("no"))),
    "adds a handler": lambda called: Sync("once", called, lambda: setattr(Idle, "update", Sync.update)),
}


@pytest.mark.parametrize("more", MORE)
@pytest.mark.parametrize(("trigger", "handler"), [("trigger_event", Sync), ("trigger_event", Async), ("trigger", Sync)])
async def test_all_is_called_and_told_as_by_mitmproxy(trigger: str, handler: type[Sync], more: str) -> None:
    """Order, errors, halts, children, what is added and removed meanwhile: the same calls, and the same log."""
    seen = []
    for passed_over in (False, True):
        seen.append(await run(trigger, handler, passed_over=passed_over, more=MORE[more]))
        if "update" in vars(Idle):
            delattr(Idle, "update")
    assert seen[0] == seen[1]
    assert seen[0][0][:2] == ["first", "raises"] and len(seen[0][1]) > 5, "the chain has met all its cases"


async def test_a_handler_that_comes_later_is_called() -> None:
    """Nothing is remembered: a script is loaded again, an addon gets a method, another one loses it."""
    called: Called = []
    master = Master(options.Options(), event_loop=asyncio.get_running_loop())
    idle = IdleAddons(master.addons)
    assert idle.install()
    script = Parent("script", Idle("version 1"))
    single = Idle("single")
    master.addons.add(script, single)
    await master.addons.trigger_event(UpdateHook([]))
    assert called == []
    script.addons = (Sync("version 2", called),)
    single.update = lambda _: called.append("single")  # type: ignore[attr-defined]
    master.addons.add(Sync("added", called))
    await master.addons.trigger_event(UpdateHook([]))
    assert called == ["version 2", "single", "added"]
    master.addons.remove(single)
    await master.addons.trigger_event(UpdateHook([]))
    assert called == ["version 2", "single", "added", "version 2", "added"]
    idle.uninstall()


async def test_idle_addons_cost_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of mitmdump's addons only those that have something to do, or children that may, are prepared to be called."""
    asked: list[object] = []
    stock = AddonManager.invoke_addon

    async def counting(manager: AddonManager, addon: object, event: Hook) -> None:
        asked.append(addon)
        await stock(manager, addon, event)

    master = DumpMaster(options.Options(), loop=asyncio.get_running_loop(), with_termlog=False, with_dumper=False)
    idle = IdleAddons(master.addons)
    assert idle.install()
    monkeypatch.setattr(AddonManager, "invoke_addon", counting)
    await master.addons.trigger_event(UpdateHook([]))
    assert len(master.addons.chain) > 30 > 5 >= len(asked), asked
    idle.uninstall()
    asked.clear()
    await master.addons.trigger_event(UpdateHook([]))
    assert len(asked) == len(master.addons.chain)


async def test_what_is_not_known_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another mitmproxy, another class, somebody else who stands there: then all stays, and is given back to nobody."""

    class Other(AddonManager): ...

    master = Master(options.Options(), event_loop=asyncio.get_running_loop())
    assert not IdleAddons(Other(master)).install()  # type: ignore[no-untyped-call]
    taken = IdleAddons(master.addons)
    assert taken.install()
    second = IdleAddons(master.addons)
    assert not second.install()
    second.uninstall()
    assert "trigger_event" in vars(master.addons)
    taken.uninstall()
    taken.uninstall()
    assert not {"trigger_event", "trigger"} & vars(master.addons).keys()

    async def newer(manager: AddonManager, event: Hook) -> None: ...

    monkeypatch.setattr(AddonManager, "trigger_event", newer)
    assert not taken.install()


def test_this_is_the_mitmproxy_that_was_read() -> None:
    """If it fails: read how mitmproxy calls its addons now, and whether it may still pass over the idle ones."""
    assert mitmproxy_idle_addons.digest() == mitmproxy_idle_addons.READ_SHA256
