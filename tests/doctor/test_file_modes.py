from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.patients import facts
from tests.doctor.patients import only
from tests.doctor.patients import whys
from wsa_proxy.doctor.facts import FileFacts
from wsa_proxy.doctor.file_modes import FOLDER
from wsa_proxy.doctor.file_modes import check
from wsa_proxy.doctor.file_modes import look

FILE = Path("/etc/secret")


@pytest.mark.parametrize(
    ("mode", "forbidden", "fix"),
    [
        (0o644, 0o077, "chmod 600 /etc/secret"),
        (0o610, 0o077, "chmod 600 /etc/secret"),
        (0o777, FOLDER, "chmod 755 /etc/secret"),
        (0o770, FOLDER, "chmod 750 /etc/secret"),
    ],
)
def test_what_others_may_do(mode: int, forbidden: int, fix: str) -> None:
    finding = only(check, facts(files=(FileFacts(FILE, "the secret", mode, forbidden),)))
    assert (finding.evidence, finding.fix) == (f"its mode is {mode:03o}", fix)
    assert ("write to" if forbidden == FOLDER else "use") in finding.what


@pytest.mark.parametrize(("mode", "forbidden"), [(0o600, 0o077), (0o400, 0o077), (0o755, FOLDER), (0o700, FOLDER)])
def test_what_is_closed(mode: int, forbidden: int) -> None:
    assert list(check(facts(files=(FileFacts(FILE, "the secret", mode, forbidden),)))) == []


def test_what_could_not_be_looked_at() -> None:
    unseen = FileFacts(FILE, "the secret", None, error="Permission denied")
    assert whys(check(facts(files=(unseen,)))) == ["/etc/secret: Permission denied"]


def test_looking(tmp_path: Path) -> None:
    """What is not there is nobody's secret; what is in the way is told."""
    (tmp_path / "file").touch(mode=0o640)
    assert [each.mode for each in look(tmp_path / "file", "it")] == [0o640]
    assert list(look(tmp_path / "none", "it")) == []
    assert [(each.mode, each.error) for each in look(tmp_path / "file" / "below", "it")] == [(None, "Not a directory")]
