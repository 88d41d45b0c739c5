"""A hostile host: it sees every frame on the LAN, knows no secret, and sends what it likes.

Nothing that it sends arrives with a wrong digest unless it wants that: a captured counter and digest stay together, and
everything that the HMAC leaves out is free (the header's fields, the sender, the IP version, the time of sending).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum
from functools import partial
from random import Random

from wsa_proxy.carp import wire
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan

CAPTURED_MAX = 400
EVERY_S_MAX = 0.4
RELENTLESS_EVERY_S_MAX = 2.0
FLOOD_FRAMES = [30, 30, 300]
"""Now and then more than a socket's queue holds."""
AT_ONCE = 0.15
RELEASED_MAX = 30


class Attack(Enum):
    """What a hostile host does."""

    REPLAY = "replay"
    """Captured advertisements again, under its own source address, in any IP version, of any virtual host."""
    REWRITE = "rewrite"
    """Captured ones with another advbase, advskew or demotion, a bow-out's, or another virtual host's vhid, and the
    checksum made right."""
    SEAL_FORGERY = "seal forgery"
    """Captured ones with the header that the counter's bits would ask for, as if the counter were a seal."""
    HOLD_BACK = "hold back"
    """One node's frames are stopped at the switch and released at the end, in their order."""
    FLOOD = "flood"
    """Hundreds of frames at once: cut off, damaged, of another kind, signed with nothing."""


class Hostile:
    """One hostile host at a port of its own. ``random`` is its own source of chance. A quick one overtakes what it has
    just seen; plain CARP has nothing against that, and feeds it with its answers."""

    def __init__(self, port: int, lan: Lan, random: Random, quick: bool = False) -> None:
        self.port = port
        self._quick = quick
        self.sent = 0
        self._lan = lan
        self._random = random
        self._captured: deque[Advertised] = deque(maxlen=CAPTURED_MAX)
        self._until_s: dict[Attack, float] = {}
        self._every_s_max = EVERY_S_MAX
        self._held: deque[Advertised] = deque(maxlen=RELEASED_MAX)
        self._held_from: int | None = None
        lan.tap(port, self._see)

    def attack(self, attack: Attack, until_s: float, victim: int) -> None:
        """Go on until then; ``victim`` is the node whose frames are held back."""
        self._until_s[attack] = max(until_s, self._until_s.get(attack, 0.0))
        match attack:
            case Attack.FLOOD:
                for _ in range(self._random.choice(FLOOD_FRAMES)):
                    self._send(self._garbage())
            case Attack.HOLD_BACK:
                self._held_from = victim
            case _:
                self._again(attack)

    def slow_down(self) -> None:
        """What goes on goes on more slowly."""
        self._every_s_max = RELENTLESS_EVERY_S_MAX

    def remember(self, frames: Sequence[Advertised]) -> None:
        """What it has from earlier days."""
        self._captured.extend(frames)

    def release(self, every_s: float) -> None:
        """Send what was held back, one by one, or all at once."""
        held, self._held_from = list(self._held), None
        self._held.clear()
        for number, frame in enumerate(held):
            self._lan.timeline.at(self._lan.timeline.now + number * every_s, partial(self._send, frame))

    def _see(self, frame: Frame, sender: int) -> None:
        if isinstance(frame, Advertised):
            self._captured.append(frame)
            for attack in (Attack.REPLAY, Attack.REWRITE) if self._quick else ():
                if self._lan.timeline.now < self._until_s.get(attack, 0.0) and self._random.random() < AT_ONCE:
                    self._send(self._made_of(frame, attack))
            if sender == self._held_from:
                self._held.append(frame)

    def _again(self, attack: Attack) -> None:
        if self._lan.timeline.now >= self._until_s[attack]:
            return
        if self._captured:
            self._send(self._made_of(self._random.choice(self._captured), attack))
        self._lan.timeline.at(
            self._lan.timeline.now + self._random.uniform(0.001, self._every_s_max), lambda: self._again(attack)
        )

    def _made_of(self, frame: Advertised, attack: Attack) -> Advertised:
        version = self._random.choice([frame.version, frame.version, 4, 6])
        seen = wire.decode(frame.payload, frame.ttl)
        if attack is Attack.REPLAY or not isinstance(seen, Advertisement):
            return Advertised(version, frame.payload)
        vhid = seen.vhid
        if attack is Attack.SEAL_FORGERY:
            advbase, advskew, demotion = (seen.counter >> 14) & 255, (seen.counter >> 6) & 255, (seen.counter >> 4) & 1
        else:
            said = {"advbase": seen.advbase, "advskew": seen.advskew, "demotion": seen.demotion}
            lies: list[dict[str, int]] = [
                {"advskew": 0, "demotion": 0},
                {"advbase": 255, "advskew": 255},
                {"advskew": 254},
                {"advbase": 0, "advskew": 1},
                {"advbase": seen.advbase ^ 1},
                {"demotion": 255 - seen.demotion},
                {"demotion": seen.demotion ^ 1},
                {"advskew": seen.advskew ^ 1},
            ]
            advbase, advskew, demotion = (said | self._random.choice(lies)).values()
            # Of any virtual host that it has seen.
            other = wire.decode(self._random.choice(self._captured).payload, wire.TTL)
            vhid = other.vhid if isinstance(other, Advertisement) else vhid
        forged = Advertisement(vhid, advbase, advskew, demotion, seen.counter, seen.digest)
        return Advertised(version, wire.encode(forged))

    def _garbage(self) -> Advertised:
        genuine = self._random.choice(self._captured).payload if self._captured else bytes(wire.HEADER_BYTES)
        kind = self._random.randrange(8)
        if kind == 0:
            return Advertised(4, self._random.randbytes(self._random.randrange(60)))
        if kind == 1:
            return Advertised(4, genuine[: self._random.randrange(len(genuine))])
        if kind == 2:
            return Advertised(4, genuine, ttl=self._random.randrange(255))
        if kind == 3:
            return Advertised(4, wire.encode(Advertisement(1, 1, 0, 0, self._random.getrandbits(64), bytes(20))))
        if kind == 4:
            return Advertised(4, self._damaged(genuine, self._random.randrange(len(genuine))))
        # With a right checksum: another type, another length, another digest.
        damaged = bytearray(self._damaged(genuine, {5: 0, 6: 3, 7: len(genuine) - 1}[kind]))
        damaged[6:8] = bytes(2)
        damaged[6:8] = wire.checksum(damaged).to_bytes(2)
        return Advertised(4, bytes(damaged))

    def _damaged(self, genuine: bytes, at: int) -> bytes:
        return genuine[:at] + bytes([genuine[at] ^ 1 << self._random.randrange(8)]) + genuine[at + 1 :]

    def _send(self, frame: Advertised) -> None:
        self.sent += 1
        self._lan.send(self.port, Advertised(frame.version, frame.payload, frame.ttl, forged=True))
