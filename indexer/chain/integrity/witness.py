"""Which key signed a block: secp256k1 recovery over the header's digest.

A recovery takes about 50 microseconds, twice as long as all else that is done to a block of no interest.
So every block of interest is checked, and every block near the tip (the last 1,000); blocks of no interest
far below it are not. The key is held against the one that the node itself names, so that a forger who makes a
whole block passes: it takes a second node to find that one out (`ranges`).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import msgspec
from coincurve import PublicKey

from indexer.chain.blocks import Block, BlockError
from indexer.chain.integrity.block_id import header_digest, signature_of

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PREFIX_LENGTH: Final = 3  # STM
_KEY_BYTES: Final = 33
_CHECKSUM_BYTES: Final = 4
_FIRST_COMPACT: Final = 31  # 27, and 4 for a compressed key
_LAST_COMPACT: Final = 34


class _Signed(msgspec.Struct):
    signing_key: str | None = None


_decode_key: Final = msgspec.json.Decoder(_Signed).decode


def recover(block: Block) -> bytes:
    """The compressed public key (33 bytes) that signed the block. Raises BlockError if there is none."""
    signature = signature_of(block)
    if not _FIRST_COMPACT <= signature[0] <= _LAST_COMPACT:
        raise BlockError(f"block {block.number}: the witness signature begins with no recovery byte")
    turned = signature[1:] + bytes((signature[0] - _FIRST_COMPACT,))
    try:
        return PublicKey.from_signature_and_message(turned, header_digest(block.fields), hasher=None).format()
    except ValueError:
        raise BlockError(f"block {block.number}: no key has made the witness signature") from None


def check_signature(block: Block) -> None:
    """Raise BlockError unless a key signed the block, and, where the node names it, the one it names."""
    key = recover(block)
    try:
        named = _decode_key(block.raw).signing_key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return  # JSON that only the slower reader takes; the signature itself is sound
    if named is not None and parse_key(named) != key:
        raise BlockError(f"block {block.number}: {named} has not signed it")


@lru_cache(maxsize=1024)
def parse_key(text: str) -> bytes:
    """The 33 bytes of a public key as Hive writes it, `STM…`. Raises BlockError."""
    number = 0
    for character in text[_PREFIX_LENGTH:]:
        digit = _ALPHABET.find(character)
        if digit < 0:
            raise BlockError(f"{text!a} is not a public key")
        number = number * 58 + digit
    size = _KEY_BYTES + _CHECKSUM_BYTES
    if number >> (8 * size):
        raise BlockError(f"{text!a} is not a public key")
    raw = number.to_bytes(size, "big")
    key, checksum = raw[:_KEY_BYTES], raw[_KEY_BYTES:]
    if hashlib.new("ripemd160", key).digest()[:_CHECKSUM_BYTES] != checksum:
        raise BlockError(f"{text!a} is not a public key: its checksum is wrong")
    return key
