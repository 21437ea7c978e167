"""Hive blocks in both JSON shapes of Hive nodes, typed and parsed lazily.

`block_api` writes an operation as {"type": "transfer_operation", "value": {…}} and an amount with its NAI;
`condenser_api` as ["transfer", {…}] and "1.000 HIVE". Operation values stay raw slices of the block's text
until they are needed, because most operations are not relevant to a venue.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Raw

from indexer.chain.strict_json import ChainJsonError, loads
from settlement.core.events import BlockHeader, VenueFilter
from settlement.core.parsing.names import NATIVE_PRECISION
from settlement.net.hive_formats import COIN_BY_NAI

HEX_ID_LENGTH: Final = 40
NO_BLOCK: Final = "0" * HEX_ID_LENGTH

_HEX_ID: Final = re.compile(r"[0-9a-f]{40}")
# Real ids are 40 hexadecimal digits; generated chains may use others, as long as ids stay unambiguous.
_TRANSACTION_ID: Final = re.compile(r"[0-9A-Za-z]{1,40}")
_TIMESTAMP: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")
_CONDENSER_AMOUNT: Final = re.compile(r"((?:0|[1-9][0-9]*)\.[0-9]{3}) (HIVE|HBD)")
_MILS: Final = re.compile(r"0|[1-9][0-9]*")
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_LONGEST_INTEGER: Final = 18  # characters; the fields that we read hold no longer ones

T = TypeVar("T")


class BlockError(ValueError):
    """A block, or a needed part of it, is not valid."""


class HeaderFields(msgspec.Struct, frozen=True, gc=False):
    """The fields of a block except its transactions; None for those that some nodes omit."""

    block_id: str
    previous: str
    timestamp: str
    witness: str | None = None
    transaction_merkle_root: str | None = None
    extensions: list[object] = []
    witness_signature: str | None = None


class _RawTransaction(msgspec.Struct, frozen=True):
    operations: list[Raw]


class _RawBody(msgspec.Struct, frozen=True):
    transaction_ids: list[str]
    transactions: list[_RawTransaction]


class _LenientTransaction(msgspec.Struct, frozen=True):
    operations: list[object]


class _LenientBody(msgspec.Struct, frozen=True):
    transaction_ids: list[str]
    transactions: list[_LenientTransaction]


class _TypedOperation(msgspec.Struct, frozen=True):
    type: str
    value: Raw


class Transaction(msgspec.Struct, frozen=True):
    """A transaction's id and its unparsed operations; see `operation_of`."""

    id: str
    operations: Sequence[object]


class Operation(NamedTuple):
    """An operation's name without `_operation`, and its unparsed value; see `JsonDecoder.read`."""

    name: str
    value: object


class NaiAmount(msgspec.Struct, frozen=True):
    """An amount as block_api writes it: `amount` in units of 10^-`precision`."""

    amount: str
    precision: int
    nai: str


class Transfer(msgspec.Struct, frozen=True, rename={"sender": "from", "recipient": "to"}):
    """The value of a `transfer` operation, in either shape."""

    sender: str
    recipient: str
    amount: NaiAmount | str
    memo: str = ""


class CustomJson(msgspec.Struct, frozen=True):
    """The value of a `custom_json` operation: the same in both shapes."""

    required_auths: list[str]
    required_posting_auths: list[str]
    id: str
    json: str


class LocatedOperation(msgspec.Struct, frozen=True):
    """A parsed operation and its place in the block."""

    id: str  # the intent id of its action, where it holds a single one
    transaction_id: str
    operation_index: int  # in its transaction, from 0
    value: Transfer | CustomJson | None  # None for operations of other types


class RelevantOperations(NamedTuple):
    """The operations of a block that may be relevant to a venue: a cached search result."""

    venue_filter: VenueFilter
    operations: list[LocatedOperation]


class _TypedTransfer(msgspec.Struct, frozen=True, tag_field="type", tag="transfer_operation"):
    value: Transfer


class _TypedCustomJson(msgspec.Struct, frozen=True, tag_field="type", tag="custom_json_operation"):
    value: CustomJson


