"""Tells the other addons of each transition, and of lost redundancy: whoever implements ``failover_transition`` or
``failover_redundancy`` is called."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from wsa_proxy.proxy import mitmproxy_addons
from wsa_proxy.proxy.addon_hooks import FailoverRedundancyData
from wsa_proxy.proxy.addon_hooks import FailoverRedundancyHook
from wsa_proxy.proxy.addon_hooks import FailoverTransitionData
from wsa_proxy.proxy.addon_hooks import FailoverTransitionHook
from wsa_proxy.runtime.record import Transition
from wsa_proxy.runtime.tasks import create_task

logger = logging.getLogger(__name__)

LIMIT_S = 10.0  # for one call; it may have to tell somebody over the network
CALLS_MAX = 1024  # under way at once: 255 groups change together, twice, and two addons want to know

type Data = FailoverTransitionData | FailoverRedundancyData


class AddonTransitions:
    """``handlers`` answers name and handler of each addon that has one for a hook."""

    def __init__(
        self,
        *,
        handlers: Callable[[str], dict[str, Callable[..., Any]]] = mitmproxy_addons.handlers,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._handlers = handlers
        self._limit_s = limit_s
        self._under_way = 0

    def tell(self, vhid: int, transition: Transition) -> None:
        """An ``OnTransition``. mitmproxy's tasks are eager, and an addon must not run in the middle of a turn."""
        report = transition.report
        old, new = report.old.value, report.new.value
        data = FailoverTransitionData(vhid, old, new, report.reason, report.evidence, transition.who)
        asyncio.get_running_loop().call_soon(self._call_all, FailoverTransitionHook.name, data, data.new)

    def tell_redundancy(self, vhid: int, healthy_standbys: int, text: str) -> None:
        """An ``OnRedundancy``."""
        data = FailoverRedundancyData(vhid, healthy_standbys, text)
        asyncio.get_running_loop().call_soon(self._call_all, FailoverRedundancyHook.name, data, text)

    def _call_all(self, hook: str, data: Data, text: str) -> None:
        for name, handler in self._handlers(hook).items():
            if self._under_way >= CALLS_MAX:
                logger.warning("failover: group %d is %s: the addon %s is not told", data.group, text, name)
                continue
            self._under_way += 1
            create_task(self._call(hook, name, handler, data), name=f"{hook} of {name}")

    async def _call(self, hook: str, name: str, handler: Callable[..., Any], data: Data) -> None:
        try:
            async with asyncio.timeout(self._limit_s):
                answer = handler(data)
                if inspect.isawaitable(answer):
                    await answer
        except TimeoutError:
            logger.warning("failover: %s of the addon %s: not done in %.1f s", hook, name, self._limit_s)
        except Exception:
            logger.warning("failover: %s of the addon %s raised", hook, name, exc_info=True)
        finally:
            self._under_way -= 1
