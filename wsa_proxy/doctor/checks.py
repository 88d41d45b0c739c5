"""All checks, in the order in which a reader should meet what they find: what is nearest first."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable

from wsa_proxy.doctor import authority
from wsa_proxy.doctor import carrying
from wsa_proxy.doctor import configuration
from wsa_proxy.doctor import file_modes
from wsa_proxy.doctor import firewall
from wsa_proxy.doctor import kernel_settings
from wsa_proxy.doctor import members
from wsa_proxy.doctor import passing
from wsa_proxy.doctor import process
from wsa_proxy.doctor import reflection
from wsa_proxy.doctor import speakers
from wsa_proxy.doctor import virtual_ip
from wsa_proxy.doctor import virtual_mac
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Examination
from wsa_proxy.doctor.finding import unique

CHECKS: dict[str, Callable[[Facts], Iterable[Answer]]] = {
    "configuration": configuration.check_file,
    "interface and subnet": configuration.check_interface,
    "running node": process.check_node,
    "rights": process.check_rights,
    "memory": process.check_memory,
    "virtual IP": virtual_ip.check,
    "other speakers": speakers.check,
    "reflection": reflection.check,
    "advertisements between members": passing.check,
    "members": members.check_members,
    "redundancy": members.check_redundancy,
    "clocks": members.check_clocks,
    "kernel settings": kernel_settings.check,
    "packet filter": firewall.check,
    "virtual MAC": virtual_mac.check,
    "open connections": carrying.check,
    "certificate authority": authority.check,
    "files": file_modes.check,
}


def examine(facts: Facts) -> Examination:
    """Make every check."""
    return Examination(tuple((name, tuple(unique(check(facts)))) for name, check in CHECKS.items()))
