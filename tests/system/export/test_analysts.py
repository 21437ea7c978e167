"""docs/analysts.md: its examples run, and their results are correct."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from api.app import create_app
from api.settings import ApiSettings
from indexer.ops.export.tables import TABLES
from settlement.store.write.projector import make_read_indexes
from tests.support.api_client import ApiClient
from tests.system.cli.command import OK, peakedex
from tests.system.export.market import query, rows_of
from tests.system.store.chains import lively, replay

GUIDE = (Path(__file__).parents[3] / "docs" / "analysts.md").read_text("utf-8")
VOLUMES, MAKERS, FEES, SOLVENT, DERIVED, MARKS, STOPS, GRANTS, PAST, ABOUT = re.findall(
    r"^```sql duckdb\n(.*?)^```$", GUIDE, re.M | re.S
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's folder: a dump of a market, and the API's solvency report."""
    folder = tmp_path_factory.mktemp("analysts")
    database = str(folder / "peakedex.db")
    _, engine = replay(lively(2, 60).write(folder / "recorded"), database)
    make_read_indexes(engine)
    engine.dispose()
    assert "peakedex export --all dump --db peakedex.db --format parquet\n" in GUIDE
    assert peakedex("export", "--all", folder / "dump", "--db", database, "--format", "parquet").code == OK
    client = ApiClient(create_app(ApiSettings(database_url=database)))
    (folder / "solvency.json").write_bytes(client.get("/api/solvency").data)
    return folder


@pytest.fixture
def trades(folder: Path) -> list[dict[str, Any]]:
    run = peakedex("export", "trades", "--db", folder / "peakedex.db", "--format", "json")
    return rows_of(run.out.encode())


@pytest.fixture(autouse=True)
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def ask(sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in query(sql).fetchall()]


def test_volume_by_pair_and_day(trades: list[dict[str, Any]]) -> None:
    expected: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for row in trades:
        key = (f"{row['base']}/{row['quote']}", row["ts"][:10])
        count, base, quote = expected[key]
        expected[key] = [count + 1, base + Decimal(row["amount"]), quote + Decimal(row["quote_amount"])]
    found = ask(VOLUMES)
    assert [(pair, str(day), *sums) for pair, day, *sums, _ in found] == [
        (*key, *sums) for key, sums in sorted(expected.items())
    ]
    assert all(abs(float(quote / base) - price) < 1e-9 * price for *_, base, quote, price in found)
    assert len(found) > 3


def test_who_makes_the_market(trades: list[dict[str, Any]]) -> None:
    made: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in trades:
        made[row["quote"], row["maker"]] += Decimal(row["quote_amount"])
    found = ask(MAKERS)
    assert [(quote, maker, total) for quote, maker, _, total, _ in found] == [
        (quote, maker, total)
        for (quote, maker), total in sorted(made.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    ]
    assert {
        quote: round(sum(row[4] for row in found if row[0] == quote)) for quote in {row[0] for row in found}
    } == (dict.fromkeys({row[0] for row in found}, 100))


def test_fees(trades: list[dict[str, Any]]) -> None:
    fees: dict[str, Decimal] = defaultdict(Decimal)
    for row in trades:
        fees[row["base"]] += Decimal(row["buyer_fee"])
        fees[row["quote"]] += Decimal(row["seller_fee"])
    assert ask(FEES) == sorted((symbol, fee) for symbol, fee in fees.items() if fee)
    assert ask(FEES)


def test_the_reconciliations_find_nothing_and_find_what_is_wrong(folder: Path) -> None:
    assert ask(SOLVENT) == []
    assert ask(DERIVED) == []
    said = json.loads((folder / "solvency.json").read_bytes())
    for token in said["tokens"]:
        if token["symbol"] == "PEK":
            token["liabilities"] = "1.00000000"
    (folder / "lie.json").write_text(json.dumps(said))
    assert [row[0] for row in ask(SOLVENT.replace("solvency.json", "lie.json"))] == ["PEK"]
    duckdb.sql(
        "COPY (SELECT * FROM 'dump/transfers.parquet' WHERE n <> 7) TO 'fewer.parquet' (FORMAT parquet)"
    )
    assert ask(DERIVED.replace("dump/transfers.parquet", "fewer.parquet"))


def test_marks_stops_and_grants_are_those_of_the_api(folder: Path) -> None:
    """The last row of each pair is the mark that the API shows; likewise the stops that wait, and the grants."""
    client = ApiClient(create_app(ApiSettings(database_url=str(folder / "peakedex.db"))))
    last = {pair: (amount, quote) for pair, _, amount, quote, _ in ask(MARKS)}
    assert last == {
        f"{row['base']}/{row['quote']}": (Decimal(row["amount"]), Decimal(row["quote_amount"]))
        for row in client.get("/api/marks").get_json()["marks"]
        if row["mark"] is not None
    }
    assert last
    stops = ask(STOPS)
    assert {status for _, _, _, status, _, _ in stops} >= {"waiting", "triggered"}
    assert sum(row[-1] for row in stops) == len(
        ask("SELECT seq FROM 'dump/orders.parquet' WHERE trigger_price IS NOT NULL")
    )
    given = {
        (row["user"], row["to"], allowance["symbol"], Decimal(allowance["per_day"]))
        for (user,) in ask("SELECT DISTINCT account FROM 'dump/grants.parquet'")
        for row in client.get(f"/api/grants?user={user}").get_json()["given"]
        for allowance in row["allowances"]
    }
    assert {(account, to, symbol, per_day) for account, to, _, symbol, per_day in ask(GRANTS)} == given
    assert given


def test_balances_follow_from_their_changes() -> None:
    assert ask(PAST) == []
    fewer = "(SELECT * FROM 'dump/balance_changes.parquet' WHERE account <> 'trader-1')"
    assert ask(PAST.replace("'dump/balance_changes.parquet'", fewer))


def test_what_a_file_is_of(folder: Path) -> None:
    ((about,),) = ask(ABOUT)
    manifest = json.loads((folder / "dump" / "manifest.json").read_bytes())
    assert (json.loads(about)["table"], json.loads(about)["block"]) == ("trades", manifest["block"])


def test_the_guide_names_every_column() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (`seq`.*|`id`.*|`n`.*|`block`.*) \|$", GUIDE, re.M))
    assert {table: re.findall(r"`(\w+)`", text) for table, text in rows.items()} == {
        table.name: [column.name for column in table.columns] for table in TABLES.values()
    }
