"""Chains of single operations with counting ids, written in both JSON formats of Hive nodes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.blocks import Operation, as_text, block_before, receipts, sealed

SHAPES: Final = ("block_api", "condenser")


def transaction_id(count: int) -> str:
    """The id of the n-th transaction of a chain: the counter in hexadecimal, five times."""
    return f"{count:08x}" * 5


def custom_json(text: object, active: list[Any], posting: list[Any], json_id: object) -> Operation:
    value = {"required_auths": active, "required_posting_auths": posting, "id": json_id, "json": text}
    return "custom_json", value


@dataclass
class Block:
    """One block. `logs` are receipt logs as JSON text by element id; None if the sidechain has no block for it."""

    number: int
    timestamp: int
    transactions: list[tuple[str, list[Operation]]] = field(default_factory=list)
    logs: dict[str, str] | None = None


def block_texts(blocks: list[Block], shape: str) -> list[bytes]:
    """The blocks as linked JSON lines: UTF-8 as `block_api` returns them, or ASCII with escapes as `condenser_api` does."""
    lines: list[bytes] = []
    previous = block_before(blocks[0].number)
    for block in blocks:
        value = sealed(block.number, previous, block.timestamp, block.transactions, shape)
        previous = value["block_id"]
        lines.append(as_text(value, ascii_only=shape == "condenser"))
    return lines


def receipt_texts(blocks: list[Block]) -> list[bytes]:
    """Receipts lines of the blocks that have logs."""
    ids = [json.loads(text)["block_id"] for text in block_texts(blocks, SHAPES[0])]
    return [
        receipts(block.number, block.logs, block.number + 1000, hive_id=block_id)
        for block, block_id in zip(blocks, ids, strict=True)
        if block.logs is not None
    ]


def write_archive(folder: Path, blocks: list[Block], shape: str) -> Path:
    """Record a chain as an archive folder."""
    folder.mkdir(exist_ok=True)
    write_lines(folder / "blocks-1.jsonl", block_texts(blocks, shape))
    write_lines(folder / "receipts-1.jsonl", receipt_texts(blocks))
    return folder


def write_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
