"""Demotions by several names."""

from __future__ import annotations

from wsa_proxy.runtime.demotions import Demotions


def test_none_ends_another() -> None:
    """They are added, and told apart."""
    demotions = Demotions()
    assert (demotions.total, demotions.reasons, demotions.of("proxy")) == (0, {}, 0)
    demotions.set("proxy", 1, "no answer")
    demotions.set("operator", 2, "kernel update")
    assert demotions.total == 3 and demotions.of("proxy") == 1 and demotions.of("sending") == 0
    assert demotions.reasons == {"proxy": "no answer", "operator": "kernel update"}
    demotions.set("operator", 0, "no longer demoted")
    assert demotions.total == 1 and demotions.of("operator") == 0
    assert demotions.reasons == {"proxy": "no answer"}, "what has ended is no reason"
    demotions.set("proxy", 240, "worse")
    assert demotions.total == 240 and demotions.reasons == {"proxy": "worse"}


def test_what_is_said_again_changes_nothing() -> None:
    """Each self-test says it to all groups; whoever has the reasons may keep them."""
    demotions = Demotions()
    demotions.set("proxy", 1, "no answer")
    reasons = demotions.reasons
    demotions.set("proxy", 1, "no answer")
    assert demotions.reasons is reasons
    demotions.set("proxy", 1, "still none")
    assert demotions.reasons == {"proxy": "still none"}
