"""Fifty SIGKILLs of a real process while maintenance is ordered on and off: each next life is as the file says."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.lives import START_S_MAX
from tests.runtime.lives import Life
from tests.runtime.lives import Lives

KILLS = 50
SEED = 6
ORDERS_MAX = 1.5  # so many times as long as the order before took: the kill falls before, into and behind this one


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    lives = Lives(tmp_path)
    yield lives
    lives.close()


def stored(folder: Path) -> Any:
    """What the file says, read as anybody would; None when there is none. It is whole whenever it is there."""
    try:
        return json.loads((folder / "a" / "maintenance.json").read_text())
    except FileNotFoundError:
        return None


def reason_of(told: Any) -> str | None:
    return None if told is None else str(told["reason"])


def check_that_it_is_as_stored(life: Life, folder: Path) -> None:
    """The reason, the end, and that the groups are demoted or not."""
    status, document = life.ask("status"), stored(folder)
    told = status["maintenance"]
    assert (reason_of(told), told and told["until"]) == (reason_of(document), document and document["until"])
    assert list(status["groups"][0]["demoted_by"]) == (["maintenance"] if document else [])


def order(life: Life, verb: str, **arguments: str) -> float:
    """Answers the seconds that it took."""
    began_s = time.monotonic()
    assert "changes" in life.ask(verb, arguments)
    return time.monotonic() - began_s


def order_and_kill(life: Life, request: dict[str, Any], after_s: float) -> bool:
    """Kill it so long after the order was sent; whether it has answered."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(START_S_MAX)
        connection.connect(str(life.socket))
        connection.sendall(json.dumps(request).encode() + b"\n")
        time.sleep(after_s)
        life.kill()
        try:
            answer = connection.recv(65536)
        except ConnectionResetError:
            return False
    return b"changes" in answer


def test_fifty_kills_at_any_moment(lives: Lives, tmp_path: Path) -> None:
    """What was answered holds; what was not is either carried out or not; off always works; and it ends by itself."""
    dice = random.Random(SEED)
    life = lives.begin()
    for number in range(KILLS):
        check_that_it_is_as_stored(life, tmp_path)
        took_s = order(life, "maintenance_off")
        assert life.ask("status")["maintenance"] is None and stored(tmp_path) is None
        before = None
        if dice.random() < 0.7:
            before = f"before {number}"
            took_s = order(life, "maintenance_on", reason=before, duration="1h")
        ordered = f"order {number}" if dice.random() < 0.5 else None
        request: dict[str, Any] = {"verb": "maintenance_off"}
        if ordered is not None:
            request = {"verb": "maintenance_on", "arguments": {"reason": ordered, "duration": "2h"}}
        answered = order_and_kill(life, request, dice.uniform(0, ORDERS_MAX) * took_s)
        assert reason_of(stored(tmp_path)) in ({ordered} if answered else {before, ordered}), f"kill {number}"
        life = lives.begin()
    check_that_it_is_as_stored(life, tmp_path)
    order(life, "maintenance_on", reason="its last one", duration="2s")
    life.kill()
    life = lives.begin()
    check_that_it_is_as_stored(life, tmp_path)
    deadline_s = time.monotonic() + START_S_MAX
    while life.ask("status")["maintenance"] is not None or stored(tmp_path) is not None:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    life.kill()
    assert "this life has failed" not in (tmp_path / "log").read_text()
