"""Who a node is in its group: what it signs, whom it believes, and what it remembers of the group's time.

Puts together the credentials (``carp``), the clocks and the file.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from wsa_proxy.carp.commands import Advertising
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.credentials import Believed
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.credentials import make_credentials
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import sealed_key
from wsa_proxy.carp.wire import Reject
from wsa_proxy.members.cipher import members_key
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.seal_file import SealFile
from wsa_proxy.settings import GroupSettings

KEYS_AT_ONCE_MAX = 8
"""scrypt takes 16 MiB for each key while it is made, and a host may have a hundred processors."""
UNREAD = Reading(0.0, 0.0, 0.0)
"""For plain CARP, which asks for no time."""


class Identity:
    """Signs and judges for one virtual host."""

    def __init__(self, credentials: Credentials, seal_file: SealFile, clocks: Clocks, counter: int = 0) -> None:
        """``counter`` is plain CARP's, for the life of the process: by it a reflection of our own is known."""
        self.credentials = credentials
        self._seal_file = seal_file
        self._clocks = clocks
        self._counter = counter
        self._queue_empty_at_ms = clocks.seal_ms()
        self._chance = random.Random()  # it makes two equals differ, which is no secret

    @property
    def is_sealed(self) -> bool:
        """Whether sealed advertisements are sent or believed."""
        return Security.SEALED in self.credentials.security

    def other_credentials(self, group: GroupSettings, clock_tolerance_s: float) -> Credentials:
        """Those of other settings of the group, for ``take``. Slow unless ``derive_keys`` came before."""
        return _credentials(group, self._seal_file, self._clocks, clock_tolerance_s, self._counter, self._teach)

    def _teach(self, time: GroupTime) -> None:
        """The time of the group as it is, to a key that was not in use until now."""
        times = [sealer.time for sealer in self.credentials.sealers]
        if times and time not in times:
            time.take_time_of(times[0])  # all of them have the same

    def take(self, credentials: Credentials) -> None:
        """Sign and judge with these from now on.

        The time of the group goes on: of a key that was not in use until now it is known, and better than what is
        remembered of that key.
        """
        for sealer in credentials.sealers:
            self._teach(sealer.time)
        if not self.is_sealed:
            self._queue_empty_at_ms = self._clocks.seal_ms()  # nobody has asked for it until now
        self.credentials = credentials

    def sign(self, command: Advertising) -> bytes:
        """The 36 bytes for all copies of one advertisement."""
        values = (command.advbase, command.advskew, command.demotion)
        if not self.credentials.seals:
            return self.credentials.sign(*values, reading=UNREAD, chance=0)
        farewell = isinstance(command, SendFarewell)
        reading, chance = self._read_clocks(), self._chance.getrandbits(4)
        payload = self.credentials.sign(*values, farewell=farewell, reading=reading, chance=chance)
        self._seal_file.look(self._clocks.now_s())
        return payload

    def will(self, demotion: int) -> bytes:
        """The 36 bytes of a bow-out that the guardian is to send once this process is gone."""
        chance, clock_ms = self._chance.getrandbits(4), self.seal_clock_ms()
        return self.credentials.will(demotion, chance=chance, clock_ms=clock_ms)

    def judge(self, packet: Packet, interval_256ths: int) -> Believed | Reject:
        """What a packet means to the virtual host, whose own interval this is, or why it means nothing."""
        if not packet.header_intact:
            return Reject.BAD_CHECKSUM
        event = self.credentials.accept(
            packet.payload,
            packet.ttl,
            packet.version,
            packet.source,
            limit_ms=interval_256ths * 1000 / 256,
            reading=self._read_clocks() if self.is_sealed else UNREAD,
        )
        if self.is_sealed and not isinstance(event, Reject):
            self._seal_file.look(self._clocks.now_s())
        if packet.waited_s and isinstance(event, AdvertisementReceived):
            return replace(event, waited_s=packet.waited_s)
        return event

    def group_ms(self) -> int:
        """The time of the group, for a member that does not know it; 0 where this one does not, or has none."""
        return self.credentials.group_ms(self._clocks.seal_ms()) if self.is_sealed else 0

    def learn_group_ms(self, group_ms: int) -> None:
        """A member says so, just now. What a replay may have taught does not count any more."""
        if self.is_sealed:
            self.credentials.learn_group_ms(group_ms, self._clocks.seal_ms())
            self._seal_file.look(self._clocks.now_s())

    def seal_clock_ms(self) -> float:
        """To be read before the receive queue is looked at; plain CARP asks for no time."""
        return self._clocks.seal_ms() if self.is_sealed else 0.0

    def queue_was_empty(self, at_ms: float) -> None:
        """All packets that come from now on have arrived after this: a late loop makes nothing old."""
        self._queue_empty_at_ms = at_ms

    def remember(self) -> None:
        """Have the file written: this node begins or ends to speak."""
        self._seal_file.write(self._clocks.now_s())

    def _read_clocks(self) -> Reading:
        return Reading(self._clocks.seal_ms(), self._queue_empty_at_ms, self._clocks.wall_ms())


def make_identity(group: GroupSettings, seal_file: SealFile, clocks: Clocks, clock_tolerance_s: float) -> Identity:
    """That of one group. Slow unless ``derive_keys`` came before."""
    counter = secrets.randbits(64)
    return Identity(_credentials(group, seal_file, clocks, clock_tolerance_s, counter), seal_file, clocks, counter)


def _credentials(
    group: GroupSettings,
    seal_file: SealFile,
    clocks: Clocks,
    clock_tolerance_s: float,
    counter: int,
    teach: Callable[[GroupTime], None] = lambda _: None,
) -> Credentials:
    clock_ms, tolerance_ms = clocks.seal_ms(), clock_tolerance_s * 1000

    def time_of(name: str) -> GroupTime:
        time = seal_file.group_time(name, clock_ms, tolerance_ms)
        teach(time)
        return time

    return make_credentials(
        [Security(way) for way in group.security],
        group.pass_phrases,
        group.vhid,
        group.addresses,
        counter,
        time_of,
        peers=group.peers,
    )


def derive_keys(groups: Iterable[GroupSettings], processors: int = 1) -> None:
    """Have the slow keys of all pass phrases ready; for a thread. More than one processor only while nobody is served:
    the keys of 255 groups with a secret each take one 23 s."""
    phrases = {phrase for group in groups for phrase in group.pass_phrases}
    with ThreadPoolExecutor(min(processors, KEYS_AT_ONCE_MAX), thread_name_prefix="failover keys") as threads:
        for made in [threads.submit(make, phrase) for phrase in phrases for make in (sealed_key, members_key)]:
            made.result()
