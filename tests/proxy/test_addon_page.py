"""The page of a real node in a real mitmdump: told in its log, of the node, and not to be reached through the proxy."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from typing import cast

import pytest

from tests.cable import Lan
from tests.proxy.test_addon import CONFIG
from tests.proxy.test_addon import START_S_MAX
from tests.proxy.test_addon import Node
from tests.proxy.test_addon import get
from tests.proxy.test_addon_reload import reload
from tests.proxy.test_addon_reload import write
from tests.runtime.test_status_page import OF_THE_PROXY
from tests.status_keys import containers
from tests.status_keys import described
from tests.status_keys import keys_of
from wsa_proxy.proxy import addon_page
from wsa_proxy.proxy import page_server

PASSWORD = "correct horse battery staple"
TOKEN = re.compile(r"page: listening at (http://127\.0\.0\.1:8112/)login\?token=([\w-]{43})$", re.MULTILINE)


def asked(
    method: str, path: str, headers: dict[str, str], port: int = 8112, body: str | None = None
) -> tuple[int, str, http.client.HTTPMessage]:
    """Status, body and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def test_the_page_of_a_running_node(lan: Lan, tmp_path: Path) -> None:
    """The log's address logs in; the status is the control socket's; an order is carried out, in the log with who gave
    it; a page that is open hears of the transition at once; and the token is nowhere else."""
    write(tmp_path, CONFIG + "pac: {}\n")
    node = Node(lan, tmp_path)
    node.wait_page()
    found = TOKEN.search(node.log)
    assert found is not None, node.log
    url, token = found.groups()
    status, _, headers = asked("GET", f"/login?token={token}", {})
    assert status == 303
    cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
    session = json.loads(asked("GET", "/api/session", cookie)[1])
    assert session["node"] == "a"
    document = json.loads(asked("GET", "/api/status", cookie)[1])
    seen, told = set(keys_of(document)), described()
    assert seen - told - containers(seen | told) == set(), "docs/status.md says nothing of these"
    assert {key for key in told if key.partition(".")[0] in OF_THE_PROXY} <= seen, "docs/status.md describes these"
    assert document["groups"][0]["state"] == "master" and document["admin"] == {"url": url, "trouble": None}
    assert document.keys() == node.status().keys() and token not in str(node.status())
    assert "High Availability" in asked("GET", "/", cookie)[1]
    metrics = asked("GET", "/metrics", {"Authorization": f"Bearer {token}"})[1]
    assert 'state="master"} 1.0' in metrics and "wsa_proxy_loop_lag_seconds " in metrics and token not in metrics
    assert asked("GET", "/metrics", {})[0] == 401
    with socket.create_connection(("127.0.0.1", 8112), timeout=10) as page:
        page.sendall(f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie['Cookie']}\r\n\r\n".encode())
        heard = page.recv(65536)
        changing = {**cookie, "X-CSRF-Token": session["csrf"], "Content-Type": "application/json"}
        status, text, _ = asked("POST", "/api/actions/demote", changing, body='{"reason": "a disk is full"}')
        assert status == 200 and json.loads(text)["changes"], text
        began_s = time.monotonic()
        while b'"reason": "a disk is full"' not in heard:
            heard += page.recv(65536)
        assert time.monotonic() - began_s < 5.0
    log = node.end()
    assert re.search(r'page: 127\.0\.0\.1 \(session \w+\) POST /api/actions/demote reason="a disk is full": 200', log)
    assert log.count(token) == 1 and "Traceback" not in log, log


def test_nobody_reaches_the_page_through_the_proxy(lan: Lan, tmp_path: Path) -> None:
    """On loopback a client of the proxy would pass for this host; by whatever name of it."""
    write(tmp_path, CONFIG + f'admin: {{listen: "0.0.0.0:8112", password: "{PASSWORD}"}}\n')
    node = Node(lan, tmp_path)
    node.wait_page()
    bearer = f"Authorization: Bearer {PASSWORD}"
    assert asked("GET", "/api/status", {"Authorization": f"Bearer {PASSWORD}"})[0] == 200
    for target in ("127.0.0.1", "localhost", "127.0.0.2", "10.0.0.1", "[::ffff:127.0.0.1]"):
        answer = get(lan, f"http://{target}:8112/api/status", f"{bearer}\r\n")
        assert answer.startswith(b"HTTP/1.1 502 ") and b"refuses to connect to itself" in answer, answer
    assert "Traceback" not in node.end()


NOT_IN_TIME = "from wsa_proxy.proxy import self_connect\nself_connect.RESOLVE_LIMIT_S = 0.0\n"


