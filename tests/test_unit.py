"""The systemd unit, judged by systemd itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from wsa_proxy.resources import find

UNIT = "configs/wsa-proxy@.service"
EXPOSURE_MAX = 3.0

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="apt-get install systemd")


@needs_systemd
def test_the_unit_is_right(tmp_path: Path) -> None:
    """Every key is known and every value allowed. Only the program is not where it will be."""
    text = re.sub(r"/opt/wsa-proxy/bin/wsa-proxy", "/bin/true", find(UNIT).read_text())
    (tmp_path / "wsa-proxy@a.service").write_text(text)
    ended = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "wsa-proxy@a.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@needs_systemd
def test_the_unit_gives_away_no_more_than_it_must() -> None:
    """By systemd's own scale, on which 10 is everything."""
    threshold = str(int(EXPOSURE_MAX * 10))
    ended = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={threshold}", str(find(UNIT))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert float(re.search(r"exposure level for \S+: ([0-9.]+)", ended.stdout)[1]) <= EXPOSURE_MAX  # type: ignore[index]


def test_the_unit_asks_for_two_rights_of_roots() -> None:
    """And is not root."""
    lines = find(UNIT).read_text().splitlines()
    for key in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert [line for line in lines if line.startswith(key)] == [f"{key}=CAP_NET_ADMIN CAP_NET_RAW"]
    assert "User=wsa-proxy" in lines and "NoNewPrivileges=yes" in lines


def test_the_units_proxy_does_not_put_large_bodies_together() -> None:
    """Else anybody who may use it moves the address, by a download of 1000 MB."""
    (start,) = (line for line in find(UNIT).read_text().splitlines() if line.startswith("ExecStart="))
    assert re.search(r" --set stream_large_bodies=\d+m( |$)", start)
