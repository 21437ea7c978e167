"""The recorded blocks under tests/data: real ones, with ids."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[1] / "data" / "hive_blocks"
BLOCK_FILES: Final = (
    "haf_blocks_3286849_5771683_6531076",
    "hafah_block_4999999_with_virtual",
    "hafah_blocks_4999981-5000000",
    "hive_block_range_1-1000",
    "hive_block_range_1000000-1000999",
    "hive_condenser_get_block_1092_1000000",
    "hivexplorer_block_70548020_partial",
    "workerbee_mirrornet_blocks_97477292-97477298",
)
ENGINE_FILES: Final = ("hive_engine_blocks", "hive_engine_blocks_trimmed")
_COINS: Final = {"@@000000021": "HIVE", "@@000000013": "HBD", "@@000000037": "VESTS"}
_NAIS: Final = {symbol: nai for nai, symbol in _COINS.items()}


def load(name: str) -> list[dict[str, Any]]:
    """The blocks of one file, as the node wrote them."""
    held = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
    blocks: list[dict[str, Any]] = held.get("blocks", [held])
    return blocks


def in_other_shape(block: dict[str, Any]) -> dict[str, Any]:
    """The same block as the other of the two APIs would have written it."""
    transactions = [
        {
            **transaction,
            "operations": [_other_operation(operation) for operation in transaction["operations"]],
        }
        for transaction in block["transactions"]
    ]
    return {**block, "transactions": transactions}


def _other_operation(operation: Any) -> Any:
    if isinstance(operation, list):
        name, value = operation
        return {"type": f"{name}_operation", "value": {key: _to_nai(item) for key, item in value.items()}}
    value = {key: _to_text(item) for key, item in operation["value"].items()}
    return [operation["type"].removesuffix("_operation"), value]


def _to_text(value: Any) -> Any:
    if not (isinstance(value, dict) and value.keys() == {"amount", "precision", "nai"}):
        return value
    digits, precision = value["amount"], value["precision"]
    padded = digits.rjust(precision + 1, "0")
    return f"{padded[:-precision]}.{padded[-precision:]} {_COINS[value['nai']]}"


def _to_nai(value: Any) -> Any:
    number, _, symbol = value.partition(" ") if isinstance(value, str) else ("", "", "")
    if symbol not in _NAIS:
        return value
    whole, _, decimals = number.partition(".")
    return {"amount": str(int(whole + decimals)), "precision": len(decimals), "nai": _NAIS[symbol]}
