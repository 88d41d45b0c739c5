"""What is compared, and what it takes of the machine."""

from __future__ import annotations

import os

import pytest

from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.products import Kind
from wsa_proxy.lab.configuration import derive


def test_the_whole_table_has_three_products() -> None:
    """The set-ups of which every fault is measured; the picture has room for them."""
    assert [name for name, product in PRODUCTS.items() if not product.is_variant] == [
        "wsa-proxy",
        "keepalived",
        "ucarp",
    ]
    assert [product.kind for product in PRODUCTS.values() if not product.is_variant] == list(Kind)


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("wsa-proxy", 0),
        ("ucarp", 0),
        ("keepalived", os.CLONE_NEWUSER),
        ("keepalived, process tracking", os.CLONE_NEWUSER | os.CLONE_NEWPID),
    ],
)
def test_only_keepalived_needs_namespaces_of_the_machine(name: str, shared: int) -> None:
    """Its user namespace for the check script; its PID namespace for process tracking."""
    assert PRODUCTS[name].shared == shared


def test_what_differs_in_ours_are_keys_of_the_lab(tmp_path: object) -> None:
    """A wrong key would be found only after minutes of measuring."""
    overrides = PRODUCTS["wsa-proxy, 50 ms"].overrides
    files = derive("ab", {"a": "/state", "b": "/state"}, overrides)  # type: ignore[dict-item]
    assert "advertisement_interval: 0.05" in files["a"].text and "priority: 254" in files["b"].text
