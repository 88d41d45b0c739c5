"""The picture is an SVG whose bars are as long as the gaps."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest

from tests.bench.cells import a_run
from wsa_proxy.bench.plot import CEILING_MS
from wsa_proxy.bench.plot import FLOOR_MS
from wsa_proxy.bench.plot import LEFT
from wsa_proxy.bench.plot import make_plot
from wsa_proxy.bench.plot import position
from wsa_proxy.bench.summary import make_cells

SVG = "{http://www.w3.org/2000/svg}"
RUNS = [
    a_run("wsa-proxy", "kill", outage_ms=30.0),
    a_run("ucarp", "kill", came_back=False, steady=False, outage_ms=5000.0),
    a_run("wsa-proxy", "cable", outage_ms=100.0),
    a_run("wsa-proxy", "cable", outage_ms=400.0, number=1),
]


def drawn() -> ElementTree.Element:
    return ElementTree.fromstring(make_plot(make_cells(RUNS), ["wsa-proxy", "keepalived", "ucarp"]))


def test_the_scale_is_logarithmic() -> None:
    """Ten times as long is one step to the right; what is outside stands at the end."""
    steps = [position(value_ms) for value_ms in (10, 100, 1000, 10_000)]
    widths = [later - earlier for earlier, later in itertools.pairwise(steps)]
    assert widths == pytest.approx([widths[0]] * 3)
    assert position(1) == position(FLOOR_MS) == LEFT and position(1e6) == position(CEILING_MS)


def test_a_bar_is_as_long_as_the_median() -> None:
    """And what never came back goes to the end, with the word."""
    picture = drawn()
    bars = [each for each in picture.iter(f"{SVG}rect") if each.get("height") == "7"]
    ends = [float(each.get("x", "")) + float(each.get("width", "")) for each in bars]
    assert ends == pytest.approx([position(30), position(CEILING_MS), position(250)], abs=0.1)
    texts = [each.text for each in picture.iter(f"{SVG}text")]
    assert texts.count("never") == 1


def test_the_line_goes_from_the_shortest_to_the_longest_run() -> None:
    """Of a fault that was measured twice."""
    (line,) = [
        each
        for each in drawn().iter(f"{SVG}line")
        if each.get("y1") == each.get("y2") and each.get("x1") != each.get("x2")
    ][-1:]
    assert float(line.get("x1", "")) == pytest.approx(position(100), abs=0.1)
    assert float(line.get("x2", "")) == pytest.approx(position(400), abs=0.1)


def test_only_what_was_measured_has_a_row() -> None:
    """With the words of the page, in the order of the trials."""
    texts = [each.text for each in drawn().iter(f"{SVG}text")]
    faults = [text for text in texts if text in ("proxy killed (SIGKILL)", "cable pulled", "proxy frozen (SIGSTOP)")]
    assert faults == ["proxy killed (SIGKILL)", "cable pulled"]
