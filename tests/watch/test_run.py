"""The command, from its arguments to its exit status: on a real interface, and on captures of real senders."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap
from scapy.utils import wrpcap

from tests.interop.pairs import BY_NAME
from tests.interop.pairs import SECRET as INTEROP_SECRET
from tests.watch.packets import BEGIN_S
from tests.watch.packets import F1
from tests.watch.packets import SECRET
from tests.watch.packets import Sender
from tests.watch.packets import configuration
from tests.watch.packets import frame
from tests.watch.packets import vrrp_2
from wsa_proxy import cli

CAPTURES = Path(__file__).parents[1] / "interop" / "captures"


class Watching:
    """A watch in a process of its own, in the namespace where we are."""

    def __init__(self, lan: Any, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wsa_proxy.cli", "watch", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout.fileno()
        self._buffer = b""
        joined = "120000E0"  # it is a member of CARP's group as soon as it hears
        lan.until(lambda: joined in Path("/proc/net/igmp").read_text(), "the watch listens", within_s=20)

    def line(self) -> str:
        """The next one."""
        while b"\n" not in self._buffer:
            assert select.select([self.out], [], [], 20)[0], f"no line, but {self._buffer!r}"
            data = os.read(self.out, 65536)
            assert data, "the watch has ended"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def end(self) -> tuple[str, str]:
        """Ctrl-C; what it still says."""
        self.process.send_signal(signal.SIGINT)
        out, error = self.process.communicate(timeout=20)
        return (self._buffer + out).decode(), error.decode()


def send(lan: Any, *frames: bytes, here: bool = False) -> None:
    if here:
        sender = lan.raw_socket(lan.LEFT)
    else:
        with lan.on_the_right():
            sender = lan.raw_socket(lan.RIGHT)
    for each in frames:
        sender.send(each)


def now_packet(sender: Sender) -> bytes:
    return sender.payload(time.time() - BEGIN_S)


def test_a_live_lan(lan: Any, tmp_path: Path) -> None:
    """Each packet has its line at once: ours and theirs, believed or not; everything is written; Ctrl-C is status 0."""
    kept = tmp_path / "kept.pcap"
    watching = Watching(lan, "--config", str(configuration(tmp_path)), "--write", str(kept))
    sender = Sender()
    packet = now_packet(sender)
    send(lan, frame(packet))
    assert watching.line().endswith("-> valid")
    send(lan, frame(F1.packet), frame(vrrp_2()))
    assert watching.line().endswith("-> bad_secret: signed with another secret, or for other virtual IPs than 10.0.0.3")
    assert watching.line().endswith("-> VRRP 2: a node counts it as vrrp")
    assert watching.line().endswith("with one id: they fight for its virtual MAC")
    send(lan, frame(packet, mac="02:00:00:00:00:0c"), here=True)
    line = watching.line()
    assert "sent here" in line and "-> duplicate: its counter was heard already" in line
    assert watching.line().endswith("somebody relays or replays it")
    out, error = watching.end()
    assert (watching.process.returncode, out, error) == (0, "", "")
    assert [bytes(each) for each in rdpcap(str(kept))] == [
        frame(packet), frame(F1.packet), frame(vrrp_2()), frame(packet, mac="02:00:00:00:00:0c"),
    ]  # fmt: skip


def test_a_killed_watch_leaves_a_good_file(lan: Any, tmp_path: Path) -> None:
    """SIGKILL after a line: that packet is on the disk."""
    kept = tmp_path / "kept.pcap"
    watching = Watching(lan, "--interface", "left", "--write", str(kept))
    for _ in range(3):
        send(lan, frame(F1.packet))
        while " id 1 10.0.0.1 " not in watching.line():
            pass  # that it is "the same within 3 ms": a line more, if this host is quick enough
    watching.process.kill()
    watching.process.wait()
    assert len(rdpcap(str(kept))) == 3


def test_it_ends_after_a_number_or_a_time(lan: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly so many lines; a watch that hears nothing ends in time."""
    watching = Watching(lan, "--count", "2")
    send(lan, *[frame(F1.packet)] * 5)
    out, _ = watching.process.communicate(timeout=20)
    assert watching.process.returncode == 0
    assert out.count(b" id 1 10.0.0.1 ") == 2
    began_s = time.monotonic()
    assert cli.main(["watch", "--seconds", "0.3"]) == 0
    assert 0.3 <= time.monotonic() - began_s < 10
    seen = capsys.readouterr()
    assert (seen.out, seen.err.count("\n")) == ("", 1) and "nothing of protocol 112 heard" in seen.err


def test_garbage_on_the_wire(lan: Any) -> None:
    """A thousand random packets of protocol 112 give lines without a control character, and no traceback."""
    chance = random.Random(112)
    watching = Watching(lan, "--lines")
    for _ in range(20):
        frames = []
        for _ in range(50):
            header = bytearray(chance.randbytes(chance.randrange(12, 120)))
            kind = chance.choice(["0800", "86dd"])
            header[0] = (header[0] & 15) | (0x40 if kind == "0800" else 0x60)
            header[9 if kind == "0800" else 6] = 112
            frames.append(bytes.fromhex("01005e000012020000000002" + kind) + bytes(header))
        send(lan, *frames)
        lan.until(lambda: lan.readable([watching.out], 1.0), "lines")
    send(lan, frame(F1.packet, "10.0.0.77"))
    while "10.0.0.77" not in (line := watching.line()):
        assert line.isprintable()
    _, error = watching.end()
    assert watching.process.returncode == 0 and "Traceback" not in error


