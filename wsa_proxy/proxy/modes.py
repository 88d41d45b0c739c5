"""Which of mitmproxy's modes are served on the virtual IPs, and what is wrong with those that cannot be."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from mitmproxy import ctx
from mitmproxy.proxy.mode_specs import ProxyMode


class ListenerError(Exception):
    """The proxy cannot listen as asked: what, where, why and what helps, in one text for the operator."""


def is_wildcard(host: str) -> bool:
    """Every address of this host, in any spelling: 0.0.0.0, ::, 0::0, 0, *."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except OSError:
        return host == "*"
    return any(ip_address(str(name[0]).partition("%")[0]).is_unspecified for _, _, _, _, name in found)


def is_ours(mode: ProxyMode) -> bool:
    """Whether the virtual IPs are this mode's place: it names no host, and with a listen_host it could do without."""
    return not mode.custom_listen_host and (can_be_served(mode) or not ctx.options.listen_host)


def can_be_served(mode: ProxyMode) -> bool:
    """UDP is bound in Rust, where IP_FREEBIND cannot be set; transparent mode needs the packets' own destination."""
    return mode.type_name in ("regular", "upstream", "socks5", "reverse") and mode.transport_protocol != "udp"


def speaks_http(mode: ProxyMode) -> bool:
    """Whether its clients begin with an HTTP request. Of such a one mitmproxy, too, takes a FIN for the end
    (proxy/layers/http/_http1.py)."""
    return mode.type_name in ("regular", "upstream")


def check_mode(mode: ProxyMode) -> None:
    """Raises ListenerError for a mode without a host that cannot be served on a virtual IP."""
    name = mode.full_spec.rpartition("@")[0] or mode.full_spec
    if not can_be_served(mode):
        port = mode.listen_port(ctx.options.listen_port)
        raise ListenerError(
            f"mode {mode.full_spec} cannot be served on a virtual IP. "
            f"Give it a host of its own, for example `--mode {name}@127.0.0.1:{port}`."
        )
    if mode.custom_listen_port == 0:
        raise ListenerError(
            f"mode {mode.full_spec} needs one port that is the same on every virtual IP, "
            f"for example `--mode {name}@8080`."
        )
