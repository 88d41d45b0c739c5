"""Captures are read in every form that tcpdump and wireshark write, damaged ones up to the damage; ours stay good."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap
from scapy.utils import wrpcapng

from tests.watch.packets import BEGIN_S
from tests.watch.packets import F1
from tests.watch.packets import captured
from tests.watch.packets import frame
from tests.watch.packets import vrrp_2
from wsa_proxy.watch.capture_file import CaptureError
from wsa_proxy.watch.capture_file import CaptureReader
from wsa_proxy.watch.capture_file import CaptureWriter
from wsa_proxy.watch.decode import Captured

FRAMES = [frame(F1.packet), frame(F1.packet, "fe80::1"), frame(vrrp_2())]


def packets() -> list[Ether]:
    made = [Ether(each) for each in FRAMES]
    for number, packet in enumerate(made):
        packet.time = BEGIN_S + number
    return made


def read(path: Path) -> tuple[list[Captured], str]:
    reader = CaptureReader(path)
    found = list(reader)
    reader.close()
    return found, reader.damage


@pytest.mark.parametrize("form", ["micro", "nano", "gzip", "pcapng"])
def test_scapys_captures(tmp_path: Path, form: str) -> None:
    """Every form gives the frames and their times."""
    path = tmp_path / "capture"
    if form == "pcapng":
        wrpcapng(str(path), packets())
    else:
        wrpcap(str(path), packets(), nano=form == "nano", gz=form == "gzip")
    found, damage = read(path)
    assert [each.frame for each in found] == FRAMES and damage == ""
    assert [round(each.at_s - BEGIN_S, 3) for each in found] == [0.0, 1.0, 2.0]
    assert all(each.length_bytes == len(each.frame) for each in found)


def ng_block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def test_pcapng_tells_interface_and_direction(tmp_path: Path) -> None:
    """As dumpcap writes them: option 2 of the interface is its name, option 2 of a packet its direction."""
    name = struct.pack("<HH", 2, 5) + b"eth\x1b0\0\0\0" + struct.pack("<HH", 0, 0)
    section = ng_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = ng_block(1, struct.pack("<HHI", 1, 0, 0) + name)
    data = FRAMES[0] + bytes(-len(FRAMES[0]) % 4)
    outbound = struct.pack("<HHI", 2, 4, 2) + struct.pack("<HH", 0, 0)
    packet = ng_block(6, struct.pack("<IIIII", 0, 0, 7_000_000, len(FRAMES[0]), 90) + data + outbound)
    path = tmp_path / "ng.pcapng"
    path.write_bytes(section + interface + packet)
    ((found,), damage) = read(path)
    assert damage == ""
    assert found == Captured(7.0, FRAMES[0], 1, "eth\x1b0", sent_here=True, length_bytes=90)


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_cut_capture_is_read_up_to_there(tmp_path: Path, form: str) -> None:
    """A disk was full, or tcpdump was killed: nothing of what is whole is lost, and the damage is told."""
    path = tmp_path / "capture"
    (wrpcapng if form == "pcapng" else wrpcap)(str(path), packets())
    whole = path.read_bytes()
    for cut in range(1, 60):
        path.write_bytes(whole[:-cut])
        found, _ = read(path)
        assert [each.frame for each in found][:2] == FRAMES[:2]
    path.write_bytes(whole[:-5])
    assert "capture is damaged or cut at frame " in read(path)[1]


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"#!/bin/sh\necho no capture at all\n", bytes(100), b"\x1f\x8b\x08nogzip"]
)
def test_what_is_no_capture(tmp_path: Path, content: bytes) -> None:
    """Is said with what would be one."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"notes.txt is no capture: a pcap or pcapng file is expected"):
        CaptureReader(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing one, a folder, and a link that is not understood have their own words."""
    with pytest.raises(CaptureError, match="cannot be read: No such file"):
        CaptureReader(tmp_path / "none")
    with pytest.raises(CaptureError, match="cannot be read: Is a directory"):
        CaptureReader(tmp_path)
    path = tmp_path / "wifi.pcap"
    wrpcap(str(path), packets(), linktype=127)
    with pytest.raises(CaptureError, match="link type 127 is not understood"):
        read(path)


def test_standard_input(tmp_path: Path) -> None:
    """A pipe cannot be rewound; compressed or not does not matter to a file."""
    path = tmp_path / "capture"
    wrpcap(str(path), packets())
    reader = CaptureReader(Path("-"), io.BytesIO(path.read_bytes()))
    assert [each.frame for each in reader] == FRAMES
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert len(read(path)[0]) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.data())
def test_any_damage(tmp_path: Path, data: st.DataObject) -> None:
    """A capture with any bytes changed is read or refused, and never anything else."""
    path = tmp_path / "capture"
    (wrpcapng if data.draw(st.booleans()) else wrpcap)(str(path), packets())
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        found, damage = read(path)
    except CaptureError as error:
        assert str(error).isprintable()
    else:
        assert len(found) <= 100 and damage.isprintable()


def test_each_frame_is_on_the_disk_when_it_was_written(tmp_path: Path) -> None:
    """A watch that is killed now leaves a good file."""
    path = tmp_path / "kept.pcap"
    writer = CaptureWriter(path, force=False)
    for number, each in enumerate(FRAMES, start=1):
        writer.write(Captured(BEGIN_S + number / 8, each, length_bytes=len(each) + 7))
        found, damage = read(path)
        assert [each.frame for each in found] == FRAMES[:number] and damage == ""
    assert (found[-1].at_s, found[-1].length_bytes) == (BEGIN_S + 0.375, len(FRAMES[2]) + 7)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_is_replaced_by_force_only(tmp_path: Path) -> None:
    """Evidence of last night is not overwritten by accident; nor through a link."""
    path = tmp_path / "kept.pcap"
    path.write_bytes(b"evidence")
    link = tmp_path / "link.pcap"
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(CaptureError, match=r"is there already; take another name, or --force"):
            CaptureWriter(name, force=False)
    assert path.read_bytes() == b"evidence"
    CaptureWriter(path, force=True).close()
    assert read(path) == ([], "")
    with pytest.raises(CaptureError, match="cannot be written: No such file"):
        CaptureWriter(tmp_path / "no" / "folder.pcap", force=False)


def test_a_full_disk_and_another_link(tmp_path: Path) -> None:
    """Both are told at once."""
    writer = CaptureWriter(Path("/dev/full"), force=True)
    with pytest.raises(CaptureError, match="/dev/full cannot be written: No space left"):
        writer.write(captured(F1.packet))
    with pytest.raises(CaptureError, match="/dev/full cannot be written"):
        writer.close()
    writer = CaptureWriter(tmp_path / "kept.pcap", force=False)
    writer.write(captured(F1.packet))
    with pytest.raises(CaptureError, match="one link type, 1, and no 113"):
        writer.write(Captured(1.0, b"", 113))


def test_tcpdump_reads_what_was_written(tmp_path: Path) -> None:
    """Another reader of the format finds every frame, and no fault in it."""
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump is missing: apt-get install tcpdump")
    path = tmp_path / "kept.pcap"
    writer = CaptureWriter(path, force=False)
    for each in FRAMES:
        writer.write(Captured(BEGIN_S, each))
    writer.close()
    done = subprocess.run(
        ["tcpdump", "-tt", "-n", "-vv", "-T", "carp", "-r", "-"],
        input=path.read_bytes(), capture_output=True, check=True, env=os.environ | {"TZ": "UTC"},
    )  # fmt: skip
    text = done.stdout.decode()
    assert text.count("1790000000.000000 IP") == 3, text
    assert text.count("CARPv2-advertise 36: vhid=1 advbase=1 advskew=0") == 2 and "bad" not in text
