"""The kernel's settings (sysctl net.ipv4.conf) on which a virtual IP relies.

Of two values the kernel takes the greater: that of the interface and the one for ``all``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.finding import unique
from wsa_proxy.net.interface_settings import ARP_ANNOUNCE_BEST
from wsa_proxy.net.interface_settings import ARP_IGNORE_OTHERS
from wsa_proxy.net.interface_settings import RP_FILTER_STRICT
from wsa_proxy.net.virtual_interface import interface_name

NAMES = ("rp_filter", "arp_ignore", "arp_announce")
ALL = "all"
_CONF = Path("/proc/sys/net/ipv4/conf")


def read_settings(interfaces: list[str], conf: Path = _CONF) -> dict[tuple[str, str], int]:
    """Of these interfaces, as far as they are there, and of ``all``."""
    found = {}
    for interface in (ALL, *interfaces):
        for name in NAMES:
            try:
                found[interface, name] = int((conf / interface / name).read_text())
            except (OSError, ValueError):
                continue  # carp<ID> is there while a node runs; a check says what it could not read
    return found


def wanted_interfaces(groups: tuple[Group, ...]) -> list[str]:
    """The groups' interfaces, and the ones that the virtual MACs have while a node runs."""
    names = [group.interface for group in groups if group.interface]
    return list(dict.fromkeys([*names, *(interface_name(group.vhid) for group in groups if group.virtual_mac)]))


def check(facts: Facts) -> Iterator[Answer]:
    if (ALL, "rp_filter") not in facts.settings:
        yield NotMade("/proc/sys/net/ipv4/conf cannot be read")
        return
    yield from unique(answer for group in facts.groups for answer in _of_group(facts, group))


def _of_group(facts: Facts, group: Group) -> Iterator[Answer]:
    if not any(address.version == 4 for address in group.addresses):
        return
    own = interface_name(group.vhid) if group.virtual_mac else group.interface
    if group.virtual_mac:
        yield from _wrong(
            facts, own, "rp_filter", (RP_FILTER_STRICT,), "the kernel drops what comes in for a virtual IP there", 0
        )
    yield from _wrong(
        facts,
        own,
        "arp_ignore",
        range(ARP_IGNORE_OTHERS + 1, 9),
        "the kernel does not answer for a virtual IP, which has no subnet of its own",
        ARP_IGNORE_OTHERS,
    )
    if facts.node is None or facts.node.group(group.vhid).get("state") not in ("master", "backup"):
        return
    # The node has set both at its start, on the physical interface; somebody may have put them back since.
    for name, value, harm in (
        (
            "arp_announce",
            ARP_ANNOUNCE_BEST,
            "the kernel's own ARP requests may name the virtual IP: neighbours are lost",
        ),
        (
            "arp_ignore",
            ARP_IGNORE_OTHERS,
            "this host may answer for a virtual IP where it must not",
        ),
    ):
        if (group.interface, name) in facts.settings and _effective(facts, group.interface, name) < value:
            yield _finding(facts, group.interface, name, f"{harm}; the node had set it to {value}", value)


def _wrong(
    facts: Facts, interface: str, name: str, bad: tuple[int, ...] | range, harm: str, right: int
) -> Iterator[Finding]:
    if _effective(facts, interface, name) in bad:
        guilty = interface if facts.settings.get((interface, name)) in bad else ALL
        yield _finding(facts, guilty, name, harm, right)


def _finding(facts: Facts, interface: str, name: str, harm: str, right: int) -> Finding:
    setting = f"net.ipv4.conf.{interface}.{name}"
    return Finding(
        f"{setting} is {facts.settings.get((interface, name), 0)}: {harm}",
        f"/proc/sys/net/ipv4/conf/{interface}/{name}",
        f"sysctl -w {setting}={right}, and in /etc/sysctl.d, or it is back after the next start",
    )


def _effective(facts: Facts, interface: str, name: str) -> int:
    return max(facts.settings.get((interface, name), 0), facts.settings.get((ALL, name), 0))
