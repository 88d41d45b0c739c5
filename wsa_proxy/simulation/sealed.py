"""Nodes of a sealed group: the real credentials, whose counters say what the HMAC leaves out.

The node's clocks are modelled, too: one that counts from its boot and drifts, and a wall clock that may be hours wrong,
and the file that outlives the process.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from random import Random

from wsa_proxy.carp.auth import Address
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.commands import Advertising
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Saved
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Reject
from wsa_proxy.carp.wire import Version
from wsa_proxy.simulation.acting import Tell
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.ways import SEALED_ONLY
from wsa_proxy.simulation.ways import Way

DRIFT_MAX = 450e-6
WALL_MS = 200_000_000_000.0  # the year 2026, from 2020
WALL_WRONG_MS_MAX = 7_200_000.0
STEPPED_TOO_EARLY = "a wall clock was stepped that may be looked at later"
MOVED_MS = 100.0  # a line that moved more is written down
COUNTER = slice(8, 16)
"""In the 36 bytes."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the seal let through or refused: for the checker."""

    frame: Advertised
    counter: int
    verdict: Verdict
    arrived_s: float
    """On the node's clock, when the frame came into the socket's queue at the latest."""


class SealedNode(Node):
    """A node of a sealed group. ``plain`` knows the group as plain CARP does; ``key`` is the sealed one."""

    way: Way = SEALED_ONLY

    def __init__(
        self,
        number: int,
        settings: VirtualHostSettings,
        plain: Authenticator,
        key: bytes,
        addresses: Collection[Address],
        lan: Lan,
        random: Random,
        tell: Tell,
        peers: Mapping[int, Version] | None = None,
        guardians: Random | None = None,
    ) -> None:
        super().__init__(number, settings, plain, lan, random, tell, peers, guardians)
        self._key = key
        self._addresses = addresses
        self._new_credentials(GroupTime("", None, 0.0))
        self.saved: Saved | None = None
        """What its file says."""
        self._boot = 0
        self._booted_at_s = self.now - random.uniform(0, 1e6)
        self._drift = random.uniform(-DRIFT_MAX, DRIFT_MAX)
        self._wall_wrong_ms = random.choice([0.0, random.uniform(-WALL_WRONG_MS_MAX, WALL_WRONG_MS_MAX)])
        self._steps = Random(number)  # of its own: a run without steps draws the same chances
        self._queue_empty_at_s = self.now
        self._seen: set[tuple[int, int]] = set()
        """(counter, sender) of everything sent and heard."""

    # -- clocks --------------------------------------------------------------------------------------------------------

    @property
    def clock_ms(self) -> float:
        """Since the boot, drifting."""
        return (self.now - self._booted_at_s) * 1000 * (1 + self._drift)

    @property
    def boot_id(self) -> str:
        return str(self._boot)

    @property
    def wall_ms(self) -> float:
        return WALL_MS + self.now * 1000 + self._wall_wrong_ms

    def step_wall(self) -> None:
        """Somebody sets the wall clock, in either direction."""
        if self.group_time.line_ms is None:
            self._tell(self, STEPPED_TOO_EARLY, None)
        self._wall_wrong_ms += self._steps.uniform(-WALL_WRONG_MS_MAX, WALL_WRONG_MS_MAX)

    # -- lives ---------------------------------------------------------------------------------------------------------

    def _new_core(self) -> VirtualHost:
        self._new_credentials(GroupTime(self.boot_id, self.saved, self.clock_ms))
        self._queue_empty_at_s = self.now
        versions, farewell = self._credentials.versions, self._credentials.seals
        return VirtualHost(replace(self.settings, versions=versions, tie_break=0, says_farewell=farewell))

    def _new_credentials(self, group_time: GroupTime) -> None:
        self.group_time = group_time
        sealer = Sealer(self._key, self.settings.vhid, self._addresses, group_time)
        self._credentials = Credentials([Security.SEALED], self._signer, [sealer])

    def demote(self, demotion: int) -> None:
        """The seal has one bit for it, and a rank that cannot be told must not be compared."""
        super().demote(min(demotion, 1))

    def power_off(self) -> None:
        """The next boot has another clock; one file in three was not written."""
        super().power_off()
        self._boot += 1
        self._booted_at_s = self.now
        if self._random.random() < 0.3:
            self.saved = None

    def stop(self) -> None:
        awake = self.awake
        super().stop()
        if awake:
            self.saved = self.group_time.saved

    def fingerprint(self) -> tuple[object, ...]:
        return (*super().fingerprint(), *vars(self.group_time).values(), tuple(self.group_time._own))

    def _write(self) -> None:
        """When the line is known first, has moved, or the node is master: what the file would say."""
        line_ms, saved = self.group_time.line_ms, self.saved
        moved = saved is None or saved.line_ms is None or saved.boot_id != self.boot_id
        if line_ms is not None and (moved or abs(line_ms - (saved.line_ms or 0.0)) > MOVED_MS):  # type: ignore[union-attr]
            self.saved = self.group_time.saved

    def time_of_the_group_ms(self) -> int:
        return self._credentials.group_ms(self.clock_ms)

    def learn_time(self, group_ms: int) -> None:
        self._credentials.learn_group_ms(group_ms, self.clock_ms)
        self._write()
        self._tell(self, "learned", group_ms)
        self._tell(self, "done", None)

    # -- frames --------------------------------------------------------------------------------------------------------

    def _sign(self, command: Advertising) -> bytes:
        farewell = isinstance(command, SendFarewell)
        reading = Reading(self.clock_ms, self.clock_ms, self.wall_ms)
        payload = self._credentials.sign(
            command.advbase,
            command.advskew,
            command.demotion,
            farewell=farewell,
            reading=reading,
            chance=self._random.randrange(16),
        )
        counter = int.from_bytes(payload[COUNTER])
        self._seen.add((counter, self.number))
        self._write()
        self._tell(self, "said", counter)
        return payload

    def _will(self) -> bytes:
        assert self.core is not None and self.guardians is not None
        payload = self._credentials.will(
            self.core.demotion, chance=self.guardians.randrange(16), clock_ms=self.clock_ms
        )
        self._seen.add((int.from_bytes(payload[COUNTER]), self.number))
        self._tell(self, "willed", payload)
        return payload

    def receive(self, frame: Frame, sender: int) -> None:
        if self.awake:
            self._queue_empty_at_s = self.now
        super().receive(frame, sender)

    def _hear(self, frame: Advertised, sender: int) -> None:
        assert self.core is not None
        arrived_s = self._queue_empty_at_s
        arrived_ms = (arrived_s - self._booted_at_s) * 1000 * (1 + self._drift)
        heard = self._credentials.accept(
            frame.payload,
            frame.ttl,
            frame.version,
            f"node-{sender}",
            limit_ms=self.core.rank.interval_256ths / 256 * 1000,
            reading=Reading(self.clock_ms, arrived_ms, self.wall_ms),
        )
        if isinstance(heard, Reject) and heard.value not in _VERDICTS:
            self._refuse(frame, heard)
            return
        counter = int.from_bytes(frame.payload[COUNTER])
        if (counter, sender) not in self._seen:
            self._seen.add((counter, sender))
            # Overtaken by a third node's, or the same as our own (two who speak in the same millisecond with the same
            # chance, one in 16, take each other for an echo): a genuine one that is refused is a lost one.
            refused = isinstance(heard, Reject)
            self._lan.lost[sender, self.number] += refused and not frame.forged and sender != self.number
        if isinstance(heard, Reject):
            self._tell(self, "refused", Judged(frame, counter, _VERDICTS[heard.value], arrived_s))
            self._refuse(frame, heard)
            return
        verdict = Verdict.FIRST_CONTACT if isinstance(heard, FirstContact) else Verdict.BELIEVED
        self._tell(self, verdict.value, Judged(frame, counter, verdict, arrived_s))
        self._write()
        self.take_in(heard)


_VERDICTS = {verdict.value: verdict for verdict in Verdict}
