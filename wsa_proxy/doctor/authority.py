"""mitmproxy's certificate authority: browsers trust it, and all nodes of a group need the same one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from wsa_proxy.doctor.facts import AuthorityFacts
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade

CA_FILE = "mitmproxy-ca.pem"
"""mitmproxy's name for the key and the certificate together (mitmproxy/certs.py)."""
SOON = timedelta(days=30)
_ANEW = (
    "make a new one on one node (move the files mitmproxy-ca* away and start mitmproxy), copy them to the others, and"
    " have the browsers trust it"
)


def read_authority(confdir: Path, user: int | None) -> AuthorityFacts:
    """``user``: who runs the proxy, if that is known; the file has to be readable by that one."""
    path = confdir / CA_FILE
    try:
        status = path.stat()
        content = path.read_bytes()
    except FileNotFoundError:
        return AuthorityFacts(path, missing=True)
    except OSError as error:
        return AuthorityFacts(path, unreadable=f"{error.strerror} for this user (id {os.geteuid()})")
    if user is not None and user != 0 and not _may_read(status, user):
        text = f"it belongs to user {status.st_uid}, mode {stat.S_IMODE(status.st_mode):03o}; the proxy is user {user}"
        return AuthorityFacts(path, unreadable=text)
    try:
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError as error:
        return AuthorityFacts(path, unusable=str(error).partition(".")[0])
    return AuthorityFacts(path, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _may_read(status: os.stat_result, user: int) -> bool:
    """Without its groups, which are not known: who is in the file's group counts as one who may."""
    if status.st_uid == user:
        return bool(status.st_mode & stat.S_IRUSR)
    return bool(status.st_mode & (stat.S_IRGRP | stat.S_IROTH))


def check(facts: Facts) -> Iterator[Answer]:
    found, now = facts.authority, facts.now
    if found is None or now is None:
        yield NotMade(facts.no_authority)
    elif found.missing:
        yield Finding(
            "mitmproxy's CA is missing: the next start makes one of its own, which no browser trusts",
            f"there is no {found.path}",
            "copy the files mitmproxy-ca* from another node of the group, for the proxy's user, mode 600",
        )
    elif found.unreadable:
        yield Finding(
            "mitmproxy's CA cannot be read",
            f"{found.path}: {found.unreadable}",
            f"give it to the user that runs the proxy: chown USER {found.path}; or run the doctor as root",
        )
    elif found.begins is None or found.ends is None:
        yield Finding("mitmproxy's CA is of no use", f"{found.path}: {found.unusable}", f"copy it again, or {_ANEW}")
    elif found.ends <= now:
        yield Finding(
            "mitmproxy's CA has expired: browsers refuse every page",
            f"{found.path}: valid until {found.ends:%Y-%m-%d %H:%M} UTC",
            _ANEW,
        )
    elif found.begins > now:
        begins = f"{found.path}: valid from {found.begins:%Y-%m-%d %H:%M} UTC"
        text = f"{begins}, and this host's clock says {now:%Y-%m-%d %H:%M}"
        yield Finding("mitmproxy's CA is not valid yet", text, "set this host's clock (NTP)")
    elif found.ends - now < SOON:
        yield Finding(
            f"mitmproxy's CA expires in {(found.ends - now).days} days",
            f"{found.path}: valid until {found.ends:%Y-%m-%d %H:%M} UTC",
            _ANEW,
        )
