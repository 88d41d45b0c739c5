"""A reload in the pump's tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.runtime.world import Host
from wsa_proxy.runtime.reload import make_plan


def reload(host: Host, **changes: Any) -> None:
    """Group 1 gets other settings; those of the whole node have their own names."""
    top = {name: changes.pop(name) for name in ("preempt", "clock_tolerance_s", "stall_limit_s") if name in changes}
    first, *others = host.node.settings.groups
    new = replace(host.node.settings, groups=(replace(first, **changes), *others), **top)
    host.node.apply(make_plan(host.node.settings, new))
