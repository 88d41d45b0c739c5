"""What a virtual host is told, from the settings of its group and from what its credentials can do."""

from __future__ import annotations

from collections.abc import Callable

from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings


def host_settings_of(
    group: GroupSettings, settings: Settings, credentials: Credentials, tie_break: Callable[[str], int]
) -> VirtualHostSettings:
    """``tie_break``: 0..255, of an interface; asked only where ties are possible. Raises OSError with it."""
    return VirtualHostSettings(
        vhid=group.vhid,
        advbase=group.advbase,
        advskew=group.advskew,
        preempt=settings.preempt,
        versions=credentials.versions,
        # Counters of one key decide every crossing; those of several, and plain CARP's, do not.
        tie_break=0 if credentials.crossings_decided else tie_break(group.interface),
        says_farewell=credentials.seals,
        acquires_first=group.virtual_mac,
        preempt_delay_s=group.preempt_delay_s,
        preempt_delay_max_s=group.preempt_delay_max_s,
        unicast=bool(group.peers),
    )
