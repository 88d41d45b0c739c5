"""Tells a process that another one is dying, before the kernel has taken it apart.

A killed process ends in this order (do_exit in kernel/exit.c): its robust futexes, its memory, its files, and then only
its pidfd says so. A proxy's memory takes 5 ms, and each of its packet sockets 12, for its close waits for an RCU grace
period; on a busy machine more. Here the process locks a robust mutex (pthread_mutexattr_setrobust(3)) in memory that it
shares: whoever waits for it learns within 0.2 ms that its owner died.

The owner is the process's first thread, with which the process ends. A forked child owns nothing: it may live on, or
end, and nobody is told. Nor is anybody told of an orderly exit: the interpreter has given the memory back by then.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import threading

_LIBC = ctypes.CDLL(None)
_PTHREAD_PROCESS_SHARED = 1
_PTHREAD_MUTEX_ROBUST = 1
_ATTRIBUTES_BYTES = 64  # pthread_mutexattr_t has 4 in glibc and musl
_MEMORY_BYTES = 4096  # pthread_mutex_t has 40 to 48

_owned: dict[int, tuple[int, mmap.mmap]] = {}
"""By process number: in a forked child it is not ours any more. Not unmapped while we run, for the kernel reads it at
the end."""


def descriptors() -> tuple[int, ...]:
    """The memory with this process's mutex, for another process to ``watch``: one descriptor, or none where that is
    impossible (called first in another thread than the first one, or the kernel refuses)."""
    pid = os.getpid()
    if pid not in _owned and threading.get_native_id() == pid:
        with contextlib.suppress(OSError):
            _owned[pid] = _lock()
    return (_owned[pid][0],) if pid in _owned else ()


def watch(descriptor: int) -> int:
    """A descriptor that becomes readable when the owner dies. Takes over the given one. Raises OSError."""
    memory = mmap.mmap(descriptor, _MEMORY_BYTES)
    os.close(descriptor)
    told = os.eventfd(0)

    def wait() -> None:
        if _LIBC.pthread_mutex_lock(_address(memory)) == errno.EOWNERDEAD:
            os.eventfd_write(told, 1)

    threading.Thread(target=wait, name="death notice", daemon=True).start()
    return told


def _lock() -> tuple[int, mmap.mmap]:
    """New shared memory with a mutex in it that the calling thread has locked. Raises OSError."""
    descriptor = os.memfd_create("wsa-proxy death notice")
    try:
        os.ftruncate(descriptor, _MEMORY_BYTES)
        memory = mmap.mmap(descriptor, _MEMORY_BYTES)
        attributes = ctypes.create_string_buffer(_ATTRIBUTES_BYTES)
        for refused in (
            _LIBC.pthread_mutexattr_init(attributes),
            _LIBC.pthread_mutexattr_setpshared(attributes, _PTHREAD_PROCESS_SHARED),
            _LIBC.pthread_mutexattr_setrobust(attributes, _PTHREAD_MUTEX_ROBUST),
            _LIBC.pthread_mutex_init(_address(memory), attributes),
            _LIBC.pthread_mutex_lock(_address(memory)),
        ):
            if refused:
                raise OSError(refused, os.strerror(refused))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, memory


def _address(memory: mmap.mmap) -> ctypes.c_void_p:
    return ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
