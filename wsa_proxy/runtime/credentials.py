"""The credentials of a group: from its pass phrases and what its file remembers."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.auth import sealed_key
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.credentials import key_name
from wsa_proxy.runtime.seal_file import SealFile
from wsa_proxy.settings import GroupSettings


def make_credentials(
    group: GroupSettings, seal_file: SealFile, clock_ms: float, clock_tolerance_s: float
) -> Credentials:
    """Those of one group; without a pass phrase it is signed with 20 zero bytes, as the BSDs do. ``derive_keys`` came
    before, or this takes a while."""
    addresses = [virtual_ip.ip for virtual_ip in group.virtual_ips]
    keys = [key_from_pass_phrase(phrase) for phrase in group.pass_phrases or (b"",)]
    plain = Authenticator(keys, group.vhid, addresses, secrets.randbits(64))
    sealed_keys = {key_name(key): key for key in map(sealed_key, group.pass_phrases)}
    times = {name: seal_file.group_time(name, clock_ms, clock_tolerance_s * 1000) for name in sealed_keys}
    seal_file.watch(times)
    sealers = [Sealer(key, group.vhid, addresses, times[name]) for name, key in sealed_keys.items()]
    return Credentials([Security(way) for way in group.security], plain, sealers)


def derive_keys(groups: Iterable[GroupSettings]) -> None:
    """Have the slow keys of all pass phrases ready; for a thread."""
    for phrase in {phrase for group in groups for phrase in group.pass_phrases}:
        sealed_key(phrase)
