"""A person browses through the virtual IP with a real browser, before and after the proxy that served is killed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from typing import Any

import pytest

from tests.lab import scenarios
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab import namespace
from wsa_proxy.lab.lab import Lab

CHROMIUM = shutil.which("chromium")
PAGE_S_MAX = 60.0

pytestmark = [
    needs_namespaces,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: apt-get install chromium"),
]


def test_chromium_shows_the_page_before_and_after_a_kill() -> None:
    """It is configured to the virtual IP and to nothing else."""
    seen = run_inside(browse, 110)
    for when in ("before", "after"):
        assert "origin origin" in seen[when]["page"], seen[when]
    assert seen["served"] == {"before": "a", "after": "b"}


def browse() -> dict[str, Any]:
    """Inside the namespaces."""
    lab = scenarios.start()
    before = show(lab)
    scenarios.do(lab, "kill", "a")
    lab.wait_service()
    after = show(lab)
    row = lab.rows()[0]
    return {"before": before, "after": after, "served": {"before": row.served_before, "after": row.served_after}}


def show(lab: Lab) -> dict[str, str]:
    """The page as Chromium has it, loaded through the virtual IP."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory() as profile, namespace.inside(lab.topology.networks["client"]):
        ended = subprocess.run(
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",  # it would make user namespaces of its own inside ours
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--user-data-dir={profile}",
                f"--proxy-server=http://{lab.proxy}",
                "--dump-dom",
                "http://origin.example.com/",
            ],
            capture_output=True,
            text=True,
            timeout=PAGE_S_MAX,
            check=False,
        )
    return {"page": ended.stdout, "said": ended.stderr[-2000:]}
