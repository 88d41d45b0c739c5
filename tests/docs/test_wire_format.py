"""docs/wire-format.md, recomputed: by its own recipe, by the product's code, and the recipe by ucarp's packets."""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from ipaddress import ip_address

import pytest

from tests.carp.vectors import DOCUMENT
from tests.docs.blocks import ROOT
from wsa_proxy.carp import seal
from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Signature
from wsa_proxy.carp.wire import Advertisement

PAGE = (ROOT / "docs/wire-format.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| (\d+) \| `([0-9a-f]+)` \|", PAGE, re.MULTILINE)
SEAL = {
    name: (int(high), int(low or high), int(value))
    for high, low, name, value in re.findall(r"^\| (\d+)(?:\.\.(\d+))? \| ([a-z]+) \| (\d+) \|", PAGE, re.MULTILINE)
}
PACKET = bytes.fromhex("".join(example for _, _, example in ROWS))
KEY, MESSAGE, DIGEST = (bytes.fromhex(text) for text in re.findall(r"\| `([0-9a-f]{30,})` \|$", PAGE, re.MULTILINE))
SECRET, VIRTUAL_IP = b"a-secret-of-mine", ip_address("10.0.0.3")
SAID_AT = datetime(2026, 11, 29, 3, 48, 30, 123_000, tzinfo=UTC)


def by_recipe(key: bytes, header: Sequence[int], addresses: Sequence[str], counter: bytes) -> bytes:
    """What the page says, written down once more; ``header`` is id, advskew, demotion, advbase."""
    vhid, advskew, demotion, advbase = header
    ordered = sorted((ip_address(each) for each in addresses), key=lambda each: (each.version, each.packed))
    message = bytes([2, 1, vhid]) + b"".join(each.packed for each in ordered) + counter
    digest = hmac.new(key, message, hashlib.sha1).digest()
    head = bytes([0x21, vhid, advskew, 7, demotion, advbase])
    total: int = sum(struct.unpack("!18H", head + bytes(2) + counter + digest))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    checksum = (total ^ 0xFFFF).to_bytes(2)
    return head + checksum + counter + digest


def test_the_rows_are_the_whole_packet() -> None:
    """Offsets follow each other, each example has the bytes of its row, and the sum is 36."""
    at = 0
    for offset, count, example in ROWS:
        assert int(offset) == at
        assert len(example) == 2 * int(count)
        at += int(count)
    assert at == wire.HEADER_BYTES == len(PACKET)


def test_the_example_is_what_the_product_sends() -> None:
    """With the key, the time and the values that the page names."""
    ms = round((SAID_AT - datetime(2020, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    counter = seal.pack(ms, 1, 55, False, False, 9)
    digest = Signature(seal.sealed_key(SECRET), 1, [VIRTUAL_IP]).digest(counter)
    assert wire.encode(Advertisement(1, 1, 55, 0, counter, digest)) == PACKET


def test_the_example_is_read_by_the_product() -> None:
    """As node b's, whose header its counter repeats."""
    heard = wire.decode(PACKET, wire.TTL)
    assert isinstance(heard, Advertisement)
    assert (heard.vhid, heard.advbase, heard.advskew, heard.demotion) == (1, 1, 255 - 200, 0)
    assert seal.says(heard.counter, heard.advbase, heard.advskew, heard.demotion)


@pytest.mark.parametrize("name", ["time", "advbase", "advskew", "farewell", "demoted", "chance"])
def test_bits_of_the_seal(name: str) -> None:
    """Where the page says, with the value that it says, and without a gap."""
    high, low, value = SEAL[name]
    counter = int.from_bytes(PACKET[8:16])
    assert counter >> low & (1 << high - low + 1) - 1 == value
    assert high == 63 or high + 1 in {lowest for _, lowest, _ in SEAL.values()}


def test_key_message_and_digest_of_the_example() -> None:
    """By the standard library alone."""
    assert hashlib.scrypt(SECRET, salt=b"wsa-proxy sealed 1", n=16384, r=8, p=1, dklen=20) == KEY
    assert bytes([2, 1, 1]) + VIRTUAL_IP.packed + PACKET[8:16] == MESSAGE
    assert hmac.new(KEY, MESSAGE, hashlib.sha1).digest() == DIGEST == PACKET[16:]
    assert by_recipe(KEY, (1, 55, 0, 1), [str(VIRTUAL_IP)], PACKET[8:16]) == PACKET


@pytest.mark.parametrize(
    "entry",
    [each for each in DOCUMENT["vectors"] if each["hmac_variant"] == "plain" and each["lladdr_hashed"] is None],
    ids=lambda entry: str(entry["id"]),
)
def test_the_recipe_is_carps(entry: dict[str, str | int]) -> None:
    """With CARP's key the same recipe gives the packets of other implementations."""
    header = (entry["vhid"], entry["advskew"], entry["demote"], entry["advbase"])
    key, counter = bytes.fromhex(str(entry["key20_hex"])), bytes.fromhex(str(entry["counter"]))
    addresses = [str(each) for each in entry["addresses"]]  # type: ignore[union-attr]
    assert by_recipe(key, [int(each) for each in header], addresses, counter).hex() == entry["packet_hex"]
