"""The envelope of member reports: its bytes, and whom it lets in."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.members import second_cipher
from wsa_proxy.members.cipher import DATAGRAM_BYTES_MAX
from wsa_proxy.members.cipher import OVERHEAD_BYTES
from wsa_proxy.members.cipher import Cipher
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.cipher import fingerprint
from wsa_proxy.members.cipher import group_of
from wsa_proxy.members.cipher import members_key

KEY = bytes.fromhex("7af71d0e5eed02fa3743d8b1887d148991d5de9c2b150a79ca34453aa35fd382")
"""Of "a good phrase", by ``second_cipher.scrypt``, which takes 32 s for it."""
GOLDEN = bytes.fromhex("7773616d012a000102030405060708090a0b53de21f89a02f457ccf9b123232b5a13edca4e0e4387f26c")
"""Group 42 with that key, the nonce 0, 1, ... 11 and the report "a report": by ``second_cipher`` as well."""
NONCE = bytes(range(12))
OTHER_KEY = bytes(range(32))


def cipher(*keys: bytes, vhid: int = 42) -> Cipher:
    return Cipher(vhid, keys or [KEY], lambda count: NONCE[:count])


def test_the_second_implementation_is_that_of_the_rfcs() -> None:
    """RFC 8439, 2.8.2, and the first and the third test vector of RFC 7914, 12; hashlib's scrypt gives the latter too,
    with our n, r and p."""
    key, nonce = bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647")
    text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    text += b"sunscreen would be it."
    sealed = second_cipher.chacha20_poly1305(key, nonce, text, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    assert second_cipher.scrypt(b"", b"", 16, 1, 1, 64).hex().startswith("77d6576238657b203b19ca42c18a0497")
    third = hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChloride", n=2**14, r=8, p=1, dklen=64).hex()
    assert third.startswith("7023bdcb3afd7348461c06cd81fd38eb")


def test_the_bytes_on_the_wire() -> None:
    """Key and datagram are those of another implementation."""
    assert members_key(b"a good phrase") == KEY
    assert cipher().seal(b"a report") == GOLDEN
    assert cipher().open(GOLDEN) == b"a report"
    assert GOLDEN[:6] == b"wsam\x01\x2a" and group_of(GOLDEN) == 42
    assert len(GOLDEN) == OVERHEAD_BYTES + len(b"a report")


def test_a_key_is_for_reports_alone() -> None:
    """Another pass phrase gives another one, and the key of sealed advertisements is none."""
    assert members_key(b"a good phrase!") != KEY
    assert hashlib.scrypt(b"a good phrase", salt=b"wsa-proxy sealed 1", n=2**14, r=8, p=1, dklen=32) != KEY


@pytest.mark.parametrize("place", range(len(GOLDEN)))
def test_a_changed_bit_anywhere_is_found(place: int) -> None:
    """Head, nonce, contents and tag: all of them authenticate."""
    changed = bytearray(GOLDEN)
    changed[place] ^= 0x10
    assert cipher().open(bytes(changed)) is Unread.BAD_SECRET


@pytest.mark.parametrize("length", range(OVERHEAD_BYTES, len(GOLDEN)))
def test_a_part_of_a_datagram_is_none(length: int) -> None:
    """Cut anywhere it does not authenticate; below the envelope it is not even looked at."""
    assert cipher().open(GOLDEN[:length]) is Unread.BAD_SECRET
    assert group_of(GOLDEN[: OVERHEAD_BYTES - 1]) is Unread.MALFORMED


def test_the_first_key_signs_and_all_are_accepted() -> None:
    """So a group moves from one secret to the next."""
    both, old, new = cipher(OTHER_KEY, KEY), cipher(KEY), cipher(OTHER_KEY)
    assert both.open(old.seal(b"said")) == both.open(new.seal(b"said")) == b"said"
    assert new.open(both.seal(b"said")) == b"said"
    assert old.open(both.seal(b"said")) is Unread.BAD_SECRET


def test_the_nonce_is_new_each_time() -> None:
    """One that is used twice gives the key away."""
    ours = Cipher(42, [KEY], os.urandom)
    assert len({ours.seal(b"the same")[6:18] for _ in range(100)}) == 100


def test_other_envelopes() -> None:
    """Each has its counter: no report at all, too long, another version."""
    assert group_of(b"") is group_of(b"wsaM" + GOLDEN[4:]) is Unread.MALFORMED
    assert group_of(GOLDEN[:4] + b"\x02" + GOLDEN[5:]) is Unread.OTHER_VERSION
    longest = GOLDEN + bytes(DATAGRAM_BYTES_MAX - len(GOLDEN))
    assert group_of(longest) == 42 and group_of(longest + b"\0") is Unread.MALFORMED
    empty = cipher().seal(b"")
    assert group_of(empty) == 42 and cipher().open(empty) == b""


@given(st.binary(max_size=DATAGRAM_BYTES_MAX + 10), st.booleans())
def test_any_bytes(data: bytes, with_head: bool) -> None:
    """Nothing raises, and nothing that was not sealed is opened."""
    datagram = GOLDEN[:6] + data if with_head else data
    group = group_of(datagram)
    assert isinstance(group, Unread | int)
    if isinstance(group, int):
        assert cipher().open(datagram) is Unread.BAD_SECRET


def test_fingerprints_tell_nothing() -> None:
    """Twelve hexadecimal digits, of another value for another key or content. By OpenSSL:
    ``printf secret | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001...1f``."""
    assert fingerprint(OTHER_KEY, b"secret") == "723f228d66d0"
    assert fingerprint(OTHER_KEY, b"secret") != fingerprint(KEY, b"secret") != fingerprint(KEY, b"secreu")


def test_each_reason_is_a_counter_of_its_own() -> None:
    """The values become names in the status and in the metrics."""
    assert len({unread.value for unread in Unread}) == len(Unread)
    assert all(unread.value.isidentifier() for unread in Unread)