def test_nor_by_a_name_that_was_not_resolved_in_time(lan: Lan, tmp_path: Path) -> None:
    """Whose name server is slow, or says something else the second time, connects, and not a byte gets through."""
    write(tmp_path, CONFIG + f'admin: {{password: "{PASSWORD}"}}\n')
    script = tmp_path / "not_in_time.py"
    script.write_text(NOT_IN_TIME)
    node = Node(lan, tmp_path, "-s", str(script))
    node.wait_page()
    for target in ("localhost", "127.0.0.1"):
        answer = get(lan, f"http://{target}:8112/login?token=wrong")
        assert b" 502 " in answer.partition(b"\r\n")[0], answer
    log = node.end()
    assert "wrong token" not in log and "Traceback" not in log, log


def test_a_reload_changes_where_and_for_whom_it_is(lan: Lan, tmp_path: Path) -> None:
    """Another port, another password, off; told without the password; the node itself does not notice."""
    write(tmp_path, CONFIG + f'admin: {{password: "{PASSWORD}"}}\n')
    node = Node(lan, tmp_path)
    node.wait_page()
    assert "login?token=" not in node.log
    write(tmp_path, CONFIG + 'admin: {listen: "127.0.0.1:8113", password: another-password}\n')
    told = reload(tmp_path).stdout
    assert "admin.listen: 127.0.0.1:8112 -> 127.0.0.1:8113\n" in told and "admin.password has changed\n" in told
    another = {"Authorization": "Bearer another-password"}
    lan.until(lambda: node.status()["admin"]["url"] == "http://127.0.0.1:8113/", "the page", START_S_MAX)  # type: ignore[index]
    assert asked("GET", "/api/status", {"Authorization": f"Bearer {PASSWORD}"}, 8113)[0] == 401
    assert asked("GET", "/api/status", another, 8113)[0] == 200
    with pytest.raises(ConnectionRefusedError):
        asked("GET", "/", {})
    write(tmp_path, CONFIG + "admin: {listen: off}\n")
    assert "admin.listen: 127.0.0.1:8113 -> off" in reload(tmp_path).stdout
    with pytest.raises(ConnectionRefusedError):
        asked("GET", "/", {}, 8113)
    assert node.status()["admin"] is None and node.transitions() == 2
    log = node.end()
    assert PASSWORD not in log and "another-password" not in log + told and "Traceback" not in log, log


def test_a_port_that_is_taken_leaves_the_node_alone(lan: Lan, tmp_path: Path) -> None:
    """It is master all the same; the log and the status say what is wrong."""
    with socket.create_server(("127.0.0.1", 8112)):
        node = Node(lan, tmp_path)
        node.wait_page()
        trouble = "http://127.0.0.1:8112/: Address already in use"
        assert f"page: cannot listen: {trouble}; it is tried again every 10 s" in node.log
        status = node.status()
        assert status["admin"] == {"url": "http://127.0.0.1:8112/", "trouble": trouble}
        assert "admin_trouble" in [each["kind"] for each in status["warnings"]]  # type: ignore[attr-defined]
    assert "Traceback" not in node.end()


class MadeServer:
    """Stands for the page's server."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.started = asyncio.Event()

    async def start(self) -> None:
        self.calls.append("start")
        self.started.set()

    async def close(self) -> None:
        self.calls.append("close")

    def tell(self) -> None: ...


@pytest.mark.parametrize("proven", [True, False])
async def test_a_proxy_that_proves_nothing_has_its_page_as_well(monkeypatch: pytest.MonkeyPatch, proven: bool) -> None:
    """Whoever is to find out why looks there; the page of one that works waits for nothing else."""
    server, event, limit_s = MadeServer(), asyncio.Event(), 600.0 if proven else 0.0
    monkeypatch.setattr(addon_page, "PROVEN_S_MAX", limit_s)
    monkeypatch.setattr(page_server, "make_server", lambda *_: server)
    node: Any = SimpleNamespace(chronicle=SimpleNamespace(history=SimpleNamespace(on_event=[])))
    page, nothing = addon_page.AddonPage(), cast(Any, None)
    page.begin(node, nothing, nothing, event)
    if proven:
        await asyncio.sleep(0)
        event.set()
    await asyncio.wait_for(server.started.wait(), 10)
    assert node.chronicle.history.on_event == [server.tell]
    await page.close()
    assert server.calls == ["start", "close"]


async def test_a_page_that_could_not_be_made_keeps_no_node_from_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as the death of its task, and that is all."""

    def fail(*_: object) -> None:
        raise OSError("no file can be read")

    monkeypatch.setattr(page_server, "make_server", fail)
    page, nothing, proven = addon_page.AddonPage(), cast(Any, None), asyncio.Event()
    proven.set()
    page.begin(nothing, nothing, nothing, proven)
    assert page._starting is not None
    await asyncio.wait([page._starting])
    await page.close()
    assert page.status() == {"admin": None}


async def test_a_node_that_ends_before_makes_none() -> None:
    """Nothing begins to listen behind its back."""
    page, nothing = addon_page.AddonPage(), cast(Any, None)
    page.begin(nothing, nothing, nothing, asyncio.Event())
    await asyncio.sleep(0)
    await page.close()
    assert asyncio.all_tasks() == {asyncio.current_task()} and page.status() == {"admin": None}
