"""The product's addon with ``lag_probe.py`` behind it: what burst.py loads into the lab's nodes."""

from __future__ import annotations

from tests.bench.lag_probe import LagProbe
from wsa_proxy.proxy.addon import CarpFailover

addons = [CarpFailover(), LagProbe()]
