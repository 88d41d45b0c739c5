"""Several virtual hosts on a LAN that loses and delays nothing: one master in the end, however equal they are.

Everything that is due at the same time happens at the same time: what one node sends, the others hear only after all
have acted. That is the worst case for a tie, and real LANs come near it.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from tests.carp.playbook import BOW_OUT
from tests.carp.playbook import RELEASE
from tests.carp.playbook import SECOND
from tests.carp.playbook import Playbook
from tests.carp.playbook import heard
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Version

D = 3 * SECOND
T = SECOND
ADDRESSES = [ip_address("10.0.0.3"), ip_address("fd00:77::3")]


class Lan:
    """Nodes 0, 1, 2 ... with these advskews; ``now`` moves from deadline to deadline."""

    def __init__(self, advskews: Sequence[int], versions: tuple[Version, ...], preempt: bool = True) -> None:
        self.now = 1000.0
        self.transitions = 0
        self.wire: list[tuple[int, Version, bytes]] = []
        self.nodes = [
            VirtualHost(VirtualHostSettings(1, 1, advskew, preempt, versions, tie_break=number + 1))
            for number, advskew in enumerate(advskews)
        ]
        hashed = [address for address in ADDRESSES if address.version in versions]
        key = key_from_pass_phrase(b"secret")
        self.authenticators = [Authenticator([key], 1, hashed, counter) for counter in range(len(self.nodes))]

    def happen(self, number: int, event: Event) -> None:
        """One node's event; what it says is put on the wire."""
        node = self.nodes[number]
        for command in node.handle(event, self.now):
            self.transitions += isinstance(command, ReportTransition)
            if isinstance(command, SendAdvertisement):
                payload = self.authenticators[number].sign(command.advbase, command.advskew, command.demotion)
                self.wire += [(number, version, payload) for version in node.settings.versions]

    def deliver(self) -> None:
        """Everybody hears what was said, and what is said to it, until there is silence."""
        while self.wire:
            said, self.wire = self.wire, []
            for sender, version, payload in said:
                for number, authenticator in enumerate(self.authenticators):
                    if number != sender:
                        advertisement = authenticator.accept(payload, 255, version)
                        assert isinstance(advertisement, Advertisement)
                        self.happen(number, AdvertisementReceived(advertisement, version, str(sender)))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            deadlines = {number: node.next_deadline() for number, node in enumerate(self.nodes)}
            due = min(deadline for deadline in deadlines.values() if deadline is not None)
            if due > until:
                self.now = until
                return
            self.now = due
            for number, deadline in deadlines.items():
                if deadline == due:
                    self.happen(number, DeadlineReached())
            self.deliver()

    def masters(self) -> list[int]:
        return [number for number, node in enumerate(self.nodes) if node.state is State.MASTER]


@pytest.mark.parametrize("versions", [(4,), (6,), (4, 6)])
@pytest.mark.parametrize("advskews", [[0, 0], [0, 0, 0], [55, 55, 55, 55], [0, 55], [55, 0, 0]])
def test_nodes_that_start_together_agree_on_one(advskews: list[int], versions: tuple[Version, ...]) -> None:
    """V4, V5: one of the best within three master-down intervals, and no transition afterwards, equals or not.

    A tie is heard more than once, in both IP versions and from several equals: the wait that ends it must survive that.
    """
    lan = Lan(advskews, versions)
    for number in range(len(lan.nodes)):
        lan.happen(number, Started("ready"))
    lan.run(3 * 3.5)
    masters = lan.masters()
    assert len(masters) == 1 and advskews[masters[0]] == min(advskews)
    lan.transitions = 0
    lan.run(30)
    assert lan.masters() == masters and lan.transitions == 0


@pytest.mark.parametrize("versions", [(4,), (4, 6)])
def test_a_preferred_node_that_joins_takes_over_at_the_first_advertisement(versions: tuple[Version, ...]) -> None:
    """And the others follow in the same instant: no address is held twice for longer than a packet takes."""
    lan = Lan([0, 55, 100], versions)
    lan.happen(1, Started("ready"))
    lan.happen(2, Started("ready"))
    lan.run(5)
    assert lan.masters() == [1]
    lan.happen(0, Started("ready"))
    lan.run(256 / 256 + 55 / 256)
    assert lan.masters() == [0]
    lan.transitions = 0
    lan.run(30)
    assert lan.transitions == 0


@pytest.mark.parametrize(("first", "second"), [(4, 6), (6, 4)])
def test_the_wait_after_a_tie_survives_the_equals_other_copy(first: Version, second: Version) -> None:
    """Two equals send in both IP versions; the copy heard as BACKUP must not undo it."""
    play = Playbook(tie_break=128, versions=(4, 6)).master()
    assert play.at(100, heard(version=first)) == [RELEASE]
    assert play.at(100, heard(version=second)) == []
    assert play.deadline == pytest.approx(100 + D + T / 5 / 2)


def test_the_wait_after_a_tie_is_kept_for_two_master_down_intervals() -> None:
    """Until then each deadline has it, and a takeover by hearing waits as long; then all is as always."""
    play = Playbook(tie_break=128).master()
    play.at(100, heard())
    play.at(100 + 2 * D - 0.5, heard())
    assert play.deadline == pytest.approx(100 + 2 * D - 0.5 + D + T / 5 / 2)
    play.at(100 + 2 * D - 0.25, heard(demotion=1))
    assert play.deadline == pytest.approx(100 + 2 * D - 0.25 + T / 5 / 2)
    play.at(100 + 2 * D, heard())
    play.at(100 + 3 * D, heard())
    assert play.deadline == 100 + 4 * D


def test_a_bow_out_in_both_versions_is_followed_by_one_master_only() -> None:
    """The successor is heard in one IP version before the other; that ends the wait in both."""
    play = Playbook(advskew=100, versions=(4, 6), preempt=False).listening()
    play.at(100, BOW_OUT)
    play.at(100, heard(255, 255, version=6))
    assert play.deadline == pytest.approx(100 + 100 * 40e-6 * SECOND)
    assert play.at(100.5, heard(advskew=55)) == []
    assert play.deadline == 100.5 + D + 100
