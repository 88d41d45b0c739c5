"""What the guardian is to say for a node that is gone, through the pump: who believes it, and when nobody does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_interface
from typing import Any

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.carp import wire
from wsa_proxy.carp.wire import Reject
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime.reload import make_plan

BOW_OUT = (255, 255)


def values(payload: bytes) -> tuple[int, int]:
    """advbase and advskew."""
    read = wire.decode(payload, 255)
    assert not isinstance(read, Reject)
    return read.advbase, read.advskew


def will(host: Host) -> bytes:
    """That of the only group, for IPv4."""
    (part,) = host.wills[1]
    assert part[0] == 4
    return part[1:]


async def two(make_host: MakeHost, security: str) -> tuple[Host, Host]:
    """Master and backup."""
    a, b = make_host("a", 1, security=(security,)), make_host("b", 2, advskew=55, security=(security,))
    await a.start()
    await b.start()
    await asyncio.sleep(10.5)
    assert (a.state, b.state) == ("master", "backup")
    return a, b


@pytest.mark.parametrize("security", ["carp", "sealed"])
async def test_a_will_is_believed_once_its_node_is_dead(make_host: MakeHost, security: str) -> None:
    """As if the node itself had left in order: the backup is master at once. Of three copies two mean nothing."""
    a, b = await two(make_host, security)
    assert values(will(a)) == BOW_OUT and 1 not in b.wills
    a.running = False
    for _ in range(3):
        b.inbox.put(Packet(4, a.address, a.mac, 255, will(a)))
    await asyncio.sleep(0.02)
    assert b.state == "master" and b.last_transition() == "BACKUP -> MASTER master_bowed_out"
    assert b.driver.record.rejects[Reject.DUPLICATE] == (2 if security == "sealed" else 0)


@pytest.mark.parametrize("security", ["carp", "sealed"])
async def test_a_third_node_takes_nothing_over(make_host: MakeHost, security: str) -> None:
    """The second copy of a plain bow-out is one of the new master, to whoever backs that one up: so there is none."""
    a, b = await two(make_host, security)
    c = make_host("c", 3, advskew=100, security=(security,))
    await c.start()
    await asyncio.sleep(5.5)
    a.running = False
    for _ in range(3 if a.wills_again[1] else 1):
        for each in (b, c):
            each.inbox.put(Packet(4, a.address, a.mac, 255, will(a)))
        await asyncio.sleep(0.02)
    assert (b.state, c.state) == ("master", "backup") and len(c.driver.record.transitions) == 1


async def test_the_will_of_a_living_node_is_good_for_nobody(make_host: MakeHost) -> None:
    """Sealed: whoever gets hold of one has a replay in his hands with the node's next advertisement."""
    a, b = await two(make_host, "sealed")
    earlier = will(a)
    await asyncio.sleep(1)
    assert will(a) != earlier
    b.inbox.put(Packet(4, a.address, a.mac, 255, earlier))
    await asyncio.sleep(0.1)
    assert (a.state, b.state) == ("master", "backup") and b.driver.record.rejects[Reject.REPLAY] == 1


async def test_the_will_is_left_before_the_advertisement_that_claims(make_host: MakeHost) -> None:
    """Whenever the node dies after it, the guardian can say so."""
    a = make_host("a", 1, security=("sealed",))
    seen = []
    await a.start()
    await asyncio.sleep(2.9)
    (listener,) = a.lan.listeners
    send = listener.send

    def look(*arguments: object, **more: object) -> None:
        seen.append(will(a))
        send(*arguments, **more)  # type: ignore[arg-type]

    listener.send = look  # type: ignore[method-assign]
    await asyncio.sleep(3)
    assert a.state == "master" and len(seen) == len(set(seen)) >= 3 and {values(each) for each in seen} == {BOW_OUT}


async def test_between_two_rare_advertisements_the_will_stays_fresh(make_host: MakeHost) -> None:
    """They may be minutes apart, and a sealed bow-out that is ten seconds old is refused."""
    slow = {"advbase": 60, "security": ("sealed",)}
    a, b = make_host("a", 1, **slow), make_host("b", 2, advskew=55, **slow)
    await a.start()
    await b.start()
    await asyncio.sleep(180 + 59)
    assert (a.state, b.state) == ("master", "backup")
    a.running = False
    b.driver.turn()  # its queue is empty: what comes now has not waited there
    b.inbox.put(Packet(4, a.address, a.mac, 255, will(a)))
    await asyncio.sleep(0.02)
    assert b.state == "master"


