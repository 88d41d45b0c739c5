"""Real processes with a real node, its real control socket and files; only the kernel is the fake. As its own program
it is told a folder in each line and answers the process that begins a life there: what takes long is imported once."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.runtime.virtual_time import VirtualTimeLoop
from tests.runtime.world import Host
from tests.runtime.world import Lan
from wsa_proxy.runtime.clocks import boottime_s
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.control import ask

ROOT = Path(__file__).resolve().parents[2]
START_S_MAX = 30.0  # a deadline, not a pause
STEP_S = 0.001


class RealTimeLoop(VirtualTimeLoop):
    """For hosts of the virtual LAN whose time is the real one."""

    def __init__(self) -> None:
        asyncio.SelectorEventLoop.__init__(self)

    def time(self) -> float:
        return boottime_s()

    @property
    def now(self) -> float:
        return self.time()

    @now.setter
    def now(self, _: float) -> None: ...

    def call_soon_threadsafe(self, *arguments: Any, **named: Any) -> Any:  # type: ignore[override]
        return asyncio.SelectorEventLoop.call_soon_threadsafe(self, *arguments, **named)


class Life:
    """One process, until it is killed."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.pid = pid
        self.socket = folder / "a" / "control.sock"
        self._pidfd = os.pidfd_open(pid)

    def ask(self, verb: str, arguments: dict[str, str] | None = None) -> dict[str, Any]:
        return ask(self.socket, verb, arguments, time_limit_s=START_S_MAX)

    def wait_until_it_answers(self) -> None:
        deadline_s = time.monotonic() + START_S_MAX
        while True:
            try:
                self.ask("status")
                return
            except ControlError:
                assert time.monotonic() < deadline_s, "the node does not start"
                time.sleep(0.002)

    def kill(self) -> None:
        """SIGKILL; it is there no more when this returns."""
        signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        assert select.select([self._pidfd], [], [], START_S_MAX)[0]
        os.close(self._pidfd)


class Lives:
    """Begins them. All end with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "tests.runtime.lives"]
        self._parent = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self) -> Life:
        assert self._parent.stdin is not None and self._parent.stdout is not None
        print(self.folder, file=self._parent.stdin, flush=True)
        life = Life(int(self._parent.stdout.readline()), self.folder)
        life.wait_until_it_answers()
        return life

    def close(self) -> None:
        self._parent.communicate(timeout=START_S_MAX)


def slow_the_disk() -> None:
    """Each step that a file takes is a millisecond long at least: a kill at random falls between any two of them."""

    def slow(call: Callable[..., Any]) -> Callable[..., Any]:
        def slowed(*arguments: Any, **named: Any) -> Any:
            time.sleep(STEP_S)
            try:
                return call(*arguments, **named)
            finally:
                time.sleep(STEP_S)

        return slowed

    os.open, os.fsync = slow(os.open), slow(os.fsync)
    for name in ("replace", "unlink"):
        setattr(Path, name, slow(getattr(Path, name)))


async def live(folder: Path) -> None:
    host = Host(Lan(), "a", 1, folder, submit=None)
    await host.start()
    await asyncio.Event().wait()


def be_born(folder: Path, parents_pipe: int) -> None:
    """Never returns. Whoever has the pipe's other end has ended: so does this process."""
    slow_the_disk()
    logging.basicConfig(filename=folder / "log", level=logging.INFO)
    try:
        with asyncio.Runner(loop_factory=RealTimeLoop) as runner:
            runner.get_loop().add_reader(parents_pipe, os._exit, 0)
            runner.run(live(folder))
    except BaseException:
        logging.exception("this life has failed")
    os._exit(1)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    ours, parents = os.pipe()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.close(parents)
            be_born(Path(line.strip()), ours)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
