from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from wsa_proxy.proxy import descriptors


@pytest.fixture
def limited() -> Iterator[int]:
    """At most 200 descriptors."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    yield 200
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("kernel_counts", [True, False])
def test_what_is_left_is_what_can_be_opened(limited: int, kernel_counts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is exact where the descriptors are dense, with Linux 6.2's count and without, down to none."""
    if not kernel_counts:
        monkeypatch.setattr(descriptors, "_count", lambda: 0)
    elif not os.stat("/proc/self/fd").st_size:
        pytest.skip("this kernel does not count")
    opened = [os.dup(0) for _ in range(5)]
    before = descriptors.left()
    opened += [os.dup(0) for _ in range(7)]
    assert descriptors.left() == before - 7
    while True:
        try:
            opened.append(os.dup(0))
        except OSError:
            break
    assert descriptors.left() == 0
    for each in opened:
        os.close(each)
    assert descriptors.left() >= before


def test_without_proc_the_lowest_free_number_tells(limited: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount without /proc is no reason to see nothing."""

    def stat(path: str) -> os.stat_result:
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "stat", stat)
    before = descriptors.left()
    opened = os.dup(0)
    assert descriptors.left() == before - 1
    os.close(opened)


def test_the_limit_is_raised_to_what_is_allowed() -> None:
    """From whatever it was, without any privilege."""
    code = (
        "import resource; from wsa_proxy.proxy import descriptors\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, min(hard, 4000)))\n"
        "descriptors.raise_limit(); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, 4000))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.parametrize("error", [PermissionError(1, "Operation not permitted"), ValueError("not allowed")])
def test_where_that_is_forbidden_the_limit_stays(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy serves all the same."""

    def setrlimit(which: int, limits: tuple[int, int]) -> None:
        raise error

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors.raise_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
