from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.doctor.patients import facts
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import whys
from wsa_proxy.doctor.process import check_memory
from wsa_proxy.doctor.process import check_node
from wsa_proxy.doctor.process import check_rights


def test_a_node_that_is_there_and_silent() -> None:
    """That none runs is no finding: a doctor may come before the first start."""
    assert only(check_node, facts(node_trouble="no answer within 3 s")).evidence == "no answer within 3 s"
    assert whys(check_node(facts(no_node="no such socket"))) == ["no such socket"]
    assert list(check_node(facts(node=node()))) == []


def test_rights_are_those_of_the_running_node() -> None:
    """This process's own only where there is none, since one that is started like it would have the same."""
    poor = dataclasses.replace(node(), missing_rights=("CAP_NET_RAW",))
    assert only(check_rights, facts(node=poor)).what == "the running node lacks CAP_NET_RAW"
    assert list(check_rights(facts(node=node(), missing_rights=("CAP_NET_RAW",)))) == []
    both = ("CAP_NET_ADMIN", "CAP_NET_RAW")
    assert "lacks CAP_NET_ADMIN and CAP_NET_RAW" in only(check_rights, facts(missing_rights=both)).what
    assert list(check_rights(facts())) == []
    unknown = dataclasses.replace(node(), missing_rights=None)
    assert len(whys(check_rights(facts(node=unknown)))) == 1


@pytest.mark.parametrize(("proxy", "guardian", "wrong"), [(100, 0, False), (-400, -500, False), (0, 0, True)])
def test_the_proxy_goes_before_its_guardian(proxy: int, guardian: int, wrong: bool) -> None:
    found = dataclasses.replace(node(), oom_score_adj=proxy, guardian_oom_score_adj=guardian)
    if wrong:
        assert only(check_memory, facts(node=found)).evidence.endswith(f"proxy {proxy}, of its guardian {guardian}")
    else:
        assert list(check_memory(facts(node=found))) == []


def test_memory_needs_a_node_and_its_guardian() -> None:
    half: list[dict[str, Any]] = [{"oom_score_adj": 100}, {"guardian_oom_score_adj": 100}, {}]
    nodes = [dataclasses.replace(node(), **each) for each in half]
    assert [len(whys(check_memory(facts(node=each)))) for each in (None, *nodes)] == [1, 1, 1, 1]
