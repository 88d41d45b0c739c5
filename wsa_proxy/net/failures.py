"""What it means that copies of one advertisement, each for a unicast peer, could not be sent."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from wsa_proxy.net.ports import NoWay
from wsa_proxy.net.ports import PartlySent

_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})


def failure_of(errors: Sequence[int], copies: int, text: str) -> OSError:
    """To be raised: these errors, one at least, came of that many copies."""
    if len(errors) < copies:
        return PartlySent(errors[0], text)
    return (NoWay if _NO_WAY.issuperset(errors) else OSError)(errors[0], text)
