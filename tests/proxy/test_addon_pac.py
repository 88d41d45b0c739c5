"""The PAC file from real mitmdumps: every way to ask for it, what hinders other requests, and what others see of it."""

from __future__ import annotations

import base64
import re
import socket
import ssl
from pathlib import Path
from typing import Any

from mitmproxy.io import FlowReader

from tests.cable import Lan
from tests.proxy.processes import RECORD_HOOKS
from tests.proxy.processes import RECORD_SOCKETS
from tests.proxy.test_addon import CONFIG
from tests.proxy.test_addon import ROOT
from tests.proxy.test_addon import START_S_MAX
from tests.proxy.test_addon import VIP
from tests.proxy.test_addon import Node
from tests.proxy.test_addon import get
from tests.proxy.test_addon import origin
from tests.proxy.test_addon import read_all
from tests.proxy.test_addon import talk
from wsa_proxy.runtime.control import ask

SECOND = """\
  - id: 2
    hostname: second.example.com
    virtual_ip: 10.0.0.4/24
    interface: left
    priority: 255
    shared_secret: twelve-and-more
    advertisement_interval: 0.25
"""
PAC = "pac: {direct: true, bypass: [.example.net]}\n"
FIRST_FIRST = b'[["1", "PROXY 10.0.0.3:8080"], ["2", "PROXY 10.0.0.4:8080"]]'
SECOND_FIRST = b'[["2", "PROXY 10.0.0.4:8080"], ["1", "PROXY 10.0.0.3:8080"]]'


def start(lan: Lan, folder: Path, *options: str, **more: Any) -> Node:
    """A node that is master of both groups."""
    (folder / "node.yaml").write_text(PAC + CONFIG + SECOND)
    (folder / "node.yaml").chmod(0o600)
    node = Node(lan, folder, *options, **more)
    lan.until(lambda: node.log.count("-> MASTER") == 2, f"mastery in {node.log}", START_S_MAX)
    return node


def asked(lan: Lan, line: str, headers: str = "Host: proxy\r\n") -> bytes:
    return talk(lan, f"{line}\r\n{headers}\r\n".encode())


def assert_file(answer: bytes, proxies: bytes) -> None:
    """The whole file with all its headers, which begins with these proxies."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"http/1.1 200 ok", answer
    assert b"content-type: application/x-ns-proxy-autoconfig" in lines
    assert b"x-content-type-options: nosniff" in lines
    assert b"cache-control: private, max-age=60" in lines
    assert f"content-length: {len(body)}".encode() in lines
    assert body.startswith(b"var PROXIES = " + proxies) and b"function FindProxyForURL(url, host)" in body, body


def test_every_way_to_ask_and_nobody_sees_it(lan: Lan, tmp_path: Path) -> None:
    """At a virtual IP under any name, and through the proxy by its own names, without the proxy's password. No addon
    hears of the request, nothing is saved, no name is asked for. What asks others is a request as any other."""
    (tmp_path / "sitecustomize.py").write_text(RECORD_SOCKETS)
    (tmp_path / "recorder.py").write_text(RECORD_HOOKS.format(mark="r"))
    environment = {
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "TEST_SOCKETS": str(tmp_path / "sockets"),
        "PYTHONUNBUFFERED": "1",
    }
    options = ["-s", str(tmp_path / "recorder.py"), "--proxyauth", "user:word", "-w", str(tmp_path / "flows")]
    node = start(lan, tmp_path, *options, environment=environment)
    before = lookups(tmp_path)
    for name in (VIP, "proxy", "wpad.example.net", "somewhere.example:8080"):
        assert_file(asked(lan, "GET /proxy.pac HTTP/1.1", f"Host: {name}\r\n"), FIRST_FIRST)
    assert_file(asked(lan, "GET /wpad.dat?version=2 HTTP/1.0"), FIRST_FIRST)
    head = asked(lan, "HEAD /proxy.pac HTTP/1.1")
    length = len(asked(lan, "GET /proxy.pac HTTP/1.1").partition(b"\r\n\r\n")[2])
    assert head.endswith(b"\r\n\r\n") and f"content-length: {length}\r\n".encode() in head.lower()
    for name, proxies in {
        VIP: FIRST_FIRST, "proxy.example.com": FIRST_FIRST, "PROXY.Example.com.": FIRST_FIRST,
        "10.0.0.4": SECOND_FIRST, "second.example.com": SECOND_FIRST, "[::ffff:10.0.0.4]": SECOND_FIRST,
    }.items():  # fmt: skip
        assert_file(asked(lan, f"GET http://{name}:8080/proxy.pac HTTP/1.1", f"Host: {name}\r\n"), proxies)
    assert_file(protected(lan, b"GET /proxy.pac HTTP/1.1\r\nHost: second.example.com:8080\r\n\r\n"), SECOND_FIRST)
    assert node.status()["pac"] == {"url": "http://10.0.0.3:8080/proxy.pac", "served": 14}
    # mitmproxy itself refuses it, before it calls anybody.
    assert asked(lan, "GET /proxy.pac HTTP/1.0", "").startswith(b"HTTP/1.1 400")
    # With the answer the connection has ended, and with it what follows in it.
    pipelined = asked(lan, "GET /proxy.pac HTTP/1.1", "Host: a\r\n\r\nGET /proxy.pac HTTP/1.1\r\nHost: b\r\n")
    assert_file(pipelined, FIRST_FIRST)
    seen = set(re.findall('TEST hook "r (?!failover_|tls_)([a-z_]+)"', node.log))
    assert seen == {"client_connected", "next_layer", "client_disconnected"}, seen
    assert lookups(tmp_path) == before
    for line in (
        "POST /proxy.pac HTTP/1.1", "GET /proxy.pac/x HTTP/1.1", "GET /other.pac HTTP/1.1", "GET / HTTP/1.1",
        "GET http://proxy.example.com/proxy.pac HTTP/1.1", "GET http://10.0.0.4:8081/proxy.pac HTTP/1.1",
        "GET http://third.example.com:8080/proxy.pac HTTP/1.1",
    ):  # fmt: skip
        assert asked(lan, line, "Host: proxy.example.com\r\nConnection: close\r\n").startswith(b"HTTP/1.1 407"), line
    password = f"Proxy-Authorization: Basic {base64.b64encode(b'user:word').decode()}\r\n"
    with origin(lan) as host:
        assert get(lan, f"http://{host}/proxy.pac", password).endswith(b"origin")
        assert tunnelled(lan, host, password).endswith(b"origin")
    log = node.end()
    assert "Traceback" not in log and "proxy.pac" not in log.split("TEST hook")[0]
    with (tmp_path / "flows").open("rb") as saved:
        paths = [flow.request.path for flow in FlowReader(saved).stream() if flow.response.status_code == 200]  # type: ignore[attr-defined]
    assert paths == ["/proxy.pac", "/proxy.pac"], "those of the origin, and no other"


def protected(lan: Lan, request: bytes) -> bytes:
    """With TLS to the proxy itself."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with lan.on_the_right():
        client = socket.create_connection((VIP, 8080), timeout=10)
    with context.wrap_socket(client) as inside:
        inside.sendall(request)
        return read_all(inside)


