"""Which requests are answered with the PAC file: told from mitmproxy's hooks."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface
from pathlib import Path
from typing import Any
from typing import TypedDict

import pytest
from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layer import NextLayerHook
from mitmproxy.proxy.layers import HttpLayer
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.http._hooks import HttpRequestHeadersHook
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.layers.http._hooks import HttpResponseHook
from mitmproxy.proxy.layers.modes import HttpProxy
from mitmproxy.proxy.layers.tcp import TcpStartHook
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import tflow
from mitmproxy.test import tutils

from wsa_proxy.proxy.pac_requests import PacRequests
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import PacSettings
from wsa_proxy.settings import Settings

VIPS = (ip_interface("10.0.0.3/24"), ip_interface("fd00::3/64"))
FIRST = GroupSettings(1, "", "proxy.example.com", VIPS, "eth0", 255, 1, 0, (b"old",), ("sealed",), True, 8080)
SECOND = replace(FIRST, vhid=2, virtual_ips=(ip_interface("10.0.0.4/24"), ip_interface("fe80::4/64")))
SETTINGS = Settings(Path("f"), "a", True, Path("s"), (FIRST, SECOND), pac=PacSettings())
DIRECT = b"GET /proxy.pac HTTP/1.1\r\n"


class Named(TypedDict):
    """What a URL names."""

    host: str
    port: int


class Asking:
    """One connection, and what it asks."""

    def __init__(self, settings: Settings | None = SETTINGS, mode: str = "regular", sockname: str = "10.0.0.3") -> None:
        self.settings = settings
        self.pac = PacRequests(lambda: self.settings)
        self.client = tflow.tclient_conn()
        self.client.proxy_mode = ProxyMode.parse(mode)
        self.client.sockname, self.client.peername = (sockname, 8080), ("10.0.0.20", 40000)

    def first_bytes(self, data: bytes, *, tunnelled: bool = False) -> None:
        context = Context(self.client, Options())
        HttpProxy(context)
        if tunnelled:
            HttpLayer(context, HTTPMode.regular)
        asked = NextLayer(context)
        asked.events.append(DataReceived(self.client, data))
        assert not self.pac.answers(NextLayerHook(asked)), "the layers are chosen by mitmproxy"

    def request(self, host: str = "x.example", port: int = 80, path: str = "/proxy.pac", **more: Any) -> http.HTTPFlow:
        """As mitmproxy has it when the head was read; ``response`` is set when it is answered here."""
        flow = tflow.tflow(client_conn=self.client)
        flow.request = tutils.treq(host=host, port=port, path=path.encode(), authority=b"", **more)
        assert self.pac.answers(HttpRequestHeadersHook(flow)) is (flow.response is not None)
        return flow

    def first_proxy(self, **request: Any) -> str | None:
        """Which is named first in the file that this request gets; None: it gets none."""
        response = self.request(**request).response
        return (
            response.text.partition("PROXY ")[2].partition('"')[0] if response is not None and response.text else None
        )


@pytest.mark.parametrize(
    ("data", "is_direct"),
    [
        (DIRECT, True),
        (b"HEAD /proxy.pac HTTP/1.0\r\n", True),
        (b"GET /wpad.dat?v=1 HTTP/1.1\r\n", True),
        (b"GET http://x.example/proxy.pac HTTP/1.1\r\n", False),
        (b"POST /proxy.pac HTTP/1.1\r\n", False),
        (b"GET /proxy.pack HTTP/1.1\r\n", False),
        (b"GET /proxyxpac HTTP/1.1\r\n", False),
        (b"get /proxy.pac HTTP/1.1\r\n", False),
        (b"\r\nGET /proxy.pac HTTP/1.1\r\n", False),
    ],
)
def test_the_first_line_tells_who_asks_directly(data: bytes, is_direct: bool) -> None:
    """Under a name that nobody here knows; through the proxy that name would be another server's."""
    asking = Asking()
    asking.first_bytes(data)
    assert (asking.first_proxy() is not None) is is_direct


@pytest.mark.parametrize(
    ("sockname", "first"),
    [
        ("10.0.0.3", "10.0.0.3:8080"),
        ("10.0.0.4", "10.0.0.4:8080"),
        ("fd00::3", "[fd00::3]:8080"),
        ("::ffff:10.0.0.4", "10.0.0.4:8080"),
        ("fe80::4%eth0", "10.0.0.4:8080"),
        ("127.0.0.1", None),
    ],
)
def test_the_address_that_was_reached_tells_the_group(sockname: str, first: str | None) -> None:
    """Only a virtual IP has one, and the Host header does not matter."""
    asking = Asking(sockname=sockname)
    asking.first_bytes(DIRECT)
    assert asking.first_proxy(host="second.example.com", port=8080) == first


def test_only_the_first_request_of_a_connection_is_direct() -> None:
    """Whoever has sent the first bytes may ask for anything afterwards."""
    asking = Asking()
    asking.first_bytes(DIRECT)
    assert asking.first_proxy(path="/other") is None
    assert asking.first_proxy() is None


def test_inside_a_tunnel_a_path_is_the_servers() -> None:
    """And so it is where the mode is no explicit proxy."""
    asking = Asking()
    asking.first_bytes(DIRECT, tunnelled=True)
    assert asking.first_proxy() is None
    for mode in ("reverse:http://x.example", "socks5"):
        asking = Asking(mode=mode)
        asking.first_bytes(DIRECT)
        assert asking.first_proxy() is None
        assert asking.first_proxy(host="10.0.0.3", port=8080) is None, mode


