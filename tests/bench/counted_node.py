"""The product's addon with ``soak_probe.py`` behind it: what soaked.py loads into the lab's nodes."""

from __future__ import annotations

from tests.bench.soak_probe import SoakProbe
from wsa_proxy.proxy.addon import CarpFailover

addons = [CarpFailover(), SoakProbe()]
