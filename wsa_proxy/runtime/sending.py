"""One virtual host's advertisements on their way to the kernel, and what follows when it refuses them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from typing import Protocol

from wsa_proxy.carp import election
from wsa_proxy.carp.commands import Advertising
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.send_errors import SendErrors
from wsa_proxy.net.ports import NoWay
from wsa_proxy.net.ports import PartlySent
from wsa_proxy.net.ports import Version


class Signs(Protocol):
    """Of a node's identity, what is needed here."""

    def sign(self, command: Advertising) -> bytes:
        """The 36 bytes for all copies. Raises OverflowError when the group's time has come to its end."""


class Counts(Protocol):
    """Of a virtual host's record, what is needed here."""

    sent: int

    def send_failed(self, errors: str) -> None:
        """An advertisement did not leave."""


class Leaves(Protocol):
    """Of an AdvertisementPort, what is needed here."""

    def send(self, version: Version, payload: bytes, *, from_own_mac: bool = False) -> None:
        """As the port has it."""


class Will(Protocol):
    """Of a LastWill, what is needed here."""

    def leave(self) -> None:
        """As of now."""

    def withdraw(self) -> None:
        """Leave none."""


class Sending:
    """Signs and sends, counts, and keeps the errors. ``clock`` is monotonic seconds that go on during suspend.

    The wind tunnel puts this class, as it is, behind a host that refuses.
    """

    def __init__(
        self,
        settings: VirtualHostSettings,
        versions: Collection[Version],
        identity: Signs,
        record: Counts,
        clock: Callable[[], float],
        will: Will | None = None,
    ) -> None:
        """``will`` is left before each advertisement that claims the addresses."""
        self.errors = SendErrors(math.inf)
        self.take(settings)
        self.trouble = ""
        """What was refused last, in a sentence."""
        self.claimed = False
        """Somebody was told that the addresses are here, or about to be."""
        self._claimed_at_s = -math.inf
        self._drawn = False
        """By something that came from the virtual MAC, if there is one."""
        self._last_word = b""
        self._follows_living = False
        self._unreachable = False
        self._versions = tuple(versions)
        self._identity = identity
        self._record = record
        self._clock = clock
        self._will = will

    def take(self, settings: VirtualHostSettings) -> None:
        """What follows from other settings."""
        self._seals = settings.says_farewell  # both or none: plain CARP has no farewell
        self._one_for_all = len(settings.versions) == 1
        self.errors.interval_s = settings.advbase or election.interval_s(settings.advbase, settings.advskew)

    def begin(self, commands: Sequence[Command]) -> None:
        """These are about to be carried out; a freeze in between may leave some of them for later."""
        for command in commands:
            if isinstance(command, ReportTransition):
                self._follows_living = command.from_living

    @property
    def follows_untold(self) -> bool:
        """Asked when an advertisement should have left: master in the place of a living one that could not be told."""
        return self._follows_living and not self.claimed

    def given_up(self, *, bowed_out: bool, at_s: float) -> None:
        """The guardian has given the addresses up at this time, and perhaps said so. What was said here after that says
        the contrary, and is to be taken back."""
        if bowed_out and self._claimed_at_s <= at_s:
            self.claimed = False

    def left(self) -> None:
        """The node is not MASTER any more."""
        self.claimed = self._drawn = False
        self.errors.left()

    def in_vain_beside(self, event: Event) -> bool:
        """Another master is heard, and there is no way to tell it of this one: one of the two has to leave."""
        return self._unreachable and isinstance(event, AdvertisementReceived) and not event.advertisement.is_bow_out

    def deadline_s(self, *, is_master: bool) -> float:
        """When ``must_leave`` is to be asked again, if nothing happens meanwhile."""
        return self.errors.unheard_at_s if is_master else self.errors.recovers_at_s

    def must_leave(self, *, is_master: bool) -> bool:
        """Time has passed: has a MASTER been unheard for too long? Any other node may be believed well again."""
        if not is_master:
            if self.errors.recovers_at_s < math.inf:
                self.errors.recover(self._clock())
            return False
        return self.errors.unheard_at_s < math.inf and self._clock() >= self.errors.unheard_at_s

    def send(self, advertisements: Leaves, command: Advertising) -> None:
        """One advertisement in each IP version. Where each has a deadline of its own, a backup takes over when one is
        silent, so each one counts; where one stands for all, it is enough that a copy has left.

        Nobody bows out of what it has never claimed (the kernel refused the addresses): backups would take over from a
        master that is there. And nobody leaves because there is no way to any peer, as long as none is heard: it may
        be that all are dead.
        """
        bows_out = _bows_out(command)
        if bows_out and not self.claimed:
            return
        silent, excused, errors = self._send(advertisements, command)
        if silent < len(self._versions):
            self._record.sent += 1
            self.claimed, self._claimed_at_s = not bows_out, self._clock()
            self._drawn = self._drawn or isinstance(command, SendAdvertisement)
        elif self._will is not None and not self.claimed:
            self._will.withdraw()
        if errors:
            self.trouble = f"advertisements cannot be sent: {'; '.join(errors)}"
            self._record.send_failed("; ".join(errors))
        self._unreachable = excused == len(self._versions)
        if self._unreachable or silent < (len(self._versions) if self._one_for_all else 1):
            self.errors.sent(self._clock())
        else:
            self.errors.failed(self._clock())

    def bowed_out(self) -> None:
        """What the guardian would say has been said. The process goes on for a moment, and so does its last will."""
        if self._will is not None:
            self._will.withdraw()

    def repeat(self, advertisements: Leaves) -> None:
        """The bow-out once more, in case it was lost. Sealed, its copy is a duplicate to whoever has heard it, and a
        replay once the successor has spoken; a plain one's would be taken for the successor's."""
        if not self._seals or not self._last_word:
            return
        for version in self._versions:
            with contextlib.suppress(OSError):  # it was told when the first one was refused
                advertisements.send(version, self._last_word, from_own_mac=True)  # the switch's port may be his by now

    def _send(self, advertisements: Leaves, command: Advertising) -> tuple[int, int, list[str]]:
        """How many IP versions nobody could be told in, in how many of these for want of a way, and what the kernel
        said."""
        try:
            payload = self._identity.sign(command)
        except OverflowError as error:
            # The time of the group has ended: whoever knows the secret has pushed it there, and nothing is above it.
            return len(self._versions), 0, [str(error)]
        bows_out = _bows_out(command)
        if self._will is not None and not isinstance(command, SendFarewell) and not bows_out:
            self._will.leave()
        self._last_word = payload if bows_out else b""
        # Before it acquires, if it never could, and after a farewell the switch must not send here what is for the
        # virtual MAC.
        from_own_mac = not isinstance(command, SendAdvertisement) or (bows_out and not self._drawn)
        silent, excused, errors = 0, 0, []
        for version in self._versions:
            try:
                advertisements.send(version, payload, from_own_mac=from_own_mac)
            except OSError as error:
                errors.append(f"IPv{version}: {error}")
                # Unheard by one of several peers it stays: the next master might not reach that one either.
                silent += not isinstance(error, PartlySent)
                excused += isinstance(error, NoWay)
        return silent, excused, errors


def _bows_out(command: Advertising) -> bool:
    """By both values: an advbase of 255 alone is an interval that an operator may have chosen."""
    return command.advbase == command.advskew == election.BOW_OUT
