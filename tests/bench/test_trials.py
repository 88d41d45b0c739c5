"""The faults of the bench can be done, undone and done again, with every product that has them."""

from __future__ import annotations

import pytest

from wsa_proxy.bench.peer_lab import PEER_FAULTS
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.trials import TRIALS
from wsa_proxy.bench.trials import Trial
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.script import ORDER
from wsa_proxy.lab.script import parse

UNDOING = {"thaw", "unblock", "feed", "unmute", "attend", "unfilter", "heal", "plug", "start"}


@pytest.mark.parametrize("trial", TRIALS.values(), ids=list(TRIALS))
def test_the_round_trip_makes_sense_to_the_lab(trial: Trial) -> None:
    """By the words of the lab, in an order that the lab's own scripts may have; twice."""
    for peer in (False, True):
        steps = [trial.fault_of(peer=peer), *trial.undo_of(peer=peer)]
        of_the_lab = [(word, targets) for word, *targets in steps if word in FAULTS]
        script = "; ".join(FAULTS[word].text(targets) for word, targets in of_the_lab)
        assert all(word in PEER_FAULTS for word, *_ in steps)
        if script and trial.name != "deafen":  # a process that does not listen runs on, and is replaced
            parse(f"{script}; settle; {script}", "ab")


def test_no_fault_of_the_lab_is_forgotten() -> None:
    """Each one that breaks something is a trial; the others undo one."""
    done = {trial.fault[0] for trial in TRIALS.values()}
    assert set(FAULTS) - UNDOING == done & set(FAULTS)
    assert set(ORDER) - UNDOING <= done


def test_four_faults_are_done_often() -> None:
    """The ones that the product was made for."""
    assert [trial.name for trial in TRIALS.values() if trial.often] == ["kill", "freeze", "stop", "cable"]


def test_each_product_goes_through_every_trial() -> None:
    """Only a variant is measured for less."""
    for product in PRODUCTS.values():
        assert set(product.same.values()) <= set(product.trials) and not set(product.same) & set(product.trials)
        assert product.is_variant or {*product.trials, *product.same} == set(TRIALS)
