"""Failover for mitmproxy: ``mitmdump -s addons/carp_failover.py --set failover_config=configs/node-a.yaml``.

This script only puts the addon into mitmproxy; what it does is in ``wsa_proxy/proxy/addon.py``.
"""

from __future__ import annotations

from wsa_proxy.proxy.collector import at_rest

with at_rest():
    from wsa_proxy.proxy.addon import CarpFailover

addons = [CarpFailover()]
