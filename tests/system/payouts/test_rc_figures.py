"""What docs/go-live.md says about resource credits: the recorded cost, and the bytes of what payouts build."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sqlalchemy import select

from indexer.intents.drafts import build
from indexer.intents.sandbox import Situation
from indexer.ops.doctor.golive import resources
from settlement.payouts.signing.transactions import Transaction
from settlement.store import payout_schema
from tests.system.payouts.world import TRADERS, VENUE, World

ROOT = Path(__file__).parents[3]
SECTION = re.split(r"^## ", (ROOT / "docs" / "go-live.md").read_text("utf-8"), flags=re.MULTILINE)[7]
RECORDED = ROOT / "tests" / "data" / "real_nodes" / "hive_broadcast.jsonl"
SIGNATURE_BYTES = 1 + 65  # with their count


def shown(number: int) -> str:
    return f"{number:,}"


def bytes_of(transaction: Transaction) -> int:
    """Bytes in a block, with one signature."""
    return len(transaction.packed) + SIGNATURE_BYTES


def measured(what: str) -> int:
    """The bytes in the document's table."""
    [row] = [line for line in SECTION.splitlines() if line.startswith(f"| {what}")]
    return int(row.split("|")[2].replace(",", "").replace("about", ""))


def test_the_cost_is_the_one_that_hived_named() -> None:
    cases = map(json.loads, RECORDED.read_text("utf-8").splitlines())
    [case] = [case for case in cases if case["case"] == "rc/none/condenser"]
    frames = [frame["data"] for frame in case["response"]["error"]["data"]["stack"]]
    [info] = [data["tx_info"] for data in frames if "tx_info" in data]
    history, _, market, state, execution = info["cost"]
    assert sum(info["cost"]) == resources.RECORDED_COST
    assert f"a transfer of {info['usage'][0]} bytes" in SECTION
    for figure in (resources.RECORDED_COST, history // info["usage"][0], market, state + execution):
        assert shown(figure) in SECTION


def test_the_bytes_are_those_of_a_round_of_payouts(tmp_path: Path) -> None:
    world = World(tmp_path)
    runner = world.runner()
    for number in range(15):
        world.withdraw(TRADERS[number % 3], "SWAP.HIVE", f"0.0012345{number % 10}")
    world.withdraw("alice", "HBD", "1.000")
    world.run(runner, 60)
    with world.ledger.engine.connect() as connection:
        texts = connection.scalars(select(payout_schema.transactions.c.transaction)).all()
    built = {made.operations[0][0]: made for made in map(Transaction.of_json, map(json.loads, texts))}
    assert bytes_of(built["transfer"]) == measured("payment of HIVE or HBD")
    assert len(json.loads(str(built["custom_json"].operations[0][1]["json"]))) == 15
    assert bytes_of(built["custom_json"]) == measured("round of 15 token payments")
    claim = {"block": 101_000_000, "stateHash": "0" * 64, "journalHash": "f" * 64}
    draft = build("checkpoint", claim, Situation(VENUE, 0, VENUE.checkpoint_account))
    checkpoint = Transaction.after("0" * 40, 1, draft.operation(VENUE.checkpoint_account))
    assert bytes_of(checkpoint) == measured("checkpoint, 24 a day")
