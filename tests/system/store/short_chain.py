"""A chain of ten short blocks, written by hand, that writes every table and changes every kind of row.

It is small enough to be interrupted at every single statement.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from settlement.core.venue import Venue, parse_venue
from tests.support.blocks import (
    START_TIME,
    Operation,
    action,
    as_text,
    block_value,
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


LAST_BEFORE_THE_PAUSE = 9
"""An hour passes after this block."""


@cache
def venue() -> Venue:
    return parse_venue(VENUE_TEXT)


def sent(signer: str, name: str, active: bool = True, **payload: Any) -> Operation:
    return custom_json(action(name, payload), signer, active=active)


def hive(signer: str, side: str, quantity: str, price: str, active: bool = True, **more: Any) -> Operation:
    """An order for HIVE against HBD."""
    return sent(signer, side, active, symbol="HIVE", quote="HBD", quantity=quantity, price=price, **more)


def token(signer: str, to: str, symbol: str, quantity: str, memo: str = "") -> Operation:
    """A transfer on the sidechain; it moves what the block's receipts say."""
    payload = {"symbol": symbol, "to": to, "quantity": quantity, "memo": memo}
    return custom_json(action("transfer", payload, "tokens"), signer)


def time_of(number: int) -> int:
    return START_TIME + 3 * number + (3_600 if number > LAST_BEFORE_THE_PAUSE else 0)


def paid_as(number: int, index: int) -> str:
    return f"peakedex:{transaction_id(number, index)}"


def written(
    contents: list[list[Operation]],
    moves: dict[tuple[int, int], list[dict[str, Any]]],
    *,
    time_of: Callable[[int], int] | None = None,
) -> Chain:
    """Blocks from 1 on, each operation a transaction of its own, and receipts by block and transaction."""
    blocks: list[dict[str, Any]] = []
    for number, operations in enumerate(contents, start=1):
        blocks.append(
            block_value(
                number,
                [[operation] for operation in operations],
                previous=blocks[-1]["block_id"] if blocks else None,
                timestamp=None if time_of is None else time_of(number),
            )
        )
    logs: dict[int, dict[str, Any]] = {}
    for (number, index), events in moves.items():
        logs.setdefault(number, {})[transaction_id(number, index)] = events
    lines = (
        receipts(number, logs[number], hive_id=blocks[number - 1]["block_id"]) for number in sorted(logs)
    )
    return Chain(tuple(map(as_text, blocks)), tuple(lines))


@cache
def short_chain() -> Chain:
    contents: list[list[Operation]] = [
        [  # 1: deposits; one lies in another token's escrow and is due back, one token is not listed
            transfer("alice", "dex.hive", "1000.000 HIVE"),
            transfer("bob", "dex.hbd", "500.000 HBD"),
            token("carol", "dex.pek", "PEK", "77.5"),
            token("dave", "dex.hive", "PEK", "1.50"),
            token("dave", "dex.pek", "DUST", "1.50"),
        ],
        [  # 2: orders rest, one trades; one will expire; grants
            hive("alice", "sell", "100", "0.25"),
            hive("alice", "sell", "50", "0.30", expiration=9),
            hive("bob", "buy", "40", "0.26", ref="first"),
            sent(
                *("bob", "grant"),
                to="posting",
                pairs=["HIVE/HBD"],
                perDay={"HBD": "100"},
                bandBps=5000,
                until=time_of(10) + 60,
            ),
            sent(
                *("alice", "grant"),
                to="carol",
                pairs=["HIVE/HBD"],
                perDay={"HIVE": "1"},
                bandBps=100,
                until=time_of(8),
            ),
        ],
        [  # 3: the operator lists; withdrawals open; an order and a timer under a grant; something is refused
            sent("operator", "listToken", symbol="BEE", precision=8, escrow="dex.hbd", minWithdrawal="0.1"),
            sent("operator", "listPair", symbol="BEE", quote="HBD", priceDecimals=3, quantityDecimals=0),
            sent("alice", "withdraw", symbol="HIVE", quantity="10", memo="to my other self"),
            sent("bob", "withdraw", symbol="HBD", quantity="20", to="bob.savings"),
            sent("carol", "withdraw", symbol="PEK", quantity="1000"),
            hive("bob", "buy", "4", "0.24", active=False),
            sent("bob", "cancelAllAfter", active=False, seconds=15),
            sent("alice", "cancelAllAfter", seconds=60),
        ],
        [],  # 4: nothing
        [  # 5: escrow pays a withdrawal and a refund; an unmatched outflow; an internal move; stops wait
            transfer("dex.hive", "alice", "10.000 HIVE", "to my other self"),
            token("dex.hive", "dave", "PEK", "1.5", paid_as(1, 3)),
            transfer("dex.hbd", "mallory", "0.001 HBD", "oops"),
            transfer("dex.hive", "dex.hbd", "1.000 HIVE"),
            sent("operator", "returnWithdrawal", id=transaction_id(3, 3)),
            sent("operator", "checkpoint", block=3, stateHash="0" * 64, journalHash="f" * 64),
            hive("alice", "sell", "5", "0.20", triggerPrice="0.24", triggerWhen="below"),
            hive("alice", "sell", "10", "0.40", stopPrice="0.20", stopLimit="0.05"),
            hive("alice", "sell", "7", "0.50", triggerPrice="0.19", triggerWhen="below", postOnly=True),
        ],
        [  # 6: the order of block 2 expires; one settles to the wallet; the price falls, and stops fire
            hive("bob", "buy", "10", "0.25", settle="wallet"),
            hive("eve", "sell", "1", "1", active=False),
            hive("bob", "buy", "500", "0.10"),
            sent("alice", "marketSell", symbol="HIVE", quote="HBD", quantity="300"),
        ],
        [  # 7: rules change, an upgrade is announced
            sent("operator", "updateVenue", maxOpenOrders=3, feeAccount="fees.new"),
            sent("operator", "updatePair", symbol="HIVE", quote="HBD", takerFeeBps=30),
            sent("operator", "upgrade", protocol=3, text="a" * 64, block=300_000),
            sent("bob", "marketBuy", symbol="HIVE", quote="HBD", quantity="1"),
            token("erin", "dex.hbd", "BEE", "5"),
        ],
        [  # 8: bob's timer fires, a grant and its order end; a partly filled order is replaced
            sent("bob", "revoke", to="posting"),
            sent("alice", "cancelAllAfter", seconds=0),
            hive("alice", "buy", "3", "0.01"),
            sent("alice", "replace", id=transaction_id(8, 2), quantity="20"),
        ],
        [  # 9: what was partly filled before is closed
            sent("alice", "cancelAll"),
            sent("bob", "cancelAll"),
            sent("erin", "withdraw", symbol="BEE", quantity="all"),
            hive("bob", "buy", "1", "0.01"),
        ],
        [],  # 10: an hour later bob's withdrawal is returned
    ]
    return written(
        contents,
        {
            (1, 2): [moved("carol", "dex.pek", "77.5", "PEK")],
            (1, 3): [moved("dave", "dex.hive", "1.50", "PEK")],
            (1, 4): [moved("dave", "dex.pek", "1.50", "DUST")],
            (5, 1): [moved("dex.hive", "dave", "1.5", "PEK")],
            (7, 4): [moved("erin", "dex.hbd", "5", "BEE")],
        },
        time_of=time_of,
    )
