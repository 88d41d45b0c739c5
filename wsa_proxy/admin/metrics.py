"""The status document for Prometheus: ``GET /metrics``.

Everything comes from the document, at the time of the scrape, so nothing is kept here: a group that ends is not told
any more, and one that starts anew begins with its counters at 0, as Prometheus expects of a restart. What the metrics
are is in ``node_metrics.py``, ``group_metrics.py``, ``carry_metrics.py`` and ``member_metrics.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from wsa_proxy.admin.document import Part
from wsa_proxy.admin.group_metrics import GROUP_LABELS
from wsa_proxy.admin.group_metrics import GROUP_METRICS
from wsa_proxy.admin.group_metrics import group_labels
from wsa_proxy.admin.metric import Labels
from wsa_proxy.admin.metric import Samples
from wsa_proxy.admin.node_metrics import NODE_METRICS

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of what ``exposition`` answers."""


def exposition(status: dict[str, Any]) -> bytes:
    """The text of all metrics. Never raises, whatever the document lacks; what is not known has no line.

    It takes a millisecond with one group and a tenth of a second with 255 (docs/cost.md), and looks at nothing but its
    argument: so the proxy's loop leaves it to a thread.
    """
    registry = CollectorRegistry()
    registry.register(_Document(Part(status)))
    return generate_latest(registry)


class _Document(Collector):
    def __init__(self, document: Part) -> None:
        self._document = document

    def collect(self) -> Iterator[Family]:
        for metric in NODE_METRICS:
            yield metric.family(_first(metric.read(self._document)))
        groups = [(group_labels(group), group) for group in self._document.parts("groups")]
        for metric in GROUP_METRICS:
            samples = [((*of, *labels), value) for of, group in groups for labels, value in metric.read(group)]
            yield metric.family(_first(samples), GROUP_LABELS)


def _first(samples: Samples) -> dict[Labels, float]:
    """Of each label set the first value that is known: a second line of it would spoil the whole scrape."""
    known: dict[Labels, float] = {}
    for labels, value in samples:
        if value is not None:
            known.setdefault(labels, value)
    return known
