"""One peer's error is one peer's, and no way to any of them is not this host's fault."""

from __future__ import annotations

import errno

import pytest

from wsa_proxy.net.failures import failure_of
from wsa_proxy.net.ports import NoWay
from wsa_proxy.net.ports import PartlySent

UNREACHABLE, NO_NETWORK, REFUSED = errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPERM


@pytest.mark.parametrize(
    ("errors", "copies", "kind"),
    [
        ([UNREACHABLE], 2, PartlySent),
        ([REFUSED], 2, PartlySent),
        ([UNREACHABLE, NO_NETWORK], 2, NoWay),
        ([UNREACHABLE], 1, NoWay),
        ([UNREACHABLE, REFUSED], 2, OSError),
        ([REFUSED, UNREACHABLE, UNREACHABLE], 3, PermissionError),
    ],
)
def test_what_several_errors_mean(errors: list[int], copies: int, kind: type[OSError]) -> None:
    error = failure_of(errors, copies, "in words")
    assert type(error) is kind and error.args == (errors[0], "in words")
