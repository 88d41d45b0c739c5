"""The bytes of a paced download: each eight of them tell their place, so that a lost, repeated or swapped one is seen.

Pure. The origin makes them, the client compares.
"""

from __future__ import annotations

import struct

WORD_BYTES = 8
SPREAD = 0x9E3779B97F4A7C15
"""Odd, so the product modulo 2^64 is another one for each place, and its upper bytes differ as well (Fibonacci hashing,
Knuth 6.4)."""
WORD_MASK = (1 << 64) - 1


def known_bytes(begin: int, count: int) -> bytes:
    """The ``count`` bytes from the place ``begin`` on."""
    first, end = begin // WORD_BYTES, -(-(begin + count) // WORD_BYTES)
    words = struct.pack(f">{end - first}Q", *(place * SPREAD & WORD_MASK for place in range(first, end)))
    skipped = begin - first * WORD_BYTES
    return words[skipped : skipped + count]
