"""The Unix socket: one line in, one line out, for its owner only, and never in the way of a restart."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.control import CONNECTIONS_MAX
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.control import ControlSocket
from wsa_proxy.runtime.control import ask


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    """A running socket with one verb."""
    path = tmp_path / "state" / "control.sock"
    control = ControlSocket(path, {"status": lambda: {"node": "a"}})
    await control.start()
    yield path
    control.close()
    assert not path.exists()


async def test_a_verb_is_answered(path: Path) -> None:
    """The way of `wsa-proxy status`."""
    assert await asyncio.to_thread(ask, path, "status") == {"node": "a"}


async def test_a_verb_learns_who_has_asked(tmp_path: Path) -> None:
    """From the kernel; for this order alone, also when it takes its time."""

    async def tell() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"asker": asker.get()}

    control = ControlSocket(tmp_path / "control.sock", {"who": tell})
    await control.start()
    answer = await asyncio.to_thread(ask, tmp_path / "control.sock", "who")
    control.close()
    assert (answer, asker.get()) == ({"asker": f"operator (uid {os.getuid()}, cli)"}, "")


async def test_only_its_owner_may_ask(path: Path) -> None:
    """The file's mode is the access control, from its first moment on."""
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


async def test_what_others_make_meanwhile_keeps_its_mode(tmp_path: Path) -> None:
    """The mask is the whole process's: a folder that mitmproxy made under it could not be entered."""
    loop = asyncio.get_running_loop()
    modes: list[int] = []

    def make(number: int = 0) -> None:
        folder = tmp_path / f"folder-{number}"
        folder.mkdir()
        modes.append(stat.S_IMODE(folder.stat().st_mode))
        if number < 5:
            loop.call_soon(make, number + 1)

    control = ControlSocket(tmp_path / "control.sock", {})
    before = os.umask(0o022)
    try:
        loop.call_soon(make)
        await control.start()
        for _ in range(10):
            await asyncio.sleep(0)
    finally:
        os.umask(before)
        control.close()
    assert modes == [0o755] * 6


@pytest.mark.parametrize("line", [b"\n", b"status\n", b"[]\n", b'{"verb": "stop"}\n', b'{"verb": ["x"]}\n', b"\xff\n"])
async def test_nonsense_gets_the_list_of_verbs(path: Path, line: bytes) -> None:
    """And the socket goes on answering."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    answer = json.loads(await reader.readline())
    assert answer["error"] == "expected a JSON line with one of the verbs status"
    writer.close()
    assert await asyncio.to_thread(ask, path, "status") == {"node": "a"}


async def test_an_endless_line_is_cut_off(path: Path) -> None:
    """A request has a size limit: nothing is buffered without bound."""
    reader, writer = await asyncio.open_unix_connection(path)
    with pytest.raises(ConnectionError):
        for _ in range(10_000):
            writer.write(b"x" * 1024)
            await writer.drain()
        await reader.readexactly(1)
    writer.close()
    assert await asyncio.to_thread(ask, path, "status") == {"node": "a"}


async def test_too_many_silent_connections_are_turned_away(path: Path) -> None:
    """Connections that say nothing cannot pile up: the one over the limit is closed at once."""
    held = [await asyncio.open_unix_connection(path) for _ in range(CONNECTIONS_MAX)]
    reader, writer = await asyncio.open_unix_connection(path)
    async with asyncio.timeout(2):
        assert await reader.read() == b""
    with pytest.raises(ControlError, match="the node has hung up: too many ask at a time, or its log says why"):
        await asyncio.to_thread(ask, path, "status")
    for _, each in [*held, (reader, writer)]:
        each.close()


async def test_a_verb_that_fails_hangs_up(tmp_path: Path) -> None:
    """The log has the traceback; whoever asked is sent there."""
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)

    def fail() -> dict[str, str]:
        raise RuntimeError("a mistake of ours")

    control = ControlSocket(tmp_path / "control.sock", {"status": fail})
    await control.start()
    with pytest.raises(ControlError, match="the node has hung up"):
        await asyncio.to_thread(ask, tmp_path / "control.sock", "status")
    control.close()


async def test_a_second_node_with_the_same_path_is_refused(path: Path) -> None:
    """Both would believe that the state_dir is theirs."""
    with pytest.raises(ControlError, match="another wsa-proxy runs with this state_dir"):
        await ControlSocket(path, {}).start()
    assert await asyncio.to_thread(ask, path, "status") == {"node": "a"}


async def test_the_socket_of_a_killed_node_is_replaced(tmp_path: Path) -> None:
    """SIGKILL leaves the file; the next start must not need a hand."""
    path = tmp_path / "control.sock"
    code = f"import os, socket; s = socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); os.kill(os.getpid(), 9)"
    killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL and path.is_socket()
    control = ControlSocket(path, {"status": lambda: {}})
    await control.start()
    assert await asyncio.to_thread(ask, path, "status") == {}
    control.close()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The text says which file and what it must be."""
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(ControlError, match="state_dir must be a writable folder"):
        await ControlSocket(tmp_path / "state" / "control.sock", {}).start()


