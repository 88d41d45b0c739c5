"""What is done to several groups, one after the other."""

from __future__ import annotations

import pytest

from wsa_proxy.runtime.apart import apart


def test_a_failure_ends_its_own_block_only_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The next group has its turn; an interrupt is nobody's failure."""
    done = []
    for vhid in (1, 2):
        with apart(vhid, "leave"):
            done.append(1 // (vhid - 1))
    assert done == [1] and "carp vhid=1 failed to leave" in caplog.text and "ZeroDivisionError" in caplog.text
    with pytest.raises(KeyboardInterrupt), apart(3, "leave"):
        raise KeyboardInterrupt
