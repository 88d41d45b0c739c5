"""One reload after the other, all or nothing, in the order that clients need; node and listener keep a journal."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.processes import until
from wsa_proxy.config import ConfigError
from wsa_proxy.config import Loaded
from wsa_proxy.config import Problem
from wsa_proxy.proxy.listener import VirtualAddress
from wsa_proxy.proxy.listening_socket import Address
from wsa_proxy.proxy.modes import ListenerError
from wsa_proxy.proxy.reload import STOPPING
from wsa_proxy.proxy.reload import Reloader
from wsa_proxy.proxy.reload import virtual_addresses
from wsa_proxy.runtime.reload import Plan
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Settings

GROUP = GroupSettings(1, "", "proxy", (ip_interface("10.0.0.3/24"),), "eth0", 255, 1, 0, (), ("carp",), False, 8080)
PRESENT = Settings(Path("node.yaml"), "a", True, Path("state"), (GROUP,))
MOVED = replace(PRESENT, groups=(replace(GROUP, virtual_ips=(ip_interface("10.0.0.4/24"),)),))
WARNING = Problem("node.yaml", 3, "priority", "1", "is low")
WRONG = Problem("node.yaml", 4, "groups[0].id", "300", "must be a whole number from 1 to 255")


class World:
    """The node, the listener, the file and the clients of one reloader, with a journal of what was done."""

    def __init__(self) -> None:
        self.settings = PRESENT
        self.journal: list[str] = []
        self.file: Settings | Exception = PRESENT
        self.reads = 0
        self.readers = 0
        self.may_read = threading.Event()
        self.may_read.set()
        self.refusal: Exception | None = None
        self.taken: list[Settings] = []
        self.reloader = Reloader(self, self, self.read, self.drain, self.taken.append)

    def read(self, present: Settings) -> Loaded:
        assert present is self.settings
        self.readers += 1
        assert self.readers == 1, "two reloads at once"
        self.reads += 1
        assert self.may_read.wait(10)
        self.readers -= 1
        if isinstance(self.file, Exception):
            raise self.file
        return Loaded(self.file, (WARNING,))

    def apply(self, plan: Plan) -> None:
        self.journal.append("apply")
        if isinstance(self.refusal, OSError):
            raise self.refusal
        self.settings = plan.settings

    async def add(self, addresses: Sequence[VirtualAddress]) -> None:
        self.journal.append(f"add {', '.join(str(each.address) for each in addresses)}")
        await asyncio.sleep(0)
        if isinstance(self.refusal, ListenerError):
            raise self.refusal

    def keep(self, addresses: Sequence[VirtualAddress]) -> None:
        self.journal.append(f"keep {', '.join(str(each.address) for each in addresses)}")

    async def drain(self, addresses: Collection[Address]) -> None:
        self.journal.append(f"drain {', '.join(map(str, addresses)) or 'nobody'}")
        await asyncio.sleep(0)


@pytest.fixture(params=["lazy", "eager"])
async def world(request: pytest.FixtureRequest) -> Any:
    """With tasks as asyncio has them, and as mitmproxy's Master.run does."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    if request.param == "eager":
        loop.set_task_factory(asyncio.eager_task_factory)
    yield World()
    loop.set_task_factory(before)


async def test_what_is_new_is_listened_on_first_and_what_is_gone_last(world: World) -> None:
    """No group begins where nobody listens, and none ends in the middle of an answer."""
    world.file = MOVED
    report = await world.reloader.request()
    assert world.journal == ["add 10.0.0.4", "drain 10.0.0.3", "apply", "keep 10.0.0.4"]
    assert report.changes == ("group 1 starts anew: virtual_ip 10.0.0.3/24 -> 10.0.0.4/24",)
    assert report.warnings == (str(WARNING),) and not report.errors


async def test_the_self_tests_take_what_the_file_says_of_them(world: World) -> None:
    """In place, and only when the whole file was taken."""
    world.file = replace(PRESENT, health=HealthSettings(upstream="http://a.b/"))
    world.refusal = OSError("no")
    await world.reloader.request()
    assert world.taken == []
    world.refusal = None
    report = await world.reloader.request()
    assert report.changes == ("health.upstream: none -> http://a.b/",) and world.taken == [world.file]


