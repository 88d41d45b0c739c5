"""The judge of what a moving node believes: told what never happens, it says which promise that would break."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.test_moving import Pair
from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation import belief
from wsa_proxy.simulation import trust
from wsa_proxy.simulation.belief import SIGNED
from wsa_proxy.simulation.belief import Freshness
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.moving import Heard
from wsa_proxy.simulation.moving import MovingNode
from wsa_proxy.simulation.plan import VHID
from wsa_proxy.simulation.run import ADDRESSES
from wsa_proxy.simulation.run import KEY
from wsa_proxy.simulation.trust import Said
from wsa_proxy.simulation.trust import Trust
from wsa_proxy.simulation.violation import Violation
from wsa_proxy.simulation.ways import CARP
from wsa_proxy.simulation.ways import SEALED
from wsa_proxy.simulation.ways import Way

PLAIN = Authenticator([KEY], VHID, [ADDRESSES[4]], 7)


class World:
    """A backup that has one way, and its judge."""

    def __init__(self, *security: object, secrets: tuple[str, ...] = ("old",)) -> None:
        pair = Pair("migration")
        self.node: MovingNode = pair.backup
        self.node.way = Way(security, secrets)  # type: ignore[arg-type]
        self.trust = Trust(Counter(), VHID, [], [])
        self.trust.told(self.node, "life", None)

    def frame(self, ms: float, farewell: bool = False, forged: bool = False, bow_out: bool = False) -> Advertised:
        """A seal of that time, less the wall clock's."""
        base, skew = (255, 255) if bow_out else (1, 10)
        counter = (int(self.node.wall_ms + ms) << 22) + (base << 14) + (skew << 6) + (farewell << 5)
        said = Advertisement(VHID, base, skew, 0, counter, bytes(20))
        return Advertised(4, wire.encode(said), forged=forged)

    def said(self, frame: Advertised, secret: str = "old", sealed: bool = True, number: int = 0) -> Advertised:
        self.trust._said[frame.payload[SIGNED]] = Said(secret, sealed, number)
        return frame

    def believes(self, frame: Advertised, kind: type = AdvertisementReceived) -> None:
        heard = wire.decode(frame.payload, 255)
        assert isinstance(heard, Advertisement)
        what = AdvertisementReceived(heard, 4, "") if kind is AdvertisementReceived else kind("")
        self.trust.told(self.node, "heard", Heard(frame, what, self.node.now))

    def refuses(self, frame: Advertised, why: Reject) -> None:
        self.trust.told(self.node, "heard", Heard(frame, why, self.node.now))


def plain(skew: int = 10) -> Advertised:
    return Advertised(4, PLAIN.sign(1, skew, 0))


def test_what_it_may_believe() -> None:
    """Of plain CARP anything; of seals what is new, from a first contact on where nothing else is believed."""
    world = World(SEALED)
    world.believes(world.said(world.frame(-10)), FirstContact)
    world.believes(world.said(world.frame(0)))
    world.believes(world.said(world.frame(1, farewell=True)), FarewellReceived)
    world = World(CARP, SEALED)
    for _ in range(2):
        world.believes(world.said(world.frame(-10_000)))
        world.believes(world.said(plain(), sealed=False))


@pytest.mark.parametrize(
    ("security", "secret", "sealed"),
    [
        ([SEALED], "new", True),
        ([SEALED], "old", False),
        ([CARP], "old", True),
        ([CARP, SEALED], "new", False),
        ([SEALED, CARP], "new", True),
    ],
)
def test_nothing_is_believed_that_its_way_does_not_say(security: list[object], secret: str, sealed: bool) -> None:
    """Nor refused as a replay, nor, the other way round, as a stranger's if it is known."""
    world = World(*security)
    frame = world.said(world.frame(0) if sealed else plain(), secret, sealed)
    with pytest.raises(Violation, match=r"^I4"):
        world.believes(frame, FirstContact if security == [SEALED] else AdvertisementReceived)
    with pytest.raises(Violation, match=r"^I3"):
        world.refuses(frame, Reject.REPLAY)
    world.refuses(frame, Reject.BAD_SECRET)
    world.node.way = Way((CARP, SEALED), ("new", "old"))
    with pytest.raises(Violation, match=r"^I4"):
        world.refuses(frame, Reject.BAD_SECRET)


