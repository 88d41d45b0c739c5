"""configs/prometheus-rules.yaml: each alert fires when it should, and at nothing else; judged by promtool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.admin.alert_cases import CASES
from tests.admin.alert_cases import MINUTES
from tests.admin.alert_cases import Case
from tests.admin.documents import document
from tests.admin.promql import complaints
from tests.admin.scraped import scraped
from tests.docs.test_links import anchors
from wsa_proxy.admin.group_metrics import GROUP_METRICS
from wsa_proxy.admin.metric import PREFIX

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "configs" / "prometheus-rules.yaml"
RULES: list[dict[str, Any]] = [
    rule for group in YAML(typ="safe").load(FILE.read_text())["groups"] for rule in group["rules"]
]
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")

UNITS_S = {"s": 1, "m": 60, "h": 3600}


def promtool(*arguments: str) -> None:
    ended = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def for_s(alert: str) -> int:
    """So long it must have been true; 0: it fires at once."""
    (text,) = [rule.get("for", "0s") for rule in RULES if rule["alert"] == alert]
    return int(text[:-1]) * UNITS_S[text[-1]]


def asked(alert: str, at: str, state: str, labels: dict[str, str] | None) -> dict[str, Any]:
    """promtool's question whether this alert is in this state then; None: it is not."""
    told = {"alertname": alert, "alertstate": state} | (labels or {})
    text = ", ".join(f'{name}="{value}"' for name, value in told.items())
    expected = [] if labels is None else [{"labels": f"ALERTS{{{text}}}", "value": 1}]
    return {"expr": f'ALERTS{{alertname="{alert}", alertstate="{state}"}}', "eval_time": at, "exp_samples": expected}


def trials_of(case: Case) -> list[dict[str, Any]]:
    """That it fires, not before its time, and is silent in each of the quiet cases."""
    labels = case.labels | {"severity": case.severity}
    questions = [asked(case.alert, f"{case.minutes}m", "firing", labels)]
    if patience_s := for_s(case.alert):
        before = f"{patience_s - every_s(case)}s"
        questions += [asked(case.alert, before, "firing", None), asked(case.alert, before, "pending", labels)]
    silent = [asked(case.alert, f"{case.minutes}m", "firing", None)]
    return [trial(case.bad, questions), *(trial(each, silent) for each in case.quiet)]


def every_s(case: Case) -> int:
    """Seconds between two looks of promtool at the rule."""
    return 10 if case.minutes < 60 else 300


def trial(series: list[tuple[str, str]], questions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series],
        "promql_expr_test": questions,
    }


def judge(folder: Path, tests: list[dict[str, Any]], rules: list[dict[str, Any]], seconds: int) -> None:
    """With a look at these rules each so many seconds. JSON is YAML."""
    (folder / "rules.yaml").write_text(json.dumps({"groups": [{"name": "some", "rules": rules}]}))
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": f"{seconds}s", "tests": tests}
    path = folder / "test.yaml"
    path.write_text(json.dumps(whole))
    promtool("test", "rules", str(path))


@needs_promtool
def test_promtool_can_read_the_rules() -> None:
    """Expressions, durations and the templates of the texts."""
    promtool("check", "rules", str(FILE))


@needs_promtool
def test_promtool_can_read_the_example_of_a_configuration() -> None:
    """It names the rules, and where the token is."""
    path = ROOT / "configs" / "prometheus.yaml"
    promtool("check", "config", "--syntax-only", str(path))
    example = YAML(typ="safe").load(path.read_text())
    assert example["rule_files"] == [FILE.name]
    (job,) = example["scrape_configs"]
    assert re.match("wsa-proxy", job["job_name"]) and job["authorization"]["type"] == "Bearer"


def test_each_alert_has_its_case() -> None:
    """One each, so none goes untried."""
    assert [rule["alert"] for rule in RULES] == [case.alert for case in CASES]
    assert all(case.quiet for case in CASES)


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_when_it_should_and_not_before(case: Case, tmp_path: Path) -> None:
    """With these labels; not within its patience, and at nothing that only resembles it."""
    judge(tmp_path, trials_of(case), [rule for rule in RULES if rule["alert"] == case.alert], every_s(case))


@needs_promtool
def test_nothing_fires_over_a_healthy_pair(tmp_path: Path) -> None:
    """Everything that two real nodes tell, for ten hours."""
    series = [("up{job='wsa-proxy', instance='a:8112'}", f"1x{MINUTES}")]
    for name in ("a", "b"):
        for (metric, *labels), value in scraped(document(name)).items():
            pairs = [each.partition("=") for each in [*labels, "job=wsa-proxy", f"instance={name}:8112"]]
            text = ", ".join(f'{label}="{given}"' for label, _, given in pairs)
            series.append((f"{PREFIX}{metric}{{{text}}}", f"{value}x{MINUTES}"))
    quiet = {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{MINUTES}m", "exp_samples": []}
    judge(tmp_path, [trial(series, [quiet])], RULES, 300)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_told(rule: dict[str, Any]) -> None:
    """Its metrics and their labels are in /metrics; whom it wakes up is told what to do, and where more is written."""
    assert complaints(rule["expr"]) == []
    assert rule["labels"]["severity"] in ("critical", "warning")
    annotations = rule["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook"}
    (case,) = [case for case in CASES if case.alert == rule["alert"]]
    used = set(re.findall(r"\$labels\.(\w+)", annotations["summary"] + annotations["description"]))
    assert used <= case.labels.keys(), "a label that the alert does not have is shown as nothing"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_where_more_is_written_exists(rule: dict[str, Any]) -> None:
    """A heading of that file."""
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors(ROOT / file), f"{file} has no {anchor}"


def test_the_metrics_of_the_issue_are_watched() -> None:
    """Whatever tells of trouble by itself has an alert."""
    expressions = " ".join(rule["expr"] for rule in RULES)
    troubles = {"healthy_standbys", "findings", "service_up", "lease_age_seconds", "last_outage_seconds"}
    assert troubles <= {metric.name for metric in GROUP_METRICS}
    assert all(f"{PREFIX}{name}" in expressions for name in troubles)
