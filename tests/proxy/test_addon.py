"""The real addon in real mitmproxy processes on a cable of its own: every front end, every way to refuse, every end.

The interval is 50 ms, so that a node is master a quarter of a second after its first self-test.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cable import Lan
from wsa_proxy.runtime.control import ask

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL"]  # no proxy outlives a failed test
# As a service has it: what a proxy prints goes into a buffer, so a line that must be seen at once has to be flushed.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
START_S_MAX = 30.0  # a deadline, not a pause
VIP = "10.0.0.3"
VIRTUAL_MAC = bytes.fromhex("00005e000101")

CONFIG = f"""\
node: a
state_dir: state
groups:
  - id: 1
    hostname: proxy.example.com
    virtual_ip: {VIP}/24
    interface: left
    priority: 255
    shared_secret: twelve-and-more
    advertisement_interval: 0.25
"""


NOTHING: Mapping[str, str] = {}


class Node:
    """One mitmproxy with the addon, started where the test is: on the left end of the cable."""

    def __init__(
        self, lan: Lan, folder: Path, *options: str, program: str = "mitmdump", environment: Mapping[str, str] = NOTHING
    ) -> None:
        self.folder = folder
        self.lan = lan
        config = folder / "node.yaml"
        if not config.exists():
            config.write_text(CONFIG)
            config.chmod(0o600)
        self.log_file = folder / "log"
        command = [str(BIN / program), "-s", "addons/carp_failover.py", "--set", f"failover_config={config}"]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [*DIES_WITH_US, *command, "--set", f"confdir={folder / 'ca'}", *options],
                cwd=ROOT,
                env={**BUFFERED, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def transitions(self, vhid: int = 1) -> int:
        """How many of this group the log has."""
        return len(re.findall(rf"vhid={vhid} [A-Z]+ -> ", self.log))

    def wait_master(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.log
            return "-> MASTER" in self.log

        self.lan.until(ready, f"mastery in {self.log}", START_S_MAX)

    def wait_page(self) -> None:
        """The page may come after mastery, where the interval is short."""
        self.wait_master()
        self.lan.until(lambda: "page: " in self.log, f"the page in {self.log}", START_S_MAX)

    def status(self) -> dict[str, object]:
        return ask(self.folder / "state" / "control.sock", "status")

    def end(self) -> str:
        """SIGTERM, and everything that it has said."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
        return self.log


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"origin")

    def log_message(self, *arguments: object) -> None: ...


