"""Exports of what protocol 2 added: stops and what they fired, grantees, returning withdrawals, ignored arrivals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.api.world import World
from tests.system.export.market import rows_of, saved


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def exported(world: World, tmp_path: Path, table: str, *words: object) -> list[dict[str, Any]]:
    return rows_of(saved(world.url, tmp_path / "out", table, "--format", "json", *words))


def test_a_stop_and_a_protective_stop_that_fired(world: World, tmp_path: Path) -> None:
    world.apply(
        world.deposit("alice", "PEK", "1000"),
        world.deposit("bob", "SWAP.HIVE", "1000"),
        world.order("alice", "sell", "10", "0.01"),
        world.order("bob", "buy", "10", "0.01"),
        world.order("bob", "buy", "100", "0.009"),
    )
    stop = world.order(
        "alice", "sell", "5", "0.0091", triggerPrice="0.0095", triggerWhen="below", postOnly=True
    )
    protected = world.order("alice", "sell", "20", "0.02", stopPrice="0.0095", stopLimit="0.005")
    world.apply(stop, protected)
    before = world.block
    world.apply(world.order("alice", "sell", "60", "0.009"))
    rows = {row["seq"]: row for row in exported(world, tmp_path, "orders")}
    waited, kept, _, resting, sold = (rows[seq] for seq in sorted(rows)[3:])
    assert (waited["id"], waited["status"], waited["trigger_price"]) == (stop.id, "triggered", "0.009500")
    assert (waited["trigger_when"], waited["time_in_force"], waited["post_only"]) == ("below", "GTC", "post")
    assert (waited["fired_seq"], waited["stop_seq"]) == (resting["seq"], None)
    assert (resting["id"], resting["status"], resting["stop_seq"]) == (stop.id, "open", waited["seq"])
    assert resting["trigger_price"] is None
    assert (kept["status"], kept["stop_price"], kept["stop_limit"]) == ("cancelled", "0.009500", "0.005000")
    assert (sold["id"], sold["stop_seq"], kept["fired_seq"]) == (
        f"{protected.id}~stop",
        kept["seq"],
        sold["seq"],
    )
    assert sold["signed_by"] == "active"
    trades = exported(world, tmp_path, "trades")
    assert trades[-1]["taker_order"] == sold["id"]
    then = {row["seq"]: row for row in exported(world, tmp_path, "orders", "--to", before)}
    assert (then[waited["seq"]]["status"], then[waited["seq"]]["fired_seq"]) == ("waiting", None)


def test_a_withdrawal_that_is_returning(world: World, tmp_path: Path) -> None:
    withdrawal = world.action("alice", "withdraw", symbol="PEK", quantity="4")
    world.apply(world.deposit("alice", "PEK", "10"), withdrawal)
    before = world.block
    world.apply(world.action("alice", "cancelWithdrawal", id=withdrawal.id))
    [row] = exported(world, tmp_path, "withdrawals")
    assert (row["status"], row["returning_block"]) == ("pending", world.block)
    assert row["return_due"] is not None
    [then] = exported(world, tmp_path, "withdrawals", "--to", before)
    assert (then["return_due"], then["returning_block"]) == (None, None)


def test_arrivals_by_what_became_of_them(world: World, tmp_path: Path) -> None:
    astray = world.deposit("alice", "PEK", "3")._replace(recipient="peakedex.hive")
    world.apply(world.deposit("alice", "HBD", "1.000"), astray, world.deposit("alice", "DOGE", "2"))
    rows = exported(world, tmp_path, "deposits")
    assert [(row["status"], row["chain"], row["amount"], row["quantity"]) for row in rows] == [
        ("credited", "hive", "1.000", None),
        ("refund_due", "hive-engine", None, "3"),
        ("ignored", "hive-engine", None, "2"),
    ]
