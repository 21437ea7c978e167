"""Transactions, their serialization, and signatures over them: made by beem, under a pinned chain id.

Of beem only the signing is used, and only over bytes that equal our own serialization. Its network layer is
unsuitable for money: it trusts the chain id that a node names, retries by itself, and returns None where the
outcome is unknown. Broadcasting is in `chain`.
"""

from __future__ import annotations

import calendar
import hashlib
import re
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

from beembase.operations import Custom_json
from beembase.operations import Transfer as TransferOperation
from beembase.signedtransactions import Signed_Transaction
from coincurve import PrivateKey, PublicKey

from settlement.core.journal.lines import iso_time
from settlement.net.hive_formats import KeyFormatError, format_public_key, parse_wif

SIGNATURE_BYTES: Final = 65
MAX_REFERENCE_AGE: Final = 65_000
"""In blocks. A transaction can refer to one of the last 65,536."""

_WIF: Final = re.compile(r"5[HJK][1-9A-HJ-NP-Za-km-z]{49}")
_NOT_WIF: Final = "not a private key in wallet import format (51 characters, begins with 5)"
_BLOCK_ID: Final = re.compile(r"[0-9a-f]{40}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{130}")
_FIRST_COMPACT: Final = 31  # 27, and 4 for a compressed key
_LAST_COMPACT: Final = 34
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_FIELDS: Final = {
    "transfer": {"from", "to", "amount", "memo"},
    "custom_json": {"required_auths", "required_posting_auths", "id", "json"},
}
_AMOUNT: Final = re.compile(r"([0-9]+)\.([0-9]{3}) (HIVE|HBD)")
_LEGACY_SYMBOLS: Final = {"HIVE": b"\x03STEEM\0\0", "HBD": b"\x03SBD\0\0\0\0"}

Operation = tuple[str, Mapping[str, object]]
"""Name (`transfer` or `custom_json`) and fields of an operation, as condenser_api writes them."""


class SigningError(Exception):
    """Nothing was signed, or a signature is not valid; the text says why and never contains a key."""


