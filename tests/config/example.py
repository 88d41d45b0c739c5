"""A right configuration, the host it fits, and what becomes of it when something is written differently."""

from __future__ import annotations

from ipaddress import ip_interface
from pathlib import Path

from wsa_proxy.config import ConfigError
from wsa_proxy.config import Loaded
from wsa_proxy.config import load
from wsa_proxy.net.host import AddressFacts
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import InterfaceFacts

GOOD = """\
node: a
failover_handling: preemptive
state_dir: state
groups:
  - id: 1
    hostname: proxy.example.com
    virtual_ip: 10.0.0.3/24
    interface: auto
    priority: 255
    shared_secret: twelve-bytes!
"""

type Case = tuple[str, str, str]
"""What of GOOD is replaced, by what, and the lines of the text, without the file's name."""


def address(text: str, valid_s: int | None = None) -> AddressFacts:
    return AddressFacts(ip_interface(text), ip_interface(text).network, valid_s)


def interface(name: str, *addresses: AddressFacts, mac: str = "02:00:00:00:00:01", up: bool = True) -> InterfaceFacts:
    loopback = name == "lo"
    return InterfaceFacts(name, 1, "" if loopback else mac, up, up, loopback, addresses)


HOST = HostFacts(
    (
        interface("lo", address("127.0.0.1/8"), address("::1/128")),
        # The host is the live master: it holds the virtual IP as a lease.
        interface("eth0", address("10.0.0.1/24"), address("fd00:77::1/64"), address("10.0.0.3/32", 2)),
        interface("eth1", address("192.168.7.1/24")),
        interface("tun0", address("10.8.0.1/24"), mac=""),
    )
)


def loaded(folder: Path, text: str | bytes, *, host: HostFacts = HOST) -> Loaded:
    """The text as f.yaml in the folder, which must be the working folder, loaded."""
    (folder / "state").mkdir(mode=0o700, exist_ok=True)
    file = Path("f.yaml")
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(0o600)
    return load(file, host=host)


def told(folder: Path, text: str | bytes, *, host: HostFacts = HOST) -> str:
    """Every error, without the file's name; the warnings of a file that can be run."""
    try:
        lines = [f"warning {warning}" for warning in loaded(folder, text, host=host).warnings]
    except ConfigError as error:
        lines = str(error).splitlines()
    return "\n".join(line.replace("f.yaml:", "", 1) for line in lines)


def changed(old: str, new: str) -> str:
    """GOOD with a difference."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)
