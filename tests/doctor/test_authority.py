from __future__ import annotations

import os
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doctor.authorities import write_authority
from tests.doctor.patients import facts
from tests.doctor.patients import only
from tests.doctor.patients import whys
from wsa_proxy.doctor.authority import CA_FILE
from wsa_proxy.doctor.authority import check
from wsa_proxy.doctor.authority import read_authority
from wsa_proxy.doctor.facts import AuthorityFacts
from wsa_proxy.lab.certificates import make_authority

NOW = datetime(2026, 11, 29, tzinfo=UTC)
FILE = Path("/confdir") / CA_FILE


def dated(begins_days: int, ends_days: int) -> AuthorityFacts:
    return AuthorityFacts(FILE, NOW + timedelta(days=begins_days), NOW + timedelta(days=ends_days))


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (AuthorityFacts(FILE, missing=True), "mitmproxy's CA is missing"),
        (AuthorityFacts(FILE, unreadable="Permission denied"), "mitmproxy's CA cannot be read"),
        (AuthorityFacts(FILE, unusable="no PEM"), "mitmproxy's CA is of no use"),
        (dated(-10, 0), "mitmproxy's CA has expired"),
        (dated(1, 400), "mitmproxy's CA is not valid yet"),
        (dated(-10, 29), "mitmproxy's CA expires in 29 days"),
    ],
)
def test_each_thing_that_can_be_wrong(found: AuthorityFacts, what: str) -> None:
    """With the file as evidence."""
    finding = only(check, facts(authority=found, now=NOW))
    assert finding.what.startswith(what) and str(FILE) in finding.evidence and finding.fix


def test_a_good_one() -> None:
    assert list(check(facts(authority=dated(-10, 31), now=NOW))) == []


def test_without_a_confdir_it_is_not_made() -> None:
    assert whys(check(facts(no_authority="no confdir is known", now=NOW))) == ["no confdir is known"]


def test_mitmproxys_own_files_are_read(tmp_path: Path) -> None:
    """What mitmproxy makes, and what another program makes of the name."""
    assert read_authority(tmp_path, None).missing
    make_authority(tmp_path / "ca")
    made = read_authority(tmp_path / "ca", os.geteuid())
    assert made.begins is not None and made.ends is not None and made.ends - made.begins > timedelta(days=3000)
    write_authority(tmp_path / CA_FILE, days_left=5)
    ends = read_authority(tmp_path, None).ends
    assert ends is not None and timedelta(days=5) <= ends - datetime.now(UTC) < timedelta(days=6)
    (tmp_path / CA_FILE).write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    assert read_authority(tmp_path, None).unusable


@pytest.mark.parametrize(("mode", "readable"), [(0o600, False), (0o640, True), (0o604, True)])
def test_the_proxys_user_must_be_able_to_read_it(tmp_path: Path, mode: int, readable: bool) -> None:
    """Of its groups nothing is known, so a group that may read is believed to have it in it."""
    write_authority(tmp_path / CA_FILE, days_left=100)
    (tmp_path / CA_FILE).chmod(mode)
    another = os.geteuid() + 4000
    found = read_authority(tmp_path, another)
    assert (found.ends is not None, str(another) in found.unreadable) == (readable, not readable)
    assert read_authority(tmp_path, os.geteuid()).ends is not None
    assert read_authority(tmp_path, 0).ends is not None  # root may read anything
    (tmp_path / CA_FILE).chmod(0o040)
    assert os.geteuid() == 0 or read_authority(tmp_path, None).unreadable
