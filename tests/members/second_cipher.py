"""Another implementation of what ``members/cipher.py`` takes from libraries, written from the RFCs: slow, and only for
the bytes that the tests expect. ``test_cipher.py`` holds it against the RFCs' own test vectors."""

from __future__ import annotations

import hashlib
import struct

Words = list[int]

_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))


def chacha20_poly1305(key: bytes, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
    """RFC 8439, 2.8: the encrypted text and its tag."""
    blocks = range(1, 1 + (len(plain) + 63) // 64)
    stream = b"".join(_chacha_block(key, number, nonce) for number in blocks)
    sealed = bytes(one ^ other for one, other in zip(plain, stream, strict=False))
    lengths = struct.pack("<QQ", len(associated), len(sealed))
    return sealed + _poly1305(_chacha_block(key, 0, nonce)[:32], _padded(associated) + _padded(sealed) + lengths)


def scrypt(pass_phrase: bytes, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    """RFC 7914, 6."""
    blocks = hashlib.pbkdf2_hmac("sha256", pass_phrase, salt, 1, p * 128 * r)
    mixed = b"".join(_ro_mix(blocks[at : at + 128 * r], n, r) for at in range(0, len(blocks), 128 * r))
    return hashlib.pbkdf2_hmac("sha256", pass_phrase, mixed, 1, length)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def _poly1305(key: bytes, message: bytes) -> bytes:
    prime = (1 << 130) - 5
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at : at + 16] + b"\x01", "little")) * r % prime
    return ((total + int.from_bytes(key[16:], "little")) % (1 << 128)).to_bytes(16, "little")


def _chacha_block(key: bytes, counter: int, nonce: bytes) -> bytes:
    before = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    words = list(before)
    for _ in range(10):
        for at in range(4):
            _quarter(words, at, at + 4, at + 8, at + 12)
        for at in range(4):
            _quarter(words, at, 4 + (at + 1) % 4, 8 + (at + 2) % 4, 12 + (at + 3) % 4)
    return _sum(words, before)


def _quarter(words: Words, a: int, b: int, c: int, d: int) -> None:
    for one, other, target, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        words[one] = words[one] + words[other] & 0xFFFFFFFF
        words[target] = _left(words[target] ^ words[one], by)


def _left(word: int, by: int) -> int:
    return (word << by | word >> 32 - by) & 0xFFFFFFFF


def _sum(words: Words, before: Words) -> bytes:
    return struct.pack("<16I", *(one + other & 0xFFFFFFFF for one, other in zip(words, before, strict=True)))


def _salsa8(block: bytes) -> bytes:
    before = list(struct.unpack("<16I", block))
    words = list(before)
    for _ in range(4):
        for a, b, c, d in (*_COLUMNS, *_ROWS):
            for target, one, other, by in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
                words[target] ^= _left(words[one] + words[other] & 0xFFFFFFFF, by)
    return _sum(words, before)


def _block_mix(blocks: bytes) -> bytes:
    last, mixed = blocks[-64:], []
    for at in range(0, len(blocks), 64):
        last = _salsa8(_xor(last, blocks[at : at + 64]))
        mixed.append(last)
    return b"".join(mixed[::2] + mixed[1::2])


def _ro_mix(block: bytes, n: int, r: int) -> bytes:
    table = []
    for _ in range(n):
        table.append(block)
        block = _block_mix(block)
    for _ in range(n):
        chosen = int.from_bytes(block[(2 * r - 1) * 64 :][:8], "little") % n
        block = _block_mix(_xor(block, table[chosen]))
    return block


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))
