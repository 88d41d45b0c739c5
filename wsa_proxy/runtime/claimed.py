"""What a process claims for its groups, so that no other one of this host serves them (``net/claims.py``)."""

from __future__ import annotations

from collections.abc import Iterable

from wsa_proxy.net.claims import Group
from wsa_proxy.net.virtual_interface import interface_name
from wsa_proxy.settings import GroupSettings


def claimed_by(groups: Iterable[GroupSettings]) -> list[Group]:
    """Each group on its interface; and the virtual MAC's interface, which has one name for all: two processes with the
    same id on two interfaces would take it from each other for ever."""
    claimed = []
    for group in groups:
        claimed.append((group.interface, group.vhid))
        if group.virtual_mac:
            claimed.append((interface_name(group.vhid), group.vhid))
    return claimed
