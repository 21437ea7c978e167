"""Dashboard and alarms refer only to existing metrics, labels and states; each alarm is in the operator's guide."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
import yaml

from api.routes.health import NODE_STATES
from settlement.store.read.payouts import STATES
from tests.support.doc_examples import DOCUMENTS
from tests.system.deploy.server import ROOT

MONITORING: Final = ROOT / "deploy" / "monitoring"
SOURCE: Final = "".join(
    (ROOT / "api" / name).read_text("utf-8") for name in ("routes/metrics.py", "request_metrics.py")
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
        "group_right",
        "histogram_quantile",
        "le",
        "min",
        "max",
        "min_over_time",
        "on",
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


def test_the_dashboard_can_be_imported() -> None:
    panels = DASHBOARD["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in panels]
    assert len(set(places)) == len(places)
    assert all(x + width <= 24 for x, _, width, _ in places)