class JsonDecoder(Generic[T]):
    """Decoder of JSON text, or of values decoded before, into one msgspec type."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def read(self, source: object) -> T:
        """Decode a raw slice or bytes of JSON; or convert a value decoded before. Raises BlockError.

        msgspec refuses some valid JSON (the escape of a lone surrogate). Such text is decoded by the slower
        `chain.strict_json`, so that a memo cannot stop the indexer.
        """
        try:
            if not isinstance(source, bytes | Raw):
                return msgspec.convert(source, self._kind)
            try:
                return self._decode(source)
            except msgspec.ValidationError:
                raise
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return msgspec.convert(decode_leniently(bytes(source)), self._kind)
        except msgspec.ValidationError as error:
            raise BlockError(str(error)) from None
        except UnicodeEncodeError as error:  # msgspec compares keys as UTF-8, which has no lone surrogates
            raise BlockError(f"a key with a lone surrogate: {error.object!a}") from None


def decode_leniently(text: bytes) -> object:
    """Any valid JSON text as Python values, decoded slowly. Raises BlockError."""
    try:
        return loads(text.decode("utf-8", "surrogatepass"), _plain_number)
    except UnicodeDecodeError as error:
        raise BlockError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except ChainJsonError as error:
        raise BlockError(f"malformed JSON: {error}") from None


def _plain_number(text: str) -> object:
    short_integer = len(text) <= _LONGEST_INTEGER and text.removeprefix("-").isdigit()
    return int(text) if short_integer else float(text)


_HEADER: Final = JsonDecoder(HeaderFields)
_LENIENT_BODY: Final = JsonDecoder(_LenientBody)
_decode_body: Final = msgspec.json.Decoder(_RawBody).decode
_decode_typed: Final = msgspec.json.Decoder(_TypedOperation).decode
_decode_pair: Final = msgspec.json.Decoder(tuple[str, Raw]).decode
_decode_value: Final = msgspec.json.Decoder(_TypedTransfer | _TypedCustomJson).decode
_VALUE_DECODERS: Final[dict[str, JsonDecoder[Transfer] | JsonDecoder[CustomJson]]] = {
    "transfer": JsonDecoder(Transfer),
    "custom_json": JsonDecoder(CustomJson),
}
_LENIENT_TYPED: Final = JsonDecoder(dict[str, object])
_LENIENT_PAIR: Final = JsonDecoder(tuple[str, object])


class Block:
    """A Hive block: header decoded and checked at once, transactions at first use.

    `number` is the first four bytes of `block_id`; `timestamp` is in seconds since 1970 (UTC); `raw` is the
    block's JSON text. `relevant` caches the search of `chain.decode` and `chain.prefilter`.
    """

    __slots__ = (
        "_transactions",
        "block_id",
        "fields",
        "number",
        "previous",
        "raw",
        "relevant",
        "timestamp",
    )

    def __init__(self, raw: bytes) -> None:
        """Decode the header; the whole text is checked to be JSON. Raises BlockError."""
        fields = _HEADER.read(raw)
        self.raw = raw
        self.fields = fields
        self.block_id = fields.block_id
        self.previous = fields.previous
        self.relevant: RelevantOperations | None = None
        self._transactions: list[Transaction] | None = None
        if not _HEX_ID.fullmatch(fields.block_id) or not _HEX_ID.fullmatch(fields.previous):
            raise BlockError("block_id and previous must be 40 hexadecimal digits in lower case")
        self.number = int(fields.block_id[:8], 16)
        if self.number == 0:
            raise BlockError("block_id begins with block number 0: blocks count from 1")
        if int(fields.previous[:8], 16) != self.number - 1:
            raise BlockError(
                f"block {self.number}: previous {fields.previous} is not the id of the block before"
            )
        self.timestamp = seconds_of(fields.timestamp)

    @property
    def header(self) -> BlockHeader:
        """The part of the header that the rules use."""
        return BlockHeader(self.number, self.block_id, self.timestamp)

    @property
    def transactions(self) -> list[Transaction]:
        """The transactions with their ids. Raises BlockError."""
        if self._transactions is None:
            self._transactions = _read_transactions(self.raw, self.number)
        return self._transactions

    def __repr__(self) -> str:
        return f"Block({self.number}, {self.block_id})"


def _read_transactions(raw: bytes, number: int) -> list[Transaction]:
    body: _RawBody | _LenientBody
    try:
        body = _decode_body(raw)
    except msgspec.ValidationError as error:
        raise BlockError(f"block {number}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = _LENIENT_BODY.read(raw)
    ids = body.transaction_ids
    if len(ids) != len(body.transactions):
        raise BlockError(
            f"block {number}: {len(ids)} transaction ids for {len(body.transactions)} transactions"
        )
    for transaction_id in ids:
        if not _TRANSACTION_ID.fullmatch(transaction_id):
            raise BlockError(f"block {number}: {transaction_id!a} is not a transaction id")
    operations: list[Sequence[object]] = [transaction.operations for transaction in body.transactions]
    return list(map(Transaction, ids, operations))


def operation_of(unparsed: object) -> Operation:
    """Name and value of one of a transaction's operations, in either shape. Raises BlockError."""
    if isinstance(unparsed, Raw):
        text = bytes(unparsed)
        is_pair = text.startswith(b"[")
        try:
            if is_pair:
                return Operation(*_decode_pair(text))
            typed = _decode_typed(text)
            return Operation(typed.type.removesuffix("_operation"), typed.value)
        except msgspec.ValidationError as error:
            raise BlockError(f"not an operation: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            unparsed = decode_leniently(text)
    if isinstance(unparsed, list):
        return Operation(*_LENIENT_PAIR.read(unparsed))
    held = _LENIENT_TYPED.read(unparsed)
    name = held.get("type")
    if not isinstance(name, str) or "value" not in held:
        raise BlockError("not an operation: it needs type and value")
    return Operation(name.removesuffix("_operation"), held["value"])


def transfer_or_custom_json(unparsed: object) -> Transfer | CustomJson | None:
    """The value of a `transfer` or `custom_json` in either shape; None for others. Raises BlockError."""
    if isinstance(unparsed, Raw):
        try:
            typed: _TypedTransfer | _TypedCustomJson = _decode_value(unparsed)
            return typed.value
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # another type, the other shape, or text that msgspec refuses: decoded below
    operation = operation_of(unparsed)
    decoder = _VALUE_DECODERS.get(operation.name)
    return None if decoder is None else decoder.read(operation.value)


def native_amount(amount: NaiAmount | str) -> tuple[str, str]:
    """Decimal text with 3 decimals, and symbol, of a native amount in either shape. Raises BlockError."""
    if isinstance(amount, str):
        found = _CONDENSER_AMOUNT.fullmatch(amount)
        if not found:
            raise BlockError(f"{amount!a} is not an amount of HIVE or HBD")
        return found.group(1), found.group(2)
    coin = COIN_BY_NAI.get(amount.nai)
    if coin is None or amount.precision != coin.precision or not _MILS.fullmatch(amount.amount):
        raise BlockError(f"{amount!a} is not an amount of HIVE or HBD")
    mils = amount.amount.rjust(NATIVE_PRECISION + 1, "0")
    return f"{mils[:-NATIVE_PRECISION]}.{mils[-NATIVE_PRECISION:]}", coin.symbol


def seconds_of(timestamp: str) -> int:
    """Seconds since 1970 (UTC) of a node's timestamp, `2016-03-24T16:05:00`. Raises BlockError."""
    found = _TIMESTAMP.fullmatch(timestamp)
    if not found:
        raise BlockError(f"{timestamp!a} is not a timestamp")
    day, hours, minutes, seconds = found.groups()
    return _days_of(day) * 86400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds)


@lru_cache(maxsize=64)
def _days_of(day: str) -> int:
    year, month, day_of_month = day.split("-")
    try:
        return date(int(year), int(month), int(day_of_month)).toordinal() - _EPOCH_DAY
    except ValueError:
        raise BlockError(f"{day} is not a date") from None
