"""A chain of eight short blocks, written by hand, that writes every table and changes every kind of row.

It is small enough to be interrupted at every single statement.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from settlement.core.venue import Venue, parse_venue
from tests.support.blocks import (
    Operation,
    action,
    chain,
    custom_json,
    moved,
    receipts,
    transaction_id,
    transfer,
)
from tests.system.store.chains import Chain

VENUE_TEXT = """
[venue]
name = "Brief"
protocol = 2
contract = "peakedex"
custom_json_id = "ssc-mainnet-hive"
start_block = 1
operator = "operator"
fee_account = "fees"
max_open_orders = 10
order_lifetime = 86400
accept_flat_intents = true

[tokens.HIVE]
precision = 3
escrow = "dex.hive"
min_withdrawal = "0.001"

[tokens.HBD]
precision = 3
escrow = "dex.hbd"
min_withdrawal = "0.001"

[tokens.PEK]
precision = 8
escrow = "dex.pek"
min_withdrawal = "0.001"

[[pairs]]
base = "HIVE"
quote = "HBD"
price_decimals = 2
quantity_decimals = 1
maker_fee_bps = 5
taker_fee_bps = 20

[[pairs]]
base = "PEK"
quote = "HBD"
price_decimals = 3
quantity_decimals = 0
"""


@cache
def venue() -> Venue:
    return parse_venue(VENUE_TEXT)


def sent(signer: str, name: str, active: bool = True, **payload: Any) -> Operation:
    return custom_json(action(name, payload), signer, active=active)


def token(signer: str, to: str, symbol: str, quantity: str, memo: str = "") -> Operation:
    """A transfer on the sidechain; it moves what the block's receipts say."""
    payload = {"symbol": symbol, "to": to, "quantity": quantity, "memo": memo}
    return custom_json(action("transfer", payload, "tokens"), signer)


def paid_as(number: int, index: int) -> str:
    return f"peakedex:{transaction_id(number, index)}"


def written(contents: list[list[Operation]], moves: dict[tuple[int, int], list[dict[str, Any]]]) -> Chain:
    """Blocks from 1 on, each operation a transaction of its own, and receipts by block and transaction."""
    blocks = chain(1, *([[operation] for operation in operations] for operations in contents))
    logs: dict[int, dict[str, Any]] = {}
    for (number, index), events in moves.items():
        logs.setdefault(number, {})[transaction_id(number, index)] = events
    lines = (
        receipts(number, logs[number], hive_id=json.loads(blocks[number - 1])["block_id"])
        for number in sorted(logs)
    )
    return Chain(tuple(blocks), tuple(lines))


@cache
def short_chain() -> Chain:
    contents: list[list[Operation]] = [
        [  # 1: deposits; one token is not listed, and is due back
            transfer("alice", "dex.hive", "1000.000 HIVE"),
            transfer("bob", "dex.hbd", "500.000 HBD"),
            token("carol", "dex.pek", "PEK", "77.5"),
            token("dave", "dex.pek", "DUST", "1.50"),
        ],
        [  # 2: orders rest, one trades; one will expire
            sent("alice", "sell", symbol="HIVE", quote="HBD", quantity="100", price="0.25"),
            sent("alice", "sell", symbol="HIVE", quote="HBD", quantity="50", price="0.30", expiration=9),
            sent("bob", "buy", symbol="HIVE", quote="HBD", quantity="40", price="0.26", ref="first"),
        ],
        [  # 3: the operator lists; withdrawals open; something is refused
            sent("operator", "listToken", symbol="BEE", precision=8, chain="hive-engine", escrow="dex.bee"),
            sent("operator", "listPair", symbol="BEE", quote="HBD", priceDecimals=3, quantityDecimals=0),
            sent("alice", "withdraw", symbol="HIVE", quantity="10", memo="to my other self"),
            sent("bob", "withdraw", symbol="HBD", quantity="20", to="bob.savings"),
            sent("carol", "withdraw", symbol="PEK", quantity="1000"),
        ],
        [],  # 4: nothing
        [  # 5: escrow pays a withdrawal and a refund; one outflow nobody asked for; one move within
            transfer("dex.hive", "alice", "10.000 HIVE", "to my other self"),
            token("dex.pek", "dave", "DUST", "1.5", paid_as(1, 3)),
            transfer("dex.hbd", "mallory", "0.001 HBD", "oops"),
            transfer("dex.hive", "dex.hbd", "1.000 HIVE"),
            sent("operator", "returnWithdrawal", id=transaction_id(3, 3)),
            sent("operator", "checkpoint", block=3, stateHash="0" * 64, journalHash="f" * 64),
        ],
        [  # 6: time passes, the order of block 2 expires; one settles to the wallet
            sent("bob", "buy", symbol="HIVE", quote="HBD", quantity="10", price="0.25", settle="wallet"),
            sent("eve", "sell", active=False, symbol="HIVE", quote="HBD", quantity="1", price="1"),
        ],
        [  # 7: rules change, a book is emptied
            sent("operator", "updateVenue", maxOpenOrders=3, feeAccount="fees.new"),
            sent("operator", "updatePair", symbol="HIVE", quote="HBD", takerFeeBps=30),
            sent("bob", "marketBuy", symbol="HIVE", quote="HBD", quantity="1"),
            token("erin", "dex.bee", "BEE", "5"),
        ],
        [  # 8: the last word
            sent("alice", "replace", id=transaction_id(2, 0), quantity="20"),
            sent("alice", "cancelAll"),
            sent("erin", "withdraw", symbol="BEE", quantity="all"),
        ],
    ]
    return written(
        contents,
        {
            (1, 2): [moved("carol", "dex.pek", "77.5", "PEK")],
            (1, 3): [moved("dave", "dex.pek", "1.50", "DUST")],
            (5, 1): [moved("dex.pek", "dave", "1.5", "DUST")],
            (7, 3): [moved("erin", "dex.bee", "5", "BEE")],
        },
    )
