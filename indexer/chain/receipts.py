"""What the sidechain did: Hive-Engine blocks, typed, and the receipts of one Hive block (section 3).

The words on Hive alone prove nothing: only these logs say whether tokens moved.
"""

from __future__ import annotations

from typing import Final

import msgspec

from indexer.chain.blocks import BlockError, Shape
from indexer.chain.strict_json import ChainJsonError, dumps, loads
from settlement.core.events import JsonNumber


class ReceiptError(ValueError):
    """A Hive-Engine block, or a log in it, is not as a Hive-Engine node writes it."""


class EngineTransaction(msgspec.Struct, frozen=True, rename="camel"):
    """One action that the sidechain ran, or refused; `payload` and `logs` are JSON text."""

    transaction_id: str
    logs: str
    sender: str = ""
    contract: str = ""
    action: str = ""
    payload: str | None = None


class EngineBlock(msgspec.Struct, frozen=True, rename="camel"):
    """One Hive-Engine block; `ref_hive_block_number` is the Hive block whose actions it ran."""

    block_number: int
    ref_hive_block_number: int
    transactions: list[EngineTransaction]


class _Numbers(msgspec.Struct, frozen=True, rename="camel"):
    block_number: int
    ref_hive_block_number: int


_NUMBERS: Final = Shape(_Numbers)
_BLOCK: Final = Shape(EngineBlock)


class Receipts:
    """The receipts of one Hive block. Only its two numbers are read at once, the rest when asked for.

    `number` is the sidechain's own block number, `hive_number` the Hive block's; `raw` is the JSON text.
    """

    __slots__ = ("_logs", "_used", "hive_number", "number", "raw")

    def __init__(self, raw: bytes) -> None:
        """Read a Hive-Engine block from its JSON text (walked whole). Raises ReceiptError."""
        try:
            numbers = _NUMBERS.read(raw)
        except BlockError as error:
            raise ReceiptError(str(error)) from None
        self.raw = raw
        self.number = numbers.block_number
        self.hive_number = numbers.ref_hive_block_number
        self._logs: dict[str, list[str]] | None = None
        self._used: dict[str, list[list[dict[str, object]]]] = {}
        if self.number < 0 or self.hive_number < 1:
            raise ReceiptError("blockNumber and refHiveBlockNumber must count blocks")

    def check(self) -> None:
        """Read all of it now. Raises ReceiptError for transactions that lack a field or have a wrong type."""
        self._logs_by_id()

    def _logs_by_id(self) -> dict[str, list[str]]:
        if self._logs is None:
            try:
                block = _BLOCK.read(self.raw)
            except BlockError as error:
                raise ReceiptError(f"receipts of Hive block {self.hive_number}: {error}") from None
            self._logs = {}
            for transaction in block.transactions:
                self._logs.setdefault(transaction.transaction_id, []).append(transaction.logs)
        return self._logs

    def logs_of(self, element_id: str) -> list[dict[str, object]]:
        """The events that the sidechain logged for one element (by intent id), in order; none if it ran none.

        Each event is `{contract, event, data}` as decoded by `chain_json`; nothing in it is checked. Events
        stand even beside errors: the sidechain rolls nothing back. Raises ReceiptError for malformed logs.
        """
        found: list[list[dict[str, object]]] = []
        for text in self._logs_by_id().get(element_id, ()):
            try:
                found.append(events_of(text))
            except (ChainJsonError, ReceiptError) as error:
                raise ReceiptError(f"logs of {element_id}: {error}") from None
        if any(found):
            self._used[element_id] = found
        return [event for events in found for event in events]

    def all_logs(self) -> list[tuple[str, str]]:
        """Each element's id with its log, JSON text: ids in order of their first log. Raises ReceiptError."""
        return [(element_id, text) for element_id, logs in self._logs_by_id().items() for text in logs]

    def used(self) -> bytes | None:
        """The part that was asked for and held events, as JSON text that `Receipts` reads; None if nothing.

        It is canonical: whatever node it came from, the same events give the same bytes. A replay that has
        this needs no sidechain.
        """
        if not self._used:
            return None
        block = {
            "blockNumber": JsonNumber(str(self.number)),
            "refHiveBlockNumber": JsonNumber(str(self.hive_number)),
            "transactions": [
                {"transactionId": element_id, "logs": dumps({"events": _in_key_order(events)})}
                for element_id, logs in self._used.items()
                for events in logs
            ],
        }
        return dumps(block).encode("ascii")

    def __repr__(self) -> str:
        return f"Receipts({self.number}, Hive block {self.hive_number})"


def events_of(text: str) -> list[dict[str, object]]:
    """The events of a log, unchecked. Raises ChainJsonError or ReceiptError for a log of another form."""
    logs = loads(text)
    if not isinstance(logs, dict):
        raise ReceiptError("not an object")
    events = logs.get("events", [])
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ReceiptError("events must be an array of objects")
    return events


def _in_key_order(events: list[dict[str, object]]) -> list[object]:
    """The events with the keys of each, and of its data, in order; what lies deeper stays as it is."""
    ordered: list[object] = []
    for event in events:
        data = event.get("data")
        flat = {**event, "data": dict(sorted(data.items()))} if isinstance(data, dict) else event
        ordered.append(dict(sorted(flat.items())))
    return ordered
