"""The short form of ``make scale``: what it plays is done once, with few groups; its tables are in
test_scale_tables.py, and a kill among three nodes in test_takeovers.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import scale
from tests.lab.inside import needs_namespaces


@needs_namespaces
def test_a_few_groups_fail_over_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A master of three groups is killed: each virtual IP answers again, from the standby alone."""
    (seen,) = scale.play("of_groups", {"groups": 3, "mac": "virtual", "faults": ["kill"]})
    assert (seen["silent"], seen["two_holders_s"], seen["groups"], seen["fault"]) == (0, 0.0, 3, "kill")
    assert 0 < seen["served_ms"][0] <= seen["served_ms"][1] and 0 < seen["connected_ms"][1] <= seen["served_ms"][1]
    assert '"groups": 3' in capsys.readouterr().err


def test_a_lab_that_fails_says_why() -> None:
    """And no table is printed of what is left."""
    with pytest.raises(SystemExit, match=r"mac.*not a kind"):
        scale.play("of_groups", {"groups": 1, "mac": "not a kind", "faults": ["kill"]})


def test_rounds_alternate_and_a_missed_promise_is_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line once in a round, 64 groups with both kinds of MAC; a sentence for what was missed."""
    played: list[tuple[int, str]] = []

    def play(function: str, about: dict[str, Any]) -> list[dict[str, Any]]:
        played.append((about["groups"], about["mac"]))
        fine = {"connected_ms": [1.0, 2.0], "served_ms": [1.0, 900.0], "silent": 0, "late_ms": 1.0}
        return [about | fine | {"fault": fault, "two_holders_s": 0.25} for fault in about["faults"]]

    monkeypatch.setattr(scale, "play", play)
    assert scale.main(["--runs", "2", "--only", "groups", "--groups", "1", "64"]) == 1
    assert played == [(1, "virtual"), (64, "virtual"), (64, "interface")] * 2
    printed = capsys.readouterr().out
    assert printed.count("| kill | 64 |") == 2 and printed.count("missed:") == 12
    assert "missed: power, 1 groups, mac: virtual: two holders for 0.250 s" in printed
