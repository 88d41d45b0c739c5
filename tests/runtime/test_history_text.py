"""What an operator reads instead of the protocol's words."""

from __future__ import annotations

import pytest

from wsa_proxy.carp.commands import Reason
from wsa_proxy.runtime.history_text import CAUSES
from wsa_proxy.runtime.history_text import cause
from wsa_proxy.runtime.history_text import facts_of
from wsa_proxy.runtime.history_text import sentence
from wsa_proxy.runtime.history_text import with_told

CASES = [
    ("master_silent", "silent_s=3.21 last_master=10.0.0.1", "the master 10.0.0.1 was not heard for 3.21 s"),
    ("master_silent", "last_master=none", "no other master was heard"),
    ("master_bowed_out", "last_master=10.0.0.1", "the master 10.0.0.1 gave the group up"),
    ("better_advertisement_received", "own_s=1.0 from=10.0.0.1", "a better master was heard (10.0.0.1)"),
    (
        "better_advertisement_received",
        "its_demotion=0 own_demotion=1 from=b",
        "another master was heard (b), and this node is demoted",
    ),
    (
        "better_advertisement_received",
        "its_demotion=1 own_demotion=1 from=b",
        "a better master was heard (b)",
    ),
    ("master_demoted", "its_demotion=1 own=0", "the master is demoted, and this node is not"),
    ("master_demoted", "its_demotion=3 own=1", "the master is demoted, and this node less so"),
    ("overslept", "late_s=3.63", "its process stood still and was 3.63 s late"),
    ("overslept", "", "its process stood still and was some s late"),
    ("ready", "listening_s=3.00", "it takes part, and listens first"),
    ("eth0 is down", "", "eth0 is down"),
]


@pytest.mark.parametrize(("reason", "evidence", "words"), CASES)
def test_a_cause_is_in_words(reason: str, evidence: str, words: str) -> None:
    """With what was seen; a reason that is a sentence already stays one."""
    assert cause(reason, evidence) == words


def test_every_reason_of_the_protocol_has_words() -> None:
    """A new one must get them, and none of them needs an evidence."""
    for reason in Reason:
        assert reason.value in CAUSES and "_" not in cause(reason.value, "")


def test_the_whole_node_is_told_of_in_another_form() -> None:
    """It has no group and no state."""
    text = sentence("a", 0, "", "started", "node_started", "its last life was stopped in order", "")
    assert text == "Node a has started: its last life was stopped in order."
    assert sentence("a", 1, "master", "init", "eth0 is down", "", "") == "Node a left group 1 (INIT): eth0 is down."


def test_what_is_no_fact_is_passed_over() -> None:
    """Evidence may hold words as well."""
    assert facts_of("was seen a=1 b=x=y") == {"a": "1", "b": "x=y"}


@pytest.mark.parametrize(
    ("new", "evidence", "end"),
    [
        (
            "backup",
            "from=b carried=12",
            ": a better master was heard (b), ordered by root; 12 connections went on there.",
        ),
        ("master", "steered=1", ", ordered by root; it steered 1 connection to the node that had them."),
        ("master", "told=200", ", ordered by root; clients that were told that their connections are gone: 200."),
        ("backup", "carried=many from=b", ": a better master was heard (b), ordered by root."),
    ],
)
def test_what_became_of_open_connections_ends_the_sentence(new: str, evidence: str, end: str) -> None:
    """Where something did."""
    reason = "better_advertisement_received" if new == "backup" else "master_demoted"
    assert sentence("a", 1, "init", new, reason, evidence, "root").endswith(end)


def test_clients_that_are_told_later_are_added() -> None:
    """One number, whatever stood there."""
    assert with_told("", 3) == "told=3"
    assert with_told("silent_s=3.2 told=3 steered=2", 4) == "silent_s=3.2 steered=2 told=7"
