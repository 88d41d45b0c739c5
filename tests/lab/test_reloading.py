"""Rotating a secret, and moving to sealed, on the real product under traffic: six steps on each of two nodes."""

from __future__ import annotations

from typing import Any

from tests.lab import reloading
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.judging import check_always
from tests.lab.judging import noise_ms
from tests.lab.judging import row

pytestmark = needs_namespaces

SILENCE_MS_MAX = (
    3 * (500 + 25 * 1000 / 256) + 400
)  # the backup's master-down interval, and the time of a request or two


def test_secrets_and_security_change_under_traffic_and_nobody_notices() -> None:
    """Not one failed request, no transition, one holder; then a kill is taken over in the usual time."""
    seen: dict[str, Any] = run_inside(reloading.rotated, 110.0)
    check_always(seen)
    assert seen["requests"] > 200 and seen["failed"] == []
    assert len(seen["reports"]) == 12 and all(report["status"] == 0 for report in seen["reports"])
    assert sum("security" in report["out"] for report in seen["reports"]) == 6
    assert sum("shared_secret has changed" in report["out"] for report in seen["reports"]) == 6
    for name, state in (("a", "master"), ("b", "backup")):
        before, after = seen["before"][name], seen["after"][name]
        assert after["state"] == before["state"] == state and after["transitions"] == before["transitions"]
        assert (before["security"], after["security"]) == (["carp"], ["sealed"])
        assert not any(after["rejected"].values()), after["rejected"]
    killed = row(seen, "kill a")
    holders = [
        each for each in seen["holdings"] if each["begin_s"] < killed["at_s"] and each["end_s"] > seen["since_s"]
    ]
    assert [each["node"] for each in holders] == ["a"] and holders[0]["end_s"] > killed["at_s"]
    assert killed["took_over"] == "b" and killed["outage_ms"] <= SILENCE_MS_MAX + noise_ms(killed), killed

    # A wrong file, in between: what is said is what `check` says, and what was in force stays (above).
    for refused, checked in zip(seen["refused"], seen["checked"], strict=True):
        wrong = [line for line in checked["out"].splitlines() if "/node.yaml:" in line and "warning" not in line]
        assert refused["status"] == checked["status"] == 1 and len(wrong) == 2
        assert refused["err"].splitlines()[:-1] == wrong and "goes on with its old settings" in refused["err"]
