"""Whatever follows from the settings follows from the newest ones, and the deadlines are carried over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from wsa_proxy.carp import election
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.standing import Standing
from wsa_proxy.carp.standing import by_version
from wsa_proxy.carp.wire import Version

SETTINGS = VirtualHostSettings(1, 1, 100, True, (4,))


def test_rank_and_intervals_are_those_of_the_newest_settings() -> None:
    """As if it had been made with them."""
    changed, made = replace(SETTINGS, advbase=0, advskew=20), Standing(SETTINGS)
    made._take(changed)
    fresh = Standing(changed)
    assert vars(made) == vars(fresh) and made.rank == fresh.rank == election.Rank(0, 20)
    assert made._probe_lead_s == pytest.approx(3 * 20 / 256 / 4)


def test_a_demotion_outlives_the_settings() -> None:
    """It is the proxy's health, not the operator's will."""
    standing = Standing(SETTINGS)
    standing.demotion = 1
    standing._take(replace(SETTINGS, advskew=3))
    assert standing.advskew == 240 and standing.rank.demotion == 1


@pytest.mark.parametrize(
    ("before", "versions", "after"),
    [
        ({}, (4, 6), {}),
        ({4: 1.0, 6: 2.0}, (4, 6), {4: 1.0, 6: 2.0}),
        ({4: 1.0, 6: 2.0}, (4,), {4: 2.0}),
        ({4: 1.0}, (4, 6), {4: 1.0, 6: 1.0}),
        ({4: 1.0}, (6,), {6: 1.0}),
    ],
)
def test_deadlines_are_kept_for_the_versions_that_count(
    before: dict[Version, float], versions: Sequence[Version], after: dict[Version, float]
) -> None:
    """None is earlier than the latest one where others count than before."""
    assert by_version(before, versions) == after
