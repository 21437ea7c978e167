"""/metrics: what an operator's alarms are built on."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.settings import ApiSettings
from indexer.nodes import report_text
from settlement.store.status import IndexerStatus, write_status
from tests.api.world import World

DOCS = Path(__file__).parents[2] / "docs" / "operator.md"


def scrape(world: World) -> dict[str, float]:
    """The samples by name and labels."""
    answer = world.client().get("/metrics")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    return {
        " ".join([sample.name, *(sample.labels[label] for label in sorted(sample.labels))]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_tell_where_the_replica_stands(fresh: World) -> None:
    fresh.apply(fresh.deposit("alice", "PEK", "5"))
    nodes = [
        {"url": "http://a", "kind": "Hive", "state": "ok", "error": None, "rested_until": None},
        {"url": "http://b", "kind": "Hive", "state": "disagrees", "error": "lies", "rested_until": 9},
    ]
    status = IndexerStatus(0, "following", fresh.block + 3, "a node", 0, report_text(nodes))
    write_status(fresh.engine, status)
    samples = scrape(fresh)
    assert samples["peakedex_database_up"] == 1
    assert samples["peakedex_block"] == fresh.block
    assert samples["peakedex_lag_blocks"] == 3
    assert samples["peakedex_waiting"] == 1
    assert samples["peakedex_node Hive disagrees http://b"] == 1
    assert samples["peakedex_node Hive ok http://b"] == 0
    assert samples["peakedex_node Hive ok http://a"] == 1


def test_without_a_database_the_scrape_says_so(tmp_path: Path) -> None:
    client = create_app(ApiSettings(database_url=f"sqlite:///{tmp_path}/none.db")).test_client()
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert "peakedex_database_up 0.0" in answer.text


def test_every_metric_is_documented(fresh: World) -> None:
    fresh.apply(fresh.deposit("alice", "PEK", "5"))
    write_status(fresh.engine, IndexerStatus(0, "following", fresh.block, None, None, None))
    text = DOCS.read_text("utf-8")
    for family in text_string_to_metric_families(fresh.client().get("/metrics").text):
        assert f"`{family.name}" in text, family.name
