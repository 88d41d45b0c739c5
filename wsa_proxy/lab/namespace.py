"""Enters fresh user, network, mount and PID namespaces, where nothing can be touched and nothing can be left behind.

Three processes: the caller, a keeper (its child, which makes the namespaces) and the first process of the new PID
namespace, which does the work. When the first process of a PID namespace ends, the kernel kills all the others; and the
kernel kills it when its keeper dies, and the keeper when the caller dies (as ``unshare --kill-child`` does). So the
lab vanishes with the caller, also when that is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
MS_BIND = 0x1000
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REC = 0x4000
MS_PRIVATE = 0x40000

NAMED = Path("/run/netns")
"""Where ``ip netns`` looks for named network namespaces; on the lab's own /run."""
SETTINGS = Path("/proc/sys")
SIGNALS_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STATUS_INTERRUPTED = 130
STATUS_REFUSED = 77


class NamespacesRefused(Exception):
    """The kernel does not give us namespaces; the text says what would help."""


class Interrupted(BaseException):
    """The lab was asked to end (Ctrl-C, SIGTERM, the terminal closed). Not an Exception: nobody may swallow it."""


def run(work: Callable[[], int], shared: int = 0) -> int:
    """Call ``work`` as the first process of fresh namespaces and return its exit status.

    ``work`` sees a private /run, its own /proc and no network but loopback. A refusal by the kernel is told on
    stderr and is status 77; an interrupt is status 130.

    ``shared``: os.CLONE_NEWUSER, and os.CLONE_NEWPID with it, are shared with the caller where another product cannot
    live without the machine's own. That takes root. Where PID namespaces are shared the kernel ends nobody with the
    work: every process of it has to be started to die with its parent.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    caller = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        _leave(lambda: _keep(caller, work, shared))
    return _wait_for(keeper)


def refusal() -> str | None:
    """Say why namespaces cannot be had here, or None when they can: for tests that would have to be skipped."""
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper == 0:

        def attempt() -> int:
            try:
                _make_namespaces()
            except NamespacesRefused as error:
                os.write(writing, str(error).encode())
            return 0

        _leave(attempt)
    os.close(writing)
    with os.fdopen(reading) as answer:
        reason = answer.read()
    os.waitpid(keeper, 0)
    return reason or None


def _leave(work: Callable[[], int]) -> None:
    """End this forked process with the status of ``work``; never return into the caller's code."""
    status = 1
    try:
        status = work()
    except Interrupted:
        status = STATUS_INTERRUPTED
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _keep(caller: int, work: Callable[[], int], shared: int) -> int:
    """Be the keeper: make the namespaces, start their first process, pass signals on, return its status."""
    try:
        _make_namespaces(shared)
    except NamespacesRefused as error:
        print(f"wsa-proxy lab: {error}", file=sys.stderr)
        return STATUS_REFUSED
    # Only now: making a user namespace changes the credentials, and that clears the setting.
    _die_with_parent()
    if os.getppid() != caller:
        return 1
    lifeline_end, lifeline = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(lifeline)
        _leave(lambda: _be_first(lifeline_end, work))
    os.close(lifeline_end)
    return _wait_for(first)


def _be_first(lifeline_end: int, work: Callable[[], int]) -> int:
    """Be the first process: private mounts, signal handlers, then the work."""
    _die_with_parent()
    # The parent's number is always 0 from inside, so a pipe tells whether it died before the line above.
    if select.select([lifeline_end], [], [], 0)[0]:
        return 1
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if not interrupted:  # Ctrl-C arrives from the terminal and from the keeper.
            interrupted = True
            raise Interrupted

    for number in SIGNALS_FORWARDED:
        signal.signal(number, interrupt)
    try:
        _mount_private()
    except NamespacesRefused as error:
        print(f"wsa-proxy lab: {error}", file=sys.stderr)
        return STATUS_REFUSED
    return work()


def _wait_for(child: int) -> int:
    """Wait for the child, passing on signals that mean "end"; return its exit status as a shell would give it."""

    def forward(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    before = {number: signal.signal(number, forward) for number in SIGNALS_FORWARDED}
    try:
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _die_with_parent() -> None:
    if LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _make_namespaces(shared: int = 0) -> None:
    """Move this process (its children, for the PID namespace) into fresh namespaces as their root."""
    user, group = os.geteuid(), os.getegid()
    others = (os.CLONE_NEWNET | os.CLONE_NEWNS | os.CLONE_NEWPID) & ~shared
    try:
        if shared & os.CLONE_NEWUSER:
            os.unshare(others)
            _mount(None, "/", None, MS_REC | MS_PRIVATE)
            return
        os.unshare(os.CLONE_NEWUSER | others)
        # Without "deny" an unprivileged process may not map its group (user_namespaces(7)).
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        # AppArmor lets an unprivileged user namespace be made, but without rights in it: this is the first use.
        _mount(None, "/", None, MS_REC | MS_PRIVATE)
        return
    except OSError as error:
        refused = error
    if user == 0:
        # Real root needs no user namespace. If this fails, too, the first refusal is the one to explain.
        with contextlib.suppress(OSError):
            os.unshare(others)
            _mount(None, "/", None, MS_REC | MS_PRIVATE)
            return
    raise NamespacesRefused(explain(refused))


def explain(error: OSError) -> str:
    """Name the setting that refuses user namespaces, with the command that allows them."""
    refused = f"the kernel refuses namespaces ({errno.errorcode.get(error.errno or 0, '?')}: {error.strerror}); "
    for name, forbidding, allowing in (
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "10000"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ):
        try:
            value = SETTINGS.joinpath(*name.split(".")).read_text().strip()
        except OSError:
            continue  # This kernel does not have the setting.
        if value == forbidding:
            return f"{refused}{name} is {value}: run as root, or allow them with: sysctl -w {name}={allowing}"
    if os.geteuid() == 0:
        return f"{refused}in a container, allow them with: --privileged (docker, podman)"
    return f"{refused}run as root; in a container, also allow them with: --privileged (docker, podman)"


def _mount_private() -> None:
    """Give the lab its own /proc (for the new PID namespace) and its own, empty /run."""
    try:
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError as error:
        raise NamespacesRefused(
            f"cannot mount /proc for the lab ({error.strerror}); in a container, allow it with: --privileged"
        ) from error
    _mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV)
    NAMED.mkdir()


def bind_file(source: Path, target: Path) -> None:
    """Show ``source`` in place of the existing file ``target``, for the lab's processes only. Raises OSError."""
    _mount(str(source), str(target), None, MS_BIND)


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind)]
    if LIBC.mount(*encoded, ctypes.c_ulong(flags), None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def create_network(name: str) -> Path:
    """Make a named network namespace and return its path. The calling thread stays where it is."""
    path = NAMED / name
    path.touch(exist_ok=False)
    with _staying_here():
        os.unshare(os.CLONE_NEWNET)
        bind_file(Path("/proc/thread-self/ns/net"), path)
    return path


@contextlib.contextmanager
def inside(network: Path) -> Iterator[None]:
    """Run the block in that network namespace; sockets and processes made there stay there.

    Only the calling thread moves: the namespace of a network is a property of the thread (setns(2)).
    """
    with _staying_here():
        target = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.setns(target, os.CLONE_NEWNET)
        finally:
            os.close(target)
        yield


@contextlib.contextmanager
def _staying_here() -> Iterator[None]:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        os.setns(home, os.CLONE_NEWNET)
        os.close(home)