def test_without_the_privilege(lan: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Listening says what it needs; reading needs nothing."""
    lan.lose_privileges()
    assert cli.main(["watch", "--interface", "left"]) == 1
    error = capsys.readouterr().err
    assert "needs CAP_NET_RAW: run it as root, or read a capture with --read" in error and error.count("\n") == 1
    assert cli.main(["watch", "--read", str(CAPTURES / "we_preempt.pcap")]) == 0


def test_which_interface(lan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several one must be named; that of the file is found by its subnet, and a wrong file is told as by check."""
    lan.ip("link add second type veth peer name third")
    lan.ip("link set second up")
    assert cli.main(["watch"]) == 1
    assert "several interfaces can be watched; name one with --interface: " in capsys.readouterr().err
    assert cli.main(["watch", "--config", str(configuration(tmp_path)), "--seconds", "0.1"]) == 0
    file = configuration(tmp_path, virtual_ip="192.0.2.3/24")
    assert cli.main(["watch", "--config", str(file)]) == 1
    error = capsys.readouterr().err
    assert "no interface of this host is in its subnet" in error and SECRET not in error
    assert cli.main(["watch", "--config", str(file), "--interface", "left", "--seconds", "0.1"]) == 0


def test_captures_of_the_real_ucarp(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the file of a node of that run every advertisement of both is valid, but of the one with another secret."""
    for name, refused in (("we_preempt", False), ("ucarp_preempts", False), ("wrong_secret", True)):
        pair = BY_NAME[name]
        keys: dict[str, Any] = {"id": pair.vhid, "virtual_ip": f"{pair.virtual_ip}/24", "security": "carp"}
        file = configuration(tmp_path, shared_secret=f'"{INTEROP_SECRET}"', **keys)
        assert cli.main(["watch", "--read", str(CAPTURES / f"{name}.pcap"), "--config", str(file)]) == 0
        out = capsys.readouterr().out
        verdicts = {line.rpartition(" -> ")[2].partition(":")[0] for line in out.splitlines() if " -> " in line}
        assert verdicts == ({"valid", "bad_secret"} if refused else {"valid"}), out
        assert ("two masters: " in out) == refused


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--read", "none.pcap"], 1, "none.pcap cannot be read: No such file or directory"),
        (["--read", "notes.txt"], 1, "notes.txt is no capture"),
        (["--read", "good.pcap", "--interface", "eth0"], 2, "exclude each other"),
        (["--read", "good.pcap", "--write", "notes.txt"], 1, "notes.txt is there already"),
        (["--read", "good.pcap", "--write", "good.pcap", "--force"], 1, "good.pcap is the file that is read"),
        (["--read", "good.pcap", "--config", "none.yaml"], 1, "none.yaml"),
    ],
)
def test_what_cannot_be(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    text: str,
) -> None:
    """One line on stderr, an exit status, and no file touched."""
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("notes")
    wrpcap("good.pcap", [Ether(frame(F1.packet))])
    good = Path("good.pcap").read_bytes()
    assert cli.main(["watch", *arguments]) == status
    error = capsys.readouterr().err
    assert text in error and error.count("\n") == 1
    assert (Path("notes.txt").read_text(), Path("good.pcap").read_bytes()) == ("notes", good)


def test_reading_filters_writes_and_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A capture of everything becomes one of protocol 112; so many packets, or so many seconds of it."""
    frames = [frame(F1.packet, proto=17), frame(F1.packet), frame(F1.packet, "fe80::1"), frame(vrrp_2(vrid=9))]
    source, kept = tmp_path / "all.pcap", tmp_path / "kept.pcap"
    packets = [Ether(each) for each in frames]
    for number, packet in enumerate(packets):
        packet.time = 1000.0 + number
    wrpcap(str(source), packets)
    assert cli.main(["watch", "--read", str(source), "--write", str(kept)]) == 0
    assert [bytes(each) for each in rdpcap(str(kept))] == frames[1:]
    capsys.readouterr()
    assert cli.main(["watch", "--read", str(source), "--count", "1"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert cli.main(["watch", "--read", str(source), "--seconds", "2.5"]) == 0
    assert capsys.readouterr().out.count("\n") == 2
    assert "nothing of protocol 112" not in capsys.readouterr().err
    wrpcap(str(kept), packets[:1])
    assert cli.main(["watch", "--read", str(kept)]) == 0
    assert "nothing of protocol 112 heard" in capsys.readouterr().err
    source.write_bytes(source.read_bytes()[:-3])
    assert cli.main(["watch", "--read", str(source)]) == 0
    assert "all.pcap is damaged or cut at frame 4" in capsys.readouterr().err


def test_standard_input_and_a_closed_pipe(tmp_path: Path) -> None:
    """``tcpdump -w - | wsa-proxy watch --read - | head`` ends without a complaint."""
    command = [sys.executable, "-m", "wsa_proxy.cli", "watch", "--read", "-"]
    reading, writing = os.pipe()
    os.close(reading)
    data = (CAPTURES / "we_preempt.pcap").read_bytes()
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=True)
    assert done.stdout.count(b"\n") > 10 and done.stderr == b""
    closed = subprocess.run(command, input=data, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writing)
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_ctrl_c_ends_a_silent_pipe() -> None:
    """What came through it has its lines at once; then Ctrl-C is status 0."""
    command = [sys.executable, "-m", "wsa_proxy.cli", "watch", "--read", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write((CAPTURES / "we_preempt.pcap").read_bytes())
    process.stdin.flush()
    assert select.select([process.stdout], [], [], 20)[0]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert process.stderr is not None and process.stderr.read() == b""
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
