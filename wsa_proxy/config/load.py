"""Loads one file: what its groups must not share, the warnings, and the settings it becomes."""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from wsa_proxy.carp.election import ADVSKEW_DEMOTED
from wsa_proxy.config.admin import admin_settings
from wsa_proxy.config.admin_check import check_admin
from wsa_proxy.config.files import check_own_mode
from wsa_proxy.config.files import check_state_dir
from wsa_proxy.config.files import read_secrets
from wsa_proxy.config.health import health_settings
from wsa_proxy.config.host_check import check_host
from wsa_proxy.config.members import members_settings
from wsa_proxy.config.notify import check_notify
from wsa_proxy.config.pac import check_pac
from wsa_proxy.config.pac import pac_settings
from wsa_proxy.config.peer import Address
from wsa_proxy.config.peers import check_peers
from wsa_proxy.config.schema import GroupKeys
from wsa_proxy.config.schema import TopKeys
from wsa_proxy.config.schema import read_keys
from wsa_proxy.config.source import Document
from wsa_proxy.config.source import KeyPath
from wsa_proxy.config.source import Problem
from wsa_proxy.config.source import in_order
from wsa_proxy.config.source import printable
from wsa_proxy.config.source import read_document
from wsa_proxy.config.timers import Timers
from wsa_proxy.config.timers import misfit_text
from wsa_proxy.config.timers import timers
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import read_host
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be run, and what its operator should still hear."""

    settings: Settings
    warnings: tuple[Problem, ...]
    lines: tuple[int, ...] = ()
    """Of the hostname of each group, for what `wsa-proxy check` finds later."""


def load(
    path: Path,
    *,
    text: str | None = None,
    listen_port: int = 8080,
    host: HostFacts | None = None,
    running: Settings | None = None,
) -> Loaded:
    """Read and judge one file. Raises ConfigError with everything that is wrong.

    ``text``: what the file is to hold, judged before it is written; the file's own when None. ``host``: its
    interfaces; read from the kernel when None. ``running``: of the node that reads the file again, which
    cannot change all of them. Works inside a running event loop.
    """
    document = read_document(path, text)
    keys, without_prefix = read_keys(document)
    if host is None:
        try:
            host = read_host()
        except OSError as error:
            document.error((), f"the interfaces of this host cannot be read: {error}", value="")
            raise document.refuse() from None
    interfaces = check_host(document, keys, without_prefix, host)
    state_dir = document.source.parent.absolute() / keys.state_dir
    check_state_dir(document, state_dir)
    check_own_mode(document, keys)
    check_notify(document, keys.notify)
    if running is not None:
        _check_running(document, keys, state_dir, running)
    _check_shared(document, keys)
    _check_upstream(document, keys, listen_port)
    check_pac(document, keys.pac, [group.id for group in keys.groups or ()])
    check_admin(document, keys, listen_port)
    secrets = [read_secrets(document, ("groups", n), group) for n, group in enumerate(keys.groups or ())]
    for n, group in enumerate(keys.groups or ()):
        _check_security(document, ("groups", n), group)
        _check_mac(document, ("groups", n), group)
        _check_preempt_delay(document, ("groups", n), group, keys)
    peers = [
        check_peers(document, ("groups", n), keys, group, interface, host)
        for n, (group, interface) in enumerate(zip(keys.groups or (), interfaces, strict=True))
    ]
    fields = [_timers(document, ("groups", n), group, keys) for n, group in enumerate(keys.groups or ())]
    _check_stall_limit(document, keys, [pair for pair in fields if pair is not None])
    if document.errors:
        raise document.refuse()
    groups = tuple(
        _group_settings(*each, listen_port)
        for each in zip(keys.groups or (), interfaces, secrets, peers, fields, strict=True)
    )
    lines = tuple(document.places["groups", n, "hostname"].line for n in range(len(groups)))
    return Loaded(_settings(path, keys, state_dir, groups), in_order(document.warnings), lines)


def _settings(path: Path, keys: TopKeys, state_dir: Path, groups: tuple[GroupSettings, ...]) -> Settings:
    return Settings(
        source=path,
        node=keys.node or socket.gethostname(),
        preempt=keys.failover_handling == "preemptive",
        state_dir=state_dir,
        groups=groups,
        clock_tolerance_s=keys.clock_tolerance,
        stall_limit_s=keys.stall_limit,
        drain_timeout_s=keys.drain_timeout,
        health=health_settings(keys.health),
        pac=pac_settings(keys.pac),
        admin=admin_settings(keys.admin),
        notify=keys.notify,
    )


def _check_stall_limit(document: Document, keys: TopKeys, fields: Sequence[Timers]) -> None:
    most_s = min((pair.master_down_s for pair in fields), default=math.inf) / 2
    if keys.stall_limit is not None and keys.stall_limit > most_s:
        document.error(
            ("stall_limit",),
            f"is more than {most_s:.3g}, half of the time after which a backup takes over: both would hold the virtual"
            " IP; leave it out, or advertise less often",
        )


def read_state_dir(path: Path) -> Path:
    """Only the state_dir of a file, whatever else is wrong with it: the node that runs may have read a better one.

    Raises ConfigError when the file cannot be read at all.
    """
    document = read_document(path)
    keys, _ = read_keys(document)
    return document.source.parent.absolute() / keys.state_dir


def _group_settings(
    group: GroupKeys,
    interface: str,
    pass_phrases: tuple[bytes, ...],
    peers: list[Address],
    pair: Timers | None,
    listen_port: int,
) -> GroupSettings:
    assert group.id is not None
    assert group.hostname is not None
    assert group.priority is not None
    assert pair is not None
    return GroupSettings(
        vhid=group.id,
        description=group.description,
        hostname=group.hostname,
        virtual_ips=tuple(virtual_ip for virtual_ip in group.virtual_ip if virtual_ip),
        interface=interface,
        priority=group.priority,
        advbase=pair.advbase,
        advskew=pair.advskew,
        pass_phrases=pass_phrases,
        security=group.security or ("sealed" if pass_phrases else "carp",),
        virtual_mac=group.mac == "virtual",
        port=group.port or listen_port,
        peers=tuple(peers),
        preempt_delay_s=group.preempt_delay,
        members=members_settings(group.members),
        preempt_delay_max_s=max(group.preempt_delay, group.preempt_delay_max),
    )


def _check_shared(document: Document, keys: TopKeys) -> None:
    """No two groups may have the same id, no virtual IP may stand twice."""
    seen: dict[object, KeyPath] = {}
    for n, group in enumerate(keys.groups or ()):
        values: dict[KeyPath, object] = {("groups", n, "id"): group.id}
        for i, virtual_ip in enumerate(group.virtual_ip):
            values["groups", n, "virtual_ip", i] = virtual_ip and virtual_ip.ip
        for at, value in values.items():
            if value is None:
                continue
            first = seen.setdefault(value, at)
            if first != at:
                line = next(document.places[path].line for path in (first, first[:-1]) if path in document.places)
                what = "a virtual IP stands in one place only" if "virtual_ip" in at else "each group needs its own"
                document.error(at, f"used twice, first on line {line}; {what}")


def _check_upstream(document: Document, keys: TopKeys, listen_port: int) -> None:
    """A proxy refuses to connect to itself, so it would never pass."""
    if keys.health.upstream is None:
        return
    url = urlsplit(keys.health.upstream)
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    for group in keys.groups or ():
        names = [str(virtual_ip.ip) for virtual_ip in group.virtual_ip if virtual_ip] + [group.hostname]
        if url.hostname in [name.lower().removesuffix(".") for name in names if name] and port == (
            group.port or listen_port
        ):
            document.error(("health", "upstream"), "is where this proxy itself listens; name a server behind it")
            return


def _check_running(document: Document, keys: TopKeys, state_dir: Path, running: Settings) -> None:
    """Where the node keeps its state, and under which name it is known, is settled at its start."""
    if state_dir != running.state_dir:
        place = printable(str(running.state_dir))
        document.error(("state_dir",), f"the running node uses {place}; a change of it takes a restart of the node")
    if (keys.node or socket.gethostname()) != running.node:
        document.error(("node",), f"the running node is {running.node}; a change of it takes a restart of the node")


def _check_mac(document: Document, path: KeyPath, group: GroupKeys) -> None:
    """A link-local address is bound with its interface, and the virtual MAC's is made anew with the group."""
    addresses = [virtual_ip.ip for virtual_ip in group.virtual_ip if virtual_ip]
    if group.mac == "virtual" and any(address.version == 6 and address.is_link_local for address in addresses):
        what = "a link-local virtual IP needs the network card's own hardware address; write mac: interface"
        document.error((*path, "virtual_ip"), what, value="")


