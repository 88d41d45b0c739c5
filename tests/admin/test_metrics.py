"""/metrics: what is told of real nodes can be read by Prometheus, and whatever a document lacks, nothing raises."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests.admin.documents import changed
from tests.admin.documents import document
from tests.admin.documents import full_document
from tests.admin.scraped import scraped
from wsa_proxy.admin.group_metrics import GROUP_METRICS
from wsa_proxy.admin.metrics import CONTENT_TYPE
from wsa_proxy.admin.metrics import exposition
from wsa_proxy.admin.node_metrics import NODE_METRICS

METRICS = (*NODE_METRICS, *GROUP_METRICS)
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def paths(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [deeper for key, value in inner for deeper in [(*path, key), *paths(value, (*path, key))]]


def at(found: Any, path: tuple[Any, ...]) -> Any:
    """What stands in this place."""
    for key in path:
        found = found[key]
    return found


FULL = full_document()
PATHS = list({tuple("*" if isinstance(key, int) else key for key in path): path for path in paths(FULL)}.values())
"""The places; of a list's objects, which are all alike, those of the last."""


@needs_promtool
@pytest.mark.parametrize("node", ["a", "b", "full"])
def test_promtool_has_no_complaint(node: str) -> None:
    """Prometheus's own linter: names, units, kinds, help texts."""
    text = exposition(FULL if node == "full" else document(node))
    ended = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_every_metric_has_a_line_in_the_full_document() -> None:
    """A metric that nothing ever feeds would pass every other test."""
    told = {key[0] for key in scraped(FULL)}
    assert {metric.name for metric in METRICS} == told


def test_names_and_labels_are_each_others() -> None:
    """No name twice; every help is a sentence that says the unit or what 1 means."""
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    for metric in METRICS:
        assert re.fullmatch(r"[A-Z1].*\.", metric.help), metric.name
        unit = {"seconds": "conds", "total": "Number"}.get(metric.name.rpartition("_")[2])
        assert unit is None or unit in metric.help, f"{metric.name} does not say its unit"


def test_it_is_served_as_the_text_that_it_is() -> None:
    """The format that every Prometheus reads."""
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
    assert exposition(document()).startswith(b"# HELP wsa_proxy_build_info ")


def test_a_group_that_ends_is_told_no_more() -> None:
    """Nor does it leave anything behind: the document is all there is."""
    two, one = document(), changed(lambda found: found["groups"].pop())
    assert any("group=2" in key for key in scraped(two)) and not any("group=2" in key for key in scraped(one))


def test_a_flood_makes_no_new_series() -> None:
    """Senders, hardware addresses and evidence are never labels, whatever arrives."""

    def flood(found: dict[str, Any]) -> None:
        for group in found["groups"]:
            group["rejected"] = dict.fromkeys(group["rejected"], 10**6)
            group["last_rejected"] = {f"10.9.9.{number}": {"from": f"10.9.9.{number}"} for number in range(100)}
            group["transitions"] *= 100
            group["evidence"], group["last_master"] = "from=10.9.9.9", "10.9.9.9"

    assert scraped(changed(flood)).keys() == scraped(document()).keys()


def test_an_empty_document_is_borne() -> None:
    """Of a node that tells nothing nothing is told but the names."""
    assert [key for key, _ in scraped({}).items()] == [("build_info", "node=", "version=")]


def test_whatever_is_absent_is_borne() -> None:
    """Each key in turn: nothing raises, and nothing is told that was not told before."""
    names = {key[0] for key in scraped(FULL)}
    for path in PATHS:
        found = copy.deepcopy(FULL)
        del at(found, path[:-1])[path[-1]]
        assert "build_info" in {key[0] for key in scraped(found)} <= names, path


def test_what_an_earlier_version_tells_is_told_as_ever() -> None:
    """It lacks what came later, and only the lines of that are missing."""
    earlier = copy.deepcopy(FULL)
    for name in ("history", "notify", "pac", "guardian", "maintenance"):
        del earlier[name]
    for group in earlier["groups"]:
        for name in ("transition_counts", "lease_age_s", "service", "last_outage", "preemption", "members"):
            del group[name]
    told, all_lines = scraped(earlier), scraped(FULL)
    later = re.compile(
        "history|notify|pac|guardian|stall|maintenance|transitions|role_|lease|service|last_outage|preemption"
        "|healthy_standbys|standby_lost|findings|switched|reports|member"
    )
    assert told == {key: value for key, value in all_lines.items() if not later.match(key[0])}


@settings(max_examples=150)
@given(path=st.sampled_from(PATHS), value=JSON)
def test_random_documents_never_raise(path: tuple[Any, ...], value: Any) -> None:
    """Whatever stands in whatever place, what is told can be read, each line once."""
    found = copy.deepcopy(FULL)
    at(found, path[:-1])[path[-1]] = value
    scraped(found)


@given(found=st.dictionaries(st.sampled_from([path[0] for path in PATHS]), JSON))
def test_any_document_is_borne(found: dict[str, Any]) -> None:
    """Nothing in it need be what it should be."""
    scraped(found)