@contextmanager
def origin(lan: Lan) -> Iterator[str]:
    """A web server on the right end of the cable."""
    with lan.on_the_right():
        server = http.server.ThreadingHTTPServer(("10.0.0.2", 80), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "10.0.0.2"
    server.shutdown()


def talk(lan: Lan, request: bytes, port: int = 8080) -> bytes:
    """Send bytes to the virtual IP from the right end of the cable; all that comes back."""
    with lan.on_the_right():
        client = socket.create_connection((VIP, port), timeout=10)
    with client:
        client.sendall(request)
        return read_all(client)


def read_all(client: socket.socket) -> bytes:
    """Until the other side ends."""
    answer = b""
    while received := client.recv(65536):
        answer += received
    return answer


def get(lan: Lan, url: str, headers: str = "") -> bytes:
    host = url.split("/")[2]
    return talk(lan, f"GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode())


def test_a_regular_proxy_is_served_on_the_virtual_ip_and_ends_in_order(lan: Lan, tmp_path: Path) -> None:
    """The main job of one node: INIT, BACKUP, MASTER, a request, the status, bow-out, and nothing is left behind."""
    node = Node(lan, tmp_path)
    node.wait_master()
    with origin(lan) as host:
        assert get(lan, f"http://{host}/").endswith(b"origin")
    status = node.status()
    assert status["groups"][0]["virtual_ip_held"] == [VIP]  # type: ignore[index]
    entry = lan.held(VIP)
    assert entry is not None and entry["prefixlen"] == 32 and entry["valid_life_time"] <= 2
    bow_outs = lan.wire(
        lambda frame: frame[12:14] == b"\x08\x00" and frame[23] == 112 and frame[36] == frame[39] == 255
    )
    log = node.end()
    # Nobody takes over, so it is said again: the same, and not from the virtual MAC.
    said = bow_outs.take(3)
    assert len({frame[14:] for frame in said}) == 1
    assert [frame[6:12] == VIRTUAL_MAC for frame in said] == [True, False, False]
    assert node.process.returncode == 0 and "Traceback" not in log, log
    assert "stream_large_bodies is not set" in log, "any client could move the virtual IP"
    assert lan.held(VIP) is None and not (tmp_path / "state" / "control.sock").exists()
    assert 'MASTER -> INIT reason="orderly stop"' in log
    assert ".invalid" not in log  # self-tests leave no line


def test_upstream_mode(lan: Lan, tmp_path: Path) -> None:
    """The virtual IP serves the upstream mode; the upstream proxy is the origin, which answers everything."""
    node = Node(lan, tmp_path, "--mode", "upstream:http://10.0.0.2:80")
    node.wait_master()
    with origin(lan):
        assert get(lan, "http://somewhere.example/").endswith(b"origin")
    assert "Traceback" not in node.end()


def test_socks5(lan: Lan, tmp_path: Path) -> None:
    """SOCKS on the group's port: greeting, connect, request."""
    node = Node(lan, tmp_path, "--mode", "socks5", "--set", "stream_large_bodies=50m")
    node.wait_master()
    assert "stream_large_bodies" not in node.log
    with origin(lan) as host:
        with lan.on_the_right():
            client = socket.create_connection((VIP, 8080), timeout=10)
        with client:
            client.sendall(b"\x05\x01\x00")
            assert client.recv(2) == b"\x05\x00"
            client.sendall(b"\x05\x01\x00\x01" + socket.inet_aton(host) + (80).to_bytes(2))
            assert client.recv(10)[:2] == b"\x05\x00"
            client.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            assert read_all(client).endswith(b"origin")
    assert "Traceback" not in node.end()


def test_proxyauth(lan: Lan, tmp_path: Path) -> None:
    """Clients need the password; the self-tests do not, and nobody else gets round it."""
    node = Node(lan, tmp_path, "--proxyauth", "user:word")
    node.wait_master()
    with origin(lan) as host:
        assert b" 407 " in get(lan, f"http://{host}/").splitlines()[0]
        password = base64.b64encode(b"user:word").decode()
        assert get(lan, f"http://{host}/", f"Proxy-Authorization: Basic {password}\r\n").endswith(b"origin")
    assert "Traceback" not in node.end()


def test_ignore_hosts(lan: Lan, tmp_path: Path) -> None:
    """Even when every host is passed through untouched, the node proves itself and serves."""
    node = Node(lan, tmp_path, "--ignore-hosts", ".*")
    node.wait_master()
    with origin(lan) as host:
        request = f"CONNECT {host}:80 HTTP/1.1\r\nHost: {host}:80\r\n\r\n".encode()
        with lan.on_the_right():
            client = socket.create_connection((VIP, 8080), timeout=10)
        with client:
            client.sendall(request)
            assert b" 200 " in client.recv(4096)
            client.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            assert read_all(client).endswith(b"origin")
    assert "Traceback" not in node.end()


def test_mitmweb(lan: Lan, tmp_path: Path) -> None:
    """The same script in mitmweb, whose page stays on loopback."""
    node = Node(lan, tmp_path, "--no-web-open-browser", program="mitmweb")
    node.wait_master()
    with origin(lan) as host:
        assert get(lan, f"http://{host}/").endswith(b"origin")
    node.end()


def test_asking_the_proxy_for_itself_is_502(lan: Lan, tmp_path: Path) -> None:
    """By address and by name, and the proxy is as well afterwards as before."""
    node = Node(lan, tmp_path)
    node.wait_master()
    for host in (VIP, "127.0.0.1", "localhost", "0.0.0.0", "[::ffff:10.0.0.3]", "0x0a000003"):
        assert b" 502 " in get(lan, f"http://{host}:8080/").splitlines()[0], host
    with origin(lan) as host:
        assert get(lan, f"http://{host}/").endswith(b"origin")
    assert node.status()["health"]["hard"] is None  # type: ignore[index]
    assert "Traceback" not in node.end()


def test_wsa_proxy_run_is_mitmdump_with_the_addon(lan: Lan, tmp_path: Path) -> None:
    """What follows the file goes to mitmdump."""
    config = tmp_path / "node.yaml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    log_file = tmp_path / "log"
    with log_file.open("wb") as log:
        command = [sys.executable, "-m", "wsa_proxy.cli", "run", str(config), "--set", f"confdir={tmp_path / 'ca'}"]
        process = subprocess.Popen(
            [*DIES_WITH_US, *command, "--listen-port", "3128"], cwd=ROOT, env=BUFFERED, stdout=log, stderr=log
        )
    lan.until(lambda: "-> MASTER" in log_file.read_text(), "mastery", START_S_MAX)
    with origin(lan) as host:
        request = f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        assert talk(lan, request, port=3128).endswith(b"origin")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def run_once(*options: str, program: str = "mitmdump", folder: Path) -> subprocess.CompletedProcess[str]:
    """Start mitmproxy and wait until it ends by itself."""
    command = [str(BIN / program), "-s", "addons/carp_failover.py", "--set", f"confdir={folder / 'ca'}", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("program", ["mitmdump", "mitmweb"])
def test_a_wrong_file_ends_mitmproxy_with_all_its_errors(lan: Lan, tmp_path: Path, program: str) -> None:
    """It never runs without failover in silence; the text is the one of `wsa-proxy check`."""
    config = tmp_path / "node.yaml"
    config.write_text(CONFIG.replace("id: 1", "id: 300").replace("priority: 255", "priority: 0"))
    config.chmod(0o600)
    ended = run_once("--set", f"failover_config={config}", program=program, folder=tmp_path)
    checked = subprocess.run(
        [sys.executable, "-m", "wsa_proxy.cli", "check", str(config)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    wrong = [line for line in checked.stdout.splitlines() if line.startswith(f"{config}:")]
    assert len(wrong) >= 2 and ended.returncode == checked.returncode == 1
    for line in wrong:
        assert line in ended.stderr
    assert "Traceback" not in ended.stderr and "listening" not in ended.stdout


def test_no_file_at_all_ends_mitmproxy(lan: Lan, tmp_path: Path) -> None:
    """The addon without its option is a mistake, not a plain proxy."""
    ended = run_once(folder=tmp_path)
    assert ended.returncode == 1 and "failover_config: not set" in ended.stderr


def test_the_options_can_be_listed_without_a_file(tmp_path: Path) -> None:
    """`mitmdump -s ... --options` documents ours, too."""
    listed = run_once("--options", folder=tmp_path)
    assert listed.returncode == 0 and "failover_config" in listed.stdout


def test_without_the_right_to_hold_an_address_it_says_so_and_ends(lan: Lan, tmp_path: Path) -> None:
    """One clear sentence, at once, not at the takeover."""
    (tmp_path / "node.yaml").write_text(CONFIG)
    (tmp_path / "node.yaml").chmod(0o600)
    lan.lose_privileges()
    ended = run_once("--set", f"failover_config={tmp_path / 'node.yaml'}", folder=tmp_path)
    assert ended.returncode == 1
    assert "CAP_NET_RAW" in ended.stderr + ended.stdout or "CAP_NET_ADMIN" in ended.stderr + ended.stdout


def test_the_mitmproxy_command_tells_the_status(lan: Lan, tmp_path: Path) -> None:
    """Another addon asks for it as a user of the console would."""
    asking = tmp_path / "asking.py"
    asking.write_text(
        "import logging\n"
        "from mitmproxy import ctx\n"
        "def server_connect(data):\n"
        "    logging.warning('ASKED ' + ctx.master.commands.call('failover.status').replace('\\n', ''))\n"
    )
    node = Node(lan, tmp_path, "-s", str(asking))
    node.wait_master()
    with origin(lan) as host:
        get(lan, f"http://{host}/")
    line = next(line for line in node.end().splitlines() if "ASKED" in line)
    assert json.loads(line.partition("ASKED ")[2])["groups"][0]["state"] == "master"


def test_a_stranger_that_has_the_address_keeps_the_node_in_backup(lan: Lan, tmp_path: Path) -> None:
    """Its MAC is in the reason; when it has gone, the node becomes master."""
    with lan.on_the_right():
        lan.ip(f"address add {VIP}/24 dev {lan.RIGHT}")
        stranger = lan.mac(lan.RIGHT)
    node = Node(lan, tmp_path)
    line = f"carp vhid=1 stays BACKUP reason=address_answered_by_another_host mac={stranger}"
    lan.until(lambda: line in node.log, "the refusal", START_S_MAX)
    assert node.status()["groups"][0]["evidence"] == f"mac={stranger}"  # type: ignore[index]
    assert "-> MASTER" not in node.log
    with lan.on_the_right():
        lan.ip(f"address del {VIP}/24 dev {lan.RIGHT}")
    node.wait_master()
    node.end()


def test_an_interface_that_is_deleted_and_made_anew_is_used_again(lan: Lan, tmp_path: Path) -> None:
    """No restart: INIT while it is gone, and listening first when it is back."""
    node = Node(lan, tmp_path)
    node.wait_master()
    lan.ip(f"link del {lan.LEFT}")
    lan.until(lambda: 'MASTER -> INIT reason="left is' in node.log, "INIT")
    lan.cable()
    lan.until(lambda: node.log.count("-> MASTER") == 2, "mastery on the new interface")
    assert lan.held(VIP) is not None
    with origin(lan) as host:
        assert get(lan, f"http://{host}/").endswith(b"origin")
    assert "Traceback" not in node.end()


def test_an_address_that_somebody_removes_is_back_at_once_and_reported(lan: Lan, tmp_path: Path) -> None:
    """An operator's slip, or a network manager."""
    node = Node(lan, tmp_path)
    node.wait_master()
    lan.ip(f"address del {VIP}/32 dev carp1")
    lan.until(lambda: lan.held(VIP), "the address is back", 0.5)
    lan.until(lambda: f"somebody removed the virtual IP {VIP}; it is put back" in node.log, "the report")
    node.end()


def test_the_service_manager_is_told(lan: Lan, tmp_path: Path) -> None:
    """Ready once it takes part, alive by its loop, stopping when asked to: as the systemd unit wants."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(START_S_MAX)
        manager.bind(str(tmp_path / "notify"))
        node = Node(lan, tmp_path, environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"})
        told = [manager.recv(100) for _ in range(5)]
        assert told == [b"READY=1"] + [b"WATCHDOG=1"] * 4
        node.process.send_signal(signal.SIGSTOP)
        manager.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while True:
                manager.recv(100)
        node.process.send_signal(signal.SIGCONT)
        manager.settimeout(START_S_MAX)
        assert manager.recv(100) == b"WATCHDOG=1"
        node.end()
        manager.settimeout(0.1)
        last = b""
        with contextlib.suppress(TimeoutError):
            while True:
                last = manager.recv(100)
        assert last == b"STOPPING=1"
