"""Untrusted text in exports: lossless, and never a spreadsheet formula."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pyarrow.parquet as pq
import pytest

from indexer.ops.export.tables import TABLES
from tests.system.api.world import World
from tests.system.export.market import csv_rows, rows_of, saved

FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '"=1"', "a,b\nc")
RAW = (*FORMULAS, "\0", "\ud800", "\udfff\ud800", "\u202e", "%41", "é€😀", "", "-", "<script>")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("hostile"))
    world.apply(world.deposit("alice", "PEK", "1000"))
    world.apply(*(world.deposit("mallory", symbol, "1") for symbol in RAW))
    world.apply(*(world.deposit("mallory", "DOGE", quantity) for quantity in RAW))
    memos = [text for text in RAW if text and text.isprintable()]
    assert len(memos) > 5
    world.apply(*(world.action("alice", "withdraw", symbol="PEK", quantity="1", memo=memo) for memo in memos))
    order: dict[str, Any] = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": "1", "price": "1"}
    world.apply(*(world.action("alice", "sell", **order, ref=ref) for ref in ("-1-A1", "--", "1e9")))
    world.apply(world.deposit("bob", "SWAP.HIVE", "10"), world.action("bob", "buy", **order))
    yield world
    world.close()


@pytest.mark.parametrize("table", TABLES)
def test_no_cell_of_a_csv_begins_like_a_formula(world: World, tmp_path: Path, table: str) -> None:
    text = saved(world.url, tmp_path / "csv", table)
    assert text.isascii()
    assert not set(text) & set(range(32)) - {ord("\n")}
    rows = csv_rows(text)
    assert rows or table == "grants"  # which hold no text of anybody's choice
    assert [cell for row in rows for cell in row.values() if cell[:1] in tuple("=+-@\t\r")] == []
    assert all(len(row) == len(TABLES[table].columns) for row in rows)
    assert text.count(b"\n") == 1 + len(rows)


def test_the_text_comes_back_as_it_was(world: World, tmp_path: Path) -> None:
    """Including invalid UTF-8, and text that JSON and databases mishandle."""
    as_sent = [text.encode("utf-8", "surrogatepass") for text in RAW]
    path = tmp_path / "deposits"
    readings: list[list[dict[str, Any]]] = [
        csv_rows(saved(world.url, path, "deposits")),
        rows_of(saved(world.url, path, "deposits", "--format", "json")),
    ]
    saved(world.url, path, "deposits", "--format", "parquet")
    readings.append(pq.read_table(path).to_pylist())
    for rows in readings:
        odd = [row for row in rows if row["account"] == "mallory"]
        symbols, quantities = odd[: len(RAW)], odd[len(RAW) :]
        assert [as_it_was(row["symbol"]) for row in symbols] == as_sent
        assert [as_it_was(row["quantity"]) for row in quantities] == as_sent
        assert {row["status"] for row in odd} == {"ignored"}


def as_it_was(cell: str) -> bytes:
    """Empty text is a lone percent sign (protocol, section 11)."""
    return b"" if cell == "%" else unquote_to_bytes(cell)


def test_memos_and_references_come_back_as_they_were(world: World, tmp_path: Path) -> None:
    withdrawals = csv_rows(saved(world.url, tmp_path / "w", "withdrawals"))
    memos = [text for text in RAW if text and text.isprintable()]
    assert [unquote_to_bytes(row["memo"]).decode() for row in withdrawals] == memos
    refs = ["-1-A1", "--", "1e9"]
    orders = csv_rows(saved(world.url, tmp_path / "o", "orders"))
    assert [unquote_to_bytes(row["ref"]).decode() for row in orders if row["ref"]] == refs
    orders = rows_of(saved(world.url, tmp_path / "j", "orders", "--format", "json"))
    assert [row["ref"] for row in orders if row["ref"]] == refs
