"""The operator wants a better backup to wait no longer before it preempts (``carp/calm.py``)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import PreemptionReleased
from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.settings import GroupSettings

logger = logging.getLogger(__name__)


def end_waits(groups: Iterable[tuple[GroupSettings, Driver]], vhid: str) -> dict[str, Any]:
    """Of the group with this id, or of all if it is empty. Answers ``changes``, a line for each, or an ``error``."""
    chosen = [(group.vhid, driver) for group, driver in groups if vhid in ("", str(group.vhid))]
    if not chosen:
        return {"error": f"no group has the id {vhid}"}
    changes: list[str] = []
    for number, driver in chosen:
        with apart(number, "preempt"):
            changes.append(f"group {number}: {_end_wait(driver)}")
    return {"changes": changes}


def _end_wait(driver: Driver) -> str:
    host = driver.virtual_host
    if host.state is not State.BACKUP:
        return f"is {host.state.value}, and waits for nothing"
    if not host.settings.preempt:
        return "is non-preemptive, and waits for nothing"
    waited, master = host.calm.waits, host.last_master
    driver.tell(PreemptionReleased())
    logger.info("carp vhid=%d waits no longer before it preempts: the operator wants it", driver.record.vhid)
    return f"preempts {master} at its next advertisement" if waited else "waits no longer before it preempts"