def lookups(folder: Path) -> list[str]:
    """What the process has asked the resolver for, so far."""
    return [line for line in (folder / "sockets").read_text().splitlines() if "getaddrinfo" in line]


def tunnelled(lan: Lan, host: str, headers: str) -> bytes:
    """A server behind a tunnel is asked for a file of that name."""
    with lan.on_the_right():
        client = socket.create_connection((VIP, 8080), timeout=10)
    with client:
        client.sendall(f"CONNECT {host}:80 HTTP/1.1\r\nHost: {host}:80\r\n{headers}\r\n".encode())
        assert b" 200 " in client.recv(4096)
        client.sendall(f"GET /proxy.pac HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        return read_all(client)


def test_in_upstream_mode_and_after_a_reload(lan: Lan, tmp_path: Path) -> None:
    """Whatever mitmproxy is told to do with hosts and bodies; at the port that the mode names. Where the file is no
    more, a request for it goes to the upstream proxy, as it would without the key."""
    options = ["--mode", "upstream:http://10.0.0.2:80@3128", "--ignore-hosts", ".*", "--set", "body_size_limit=1"]
    node = start(lan, tmp_path, *options)
    request = b"GET /proxy.pac HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n"
    through = b"GET http://second.example.com:3128/proxy.pac HTTP/1.1\r\nHost: x\r\n\r\n"
    assert_file(talk(lan, request, 3128), FIRST_FIRST.replace(b"8080", b"3128"))
    assert_file(talk(lan, through, 3128), SECOND_FIRST.replace(b"8080", b"3128"))
    assert reloaded(tmp_path, "pac: {groups: [2], share: client}\n") == [
        "pac.groups: all -> 2", "pac.share: none -> client", "pac.direct: true -> false",
        "pac.bypass: .example.net -> none",
    ]  # fmt: skip
    with origin(lan):
        assert b"Response body exceeds mitmproxy" in talk(lan, request, 3128)
        assert_file(talk(lan, through, 3128), b'[["2", "PROXY 10.0.0.4:3128"]]')
        assert reloaded(tmp_path, "") == ["pac: on -> off"]
        assert b"Response body exceeds mitmproxy" in talk(
            lan, through.replace(b": x", b": x\r\nConnection: close"), 3128
        )
    assert node.status()["pac"] is None
    assert "Traceback" not in node.end()


def reloaded(folder: Path, pac: str) -> list[str]:
    """What the node says to this first line of its file."""
    (folder / "node.yaml").write_text(pac + CONFIG + SECOND)
    changes: list[str] = ask(folder / "state" / "control.sock", "reload", time_limit_s=20)["changes"]
    return changes