@dataclass(frozen=True)
class Transaction:
    """A transaction without signatures: everything that its id is a hash of."""

    operations: tuple[Operation, ...]
    ref_block_num: int  # TaPoS: the low 16 bits of the reference block's number
    ref_block_prefix: int  # TaPoS: bytes 4 to 7 of its id, little-endian
    expires: int  # seconds since 1970

    @classmethod
    def after(cls, block_id: str, expires: int, *operations: Operation) -> Self:
        """A transaction that refers to the block of this id (TaPoS). Raises SigningError."""
        if _BLOCK_ID.fullmatch(block_id) is None:
            raise SigningError(f"{block_id[:50]!r} is not a block id")
        raw = bytes.fromhex(block_id)
        return cls(operations, int.from_bytes(raw[2:4], "big"), int.from_bytes(raw[4:8], "little"), expires)

    @cached_property
    def packed(self) -> bytes:
        """Hive's legacy serialization, without signatures. Raises SigningError."""
        try:
            head = struct.pack("<HII", self.ref_block_num, self.ref_block_prefix, self.expires)
            bodies = b"".join(map(_pack, self.operations))
        except (struct.error, KeyError, TypeError, ValueError) as error:
            raise SigningError("the transaction cannot be serialized; nothing was signed") from error
        return head + _varint(len(self.operations)) + bodies + b"\0"

    @property
    def id(self) -> str:
        """Transaction id, 40 hex digits; independent of the signatures."""
        return hashlib.sha256(self.packed).hexdigest()[:40]

    @property
    def expiration(self) -> str:
        """The expiration as Hive writes it (UTC)."""
        return iso_time(self.expires)

    def digest(self, chain_id: str) -> bytes:
        """The 32 bytes that are signed."""
        return hashlib.sha256(bytes.fromhex(chain_id) + self.packed).digest()

    def to_json(self) -> dict[str, object]:
        """As condenser_api writes it, without signatures."""
        return {
            "ref_block_num": self.ref_block_num,
            "ref_block_prefix": self.ref_block_prefix,
            "expiration": self.expiration,
            "operations": [[name, value] for name, value in self.operations],
            "extensions": [],
        }

    @classmethod
    def of_json(cls, raw: object) -> Self:
        """The inverse of `to_json`. Raises SigningError for anything that it does not produce."""
        try:
            if not isinstance(raw, Mapping):
                raise TypeError("not an object")
            operations = tuple((str(name), dict(value)) for name, value in raw["operations"])
            expires = unix_time(str(raw["expiration"]))
            made = cls(operations, int(raw["ref_block_num"]), int(raw["ref_block_prefix"]), expires)
            if made.packed and made.to_json() == raw:
                return made
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError, SigningError):
            pass
        raise SigningError("not a transaction of transfers and custom_json")


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction with the signatures that it is broadcast with."""

    transaction: Transaction
    signatures: tuple[str, ...]  # 130 hex digits each

    @property
    def id(self) -> str:
        return self.transaction.id

    @property
    def expiration(self) -> str:
        return self.transaction.expiration

    def to_json(self) -> dict[str, object]:
        """The parameter of `condenser_api.broadcast_transaction`."""
        return {**self.transaction.to_json(), "signatures": list(self.signatures)}


class Key:
    """A private key. It never appears in `str`, `repr`, a pickle or an exception.

    `public` is its public key, `STM…`.
    """

    __slots__ = ("_wif", "public")

    def __init__(self, wif: str) -> None:
        """From wallet import format. Raises SigningError."""
        if _WIF.fullmatch(wif) is None:
            raise SigningError(_NOT_WIF)
        try:
            secret = parse_wif(wif)
        except KeyFormatError:
            raise SigningError(_NOT_WIF) from None
        try:
            pair = PrivateKey(secret)
        except ValueError:
            raise SigningError("not a private key: the number is out of range") from None
        self._wif = wif
        self.public = show_key(pair.public_key)

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> str:
        raise TypeError("a private key cannot be pickled")

    def sign(self, transaction: Transaction, chain_id: str) -> str:
        """The signature (130 hex digits) for this chain id. Raises SigningError."""
        expected = bytes.fromhex(chain_id) + transaction.packed
        made = _for_beem(transaction)
        try:
            made.deriveDigest(_chain(chain_id))
        except struct.error as error:
            raise SigningError("beem cannot serialize the transaction; nothing was signed") from error
        # beem computes amounts as floats: above 2^53 thousandths it would sign another amount.
        if bytes(made.message) != expected:
            raise SigningError("beem serializes the transaction differently; nothing was signed")
        made.sign([self._wif], chain=_chain(chain_id))
        signature = bytes(made.data["signatures"].data[0]).hex()
        if signer(transaction, signature, chain_id) != self.public:
            raise SigningError("the signature made by beem is not valid; nothing was sent")
        return signature


def signer(transaction: Transaction, signature: str, chain_id: str) -> str:
    """The public key (`STM…`) that made a signature. Raises SigningError where hived would reject it."""
    if _SIGNATURE.fullmatch(signature) is None:
        raise SigningError("a signature must be 130 lower-case hex digits")
    raw = bytes.fromhex(signature)
    if not _FIRST_COMPACT <= raw[0] <= _LAST_COMPACT or not is_canonical(raw[1:33], raw[33:]):
        raise SigningError("the signature is not canonical")
    turned = raw[1:] + bytes((raw[0] - _FIRST_COMPACT,))
    try:
        return show_key(
            PublicKey.from_signature_and_message(turned, transaction.digest(chain_id), hasher=None)
        )
    except ValueError:
        raise SigningError("no public key can be recovered from the signature") from None


def show_key(key: PublicKey) -> str:
    """A public key as Hive writes it, `STM…`."""
    return format_public_key(key.format())


def unix_time(text: str) -> int:
    """The inverse of `iso_time`. Raises ValueError."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


# -- serialization ----------------------------------------------------------------------------------------


def _for_beem(transaction: Transaction) -> Any:
    return Signed_Transaction(
        ref_block_num=transaction.ref_block_num,
        ref_block_prefix=transaction.ref_block_prefix,
        expiration=transaction.expiration,
        operations=[
            (TransferOperation if name == "transfer" else Custom_json)({**value, "prefix": "STM"})
            for name, value in transaction.operations
        ],
    )


def _chain(chain_id: str) -> dict[str, object]:
    return {"chain_id": chain_id, "prefix": "STM", "chain_assets": []}


def _pack(operation: Operation) -> bytes:
    name, value = operation
    if value.keys() != _FIELDS[name]:
        raise ValueError("unknown or missing fields")
    if name == "transfer":
        amount = _AMOUNT.fullmatch(str(value["amount"]))
        if amount is None:
            raise ValueError("not an amount of HIVE or HBD")
        body = b"\x02" + _text(value["from"]) + _text(value["to"])
        body += struct.pack("<q", int(amount[1] + amount[2])) + _LEGACY_SYMBOLS[amount[3]]
        return body + _text(value["memo"])
    body = b"\x12" + _texts(value["required_auths"]) + _texts(value["required_posting_auths"])
    return body + _text(value["id"]) + _text(value["json"])


def _texts(values: object) -> bytes:
    if not isinstance(values, list):
        raise TypeError("not a list of names")
    return _varint(len(values)) + b"".join(map(_text, values))


def _text(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError("not a text")
    raw = value.encode()
    return _varint(len(raw)) + raw


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def is_canonical(r: bytes, s: bytes) -> bool:
    """hived's two rules: each half is a minimal positive number, and s is the lower of its two values."""
    return int.from_bytes(s, "big") <= _HALF_ORDER and all(
        not half[0] & 0x80 and not (half[0] == 0 and not half[1] & 0x80) for half in (r, s)
    )