def test_nobody_there(tmp_path: Path) -> None:
    """The reasons why nobody answers are told apart, each with what it means."""
    with pytest.raises(ControlError, match="no node runs with this state_dir"):
        ask(tmp_path / "none.sock", "status")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(ControlError, match="the node was killed"):
        ask(tmp_path / "dead.sock", "status")
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf.sock"))
        deaf.listen()
        with pytest.raises(ControlError, match=rf"no answer within 0\.1 s; the proxy hangs, process {os.getpid()}$"):
            ask(tmp_path / "deaf.sock", "status", time_limit_s=0.1)


def test_a_stopped_process_is_told_with_the_remedy(tmp_path: Path) -> None:
    """SIGSTOP: its socket still takes the question. What waits is named, and how it goes on."""
    path = tmp_path / "control.sock"
    code = f"""if True:
        import os, signal, socket
        listening = socket.socket(socket.AF_UNIX)
        listening.bind({str(path)!r})
        listening.listen()
        os.kill(os.getpid(), signal.SIGSTOP)"""
    with subprocess.Popen([sys.executable, "-c", code]) as stopped:
        try:
            os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            with pytest.raises(ControlError, match=f"is stopped; let it go on: kill -CONT {stopped.pid}$"):
                ask(path, "status", time_limit_s=0.1)
        finally:
            stopped.kill()


def test_a_closed_door_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's node. (Root may open everything, so the kernel's refusal is given by hand.)"""

    def refuse(self: socket.socket, address: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ControlError, match="as root or as the proxy's own user"):
        ask(tmp_path / "control.sock", "status")


async def test_a_request_carries_the_arguments_that_its_verb_names(tmp_path: Path) -> None:
    """All that have no default, none that it does not know, and text only; anything else is told and calls nothing."""
    path, called = tmp_path / "control.sock", list[str]()

    def demote(reason: str) -> dict[str, object]:
        called.append(reason)
        return {"changes": [reason]}

    def preempt(group: str = "all") -> dict[str, object]:
        return {"changes": [group]}

    control = ControlSocket(path, {"demote": demote, "preempt": preempt, "status": lambda: {"node": "a"}})
    await control.start()
    assert await asyncio.to_thread(ask, path, "preempt") == {"changes": ["all"]}
    assert await asyncio.to_thread(ask, path, "preempt", {"group": "7"}) == {"changes": ["7"]}
    assert await asyncio.to_thread(ask, path, "demote", {"reason": "a b"}) == {"changes": ["a b"]}
    for wrong in ({}, {"reason": "a", "more": "b"}, {"reasons": "a"}):
        told = await asyncio.to_thread(ask, path, "demote", wrong)
        assert told == {"error": "demote takes the arguments: reason"}
    told = await asyncio.to_thread(ask, path, "status", {"reason": "a"})
    assert told == {"error": "status takes the arguments: none"}
    for arguments, error in (
        ('{"reason": 7}', "demote: each argument must be text"),
        ('["reason"]', "demote takes the arguments: reason"),
    ):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(f'{{"verb": "demote", "arguments": {arguments}}}\n'.encode())
        assert json.loads(await reader.readline()) == {"error": error}
        writer.close()
    assert called == ["a b"]
    control.close()


async def test_an_answer_may_take_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a request may; others are answered meanwhile."""
    monkeypatch.setattr("wsa_proxy.runtime.control.REQUEST_TIME_LIMIT_S", 0.05)
    done = asyncio.Event()

    async def reload() -> dict[str, object]:
        await done.wait()
        return {"changes": []}

    path = tmp_path / "control.sock"
    control = ControlSocket(path, {"status": lambda: {"node": "a"}, "reload": reload})
    await control.start()
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"verb": "reload"}\n')
    await asyncio.sleep(0.1)
    assert await asyncio.to_thread(ask, path, "status") == {"node": "a"}
    done.set()
    assert json.loads(await reader.readline()) == {"changes": []}
    writer.close()
    control.close()
