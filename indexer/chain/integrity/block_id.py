"""Recomputes block ids from headers, which detects changed headers and reordered blocks.

id = the first 20 bytes of SHA-224(packed header + witness signature), its first 4 bytes replaced by the block
number, big-endian. The merkle root in the header is not checked against the transactions here (see `merkle`).
"""

from __future__ import annotations

import hashlib
import re
import struct
from typing import Final

from indexer.chain.blocks import Block, BlockError, HeaderFields, seconds_of

_ID_BYTES: Final = 20
SIGNATURE_BYTES: Final = 65
_LAST_7_BITS: Final = 0x7F
_VERSION: Final = re.compile(r"(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,4})")
_VERSION_LIMITS: Final = (1 << 8, 1 << 8, 1 << 16)
# Index in hived's variant of header extensions; later ones never occurred on a chain.
_EXTENSIONS: Final = {"void_t": 0, "version": 1, "hardfork_version_vote": 2}


class UnknownExtensionError(BlockError):
    """The header has an extension of an unknown kind, so the block's id cannot be computed."""

    def __init__(self, kind: object) -> None:
        super().__init__(f"unknown header extension: {kind!a}")
        self.kind = kind


def header_digest(fields: HeaderFields) -> bytes:
    """SHA-256 of the packed header: the 32 bytes that the witness signs. Raises BlockError."""
    return hashlib.sha256(pack_header(fields)).digest()


def block_id_of(block: Block) -> str:
    """The id computed from the block's header and signature (40 hex digits). Raises BlockError."""
    digest = hashlib.sha224(pack_header(block.fields) + signature_of(block)).digest()
    return (struct.pack(">I", block.number) + digest[4:_ID_BYTES]).hex()


def signature_of(block: Block) -> bytes:
    """The witness's signature of the block (65 bytes). Raises BlockError."""
    return _hex(block.fields.witness_signature, SIGNATURE_BYTES, "witness_signature")


def check_id(block: Block) -> bool:
    """Whether the block's id is verified against its header. Raises BlockError if it does not match.

    False for a header with an extension of an unknown kind, such as a later hardfork may add: its id can then
    only be compared with that of other nodes.
    """
    try:
        computed = block_id_of(block)
    except UnknownExtensionError:
        return False
    if computed != block.block_id:
        raise BlockError(f"block {block.number}: the id {block.block_id} does not match its header")
    return True


def unknown_extension(block: Block) -> str | None:
    """The kind of a header extension that makes the block's id unverifiable; None for a verifiable one."""
    if block.fields.extensions:
        try:
            pack_header(block.fields)
        except UnknownExtensionError as error:
            return ascii(error.kind)
        except BlockError:
            pass  # malformed: `check_id` refuses the block
    return None


def pack_header(fields: HeaderFields) -> bytes:
    """The header in hived's serialization, without the signature. Raises BlockError."""
    if fields.witness is None:
        raise BlockError("witness is missing")
    witness = fields.witness.encode("utf-8", "surrogatepass")
    return b"".join(
        (
            _hex(fields.previous, _ID_BYTES, "previous"),
            struct.pack("<I", seconds_of(fields.timestamp)),
            _varint(len(witness)),
            witness,
            _hex(fields.transaction_merkle_root, _ID_BYTES, "transaction_merkle_root"),
            _varint(len(fields.extensions)),
            *map(_pack_extension, fields.extensions),
        )
    )


def _pack_extension(extension: object) -> bytes:
    """A version, or a vote for a hardfork: `{"type", "value"}` or `[name or position, value]`."""
    match extension:
        case {"type": kind, "value": value}:
            pass
        case [kind, value]:
            pass
        case _:
            raise BlockError("malformed header extension")
    if isinstance(kind, bool) or not isinstance(kind, str | int):
        raise BlockError("malformed header extension")
    position = _EXTENSIONS.get(kind, -1) if isinstance(kind, str) else kind
    match position, value:
        case 0, _:
            return _varint(0)
        case 1, str():
            return _varint(1) + _pack_version(value)
        case 2, {"hf_version": str(version), "hf_time": str(time)}:
            return _varint(2) + _pack_version(version) + struct.pack("<I", seconds_of(time))
        case ((0 | 1 | 2), _):
            raise BlockError(f"malformed header extension: {kind!a}")
    raise UnknownExtensionError(kind)


def _pack_version(text: str) -> bytes:
    """`major.hardfork.revision` in a 32-bit number: 8, 8 and 16 bits, highest first."""
    found = _VERSION.fullmatch(text)
    parts = [int(part) for part in found.groups()] if found else []
    if not found or any(part >= limit for part, limit in zip(parts, _VERSION_LIMITS, strict=True)):
        raise BlockError(f"{text!a} is not a version")
    return struct.pack("<I", parts[0] << 24 | parts[1] << 16 | parts[2])


def _hex(text: str | None, size: int, name: str) -> bytes:
    if text is None:
        raise BlockError(f"{name} is missing")
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size or len(text) != 2 * size:
        raise BlockError(f"{name} must be {2 * size} hexadecimal digits")
    return value


def _varint(number: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while number > _LAST_7_BITS:
        out.append(number & _LAST_7_BITS | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