async def test_a_file_that_says_the_same_disturbs_nobody(world: World) -> None:
    """No connection is drained."""
    report = await world.reloader.request()
    assert "drain nobody" in world.journal and report.changes == ("nothing has changed",)


async def test_a_wrong_file_changes_nothing_and_all_its_errors_are_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """In the words of `check`, to who has asked and in the log."""
    world.file = ConfigError((WRONG, WARNING))
    report = await world.reloader.request()
    assert world.journal == [] and world.settings is PRESENT
    assert report.errors == (str(WRONG), str(WARNING)) and report.refused and not report.changes
    assert str(WRONG) in caplog.text and "refused: the settings stay as they were" in caplog.text


@pytest.mark.parametrize("refusal", [ListenerError("port 8080 is taken"), OSError("no answer")], ids=["bind", "kernel"])
async def test_what_cannot_be_had_changes_nothing(world: World, refusal: Exception) -> None:
    """The new listeners are closed again."""
    world.file, world.refusal = MOVED, refusal
    report = await world.reloader.request()
    assert report.errors == (str(refusal),) and report.refused and not report.changes
    assert world.settings is PRESENT and world.journal[-1] == "keep 10.0.0.3"


async def test_a_mistake_of_ours_is_told_and_the_next_reload_comes(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator must not wait for an answer that never comes."""
    world.file = ValueError("a mistake")
    assert await world.reloader.report() == {
        "changes": [],
        "warnings": [],
        "errors": ["the reload has failed, see the log: ValueError('a mistake')"],
        "refused": False,
    }
    world.file = MOVED
    with caplog.at_level(logging.INFO):
        assert (await world.reloader.report())["changes"]
    assert "failover: the configuration was read again: group 1 starts anew" in caplog.text


async def test_reloads_come_one_after_the_other_and_wishes_that_wait_are_one(world: World) -> None:
    """A hundred signals are two reloads: the one under way may have read too early, the next one cannot have."""
    world.may_read.clear()
    first = world.reloader.request()
    await until(lambda: world.reads)
    others = [world.reloader.request() for _ in range(100)]
    assert len(set(others)) == 1 and others[0] is not first
    world.file = MOVED
    world.may_read.set()
    await asyncio.gather(first, *others)
    assert world.reads == 2 and world.settings is MOVED
    await world.reloader.request()
    assert world.reads == 3


async def test_a_stop_ends_a_reload_where_it_is(world: World) -> None:
    """The node is as it was, and who waits for the answer gets one."""
    world.may_read.clear()
    asking = [asyncio.create_task(world.reloader.report()) for _ in range(3)]  # noqa: TID251 - awaited below
    await until(lambda: world.reads)
    asking.append(asyncio.create_task(world.reloader.report()))  # noqa: TID251
    await asyncio.sleep(0.01)
    await world.reloader.close()
    world.may_read.set()
    assert [answer["errors"] for answer in await asyncio.gather(*asking)] == [[STOPPING]] * 4
    assert world.journal == [] and world.settings is PRESENT
    assert (await world.reloader.report())["errors"] == [STOPPING] and world.reads == 1
    await world.reloader.close()


async def test_who_hangs_up_does_not_call_the_reload_off(world: World) -> None:
    """Ctrl-C at `wsa-proxy reload` is no wish about the node."""
    world.file = MOVED
    world.may_read.clear()
    asking = asyncio.create_task(world.reloader.report())  # noqa: TID251 - cancelled below
    await until(lambda: world.reads)
    asking.cancel()
    world.may_read.set()
    await world.reloader.request()
    assert world.settings is MOVED


def test_the_proxy_listens_on_every_virtual_ip_at_its_groups_port() -> None:
    """In the file's order."""
    two = replace(
        PRESENT, groups=(GROUP, replace(GROUP, vhid=2, port=3128, virtual_ips=(ip_interface("10.0.0.5/24"),)))
    )
    places = [(str(each.address), each.port) for each in virtual_addresses(two)]
    assert places == [("10.0.0.3", 8080), ("10.0.0.5", 3128)]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A reading thread that waits for ever would keep the tests from ending."""
    yield
    assert not [thread for thread in threading.enumerate() if "failover" in thread.name]
