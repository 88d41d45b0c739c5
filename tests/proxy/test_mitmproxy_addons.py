"""What we use of mitmproxy's addon manager does what we take it to do."""

from __future__ import annotations

import logging
from types import TracebackType

from mitmproxy.hooks import RunningHook
from mitmproxy.test import taddons

from wsa_proxy.proxy import mitmproxy_addons


async def test_an_addons_exception_is_told_where_it_was_raised(inside: taddons.context) -> None:
    """The exception and the traceback from the addon's own function on, of sync and async handlers; nothing once
    uninstalled. The record itself goes on to the log."""
    told: list[tuple[str, str]] = []

    class Sync:
        def running(self) -> None:
            raise KeyError("sync")

    class Async:
        async def running(self) -> None:
            raise KeyError("async")

    def tell(error: BaseException, traceback: TracebackType | None) -> None:
        assert traceback is not None
        told.append((str(error), traceback.tb_frame.f_code.co_qualname.rpartition(".<locals>.")[2]))

    inside.master.addons.add(Sync(), Async())
    log = mitmproxy_addons.AddonErrorLog(tell)
    log.install()
    await inside.master.addons.trigger_event(RunningHook())
    assert told == [("'sync'", "Sync.running"), ("'async'", "Async.running")]
    assert log.filter(logging.LogRecord("x", logging.ERROR, "", 0, "without an exception", (), None))
    log.uninstall()
    await inside.master.addons.trigger_event(RunningHook())
    assert len(told) == 2


def test_loaded_addons_and_their_handlers_are_found(inside: taddons.context) -> None:
    """Those inside of other addons as well; what is no function handles nothing."""

    class Inner:
        name = "inner"

        def failover_health(self, data: object) -> None: ...

    class Outer:
        name = "outer"
        failover_health = "no function"

        def __init__(self) -> None:
            self.addons = [Inner()]

    outer = Outer()
    inside.master.addons.add(outer)
    assert outer in mitmproxy_addons.loaded_addons() and outer.addons[0] in mitmproxy_addons.loaded_addons()
    assert mitmproxy_addons.handlers("failover_health") == {"inner": outer.addons[0].failover_health}
    inside.master.addons.remove(outer)
    assert mitmproxy_addons.handlers("failover_health") == {}
    assert outer not in mitmproxy_addons.loaded_addons()
