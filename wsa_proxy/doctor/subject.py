"""The groups that are examined: of the file, else of the running node, and what is wrong with the file on this host.

The file is read leniently: one with an interface that this host does not have is just what a doctor is called for. Its
keys are judged by ``config``, in the same words as ``wsa-proxy check``.
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from wsa_proxy.config import ConfigError
from wsa_proxy.config import load
from wsa_proxy.config.host_check import check_host
from wsa_proxy.config.schema import GroupKeys
from wsa_proxy.config.schema import read_keys
from wsa_proxy.config.source import Problem
from wsa_proxy.config.source import read_document
from wsa_proxy.doctor.facts import Group
from wsa_proxy.net.host import HostFacts
from wsa_proxy.watch.groups import WatchedGroup
from wsa_proxy.watch.groups import read_groups


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined."""

    groups: tuple[Group, ...]
    problems: tuple[Problem, ...] = ()
    host_problems: tuple[Problem, ...] = ()
    watched: tuple[WatchedGroup, ...] | None = None
    """With the secrets' keys; None when they could not be read."""
    clock_tolerance_s: float = 3600.0
    state_dir: Path | None = None
    secret_files: tuple[Path, ...] = ()
    holds_secret: bool = False
    """The file itself."""


def read_subject(file: Path, host: HostFacts) -> Subject:
    """Raises ConfigError when the file cannot be read at all."""
    document = read_document(file)
    # What is in the way of a virtual MAC is a check of its own.
    host = dataclasses.replace(host, in_the_way=())
    keys, without_prefix = read_keys(document)
    before = len(document.errors), len(document.warnings)
    interfaces = check_host(document, keys, without_prefix, host)
    host_problems = (*document.errors[before[0] :], *document.warnings[before[1] :])
    groups = keys.groups or []
    folder = document.source.parent
    return Subject(
        groups=tuple(
            group
            for pair in zip(groups, interfaces, strict=True)
            if (group := _from_keys(*pair, host, keys.node or socket.gethostname())) is not None
        ),
        problems=tuple(each for each in _problems(file, host) if each not in host_problems),
        host_problems=host_problems,
        watched=_watched(file),
        clock_tolerance_s=keys.clock_tolerance,
        state_dir=folder.absolute() / keys.state_dir,
        secret_files=tuple(folder / each.shared_secret_file for each in groups if each.shared_secret_file is not None),
        holds_secret=keys.admin.password is not None or any(each.shared_secret for each in groups),
    )


def subject_of_status(status: Mapping[str, Any]) -> Subject:
    """Without the file: nothing is known of secrets and of files."""
    return Subject(tuple(map(_from_status, status["groups"])))


def _problems(file: Path, host: HostFacts) -> tuple[Problem, ...]:
    """The errors only: warnings are advice, which ``wsa-proxy check`` gives."""
    try:
        load(file, host=host)
    except ConfigError as error:
        return error.problems
    return ()


def _watched(file: Path) -> tuple[WatchedGroup, ...] | None:
    try:
        return read_groups(file, None)
    except ConfigError:
        return None


def _from_keys(keys: GroupKeys, interface: str, host: HostFacts, node: str) -> Group | None:
    """None when it has no id or no virtual IP: that is told as a problem."""
    addresses = tuple(each.ip for each in keys.virtual_ip if each is not None)
    if keys.id is None or not addresses:
        return None
    named = keys.interface if any(each.name == keys.interface for each in host.interfaces) else ""
    return Group(
        vhid=keys.id,
        interface=interface or named,
        addresses=addresses,
        virtual_mac=keys.mac == "virtual",
        peers=tuple(each for each in keys.peers if each is not None),
        interval_s=keys.advertisement_interval,
        report_port=keys.members.port if keys.shared_secret or keys.shared_secret_file is not None else None,
        expected=tuple(name for name in keys.members.nodes if name != node),
    )


def _from_status(group: Mapping[str, Any]) -> Group:
    return Group(
        vhid=group["id"],
        interface=group["interface"],
        addresses=tuple(ip_interface(each).ip for each in group["virtual_ip"]),
        virtual_mac=group["virtual_mac"] is not None,
        peers=tuple(ip_address(each) for each in group["peers"]),
        interval_s=group["advertisement_interval_s"],
        report_port=(group.get("members") or {}).get("port"),
    )
