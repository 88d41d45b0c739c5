"""The self-tests in real mitmproxies: they pass whatever the options say, and nobody can tell that they were there."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization import PrivateFormat
from mitmproxy.certs import CertStore

from tests.proxy.processes import RECORD_HOOKS
from tests.proxy.processes import Origin
from tests.proxy.processes import Proxy
from tests.proxy.processes import connected
from tests.proxy.processes import exchange
from tests.proxy.processes import free_port
from tests.proxy.processes import wait_for

type Start = Callable[..., Proxy]

NOWHERE = "192.0.2.1:9"  # RFC 5737: whoever connects to it is seen in the list of connects
LAZY = ["--set", "connection_strategy=lazy"]
PROXYAUTH = ["--proxyauth", "user:word"]

OPTIONS = {
    "regular": [],
    "lazy": LAZY,
    "proxyauth": [*PROXYAUTH, "--set", "block_private=true", "--set", "request_client_cert=true"],
    "ignore_hosts": ["--ignore-hosts", ".*"],
    "allow_hosts": ["--allow-hosts", "nothing.example", "--set", "http2=false"],
    "tcp_hosts": ["--tcp-hosts", ".*", "--set", "onboarding=false"],
    "upstream": ["--mode", f"upstream:http://{NOWHERE}", "--set", "upstream_auth=user:word"],
    "upstream_lazy": ["--mode", f"upstream:https://{NOWHERE}", *LAZY],
    "socks5": ["--mode", "socks5", *PROXYAUTH],
    "reverse": ["--mode", f"reverse:http://{NOWHERE}"],
    "reverse_lazy": ["--mode", f"reverse:https://{NOWHERE}", *LAZY],
    "mitmweb": ["--no-web-open-browser"],
}


def asked(proxy: Proxy) -> list[tuple[str, int]]:
    """Where this process has connected to."""
    return [(name[0], name[1]) for name in proxy.events("socket.connect") if isinstance(name, tuple)]


@pytest.mark.parametrize("kind", OPTIONS)
def test_self_tests_pass_and_leave_no_trace(start_proxy: Start, tmp_path: Path, kind: str) -> None:
    """No addon before or behind sees a hook; no log line, no flow in a file, no name asked for, no server."""
    before, flows = tmp_path / "before.py", tmp_path / "flows"
    before.write_text(RECORD_HOOKS.format(mark="before"))
    tool = "mitmweb" if kind == "mitmweb" else "mitmdump"
    options = [*OPTIONS[kind], "-s", str(before), "--set", f"save_stream_file={flows}"]
    if tool == "mitmweb":
        options += ["--web-port", str(free_port())]
    proxy = start_proxy(*options, after=RECORD_HOOKS.format(mark="after"), tool=tool)
    proxy.wait_healthy()
    wait_for(lambda: len(asked(proxy)) >= 4, "some more self-tests")
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(20) == 0
    assert proxy.said("hook") == []
    assert set(asked(proxy)) == {("127.0.0.1", proxy.port)}
    assert {host for host in proxy.events("socket.getaddrinfo") if host} <= {"127.0.0.1"}
    for word in ("client", "invalid", "error", "CONNECT", "TLS"):
        assert word not in proxy.log.replace("TEST ", ""), proxy.log
    assert not flows.exists() or flows.stat().st_size == 0


def test_everybody_else_is_seen_by_all(start_proxy: Start, origin: Origin, tmp_path: Path) -> None:
    """The addons that see nothing of a self-test see a client's request from its beginning to its end."""
    before = tmp_path / "before.py"
    before.write_text(RECORD_HOOKS.format(mark="before"))
    proxy = start_proxy("-s", str(before), after=RECORD_HOOKS.format(mark="after"))
    proxy.wait_healthy()
    with connected("127.0.0.77", proxy.port) as client:
        assert exchange(client, f"http://127.0.0.1:{origin.port}/").endswith(b"hello")
    proxy.wait_until("after client_disconnected")
    for mark in ("before", "after"):
        assert {f"{mark} client_connected", f"{mark} requestheaders", f"{mark} response"} <= set(proxy.said("hook"))


def test_several_modes_at_once(start_proxy: Start) -> None:
    """Each is asked, one of them through a tunnel."""
    ports = [free_port(), free_port()]
    modes = ["regular", f"socks5@{ports[0]}", f"reverse:http://{NOWHERE}@{ports[1]}"]
    proxy = start_proxy(*[word for mode in modes for word in ("--mode", mode)])
    proxy.wait_healthy()
    names = [name for name, passed, _ in proxy.said("health")[-1][2] if passed]
    assert set(names) >= {"connect", *[f"get {mode}" for mode in modes]}
    assert {port for _, port in asked(proxy)} == {proxy.port, *ports}


def test_the_operators_own_certificate(start_proxy: Start, tmp_path: Path) -> None:
    """One for every name bears none of ours, and is what the clients are shown: it passes."""
    own = CertStore.from_store(tmp_path / "own", "own", 2048).get_cert("www.example.com", [])
    key = own.privatekey.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "own.pem").write_bytes(key + own.cert.to_pem())
    proxy = start_proxy("--certs", f"*={tmp_path / 'own.pem'}")
    proxy.wait_healthy()
