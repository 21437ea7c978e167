"""Witness signatures: recovers the key that signed a block (secp256k1 over the header's digest).

A recovery takes about 50 microseconds, twice as long as everything else for an irrelevant block. So it is
done for relevant blocks and for all of the last 1,000, not for irrelevant blocks far below the tip. The key
is compared with the one that the same node names: a block forged as a whole is only detected by comparison
with a second node (`sources.block_ranges`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec
from coincurve import PublicKey

from indexer.chain.blocks import Block, BlockError
from indexer.chain.integrity.block_id import UnknownExtensionError, header_digest, signature_of
from settlement.net.hive_formats import KeyFormatError, parse_public_key

_FIRST_COMPACT: Final = 31  # 27, and 4 for a compressed key
_LAST_COMPACT: Final = 34


class _Signed(msgspec.Struct):
    signing_key: str | None = None


_decode_key: Final = msgspec.json.Decoder(_Signed).decode


def recover(block: Block) -> bytes:
    """The compressed public key (33 bytes) that signed the block. Raises BlockError."""
    signature = signature_of(block)
    if not _FIRST_COMPACT <= signature[0] <= _LAST_COMPACT:
        raise BlockError(f"block {block.number}: the witness signature has no recovery byte")
    turned = signature[1:] + bytes((signature[0] - _FIRST_COMPACT,))
    try:
        return PublicKey.from_signature_and_message(turned, header_digest(block.fields), hasher=None).format()
    except ValueError:
        raise BlockError(f"block {block.number}: the witness signature is invalid") from None


def check_signature(block: Block) -> None:
    """Raise BlockError unless a key signed the block: where the node names one, that key.

    A header with an unknown extension cannot be checked, see `block_id.check_id`.
    """
    try:
        key = recover(block)
    except UnknownExtensionError:
        return
    try:
        named = _decode_key(block.raw).signing_key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return  # JSON that msgspec refuses; the signature itself is valid
    if named is not None and parse_key(named) != key:
        raise BlockError(f"block {block.number}: it is not signed by {named}")


@lru_cache(maxsize=1024)
def parse_key(text: str) -> bytes:
    """`parse_public_key` with a cache of the witnesses' keys. Raises BlockError."""
    try:
        return parse_public_key(text)
    except KeyFormatError as error:
        raise BlockError(str(error)) from None
