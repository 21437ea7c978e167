"""Hive's binary forms: what is hashed into transaction ids, merkle roots and block ids.

There are two packings of an amount: the legacy one spells the symbol out (and still says STEEM and
SBD), the one of hardfork 26 writes its number ("NAI"). Everything else is the same in both. A
transaction's id belongs to the packing that its author signed.
"""

from __future__ import annotations

import calendar
import hashlib
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from indexer.devnet.hive.operations import (
    Operation,
    Transfer,
    block_api_operation,
    condenser_operation,
)

Packing = Literal["legacy", "nai"]

TRANSFER_CODE: Final = 2
CUSTOM_JSON_CODE: Final = 18
EMPTY_MERKLE_ROOT: Final = bytes(20)

_LEGACY_SYMBOL: Final = {"HIVE": b"\x03STEEM\0\0", "HBD": b"\x03SBD\0\0\0\0"}
# The native coins' numbers lie above all other NAIs (99,999,999 at most), shifted over the precision.
_NAI_SYMBOL: Final = {
    "HIVE": struct.pack("<I", (99_999_999 + 2) << 5 | 3),
    "HBD": struct.pack("<I", (99_999_999 + 1) << 5 | 3),
}


def iso_time(seconds: int) -> str:
    """Seconds since 1970 as Hive writes them: ISO 8601 in UTC without a zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def parse_time(text: str) -> int:
    """The inverse of `iso_time`. Raises ValueError."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


def pack_varint(number: int) -> bytes:
    """An unsigned number in groups of 7 bits, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _pack_text(text: str) -> bytes:
    raw = text.encode()
    return pack_varint(len(raw)) + raw


def _pack_texts(texts: Sequence[str]) -> bytes:
    return pack_varint(len(texts)) + b"".join(map(_pack_text, texts))


def pack_operation(operation: Operation, packing: Packing) -> bytes:
    """The operation's bytes, its code first."""
    if isinstance(operation, Transfer):
        symbols = _LEGACY_SYMBOL if packing == "legacy" else _NAI_SYMBOL
        return (
            bytes((TRANSFER_CODE,))
            + _pack_text(operation.sender)
            + _pack_text(operation.recipient)
            + struct.pack("<q", operation.amount.mils)
            + symbols[operation.amount.symbol]
            + _pack_text(operation.memo)
        )
    return (
        bytes((CUSTOM_JSON_CODE,))
        + _pack_texts(operation.required_auths)
        + _pack_texts(operation.required_posting_auths)
        + _pack_text(operation.id)
        + _pack_text(operation.json)
    )


@dataclass(frozen=True)
class Transaction:
    """A signed transaction. `expiration` is in seconds since 1970; each signature has 65 bytes.

    `packing` tells under which of the two packings it was signed, and so which id it has.
    """

    ref_block_num: int
    ref_block_prefix: int
    expiration: int
    operations: tuple[Operation, ...]
    signatures: tuple[bytes, ...] = ()
    packing: Packing = "legacy"

    @cached_property
    def unsigned_bytes(self) -> bytes:
        """What the id is made of, and, behind the chain id, the signatures."""
        head = struct.pack("<HII", self.ref_block_num, self.ref_block_prefix, self.expiration)
        body = b"".join(pack_operation(operation, self.packing) for operation in self.operations)
        return head + pack_varint(len(self.operations)) + body + b"\0"

    @cached_property
    def id(self) -> str:
        """40 hex digits: the first 20 bytes of SHA-256 of the unsigned transaction."""
        return hashlib.sha256(self.unsigned_bytes).hexdigest()[:40]

    @cached_property
    def size(self) -> int:
        """Bytes of the signed transaction in a block."""
        return len(self.unsigned_bytes) + 1 + 65 * len(self.signatures)

    def digest(self, chain_id: bytes) -> bytes:
        """The 32 bytes that each signature signs."""
        return hashlib.sha256(chain_id + self.unsigned_bytes).digest()

    def merkle_leaf(self) -> bytes:
        """SHA-256 of the signed transaction."""
        signed = self.unsigned_bytes + pack_varint(len(self.signatures)) + b"".join(self.signatures)
        return hashlib.sha256(signed).digest()

    def block_api(self) -> dict[str, object]:
        """The transaction as `block_api` writes it."""
        return self._header() | {
            "operations": [block_api_operation(operation) for operation in self.operations],
            "extensions": [],
            "signatures": [signature.hex() for signature in self.signatures],
        }

    def condenser(self) -> dict[str, object]:
        """The transaction as `condenser_api` writes it."""
        return self._header() | {
            "operations": [condenser_operation(operation) for operation in self.operations],
            "extensions": [],
            "signatures": [signature.hex() for signature in self.signatures],
        }

    def _header(self) -> dict[str, object]:
        return {
            "ref_block_num": self.ref_block_num,
            "ref_block_prefix": self.ref_block_prefix,
            "expiration": iso_time(self.expiration),
        }


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """20 bytes over the leaves of the transactions: paired, an odd one carried up, zeros if none."""
    if not leaves:
        return EMPTY_MERKLE_ROOT
    level = list(leaves)
    while len(level) > 1:
        pairs = [hashlib.sha256(level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            pairs.append(level[-1])
        level = pairs
    return hashlib.new("ripemd160", level[0]).digest()


def pack_header(previous: bytes, timestamp: int, witness: str, root: bytes) -> bytes:
    """The unsigned block header without extensions; `timestamp` is in seconds since 1970."""
    return previous + struct.pack("<I", timestamp) + _pack_text(witness) + root + b"\0"


def block_id(number: int, header: bytes, signature: bytes) -> bytes:
    """20 bytes: SHA-224 of the signed header, its first 4 bytes replaced by the block number."""
    return struct.pack(">I", number) + hashlib.sha224(header + signature).digest()[4:20]


def block_number(ident: bytes) -> int:
    """The number that a block id starts with."""
    return int.from_bytes(ident[:4], "big")


def reference(ident: bytes) -> tuple[int, int]:
    """`(ref_block_num, ref_block_prefix)` of a transaction that refers to the block of this id."""
    return block_number(ident) & 0xFFFF, int.from_bytes(ident[4:8], "little")
