"""Everything that public nodes do wrong, on demand.

A `Faults` belongs to one HTTP server: two servers over one `DevNode` are an honest and a faulty node of
the same chain. Counted faults happen to that many of the next calls; the others last until switched off.
Faults of the chain itself (lag, stall, forks, missed slots, a sidechain that is behind) are the node's.
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
    """The switches, each named as in `POST /dev/faults`.

    Counted, for the next calls of the Hive node: `lost_replies` (done, but the connection closes without
    an answer), `duplicate_replies` (done twice, and the second answer given), `lock_errors`, `html_errors`
    (502), `too_many` (429), `bad_json` (a truncated answer).
    Lasting: `short_ranges` (no more blocks a range than this, 0 for off), `gaps` (after every so many blocks
    of a range one is missing), `stale` (answers as of so many blocks ago), `lie` (see LIES: a changed
    amount, an added or dropped operation, swapped blocks, a forged irreversible number), `delay_ms`,
    `refuses` (HTTP 503), `silent` (never answers).
    Sidechain: `engine_refuses` (HTTP 503), `engine_silent` (never answers), `engine_disagrees` (other
    quantities in the receipts).
    """

    lost_replies: int = 0
    duplicate_replies: int = 0
    lock_errors: int = 0
    html_errors: int = 0
    too_many: int = 0
    bad_json: int = 0
    short_ranges: int = 0
    gaps: int = 0
    stale: int = 0
    delay_ms: int = 0
    lie: Lie = ""
    refuses: bool = False
    silent: bool = False
    engine_refuses: bool = False
    engine_silent: bool = False
    engine_disagrees: bool = False

    def set(self, changes: Mapping[str, object]) -> None:
        """Change the switches that are named. Raises ValueError; nothing has changed then."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"there is no fault {name}: {', '.join(known)}")
            if type(value) is not type(known[name]) or (isinstance(value, int) and value < 0):
                raise ValueError(f"fault {name} takes a {type(known[name]).__name__}, not {value!r}")
            if name == "lie" and value not in LIES:
                raise ValueError(f"lie is one of {', '.join(filter(None, LIES))}, or empty")
        for name, value in changes.items():
            setattr(self, name, value)

    def take(self, name: str) -> bool:
        """Whether a counted fault happens now; it is then one less."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    @property
    def distorts(self) -> bool:
        """Whether answers of the Hive node must pass through `distort`."""
        return bool(self.short_ranges or self.gaps or self.stale or self.lie)

    def distort(self, answer: bytes, head: int) -> bytes:
        """The Hive node's JSON answer as this node gives it; `head` is the chain's head block number."""
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
            # condenser_api.get_block gives a bare block, or null.
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
            lie_about(block, self.lie)
        return blocks

    def disagree(self, answer: bytes) -> bytes:
        """A sidechain answer whose transfer events show ten times the quantity."""
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


def lie_about(block: Row, lie: Lie) -> None:
    """Change a block of either shape in place, as a hostile node could; its ids stay."""
    transactions = block["transactions"]
    if lie == "amount":
        for transaction in transactions:
            for operation in transaction["operations"]:
                _inflate(operation["value"] if isinstance(operation, dict) else operation[1])
    elif lie == "drop" and transactions:
        transactions.pop()
        block["transaction_ids"].pop()
    elif lie == "add" and transactions:
        # The same transaction once more, under an id of its own.
        transactions.append(transactions[-1])
        block["transaction_ids"].append(block["transaction_ids"][-1][::-1])


def _inflate(value: Row) -> None:
    """Ten times the amount of a transfer, or a larger quantity in a custom_json."""
    amount = value.get("amount")
    if isinstance(amount, dict):
        amount["amount"] = str(int(amount["amount"]) * 10)
    elif isinstance(amount, str):
        number, symbol = amount.split(" ")
        mils = int(number.replace(".", "")) * 10
        value["amount"] = f"{mils // 1000}.{mils % 1000:03d} {symbol}"
    elif "json" in value:
        value["json"] = value["json"].replace('"quantity":"', '"quantity":"1')
