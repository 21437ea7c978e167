"""/metrics: all metrics used by alarms."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from api.app import create_app
from api.settings import ApiSettings
from settlement.net.node_pool import report_json
from settlement.store import payout_schema
from settlement.store.indexer_status import IndexerStatus, write_status
from tests.support.api_client import ApiClient
from tests.system.api.world import World

DOCS = Path(__file__).parents[3] / "docs" / "operator.md"


def scrape(world: World, client: ApiClient | None = None) -> dict[str, float]:
    """The samples by name and labels."""
    answer = (client or world.client()).get("/metrics")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    return {
        " ".join([sample.name, *(sample.labels[label] for label in sorted(sample.labels))]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_tell_where_the_replica_stands(fresh: World) -> None:
    fresh.apply(fresh.deposit("alice", "PEK", "5"))
    nodes: list[dict[str, object]] = [
        {"url": "http://a", "kind": "Hive", "state": "ok", "error": None, "rested_until": None},
        {"url": "http://b", "kind": "Hive", "state": "disagrees", "error": "lies", "rested_until": 9},
    ]
    status = IndexerStatus(0, "following", fresh.block + 3, "a node", 0, report_json(nodes))
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
    client = ApiClient(create_app(ApiSettings(database_url=f"sqlite:///{tmp_path}/none.db")))
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert "peakedex_database_up 0.0" in answer.text


def test_rejections_are_counted_by_code_and_each_intent_once(fresh: World) -> None:
    client = fresh.client()
    fresh.apply(fresh.deposit("alice", "PEK", "5"), *[fresh.order("alice", "sell", "9", "1")] * 2)
    samples = scrape(fresh, client)
    assert samples["peakedex_intents_total"] == 2
    assert samples["peakedex_rejections_total E_FUNDS"] == 2
    assert samples["peakedex_blocks_total"] == 1
    fresh.apply(fresh.order("alice", "sell", "0.001", "1"), fresh.order("alice", "sell", "1", "1"))
    samples = scrape(fresh, client)
    assert scrape(fresh, client)["peakedex_rejections_total E_FUNDS"] == 2
    assert samples["peakedex_rejections_total E_PRECISION"] == 1
    assert samples["peakedex_intents_total"] == 4
    anew = scrape(fresh)  # as another process would
    assert {name: anew[name] for name in anew if name.startswith("peakedex_rejections")} == {
        name: samples[name] for name in samples if name.startswith("peakedex_rejections")
    }


def test_money_is_told_by_token_and_payouts_by_state(fresh: World) -> None:
    astray = fresh.deposit("mallory", "PEK", "1")._replace(recipient="peakedex.hive")
    fresh.apply(fresh.deposit("alice", "PEK", "5"), astray)
    asked = [fresh.action("alice", "withdraw", symbol="PEK", quantity=each) for each in ("1.5", "0.5")]
    fresh.apply(*asked, fresh.action("alice", "cancelWithdrawal", id=asked[1].id))
    samples = scrape(fresh)
    assert samples["peakedex_holdings PEK"] == samples["peakedex_liabilities PEK"] == 5
    assert samples["peakedex_insolvent PEK"] == 0
    assert samples["peakedex_payouts queued"] == 2  # the withdrawal, and the refund of what went astray
    assert samples["peakedex_payouts returning"] == 1
    assert samples["peakedex_payouts sent"] == 0
    note = {"kind": 0, "claim": 1, "state": "sent", "reason": None, "next_attempt": None}
    with fresh.engine.begin() as connection:
        connection.execute(insert(payout_schema.notes).values(note))
    samples = scrape(fresh)
    assert (samples["peakedex_payouts queued"], samples["peakedex_payouts sent"]) == (1, 1)


def test_what_is_missing_from_escrow_is_told(fresh: World) -> None:
    fresh.apply(fresh.deposit("alice", "PEK", "5"))
    stolen = fresh.deposit("alice", "PEK", "1")._replace(sender="peakedex.pek", recipient="mallory")
    fresh.apply(stolen)
    assert scrape(fresh)["peakedex_insolvent PEK"] == 1


def test_requests_are_counted_by_path_and_status(fresh: World) -> None:
    fresh.apply()
    client = fresh.client()
    for path in ("/api/orders/abc", "/api/orders/def", "/api/pairs", "/api/pairs?x=1", "/nothing"):
        client.get(path)
    client.get("/api/pairs", headers={"If-None-Match": client.get("/api/pairs").headers["ETag"]})
    samples = scrape(fresh, client)
    assert samples["peakedex_http_requests_total /api/orders/<id> 404"] == 2
    assert samples["peakedex_http_requests_total /api/pairs 200"] == 2
    assert samples["peakedex_http_requests_total /api/pairs 304"] == 1
    assert samples["peakedex_http_requests_total /api/pairs 400"] == 1
    assert samples["peakedex_http_requests_total other 404"] == 1
    assert samples["peakedex_http_request_seconds_count /api/pairs"] == 4
    assert samples["peakedex_http_request_seconds_bucket +Inf /api/pairs"] == 4
    assert 0 < samples["peakedex_http_request_seconds_sum /api/pairs"] < 60


def test_behind_and_streams_have_gauges(fresh: World) -> None:
    fresh.apply()
    write_status(fresh.engine, IndexerStatus(fresh.time, "following", fresh.block + 21, None, None, None))
    samples = scrape(fresh)
    assert (samples["peakedex_behind"], samples["peakedex_streams"]) == (1, 0)


def test_every_metric_is_documented(fresh: World) -> None:
    fresh.apply(fresh.deposit("alice", "PEK", "5"))
    write_status(fresh.engine, IndexerStatus(0, "following", fresh.block, None, None, None))
    text = DOCS.read_text("utf-8")
    for family in text_string_to_metric_families(fresh.client().get("/metrics").text):
        assert f"`{family.name}" in text, family.name
