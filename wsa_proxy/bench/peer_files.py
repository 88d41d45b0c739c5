"""The peers' configuration files and command lines, from the templates in peers/: what is used is what is printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from wsa_proxy.bench import programs
from wsa_proxy.bench.products import Kind
from wsa_proxy.bench.products import Product

TEMPLATES = Path(__file__).parent / "peers"
MASTER = "a"
PRIORITIES = {"a": 254, "b": 253}
ADVSKEWS = {"a": 0, "b": 1}
VIRTUAL_MAC = "use_vmac\n    vmac_xmit_base"
STEP_DOWN = "step-down"
"""keepalived's file for a switch: with 1 in it the node's priority is lower than the other one's."""
# Only the master can: it stands in the initial namespaces. Elsewhere keepalived believes for ever what it saw at first.
PROCESS = 'vrrp_track_process proxy_runs {{\n    process "{name}"\n}}\n'
TRACK_PROCESS = "track_process {\n        proxy_runs\n    }"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands."""

    node: str
    folder: Path
    """Its own; the files go there."""
    interface: str
    address: str
    virtual_ip: str
    prefix: int
    port: int
    url: str
    """What its proxy must be able to fetch."""


@dataclass(frozen=True, slots=True)
class PeerFiles:
    """The files of one node's daemon, by name, and how it is started."""

    files: Mapping[str, str]
    command: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Scripts are files that may be executed. Raises OSError."""
        for name, text in self.files.items():
            file = folder / name
            file.write_text(text)
            file.chmod(0o755 if name.endswith(".sh") else 0o644)


def peer_files(product: Product, place: Place) -> PeerFiles:
    """What the product's daemon is started with on that node. Raises FileNotFoundError where a program is missing."""
    return _keepalived(product, place) if product.kind is Kind.KEEPALIVED else _ucarp(place)


def process_name(node: str) -> str:
    """Of the node's mitmdump: process tracking goes by the name, and the lab's nodes see each other's processes."""
    return f"mitmdump-{node}"


def _keepalived(product: Product, place: Place) -> PeerFiles:
    tracks = product.hears_of_processes and place.node == MASTER
    text = _filled(
        "keepalived.conf",
        node=place.node,
        curl=programs.found("curl"),
        port=place.port,
        url=place.url,
        process=PROCESS.format(name=process_name(place.node)) if tracks else "",
        track_process=TRACK_PROCESS if tracks else "",
        state="MASTER" if place.node == MASTER else "BACKUP",
        interface=place.interface,
        priority=PRIORITIES[place.node],
        advert_int=product.advert_int,
        failures=product.failures,
        step_down=place.folder / STEP_DOWN,
        virtual_mac=VIRTUAL_MAC if product.virtual_mac else "",
        virtual_ip=f"{place.virtual_ip}/{place.prefix}",
    )
    command = [programs.found("keepalived"), "--dont-fork", "--log-console", "--vrrp"]
    command += [f"--use-file={place.folder / 'keepalived.conf'}"]
    command += [f"--pid={place.folder / 'keepalived.pid'}", f"--vrrp_pid={place.folder / 'vrrp.pid'}"]
    return PeerFiles({"keepalived.conf": text, STEP_DOWN: "0\n"}, tuple(command))


def _ucarp(place: Place) -> PeerFiles:
    scripts = {name: _filled(name, prefix=place.prefix) for name in ("vip-up.sh", "vip-down.sh")}
    arguments = _filled(
        "ucarp.args",
        interface=place.interface,
        address=place.address,
        virtual_ip=place.virtual_ip,
        advskew=ADVSKEWS[place.node],
        folder=place.folder,
    )
    return PeerFiles(scripts, (programs.found("ucarp"), *arguments.split()))


def _filled(name: str, **values: object) -> str:
    """The template with its placeholders replaced. What a set-up does not have leaves no line behind."""
    text = Template((TEMPLATES / name).read_text()).substitute({key: str(value) for key, value in values.items()})
    kept = "\n".join(line for line in text.splitlines() if line.strip() or not line)
    return re.sub("\n{3,}", "\n\n", kept) + "\n"
