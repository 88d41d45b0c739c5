"""A node whose credentials change while its group runs: another secret, another way to sign.

A running process is told to read its configuration again, and goes on with the state and the time that it has; a dead
one reads it when it starts. The credentials are the product's, one time of the group for each key.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import replace
from random import Random

from wsa_proxy.carp.auth import Address
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.commands import Advertising
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.credentials import Believed
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Saved
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.acting import Tell
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.sealed import MOVED_MS
from wsa_proxy.simulation.sealed import SealedNode
from wsa_proxy.simulation.ways import Way

REFUSALS = frozenset({Reject.ECHO, Reject.DUPLICATE, Reject.REPLAY, Reject.STALE, Reject.REWRITTEN})
"""What a seal refuses although one of our keys has signed it."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Of one secret: 20 bytes for plain CARP, 20 others for seals."""

    plain: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a frame: for the judge."""

    frame: Advertised
    what: Believed | Reject
    arrived_s: float
    """On the node's clock, when the frame came into the socket's queue at the latest."""


class MovingNode(SealedNode):
    """``keys`` has those of each secret by its name; ``counter`` is plain CARP's, and lives as long as the host."""

    def __init__(
        self,
        number: int,
        settings: VirtualHostSettings,
        keys: dict[str, Keys],
        counter: int,
        way: Way,
        addresses: Collection[Address],
        lan: Lan,
        random: Random,
        tell: Tell,
        guardians: Random | None = None,
    ) -> None:
        self.way = way
        self.times: dict[str, GroupTime] = {}
        """By the secret's name: what this process knows."""
        self.files: dict[str, Saved] = {}
        """What its file says of them."""
        self._keys = keys
        self._counter = counter
        plain = Authenticator([keys[way.secrets[0]].plain], settings.vhid, addresses, counter)
        super().__init__(number, settings, plain, b"", addresses, lan, random, tell, None, guardians)

    @property
    def group_ms(self) -> float | None:
        """The time of the group, if it knows one."""
        line_ms = self.group_time.line_ms
        return self.clock_ms + line_ms if line_ms is not None else None

    # -- the way -------------------------------------------------------------------------------------------------------

    def take_way(self, way: Way) -> None:
        """The operator has written it into the file, and tells a running process to read that."""
        self.way = way
        if self.core is not None:
            self._read_way(self.times)
            _change(self.core, self._settings())
            self._sending.take(self.core.settings)
            self._tell(self, "way", way)
            self.demote(self.health)
            self._arm()
            self._tell(self, "done", None)

    def _read_way(self, known: dict[str, GroupTime]) -> None:
        """Make the credentials; of a key that was known already the time goes on."""
        way, vhid = self.way, self.settings.vhid
        self.times = {name: known.get(name) or self._time_from_file(name) for name in way.secrets}
        plain = Authenticator([self._keys[name].plain for name in way.secrets], vhid, self._addresses, self._counter)
        sealers = [Sealer(self._keys[name].sealed, vhid, self._addresses, time) for name, time in self.times.items()]
        self._credentials = Credentials(way.security, plain, sealers)
        self.group_time = self.times[way.secrets[0]]

    def _time_from_file(self, name: str) -> GroupTime:
        return GroupTime(self.boot_id, self.files.get(name), self.clock_ms)

    def _settings(self) -> VirtualHostSettings:
        credentials = self._credentials
        tie_break = 0 if credentials.crossings_decided else self.settings.tie_break
        return replace(
            self.settings, versions=credentials.versions, tie_break=tie_break, says_farewell=credentials.seals
        )

    # -- lives ---------------------------------------------------------------------------------------------------------

    def _new_credentials(self, group_time: GroupTime) -> None:
        """At the beginning, before its clock runs: nothing is known."""
        self.group_time = group_time

    def _new_core(self) -> VirtualHost:
        self._read_way({})
        self._queue_empty_at_s = self.now
        return VirtualHost(self._settings())

    def demote(self, demotion: int) -> None:
        """A rank that cannot be told must not be compared; plain CARP tells all of it."""
        if self.way.believes_sealed:
            super().demote(demotion)
        else:
            super(SealedNode, self).demote(demotion)

    def power_off(self) -> None:
        """One file in three was not written."""
        super().power_off()
        if self._random.random() < 0.3:
            self.files = {}

    def stop(self) -> None:
        awake = self.awake
        super().stop()
        if awake:
            self._write_file()

    def fingerprint(self) -> tuple[object, ...]:
        times = [(*vars(time).values(), tuple(time._own)) for time in self.times.values()]
        return (*super(SealedNode, self).fingerprint(), *times)

    def _write(self) -> None:
        for name, time in self.times.items():
            saved = self.files.get(name)
            moved = saved is None or saved.line_ms is None or saved.boot_id != self.boot_id
            if time.line_ms is not None and (moved or abs(time.line_ms - (saved.line_ms or 0.0)) > MOVED_MS):  # type: ignore[union-attr]
                self._write_file()
                return

    def _write_file(self) -> None:
        self.files = {name: time.saved for name, time in self.times.items() if time.line_ms is not None} or self.files

    # -- frames --------------------------------------------------------------------------------------------------------

    def _sign(self, command: Advertising) -> bytes:
        farewell = isinstance(command, SendFarewell)
        payload = self._credentials.sign(
            command.advbase,
            command.advskew,
            command.demotion,
            farewell=farewell,
            reading=Reading(self.clock_ms, self.clock_ms, self.wall_ms),
            chance=self._random.randrange(16),
        )
        if self.way.signs_sealed:
            self._write()
        self._tell(self, "signed", payload)
        return payload

    def _hear(self, frame: Advertised, sender: int) -> None:
        assert self.core is not None
        arrived_s = self._queue_empty_at_s
        what = self._credentials.accept(
            frame.payload,
            frame.ttl,
            frame.version,
            f"node-{sender}",
            limit_ms=self.core.rank.interval_256ths / 256 * 1000,
            reading=Reading(self.clock_ms, (arrived_s - self._booted_at_s) * 1000 * (1 + self._drift), self.wall_ms),
        )
        if isinstance(what, Reject):
            if what in REFUSALS and not frame.forged and sender != self.number:
                self._count_lost(frame, sender)
            self._tell(self, "heard", Heard(frame, what, arrived_s))
            self._refuse(frame, what)
            return
        self._seen.add((int.from_bytes(frame.payload[8:16]), sender))
        self._tell(self, "heard", Heard(frame, what, arrived_s))
        self._write()
        self.take_in(what)

    def _count_lost(self, frame: Advertised, sender: int) -> None:
        """A genuine one that a seal refuses, unless it is another copy."""
        said = (int.from_bytes(frame.payload[8:16]), sender)
        self._lan.lost[sender, self.number] += said not in self._seen
        self._seen.add(said)


def _change(core: VirtualHost, settings: VirtualHostSettings) -> None:
    """Take other settings into a running core: of IP versions that become one, the one that was heard last counts, and
    one that becomes two is as patient in both."""
    deadlines_s = core._deadlines_master_down_s
    if deadlines_s and settings.versions != core.settings.versions:
        latest_s = max(deadlines_s.values())
        core._deadlines_master_down_s = dict.fromkeys(settings.versions, latest_s)
    core.settings = settings
