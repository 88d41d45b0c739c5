"""What a report says of itself."""

from __future__ import annotations

import pytest

from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State

FROM_LIVING = {Reason.PREEMPTED, Reason.MASTER_DEMOTED, Reason.MASTER_HOPELESS}


@pytest.mark.parametrize("reason", Reason)
def test_who_takes_over_from_a_living_master(reason: Reason) -> None:
    """One that was heard just now: not one that was silent, or that bowed out."""
    report = ReportTransition(State.BACKUP, State.MASTER, reason.value, "")
    assert report.from_living == (reason in FROM_LIVING)
