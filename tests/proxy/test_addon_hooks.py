"""The hooks are hooks of mitmproxy: found by their name, with one argument to which fields can be added."""

from __future__ import annotations

from mitmproxy.hooks import all_hooks

from wsa_proxy.proxy.addon_hooks import FailoverHealthData
from wsa_proxy.proxy.addon_hooks import FailoverHealthHook
from wsa_proxy.proxy.addon_hooks import FailoverTransitionHook


def test_the_hook_is_registered_under_the_name_that_addons_use() -> None:
    """mitmproxy derives it from the class."""
    assert all_hooks["failover_health"] is FailoverHealthHook
    data = FailoverHealthData()
    assert FailoverHealthHook(data).args() == [data]
    assert all_hooks["failover_transition"] is FailoverTransitionHook
