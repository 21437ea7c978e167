"""Chain generator: deterministic, linked, varied and fast."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from indexer.devnet.generator.generate import (
    HALT_SECONDS,
    GeneratedChain,
    generate,
)
from indexer.devnet.generator.workload import WEIGHTS
from indexer.devnet.hive.serialization import block_id, pack_header, parse_time
from indexer.devnet.traders.order_flow import KINDS
from indexer.devnet.venue import EXAMPLE, demo_venue, read_venue

OPERATOR_ACTIONS = {
    "listToken",
    "listPair",
    "updatePair",
    "updateVenue",
    "checkpoint",
    "returnWithdrawal",
    "upgrade",
}


@pytest.fixture(scope="module")
def long() -> GeneratedChain:
    return generate(1, 250, 25, accounts=12)


def operations(generated: GeneratedChain) -> list[dict[str, Any]]:
    return [op for block in generated.blocks for tx in block["transactions"] for op in tx["operations"]]


def test_the_same_seed_gives_the_same_chain_and_another_one_does_not() -> None:
    first, second, other = (generate(seed, 12, 10, accounts=4) for seed in (1, 1, 2))
    assert first.blocks == second.blocks
    assert first.receipts == second.receipts
    assert first.counts == second.counts
    assert other.blocks[-1] != first.blocks[-1]


def test_blocks_link_and_their_ids_recompute(long: GeneratedChain) -> None:
    previous = "0" * 40
    for number, block in enumerate(long.blocks, 1):
        header = pack_header(
            bytes.fromhex(block["previous"]),
            parse_time(block["timestamp"]),
            block["witness"],
            bytes.fromhex(block["transaction_merkle_root"]),
        )
        ident = block_id(number, header, bytes.fromhex(block["witness_signature"])).hex()
        assert (block["block_id"], block["previous"]) == (ident, previous)
        previous = ident


def test_every_act_and_every_kind_of_intent_occurs(long: GeneratedChain) -> None:
    done = set(long.counts)
    assert done >= set(KINDS)
    acts = set(WEIGHTS) - {"flow", "array", "operator", "mixed"}
    assert done >= acts
    assert {
        name.removeprefix("operator ") for name in done if name.startswith("operator ")
    } == OPERATOR_ACTIONS
    assert long.counts["usurped"] > 0
    assert long.counts["refused"] == 0


def test_there_are_arrays_multi_operation_transactions_and_both_keys(long: GeneratedChain) -> None:
    transactions = [tx for block in long.blocks for tx in block["transactions"]]
    assert any(len(tx["operations"]) > 1 for tx in transactions)
    values = [op["value"] for op in operations(long)]
    assert any(value.get("json", "").startswith("[{") for value in values)
    assert any(value.get("required_posting_auths") for value in values)
    assert {op["type"] for op in operations(long)} == {"transfer_operation", "custom_json_operation"}


def test_receipts_belong_to_blocks_and_show_events_and_errors(long: GeneratedChain) -> None:
    by_number = {int(block["block_id"][:8], 16): block for block in long.blocks}
    logs = []
    for receipt in long.receipts:
        block = by_number[receipt["refHiveBlockNumber"]]
        assert receipt["refHiveBlockId"] == block["block_id"]
        for row in receipt["transactions"]:
            assert row["transactionId"][:40] in block["transaction_ids"]
            json.loads(row["payload"])
            logs.append(json.loads(row["logs"]))
    assert any(len(log.get("events", ())) > 1 for log in logs)
    assert any(log.get("events") and log.get("errors") for log in logs)
    errors = {error for log in logs for error in log.get("errors", ())}
    assert errors >= {"overdrawn balance", "invalid params", "contract doesn't exist"}


def test_events_that_are_no_transfers_move_tokens_of_escrow_accounts(long: GeneratedChain) -> None:
    logs = [json.loads(row["logs"]) for receipt in long.receipts for row in receipt["transactions"]]
    events = [event for log in logs for event in log.get("events", ())]
    kinds = {event["event"] for event in events}
    assert kinds == {"transfer", "stake", "transferToContract"}
    assert any(event["data"]["quantity"].startswith("0x") for event in events)


def test_texts_and_memos_have_escapes(long: GeneratedChain) -> None:
    values = [op["value"] for op in operations(long)]
    escape = re.compile(r"\\u00[0-9A-Fa-f]{2}")
    assert any(escape.search(value.get("json", "")) for value in values)
    assert any(escape.search(value.get("memo", "")) for value in values)


def test_the_chain_halts_so_that_much_is_due_at_once() -> None:
    times = [
        [parse_time(block["timestamp"]) for block in generate(2, 9, 1, accounts=1, halt_every=every).blocks]
        for every in (0, 4)
    ]
    gaps = [[after - before for before, after in pairwise(each)] for each in times]
    assert gaps == [[3] * 8, [3, 3, HALT_SECONDS, 3, 3, 3, HALT_SECONDS, 3]]


def test_the_condenser_shape_is_the_same_chain_in_other_words() -> None:
    plain, condenser = (generate(3, 5, 10, accounts=3, shape=shape) for shape in ("block_api", "condenser"))
    assert [block["block_id"] for block in plain.blocks] == [block["block_id"] for block in condenser.blocks]
    first = condenser.blocks[0]["transactions"][0]
    assert first["operations"][0][0] == "transfer"
    assert first["operations"][0][1]["amount"].endswith((" HIVE", " HBD"))
    assert plain.receipts == condenser.receipts


def test_options_leave_things_out_and_move_the_start() -> None:
    calm = generate(4, 40, 20, accounts=4, hostile=False, operator=False, first_block=101_000_000, sign=True)
    assert calm.counts["bomb"] == calm.counts["odd"] == 0
    assert not any(name.startswith("operator") for name in calm.counts)
    assert calm.blocks[0]["block_id"].startswith(f"{101_000_000:08x}")
    for operation in operations(calm):
        if "json" in operation["value"]:
            json.loads(operation["value"]["json"])


def test_about_as_many_operations_as_asked_for(long: GeneratedChain) -> None:
    later = long.blocks[20:]
    per_block = sum(len(tx["operations"]) for block in later for tx in block["transactions"]) / len(later)
    assert 24 <= per_block <= 28


def test_the_example_venue_fits_the_protocol() -> None:
    venue = read_venue(EXAMPLE.read_text())
    assert [pair.quote for pair in venue.pairs] == [
        "SWAP.HIVE",
        "SWAP.BTC",
        "SWAP.LTC",
        "SWAP.ETH",
        "SWAP.DOGE",
        "SWAP.MATIC",
        "HBD",
        "PIMP",
    ]
    for pair in venue.pairs:
        assert pair.base == "PEK"
        assert 0 <= pair.price_decimals <= 18
        assert -12 <= pair.quantity_decimals <= venue.tokens["PEK"].precision
        assert pair.price_decimals + pair.quantity_decimals <= venue.tokens[pair.quote].precision
    assert len(venue.escrows) == len(venue.tokens) == 10


def test_the_demo_starts_at_block_one() -> None:
    text = EXAMPLE.read_text()
    changed = demo_venue(text)
    assert "start_block = 1\n" in changed
    assert changed.replace("start_block = 1\n", "start_block = 101000000\n") == text
    with pytest.raises(ValueError, match="start_block"):
        demo_venue("[venue]\n")
