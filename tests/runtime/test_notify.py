"""The operator's command: told in order, one at a time, and never in the way. Real processes; the limits are short."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wsa_proxy.runtime import notify
from wsa_proxy.runtime.notify import Notify
from wsa_proxy.runtime.notify import environment

EVENT = {
    "number": 7,
    "node": "a",
    "group": 1,
    "from": "backup",
    "to": "master",
    "reason": "master_silent",
    "evidence": "silent_s=3.2",
    "sentence": "Node a became MASTER.",
}
END_S = 20.0


class World:
    """``script`` runs for each event; what it appends to the file ``out`` is read back."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"

    def command(self, script: str) -> tuple[str, ...]:
        path = self.folder / "told"
        path.write_text(f"#!/bin/sh\nOUT={self.out}\n{script}\n")
        path.chmod(0o755)
        return (str(path), "an argument; not a $HOME")

    def lines(self) -> list[str]:
        return self.out.read_text().splitlines() if self.out.exists() else []


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def is_there(pid: str) -> bool:
    """It runs, or could: one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until_gone(pid: str) -> None:
    try:
        await until(lambda: not is_there(pid))
    except TimeoutError:
        os.kill(int(pid), signal.SIGKILL)
        raise


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.01)


def event(number: int, **more: Any) -> dict[str, Any]:
    return EVENT | {"number": number} | more


async def test_each_event_is_told_in_order_and_one_at_a_time(world: World) -> None:
    """By its standard input, the environment and its own arguments, which no shell has seen."""
    told = Notify(("/nonexistent/command of the file before",))
    told.take(world.command('{ echo "begin $WSA_PROXY_STATE $1"; cat; echo end; } >>$OUT'))
    for number in range(5):
        told.transition(event(number))
    told.redundancy("a", 1, 0, "no healthy standby: b: last heard 2.9 s ago")
    await told.finish(END_S)
    lines = world.lines()
    assert lines[0::3][:5] == ["begin master an argument; not a $HOME"] * 5 and lines[2::3] == ["end"] * 6
    documents = [json.loads(line) for line in lines[1::3]]
    assert documents[:5] == [{"event": "transition", **event(number)} for number in range(5)]
    assert documents[5]["event"] == "redundancy" and documents[5]["healthy_standbys"] == 0
    assert told.status() == {"failed": 0, "last_failure": None}


async def test_it_has_no_descriptor_and_no_secret_of_ours(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the sockets, not the service manager's, not what was passed on in the environment."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    told = Notify(world.command("{ ls /proc/self/fd | sort; env; } >>$OUT"))
    told.transition(EVENT)
    await told.finish(END_S)
    os.close(reading)
    os.close(writing)
    descriptors = [line for line in world.lines() if line.isdecimal()]
    assert len(descriptors) == 4 and descriptors[:3] == ["0", "1", "2"]  # ls has the folder open itself
    assert "WSA_PROXY_REASON=master_silent" in world.lines()
    assert not [line for line in world.lines() if line.startswith(("NOTIFY_SOCKET", "PYTEST"))]


async def test_one_that_takes_too_long_is_ended_with_all_that_it_has_started(world: World) -> None:
    """It may want to clean up; it may not refuse. The next event is told all the same."""
    hangs = 'trap "" TERM; sleep 100 & echo $! $$ >>$OUT; wait; wait'
    told = Notify(world.command(f'case "$WSA_PROXY_GROUP" in 1) {hangs};; *) echo done >>$OUT;; esac'), limit_s=0.5)
    told.transition(event(1))
    told.transition(event(2, group=2))
    await told.finish(END_S)
    child, parent, last = world.lines()[0].split() + world.lines()[1:]
    assert last == "done" and told.status()["failed"] == 1
    assert "not done within 0.5 s, and ended" in str(told.status()["last_failure"])
    await until_gone(child)
    await until_gone(parent)


async def test_the_loop_goes_on_meanwhile(world: World) -> None:
    """Who is told is of no concern to the clients."""
    told = Notify(world.command("sleep 0.5"))
    turns = 0
    told.transition(EVENT)
    while not turns or not told._running or not told._running.done():
        began_s = time.monotonic()
        await asyncio.sleep(0.01)
        turns += 1
        assert time.monotonic() - began_s < 0.4
    assert turns > 10


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ("echo the pager is gone >&2; echo and more >&2; exit 3", "ended with status 3: the pager is gone and more"),
        ("exec cat /dev/zero >&2", "not done within 0.5 s, and ended"),
        ("kill -KILL $$", "ended with status -9"),
        ("exec 0<&-; exit 1", "ended with status 1"),
    ],
)
async def test_what_fails_is_told(world: World, script: str, failure: str, caplog: pytest.LogCaptureFixture) -> None:
    """With what it has said itself, in one line, however much that is."""
    command = world.command(script)
    told = Notify(command, limit_s=0.5)
    told.transition(EVENT)
    await told.finish(END_S)
    assert told.status() == {"failed": 1, "last_failure": f"{command[0]}: {failure}"}
    assert f"failover notify: {command[0]}: {failure}" in caplog.text


async def test_failures_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A program that is not there fails each time; the count has them all."""
    told = Notify(("/nonexistent/program",))
    for number in range(20):
        told.transition(event(number))
    await told.finish(END_S)
    assert told.status()["failed"] == 20 and caplog.text.count("failover notify:") == 1
    assert "No such file" in str(told.status()["last_failure"])


async def test_what_waits_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not told is counted; and whoever stops does not wait for ever."""
    monkeypatch.setattr(notify, "QUEUE_MAX", 3)
    told = Notify(world.command("echo $$ >>$OUT; sleep 100"))
    for number in range(5):
        told.transition(event(number))
        await asyncio.sleep(0.02)
    assert told.status()["failed"] in (1, 2) and "3 events wait" in str(told.status()["last_failure"])
    await until(lambda: bool(world.lines()))
    began_s = time.monotonic()
    await told.finish(0.2)
    assert time.monotonic() - began_s < 5 and "the node has stopped: 4 events" in str(told.status()["last_failure"])
    await until_gone(world.lines()[0])


async def test_nobody_wants_to_know() -> None:
    """No process, no queue; and an end with nothing under way is at once."""
    told = Notify(())
    told.transition(EVENT)
    await told.finish(END_S)
    assert told.status() == {"failed": 0, "last_failure": None} and not told._queue


async def test_nobody_wants_to_know_any_more(caplog: pytest.LogCaptureFixture) -> None:
    """The file was read again while an event waited: it is told to nobody."""
    told = Notify(("/nonexistent/program",))
    told.transition(EVENT)
    told.take(())
    await told.finish(END_S)
    assert told.status() == {"failed": 0, "last_failure": None} and not told._queue and "died" not in caplog.text


def test_whatever_a_text_holds_the_environment_can_have_it() -> None:
    """A zero byte or half a character would keep the command from being started."""
    told = environment({"event": "transition", **EVENT, "reason": "a\0b\ud800c"})
    assert told["WSA_PROXY_REASON"] == "ab?c" and told["WSA_PROXY_OLD_STATE"] == "backup"
