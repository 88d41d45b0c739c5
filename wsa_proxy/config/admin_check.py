"""What the page's address must not be, and what its operator should know about it."""

from __future__ import annotations

from ipaddress import ip_address

from wsa_proxy.config.schema import TopKeys
from wsa_proxy.config.source import Document
from wsa_proxy.config.source import KeyPath
from wsa_proxy.settings import place_text

OPEN_TEXT = (
    "others than this host can connect there, without TLS and with nothing but the token in the log between them and"
    " this node; write a password, or listen on 127.0.0.1 and go there by ssh -L"
)


def check_admin(document: Document, keys: TopKeys, listen_port: int) -> None:
    """The page is this node's own: neither where the virtual IPs are nor where the proxy listens."""
    if keys.admin.listen is None:
        if keys.admin.password is not None:
            document.warning(("admin", "password"), "has no effect with listen: off")
        return
    at: KeyPath = ("admin", "listen")
    host, port = keys.admin.listen
    for group in keys.groups or ():
        if port == (group.port or listen_port):
            document.error(at, f"port {port} is the proxy's; choose another one", value=place_text(host, port))
            return
        if host in [str(virtual_ip.ip) for virtual_ip in group.virtual_ip if virtual_ip]:
            text = "is a virtual IP, which moves from node to node; write an address that is this node's own"
            document.error(at, text, value=place_text(host, port))
            return
    if not is_loopback(host) and keys.admin.password is None:
        document.warning(at, OPEN_TEXT, value=place_text(host, port))


def is_loopback(host: str) -> bool:
    """Only this host itself can connect there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
