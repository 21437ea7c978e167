"""Header lines: every block of a chain in about 90 bytes, without its transactions.

A line holds what a block's id is computed from and what cannot be computed from the lines before:

    <seconds since the block before> <witness> <merkle root, - for none> <signature> [<extensions> [<id>]]

with line end LF. The id of the block before is known, so the block's own id follows. It is written only where
a header extension is unknown to this version, so that the id cannot be computed.
"""

from __future__ import annotations

import re
from hashlib import sha224
from typing import Final

import msgspec

from indexer.chain.blocks import HEX_ID_LENGTH, Block, BlockError, HeaderFields, RelevantOperations
from indexer.chain.integrity.block_id import SIGNATURE_BYTES, UnknownExtensionError, check_id, pack_header
from settlement.core.events import VenueFilter
from settlement.core.journal.lines import iso_time

_NO_ROOT: Final = "0" * HEX_ID_LENGTH
_NONE: Final = "-"
_WITNESS: Final = re.compile(r"[!-~]{1,127}")
_ID: Final = re.compile(r"[0-9a-f]{40}")
_ROOT_BYTES: Final = 20
_PLAIN_FIELDS: Final = 4
_MAX_TIME: Final = 1 << 32
_MAX_BLOCK: Final = 1 << 32


class HeaderBlock(Block):
    """A block of which only the header is known: it has no transactions, and its `fields` are not set."""

    __slots__ = ()

    def __init__(self, number: int, block_id: str, previous: str, timestamp: int, empty: RelevantOperations):
        """`empty` is shared by all: the search of a block without operations of the venue."""
        self.number = number
        self.block_id = block_id
        self.previous = previous
        self.timestamp = timestamp
        self.raw = b""
        self.relevant = empty
        self._transactions = []


def header_line(block: Block, previous_timestamp: int) -> str:
    """The line of a block, with its line end. Raises BlockError where the id is not that of the header."""
    is_computed = check_id(block)
    fields = block.fields
    witness = fields.witness or ""
    if _WITNESS.fullmatch(witness) is None:
        raise BlockError(f"block {block.number}: {witness!a} is not a witness")
    root = fields.transaction_merkle_root or ""
    words = [
        str(block.timestamp - previous_timestamp),
        witness,
        _NONE if root == _NO_ROOT else root,
        fields.witness_signature or "",
    ]
    if fields.extensions:
        words.append(msgspec.json.encode(fields.extensions).decode().replace(" ", "\\u0020"))
    if not is_computed:
        words.append(block.block_id)
    return " ".join(words) + "\n"


class HeaderReader:
    """Reader of the lines of consecutive blocks: computes the id of each, which links them."""

    def __init__(self, number: int, block_id: str, venue_filter: VenueFilter) -> None:
        """Number and id (40 hexadecimal digits) of the block before the first line's.

        The first line's seconds are since 1970.
        """
        self.number = number
        self.block_id = block_id
        self.timestamp = 0
        self.unverifiable = 0
        """Blocks whose id is only what the line says."""
        self._id = bytes.fromhex(block_id)
        self._empty = RelevantOperations(venue_filter, [])

    def read(self, line: bytes) -> HeaderBlock:
        """The block of the next line (without its line end). Raises BlockError."""
        number, previous = self.number + 1, self.block_id
        words = line.split(b" ")
        try:
            timestamp = self.timestamp + int(words[0])
            witness, signature = words[1], bytes.fromhex(words[3].decode("ascii"))
            root = bytes(_ROOT_BYTES) if words[2] == b"-" else bytes.fromhex(words[2].decode("ascii"))
            is_valid = 0 < len(witness) < 1 << 7 and number < _MAX_BLOCK and 0 <= timestamp < _MAX_TIME
            if not is_valid or (len(root), len(signature)) != (_ROOT_BYTES, SIGNATURE_BYTES):
                raise ValueError
        except (ValueError, IndexError):
            raise BlockError(f"block {number}: not a header line: {line[:80]!a}") from None
        if len(words) == _PLAIN_FIELDS:
            packed = b"".join(
                (self._id, timestamp.to_bytes(4, "little"), bytes((len(witness),)), witness, root, b"\0")
            )
            self._id = number.to_bytes(4, "big") + sha224(packed + signature).digest()[4:_ROOT_BYTES]
            self.block_id = self._id.hex()
        else:
            self.block_id = self._extended(words, number, timestamp)
            self._id = bytes.fromhex(self.block_id)
        self.number, self.timestamp = number, timestamp
        return HeaderBlock(number, self.block_id, previous, timestamp, self._empty)

    def _extended(self, words: list[bytes], number: int, timestamp: int) -> str:
        """The id of a block whose header has extensions. Raises BlockError."""
        try:
            _, witness, root, signature, extensions, *rest = (word.decode("utf-8") for word in words)
            fields = HeaderFields(
                block_id="",
                previous=self.block_id,
                timestamp=iso_time(timestamp),
                witness=witness,
                transaction_merkle_root=_NO_ROOT if root == _NONE else root,
                extensions=msgspec.json.decode(extensions, type=list[object]),
                witness_signature=signature,
            )
        except (ValueError, RecursionError):
            raise BlockError(f"block {number}: not a header line") from None
        if rest:
            if len(rest) > 1 or _ID.fullmatch(rest[0]) is None or int(rest[0][:8], 16) != number:
                raise BlockError(f"block {number}: not a header line: {rest[0][:80]!a} is not its id")
            _check_uncomputable(fields, number)
            self.unverifiable += 1
            return rest[0]
        digest = sha224(pack_header(fields) + bytes.fromhex(signature)).digest()
        return (number.to_bytes(4, "big") + digest[4:_ROOT_BYTES]).hex()


def _check_uncomputable(fields: HeaderFields, number: int) -> None:
    """Raise BlockError for a header whose id can be computed: then no line may say another one."""
    try:
        pack_header(fields)
    except UnknownExtensionError:
        return
    raise BlockError(f"block {number}: its header line has an id, although it can be computed")