def _check_preempt_delay(document: Document, path: KeyPath, group: GroupKeys, keys: TopKeys) -> None:
    at = (*path, "preempt_delay_max")
    if at in document.places and group.preempt_delay_max < group.preempt_delay:
        document.error(at, f"is less than preempt_delay, {group.preempt_delay:g}; write at least that")
    if group.preempt_delay and keys.failover_handling == "non-preemptive":
        document.warning((*path, "preempt_delay"), "has no effect with failover_handling: non-preemptive")


def _check_security(document: Document, path: KeyPath, group: GroupKeys) -> None:
    """Sealed needs a secret, or anybody could seal."""
    if "sealed" in (group.security or ()) and not {(*path, "shared_secret"), (*path, "shared_secret_file")} & {
        *document.places
    }:
        document.error((*path, "security"), "sealed needs a shared_secret; write one, or security: carp")


def _timers(document: Document, path: KeyPath, group: GroupKeys, keys: TopKeys) -> Timers | None:
    """The CARP fields of one group, with the warnings that follow from them; None when they do not fit or are wrong."""
    interval_s = group.advertisement_interval
    at = (*path, "advertisement_interval")
    if group.priority is None:
        return None
    pair = timers(interval_s, group.priority)
    if pair is None:
        document.error(at, misfit_text(interval_s, group.priority))
        return None
    if interval_s < 1:
        document.warning(
            at,
            "below 1 s: only wsa-proxy and OpenBSD nodes can take part (no FreeBSD, pfSense, WSA or ucarp), and a"
            " backup takes over before the kernel of a frozen master has dropped the virtual IP (1 to 1.3 s)",
        )
    if pair.advskew >= ADVSKEW_DEMOTED:
        document.warning(
            (*path, "priority"),
            f"gives advskew {pair.advskew}; {ADVSKEW_DEMOTED} and more is what a demoted (unwell) node sends, and"
            " FreeBSD sends no more: such a node cannot be told from it; use a priority of 16 or more",
        )
    if keys.failover_handling == "non-preemptive":
        lower = timers(interval_s, group.priority - 1) if group.priority > 1 else None
        losses = pair.losses_needed(lower) if lower else 0
        if lower and losses < 3:
            document.warning(
                (*path, "priority"),
                f"with non-preemptive this node can be the backup of a master of lower priority, which advertises"
                f" less often: it takes over after {losses} lost advertisements instead of 3",
            )
    return pair
