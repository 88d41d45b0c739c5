"""One run of ``wsa-proxy doctor``: gathers the facts, in the order in which they depend on each other, and has them
judged."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import shutil
import sys
from collections.abc import Iterator
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from ipaddress import IPv4Address
from ipaddress import ip_address
from pathlib import Path

from wsa_proxy.config import ConfigError
from wsa_proxy.doctor import listening
from wsa_proxy.doctor.authority import read_authority
from wsa_proxy.doctor.carrying import try_steering
from wsa_proxy.doctor.checks import examine
from wsa_proxy.doctor.facts import AuthorityFacts
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import FileFacts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.facts import Sound
from wsa_proxy.doctor.file_modes import CA_FILES
from wsa_proxy.doctor.file_modes import FOLDER
from wsa_proxy.doctor.file_modes import look
from wsa_proxy.doctor.firewall import read_firewall
from wsa_proxy.doctor.kernel_settings import read_settings
from wsa_proxy.doctor.kernel_settings import wanted_interfaces
from wsa_proxy.doctor.node import Found
from wsa_proxy.doctor.node import find_node
from wsa_proxy.doctor.node import members_of
from wsa_proxy.doctor.subject import Subject
from wsa_proxy.doctor.subject import read_subject
from wsa_proxy.doctor.subject import subject_of_status
from wsa_proxy.doctor.text import document
from wsa_proxy.doctor.text import text
from wsa_proxy.doctor.virtual_mac import verdict_of_node
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import read_host
from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.net.rights import BOTH
from wsa_proxy.net.rights import RightsMissing
from wsa_proxy.net.rights import require

FOUND = 3
"""The exit status with findings; 1 is that it could not be run."""
INTERVALS = 3
SECONDS_MAX = 30.0
"""Without ``--seconds``, whatever the intervals are."""


def doctor(options: argparse.Namespace, socket_path: Path) -> int:
    """Carry out the command and answer its exit status."""
    logging.getLogger("scapy").setLevel(logging.ERROR)  # its warnings about damaged frames are not for the operator
    try:
        facts = gather(options, socket_path)
    except CannotRun as error:
        print(f"wsa-proxy doctor: {error}", file=sys.stderr)
        return 1
    examination = examine(facts)
    if options.json:
        node = facts.node.status.get("node") if facts.node else None
        print(json.dumps(document(examination, node), indent=2))
    else:
        print(text(examination, shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
    return FOUND if examination.findings else 0


class CannotRun(Exception):
    """There is nothing to examine; the text says what to do."""


def gather(options: argparse.Namespace, socket_path: Path) -> Facts:
    """Everything that the checks need. Raises CannotRun."""
    found = find_node(socket_path)
    file = options.file or found.file
    try:
        host = read_host()
        subject = _subject(file, found, host)
    except ConfigError as error:
        raise CannotRun(str(error)) from None
    except OSError as error:
        raise CannotRun(f"the interfaces of this host cannot be read: {error}") from error
    sounds, deaf = _listen(subject, found, host, options)
    confdir = options.confdir or found.confdir
    return Facts(
        groups=subject.groups,
        host=host,
        file=file,
        problems=subject.problems,
        host_problems=subject.host_problems,
        with_keys=subject.watched is not None,
        clock_tolerance_s=subject.clock_tolerance_s,
        node=found.node,
        no_node=found.absent or "the node does not answer",
        node_trouble=found.trouble,
        missing_rights=_missing_rights(),
        sounds=sounds,
        deaf=deaf,
        settings=read_settings(wanted_interfaces(subject.groups)),
        firewall=read_firewall(),
        cannot_steer=try_steering(),
        authority=_authority(confdir, found),
        no_authority="no node runs here that would tell mitmproxy's confdir: --confdir DIR",
        files=tuple(_files(file, subject, socket_path, confdir)),
        now=datetime.now(UTC),
    )


def _subject(file: Path | None, found: Found, host: HostFacts) -> Subject:
    if file is not None:
        return read_subject(file, host)
    if found.node is None:
        raise CannotRun(f"{found.absent or found.trouble}; name the node's configuration: wsa-proxy doctor FILE")
    return subject_of_status(found.node.status)


def _listen(
    subject: Subject, found: Found, host: HostFacts, options: argparse.Namespace
) -> tuple[dict[str, Sound], dict[str, str]]:
    """What each interface of the groups has told, and why others could not be listened to."""
    ears: dict[str, listening.Ear] = {}
    deaf: dict[str, str] = {}
    by_interface: dict[str, list[Group]] = {}
    for group in subject.groups:
        by_interface.setdefault(group.interface, []).append(group)
    interfaces = {each.name: each for each in host.interfaces if each.mac and each.up and each.carrier}
    for name, groups in by_interface.items():
        if name not in interfaces:
            deaf[name or "no interface"] = "nothing can be heard: see the check of the interface"
            continue
        try:
            asks, witnesses = _asks_mac(groups, found), _witnesses(groups, found)
            ears[name] = listening.Ear(interfaces[name], groups, subject.watched, asks, witnesses)
        except OSError as error:
            deaf[name] = _why_deaf(error)
    try:
        longest_s = max((each.interval_s for each in subject.groups), default=0.0)
        seconds = options.seconds or min(INTERVALS * longest_s, SECONDS_MAX)
        _say(ears, seconds, options)
        if ears:
            listening.listen(list(ears.values()), max(seconds, listening.SECONDS_MIN))
        return {name: ear.sound() for name, ear in ears.items()}, deaf
    except OSError as error:
        return {}, deaf | {name: error.strerror or str(error) for name in ears}
    finally:
        for ear in ears.values():
            ear.close()


def _say(ears: dict[str, listening.Ear], seconds: float, options: argparse.Namespace) -> None:
    """A person who waits should know for what."""
    if ears and not options.json and sys.stderr.isatty():
        print(f"listening on {', '.join(ears)} for {seconds:g} s ...", file=sys.stderr)


def _why_deaf(error: OSError) -> str:
    if error.errno in (errno.EPERM, errno.EACCES):
        return "without CAP_NET_RAW nothing can be heard: run the doctor as root"
    return error.strerror or str(error)


def _asks_mac(groups: Sequence[Group], found: Found) -> bool:
    """A running node that knows has asked itself."""
    virtual = [group for group in groups if group.virtual_mac]
    node = found.node
    return bool(virtual) and not any(
        node is not None and verdict_of_node(node.group(group.vhid)) is not MacVerdict.UNKNOWN for group in virtual
    )


def _witnesses(groups: Sequence[Group], found: Found) -> list[IPv4Address]:
    """The other members that the running node hears. One behind a router does not answer, and is none."""
    members = [each for group in groups for each in members_of(found.node, group.vhid).get("list", ())]
    addresses = [ip_address(each["address"]) for each in members if each["is_fresh"] and each["address"]]
    return [each for each in addresses if isinstance(each, IPv4Address)]


def _missing_rights() -> tuple[str, ...]:
    missing = []
    for right in BOTH:
        try:
            require([right])
        except RightsMissing:
            missing.append(right.value.partition(" ")[0])
        except OSError:
            continue  # the kernel could not be asked: then the interfaces could not be read either
    return tuple(missing)


def _authority(confdir: Path | None, found: Found) -> AuthorityFacts | None:
    if confdir is None:
        return None
    return read_authority(confdir, found.node.user if found.node else None)


def _files(file: Path | None, subject: Subject, socket_path: Path, confdir: Path | None) -> Iterator[FileFacts]:
    if file is not None and subject.holds_secret:
        yield from look(file, "which holds the Shared Secret")
    for secret in subject.secret_files:
        yield from look(secret, "the file of the Shared Secret")
    yield from look(subject.state_dir or socket_path.parent, "where the node keeps its state", FOLDER)
    yield from look(socket_path, "the socket on which the node takes orders")
    if confdir is not None:
        yield from look(confdir, "mitmproxy's confdir", FOLDER)
        for name in CA_FILES:
            yield from look(confdir / name, "which holds the key of mitmproxy's CA")
