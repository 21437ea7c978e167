"""Archives: recorded blocks and receipts in JSON lines, plain, gzip or zstd (interfaces, section 3).

`blocks*.jsonl[.gz|.zst]` holds one Hive block per line, `receipts*.jsonl[.gz|.zst]` one Hive-Engine block per
line. Both are streamed in parallel. An archive is complete: for a Hive block without a receipts line the
sidechain had none. Data out of order, malformed or truncated, a block whose id is not that of its header, and
receipts that do not name the id of their Hive block, raise an error with file, line and block.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import zstandard

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import has_candidate
from indexer.chain.integrity.block_id import check_id
from indexer.chain.integrity.merkle import Verifier
from indexer.chain.prefilter import Prefilter, read_block
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.sources.source import Cursor, SourceError, check_link
from settlement.core.events import VenueFilter
from settlement.net.backoff import Waiting

_CHUNK_BYTES: Final = 1 << 15
_LONGEST_LINE_BYTES: Final = 1 << 28
_SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".jsonl.zst")

log = logging.getLogger("peakedex.archive")


class Line(NamedTuple):
    """A line of a file."""

    path: Path
    number: int  # from 1
    text: bytes  # without the line end

    def error(self, problem: object) -> SourceError:
        """A SourceError that names this line."""
        return SourceError(f"{self.path.name}, line {self.number}: {problem}")


class ArchiveSource:
    """Source of the blocks in an archive folder.

    `candidates_without_receipts` counts the blocks yielded so far that may have moved tokens but have no
    receipts in the archive, and `without_receipts` holds the last two of them: normal where the sidechain had
    none, suspicious if there are many.
    """

    def __init__(self, folder: Path, venue_filter: VenueFilter, *, verifier: Verifier | None = None) -> None:
        """With a verifier, transactions are checked against each block's header too.

        Raises SourceError without block files.
        """
        self.candidates_without_receipts = 0
        self.without_receipts: deque[int] = deque(maxlen=2)
        self._line: Line | None = None
        self._folder = folder
        self._venue_filter = venue_filter
        self._verifier = verifier
        self._count = 0  # blocks read
        self._verified = 0  # of those, checked by the verifier
        self._found_unverifiable = False
        self._block_files = _files(folder, "blocks")
        self._receipt_files = _files(folder, "receipts")
        if not self._block_files:
            raise SourceError(f"{folder} holds no blocks*.jsonl, .jsonl.gz or .jsonl.zst")

    @property
    def catching_up(self) -> bool:
        """Always true: all blocks are available."""
        return True

    @property
    def checks(self) -> str:
        """Which checks the blocks read so far have passed, for reports."""
        if self._verified == 0:
            return "block ids and links; not that the transactions are those of the block"
        part = "" if self._verified == self._count else f" of {self._verified} of {self._count} blocks"
        return f"block ids, links and merkle roots{part}"

    @property
    def where(self) -> str:
        """File and line of the block just yielded."""
        return "" if self._line is None else f"{self._line.path.name}, line {self._line.number}"

    @property
    def waiting(self) -> Waiting | None:
        """Always None: an archive never waits."""
        return None

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        """Every block above the cursor with its receipts, None where the sidechain had none.

        Raises SourceError with file, line and block.
        """
        prefilter = Prefilter(self._venue_filter)
        receipts_at = ReceiptsInStep(read_lines(self._receipt_files))
        last: Cursor | None = None
        for line in read_lines(self._block_files):
            block = self._read(line, last, after, prefilter)
            last = Cursor(block.number, block.block_id)
            if block.number <= after.number:
                continue
            receipts, receipts_line = receipts_at.block(block.number)
            try:
                is_candidate = has_candidate(block, self._venue_filter)
            except BlockError as error:
                raise line.error(error) from None
            if is_candidate and receipts is None:
                self.candidates_without_receipts += 1
                self.without_receipts.append(block.number)
            if receipts is not None and receipts_line is not None:
                try:
                    receipts.check_hive_id(block.block_id)
                    if is_candidate:
                        receipts.check()
                except ReceiptError as error:
                    raise receipts_line.error(error) from None
            self._line = line
            yield block, receipts
        if last is None:
            raise SourceError(f"{self._folder}: the block files are empty")
        if last.number < after.number:
            raise SourceError(
                f"{self._folder}: the archive ends at block {last.number}, before block {after.number}"
            )
        receipts_at.finish(last.number)

    def _read(self, line: Line, last: Cursor | None, after: Cursor, prefilter: Prefilter) -> Block:
        """The block of a line; checks its links to the block before and to the cursor."""
        try:
            block = read_block(line.text, prefilter, after.number)
            if not check_id(block) and not self._found_unverifiable:
                self._found_unverifiable = True
                log.warning(
                    "%s, line %s: block %s has a header extension that this version does not know, so its id "
                    "cannot be verified. Update Peake DEX",
                    *(line.path.name, line.number, block.number),
                )
            if block.number > after.number:
                self._count += 1
                if self._verifier is not None and self._verifier.can_check(block):
                    self._verifier.check(block)
                    self._verified += 1
        except BlockError as error:
            expected = f"block {last.number + 1}" if last else "the first block"
            raise line.error(f"{expected} cannot be read: {error}") from None
        try:
            if last is not None:
                check_link(block, last)
            if block.number == after.number and after.block_id not in (None, block.block_id):
                raise SourceError(
                    f"block {block.number} is {block.block_id}, but {after.block_id} was applied"
                )
            if block.number == after.number + 1 or (last is None and block.number > after.number):
                check_link(block, after)
        except SourceError as error:
            raise line.error(error) from None
        return block


class ReceiptsInStep:
    """Reader of the receipts files that advances only as far as the requested block.

    A strict one refuses receipts of blocks that are not requested.
    """

    def __init__(self, lines: Iterator[Line], *, is_strict: bool = False) -> None:
        self._lines = lines
        self._is_strict = is_strict
        self._taken: Receipts | None = None
        self._line: Line | None = None
        self._receipts: Receipts | None = None
        self._last_number = -1
        self._last_hive_number = 0
        self._advance()

    def block(self, hive_number: int) -> tuple[Receipts | None, Line | None]:
        """The receipts of one Hive block and their line. Call in ascending order."""
        while self._receipts is not None and self._receipts.hive_number < hive_number:
            self._skip(self._receipts)
        if self._receipts is not None and self._receipts.hive_number == hive_number:
            self._taken = self._receipts
            return self._receipts, self._line
        return None, None

    def finish(self, last_hive_number: int) -> None:
        """Read the remaining receipts of the blocks, so that their errors are found too."""
        while self._receipts is not None and (
            self._is_strict or self._receipts.hive_number <= last_hive_number
        ):
            self._skip(self._receipts)

    def _skip(self, receipts: Receipts) -> None:
        """Advance beyond receipts that are not requested, or were already taken."""
        if self._is_strict and receipts is not self._taken and self._line is not None:
            raise self._line.error(
                f"receipts of block {receipts.hive_number}, which is not among the whole blocks here"
            )
        self._advance()

    def _advance(self) -> None:
        self._line = next(self._lines, None)
        if self._line is None:
            self._receipts = None
            return
        try:
            receipts = Receipts(self._line.text)
        except ReceiptError as error:
            raise self._line.error(f"{error}, after Hive block {self._last_hive_number}") from None
        if receipts.hive_number <= self._last_hive_number or receipts.number <= self._last_number:
            this = f"Hive block {receipts.hive_number} (sidechain block {receipts.number})"
            before = f"Hive block {self._last_hive_number} (sidechain block {self._last_number})"
            raise self._line.error(f"the receipts of {this} follow those of {before}")
        self._receipts = receipts
        self._last_number = receipts.number
        self._last_hive_number = receipts.hive_number


def _files(folder: Path, kind: str) -> list[Path]:
    try:
        paths = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror}") from None
    return [path for path in paths if path.name.startswith(kind) and path.name.endswith(_SUFFIXES)]


def read_lines(paths: list[Path]) -> Iterator[Line]:
    """All lines of the files, in order; the last line of a file may lack its line end."""
    for path in paths:
        count = 0
        pieces: list[bytes] = []  # of the current, unfinished line
        size = 0
        try:
            for chunk in _chunks(path):
                first, *others = chunk.split(b"\n")
                pieces.append(first)
                size += len(first)
                if others:
                    others.insert(0, b"".join(pieces))
                    pieces = [others.pop()]
                    size = len(pieces[0])
                    for text in others:
                        count += 1
                        yield Line(path, count, text)
                if size > _LONGEST_LINE_BYTES:
                    raise Line(path, count + 1, b"").error("the line is too long")
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise Line(path, count + 1, b"").error(f"cannot be read: {error}") from None
        if size:
            yield Line(path, count + 1, b"".join(pieces))


def _chunks(path: Path) -> Iterator[bytes]:
    if path.suffix == ".zst":
        yield from _zstd_chunks(path)
        return
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _zstd_chunks(path: Path) -> Iterator[bytes]:
    """The content of all frames. Raises EOFError for a truncated last frame, unlike zstandard's reader."""
    with path.open("rb") as file:
        frame = zstandard.ZstdDecompressor().decompressobj()
        is_inside = False
        while compressed := file.read(_CHUNK_BYTES):
            while compressed:
                yield frame.decompress(compressed)
                is_inside = not frame.eof
                compressed = frame.unused_data
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
        if is_inside:
            raise EOFError("the zstd frame is truncated")
