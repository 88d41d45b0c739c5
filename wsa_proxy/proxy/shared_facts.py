"""What must be equal on all nodes of a group, as far as mitmproxy has it: its certificate authority and its options.

Only options that change what a client gets are told, and only where they are not as usual: two nodes that differ in
them behave differently after a takeover. ``mode`` is told without hosts, which are each node's own.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable
from typing import Any

from mitmproxy import ctx
from mitmproxy import version

from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.reload import pac_text
from wsa_proxy.settings import Settings

FINGERPRINT_CHARACTERS = 16
LOOK_EVERY_S = 1.0

OPTIONS = (
    "mode", "scripts", "stream_large_bodies", "body_size_limit", "connection_strategy", "anticache", "anticomp",
    "ignore_hosts", "allow_hosts", "tcp_hosts", "udp_hosts", "http2", "http3", "websocket", "rawtcp",
    "keep_host_header", "ssl_insecure", "ssl_verify_upstream_trusted_ca", "ssl_verify_upstream_trusted_confdir",
    "certs", "client_certs", "add_upstream_certs_to_client_chain", "ciphers_client", "ciphers_server",
    "tls_version_client_min", "tls_version_client_max", "tls_version_server_min", "tls_version_server_max",
    "request_client_cert", "block_global", "block_private", "block_list", "map_local", "map_remote", "modify_body",
    "normalize_outbound_headers", "validate_inbound_headers", "upstream_cert",
)  # fmt: skip
SECRET_OPTIONS = ("proxyauth", "upstream_auth", "stickyauth", "stickycookie", "modify_headers")
"""Of these the others, the status and the log learn only that they differ: a header that is set may be a token."""


class SharedFacts:
    """Answers the same object as long as nothing has changed."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        settings: Callable[[], Settings | None] = lambda: None,
        probes_from: int = 0,
    ) -> None:
        """``settings``: those in force."""
        self._clock, self._settings, self._probes_from = clock, settings, probes_from
        self._facts = ProxyFacts()
        self._look_after_s = -math.inf
        self._unusual: dict[str, str] | None = None
        self._secret: dict[str, str] = {}
        ctx.options.changed.connect(self._options_changed)

    def _options_changed(self, updated: set[str]) -> None:
        """They are read again with the next look: to read them all takes 0.3 ms."""
        self._unusual = None

    def __call__(self) -> ProxyFacts:
        """As things were within the last LOOK_EVERY_S: each report of each group asks."""
        if self._clock() < self._look_after_s:
            return self._facts
        self._look_after_s = self._clock() + LOOK_EVERY_S
        if self._unusual is None:
            self._unusual, self._secret = _unusual(OPTIONS), _unusual(SECRET_OPTIONS)
        facts = ProxyFacts(
            versions={"mitmproxy": version.VERSION, "python": platform.python_version()},
            ca=ca_fingerprint(),
            options=self._unusual | self._own(),
            secret_options=self._secret,
            probes_from=self._probes_from,
        )
        if facts != self._facts:
            self._facts = facts
        return self._facts

    def _own(self) -> dict[str, str]:
        """Of our own file, what mitmproxy's side does with it, where it is not as usual."""
        settings = self._settings()
        text = pac_text(settings.pac) if settings is not None else ""
        return {"pac": text} if text else {}


def ca_fingerprint() -> str:
    """The beginning of the SHA-256 of mitmproxy's own certificate; empty before it has one."""
    certificate = mitmproxy_internals.own_ca()
    return "" if certificate is None else certificate.fingerprint().hex()[:FINGERPRINT_CHARACTERS]


def _unusual(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in names:
        if name in ctx.options and (value := getattr(ctx.options, name)) != ctx.options.default(name):
            found[name] = _text(name, value)
    return found


def _text(name: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_text(name, each) for each in value)
    text = str(value)
    if name == "mode":
        return text.rpartition("@")[0] or text
    # Where a script or a certificate lies is each host's own.
    return text.rpartition("/")[2] if name in ("scripts", "certs", "client_certs") else text
