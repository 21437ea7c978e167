"""Generates chains for the benchmarks, with a chosen number of resting orders."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha224
from pathlib import Path

from indexer.chain.blocks import HeaderFields
from indexer.chain.integrity.block_id import pack_header

VENUE = """
[venue]
name = "Bench"
protocol = 2
contract = "peakedex"
custom_json_id = "ssc-mainnet-hive"
start_block = 1
operator = "operator"
fee_account = "bench.fees"
max_open_orders = 10000

[tokens.PEK]
precision = 8
escrow = "bench.pek"
min_withdrawal = "0.001"

[tokens."SWAP.HIVE"]
precision = 8
escrow = "bench.hive"
min_withdrawal = "0.001"

[[pairs]]
base = "PEK"
quote = "SWAP.HIVE"
price_decimals = 6
quantity_decimals = 2
taker_fee_bps = 20
"""
ACCOUNTS = 200
OPS_PER_BLOCK = 40
MIDDLE = 10_000  # ticks
START = 1_767_225_600  # 1 January 2026
GRANT_SECONDS = 7_776_000
WITNESS = "bench.witness"


Operations = list[tuple[str, dict[str, object]]]
"""Each in a transaction of its own: transaction id and custom_json value."""


def unlinked_id(number: int) -> str:
    """A block id, with the number in its first 8 digits as on Hive, that follows from no header."""
    return f"{number:08x}" + "0" * 32


def time_of(number: int) -> int:
    """A block's time in seconds since 1970."""
    return START + 3 * number


def linked(
    blocks: Iterable[tuple[int, Operations]], time_of: Callable[[int], int] = time_of
) -> Iterator[dict[str, object]]:
    """Blocks as block_api writes them. Ids follow from the headers, but nothing is signed, and no merkle root is right."""
    previous, root, signature = "", "00" * 20, bytes(65)
    for number, operations in blocks:
        previous = previous or unlinked_id(number - 1)
        timestamp = datetime.fromtimestamp(time_of(number), UTC).strftime("%Y-%m-%dT%H:%M:%S")
        header = pack_header(HeaderFields("", previous, timestamp, WITNESS, root))
        block_id = f"{number:08x}{sha224(header + signature).hexdigest()[8:40]}"
        yield {
            "block_id": block_id,
            "previous": previous,
            "timestamp": timestamp,
            "witness": WITNESS,
            "transaction_merkle_root": root,
            "extensions": [],
            "witness_signature": signature.hex(),
            "transaction_ids": [transaction_id for transaction_id, _ in operations],
            "transactions": [
                {"operations": [{"type": "custom_json_operation", "value": value}]} for _, value in operations
            ],
        }
        previous = block_id


def write_blocks(
    folder: Path,
    blocks: Iterable[tuple[int, Operations]],
    receipts: Sequence[dict[str, object]] = (),
    time_of: Callable[[int], int] = time_of,
) -> None:
    """Write an archive of linked blocks, the first with these receipts."""
    with (folder / "blocks.jsonl").open("w") as lines:
        first = ""
        for block in linked(blocks, time_of):
            first = first or str(block["block_id"])
            lines.write(json.dumps(block) + "\n")
    of_first = ({**receipt, "refHiveBlockId": first} for receipt in receipts)
    (folder / "receipts.jsonl").write_text("".join(json.dumps(receipt) + "\n" for receipt in of_first))


def custom_json(signer: str, payload: object) -> dict[str, object]:
    return {
        "required_auths": [signer],
        "required_posting_auths": [],
        "id": "ssc-mainnet-hive",
        "json": json.dumps(payload, separators=(",", ":")),
    }


def action(name: str, payload: Mapping[str, object]) -> dict[str, object]:
    return {"contractName": "peakedex", "contractAction": name, "contractPayload": payload}


