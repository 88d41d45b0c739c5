"""``python -m tests.interop.ucarp_vectors``: what the real ucarp sends in many configurations, for tests/vectors.

Each configuration is a process of the Debian package in one namespace; they know nothing of each other, because each
has an id of its own. Each hears a bow-out that we have signed, becomes master, and what it says then is kept. If it
believes ours, it counts on from our counter, so the counter of its advertisement tells that too.
``tests/carp/test_more_vectors.py`` reads the file; record it anew only with a newer ucarp, and read the diff.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from tests.fuzz.second_reader import ipv4_frame
from tests.interop.ucarp import find_ucarp
from tests.lab.inside import run_inside
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.topology import Topology
from wsa_proxy.lab.topology import host

FILE = Path(__file__).resolve().parents[1] / "vectors" / "ucarp-vectors.json"
SENDER = host("u", 9)
OUR_COUNTER = 0x0123456789ABCDEF
BOW_OUT_EVERY_S = 0.5
WAIT_S_MAX = 20.0
CHARACTERS = "aB3 $'\"\\ä~%x#Zq.,-_="


@dataclass(frozen=True, slots=True)
class Configuration:
    """One ucarp, in its own words."""

    vhid: int
    pass_phrase: str
    advbase: int
    advskew: int
    virtual_ip: str


def configurations() -> list[Configuration]:
    """Every length of a pass phrase, the ends of every range, and what lies between; an id each."""
    phrases = [_phrase(length) for length in range(1, 20)]
    made = [
        Configuration(10 + length, phrase, 1, 13 * length % 255, f"10.7.{length}.{255 - length}")
        for length, phrase in enumerate(phrases, start=1)
    ]
    made += [
        Configuration(60 + each, "secret", each, 255 - each, "192.0.2.77") for each in (2, 3, 10, 85, 86, 127, 128)
    ]
    made += [
        Configuration(40 + each, "secret", 1, skew, "203.0.113.9") for each, skew in enumerate((0, 1, 127, 128, 253))
    ]
    for vhid, virtual_ip in ((1, "1.0.0.0"), (127, "127.255.255.254"), (128, "128.0.0.1"), (254, "223.255.255.255")):
        made.append(Configuration(vhid, "nineteen bytes long", 1, 254, virtual_ip))
    return [*made, Configuration(255, "both ends", 255, 254, "255.255.255.254"), Configuration(2, "a", 0, 1, "0.0.0.1")]


def _phrase(length: int) -> str:
    """So many bytes in UTF-8, with blanks, quotes and what is not ASCII."""
    text = ""
    while len(text.encode()) < length:
        text += CHARACTERS[(len(text) + length) % len(CHARACTERS)]
    return text if len(text.encode()) == length else text[:-1] + "y"


def record() -> list[dict[str, Any]]:
    """Inside the namespaces: start all, bow out to all, and keep the first frame of each that says it has heard us."""
    topology = Topology([SENDER])
    topology.build()
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    tap.bind((SENDER.name, 0x0003))
    tap.settimeout(0.05)
    wanted = {each.vhid: each for each in configurations()}
    assert len(wanted) == len(configurations())
    running = [_start(topology, each) for each in wanted.values()]
    found: dict[int, str] = {}
    began_s = said_s = time.monotonic()
    while len(found) < len(wanted) and time.monotonic() < began_s + WAIT_S_MAX:
        if time.monotonic() > said_s + BOW_OUT_EVERY_S:
            said_s = time.monotonic()
            for vhid in wanted.keys() - found.keys():
                tap.send(ipv4_frame(bow_out(wanted[vhid])))
        try:
            frame, address = tap.recvfrom(4096)
        except TimeoutError:
            continue
        if address[2] != socket.PACKET_OUTGOING and is_answer(frame):
            found.setdefault(frame[35], frame.hex())
    for process in running:
        process.kill()
    return [asdict(wanted[vhid]) | {"frame_hex": found.get(vhid)} for vhid in sorted(wanted)]


def bow_out(each: Configuration) -> bytes:
    """Ours, of its virtual host."""
    key = key_from_pass_phrase(each.pass_phrase.encode())
    return Authenticator([key], each.vhid, [IPv4Address(each.virtual_ip)], OUR_COUNTER).sign(255, 255, 0)


def is_answer(frame: bytes) -> bool:
    """An advertisement whose sender has adopted our counter: a few of them may have got lost."""
    is_carp = frame[12:14] == b"\x08\x00" and frame[23] == 112
    return is_carp and OUR_COUNTER < int.from_bytes(frame[42:50]) < OUR_COUNTER + 20


def _start(topology: Topology, each: Configuration) -> subprocess.Popen[bytes]:
    program = find_ucarp()
    assert program is not None
    command = [program, "--interface=eth0", f"--srcip={SENDER.ipv4.ip}", f"--vhid={each.vhid}"]
    command += [f"--pass={each.pass_phrase}", f"--addr={each.virtual_ip}", f"--advbase={each.advbase}"]
    # --preempt: else from an advbase of 86 on not even a bow-out is slow enough to be taken over from.
    command += [f"--advskew={each.advskew}", "--preempt", "--upscript=/bin/true", "--downscript=/bin/true"]
    with inside(topology.networks[SENDER.name]):
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr)


def main() -> int:
    found = run_inside(record)
    missing = [entry["vhid"] for entry in found if entry["frame_hex"] is None]
    assert not missing, f"no advertisement of {missing}"
    about = "First advertisements of the Debian package's ucarp, recorded by tests/interop/ucarp_vectors.py"
    told = subprocess.run([str(find_ucarp()), "--help"], capture_output=True, text=True, check=False).stdout
    version = next(line for line in told.splitlines() if line.strip())
    document = {"about": about, "ucarp": version, "vectors": found}
    FILE.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
