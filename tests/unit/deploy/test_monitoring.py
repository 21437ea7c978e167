"""Dashboard and alarms refer only to existing metrics, labels and states; each alarm is in the operator's guide."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from api.routes.health import NODE_STATES
from settlement.store.read.payouts import STATES
from tests.support.doc_examples import DOCUMENTS
from tests.system.deploy.server import ROOT
from tests.unit.deploy.promtool import CURE, program

MONITORING: Final = ROOT / "deploy" / "monitoring"
SOURCE: Final = "".join(
    (ROOT / "api" / name).read_text("utf-8")
    for name in ("routes/metrics.py", "machine_metrics.py", "request_metrics.py")
)
SUFFIXES: Final = {
    "Gauge": [""],
    "Counter": ["_total"],
    "Info": ["_info"],
    "Histogram": ["_bucket", "_sum", "_count"],
}
METRICS: Final = {
    name + suffix
    for kind, name in re.findall(r'(Gauge|Counter|Info|Histogram)(?:MetricFamily)?\(\s*"(\w+)"', SOURCE)
    for suffix in SUFFIXES[kind]
}
VALUES: Final = {"state": {*STATES, *NODE_STATES}}
FUNCTIONS: Final = {
    *(
        "absent",
        "and",
        "by",
        "count",
        "group_right",
        "histogram_quantile",
        "le",
        "min",
        "max",
        "min_over_time",
        "on",
        "or",
        "predict_linear",
        "rate",
        "sum",
    ),
    *("instance", "symbol", "kind", "state", "code", "path", "status", "url"),
}

[GROUP] = yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
RULES: Final[list[dict[str, Any]]] = GROUP["rules"]
DASHBOARD: Final[dict[str, Any]] = json.loads((MONITORING / "grafana.json").read_text("utf-8"))
EXPRESSIONS: Final = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    },
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_is_of_metrics_labels_and_states_that_exist(name: str) -> None:
    expression = EXPRESSIONS[name]
    used = set(re.findall(r"\bpeakedex_\w+", expression))
    assert used, name
    assert used <= METRICS
    for label, sign, value in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', expression):
        if label in VALUES:
            assert set(value.split("|")) <= VALUES[label], expression
        assert sign == "=~" or "|" not in value
    bare = re.sub(r'"[^"]*"|\[\w+\]|\{|\}', " ", expression)
    words = set(re.findall(r"[A-Za-z_]\w*", bare)) - used
    assert words <= FUNCTIONS, f"{name}: mistyped?"
    assert expression.count("(") == expression.count(")")


def test_a_mistyped_metric_or_state_would_be_found() -> None:
    assert len(METRICS) > 25
    assert {"peakedex_info", "peakedex_trades_total", "peakedex_http_request_seconds_bucket"} <= METRICS
    assert "peakedex_trades" not in METRICS


def test_every_rule_is_whole() -> None:
    assert GROUP["name"] == "peakedex"
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 15
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Peakedex[A-Z]\w+", rule["alert"])
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith((".", "?"))
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))


def test_every_alarm_has_its_line_in_the_operator_s_guide_and_no_other() -> None:
    lines = re.findall(r"^\| `(Peakedex\w+)` \| (page|ticket) \|", DOCUMENTS["operator.md"], re.MULTILINE)
    assert lines == [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]


UNIT_TESTS: Final = """
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'peakedex_node{kind="engine", url="only", state="ok"}', values: '1x60 0x60'}
      - {series: 'peakedex_node{kind="hive", url="a", state="ok"}', values: '1x120'}
      - {series: 'peakedex_node{kind="hive", url="b", state="ok"}', values: '1x60 0x60'}
      - {series: 'peakedex_node{kind="peer", url="a", state="ok"}', values: '1x120'}
      - {series: 'peakedex_node{kind="peer", url="b", state="ok"}', values: '1x120'}
      - {series: 'peakedex_node{kind="peer", url="c", state="ok"}', values: '0x120'}
      - {series: 'peakedex_backup_age_seconds', values: '3600x60 110000x60'}
      - {series: 'peakedex_backup_failed', values: '0x60 1x60'}
    alert_rule_test:
      - {alertname: PeakedexNodesResting, eval_time: 50m}
      - alertname: PeakedexNodesResting
        eval_time: 110m
        exp_alerts:
          - exp_labels: {severity: ticket, kind: engine}
            exp_annotations: {summary: "Fewer than two of several engine nodes work, or the only one does not."}
          - exp_labels: {severity: ticket, kind: hive}
            exp_annotations: {summary: "Fewer than two of several hive nodes work, or the only one does not."}
      - {alertname: PeakedexBackupOld, eval_time: 50m}
      - {alertname: PeakedexBackupFailed, eval_time: 50m}
      - alertname: PeakedexBackupOld
        eval_time: 110m
        exp_alerts: [{exp_labels: {severity: ticket}, exp_annotations: {summary: There is no backup of the last 30 hours.}}]
      - alertname: PeakedexBackupFailed
        eval_time: 110m
        exp_alerts: [{exp_labels: {severity: ticket}, exp_annotations: {summary: The newest backup has failed.}}]
  - interval: 4m
    input_series:
      - {series: 'peakedex_disk_size_bytes{folder="calm"}', values: '100000000000x200'}
      - {series: 'peakedex_disk_free_bytes{folder="calm"}', values: '50000000000-1000000x200'}
      - {series: 'peakedex_disk_size_bytes{folder="filling"}', values: '100000000000x200'}
      - {series: 'peakedex_disk_free_bytes{folder="filling"}', values: '39000000000-100000000x200'}
      - {series: 'peakedex_disk_size_bytes{folder="full"}', values: '100000000000x200'}
      - {series: 'peakedex_disk_free_bytes{folder="full"}', values: '500000000x200'}
    alert_rule_test:
      - alertname: PeakedexDiskFilling
        eval_time: 600m
        exp_alerts:
          - exp_labels: {severity: ticket, folder: filling}
            exp_annotations: {summary: "The disk of filling is nearly full, or will be within three days."}
          - exp_labels: {severity: ticket, folder: full}
            exp_annotations: {summary: "The disk of full is nearly full, or will be within three days."}
      - alertname: PeakedexDiskFull
        eval_time: 600m
        exp_alerts:
          - exp_labels: {severity: page, folder: full}
            exp_annotations: {summary: full has 476.8MiB left.}