class Flow:
    """Seeded orders around a middle price: about 59 % cross, and a fifth of the operations cancel."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._live: list[tuple[str, str]] = []
        self._count = 0

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._random.getrandbits(128):032x}{self._count:08x}"

    def account(self, index: int) -> str:
        return f"trader{index % ACCOUNTS:04d}"

    def resting(self, index: int) -> tuple[str, dict[str, object]]:
        """A resting order far from the market."""
        side = ("buy", "sell")[index % 2]
        away = 1_000 + index // 2 % 5_000
        price = MIDDLE - away if side == "buy" else MIDDLE + away
        return self._order(side, price, "1.00", index)

    def waiting(self, index: int) -> tuple[str, dict[str, object]]:
        """A stop that waits until the mark is far above the market."""
        payload = {
            "symbol": "PEK",
            "quantity": "0.01",
            "price": "0.010000",
            "triggerPrice": f"0.{2 * MIDDLE + index % 100_000:06d}",
            "triggerWhen": "above",
        }
        return self._next_id(), custom_json(self.account(index), action("sell", payload))

    def granting(self, index: int) -> tuple[str, dict[str, object]]:
        """A grant to the posting key of an account of its own."""
        terms = {
            "to": "posting",
            "pairs": ["PEK/SWAP.HIVE"],
            "perDay": {"PEK": "1", "SWAP.HIVE": "1"},
            "bandBps": 100,
            "until": START + GRANT_SECONDS,
        }
        return self._next_id(), custom_json(f"holder{index:06d}", action("grant", terms))

    def step(self) -> tuple[str, dict[str, object]]:
        """The next order near the middle price, or a cancellation."""
        chance = self._random
        if self._live and chance.random() < 0.2:
            place = chance.randrange(max(0, len(self._live) - 2_000), len(self._live))
            order_id, owner = self._live.pop(place)
            return self._next_id(), custom_json(owner, action("cancel", {"id": order_id}))
        side = chance.choice(("buy", "sell"))
        price = MIDDLE + round(chance.gauss(0, 30)) + (-10 if side == "buy" else 10)
        quantity = f"{chance.randrange(1, 1000)}.{chance.randrange(100):02d}"
        index = chance.randrange(ACCOUNTS)
        transaction_id, value = self._order(side, price, quantity, index)
        self._live.append((transaction_id, self.account(index)))
        return transaction_id, value

    def _order(self, side: str, price: int, quantity: str, index: int) -> tuple[str, dict[str, object]]:
        payload = {"symbol": "PEK", "quantity": quantity, "price": f"0.{price:06d}"}
        return self._next_id(), custom_json(self.account(index), action(side, payload))


def write_archive(
    folder: Path,
    open_orders: int,
    operations: int,
    a_block: int = OPS_PER_BLOCK,
    kind: Callable[[Flow, int], tuple[str, dict[str, object]]] = Flow.resting,
) -> int:
    """Write an archive that funds the accounts, opens orders (or others of a kind), then trades with so many operations
    in a block; returns the last block of the opening."""
    flow = Flow()
    deposits, receipt = funding(flow)
    opening = -(-open_orders // OPS_PER_BLOCK)

    def blocks() -> Iterator[Operations]:
        yield deposits
        for start in range(0, open_orders, OPS_PER_BLOCK):
            yield [kind(flow, index) for index in range(start, min(start + OPS_PER_BLOCK, open_orders))]
        for _ in range(operations // a_block):
            yield [flow.step() for _ in range(a_block)]

    write_blocks(folder, enumerate(blocks(), 1), [receipt])
    return 1 + opening


def funding(flow: Flow) -> tuple[Operations, dict[str, object]]:
    """Deposits that fund the accounts, and their sidechain receipts without the id of the Hive block."""
    operations: Operations = []
    transactions = []
    for index in range(ACCOUNTS):
        for symbol, escrow in (("PEK", "bench.pek"), ("SWAP.HIVE", "bench.hive")):
            transaction_id = f"{len(operations):040x}"
            payload = {"symbol": symbol, "to": escrow, "quantity": "10000000"}
            element = {"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload}
            operations.append((transaction_id, custom_json(flow.account(index), element)))
            data = {"from": flow.account(index), "to": escrow, "symbol": symbol, "quantity": "10000000"}
            events = [{"contract": "tokens", "event": "transfer", "data": data}]
            transactions.append(
                {
                    "transactionId": transaction_id,
                    "sender": flow.account(index),
                    "contract": "tokens",
                    "action": "transfer",
                    "payload": json.dumps(payload),
                    "logs": json.dumps({"events": events}),
                }
            )
    receipt = {"blockNumber": 1, "refHiveBlockNumber": 1}
    return operations, {**receipt, "transactions": transactions}


def foreign_blocks(count: int, seed: int = 2) -> Iterator[bytes]:
    """Blocks of about 27 KB with 40 operations of other applications; a third of them name the sidechain."""
    chance = random.Random(seed)
    blocks = ((number, [_foreign(chance, index) for index in range(40)]) for number in range(1, count + 1))
    for block in linked(blocks):
        yield json.dumps(block, separators=(",", ":")).encode()


def _foreign(chance: random.Random, index: int) -> tuple[str, dict[str, object]]:
    payload = {
        "contractName": "market" if index % 3 else "tokens",
        "contractAction": "sell",
        "contractPayload": {"symbol": "SPS", "memo": "x" * chance.randrange(300, 700)},
    }
    value = custom_json(f"account{chance.randrange(10**5)}", payload)
    if index % 3 == 0:
        value["id"] = "sm_market"
    return f"{chance.getrandbits(160):040x}", value
