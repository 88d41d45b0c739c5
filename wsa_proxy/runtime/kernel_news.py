"""What the kernel tells about links and addresses, and what it means for the groups.

A group whose link is down leaves; one whose link is gone lets go of its sockets, too. When the link is back they are
opened anew, and the group listens. An address or interface that somebody took from a master is its driver's business.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from collections.abc import Sequence

from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import AddressChanged
from wsa_proxy.net.ports import KernelMonitor
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.net.virtual_interface import virtual_mac
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.mac_check import MacCheck
from wsa_proxy.runtime.ports import Kernel
from wsa_proxy.runtime.reporting import Reporting
from wsa_proxy.runtime.returning_link import ask_neighbours_again
from wsa_proxy.settings import GroupSettings

logger = logging.getLogger(__name__)

OPEN_AGAIN_S = 5.0  # after sockets could not be opened (out of descriptors, an interface that is just being made)


class KernelNews:
    """For all groups of one node."""

    def __init__(
        self,
        kernel: Kernel,
        mac_check: MacCheck,
        reporting: Reporting,
        on_link: Callable[[LinkChanged], None] = lambda _: None,
    ) -> None:
        """``on_link`` is told of each link before the groups are."""
        self._reporting = reporting
        self._kernel = kernel
        self._mac_check = mac_check
        self._monitor: KernelMonitor | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._on_link = on_link
        self._groups: list[tuple[GroupSettings, Driver]] = []
        self._owners: dict[Address, Driver] = {}

    def set_groups(self, groups: Sequence[tuple[GroupSettings, Driver]]) -> None:
        """These follow from now on, and no others."""
        self._groups = list(groups)
        self._owners = {address: driver for group, driver in groups for address in group.addresses}

    def follow(self, on_news: Callable[[], None]) -> None:
        """Listen from now on; ``read_links`` tells how things are. ``on_news`` is called when there is something to
        ``drain``. Inside the running loop. Raises OSError."""
        self._monitor = self._kernel.monitor()
        for descriptor in self._monitor.fileno_list():
            asyncio.get_running_loop().add_reader(descriptor, on_news)

    def close(self) -> None:
        """Listen no more; harmless when repeated."""
        if self._retry is not None:
            self._retry.cancel()
        if self._monitor is not None:
            for descriptor in self._monitor.fileno_list():
                asyncio.get_running_loop().remove_reader(descriptor)
            self._monitor.close()
            self._monitor = None

    def drain(self) -> None:
        """Read all that was told, and act on it."""
        if self._monitor is None:
            return
        try:
            changes = self._monitor.receive()
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            logger.warning("the kernel dropped news about links; reading them again")
            self.read_links()
            return
        for change in changes:
            if isinstance(change, LinkChanged):
                self._link_changed(change)
            else:
                self._address_changed(change)

    def read_links(self) -> None:
        """As they are now, whatever news was lost. If the kernel does not tell (out of descriptors), a while later."""
        try:
            links = {link.name: link for link in self._kernel.links()}
        except OSError as error:
            self._read_links_again(error)
            return
        # Before: those that are made only now are not among these links.
        drivers = [driver for _, driver in self._groups]
        made = [(each, each.ports.virtual_interface) for each in drivers if each.ports and each.ports.virtual_interface]
        for name in {group.interface for group, _ in self._groups}:
            self._link_changed(links.get(name) or LinkChanged(name, 0, running=False))
        for driver, name in made:
            self._virtual_interface_changed(driver, links.get(name) or LinkChanged(name, 0, running=False))

    def _read_links_again(self, error: OSError | None = None) -> None:
        """The links could not be read, or ports not be opened; no news need follow, so we try again by ourselves."""
        if error is not None:
            logger.error("carp the links could not be read: %s", error)
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(OPEN_AGAIN_S, self._retry_links)

    def _retry_links(self) -> None:
        self._retry = None
        self.read_links()

    def _link_changed(self, link: LinkChanged) -> None:
        self._on_link(link)
        if not link.index:
            self._reporting.link_gone(link.name)
        followers = [(group, driver) for group, driver in self._groups if group.interface == link.name]
        if link.running and any("link" in driver.obstacles for _, driver in followers):
            ask_neighbours_again(self._kernel, link)
        for group, driver in followers:
            self._follow_link(group, driver, link)
        for _, driver in self._groups:
            if driver.ports is not None and driver.ports.virtual_interface == link.name:
                self._virtual_interface_changed(driver, link)

    def _follow_link(self, group: GroupSettings, driver: Driver, link: LinkChanged) -> None:
        """Down: leave. Gone: let go of the sockets too. Back: open them anew if it is another interface, and listen."""
        another = driver.ports is not None and driver.ports.index != link.index
        if another or not link.running:  # another: the news of the end of the former was lost, and so are the addresses
            what = "another one now" if link.running else "down" if link.index else "gone"
            driver.set_obstacle("link", f"{link.name} is {what}")
            driver.leaving.end()  # of a node that stops, nobody is waited for any more
        if another:
            driver.detach()
        elif driver.ports is not None:
            driver.ports.advertisements.refresh()  # it may have another hardware address
        if link.index and driver.ports is None:
            try:
                driver.attach(self._kernel.open(group, link.index))
            except OSError as error:
                logger.error("carp vhid=%d cannot use %s: %s", group.vhid, link.name, error)
                driver.set_obstacle("link", str(error))
                self._read_links_again()
                return
        if link.running:
            if group.virtual_mac:
                self._mac_check.begin(link.name, link.index)
            driver.set_obstacle("link", None)

    def _virtual_interface_changed(self, driver: Driver, link: LinkChanged) -> None:
        """The virtual MAC's interface went up or down, perhaps by ourselves, or away, perhaps an earlier one. Renamed,
        nobody would tell what becomes of it; with another hardware address it hears no client. It is made again."""
        index, mac = driver.ports.address_index if driver.ports else 0, virtual_mac(driver.record.vhid)
        changed = link.index == index and link.mac not in ("", mac)
        if changed or (index and not link.index and not self._exists(index, link.name)):
            lost = f"was given the hardware address {link.mac}" if changed else "is gone"
            driver.set_obstacle("link", f"{link.name} {lost}; it is made again")
            driver.leaving.end()
            driver.detach()
            self.read_links()
        elif link.index:
            driver.virtual_interface_changed(running=link.running)

    def _exists(self, index: int, name: str) -> bool:
        try:
            return any((link.index, link.name) == (index, name) for link in self._kernel.links())
        except OSError as error:
            self._read_links_again(error)
            return True  # until it is known that it does not

    def _address_changed(self, change: AddressChanged) -> None:
        owner = self._owners.get(change.address)
        if owner is None:
            self._reporting.refresh()
        # No group speaks from a virtual address, so only its own one hears of it: with 255 groups that come and go,
        # each would make all the others choose their source addresses anew.
        for driver in [owner] if owner is not None else [driver for _, driver in self._groups]:
            if driver.ports is None:
                continue
            if owner is None and change.index == driver.ports.index:
                driver.ports.advertisements.refresh()
            elif owner is not None and change.index == driver.ports.address_index and not change.present:
                driver.address_removed(change.address)
