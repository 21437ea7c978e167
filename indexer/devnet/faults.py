"""Fault injection for simulated nodes: the failures and false answers of public nodes, on demand.

A `Faults` belongs to one HTTP server, so two servers over one `DevNode` can be an honest and a faulty node of
the same chain. Faults of the chain itself (lag, stall, forks, missed slots, a sidechain that is behind) are
settings of the `DevNode`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

Lie = Literal["", "amount", "add", "drop", "order", "irreversible"]
LIES: Final[tuple[Lie, ...]] = ("", "amount", "add", "drop", "order", "irreversible")

LOCK_ERROR: Final = "Unable to acquire database lock"
HTML_502: Final = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
HTML_503: Final = b"<html><head><title>503 Service Temporarily Unavailable</title></head></html>"
HTML_429: Final = b"<html><head><title>429 Too Many Requests</title></head></html>"

Row = dict[str, Any]


@dataclass
class Faults:
    """The faults of one node, named as in `POST /dev/faults`."""

    # The number of coming calls to the Hive node that fail this way.
    lost_replies: int = 0  # the call is executed, and the connection closes without an answer
    duplicate_replies: int = 0  # the call is executed twice, and the second answer is returned
    lock_errors: int = 0  # LOCK_ERROR
    html_errors: int = 0  # HTTP 502
    too_many: int = 0  # HTTP 429
    bad_json: int = 0  # a truncated answer
    # Until switched off (0, empty or false).
    short_ranges: int = 0  # maximum blocks in a range
    gaps: int = 0  # one block of a range is missing after that many
    stale: int = 0  # answers are that many blocks old
    delay_ms: int = 0
    lie: Lie = ""  # a false answer: amount changed, operation added or dropped, blocks swapped, …
    refuses: bool = False  # HTTP 503
    silent: bool = False  # never answers
    # The same for the sidechain node.
    engine_refuses: bool = False
    engine_silent: bool = False
    engine_disagrees: bool = False  # other quantities in the receipts
    engine_forked: bool = False  # it followed the branch that the last fork with `sidechain` dropped

    def set(self, changes: Mapping[str, object]) -> None:
        """Change the given faults. Raises ValueError without changing anything."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"unknown fault {name}; the faults are {', '.join(known)}")
            if type(value) is not type(known[name]) or (isinstance(value, int) and value < 0):
                raise ValueError(f"fault {name} must be a {type(known[name]).__name__}, not {value!r}")
            if name == "lie" and value not in LIES:
                raise ValueError(f"lie must be one of {', '.join(filter(None, LIES))}, or empty")
        for name, value in changes.items():
            setattr(self, name, value)

    def consume(self, name: str) -> bool:
        """Whether a counted fault happens to this call; its counter decreases by one."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    @property
    def distorts(self) -> bool:
        """Whether the Hive node's answers must pass through `distort`."""
        return bool(self.short_ranges or self.gaps or self.stale or self.lie)

    def distort(self, answer: bytes, head: int) -> bytes:
        """A JSON answer of the Hive node with this node's faults; `head` is the head block number."""
        decoded = json.loads(answer)
        for item in decoded if isinstance(decoded, list) else [decoded]:
            if isinstance(item, dict) and "result" in item:
                item["result"] = self._distort_result(item["result"], head)
        return json.dumps(decoded).encode()

    def _distort_result(self, result: object, head: int) -> object:
        if not isinstance(result, dict):
            return result
        if "last_irreversible_block_num" in result:
            return self._distort_properties(result, head)
        blocks = result.get("blocks")
        if isinstance(blocks, list):
            result["blocks"] = self._distort_blocks(blocks, head)
        elif isinstance(result.get("block"), dict):
            kept = self._distort_blocks([result["block"]], head)
            return {"block": kept[0]} if kept else {}
        elif "block_id" in result and "transactions" in result:
            # condenser_api.get_block returns the block itself, or null.
            return next(iter(self._distort_blocks([result], head)), None)
        return result

    def _distort_properties(self, result: Row, head: int) -> Row:
        if self.stale:
            seen = max(0, head - self.stale)
            result["head_block_number"] = seen
            result["last_irreversible_block_num"] = min(result["last_irreversible_block_num"], seen)
        if self.lie == "irreversible":
            result["last_irreversible_block_num"] = result["head_block_number"]
        return result

    def _distort_blocks(self, blocks: list[Row], head: int) -> list[Row]:
        if self.stale:
            blocks = [block for block in blocks if _number(block) <= head - self.stale]
        if self.gaps:
            blocks = [block for at, block in enumerate(blocks, 1) if at % (self.gaps + 1)]
        if self.short_ranges:
            blocks = blocks[: self.short_ranges]
        if self.lie == "order" and len(blocks) > 1:
            blocks[0], blocks[1] = blocks[1], blocks[0]
        for block in blocks:
            falsify_block(block, self.lie)
        return blocks

    def distort_receipts(self, answer: bytes) -> bytes:
        """A sidechain answer with a digit added to each transferred quantity."""
        decoded = json.loads(answer)
        result = decoded.get("result") if isinstance(decoded, dict) else None
        if isinstance(result, dict):
            for row in result.get("transactions", ()):
                logs = json.loads(row["logs"])
                for event in logs.get("events", ()):
                    if "quantity" in event["data"]:
                        event["data"]["quantity"] = f"1{event['data']['quantity']}"
                row["logs"] = json.dumps(logs)
        return json.dumps(decoded).encode()


def _number(block: Row) -> int:
    return int(block["block_id"][:8], 16)


def falsify_block(block: Row, lie: Lie) -> None:
    """Change a block of either JSON shape in place, as a hostile node could; its ids stay the same."""
    transactions = block["transactions"]
    if lie == "amount":
        for transaction in transactions:
            for operation in transaction["operations"]:
                _inflate(operation["value"] if isinstance(operation, dict) else operation[1])
    elif lie == "drop" and transactions:
        transactions.pop()
        block["transaction_ids"].pop()
    elif lie == "add" and transactions:
        # The last transaction again, under another id.
        transactions.append(transactions[-1])
        block["transaction_ids"].append(block["transaction_ids"][-1][::-1])


def _inflate(value: Row) -> None:
    """Multiply a transfer's amount by ten, or add a digit to a quantity in a custom_json."""
    amount = value.get("amount")
    if isinstance(amount, dict):
        amount["amount"] = str(int(amount["amount"]) * 10)
    elif isinstance(amount, str):
        number, symbol = amount.split(" ")
        mils = int(number.replace(".", "")) * 10
        value["amount"] = f"{mils // 1000}.{mils % 1000:03d} {symbol}"
    elif "json" in value:
        value["json"] = value["json"].replace('"quantity":"', '"quantity":"1')
