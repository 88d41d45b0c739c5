"""One metric: its kind by its name, and the ways to read it."""

from __future__ import annotations

import pytest

from wsa_proxy.admin.document import Part
from wsa_proxy.admin.metric import Labels
from wsa_proxy.admin.metric import Metric
from wsa_proxy.admin.metric import Reader
from wsa_proxy.admin.metric import by_name
from wsa_proxy.admin.metric import number
from wsa_proxy.admin.metric import one_each
from wsa_proxy.admin.metric import stands

PART = Part(
    {"health": {"hard": None, "soft": "slow"}, "rejected": {"vrrp": 2, "echo": 0}, "obstacles": {"link\ud800": "down"}}
)


@pytest.mark.parametrize(
    ("read", "samples"),
    [
        (number("rejected", "vrrp"), [((), 2.0)]),
        (number("rejected", "absent"), [((), None)]),
        (stands("health", "hard"), [((), 0.0)]),
        (stands("health", "soft"), [((), 1.0)]),
        (stands("health", "absent"), []),
        (stands("absent"), []),
        (by_name("rejected"), [(("vrrp",), 2.0), (("echo",), 0.0)]),
        (one_each("obstacles"), [(("link?",), 1.0)]),
        (one_each("absent"), []),
    ],
)
def test_ways_to_read(read: Reader, samples: list[tuple[Labels, float | None]]) -> None:
    """What is known to be nothing is 0; what is not known is not told."""
    assert list(read(PART)) == samples


@pytest.mark.parametrize(("name", "kind"), [("group_priority", "gauge"), ("role_changes_total", "counter")])
def test_the_name_says_the_kind(name: str, kind: str) -> None:
    """As Prometheus has it: what only grows ends in _total."""
    metric = Metric(name, "What it is.", number("x"), ("member",))
    family = metric.family({("1", "b"): 3.0}, ("group",))
    assert family.type == kind
    (sample,) = family.samples
    assert (sample.name, sample.labels, sample.value) == (f"wsa_proxy_{name}", {"group": "1", "member": "b"}, 3.0)
