"""Generates chains for the benchmarks, with a chosen number of resting orders."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

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


def block_id(number: int) -> str:
    """A block id, with the number in its first 8 digits as on Hive."""
    return f"{number:08x}" + "0" * 32


def block(number: int, operations: list[tuple[str, dict[str, object]]]) -> dict[str, object]:
    """A block as block_api writes it, with one operation a transaction: (transaction id, custom_json value)."""
    seconds = 3 * number
    return {
        "block_id": block_id(number),
        "previous": block_id(number - 1),
        "timestamp": f"2026-01-{1 + seconds // 86400:02d}T{seconds // 3600 % 24:02d}:"
        f"{seconds // 60 % 60:02d}:{seconds % 60:02d}",
        "witness": "bench.witness",
        "transaction_ids": [transaction_id for transaction_id, _ in operations],
        "transactions": [
            {"operations": [{"type": "custom_json_operation", "value": value}]} for _, value in operations
        ],
    }


def custom_json(signer: str, payload: object) -> dict[str, object]:
    return {
        "required_auths": [signer],
        "required_posting_auths": [],
        "id": "ssc-mainnet-hive",
        "json": json.dumps(payload, separators=(",", ":")),
    }


def action(name: str, payload: dict[str, str]) -> dict[str, object]:
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


def write_archive(folder: Path, open_orders: int, operations: int) -> int:
    """Write an archive that funds the accounts, opens orders, then trades; returns the last block of the opening."""
    flow = Flow()
    number = 1
    with (folder / "blocks.jsonl").open("w") as lines, (folder / "receipts.jsonl").open("w") as receipts:
        deposits, receipt = funding(flow)
        lines.write(json.dumps(block(1, deposits)) + "\n")
        receipts.write(json.dumps(receipt) + "\n")
        for start in range(0, open_orders, OPS_PER_BLOCK):
            number += 1
            count = min(OPS_PER_BLOCK, open_orders - start)
            lines.write(json.dumps(block(number, [flow.resting(start + i) for i in range(count)])) + "\n")
        opened = number
        for _ in range(operations // OPS_PER_BLOCK):
            number += 1
            lines.write(json.dumps(block(number, [flow.step() for _ in range(OPS_PER_BLOCK)])) + "\n")
    return opened


def funding(flow: Flow) -> tuple[list[tuple[str, dict[str, object]]], dict[str, object]]:
    """Deposits that fund the accounts, and their sidechain receipts."""
    operations, transactions = [], []
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
    receipt = {"blockNumber": 1, "refHiveBlockNumber": 1, "refHiveBlockId": block_id(1)}
    return operations, {**receipt, "transactions": transactions}


def foreign_blocks(count: int, seed: int = 2) -> Iterator[bytes]:
    """Blocks of about 27 KB with 40 operations of other applications; a third of them name the sidechain."""
    chance = random.Random(seed)
    for number in range(1, count + 1):
        operations = []
        for index in range(40):
            payload = {
                "contractName": "market" if index % 3 else "tokens",
                "contractAction": "sell",
                "contractPayload": {"symbol": "SPS", "memo": "x" * chance.randrange(300, 700)},
            }
            value = custom_json(f"account{chance.randrange(10**5)}", payload)
            if index % 3 == 0:
                value["id"] = "sm_market"
            operations.append((f"{chance.getrandbits(160):040x}", value))
        yield json.dumps(block(number, operations), separators=(",", ":")).encode()
