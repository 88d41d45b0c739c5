"""A sealed group through the pump: what a hostile host has captured moves nothing, and no clock need be right."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.carp.test_wire import repaired
from tests.runtime.wire import Wire
from tests.runtime.wire import master_and_backup
from tests.runtime.world import Host
from tests.runtime.world import MakeHost

HOUR_MS = 3_600_000.0
SEALED = ("sealed",)
D_OF_B_S = 3 + 55 / 256


async def two(make_host: MakeHost, **changes: Any) -> tuple[Host, Host, Wire]:
    """Sealed, and with clocks that are apart by nearly as much as is tolerated."""
    return await master_and_backup(make_host, behind_ms=HOUR_MS * 0.9, security=SEALED, **changes)


async def test_two_nodes_with_clocks_an_hour_apart_agree(make_host: MakeHost) -> None:
    """I10: also when the clocks are stepped, in either direction; the file says so after a restart."""
    a, b, _ = await two(make_host)
    a.wall_ms += 5 * HOUR_MS
    b.wall_ms -= 50 * HOUR_MS
    await asyncio.sleep(30)
    assert (a.state, b.state) == ("master", "backup")
    assert len(b.driver.record.transitions) == 1
    assert sum(b.driver.record.rejects.values()) == 0
    assert (b.node.settings.state_dir / "seal-1.json").exists()


@pytest.mark.parametrize("source", ["10.0.0.1", "10.0.0.66"], ids=["as the master", "as a stranger"])
async def test_a_replayed_capture_delays_no_takeover(make_host: MakeHost, source: str) -> None:
    """30 s of it, while the master dies: the backup takes over in its usual time, and every packet is counted."""
    a, b, wire = await two(make_host)
    await asyncio.sleep(20.5)
    captured = list(wire.captured)
    dead_at_s = b.loop.now
    heard_at_s = b.driver.virtual_host._heard_at_s[4]
    a.running = False
    sent = 0
    while b.loop.now < dead_at_s + 30:
        wire.send(captured[sent % len(captured)], source)
        sent += 1
        await asyncio.sleep(0.05)
        if b.state == "master" and b.driver.record.reason:
            break
    assert b.state == "master"
    assert b.loop.now - heard_at_s < D_OF_B_S + 0.06
    rejects = {reject.value: count for reject, count in b.driver.record.rejects.items() if count}
    assert set(rejects) <= {"replay", "duplicate"} and sum(rejects.values()) >= sent - 1


async def test_what_waited_while_a_node_stood_still_accuses_nobody_alone(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """It preempts at the first of the queue, and the rest is older than its own word: counted, and both causes told."""
    a, b, wire = await two(make_host)
    waiting = [b.says(1, 55, 0) for _ in range(6)]
    for packet in waiting:
        wire.send(packet)
    a.loop.now += 5
    await asyncio.sleep(0.1)
    assert [each.report.reason for each in a.driver.record.transitions][-2:] == [
        "overslept",
        "preempted_inferior_master",
    ]
    assert "rejected=replay" in caplog.text and "this proxy stood still and read it late" in caplog.text


async def test_a_rewritten_advertisement_moves_nothing(make_host: MakeHost) -> None:
    """The master's own one with advskew 0 and as a bow-out, again and again: one counter, no transition."""
    a, b, wire = await two(make_host)
    transitions = len(a.driver.record.transitions), len(b.driver.record.transitions)
    for _ in range(100):
        for advbase, advskew in ((1, 1), (255, 255), (0, 1)):
            forged = bytearray(wire.captured[-1])
            forged[2], forged[5] = advskew, advbase
            wire.send(repaired(bytes(forged)))
        await asyncio.sleep(0.1)
    assert (len(a.driver.record.transitions), len(b.driver.record.transitions)) == transitions
    assert b.driver.record.rejects[next(each for each in b.driver.record.rejects if each.value == "rewritten")] == 300


