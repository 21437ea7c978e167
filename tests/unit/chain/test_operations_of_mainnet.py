"""Operations that Hive's main network really held, a sample of 2,068, read for accounts that they name."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from typing import Any, Final

import pytest

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import decode, has_candidate
from indexer.chain.escrow_operations import escrow_operations
from settlement.core.events import HIVE, Action, Movement, VenueFilter
from tests.support import blocks as chain
from tests.support import recorded_blocks as recorded

_OPERATIONS: Final = recorded.FOLDER / "v4vapp_ops_94355574-94369294.jsonl.gz"
ROWS: Final = [json.loads(line) for line in gzip.decompress(_OPERATIONS.read_bytes()).splitlines()]
ADDED: Final = {"type", "_id", "timestamp", "block_num", "trx_num", "trx_id", "op_in_trx"}
"""What the recorder added to an operation's fields."""
ESCROWS: Final = frozenset({"hive-engine", "honey-swap", "orinoco", "peak.beacon"})
WATCH: Final = VenueFilter("market", chain.SIDECHAIN_ID, True, ESCROWS)


def block_of(row: dict[str, Any], shape: str) -> Block:
    value = {key: item for key, item in row.items() if key not in ADDED}
    if isinstance(value.get("amount"), dict) and shape == "condenser":
        symbol = next(name for name, nai in chain.NAI.items() if nai == value["amount"]["nai"])
        value["amount"] = f"{int(value['amount']['amount']) / 1000:.3f} {symbol}"
    operation: object = [row["type"], value]
    if shape == "block_api":
        operation = {"type": f"{row['type']}_operation", "value": value}
    held = chain.block_value(5, [[("vote", {})]])
    held["transactions"][0]["operations"] = [operation]
    return Block(chain.as_text(held))


@pytest.mark.parametrize("shape", ["block_api", "condenser"])
def test_transfers_are_movements_of_the_accounts_that_they_name_and_of_no_others(shape: str) -> None:
    to = Counter[str]()
    for row in ROWS:
        if row["type"] != "transfer":
            continue
        block = block_of(row, shape)
        events = list(decode(block, WATCH))
        assert events == list(decode(block, WATCH, prefilter=False))
        if ESCROWS.isdisjoint((row["from"], row["to"])):
            assert events == []
            continue
        (event,) = events
        assert isinstance(event, Movement)
        assert event[1:4] == (HIVE, row["from"], row["to"])
        assert Decimal(event.quantity) * 1000 == int(row["amount"]["amount"])
        assert event.memo == row["memo"]
        assert event.symbol == {nai: name for name, nai in chain.NAI.items()}[row["amount"]["nai"]]
        to[event.recipient] += 1
        # An action in the memo that pays out of the gateway names no escrow account of a token's.
        names_one = chain.SIDECHAIN_ID in row["memo"] and row["from"] in ESCROWS
        assert has_candidate(block, WATCH) == names_one
    assert to["peak.beacon"] == 24


def test_orders_for_the_sidechain_market_are_read_element_by_element() -> None:
    found = Counter[str]()
    for row in ROWS:
        if row["type"] == "custom_json":
            actions = list(decode(block_of(row, "block_api"), WATCH))
            assert all(isinstance(each, Action) for each in actions)
            found.update(str(each.name) for each in actions if isinstance(each, Action))
    assert found == {"buy": 1, "cancel": 4, "sell": 3}


def test_what_moves_an_account_without_a_transfer_is_seen_in_every_operation_that_acts_for_it() -> None:
    """Each account that such an operation acts for is taken for an escrow account in turn."""
    fields = {
        "claim_reward_balance": "account",
        "convert": "owner",
        "delegate_vesting_shares": "delegator",
        "limit_order_create": "owner",
        "transfer_from_savings": "from",
        "transfer_to_savings": "from",
        "transfer_to_vesting": "from",
        "withdraw_vesting": "account",
        "account_update": "account",
        "account_update2": "account",
    }
    seen = Counter[str]()
    for row in ROWS:
        if row["type"] in fields:
            account = row[fields[row["type"]]]
            watch = VenueFilter("market", chain.SIDECHAIN_ID, True, frozenset({account}))
            rows = [each for each in escrow_operations(block_of(row, "block_api"), watch) if each.acting]
            assert [(each.type, each.account) for each in rows] == [(row["type"], account)]
            seen[row["type"]] += 1
    assert seen.keys() == fields.keys()


def test_a_transaction_for_the_sidechain_has_its_own_id_and_signer() -> None:
    held = json.loads(gzip.decompress((recorded.FOLDER / "hafsql_transaction_90875064.json.gz").read_bytes()))
    value = chain.block_value(5, [[("vote", {})]])
    value["transactions"], value["transaction_ids"] = [held["transaction"]], [held["transaction_id"]]
    watch = VenueFilter("tokens", chain.SIDECHAIN_ID, True, ESCROWS)
    (event,) = decode(Block(chain.as_text(value)), watch)
    payload = {"symbol": "BEE", "quantity": "0.00002918"}
    assert event == Action(held["transaction_id"], "dantrin", True, "unstake", payload)


def test_a_block_without_its_id_is_refused_in_one_sentence() -> None:
    """So an old node wrote blocks: it cannot be used."""
    (held,) = recorded.load("radiator_condenser_block_5052216")
    with pytest.raises(BlockError, match="block_id") as refused:
        Block(chain.as_text(held))
    assert "\n" not in str(refused.value)
