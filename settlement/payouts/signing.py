"""Transactions, their bytes, and signatures over them: by beem, under a chain id of ours.

beem signs correctly, but what it does around that is not for money: it believes the chain id that a node
tells, sends again by itself, and gives None where it does not know. So beem only signs here, and only bytes
that equal our own packing under the pinned chain id. Sending is `chain`'s.
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
from beemgraphenebase.account import PublicKey as ShownKey
from coincurve import PrivateKey, PublicKey

from settlement.core.journal.text import iso_time

MAINNET: Final = "beeab0de" + "0" * 56
SIGNATURE_BYTES: Final = 65

_WIF: Final = re.compile(r"5[HJK][1-9A-HJ-NP-Za-km-z]{49}")
_CHAIN_ID: Final = re.compile(r"[0-9a-f]{64}")
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
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

Operation = tuple[str, dict[str, object]]
"""`transfer` or `custom_json`, and its value in the condenser shape."""


class SigningError(Exception):
    """Nothing was signed, or what was signed does not count; and why. Never holds a key."""


@dataclass(frozen=True)
class Transaction:
    """A transaction without its signatures: all that its id is made of.

    It refers to a block by the two numbers; `expires` is in seconds since 1970.
    """

    operations: tuple[Operation, ...]
    ref_block_num: int
    ref_block_prefix: int
    expires: int

    @classmethod
    def after(cls, block_id: str, expires: int, *operations: Operation) -> Self:
        """One that counts only on a chain with the block of this id. Raises SigningError."""
        if _BLOCK_ID.fullmatch(block_id) is None:
            raise SigningError(f"{block_id[:50]!r} is not a block id")
        raw = bytes.fromhex(block_id)
        return cls(operations, int.from_bytes(raw[2:4], "big"), int.from_bytes(raw[4:8], "little"), expires)

    @cached_property
    def packed(self) -> bytes:
        """The bytes in the legacy packing, without signatures. Raises SigningError."""
        try:
            head = struct.pack("<HII", self.ref_block_num, self.ref_block_prefix, self.expires)
            bodies = b"".join(map(_pack, self.operations))
        except (struct.error, KeyError, TypeError, ValueError) as error:
            raise SigningError("this transaction cannot be packed; nothing was signed") from error
        return head + _varint(len(self.operations)) + bodies + b"\0"

    @property
    def id(self) -> str:
        """40 hex digits: what the chain calls it, whoever signs it."""
        return hashlib.sha256(self.packed).hexdigest()[:40]

    @property
    def expiration(self) -> str:
        """When it can get into a block no more, as Hive writes it."""
        return iso_time(self.expires)

    def digest(self, chain_id: str) -> bytes:
        """The 32 bytes that a signature is over."""
        return hashlib.sha256(bytes.fromhex(chain_id) + self.packed).digest()

    def to_json(self) -> dict[str, object]:
        """In the condenser shape, without signatures."""
        return {
            "ref_block_num": self.ref_block_num,
            "ref_block_prefix": self.ref_block_prefix,
            "expiration": self.expiration,
            "operations": [[name, value] for name, value in self.operations],
            "extensions": [],
        }

    @classmethod
    def of_json(cls, raw: object) -> Self:
        """What `to_json` gave. Raises SigningError for anything else."""
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
class Signed:
    """A transaction with the signatures that it is sent with, each 130 hex digits."""

    transaction: Transaction
    signatures: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.transaction.id

    @property
    def expiration(self) -> str:
        return self.transaction.expiration

    def to_json(self) -> dict[str, object]:
        """As `condenser_api.broadcast_transaction` takes it."""
        return {**self.transaction.to_json(), "signatures": list(self.signatures)}


class Key:
    """A private key that no text of the program shows: neither `str`, nor `repr`, nor an exception.

    `public` is the key that it belongs to, `STM…`.
    """

    __slots__ = ("_wif", "public")

    def __init__(self, wif: str) -> None:
        """Raises SigningError for a text that is not a key in wallet import format."""
        secret = _secret(wif) if _WIF.fullmatch(wif) else None
        if secret is None:
            raise SigningError("not a private key in wallet import format (51 characters, begins with 5)")
        try:
            pair = PrivateKey(secret)
        except ValueError:
            raise SigningError("not a private key: no key has that number") from None
        self._wif = wif
        self.public = show_key(pair.public_key)

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> str:
        raise TypeError("a key stays in its process")

    def sign(self, transaction: Transaction, chain_id: str) -> str:
        """The signature, 130 hex digits, under this chain id and no other. Raises SigningError."""
        expected = bytes.fromhex(chain_id) + transaction.packed
        made = _for_beem(transaction)
        try:
            made.deriveDigest(_chain(chain_id))
        except struct.error as error:
            raise SigningError("beem cannot pack this transaction; nothing was signed") from error
        # It computes amounts in floats, for one: beyond 2^53 thousandths it would sign another amount.
        if bytes(made.message) != expected:
            raise SigningError("beem would sign other bytes than these; nothing was signed")
        made.sign([self._wif], chain=_chain(chain_id))
        signature = bytes(made.data["signatures"].data[0]).hex()
        if signer(transaction, signature, chain_id) != self.public:
            raise SigningError("beem has signed something else; nothing was sent")
        return signature


def signer(transaction: Transaction, signature: str, chain_id: str) -> str:
    """The public key, `STM…`, that made a signature. Raises SigningError where the chain would refuse it."""
    if _SIGNATURE.fullmatch(signature) is None:
        raise SigningError("a signature is 130 digits of 0-9a-f")
    raw = bytes.fromhex(signature)
    if not _FIRST_COMPACT <= raw[0] <= _LAST_COMPACT or not _is_canonical(raw[1:33], raw[33:]):
        raise SigningError("the signature is not in the one form that the chain takes")
    turned = raw[1:] + bytes((raw[0] - _FIRST_COMPACT,))
    try:
        return show_key(
            PublicKey.from_signature_and_message(turned, transaction.digest(chain_id), hasher=None)
        )
    except ValueError:
        raise SigningError("no key has made that signature") from None


def check_chain_id(text: str) -> str:
    """A chain id: 64 hex digits. Raises SigningError."""
    if _CHAIN_ID.fullmatch(text) is None:
        raise SigningError("the chain id must be 64 digits of 0-9a-f")
    return text


def show_key(key: PublicKey) -> str:
    """A public key as Hive writes it, `STM…`."""
    return str(ShownKey(key.format().hex(), prefix="STM"))


def unix_time(text: str) -> int:
    """The inverse of `journal.iso_time`. Raises ValueError."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


# -- bytes ----------------------------------------------------------------------------------------


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
        raise ValueError("fields that are none of this operation's, or too few")
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


def _is_canonical(r: bytes, s: bytes) -> bool:
    """Both of hived's rules: the old one for each half, and that s is the lower of its two values."""
    return int.from_bytes(s, "big") <= _HALF_ORDER and all(
        not half[0] & 0x80 and not (half[0] == 0 and not half[1] & 0x80) for half in (r, s)
    )


def _secret(wif: str) -> bytes | None:
    """The 32 bytes of a key; None where the checksum does not fit."""
    number = 0
    for letter in wif:
        number = number * 58 + _BASE58.index(letter)
    if number >= 1 << 8 * 37:
        return None
    raw = number.to_bytes(37, "big")
    fits = hashlib.sha256(hashlib.sha256(raw[:33]).digest()).digest()[:4] == raw[33:]
    return raw[1:33] if fits else None