async def test_a_group_whose_time_has_come_to_its_end_says_so_and_gives_up(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever knows the secret can say 2159; then nothing that a node signs is above it, and none may serve unheard."""
    a = make_host("a", 1, security=SEALED)
    member = make_host("c", 3, security=SEALED)
    await a.start()
    wire = Wire(a)
    await asyncio.sleep(5)
    assert a.state == "master"
    (sealer,) = member.driver._identity.credentials.sealers
    sealer.time.top = (2**42 - 2) << 22
    wire.send(member.says(1, 0, 0))
    await asyncio.sleep(1)
    assert a.state == "backup"
    await asyncio.sleep(3.5 + 2.5)
    assert a.state == "init" and not a.holds
    assert "advertisements cannot be sent" in a.driver.obstacles["kernel"]
    assert "a new secret starts anew" in a.driver.obstacles["kernel"] and "Traceback" not in caplog.text


async def test_a_restarted_node_refuses_what_it_had_heard_before(make_host: MakeHost) -> None:
    """Its file is of the same boot, so it knows the time of the group at once."""
    a, b, wire = await two(make_host)
    captured = list(wire.captured)
    b.node.stop("restart")
    b.node.close()
    again = make_host("b", 2, advskew=55, security=SEALED)
    await again.start()
    a.running = False
    started_at_s = again.loop.now
    everybody = Wire(again)
    while again.state != "master" and again.loop.now < started_at_s + 30:
        everybody.send(captured[-1])
        everybody.send(captured[0], "10.0.0.1")
        await asyncio.sleep(0.05)
    assert again.loop.now - started_at_s < D_OF_B_S + 0.1


async def test_a_node_that_comes_back_says_farewell_to_nobody_and_preempts(make_host: MakeHost) -> None:
    """The loser says farewell once, the winner announces again: hardening 10a."""
    a, b, _ = await two(make_host)
    a.node.stop("orderly stop")
    await asyncio.sleep(1)
    assert b.state == "master"
    journal = len(b.journal)
    a.node.close()
    again = make_host("a", 1, security=SEALED)
    await again.start()
    await asyncio.sleep(5)
    assert (again.state, b.state) == ("master", "backup")
    lines = b.journal[journal:]
    farewell = lines.index("close connections") - 1
    assert lines[farewell] == "advertise v4 1/55 from its own MAC" and lines[farewell + 2] == "release"


@pytest.mark.parametrize(
    ("one", "other"),
    [(("carp",), ("carp", "sealed")), (("carp", "sealed"), ("sealed", "carp")), (("sealed", "carp"), SEALED)],
)
async def test_each_step_of_a_migration_understands_the_next(
    make_host: MakeHost, one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    """Whichever of two nodes moves first: never two masters that hear each other."""
    for number, (first, second) in enumerate(((one, other), (other, one))):
        a = make_host(f"a{number}", 1, security=first)
        b = make_host(f"b{number}", 2, advskew=55, security=second)
        await a.start()
        await b.start()
        for _ in range(100):
            await asyncio.sleep(0.1)
            assert not (a.holds and b.holds)
        assert (a.state, b.state) == ("master", "backup")
        for host in (a, b):
            host.node.stop("next")
            host.node.close()


async def test_sealed_and_carp_on_one_lan_are_reported(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """No election can heal it, so both sides say whose security differs, with its hardware address."""
    a = make_host("a", 1, security=SEALED)
    b = make_host("b", 2, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(10)
    assert (a.state, b.state) == ("master", "master")
    assert "rejected=plain_member" in caplog.text and "rejected=sealed_member" in caplog.text
    assert f"mac={b.mac}" in caplog.text and "security must be the same on all nodes" in caplog.text


async def test_a_sealed_node_has_no_degrees_of_demotion(make_host: MakeHost) -> None:
    """The seal has one bit for it, and a rank that cannot be told must not be compared; plain CARP tells all of it."""
    for security, demotion in [(SEALED, 1), (("carp", "sealed"), 1), (("carp",), 2)]:
        a = make_host(f"a {security}", 1, security=security)
        await a.start()
        for name in ("proxy", "test"):
            a.driver.set_demotion(name, 1, "test")
        assert a.driver.virtual_host.demotion == demotion
        a.driver.set_demotion("proxy", 0, "test")
        assert a.driver.virtual_host.demotion == 1
        a.driver.set_demotion("test", 0, "test")
        assert a.driver.virtual_host.demotion == 0


async def test_a_node_that_begins_to_believe_seals_forgets_degrees(make_host: MakeHost) -> None:
    a, b = make_host("a", 1, security=("carp",)), make_host("b", 2, security=SEALED)
    await a.start()
    await b.start()
    for name in ("proxy", "test"):
        a.driver.set_demotion(name, 1, "test")
    a.driver.change(a.driver.virtual_host.settings, b.driver._identity.credentials)
    assert a.driver.virtual_host.demotion == 1
