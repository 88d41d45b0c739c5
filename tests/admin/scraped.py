"""What Prometheus reads of a document, by the parser of prometheus-client."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from wsa_proxy.admin.metrics import exposition

type Series = dict[tuple[str, ...], float]
"""By the name (without the prefix), then the labels as ``name=value``, in alphabetical order."""


def scraped(document: dict[str, Any]) -> Series:
    """All lines; two of them with the same name and labels are an error."""
    found: Series = {}
    for family in text_string_to_metric_families(exposition(document).decode()):
        for sample in family.samples:
            labels = sorted(f"{name}={value}" for name, value in sample.labels.items())
            key = (sample.name.removeprefix("wsa_proxy_"), *labels)
            assert key not in found, f"{key} twice"
            found[key] = sample.value
    return found


def of_group(document: dict[str, Any], group: int = 1) -> Series:
    """The lines of one group, without its own two labels."""
    own = {f"group={group}", "hostname=proxy.example.com"}
    lines = {key: value for key, value in scraped(document).items() if own <= set(key)}
    return {tuple(each for each in key if each not in own): value for key, value in lines.items()}
