"""Which of our metrics a PromQL expression asks for, and with which labels."""

from __future__ import annotations

import re

from wsa_proxy.admin.group_metrics import GROUP_LABELS
from wsa_proxy.admin.group_metrics import GROUP_METRICS
from wsa_proxy.admin.metric import PREFIX
from wsa_proxy.admin.node_metrics import NODE_METRICS

OF_PROMETHEUS = {"job", "instance"}
LABELS: dict[str, set[str]] = {PREFIX + metric.name: set(metric.labels) for metric in NODE_METRICS} | {
    PREFIX + metric.name: {*GROUP_LABELS, *metric.labels} for metric in GROUP_METRICS
}
"""Of each metric, beside those of Prometheus."""


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Each metric of ours, with the labels that it is selected by."""
    found = re.findall(rf"\b({PREFIX}\w+)(?:\{{([^}}]*)\}})?", expression)
    return [(name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))) for name, matchers in found]


def complaints(expression: str) -> list[str]:
    """What it asks for and is not there."""
    unknown = [f"{name} is no metric" for name, _ in selectors(expression) if name not in LABELS]
    wrong = [
        f"{name} has no label {label}"
        for name, labels in selectors(expression)
        for label in sorted(labels - LABELS.get(name, labels) - OF_PROMETHEUS)
    ]
    known = set().union(OF_PROMETHEUS, *(LABELS.get(name, set()) for name, _ in selectors(expression)))
    grouped = re.findall(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)", expression)
    named = {label.strip() for each in grouped for label in each.split(",")}
    return [*unknown, *wrong, *(f"no metric of it has the label {label}" for label in sorted(named - known))]
