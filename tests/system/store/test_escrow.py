"""Rows beside the ledger: operations on escrow accounts, from archives of both shapes, and real balances."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from settlement.core.journal.state_text import state_hash
from settlement.store import schema
from settlement.store.escrow_balances import EscrowBalance, write_balances
from settlement.store.read.audit.solvency import count_operations, list_operations, read_solvency
from settlement.store.write.rebuild import check, rebuild
from tests.support.blocks import Operation, block_value, transaction_id
from tests.system.store.chains import dump, replay

ESCROW, OTHER = "peakedex.hbd", "peakedex.pek"
HOSTILE = "\ud800\u0000\\ \t%"


def archive(folder: Path, shape: str = "block_api") -> Path:
    """Three blocks: operations of two escrow accounts, then none, then one of another account."""
    power_up: Operation = ("transfer_to_vesting", {"from": ESCROW, "to": "bob"})
    keys: Operation = (
        "account_update",
        {"account": OTHER, "json_metadata": HOSTILE, "extensions": [HOSTILE]},
    )
    recurring: Operation = ("recurrent_transfer", {"from": "bob", "to": ESCROW, "memo": HOSTILE * 900})
    previous, lines = None, []
    for number, transactions in ((1, [[power_up], [keys]]), (2, []), (3, [[recurring]])):
        value = block_value(number, transactions, previous=previous, shape=shape)
        previous = value["block_id"]
        lines.append(json.dumps(value) + "\n")
    folder.mkdir()
    (folder / "blocks.jsonl").write_text("".join(lines))
    (folder / "receipts.jsonl").write_text("")
    return folder


@pytest.mark.parametrize("shape", ["block_api", "condenser"])
def test_operations_are_recorded_with_the_blocks(tmp_path: Path, shape: str) -> None:
    _, database = replay(archive(tmp_path / "chain", shape))
    with database.connect() as connection:
        acting = list_operations(connection, acting=True, limit=10)
        [named] = list_operations(connection, acting=False, limit=10)
        counts = [count_operations(connection, after) for after in (0, 1)]
    assert [(row.block, row.type, row.account, row.transaction_id) for row in acting] == [
        (1, "account_update", OTHER, transaction_id(1, 1)),
        (1, "transfer_to_vesting", ESCROW, transaction_id(1, 0)),
    ]
    assert json.loads(acting[1].text) == {"from": ESCROW, "to": "bob"}
    assert json.loads(acting[0].text)["json_metadata"] == HOSTILE
    assert (named.block, named.type, named.account) == (3, "recurrent_transfer", ESCROW)
    assert counts == [{ESCROW: 1, OTHER: 1}, {}]


def test_they_are_the_same_in_any_batches_and_change_no_state(tmp_path: Path) -> None:
    folder = archive(tmp_path / "chain")
    whole, database = replay(folder)
    each, another = replay(folder, batch=1)
    assert dump(database) == dump(another)
    assert len(dump(database)["escrow_operations"]) == 3
    assert state_hash(whole.state) == state_hash(each.state)


def test_a_rebuild_keeps_them(tmp_path: Path) -> None:
    _, database = replay(archive(tmp_path / "chain"))
    before = dump(database)
    with database.connect() as connection:
        check(connection)
    rebuild(database)
    assert dump(database) == before


def test_balances_are_replaced_by_token_and_have_no_limit(tmp_path: Path) -> None:
    _, database = replay(archive(tmp_path / "chain"))
    write_balances(database, [EscrowBalance("HBD", 5, 2, 10), EscrowBalance("PEK", 10**40, 3, 10)])
    write_balances(database, [EscrowBalance("HBD", 7, 103, 70)])
    write_balances(database, [])
    with database.connect() as connection:
        real = {row.symbol: row.real for row in read_solvency(connection) if row.real is not None}
        assert set(connection.scalars(select(schema.escrow_balances.c.symbol))) == {"HBD", "PEK"}
    assert real["PEK"] == (10**40, 3, 10, 10**40)
    assert real["HBD"] == (7, 103, 70, 7)
    write_balances(database, [EscrowBalance("HBD", 7, 104, 71)])  # more than 100 blocks ahead of the ledger
    with database.connect() as connection:
        [hbd] = [row.real for row in read_solvency(connection) if row.symbol == "HBD"]
    assert hbd is not None
    assert hbd.difference is None