"""


@pytest.mark.skipif(program() is None, reason=CURE)
def test_prometheus_raises_the_alarms_of_nodes_backups_and_disks(tmp_path: Path) -> None:
    """Evaluated by Prometheus' own tool: one Hive-Engine node alone is no alarm while it works."""
    shutil.copy(MONITORING / "alerts.yml", tmp_path)
    queries = [
        {"record": "query", "expr": each.replace("$__rate_interval", "5m")} for each in EXPRESSIONS.values()
    ]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": queries}]}))
    (tmp_path / "tests.yml").write_text(UNIT_TESTS)
    for words in (
        ["check", "rules", "alerts.yml"],
        ["check", "rules", "queries.yml"],
        ["test", "rules", "tests.yml"],
    ):
        done = subprocess.run(
            [str(program()), *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


KNOWN_PANELS: Final = {"stat", "timeseries", "table", "row", "gauge", "bargauge", "state-timeline", "text"}


def test_the_dashboard_can_be_imported() -> None:
    """Checked without Grafana: what its import and its panels need. It was not loaded into a Grafana."""
    assert DASHBOARD.get("id") is None
    assert re.fullmatch(r"[a-z0-9-]{1,40}", DASHBOARD["uid"])
    assert DASHBOARD["title"]
    assert DASHBOARD["schemaVersion"] >= 36
    assert {panel["type"] for panel in DASHBOARD["panels"]} <= KNOWN_PANELS
    for panel in DASHBOARD["panels"]:
        names = [target["refId"] for target in panel["targets"]]
        assert len(names) == len(set(names)) > 0
        assert panel["title"]
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)), "panels overlap"
    panels = DASHBOARD["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in panels]
    assert len(set(places)) == len(places)
    assert all(x + width <= 24 for x, _, width, _ in places)
