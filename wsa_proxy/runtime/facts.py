"""What the proxy side tells of itself: what must be equal on all nodes of a group, and its versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field


@dataclass(frozen=True, slots=True)
class ProxyFacts:
    """Of one mitmproxy."""

    versions: Mapping[str, str] = field(default_factory=dict)
    """By program."""
    ca: str = ""
    """A fingerprint of its certificate authority; empty while it has none."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Those that make two nodes behave differently, where they are not as usual. None of them shows a secret."""
    secret_options: Mapping[str, str] = field(default_factory=dict)
    """Likewise, with a secret in the value: it is told as a keyed fingerprint."""
    probes_from: int = 0
    """The port from which it asks whether a virtual IP of another node answers; 0: it asks none."""
