"""Compares two nodes' versions of a block, and of its sidechain receipts, by content.

The order of keys, white space, the API's JSON shape and fields that some node versions add do not count.
"""

from __future__ import annotations

from typing import Any, Final

from indexer.chain.blocks import BlockError
from indexer.chain.receipts import ReceiptError, Receipts, events_of
from indexer.chain.strict_json import ChainJsonError, dumps, loads
from settlement.net.hive_formats import ASSET_BY_NAI

_TRANSACTION_FIELDS: Final = (
    *("ref_block_num", "ref_block_prefix", "expiration", "operations", "extensions", "signatures"),
)
_AMOUNT_KEYS: Final = {"amount", "precision", "nai"}
_MOST_DECIMALS: Final = 18


def block_difference(one: bytes, other: bytes) -> str | None:
    """The first difference between the transactions of two versions of a block, in words; None for none.

    Headers are not compared: the block's id covers them. Raises BlockError for text that is not a block.
    """
    if one == other:
        return None
    mine, others = _transactions(one), _transactions(other)
    for index, (left, right) in enumerate(zip(mine, others, strict=False)):
        if left != right:
            ids = left[0] if left[0] == right[0] else f"{left[0]} or {right[0]}"
            return f"transaction {index + 1} ({ids})"
    if len(mine) != len(others):
        return f"{len(mine)} or {len(others)} transactions"
    return None


def _transactions(raw: bytes) -> list[tuple[str, str]]:
    """Each transaction's id and canonical text. Raises BlockError."""
    try:
        block: Any = loads(raw.decode("utf-8", "surrogatepass"))
        ids, transactions = block["transaction_ids"], block["transactions"]
        if len(ids) != len(transactions):
            raise BlockError("not as many transactions as ids")
        texts = [
            dumps([_canonical(transaction.get(name)) for name in _TRANSACTION_FIELDS])
            for transaction in transactions
        ]
        return list(zip(map(str, ids), texts, strict=True))
    except (ChainJsonError, KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError):
        raise BlockError("a block without readable transactions") from None


def _canonical(value: Any) -> Any:
    """The value with its keys in order, operations as [name, value] and amounts as decimal text."""
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == _AMOUNT_KEYS:
        return _amount(value)
    if value.keys() == {"type", "value"} and isinstance(value["type"], str):
        return [value["type"].removesuffix("_operation"), _canonical(value["value"])]
    return {key: _canonical(value[key]) for key in sorted(value)}


def _amount(value: dict[str, Any]) -> Any:
    """`1.000 HIVE` for an amount with a known NAI."""
    digits, precision, asset = value["amount"], str(value["precision"]), ASSET_BY_NAI.get(str(value["nai"]))
    if asset is None or not isinstance(digits, str) or not precision.isdigit() or len(precision) > 2:
        return {key: value[key] for key in sorted(value)}
    places = int(precision)
    if not 0 < places <= _MOST_DECIMALS:
        return {key: value[key] for key in sorted(value)}
    padded = digits.rjust(places + 1, "0")
    return f"{padded[:-places]}.{padded[-places:]} {asset.symbol}"


def receipts_content(receipts: Receipts | None) -> str | None:
    """The part of a Hive block's receipts that counts: ids in order, and the events of each.

    Errors do not count (protocol, section 4), and their texts vary from node to node. None for no receipts.
    Raises ReceiptError for receipts without readable transactions.
    """
    if receipts is None:
        return None
    return dumps([[element_id, _log_content(text)] for element_id, text in receipts.all_logs()])


def _log_content(text: str) -> Any:
    try:
        return _canonical(events_of(text))
    except (ChainJsonError, ReceiptError, RecursionError):
        return text  # not a log of a node: compared as text
