"""The words for what becomes of open connections, and a way out of each reason why they would be cut."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from wsa_proxy.carry_text import CAUSES
from wsa_proxy.carry_text import cut_because
from wsa_proxy.carry_text import drains_text
from wsa_proxy.carry_text import help_with
from wsa_proxy.carry_text import steers_texts
from wsa_proxy.carry_text import told_text
from wsa_proxy.runtime.group_carry import UNICAST

PACKAGE = Path(__file__).resolve().parents[1] / "wsa_proxy"
QUIET: dict[str, Any] = {
    "drains": None, "steers": [], "told": None, "told_total": 0, "possible": True, "why_not": None,
    "cannot_steer": None,
}  # fmt: skip
BUSY: dict[str, Any] = QUIET | {
    "drains": {"connections": 12, "left_s": 42.7},
    "steers": [
        {"node": "a", "connections": 1, "settled": True},
        {"node": "c", "connections": 0, "settled": False},
    ],
    "told": {"node": "a", "clients": 200, "age_s": 12.0},
    "told_total": 200,
}


def test_what_happens_to_them() -> None:
    """In numbers, with the nodes; and nothing of it where nothing happens."""
    assert drains_text(BUSY) == "finishes 12 connections that it had as master, 43 s left"
    assert steers_texts(BUSY) == ["steers 1 connection to node a", "steers 0 connections to node c"]
    assert told_text(BUSY) == "told 200 clients of node a that their connections are gone"
    assert told_text({"told": {"node": "a", "clients": 1}}) == "told 1 client of node a that its connection is gone"
    assert (drains_text(QUIET), steers_texts(QUIET), told_text(QUIET)) == ("", [], "")


@pytest.mark.parametrize(
    ("state", "why_not", "reports", "expected"),
    [
        ("master", "node b cannot steer: old", "sent", "node b cannot steer: old"),
        ("master", None, "sent", None),
        ("backup", "node b cannot steer: old", "sent", None),
        ("master", "no other member is heard", "sent", None),
        ("master", "no shared_secret", "no shared_secret", None),
    ],
)
def test_when_a_switch_would_cut(state: str, why_not: str | None, reports: str, expected: str | None) -> None:
    """Only a master has connections, and only with somebody to hand over to there is a switch."""
    group = {"state": state, "members": {"reports": reports}, "carry": QUIET | {"why_not": why_not}}
    assert cut_because(group) == expected
    assert cut_because({"state": state, "members": {"reports": reports}}) is None  # of an earlier version


def _reasons() -> set[str]:
    """As the sources have them, without the values in them."""
    trees = [ast.parse((PACKAGE / name).read_text()) for name in ("net/steering.py", "runtime/group_carry.py")]
    (tries,) = [each for each in ast.walk(trees[0]) if isinstance(each, ast.FunctionDef) and each.name == "_try"]
    (by_member,) = [
        each for each in ast.walk(trees[1]) if isinstance(each, ast.FunctionDef) and each.name == "_why_not_by"
    ]
    values = [each.value for each in ast.walk(tries) if isinstance(each, ast.Assign | ast.Return)]
    texts = {each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    own = {each.value for each in ast.walk(by_member) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return {each for each in texts | own if " " in each.strip()} - {" cannot steer: ", "no address"}


def test_every_reason_of_the_sources_has_a_way_out() -> None:
    """And every way out belongs to a reason."""
    reasons = _reasons()
    assert len(reasons) >= 7
    used = {words for words in CAUSES for reason in reasons if words in reason}
    assert {reason for reason in reasons if not any(words in reason for words in CAUSES)} == set()
    assert used == set(CAUSES) - {"cannot tell its connections", "the peers are named"}
    assert "the peers are named" in UNICAST
    assert "this host cannot tell its connections" in (PACKAGE / "runtime/carry_over.py").read_text()


def test_the_way_out() -> None:
    """The first that fits, also behind another node's name; of a reason that nobody knows it is in the log."""
    assert help_with("node b cannot steer: the process needs CAP_NET_ADMIN") == CAUSES["CAP_NET_ADMIN"]
    forward = "this kernel's nf_tables cannot forward what comes in (nft_fwd_netdev): No such file or directory"
    assert "modprobe nft_fwd_netdev" in help_with(forward)
    assert help_with("no memory").startswith("the log has the kernel's word")
