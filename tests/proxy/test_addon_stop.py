"""The end of a real mitmproxy with the addon: what it waits for, and what ends the waiting."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cable import Lan
from tests.proxy.test_addon import CONFIG
from tests.proxy.test_addon import VIP
from tests.proxy.test_addon import Node

LOOPBACK = "127.0.0.1"


@contextmanager
def mute_origin(lan: Lan) -> Iterator[socket.socket]:
    """It takes connections, and never answers."""
    with lan.on_the_right():
        listening = socket.create_server(("10.0.0.2", 80))
    with listening:
        listening.settimeout(10)
        yield listening


def ask(host: str, request: str) -> socket.socket:
    client = socket.create_connection((host, 8080), timeout=10)
    client.sendall(f"{request} HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n".encode())
    return client


def test_a_request_on_the_loopback_port_is_waited_for_until_somebody_loses_patience(lan: Lan, tmp_path: Path) -> None:
    """The group is left at once, with nobody to answer on the virtual IP; a second signal ends the process."""
    node = Node(lan, tmp_path)
    node.wait_master()
    with mute_origin(lan) as origin, ask(LOOPBACK, "GET http://10.0.0.2/"):
        upstream, _ = origin.accept()
        with upstream:
            node.process.send_signal(signal.SIGTERM)
            lan.until(lambda: 'MASTER -> INIT reason="orderly stop"' in node.log, "the bow-out")
            lan.until(lambda: lan.held(VIP) is None, "the address is gone")
            lan.until(lambda: not _accepts(LOOPBACK), "the loopback port is closed")
            with pytest.raises(subprocess.TimeoutExpired):
                node.process.wait(0.5)
            node.process.send_signal(signal.SIGINT)
            assert node.process.wait(5) == 0
    assert "asked to stop once more: nothing is waited for" in node.log and "Traceback" not in node.log


def test_a_second_signal_ends_the_hand_over_as_well(lan: Lan, tmp_path: Path) -> None:
    """Nobody takes over, a request is never answered: bow-out and release all the same, at once."""
    node = Node(lan, tmp_path)
    node.wait_master()
    bow_outs = lan.wire(
        lambda frame: frame[12:14] == b"\x08\x00" and frame[23] == 112 and frame[36] == frame[39] == 255
    )
    with mute_origin(lan) as origin:
        with lan.on_the_right():
            client = ask(VIP, "GET http://10.0.0.2/")
        upstream, _ = origin.accept()

        def hurried() -> bool:
            node.process.send_signal(signal.SIGTERM)  # the first one, until it has begun to leave
            return "asked to stop once more: nothing is waited for" in node.log

        lan.until(hurried, "somebody loses patience")
        assert node.process.wait(5) == 0 and lan.held(VIP) is None
        upstream.close()
        client.close()
    assert bow_outs.queued() and "Traceback" not in node.log


def test_the_timeout_of_the_file_is_the_limit(lan: Lan, tmp_path: Path) -> None:
    """A request that is never answered holds the end up for no longer."""
    (tmp_path / "node.yaml").write_text(CONFIG.replace("node: a", "node: a\ndrain_timeout: 1.5"))
    (tmp_path / "node.yaml").chmod(0o600)
    node = Node(lan, tmp_path)
    node.wait_master()
    with mute_origin(lan) as origin, ask(LOOPBACK, "GET http://10.0.0.2/"):
        upstream, _ = origin.accept()
        with upstream:
            began_s = time.monotonic()
            node.process.send_signal(signal.SIGTERM)
            assert node.process.wait(10) == 0
            assert time.monotonic() - began_s >= 1.5


def test_a_tunnel_keeps_nobody_waiting(lan: Lan, tmp_path: Path) -> None:
    """On the loopback port, idle, and there is no end to wait for."""
    node = Node(lan, tmp_path, "--ignore-hosts", ".*")
    node.wait_master()
    with mute_origin(lan) as origin, ask(LOOPBACK, "CONNECT 10.0.0.2:80") as client:
        assert b" 200 " in client.recv(4096)
        upstream, _ = origin.accept()
        with upstream:
            node.process.send_signal(signal.SIGTERM)
            assert node.process.wait(5) == 0
    assert "Traceback" not in node.log


def _accepts(host: str) -> bool:
    try:
        socket.create_connection((host, 8080), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True