async def test_nothing_is_willed_that_nobody_was_told(make_host: MakeHost) -> None:
    """The host refuses the first advertisement: a bow-out would be the end of another master, if there is one."""
    a, b = make_host("a", 1), make_host("b", 2)
    a.send_error = OSError("operation not permitted")
    await a.start()
    await asyncio.sleep(3.5)
    assert a.state == "master" and a.wills[1] == []
    a.inbox.put(Packet(4, b.address, b.mac, 255, b.says(1, 200, 0)))
    await asyncio.sleep(0.01)
    assert not any(a.driver.record.rejects.values()) and a.wills[1] == []
    a.send_error = None
    await asyncio.sleep(1)
    assert a.state == "master" and values(will(a)) == BOW_OUT
    a.send_error = OSError("operation not permitted")
    await asyncio.sleep(1)
    assert a.state == "master" and values(will(a)) == BOW_OUT


async def test_whoever_is_believed_is_outdone(make_host: MakeHost) -> None:
    """A master that has heard a worse one goes above it in its will as well, and not only in its next advertisement."""
    a, b = await two(make_host, "sealed")
    for _ in range(3):
        heard = b.says(1, 200, 0)
    a.driver.virtual_host._answer_after_s = a.loop.now + 1000  # it answers none: the will alone is looked at
    a.driver.virtual_host._deadline_advertisement_s = a.loop.now + 1000
    a.inbox.put(Packet(4, b.address, b.mac, 255, heard))
    await asyncio.sleep(0.01)
    read, theirs = wire.decode(will(a), 255), wire.decode(heard, 255)
    assert not isinstance(read, Reject) and not isinstance(theirs, Reject)
    assert read.counter > theirs.counter


async def test_an_own_will_is_an_echo(make_host: MakeHost) -> None:
    """The guardian's copies come back from a virtual switch to a node that has woken up."""
    a, _ = await two(make_host, "sealed")
    for _ in range(2):
        a.inbox.put(Packet(4, a.address, a.mac, 255, will(a)))
        await asyncio.sleep(0.01)
    assert a.driver.record.rejects[Reject.ECHO] == 2 and a.state == "master"


async def test_no_will_in_a_version_that_has_no_address(make_host: MakeHost) -> None:
    """The other one is left all the same."""
    a = make_host("a", 1, virtual_ips=("10.0.0.3/24", "fd00:77::3/64"), security=("sealed",))
    await a.start()
    await asyncio.sleep(3.5)
    assert [part[0] for part in a.wills[1]] == [4, 6]
    a.silent_version = 6
    await asyncio.sleep(1)
    assert [part[0] for part in a.wills[1]] == [4]


OLD, NEW = b"the old secret", b"the new secret"


@pytest.mark.parametrize("later_s", [0.0, 0.3, 1.5])
@pytest.mark.parametrize(
    ("first", "step"),
    [
        ({"pass_phrases": (OLD, NEW), "security": ("sealed",)}, {"pass_phrases": (NEW, OLD)}),
        ({"security": ("carp", "sealed")}, {"security": ("sealed", "carp")}),
        ({"security": ("sealed", "carp")}, {"security": ("carp", "sealed")}),
        ({"security": ("sealed",)}, {"advskew": 5, "priority": 250}),
    ],
    ids=["secret", "to sealed", "to carp", "priority"],
)
async def test_a_will_is_believed_in_the_middle_of_a_move(
    make_host: MakeHost, first: dict[str, Any], step: dict[str, Any], later_s: float
) -> None:
    """The master has just been told of another way to sign; the backup, which accepts both, has not."""
    a, b = make_host("a", 1, **first), make_host("b", 2, **(first | {"advskew": 55}))
    await a.start()
    await b.start()
    await asyncio.sleep(10.5)
    new = replace(a.node.settings, groups=(replace(a.node.settings.groups[0], **step),))
    a.node.apply(make_plan(a.node.settings, new))
    await asyncio.sleep(later_s)
    assert (a.state, b.state) == ("master", "backup")
    a.running = False
    b.inbox.put(Packet(4, a.address, a.mac, 255, will(a)))
    await asyncio.sleep(0.02)
    assert b.state == "master"


async def test_a_group_that_starts_anew_has_no_will(make_host: MakeHost) -> None:
    """It has bowed out, and the guardian would do it again, of whoever follows."""
    a, _ = await two(make_host, "carp")
    other = replace(a.node.settings.groups[0], virtual_ips=(ip_interface("10.0.0.4/24"),))
    a.node.apply(make_plan(a.node.settings, replace(a.node.settings, groups=(other,))))
    assert a.wills == {}
    await asyncio.sleep(10)
    assert a.state == "master" and values(will(a)) == BOW_OUT
