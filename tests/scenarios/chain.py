"""A chain as nodes write it, in both shapes, from operations told one by one: for scenarios and hostile input."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from indexer.chain.blocks import NO_BLOCK, HeaderFields
from indexer.chain.integrity.block_id import pack_header

SHAPES: Final = ("block_api", "condenser")
_NAI: Final = {"HIVE": "@@000000021", "HBD": "@@000000013"}
_SIGNATURE: Final = "1f" + "00" * 64

Operation = tuple[str, dict[str, Any]]
"""A name as condenser_api writes it, and a value with amounts as condenser_api writes them."""


def transaction_id(count: int) -> str:
    """The id of the n-th transaction of a chain: the counter in hexadecimal, five times."""
    return f"{count:08x}" * 5


def transfer(sender: object, recipient: object, amount: object, memo: object = "") -> Operation:
    return "transfer", {"from": sender, "to": recipient, "amount": amount, "memo": memo}


def custom_json(text: object, active: list[Any], posting: list[Any], json_id: object) -> Operation:
    value = {"required_auths": active, "required_posting_auths": posting, "id": json_id, "json": text}
    return "custom_json", value


@dataclass
class Block:
    """One block under construction. `logs` are the sidechain's, by element id, as JSON text; None: it is silent."""

    number: int
    timestamp: int
    transactions: list[tuple[str, list[Operation]]] = field(default_factory=list)
    logs: dict[str, str] | None = None


def iso(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def block_texts(blocks: list[Block], shape: str) -> list[bytes]:
    """The blocks as JSON lines, linked, with the ids that their headers give.

    One shape is written as UTF-8 and the other one in ASCII with escapes: a node may do either.
    """
    lines: list[bytes] = []
    previous = (
        NO_BLOCK if blocks[0].number == 1 else struct.pack(">I", blocks[0].number - 1).hex() + "ab" * 16
    )
    for block in blocks:
        value = block_value(block, previous, shape)
        previous = value["block_id"]
        lines.append(_line(value, ascii_only=shape == "condenser"))
    return lines


def block_value(block: Block, previous: str, shape: str) -> dict[str, Any]:
    fields = {
        "previous": previous,
        "timestamp": iso(block.timestamp),
        "witness": "initminer",
        "transaction_merkle_root": "00" * 20,
        "extensions": [],
        "witness_signature": _SIGNATURE,
    }
    packed = pack_header(HeaderFields(block_id="", **fields))  # type: ignore[arg-type]
    digest = hashlib.sha224(packed + bytes.fromhex(_SIGNATURE)).digest()
    return {
        **fields,
        "transactions": [
            {
                "ref_block_num": 1,
                "operations": [_in_shape(operation, shape) for operation in operations],
                "extensions": [],
                "signatures": [],
            }
            for _, operations in block.transactions
        ],
        "block_id": (struct.pack(">I", block.number) + digest[4:20]).hex(),
        "signing_key": "STM8GC13uCZbP44HzMLV6zPZGwVQ8Nt4Kji8PapsPiNq1BK153XTX",
        "transaction_ids": [one_id for one_id, _ in block.transactions],
    }


def _in_shape(operation: Operation, shape: str) -> Any:
    name, value = operation
    if shape == "condenser":
        return [name, value]
    amount = value.get("amount") if isinstance(value, dict) else None
    number, _, symbol = amount.partition(" ") if isinstance(amount, str) else ("", "", "")
    if name == "transfer" and symbol in _NAI:
        nai = {"amount": str(int(number.replace(".", ""))), "precision": 3, "nai": _NAI[symbol]}
        value = {**value, "amount": nai}
    return {"type": f"{name}_operation", "value": value}


def receipt_text(block: Block) -> bytes | None:
    """The Hive-Engine block of a Hive block; None where the sidechain is silent."""
    if block.logs is None:
        return None
    return _line(
        {
            "blockNumber": block.number + 1000,
            "refHiveBlockNumber": block.number,
            "transactions": [
                {
                    "transactionId": element_id,
                    "sender": "somebody",
                    "contract": "tokens",
                    "action": "transfer",
                    "payload": "{}",
                    "logs": log,
                }
                for element_id, log in block.logs.items()
            ],
            "virtualTransactions": [],
        }
    )


def write_archive(folder: Path, blocks: list[Block], shape: str) -> Path:
    """Record a chain as an archive folder."""
    folder.mkdir(exist_ok=True)
    write_lines(folder / "blocks-1.jsonl", block_texts(blocks, shape))
    write_lines(folder / "receipts-1.jsonl", [text for block in blocks if (text := receipt_text(block))])
    return folder


def write_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def _line(value: object, *, ascii_only: bool = False) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    return text.encode("utf-8", "surrogatepass")
