"""Escrow accounts beside the ledger: operations that have no journal line, and real balances."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, select

from api.app import create_app
from api.settings import ApiSettings
from indexer.devnet.hive.operations import Coin, PowerUp, Transfer
from indexer.follow.escrow_balances import BalanceWatch
from settlement.core.parsing.amounts import show_units
from settlement.store import schema
from settlement.store.database import open_writer
from tests.support import databases
from tests.support.api_client import ApiClient
from tests.system.cli.world import World, world

ESCROW = "peakedex.hbd"
DAY_BLOCKS = 28_800


@pytest.fixture
def live() -> Iterator[World]:
    with world(blocks=30) as live:
        live.node.faucet(ESCROW, "HIVE", "50")
        live.node.faucet("mallory", "HIVE", "50")
        yield live


class Followed(NamedTuple):
    """A database, and the API on it."""

    engine: Engine
    client: ApiClient

    def alarms(self) -> Any:
        return self.client.get("/api/health").json["alarms"]

    def solvency(self) -> dict[str, Any]:
        return dict(self.client.get("/api/solvency").json)

    def token(self, symbol: str = "HBD") -> dict[str, Any]:
        return next(each for each in self.solvency()["tokens"] if each["symbol"] == symbol)

    def metrics(self) -> dict[str, float]:
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return {
            " ".join((sample.name, *sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }


def follow(live: World, folder: Path) -> Followed:
    """Index up to the last irreversible block."""
    for _ in range(live.node.chain.lag + 3):
        live.node.tick()
    path = folder / "dex.db"
    live.follow(path)
    client = ApiClient(create_app(ApiSettings(database_url=databases.url(path))))
    return Followed(open_writer(str(path)), client)


class Near:
    """An indexer that follows the chain."""

    irreversible, catching_up = 1, False


def watch(live: World, followed: Followed, *nodes: str, engine_nodes: tuple[str, ...] = ()) -> BalanceWatch:
    hive, engine = nodes or (live.server.url,), engine_nodes or (live.server.engine_url,)
    return BalanceWatch(followed.engine, Near(), hive, engine)


def test_a_power_up_from_escrow_is_an_alarm_a_metric_and_in_the_audit(live: World, tmp_path: Path) -> None:
    id_ = live.node.broadcast([PowerUp(ESCROW, "mallory", Coin(1234, "HIVE"))])
    block = live.node.chain.head + 1
    followed = follow(live, tmp_path)
    assert followed.alarms() == [
        f"An escrow account was used outside the exchange: transfer_to_vesting of {ESCROW} in block {block}."
    ]
    assert followed.metrics()[f"peakedex_escrow_operations {ESCROW}"] == 1
    [shown] = followed.solvency()["escrow_operations"]
    value = json.loads(shown.pop("operation"))
    assert value == {"amount": "1.234 HIVE", "from": ESCROW, "to": "mallory"}
    assert shown == {
        "transaction_id": id_,
        "operation_index": 0,
        "block": block,
        "type": "transfer_to_vesting",
        "account": ESCROW,
        "acting": True,
    }


def test_what_others_aim_at_escrow_is_shown_but_no_alarm(live: World, tmp_path: Path) -> None:
    for _ in range(25):
        live.node.broadcast([PowerUp("mallory", ESCROW, Coin(1, "HIVE"))])
    mine = live.node.broadcast([PowerUp(ESCROW, ESCROW, Coin(1, "HIVE"))])
    followed = follow(live, tmp_path)
    assert len(followed.alarms()) == 1
    shown = followed.solvency()["escrow_operations"]
    assert [(each["acting"], each["type"]) for each in shown] == [
        (True, "transfer_to_vesting"),
        *[(False, "transfer_to_vesting")] * 20,
    ]
    assert shown[0]["transaction_id"] == mine


def test_an_alarm_lasts_a_week_and_counts_all(live: World, tmp_path: Path) -> None:
    for mils in (1, 2, 3):
        live.node.broadcast([PowerUp(ESCROW, ESCROW, Coin(mils, "HIVE"))])
    followed = follow(live, tmp_path)
    [alarm] = followed.alarms()
    assert alarm.endswith(", and 2 more within a week.")
    with followed.engine.begin() as connection:
        row = connection.execute(select(schema.escrow_operations)).first()
        assert row is not None
        cursor = schema.cursor
        connection.execute(cursor.update().values(block=row.block + 7 * DAY_BLOCKS - 1))
        assert len(followed.alarms()) == 1
    with followed.engine.begin() as connection:
        connection.execute(cursor.update().values(block=row.block + 7 * DAY_BLOCKS))
    assert followed.alarms() == []
    assert len(followed.solvency()["escrow_operations"]) == 3


def test_real_balances_agree_with_the_ledger(live: World, tmp_path: Path) -> None:
    followed = follow(live, tmp_path)
    before = followed.token()
    assert {before[name] for name in before if name.startswith("real")} == {None}
    watch(live, followed).look()
    for token in followed.solvency()["tokens"]:
        assert token["real_balance"] == token["holdings"], token
        assert float(token["real_difference"]) == 0
        assert token["real_ts"] is not None
        assert token["real_block"] <= live.node.chain.head
    metrics = followed.metrics()
    assert metrics["peakedex_real_difference HBD"] == 0
    assert metrics["peakedex_real_balance HBD"] == metrics["peakedex_holdings HBD"] > 0


def test_what_is_missing_in_reality_is_shown_with_its_block(live: World, tmp_path: Path) -> None:
    followed = follow(live, tmp_path)
    live.node.broadcast([Transfer(ESCROW, "mallory", Coin(1500, "HBD"), "")])
    live.node.tick()
    watch(live, followed).look()  # the ledger has not seen that block yet
    token = followed.token()
    assert token["real_difference"] == "-1.500"
    assert token["real_block"] == live.node.chain.head
    followed = follow(live, tmp_path)  # now it has: the same reading agrees with its block's holdings
    assert followed.token()["real_difference"] == "0.000"
    assert followed.token()["real_balance"] == token["real_balance"]


def test_no_difference_is_told_while_the_ledger_is_far_behind(live: World, tmp_path: Path) -> None:
    followed = follow(live, tmp_path)
    for _ in range(110):
        live.node.tick()
    watch(live, followed).look()
    token = followed.token()
    assert token["real_balance"] == token["holdings"]
    assert token["real_difference"] is None
    assert "peakedex_real_difference HBD" not in followed.metrics()


def test_the_next_node_is_asked_and_failures_keep_the_last_reading(
    live: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    followed = follow(live, tmp_path)
    dead = "http://127.0.0.1:9"
    watch(live, followed, dead, live.server.url).look()
    assert caplog.text == ""
    first = followed.solvency()["tokens"]
    assert all(token["real_balance"] is not None for token in first)
    failing = watch(live, followed, dead, engine_nodes=(live.server.url,))
    failing.look()
    failing.look()
    assert followed.solvency()["tokens"] == first
    assert caplog.text.count("real balances of escrow accounts cannot be read") == 2  # once for each chain


def test_it_reads_once_a_minute_and_only_while_following(live: World, tmp_path: Path) -> None:
    followed = follow(live, tmp_path)
    position = Near()
    watching = BalanceWatch(followed.engine, position, (live.server.url,), (live.server.engine_url,))
    position.catching_up = True
    watching.run_once()
    assert followed.token()["real_balance"] is None
    position.catching_up = False
    watching.run_once()
    assert followed.token()["real_balance"] is not None
    with followed.engine.begin() as connection:
        connection.execute(schema.escrow_balances.delete())
    watching.run_once()
    assert followed.token()["real_balance"] is None


def test_amounts_are_shown_in_the_tokens_decimals(live: World, tmp_path: Path) -> None:
    followed = follow(live, tmp_path)
    watch(live, followed).look()
    mils = live.node.chain.accounts.balance(ESCROW, "HBD")
    assert followed.token()["real_balance"] == show_units(mils, 3)
