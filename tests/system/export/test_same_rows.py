"""Deterministic exports: the same bytes from both databases, in all formats, at any later time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from indexer.ops.export.tables import TABLES, Type
from tests.system.cli.command import peakedex
from tests.system.export.market import LAST, MIDDLE, Market, csv_rows, names, query, rows_of, saved

HISTORIES = [name for name, table in TABLES.items() if table.is_history]
FORMATS = ("csv", "json", "parquet")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    market = Market.record(tmp_path_factory.mktemp("market"))
    yield market
    market.close()


@pytest.fixture(scope="module")
def everything(market: Market) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, exported from SQLite as JSON."""
    return {
        name: rows_of(saved(market.sqlite, market.folder / f"all-{name}", name, "--format", "json"))
        for name in TABLES
    }


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("table", TABLES)
def test_both_databases_give_the_same_bytes(market: Market, tmp_path: Path, table: str, form: str) -> None:
    first = saved(market.sqlite, tmp_path / "sqlite", table, "--format", form)
    assert first == saved(market.postgresql, tmp_path / "postgresql", table, "--format", form)
    assert len(first) > 500


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("table", TABLES)
def test_what_was_said_at_a_block_can_be_said_again_later(
    market: Market, tmp_path: Path, table: str, database: str
) -> None:
    """Open orders, pending withdrawals and balances are those of a database at that block."""
    then = saved(market.middle, tmp_path / "then", table, "--format", "json")
    url = getattr(market, database)
    assert saved(url, tmp_path / "now", table, "--format", "json", "--to", MIDDLE) == then
    assert saved(url, tmp_path / "newest", table, "--format", "json") != then


def test_the_last_block_may_be_named(market: Market, tmp_path: Path) -> None:
    for table in TABLES:
        unnamed = saved(market.sqlite, tmp_path / "unnamed", table)
        assert saved(market.sqlite, tmp_path / "named", table, "--to", LAST) == unnamed


@pytest.mark.parametrize("table", HISTORIES)
def test_ranges_of_blocks_meet_without_a_gap(
    market: Market, tmp_path: Path, everything: dict[str, list[dict[str, Any]]], table: str
) -> None:
    borders = [1, 2, MIDDLE, MIDDLE + 1, LAST, LAST + 1]
    found = []
    for first, after in pairwise(borders):
        span = ("--from", first, "--to", after - 1)
        part = rows_of(saved(market.sqlite, tmp_path / "part", table, "--format", "json", *span))
        assert all(first <= row["block"] < after for row in part)
        found += part
    key = {"n", "seq", "id"} & set(names(table, Type.INTEGER)) or {
        "block",
        "account",
        "symbol",
        "base",
        "quote",
    }
    assert [_part(row, key) for row in found] == [_part(row, key) for row in everything[table]]
    assert found


def _part(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in names}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("table", [name for name, table in TABLES.items() if table.is_of_accounts])
def test_a_user_s_rows_are_those_that_name_the_user(
    market: Market, tmp_path: Path, everything: dict[str, list[dict[str, Any]]], table: str, database: str
) -> None:
    user = "trader-2"
    url = getattr(market, database)
    own = rows_of(saved(url, tmp_path / "own", table, "--format", "json", "--user", user))
    parties = {"trades": ("taker", "maker"), "transfers": ("debit", "credit")}.get(table, ("account",))
    assert own == [row for row in everything[table] if user in [row[name] for name in parties]]
    assert 0 < len(own) < len(everything[table])
    assert rows_of(saved(url, tmp_path / "none", table, "--format", "json", "--user", "nobody.here")) == []


@pytest.mark.parametrize("table", ["orders", "trades", "marks"])
def test_a_pair_s_rows(
    market: Market, tmp_path: Path, everything: dict[str, list[dict[str, Any]]], table: str
) -> None:
    own = rows_of(saved(market.postgresql, tmp_path / "pair", table, "--format", "json", "--pair", "PEK/HBD"))
    assert own == [row for row in everything[table] if (row["base"], row["quote"]) == ("PEK", "HBD")]
    assert own


@pytest.mark.parametrize("table", TABLES)
def test_csv_and_json_and_parquet_hold_the_same(
    market: Market, tmp_path: Path, everything: dict[str, list[dict[str, Any]]], table: str
) -> None:
    rows = everything[table]
    shown = csv_rows(saved(market.sqlite, tmp_path / "csv", table))
    assert [{name: value or None for name, value in row.items()} for row in shown] == [
        {name: None if value is None else str(value) for name, value in row.items()} for row in rows
    ]
    path = tmp_path / "parquet"
    saved(market.sqlite, path, table, "--format", "parquet")
    columns = {column.name: column.type for column in TABLES[table].columns}
    assert pq.read_table(path).to_pylist() == [
        {name: _typed(columns[name], value) for name, value in row.items()} for row in rows
    ]


def _typed(kind: Type, value: Any) -> Any:
    if value is None:
        return None
    if kind in (Type.AMOUNT, Type.PRICE):
        return Decimal(value)
    return datetime.fromisoformat(value) if kind is Type.TIME else value


@pytest.mark.parametrize("table", TABLES)
def test_duckdb_reads_the_types_and_sums_exactly(
    market: Market, tmp_path: Path, everything: dict[str, list[dict[str, Any]]], table: str
) -> None:
    """No column name is an SQL keyword."""
    path = tmp_path / "parquet"
    saved(market.sqlite, path, table, "--format", "parquet")
    rows = everything[table]
    every = ", ".join(column.name for column in TABLES[table].columns)
    asked = query(f"SELECT {every} FROM read_parquet('{path}')")
    kinds = {
        Type.INTEGER: "BIGINT",
        Type.TEXT: "VARCHAR",
        Type.TIME: "TIMESTAMP WITH TIME ZONE",
        Type.AMOUNT: "DECIMAL(27,8)",
        Type.PRICE: "DECIMAL(37,18)",
    }
    assert [str(kind) for kind in asked.types] == [kinds[column.type] for column in TABLES[table].columns]
    for name in names(table, Type.AMOUNT):
        ((total,),) = query(f"SELECT sum({name}) FROM read_parquet('{path}')").fetchall()
        assert total == sum(Decimal(row[name]) for row in rows if row[name] is not None)
    for name in names(table, Type.TIME):
        shown = query(
            f"SELECT strftime({name} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') FROM read_parquet('{path}')"
        )
        assert [row[0] for row in shown.fetchall()] == [row[name] for row in rows]


def test_the_metadata_says_what_it_is_of(market: Market, tmp_path: Path) -> None:
    path = tmp_path / "trades"
    about = json.loads(saved(market.sqlite, path, "trades", "--format", "json", "--to", MIDDLE))
    del about["rows"], about["count"]
    saved(market.sqlite, path, "trades", "--format", "parquet", "--to", MIDDLE)
    assert json.loads(pq.read_schema(path).metadata[b"peakedex"]) == about
    assert (about["peakedex_export"], about["table"], about["block"], about["from"]) == (
        1,
        "trades",
        MIDDLE,
        1,
    )
    state = peakedex("state", "--db", market.sqlite, "--block", MIDDLE, "--json").json
    assert (about["journal_hash"], about["venue_hash"]) == (state["journal_hash"], state["venue_hash"])
