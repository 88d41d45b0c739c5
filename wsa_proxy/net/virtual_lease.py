"""The virtual addresses on the virtual MAC's interface: the lease, and the interface that is up while it is held.

The kernel answers for an address on an interface that is up, so one of the two is enough to be silent. The addresses
go first and at once. To set an interface down, the kernel waits until nobody can be using it any more, 6 to 16 ms, in
which 255 groups that end together would keep each other's bow-outs waiting; that is done later, by ``settle``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from wsa_proxy.net.addresses import AddressLease
from wsa_proxy.net.addresses import LeaseKeeper
from wsa_proxy.net.ports import Address
from wsa_proxy.net.virtual_interface import VirtualInterface


class VirtualLease(AddressLease):
    """The AddressPort of one virtual host with a virtual MAC; the interface is its own from now on."""

    def __init__(
        self, keeper: LeaseKeeper, vhid: int, interface: VirtualInterface, addresses: Sequence[Address]
    ) -> None:
        """``interface`` was created."""
        super().__init__(keeper, vhid, interface.name, interface.index, addresses)
        self._virtual_interface = interface

    def renew(self) -> None:
        """Prolong every lease; the interface is up afterwards, too. A beat prolongs only."""
        super().renew()
        try:
            self._virtual_interface.up()
        except OSError:
            with contextlib.suppress(OSError):  # the first error is the one that matters
                self.release()
            raise

    def settle(self) -> None:
        self._virtual_interface.down()

    def close(self) -> None:
        """Remove the interface with all that it carries; harmless when repeated."""
        super().close()
        with contextlib.suppress(OSError):  # one that stays is down, or has no addresses soon, and is adopted next time
            self._virtual_interface.remove()
        self._virtual_interface.close()
