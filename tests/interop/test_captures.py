"""What was on the wire between our nodes and the real ucarp, replayed through three readers: ours, tcpdump, scapy.

One file for each pair of pairs.py, protocol 112 only, recorded by ``pytest tests/interop --record-captures`` (read the
diff of the stories then). Here nothing runs but the readers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from scapy.layers.inet import IP

from tests.interop.observer import Frame
from tests.interop.observer import read_pcap
from tests.interop.observer import write_pcap
from tests.interop.pairs import BY_NAME
from tests.interop.pairs import PAIRS
from tests.interop.pairs import SECRET
from tests.interop.pairs import STRANGER
from tests.interop.pairs import Pair
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.net.frames import Carp
from wsa_proxy.net.frames import read_advertisement

CAPTURES = Path(__file__).parent / "captures"
BYTES_MAX = 8000
NAMES = [pair.name for pair in PAIRS]

STORIES = {
    "we_are_master": "o+bu+",
    "ucarp_is_master": "u+v{5}u+o+b",
    "we_preempt": "u+o+u{1,2}o+bu+",  # it yields late, and with a word
    "ucarp_preempts": "o+u+o+b",  # we yield at once, and without one
    "we_do_not_preempt": "u+o+bu*",
    "ucarp_does_not_preempt": "o+bu+",
    "wrong_secret": "o+[ou]+bu*",
    "tie_ours_lower": "o+[ou]+(bu*)?",
    "tie_ours_higher": "o+[ou]+u+",
    "tie_ours_lower_but_not_for_ucarp": "o+[ou]+u+",
    "counter_adopted": "o+[ou]+u+",
    "vrrp_with_the_same_id": "o+v{5}o+bu+",
}
"""Who spoke, in order: we (o), we for the last time (b), ucarp (u), a VRRP router (v)."""


def load(pair: Pair) -> list[Frame]:
    return read_pcap(CAPTURES / f"{pair.name}.pcap")


def our_node(pair: Pair, frames: list[Frame]) -> Authenticator:
    """As it was in that run: its counter is the one, constant, that its advertisements have."""
    (counter,) = {Carp(frame.payload).counter for frame in frames if frame.source == pair.our_address}
    return another_node(pair, counter)


def another_node(pair: Pair, counter: int = 0) -> Authenticator:
    """A node of the same group that was not in that run."""
    return Authenticator([key_from_pass_phrase(SECRET.encode())], pair.vhid, [pair.virtual_ip], counter)


def verdict(node: Authenticator, frame: Frame) -> Advertisement | Reject:
    return node.accept(frame.payload, frame.data[22], 4)


def tcpdump(path: Path, *options: str) -> str:
    """What tcpdump prints, two lines for each frame."""
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump is missing: apt-get install tcpdump")
    command = ["tcpdump", "-n", *options, "-r", "-"]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_every_pair_has_its_capture_and_its_story() -> None:
    """A file that was lost would be a test that was lost; they are small, because they are kept for ever."""
    files = sorted(CAPTURES.iterdir())
    assert [path.stem for path in files] == sorted(NAMES) == sorted(STORIES)
    assert max(path.stat().st_size for path in files) <= BYTES_MAX


@pytest.mark.parametrize("name", NAMES)
def test_each_frame_gets_the_verdict_that_its_sender_deserves(name: str) -> None:
    """ucarp's are believed (not with another secret), our own are our echo, and a VRRP router's are VRRP."""
    pair = BY_NAME[name]
    frames = load(pair)
    ours = our_node(pair, frames)
    for frame in frames:
        found, elsewhere = verdict(ours, frame), verdict(another_node(pair), frame)
        if frame.source == pair.our_address:
            assert found is Reject.ECHO and isinstance(elsewhere, Advertisement)
        elif frame.source == pair.their_address and name != "wrong_secret":
            assert isinstance(found, Advertisement) and found == elsewhere
            assert found.is_bow_out or (found.advbase, found.advskew, found.demotion) == (1, pair.theirs, 0)
        elif frame.source == pair.their_address:
            assert found is elsewhere is Reject.BAD_SECRET
        else:
            assert frame.source == str(STRANGER.ipv4.ip)
            assert found is elsewhere is Reject.VRRP


@pytest.mark.parametrize("name", NAMES)
def test_another_group_believes_none_of_it(name: str) -> None:
    """With another id, another address or another secret each frame of both senders is refused under its name."""
    pair = BY_NAME[name]
    right = key_from_pass_phrase(SECRET.encode())
    other = {
        Reject.OTHER_VHID: Authenticator([right], 255, [pair.virtual_ip], 0),
        Reject.BAD_SECRET: Authenticator([right], pair.vhid, [pair.virtual_ip + 1], 0),
    }
    frames = [frame for frame in load(pair) if frame.source in (pair.our_address, pair.their_address)]
    for reject, node in other.items():
        assert {verdict(node, frame) for frame in frames} == {reject}
    wrong = Authenticator([key_from_pass_phrase(b"neither of them")], pair.vhid, [pair.virtual_ip], 0)
    assert {verdict(wrong, frame) for frame in frames} == {Reject.BAD_SECRET}


@pytest.mark.parametrize("name", NAMES)
def test_who_spoke_and_in_which_order(name: str) -> None:
    """The scenario can be read from the wire alone."""
    pair = BY_NAME[name]
    frames = load(pair)
    assert [frame.at_s for frame in frames] == sorted(frame.at_s for frame in frames)
    letters = {pair.our_address: "o", pair.their_address: "u", str(STRANGER.ipv4.ip): "v"}
    story = ""
    for frame in frames:
        said = Carp(frame.payload)
        left = letters[frame.source] == "o" and (said.advbase, said.advskew) == (255, 255)
        story += "b" if left else letters[frame.source]
    assert re.fullmatch(STORIES[name], story), story


def test_ucarp_counted_on_from_our_counter() -> None:
    """The first that it sends after having heard us has our counter and one: no other number would show the trap."""
    pair = BY_NAME["counter_adopted"]
    frames = load(pair)
    ours = {Carp(frame.payload).counter for frame in frames if frame.source == pair.our_address}
    theirs = [Carp(frame.payload).counter for frame in frames if frame.source == pair.their_address]
    assert {(theirs[0] - 1) % 2**64} == ours and len(theirs) > 3


@pytest.mark.parametrize("name", NAMES)
def test_tcpdump_reads_every_frame_as_carp_and_complains_about_none(name: str) -> None:
    """``-T carp -vv`` verifies the checksums of both headers; VRRP's five addresses look to it as authlen 5."""
    pair = BY_NAME[name]
    frames = load(pair)
    text = tcpdump(CAPTURES / f"{name}.pcap", "-T", "carp", "-vv")
    assert "bad" not in text and "invalid" not in text
    expected: Counter[tuple[str, ...]] = Counter()
    for frame in frames:
        said = Carp(frame.payload)
        values = (said.vhid, said.advbase, said.advskew, said.authlen, said.counter)
        expected[frame.source, *map(str, values)] += 1
    line = r" ([\d.]+) > 224\.0\.0\.18: CARPv2-advertise 36: "
    line += r"vhid=(\d+) advbase=(\d+) advskew=(\d+) authlen=(\d+) counter=(\d+)\n"
    assert Counter(re.findall(line, text)) == expected


