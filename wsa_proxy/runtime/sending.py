"""One virtual host's advertisements on their way to the kernel, and what follows when it refuses them."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Collection

from wsa_proxy.carp import election
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.send_errors import SendErrors
from wsa_proxy.carp.virtual_host import VirtualHostSettings
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import AdvertisementPort
from wsa_proxy.net.ports import Version
from wsa_proxy.runtime.identity import Identity
from wsa_proxy.runtime.record import Record


class Sending:
    """Signs and sends, counts, and keeps the errors. ``clock`` is monotonic seconds that go on during suspend."""

    def __init__(
        self,
        settings: VirtualHostSettings,
        addresses: Collection[Address],
        identity: Identity,
        record: Record,
        clock: Callable[[], float],
    ) -> None:
        self.errors = SendErrors(math.inf)
        self.set_interval(settings)
        self.trouble = ""
        """What was refused last, in a sentence."""
        self._claimed = False
        self._versions: tuple[Version, ...] = tuple(sorted({address.version for address in addresses}))
        self._identity = identity
        self._record = record
        self._clock = clock

    def set_interval(self, settings: VirtualHostSettings) -> None:
        """That of other settings."""
        self.errors.interval_s = settings.advbase or election.interval_s(settings.advbase, settings.advskew)

    def left(self) -> None:
        """The node is not MASTER any more."""
        self._claimed = False
        self.errors.left()

    def send(self, advertisements: AdvertisementPort, command: SendAdvertisement | SendFarewell) -> None:
        """One advertisement in each IP version.

        Nobody bows out of what it has never claimed (the kernel refused the addresses): backups would take over from a
        master that is there.
        """
        bows_out = isinstance(command, SendAdvertisement) and command.advbase == election.BOW_OUT
        if bows_out and not self._claimed:
            return
        errors: list[str] = []
        for version, payload in self._signed(command, errors):
            try:
                # After a farewell the switch must not send here what is for the virtual MAC.
                advertisements.send(version, payload, from_own_mac=isinstance(command, SendFarewell))
            except OSError as error:
                errors.append(f"IPv{version}: {error}")
        if len(errors) < len(self._versions):
            self._record.sent += 1
            self._claimed = not bows_out
        if not errors:
            self.errors.sent(self._clock())
            return
        self.trouble = f"advertisements cannot be sent: {'; '.join(errors)}"
        self._record.send_failed("; ".join(errors))
        self.errors.failed(self._clock())

    def _signed(self, command: SendAdvertisement | SendFarewell, errors: list[str]) -> list[tuple[Version, bytes]]:
        """The same bytes for each IP version; none, and an error for each, when the time of the group has ended: then
        whoever knows the secret has pushed it there, and nothing that we say can be above it."""
        try:
            payload = self._identity.sign(command)
        except OverflowError as error:
            errors += [str(error) for _ in self._versions]
            return []
        return [(version, payload) for version in self._versions]
