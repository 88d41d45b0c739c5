"""configs/node-a.yaml and node-b.yaml -> the configuration file of each node of the lab.

The files are the ones that users read; only what must differ is changed, and comments stay. Further nodes are made
from node-b's file.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from ipaddress import IPv6Interface
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from wsa_proxy import resources
from wsa_proxy.lab.topology import NODE_NAMES

FIRST, SECOND = "configs/node-a.yaml", "configs/node-b.yaml"
PRIORITIES_FURTHER = (150, 100, 50, 40, 30, 20)
KEYS_OF_THE_NODE = frozenset(
    ("failover_handling", "stall_limit", "health", "drain_timeout", "clock_tolerance", "admin", "pac", "notify")
)
"""Keys of the file's top; every other key that is overridden belongs to each group."""
KEYS_OF_THE_LAB = frozenset(("node", "state_dir", "groups", "failover_config"))
"""Keys and options that the lab sets by itself."""
PORT_DEFAULT = 8080  # mitmproxy's listen_port.

Overrides = Mapping[str, Any]
"""``{"advertisement_interval": 2}`` for all nodes, ``{"b.priority": 254}`` for one; the values as in the file."""
Options = Mapping[str, str]
"""Of mitmproxy, as after its ``--set``: ``{"flow_detail": "1"}`` for all nodes, ``{"b.http2": "false"}`` for one."""
STREAMING: Options = {"stream_large_bodies": "100k"}
"""Else mitmproxy keeps a download until its last byte is there, and nobody could see that it goes on."""


class OverrideError(Exception):
    """An override that the lab cannot take; the text says what is allowed."""


@dataclass(frozen=True, slots=True)
class NodeFile:
    """One node's configuration file, not yet written."""

    text: str
    virtual_ips: tuple[IPv4Interface | IPv6Interface, ...]
    hostnames: tuple[str, ...]
    port: int
    """Of the first group."""


def parse_override(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE`` or ``NODE.KEY=VALUE``; the value is YAML. Raises OverrideError."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise OverrideError(f"{text!r} is not KEY=VALUE, such as failover_handling=non-preemptive or b.priority=254")
    try:
        return key.strip(), YAML(typ="safe").load(value)
    except YAMLError as error:
        raise OverrideError(f"the value of {text!r} is not YAML: {error}") from error


def derive(names: Sequence[str], state_dirs: Mapping[str, Path], overrides: Overrides) -> dict[str, NodeFile]:
    """Make the file of each node. Raises OverrideError, FileNotFoundError when the example files are missing."""
    changes = [(*_split(key, names), value) for key, value in overrides.items()]
    files = {}
    for name in names:
        document = _load(FIRST if name == NODE_NAMES[0] else SECOND)
        document["node"] = name
        document["state_dir"] = str(state_dirs[name])
        if (further := NODE_NAMES.index(name) - 2) >= 0:
            _set(document, "priority", PRIORITIES_FURTHER[further])
        for only, key, value in changes:
            if only in (None, name):
                _set(document, key, value)
        files[name] = _node_file(document)
    return files


def options_of(node: str, names: Sequence[str], options: Options) -> dict[str, str]:
    """The options of one node; of those that are given for all and for it, the later one. Raises OverrideError."""
    split = [(*_split(key, names), value) for key, value in options.items()]
    return {option: value for only, option, value in split if only in (None, node)}


def _split(key: str, names: Sequence[str]) -> tuple[str | None, str]:
    """Split ``b.priority`` into the node and the key."""
    name, dot, rest = key.partition(".")
    if dot and name not in names:
        raise OverrideError(f"{key}: there is no node {name}; the nodes are {', '.join(names)}")
    setting = rest if dot else key
    if setting in KEYS_OF_THE_LAB:
        raise OverrideError(f"{key}: the lab sets {setting} by itself")
    return (name if dot else None), setting


def _load(relative: str) -> Any:
    """The document of ruamel.yaml, which keeps comments and order."""
    return YAML().load(resources.find(relative).read_text())


def _set(document: Any, key: str, value: Any) -> None:
    if key in KEYS_OF_THE_NODE:
        document[key] = value
    else:
        for group in document["groups"]:
            group[key] = value


def _node_file(document: Any) -> NodeFile:
    text = io.StringIO()
    YAML().dump(document, text)
    addresses: list[str] = []
    for group in document["groups"]:
        configured = group["virtual_ip"]
        addresses += configured if isinstance(configured, list) else [configured]
    if not addresses:
        raise OverrideError("virtual_ip must have at least one address, such as 10.0.0.3/24")
    port = document["groups"][0].get("port", PORT_DEFAULT)
    if type(port) is not int:
        raise OverrideError(f"port: {port!r} is not a number, such as 8080")
    try:
        virtual_ips = tuple(ip_interface(str(each)) for each in addresses)
    except ValueError as error:
        raise OverrideError(f"virtual_ip: {error}; write an address such as 10.0.0.3/24") from error
    hostnames = tuple(str(group["hostname"]) for group in document["groups"])
    return NodeFile(text.getvalue(), virtual_ips, hostnames, port)
