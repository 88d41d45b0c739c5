"""What one metric is: its name, what an operator reads about it, and how it is read from the status document."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily
from prometheus_client.core import GaugeMetricFamily

from wsa_proxy.admin.document import Part
from wsa_proxy.admin.document import printable

PREFIX = "wsa_proxy_"
STATES = ("init", "backup", "master")
"""Of a node in a group, as the status document names them."""

type Labels = tuple[str, ...]
type Samples = Iterable[tuple[Labels, float | None]]
"""None: not known, and so not told."""
type Reader = Callable[[Part], Samples]
type Family = GaugeMetricFamily | CounterMetricFamily


@dataclass(frozen=True, slots=True)
class Metric:
    """``help`` names the unit, and what to do about it. A name that ends in ``_total`` is a counter's."""

    name: str
    """Without PREFIX."""
    help: str
    read: Reader
    labels: Labels = ()

    def family(self, samples: dict[Labels, float], more_labels: Labels = ()) -> Family:
        """The lines of these samples; each begins with ``more_labels``."""
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        family = kind(PREFIX + self.name, self.help, labels=(*more_labels, *self.labels))
        for labels, value in samples.items():
            family.add_metric(labels, value)
        return family


def number(*names: str) -> Reader:
    """The number under these names, one inside the other."""
    return lambda part: [((), part.part(*names[:-1]).number(names[-1]))]


def stands(*names: str) -> Reader:
    """1 if something stands under these names, 0 if it is told that nothing does."""
    *outer, last = names

    def read(part: Part) -> Samples:
        inner = part.part(*outer)
        return [((), float(bool(inner.data.get(last))))] if inner.knows(last) else []

    return read


def by_name(*names: str) -> Reader:
    """The numbers of the object under these names, with its keys as the label."""
    return lambda part: [((name,), value) for name, value in part.part(*names[:-1]).numbers(names[-1]).items()]


def one_each(name: str) -> Reader:
    """1 for each key of the object of this name, with the key as the label."""
    return lambda part: [((printable(each),), 1.0) for each in part.part(name).data]
