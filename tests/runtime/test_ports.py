"""All ports of a virtual host are closed together."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from wsa_proxy.runtime.ports import Ports


def test_close_closes_all_three() -> None:
    """None stays open, whatever the number of groups."""
    advertisements, addresses, neighbours = Mock(), Mock(), Mock()
    ports: Any = Ports(2, 2, "", advertisements, addresses, neighbours)
    ports.close()
    for each in (advertisements, addresses, neighbours):
        each.close.assert_called_once_with()
