"""The kernel is asked whether it tells of processes, and believed only if it does."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

import pytest

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.bench import process_news

LISTEN = struct.pack("=I", 1)
"""PROC_CN_MCAST_LISTEN; before it two words of the connector, a sequence, an answer, the length, no flags."""


def inside() -> dict[str, Any]:
    """In the lab's namespaces, where it tells nobody."""
    return {"refusal": process_news.refusal()}


@needs_namespaces
def test_in_the_lab_nothing_is_told() -> None:
    """Whatever rights there are: the news go to the initial network namespace only."""
    assert "the kernel tells nothing of processes here" in run_inside(inside)["refusal"]


def test_an_ordinary_user_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without having tried."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert process_news.refusal() == "process tracking needs root"


class Kernel:
    """Stands for the socket: it takes the request, and is readable if this kernel tells of processes."""

    def __init__(self, tells: bool) -> None:
        self.asked, self._tells = b"", tells
        self.ours, self._kernels = socket.socketpair()

    def __call__(self, *kind: int) -> Kernel:
        return self

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.ours.close()
        self._kernels.close()

    def fileno(self) -> int:
        return self.ours.fileno()

    def bind(self, address: tuple[int, int]) -> None:
        assert address == (0, 1)  # the kernel chooses the port; group 1 is that of processes

    def send(self, message: bytes) -> None:
        self.asked = message
        if self._tells:
            self._kernels.send(b"a process has ended")


@pytest.mark.parametrize("tells", [True, False])
def test_only_news_count(monkeypatch: pytest.MonkeyPatch, tells: bool) -> None:
    """A kernel that takes the request and tells nothing is none that tracks processes."""
    kernel = Kernel(tells)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(process_news, "NEWS_S_MAX", 0.1)
    monkeypatch.setattr(socket, "socket", kernel)
    assert (process_news.refusal() is None) is tells
    length, kind = struct.unpack_from("=IH", kernel.asked)
    assert (length, kind) == (len(kernel.asked), 3) and kernel.asked[16:] == struct.pack("=5I", 1, 1, 0, 0, 4) + LISTEN
