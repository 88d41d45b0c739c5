"""The real addon with groups on several interfaces: what happens to one is nothing to the other."""

from __future__ import annotations

from pathlib import Path

from tests.cable import Lan
from tests.proxy.test_addon import CONFIG
from tests.proxy.test_addon import START_S_MAX
from tests.proxy.test_addon import VIP
from tests.proxy.test_addon import Node

ELSEWHERE = "10.1.0.3"
GROUP = f"""\
  - id: 2
    hostname: proxy.example.com
    virtual_ip: {ELSEWHERE}/24
    priority: 255
    shared_secret: twelve-and-more
    advertisement_interval: 0.25
"""


def test_groups_on_two_interfaces(lan: Lan, tmp_path: Path) -> None:
    """Each has its virtual MAC on its own interface, found by the address; a cable that is pulled ends one of them."""
    lan.ip("link add extra type veth peer name more")
    for interface in ("extra", "more"):
        lan.ip(f"link set {interface} up")
    lan.ip("address add 10.1.0.1/24 dev extra")
    config = tmp_path / "node.yaml"
    config.write_text(CONFIG + GROUP)
    config.chmod(0o600)
    node = Node(lan, tmp_path)
    lan.until(lambda: node.log.count("-> MASTER") == 2, f"mastery in {node.log}", START_S_MAX)
    assert lan.address(VIP, "carp1") and lan.address(ELSEWHERE, "carp2")
    assert "carp1@left" in lan.ip("link") and "carp2@extra" in lan.ip("link")
    lan.ip("link set more down")
    lan.until(lambda: 'vhid=2 MASTER -> INIT reason="extra is down"' in node.log, "the end of one")
    assert lan.held(VIP) and not lan.held(ELSEWHERE)
    lan.ip("link set more up")
    lan.until(lambda: node.log.count("-> MASTER") == 3, "its return")
    assert node.transitions() == 2, node.log
    assert "Traceback" not in node.end()
