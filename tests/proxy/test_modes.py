"""Which modes the virtual IPs are for; the end-to-end cases are in test_listener.py."""

from __future__ import annotations

import pytest
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons

from wsa_proxy.proxy.modes import ListenerError
from wsa_proxy.proxy.modes import can_be_served
from wsa_proxy.proxy.modes import check_mode
from wsa_proxy.proxy.modes import is_ours
from wsa_proxy.proxy.modes import is_wildcard
from wsa_proxy.proxy.modes import speaks_http


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0::0", "0", "*"])
def test_every_spelling_of_the_wildcard(host: str) -> None:
    """Each would listen on all addresses of the host."""
    assert is_wildcard(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.0.0.3", "proxy.example.com"])
def test_no_wildcard(host: str) -> None:
    """A name is not resolved."""
    assert not is_wildcard(host)


@pytest.mark.parametrize(
    ("spec", "served"),
    [("regular", True), ("upstream:http://a:80", True), ("socks5", True), ("reverse:udp://a:53", False)],
)
def test_what_can_be_served(spec: str, served: bool) -> None:
    """TCP modes whose clients name the destination, or that know it."""
    assert can_be_served(ProxyMode.parse(spec)) is served


@pytest.mark.parametrize(
    ("spec", "http"),
    [("regular@3128", True), ("upstream:http://a:80", True), ("socks5", False), ("reverse:tcp://a:1", False)],
)
def test_whose_clients_begin_with_http(spec: str, http: bool) -> None:
    """What a SOCKS client's connection carries only its request tells."""
    assert speaks_http(ProxyMode.parse(spec)) is http


def test_whose_place_the_virtual_ips_are() -> None:
    """Of a mode without a host; a wrong one is told what to write."""
    with taddons.context():
        assert is_ours(ProxyMode.parse("regular")) and not is_ours(ProxyMode.parse("regular@127.0.0.1:0"))
        check_mode(ProxyMode.parse("regular@3128"))
        with pytest.raises(ListenerError, match="the same on every virtual IP"):
            check_mode(ProxyMode.parse("regular@0"))
        with pytest.raises(ListenerError, match=r"mode dns cannot be served .* `--mode dns@127.0.0.1:53`"):
            check_mode(ProxyMode.parse("dns"))