def test_nothing_forged_rewritten_or_its_own_is_believed() -> None:
    world = World(CARP, SEALED)
    with pytest.raises(Violation, match=r"^I4.*forged"):
        world.believes(world.frame(0))
    frame = world.said(world.frame(0))
    rewritten = Advertised(
        4, wire.encode(Advertisement(VHID, 1, 11, 0, int.from_bytes(frame.payload[8:16]), bytes(20)))
    )
    with pytest.raises(Violation, match=r"^I4.*rewritten"):
        world.believes(rewritten)
    with pytest.raises(Violation, match=r"^I4.*FarewellReceived"):
        world.believes(frame, FarewellReceived)
    own = plain()
    world.trust.told(world.node, "signed", own.payload)
    with pytest.raises(Violation, match=r"^I4.*echo"):
        world.believes(own)
    world.node.way = Way((SEALED,))
    sealed = world.frame(5)
    world.trust.told(world.node, "signed", sealed.payload)
    with pytest.raises(Violation, match=r"^I4.*echo"):
        world.believes(sealed)


def test_who_signs_sealed_believes_nothing_old_under_any_secret() -> None:
    """A secret that has not been heard yet has the time of the group, not a first contact."""
    world = World(SEALED, secrets=("old", "new"))
    with pytest.raises(Violation, match=r"^I4.*first contact"):
        world.believes(world.said(world.frame(-3_700_000)), FirstContact)
    world.believes(world.said(world.frame(0)), FirstContact)
    with pytest.raises(Violation, match=r"^I4.*before, or older"):
        world.believes(world.said(world.frame(-1)))
    with pytest.raises(Violation, match=r"^I4.*FirstContact"):
        world.believes(world.said(world.frame(1), "new"), FirstContact)
    with pytest.raises(Violation, match=r"^I4.*too old"):
        world.believes(world.said(world.frame(-30_000), "new"))
    world.believes(world.said(world.frame(2), "new"))


def test_a_bow_out_may_have_waited_unless_something_later_is_known_under_any_secret() -> None:
    """Else whoever came back, and signs with another secret by now, is taken for gone."""
    world = World(SEALED, secrets=("new", "old"))
    world.believes(world.said(world.frame(-9000)), FirstContact)
    world.believes(world.said(world.frame(-8000)))
    world.believes(world.said(world.frame(-7000, bow_out=True)))
    world.believes(world.said(world.frame(0), "new"))
    with pytest.raises(Violation, match=r"^I4.*too old"):
        world.believes(world.said(world.frame(-6000, bow_out=True)))
    world.refuses(world.said(world.frame(-6000, bow_out=True)), Reject.STALE)
    with pytest.raises(Violation, match=r"^I4.*fresh"):
        world.refuses(world.said(world.frame(-100, bow_out=True)), Reject.STALE)
    world.believes(world.said(world.frame(-100, bow_out=True)))


def test_what_it_signs_is_above_all_and_no_younger_than_the_group_and_its_wall_clock() -> None:
    world = World(SEALED, secrets=("new", "old"))
    world.believes(world.said(world.frame(5000)), FirstContact)
    with pytest.raises(Violation, match=r"^I4.*old by the time of the group"):
        world.trust.told(world.node, "signed", world.frame(4000).payload)
    world.trust.told(world.node, "signed", world.frame(5001).payload)
    with pytest.raises(Violation, match=r"^I4.*nothing higher"):
        world.trust.told(world.node, "signed", world.frame(5001).payload)
    world = World(SEALED, CARP)
    with pytest.raises(Violation, match=r"^I4.*wall clock"):
        world.trust.told(world.node, "signed", world.frame(-10).payload)


def test_nothing_genuine_is_refused() -> None:
    """Plain CARP never, nor a seal by who keeps no time, nor one that is new and fresh."""
    world = World(CARP, SEALED)
    with pytest.raises(Violation, match=r"^I4.*refuses"):
        world.refuses(world.said(plain(), sealed=False), Reject.ECHO)
    with pytest.raises(Violation, match=r"^I4.*keeps no time"):
        world.refuses(world.said(world.frame(-50_000)), Reject.STALE)
    world = World(SEALED)
    world.believes(world.said(world.frame(0)), FirstContact)
    with pytest.raises(Violation, match=r"^I4.*fresh"):
        world.refuses(world.said(world.frame(1)), Reject.STALE)
    world.refuses(world.said(world.frame(-1)), Reject.REPLAY)
    world.refuses(world.said(world.frame(1, forged=True)), Reject.STALE)


def test_a_judge_is_told_what_it_listens_to() -> None:
    """The run tells it nothing else."""
    assert set(belief._LISTENERS) == Freshness.LISTENS
    assert set(trust._LISTENERS) == Trust.LISTENS
