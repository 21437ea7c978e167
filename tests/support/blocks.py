"""Builds blocks and sidechain receipts as nodes write them: the one place of the tests that knows their format.

A block is signed and has the id that its header gives; its merkle root is zero. Transactions have made-up ids.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from coincurve import PrivateKey

from indexer.chain.blocks import NO_BLOCK, HeaderFields
from indexer.chain.integrity.block_id import header_digest, pack_header
from settlement.core.events import VenueFilter
from settlement.net.hive_formats import format_public_key

SIDECHAIN_ID = "ssc-mainnet-hive"
CONTRACT = "peakedex"
ESCROW = "peakedex.hive"
START_TIME = 1_700_000_000
WITNESS = PrivateKey(b"\x11" * 32)
NAI = {"HIVE": "@@000000021", "HBD": "@@000000013"}

Operation = tuple[str, dict[str, Any]]
"""A name as condenser_api writes it, and a value with amounts as condenser_api writes them."""


def watch(**changes: Any) -> VenueFilter:
    """What a venue with one escrow account looks for."""
    settings: dict[str, Any] = {
        "contract": CONTRACT,
        "custom_json_id": SIDECHAIN_ID,
        "accept_flat_intents": True,
        "escrows": {ESCROW},
    } | changes
    return VenueFilter(**{**settings, "escrows": frozenset(settings["escrows"])})


def transfer(sender: object, recipient: object, amount: object, memo: object = "") -> Operation:
    """A native transfer; `amount` as condenser_api writes it."""
    return "transfer", {"from": sender, "to": recipient, "amount": amount, "memo": memo}


def custom_json(
    content: object, signer: str = "alice", *, active: bool = True, id: str = SIDECHAIN_ID
) -> Operation:
    """A custom_json; content that is a str is its JSON text as it stands."""
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    auths = {
        "required_auths": [signer] if active else [],
        "required_posting_auths": [] if active else [signer],
    }
    return "custom_json", {**auths, "id": id, "json": text}


def action(name: str, payload: object = None, contract: str = CONTRACT) -> dict[str, Any]:
    """One element of a custom_json."""
    return {"contractName": contract, "contractAction": name, "contractPayload": payload}


def in_shape(operation: Operation, shape: str) -> Any:
    """An operation as block_api or condenser_api writes it."""
    name, value = operation
    if shape == "condenser":
        return [name, value]
    amount = value.get("amount") if isinstance(value, dict) else None
    number, _, symbol = amount.partition(" ") if isinstance(amount, str) else ("", "", "")
    if name == "transfer" and symbol in NAI:
        nai = {"amount": str(int(number.replace(".", ""))), "precision": 3, "nai": NAI[symbol]}
        value = {**value, "amount": nai}
    return {"type": f"{name}_operation", "value": value}


def transaction_id(number: int, index: int) -> str:
    """The id of a block's transaction, made up but stable."""
    return hashlib.sha256(f"{number}/{index}".encode()).hexdigest()[:40]


def iso(timestamp: int) -> str:
    """Seconds since 1970 as blocks write them."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def block_before(number: int) -> str:
    """The id of the block before the first one of a chain: made up, unless that is block 1."""
    return NO_BLOCK if number == 1 else struct.pack(">I", number - 1).hex() + "ab" * 16


def sealed(
    number: int,
    previous: str,
    timestamp: int,
    transactions: Sequence[tuple[str, Sequence[Operation]]],
    shape: str = "block_api",
) -> dict[str, Any]:
    """A signed block on top of another one; each transaction is an id and operations."""
    fields = HeaderFields(
        block_id="",
        previous=previous,
        timestamp=iso(timestamp),
        witness="initminer",
        transaction_merkle_root="00" * 20,
    )
    signed = WITNESS.sign_recoverable(header_digest(fields), hasher=None)
    signature = bytes((31 + signed[64],)) + signed[:64]
    digest = hashlib.sha224(pack_header(fields) + signature).digest()
    ids, contents = zip(*transactions, strict=True) if transactions else ((), ())
    return {
        **msgspec.to_builtins(fields),
        "extensions": [],
        "witness_signature": signature.hex(),
        "transactions": [
            {
                "ref_block_num": 1,
                "operations": [in_shape(operation, shape) for operation in operations],
                "extensions": [],
                "signatures": [],
            }
            for operations in contents
        ],
        "block_id": (struct.pack(">I", number) + digest[4:20]).hex(),
        "signing_key": format_public_key(WITNESS.public_key.format()),
        "transaction_ids": list(ids),
    }


def block_value(
    number: int = 1,
    transactions: Sequence[Sequence[Operation]] = (),
    *,
    previous: str | None = None,
    shape: str = "block_api",
    timestamp: int | None = None,
) -> dict[str, Any]:
    """A block of transactions with made-up ids; `previous` defaults to a made-up id of the block before."""
    return sealed(
        number,
        block_before(number) if previous is None else previous,
        START_TIME + 3 * number if timestamp is None else timestamp,
        [(transaction_id(number, index), operations) for index, operations in enumerate(transactions)],
        shape,
    )


def as_text(value: object, *, ascii_only: bool = False) -> bytes:
    """Compact JSON, as nodes write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def block(number: int = 1, *transactions: Sequence[Operation], **options: Any) -> bytes:
    """A block's JSON text; each argument is a transaction's operations."""
    return as_text(block_value(number, transactions, **options))


def chain(first: int, *contents: Sequence[Sequence[Operation]]) -> list[bytes]:
    """Linked blocks; each argument holds a block's transactions."""
    blocks: list[bytes] = []
    previous: str | None = None
    for offset, transactions in enumerate(contents):
        value = block_value(first + offset, transactions, previous=previous)
        previous = value["block_id"]
        blocks.append(as_text(value))
    return blocks


def moved(sender: Any, recipient: Any, quantity: Any, symbol: Any = "SWAP.HIVE") -> dict[str, Any]:
    """A `transfer` event of the sidechain's contract `tokens`."""
    data = {"from": sender, "to": recipient, "symbol": symbol, "quantity": quantity}
    return {"contract": "tokens", "event": "transfer", "data": data}


def receipts(
    hive_number: int, logs: dict[str, Any], number: int | None = None, *, hive_id: str | None = None
) -> bytes:
    """A Hive-Engine block: for each element id its events, or its whole log as JSON text.

    `hive_id` is the Hive block's id, by default the one that `block_before` makes up.
    """
    return as_text(
        {
            "_id": number or hive_number,
            "blockNumber": number or hive_number,
            "refHiveBlockNumber": hive_number,
            "refHiveBlockId": hive_id or block_before(hive_number + 1),
            "transactions": [
                {
                    "transactionId": element_id,
                    "sender": "alice",
                    "contract": "tokens",
                    "action": "transfer",
                    "payload": "{}",
                    "logs": log if isinstance(log, str) else json.dumps({"events": log}),
                }
                for element_id, log in logs.items()
            ],
            "virtualTransactions": [],
        }
    )
