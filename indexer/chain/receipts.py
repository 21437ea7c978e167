"""Receipts of the Hive-Engine sidechain for one Hive block (protocol, section 4).

Only these logs prove that tokens moved: the sidechain may reject what an operation on Hive asks for.
"""

from __future__ import annotations

from typing import Final

import msgspec

from indexer.chain.blocks import BlockError, JsonDecoder
from indexer.chain.strict_json import ChainJsonError, dumps, loads
from settlement.core.events import JsonNumber


class ReceiptError(ValueError):
    """A Hive-Engine block, or a log in it, is not valid."""


class OrphanError(ReceiptError):
    """The receipts are of another Hive block with the same number: their node followed a fork."""


class SidechainTransaction(msgspec.Struct, frozen=True, rename="camel"):
    """One action that the sidechain executed or rejected; `payload` and `logs` are JSON text."""

    transaction_id: str
    logs: str
    sender: str = ""
    contract: str = ""
    action: str = ""
    payload: str | None = None


class SidechainBlock(msgspec.Struct, frozen=True, rename="camel"):
    """One Hive-Engine block."""

    block_number: int
    ref_hive_block_number: int  # the Hive block whose actions it executed
    transactions: list[SidechainTransaction]


class _Numbers(msgspec.Struct, frozen=True, rename="camel"):
    block_number: int
    ref_hive_block_number: int
    ref_hive_block_id: str | None = None


_NUMBERS: Final = JsonDecoder(_Numbers)
_BLOCK: Final = JsonDecoder(SidechainBlock)


class Receipts:
    """The receipts of one Hive block: block numbers decoded at once, the rest at first use.

    `number` is the sidechain's own block number; `hive_number` and `hive_id` name the Hive block that was
    executed (the id is None where it is missing); `raw` is the JSON text.
    """

    __slots__ = ("_logs", "_used", "hive_id", "hive_number", "number", "raw")

    def __init__(self, raw: bytes) -> None:
        """Decode the numbers; the whole text is checked to be JSON. Raises ReceiptError."""
        try:
            numbers = _NUMBERS.read(raw)
        except BlockError as error:
            raise ReceiptError(str(error)) from None
        self.raw = raw
        self.number = numbers.block_number
        self.hive_number = numbers.ref_hive_block_number
        self.hive_id = numbers.ref_hive_block_id
        self._logs: dict[str, list[str]] | None = None
        self._used: dict[str, list[list[dict[str, object]]]] = {}
        if self.number < 0 or self.hive_number < 1:
            raise ReceiptError("blockNumber and refHiveBlockNumber must be block numbers")

    def check_hive_id(self, block_id: str) -> None:
        """Raise OrphanError unless these are the receipts of the Hive block with this id."""
        if self.hive_id != block_id:
            found = "have no refHiveBlockId" if self.hive_id is None else f"are of {self.hive_id[:40]}"
            raise OrphanError(
                f"the receipts of Hive block {self.hive_number} {found}, and Hive's block is {block_id}"
            )

    def check(self) -> None:
        """Decode everything now. Raises ReceiptError for transactions with missing or mistyped fields."""
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
        """The events that the sidechain logged for one element (by intent id), in order; empty for none.

        Each event is `{contract, event, data}` as decoded by `strict_json`, unchecked. Events count even
        beside errors: the sidechain does not roll back. Raises ReceiptError for malformed logs.
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
        """Element ids with their logs (JSON text), in order of the first log of each. Raises ReceiptError."""
        return [(element_id, text) for element_id, logs in self._logs_by_id().items() for text in logs]

    def used(self) -> bytes | None:
        """The logs that `logs_of` returned events from, as JSON text that `Receipts` reads; None for none.

        It is canonical: the same events give the same bytes, whatever node they came from. A replay that has
        it needs no sidechain.
        """
        if not self._used:
            return None
        block = {
            "blockNumber": JsonNumber(str(self.number)),
            "refHiveBlockNumber": JsonNumber(str(self.hive_number)),
            **({} if self.hive_id is None else {"refHiveBlockId": self.hive_id}),
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
    """The events of a log, unchecked. Raises ChainJsonError or ReceiptError for a malformed log."""
    logs = loads(text)
    if not isinstance(logs, dict):
        raise ReceiptError("not an object")
    events = logs.get("events", [])
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ReceiptError("events must be an array of objects")
    return events


def _in_key_order(events: list[dict[str, object]]) -> list[object]:
    """The events with sorted keys, and sorted keys in their data; deeper levels are unchanged."""
    ordered: list[object] = []
    for event in events:
        data = event.get("data")
        flat = {**event, "data": dict(sorted(data.items()))} if isinstance(data, dict) else event
        ordered.append(dict(sorted(flat.items())))
    return ordered