@pytest.mark.parametrize(
    ("request_", "first"),
    [
        ({"host": "10.0.0.4", "port": 8080}, "10.0.0.4:8080"),
        ({"host": "fd00::3", "port": 8080}, "[fd00::3]:8080"),
        ({"host": "[fd00::3]", "port": 8080}, "[fd00::3]:8080"),
        ({"host": "proxy.example.com", "port": 8080}, "10.0.0.3:8080"),
        ({"host": "PROXY.example.com.", "port": 8080}, "10.0.0.3:8080"),
        ({"host": "proxy.example.com", "port": 80}, None),
        ({"host": "10.0.0.5", "port": 8080}, None),
        ({"host": "x.example", "port": 8080}, None),
        ({"host": "10.0.0.4", "port": 8080, "path": "/"}, None),
        ({"host": "10.0.0.4", "port": 8080, "path": "/x/proxy.pac"}, None),
        ({"host": "10.0.0.4", "port": 8080, "path": "/wpad.dat?x"}, "10.0.0.4:8080"),
        ({"host": "10.0.0.4", "port": 8080, "method": b"POST"}, None),
        ({"host": "10.0.0.4", "port": 8080, "method": b"CONNECT"}, None),
    ],
)
def test_through_the_proxy_it_is_asked_by_name(request_: dict[str, Any], first: str | None) -> None:
    """By a group's virtual IP or hostname and its port, through whichever address."""
    assert Asking(sockname="127.0.0.1").first_proxy(**request_) == first


def test_a_hostname_of_several_groups_means_the_one_that_was_reached() -> None:
    """The first of them, if that is none of these; a hostname of its own always means its group."""
    name = {"host": "proxy.example.com", "port": 8080}
    assert Asking(sockname="10.0.0.4").first_proxy(**name) == "10.0.0.4:8080"
    other = replace(SETTINGS, groups=(FIRST, replace(SECOND, hostname="second.example.com")))
    assert Asking(other, sockname="10.0.0.4").first_proxy(**name) == "10.0.0.3:8080"
    assert Asking(other).first_proxy(host="second.example.com", port=8080) == "10.0.0.4:8080"


def test_a_mode_with_a_port_of_its_own() -> None:
    """There all groups are served, and the file says so."""
    asking = Asking(mode="regular@3128")
    assert asking.first_proxy(host="10.0.0.3", port=8080) is None
    response = asking.request(host="10.0.0.4", port=3128).response
    assert response is not None and response.text is not None
    assert response.text.startswith('var PROXIES = [["2", "PROXY 10.0.0.4:3128"], ["1", "PROXY 10.0.0.3:3128"]]')


def test_a_group_that_is_not_configured_for_it_has_none() -> None:
    """Nor is it named in the others' files."""
    settings = replace(SETTINGS, pac=PacSettings(groups=(2,)))
    for sockname, first in (("10.0.0.3", None), ("10.0.0.4", "10.0.0.4:8080")):
        asking = Asking(settings, sockname=sockname)
        asking.first_bytes(DIRECT)
        assert asking.first_proxy() == first
    assert Asking(settings).first_proxy(host="10.0.0.3", port=8080) is None


def test_the_clients_address_counts() -> None:
    """Where the load is shared by clients: not the virtual IP's, which is the same for all."""
    asking = Asking(replace(SETTINGS, pac=PacSettings(share="client")))
    first = set()
    for number in range(20):
        asking.client.peername = (f"10.0.0.{number}", 40000)
        first.add(asking.first_proxy(host="10.0.0.4", port=8080))
    assert first == {"10.0.0.3:8080", "10.0.0.4:8080"}


def test_the_settings_in_force_count() -> None:
    """Off before there are any; then as they are at each request, without a word to anybody."""
    asking, name = Asking(None), {"host": "10.0.0.4", "port": 8080}
    assert asking.first_proxy(**name) is None and asking.pac.status() is None
    asking.settings = SETTINGS
    assert asking.first_proxy(**name) == "10.0.0.4:8080"
    assert asking.pac.status() == {"url": "http://10.0.0.3:8080/proxy.pac", "served": 0}
    asking.settings = replace(SETTINGS, pac=None)
    assert asking.first_proxy(**name) is None and asking.pac.status() is None


def test_what_follows_an_answer_is_hidden_as_well() -> None:
    """And counted when it is sent. Hooks about other flows, and about no flow, are everybody's."""
    asking = Asking()
    mine, other = asking.request(host="10.0.0.4", port=8080), asking.request()
    assert asking.pac.answers(HttpRequestHook(mine)) and asking.pac.answers(HttpResponseHook(mine))
    assert not asking.pac.answers(HttpRequestHook(other)) and not asking.pac.answers(HttpResponseHook(other))
    assert not asking.pac.answers(TcpStartHook(tflow.ttcpflow()))
    assert asking.pac.served == 1


def test_the_answer() -> None:
    """HEAD has the length of GET's body and no body; in HTTP/2 nothing is said about the connection."""
    asking, name = Asking(), Named(host="10.0.0.4", port=8080)
    get, head = asking.request(**name).response, asking.request(**name, method=b"HEAD").response
    second = asking.request(**name, http_version=b"HTTP/2.0").response
    assert get is not None and head is not None and second is not None
    assert head.content == b"" and get.content
    assert head.headers == get.headers and get.headers["Content-Length"] == str(len(get.content))
    assert get.headers["Connection"] == "close" and "Connection" not in second.headers
