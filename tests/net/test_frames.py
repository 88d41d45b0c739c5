from __future__ import annotations

import json
import subprocess
import sys
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from wsa_proxy.net.frames import Carp
from wsa_proxy.net.frames import advertisement_header
from wsa_proxy.net.frames import read_advertisement

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "carp-vectors.json").read_text())["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_layer_reads_and_writes_the_vectors(vector: dict[str, Any]) -> None:
    """Our scapy layer reads the fields of every golden packet, and builds the same bytes with its own checksum."""
    packet = bytes.fromhex(vector["packet_hex"])
    layer = Carp(packet)
    for field in ("vhid", "advbase", "advskew"):
        assert getattr(layer, field) == vector[field]
    assert (layer.version, layer.type, layer.authlen, layer.demotion) == (2, 1, 7, vector["demote"])
    assert f"{layer.counter:016x}" == vector["counter"]
    layer.checksum = None
    assert bytes(layer) == packet


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_second_reader(vector: dict[str, Any]) -> None:
    """A golden frame is read with its addresses and as CARP, although scapy knows nothing of it."""
    read = read_advertisement(bytes.fromhex(vector["frame_hex"]))
    assert read is not None
    network = read[IP] if vector["af"] == "inet" else read[IPv6]
    assert (network.src, network.dst) == (vector["ip"]["src"], vector["ip"]["dst"])
    assert bytes(read[Carp]).hex() == vector["packet_hex"]


def test_other_frames_are_not_read() -> None:
    """A frame of another protocol, or none at all, is no advertisement."""
    assert read_advertisement(bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2", proto=17))) is None
    assert read_advertisement(b"") is None


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector["id"][0] == "F"], ids=lambda v: v["id"])
def test_header_is_freebsd_s(vector: dict[str, Any]) -> None:
    """Our header differs from the golden FreeBSD frame in nothing but the source hardware address."""
    version, source = (4, IPv4Address) if vector["af"] == "inet" else (6, IPv6Address)
    golden = bytes.fromhex(vector["frame_hex"])
    header = advertisement_header(version, "02:00:00:00:00:01", source(vector["ip"]["src"]), 36)  # type: ignore[arg-type]
    assert header + golden[len(header) :] == golden[:6] + bytes.fromhex("020000000001") + golden[12:]


def test_scapy_is_left_as_it_was() -> None:
    """After our import scapy still reads protocol 112 as VRRP for everybody else in this process."""
    code = (
        "import wsa_proxy.net.frames\n"
        "from scapy.layers.inet import IP\n"
        "from scapy.layers.vrrp import VRRP\n"
        "assert VRRP in IP(bytes(IP(src='10.0.0.1', dst='224.0.0.18', proto=112) / VRRP()))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=30)
