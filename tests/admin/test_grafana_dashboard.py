"""configs/grafana-dashboard.json, as far as it can be judged without a Grafana."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.admin.promql import complaints
from tests.admin.promql import selectors

FILE = Path(__file__).resolve().parents[2] / "configs" / "grafana-dashboard.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
COLUMNS = 24
KINDS = {"stat", "timeseries", "state-timeline"}
"""Each is built into Grafana; ``state-timeline`` since version 8."""
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
TOPICS = [
    "group_state", "last_outage_seconds", "advertisements_sent_total", "advertisements_rejected_total",
    "health_test_passed", "loop_lag_seconds", "healthy_standbys", "lease_age_seconds", "transitions_total",
]  # fmt: skip


def expressions() -> list[str]:
    return [target["expr"] for panel in PANELS for target in panel["targets"]]


def places(panel: dict[str, Any]) -> set[tuple[int, int]]:
    """The squares of the grid that it covers."""
    at = panel["gridPos"]
    return set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))


@pytest.mark.parametrize("expression", expressions())
def test_a_panel_asks_for_what_is_told(expression: str) -> None:
    """Its metrics and their labels are in /metrics."""
    assert selectors(expression) and complaints(expression) == []


def test_a_legend_names_labels_that_are_there() -> None:
    """Else it would show the braces."""
    for panel in PANELS:
        for target in panel["targets"]:
            shown = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            assert complaints(f"{target['expr']} by ({', '.join(shown) or 'job'})") == [], panel["title"]


@pytest.mark.parametrize("topic", TOPICS)
def test_what_an_operator_looks_for_has_a_panel(topic: str) -> None:
    """By its metric."""
    assert f"wsa_proxy_{topic}" in {name for expression in expressions() for name, _ in selectors(expression)}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")
def test_promtool_can_read_the_expressions(tmp_path: Path) -> None:
    """With something in the place of Grafana's variables."""
    read = [re.sub(r"\$(job|group)", ".*", each.replace("$__rate_interval", "1m")) for each in expressions()]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(read)]
    assert "$" not in "".join(read)
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    ended = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_grid_has_no_overlap() -> None:
    """Within its 24 columns, and each panel where nobody else is."""
    for one, other in itertools.combinations(PANELS, 2):
        assert not places(one) & places(other), f"{one['title']} lies on {other['title']}"
    assert max(x for panel in PANELS for x, _ in places(panel)) < COLUMNS


def test_panels_can_be_told_apart() -> None:
    """By number and title, and their queries by letter; each says what it shows."""
    for name in ("id", "title"):
        assert len({panel[name] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0
        assert panel["type"] in KINDS and panel["description"].endswith(".")


def test_it_shows_whichever_prometheus_is_chosen() -> None:
    """No data source of anybody's own installation is named, and every variable that is used is there."""
    assert VARIABLES["datasource"]["type"] == "datasource" and VARIABLES["datasource"]["query"] == "prometheus"
    for each in [*PANELS, *(target for panel in PANELS for target in panel["targets"])]:
        assert each["datasource"] == DATASOURCE
    used = set(re.findall(r"\$\{?([a-z]+)\b", FILE.read_text()))
    assert used == VARIABLES.keys()


def test_the_variables_are_filled_from_what_is_told() -> None:
    """``job`` and ``group``, from metrics that have them."""
    for name in ("job", "group"):
        metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", VARIABLES[name]["definition"]).groups()  # type: ignore[union-attr]
        assert label == name and complaints(f"sum by ({label}) ({metric})") == []
        assert VARIABLES[name]["query"]["query"] == VARIABLES[name]["definition"]


def test_it_is_of_a_schema_that_grafana_reads() -> None:
    """The number of a version that has all of it (10.1 and later), and an identity of its own."""
    assert DASHBOARD["schemaVersion"] >= 38 and DASHBOARD["uid"] and DASHBOARD["title"] == "wsa-proxy"
    assert "id" not in DASHBOARD, "Grafana gives it one"
