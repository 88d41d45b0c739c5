"""One process for each group on an interface; the real kernel's abstract sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest

from tests.cable import Lan
from wsa_proxy.net import claims
from wsa_proxy.net.claims import Claims
from wsa_proxy.net.claims import Served
from wsa_proxy.runtime.tasks import create_task

GROUP, OTHER = ("eth0", 1), ("eth0", 2)


class Life:
    """A process that claims the group, and its guardian, which has the socket too and ends when it is told."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            mine: list[int] = []
            first = Claims()
            first.take([GROUP])
            first.share(lambda _group, claim: mine.append(claim.fileno()), lambda _group: None)
            program = f"import os, time; os.write({writing}, b'x'); time.sleep(60)  # {claims.GUARDIAN_MODULE}"
            guardian = subprocess.Popen([sys.executable, "-c", program], pass_fds=(*mine, writing))
            os.write(writing, str(guardian.pid).encode())
            signal.pause()
        self.guardian = int((os.read(reading, 100) + os.read(reading, 100)).replace(b"x", b""))
        os.close(writing)

    def die(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)

    def __enter__(self) -> Life:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.process, self.guardian):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def test_the_second_is_refused_and_told_who_the_first_is(lan: Any) -> None:
    """Not for another id or another interface; and what was taken on the way is given back."""
    with Life() as life:
        mine, sentence = Claims(), rf"group 1 on eth0 is served by another .* \(process .*{life.process}"
        with pytest.raises(Served, match=sentence) as raised:
            mine.take([OTHER, GROUP])
        assert raised.value.holders == {life.process, life.guardian}
        Claims().take([OTHER, ("eth1", 1)])


def test_a_living_one_is_not_waited_for(lan: Any) -> None:
    """However long: it may be frozen, and wake."""
    with Life() as life:
        os.kill(life.process, signal.SIGSTOP)
        with pytest.raises(Served):
            asyncio.run(asyncio.wait_for(Claims().take_patiently([GROUP]), 5))


def test_the_guardian_of_a_dead_one_may_finish(lan: Any) -> None:
    with Life() as life:
        life.die()
        mine = Claims()

        async def wait() -> None:
            waiting = create_task(mine.take_patiently([GROUP]), name="waiting")
            await asyncio.sleep(0.2)
            assert not waiting.done()
            os.kill(life.guardian, signal.SIGTERM)
            await asyncio.wait_for(waiting, 2)

        asyncio.run(wait())
        with pytest.raises(Served):
            Claims().take([GROUP])


def test_a_frozen_guardian_of_a_dead_one_is_ended(
    lan: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would remove the new one's address when it wakes."""
    monkeypatch.setattr(claims, "GUARDIAN_ENDS_S", 0.2)
    with Life() as life:
        os.kill(life.guardian, signal.SIGSTOP)
        life.die()
        asyncio.run(asyncio.wait_for(Claims().take_patiently([GROUP]), 5))
        assert f"the guardian of an earlier life, process {life.guardian}, is killed" in caplog.text


def test_a_guardian_that_cannot_be_ended_is_not_waited_for_without_end(
    lan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel keeps a killed process for as long as it likes: then the new life says who is in its way."""
    monkeypatch.setattr(claims, "GUARDIAN_ENDS_S", 0.1)
    monkeypatch.setattr(claims, "KILLED_ENDS_S", 0.2)
    tried: list[int] = []
    monkeypatch.setattr(claims, "_end", lambda process, _: tried.append(process))
    with Life() as life:
        life.die()
        with pytest.raises(Served, match=f"process {life.guardian}"):
            asyncio.run(asyncio.wait_for(Claims().take_patiently([GROUP]), 5))
        assert tried and set(tried) == {life.guardian}


def test_names_of_others_are_no_obstacle(lan: Any) -> None:
    """Whoever is on this host may bind a name of any bytes, lines that look like ours among them."""
    with Life() as life, contextlib.ExitStack() as others:
        for name in (
            b"\0\xff\xfe",
            b"\0x\n @wsa-proxy/eth0/1",
            b"\0\x1c @wsa-proxy/eth0/1",
            b"\0\n1 2 @wsa-proxy/eth0/1",
        ):
            others.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)).bind(name)
        assert claims._holders(GROUP) == {life.process, life.guardian}


def test_a_process_that_has_got_the_number_of_a_guardian_is_left_alone(lan: Any) -> None:
    """Between the look and the deed the guardian may end: what has its number then has no such socket, or is none."""
    opened = len(os.listdir("/proc/self/fd"))
    with Life() as life:
        command = [sys.executable, "-c", f"import time; time.sleep(60)  # {claims.GUARDIAN_MODULE}"]
        with subprocess.Popen(command) as stranger:
            for process in (stranger.pid, life.process):
                claims._end(process, GROUP)
            claims._end(life.guardian, OTHER)
            assert stranger.poll() is None and Served(GROUP, claims._holders(GROUP)).holders == {
                life.process,
                life.guardian,
            }
            claims._end(life.guardian, GROUP)
            Lan.until(lambda: claims._holders(GROUP) == {life.process}, "the guardian is ended")
            stranger.kill()
            stranger.wait()
            claims._end(stranger.pid, GROUP)
    assert len(os.listdir("/proc/self/fd")) == opened + 1  # the life's pipe


def test_a_dying_process_is_waited_for() -> None:
    """As a killed proxy of some gigabytes: the next one is often started before they are given back."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert claims._will_end(child)
    os.waitpid(child, 0)
    assert claims._will_end(child) and not claims._will_end(os.getpid())


def test_a_forked_child_serves_nothing(lan: Any) -> None:
    """An addon's worker that outlives the proxy does not keep the next one out."""
    mine = Claims()
    mine.take([GROUP])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"x")
        signal.pause()
    try:
        os.read(reading, 1)
        with pytest.raises(Served) as raised:
            Claims().take([GROUP])
        assert raised.value.holders == {os.getpid()}
        mine.close()
        Claims().take([GROUP])
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_what_is_given_back_is_free(lan: Any) -> None:
    """And the guardian is told of each."""
    told: list[Any] = []

    def share(group: claims.Group, claim: socket.socket) -> None:
        told.append((group, claim.fileno() > 0))

    mine = Claims()
    mine.take([GROUP])
    mine.share(share, told.append)
    mine.take([GROUP, OTHER])
    mine.take([GROUP])
    mine.keep([OTHER])
    Claims().take([GROUP])
    mine.close()
    mine.close()
    Claims().take([OTHER])
    assert told == [(GROUP, True), (OTHER, True), GROUP, OTHER]
