from __future__ import annotations

import pytest

from wsa_proxy.lab.known_bytes import known_bytes

WHOLE = known_bytes(0, 1 << 16)


@pytest.mark.parametrize("begin", [0, 1, 7, 8, 9, 4095])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000])
def test_a_piece_is_what_stands_there_in_the_whole(begin: int, count: int) -> None:
    """Wherever a read begins and ends, within a word as well."""
    assert known_bytes(begin, count) == WHOLE[begin : begin + count]


def test_no_place_looks_like_another() -> None:
    """So nothing can be lost, repeated or swapped unseen."""
    words = {WHOLE[place : place + 8] for place in range(0, len(WHOLE), 8)}
    assert len(words) == len(WHOLE) // 8