def test_tcpdump_would_complain_about_a_damaged_one(tmp_path: Path) -> None:
    """The words that the test before does not find are the ones that it says."""
    (frame, *_) = load(BY_NAME["we_are_master"])
    write_pcap(tmp_path / "damaged.pcap", [Frame(0.0, "", frame.data[:-1] + bytes([frame.data[-1] ^ 1]))])
    assert re.search(r"\(bad carp cksum [0-9a-f]+!\)", tcpdump(tmp_path / "damaged.pcap", "-T", "carp", "-vv"))


@pytest.mark.parametrize("name", NAMES)
def test_scapy_reads_the_same_as_we_do(name: str) -> None:
    """Addresses, every field, and the checksum that it would have written itself."""
    pair = BY_NAME[name]
    for frame in load(pair):
        read = read_advertisement(frame.data)
        assert read is not None
        assert (read[IP].src, read[IP].dst, read[IP].ttl) == (frame.source, "224.0.0.18", 255)
        layer = read[Carp]
        again = layer.copy()
        again.checksum = None
        assert bytes(again) == bytes(layer) == frame.payload
        found = verdict(another_node(pair), frame)
        if isinstance(found, Advertisement):
            values = (layer.vhid, layer.advbase, layer.advskew, layer.demotion, layer.counter, layer.digest)
            assert values == (pair.vhid, found.advbase, found.advskew, found.demotion, found.counter, found.digest)
