"""Records irreversible blocks and sidechain receipts into an archive, crash-safe and resumable.

Blocks of the current file are appended to `recording.part`, each in one write after its receipts, so that a
crash leaves whole blocks and at most one torn line. A finished file is compressed outside the archive and
renamed into it: readers only see complete files. `recording.json` holds the plan, for later runs to resume.
"""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import zstandard

from indexer.chain.blocks import Block, BlockError
from indexer.chain.integrity.block_id import check_id
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.sources.source import Cursor, LiveSource, SourceError, check_link
from settlement.core.events import VenueFilter
from settlement.core.venue import Venue

FILE_BLOCKS: Final = 10_000
"""A file ends before each block whose number is a multiple of this."""
_PART: Final = "recording.part"
_PLAN: Final = "recording.json"
_SCRATCH: Final = "recording.tmp"
_BLOCK: Final = b"B"
_RECEIPTS: Final = b"R"
_SIDECHAIN_ID: Final = "ssc-mainnet-hive"
_ZSTD_LEVEL: Final = 3

log = logging.getLogger("peakedex.archive")


class RecordError(SourceError):
    """The folder cannot be recorded into; the text says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """Content of an archive folder."""

    first: int  # first block
    venue_hash: str | None  # receipts of this venue's candidates only; None: receipts of every block


def plan_for(folder: Path, venue: Venue | None, first: int | None) -> Plan:
    """The plan of an existing recording, or a new one. Raises RecordError."""
    known = _read_plan(folder)
    venue_hash = None if venue is None else venue.hash
    if known is None:
        if any(folder.glob("blocks*")):
            raise RecordError(f"{folder} holds blocks but no recording: choose another --out")
        return _new_plan(venue, first)
    if known.venue_hash != venue_hash:
        wanted = "every block's receipts" if known.venue_hash is None else "another venue's receipts"
        raise RecordError(f"{folder} was started with {wanted}: use the same options, or another --out")
    if first not in (None, known.first):
        raise RecordError(f"{folder} begins at block {known.first}: omit --from")
    return known


def _new_plan(venue: Venue | None, first: int | None) -> Plan:
    if venue is None:
        if first is None:
            raise RecordError("no first block: give --from or --venue")
        return Plan(first, None)
    return Plan(venue.first_block if first is None else first, venue.hash)


def _read_plan(folder: Path) -> Plan | None:
    path = folder / _PLAN
    try:
        value = json.loads(path.read_text("utf-8"))
        return Plan(int(value["first"]), value["venue_hash"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} cannot be read ({error}): choose another --out") from None


class Recording:
    """Context manager that records into a folder, one process at a time.

    `cursor` is the last recorded block. `venue_filter` tells a source which blocks need receipts: those of
    the venue's escrow accounts; without a venue those of any action.
    """

    def __init__(
        self, folder: Path, plan: Plan, venue: Venue | None, *, file_blocks: int = FILE_BLOCKS
    ) -> None:
        """Resume after the last recorded block. Raises RecordError."""
        self.plan = plan
        self.blocks = 0
        self.receipts = 0
        self._folder = folder
        self._file_blocks = file_blocks
        self._in_part = 0
        if venue is None:
            self.venue_filter = VenueFilter(_SIDECHAIN_ID, _SIDECHAIN_ID, False, frozenset())
        else:
            self.venue_filter = venue.filter
        with ExitStack() as files, self._reporting():
            folder.mkdir(parents=True, exist_ok=True)
            _lock(folder, files)
            self._write_plan()
            self.cursor = self._last_finished()
            (folder / _PART).touch()
            self._part = files.enter_context((folder / _PART).open("r+b", buffering=0))
            self._recover()
            self._files = files.pop_all()

    def add(self, block: Block, receipts: Receipts | None) -> None:
        """Record the block after the cursor. Raises RecordError."""
        text = b"" if receipts is None else _line(_RECEIPTS, receipts.raw)
        with self._reporting():
            self._part.write(text + _line(_BLOCK, block.raw))
            self._take(block)
            self.blocks += 1
            self.receipts += receipts is not None
            if (block.number + 1) % self._file_blocks == 0:
                self.finish_file()

    def finish_file(self) -> None:
        """Turn the current blocks into a file of the archive. Raises RecordError."""
        if not self._in_part:
            return
        first = self.cursor.number - self._in_part + 1
        scratch = self._folder / _SCRATCH
        with self._reporting():
            shutil.rmtree(scratch, ignore_errors=True)
            receipts: bytes | None = None
            with (self._folder / _PART).open("rb") as part, ArchiveWriter(scratch, first) as writer:
                left = self._in_part
                while left:
                    line = part.readline()
                    if line[:1] == _RECEIPTS:
                        receipts = line[1:-1]
                    else:
                        writer.write(line[1:-1], receipts)
                        receipts, left = None, left - 1
            # The blocks' file last: its presence means that the pair is complete.
            for path in sorted(scratch.iterdir(), reverse=True):
                _flush(path)
                path.replace(self._folder / path.name)
            _flush(self._folder)
            scratch.rmdir()
            self._part.truncate(0)
            self._part.seek(0)
        self._in_part = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if not isinstance(error, RecordError):
                self.finish_file()
                (self._folder / _PART).unlink(missing_ok=True)
        finally:
            self._files.close()

    def _take(self, block: Block) -> None:
        """Advance the cursor."""
        self.cursor = Cursor(block.number, block.block_id)
        self._in_part += 1

    def _last_finished(self) -> Cursor:
        """The last block of the last finished file."""
        files = sorted(self._folder.glob("blocks-*.jsonl.zst"))
        if not files:
            return Cursor(self.plan.first - 1)
        try:
            with io.BufferedReader(zstandard.open(files[-1], "rb")) as lines:
                (line,) = deque(lines, maxlen=1)
            block = Block(line)
            check_id(block)
        except (zstandard.ZstdError, ValueError) as error:
            raise RecordError(f"{files[-1]} is damaged ({error}): delete it and all later files") from None
        return Cursor(block.number, block.block_id)

    def _recover(self) -> None:
        """Resume after the last whole block of an interrupted run; drop what follows it."""
        good = 0
        try:
            with (self._folder / _PART).open("rb") as part:
                for block, size in _whole_blocks(part):
                    check_link(block, self.cursor)
                    self._take(block)
                    good += size
        except (BlockError, ReceiptError, SourceError) as error:
            log.info("%s: resuming after block %s: %s", _PART, self.cursor.number, error)
        self._part.truncate(good)
        self._part.seek(good)

    def _write_plan(self) -> None:
        new = self._folder / f"{_PLAN}.new"
        new.write_text(json.dumps(asdict(self.plan)) + "\n", "utf-8")
        _flush(new)
        new.replace(self._folder / _PLAN)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecordError(
                f"{self._folder} cannot be written ({error.strerror or error}): free disk space or fix its "
                "permissions, then run again; nothing is lost"
            ) from error


def record(
    source: LiveSource,
    recording: Recording,
    until: int | None = None,
    receipts_of: Callable[[Block], Receipts | None] | None = None,
    on_block: Callable[[int, int], object] = lambda _number, _until: None,
) -> int:
    """Record blocks after the cursor up to `until`, or until the source ends; returns the target block.

    `until` defaults to the last irreversible block when the first block arrives. `receipts_of` reads the
    receipts of every block, instead of those that the source yields. Raises SourceError; all blocks before
    are then recorded.
    """
    if until is not None and recording.cursor.number >= until:
        return until
    for block, receipts in source.blocks(recording.cursor):
        until = source.irreversible if until is None else until
        recording.add(block, receipts if receipts_of is None else receipts_of(block))
        on_block(block.number, until)
        if block.number >= until:
            break
    return recording.cursor.number if until is None else until


def _whole_blocks(part: Iterable[bytes]) -> Iterator[tuple[Block, int]]:
    """The whole blocks of a part file with their sizes in it. Raises the error at which they end early."""
    receipts: Receipts | None = None
    size = 0
    for line in part:
        if line[-1:] != b"\n":
            raise SourceError("a torn line")
        size += len(line)
        if line[:1] == _RECEIPTS:
            receipts = Receipts(line[1:-1])
            continue
        block = Block(line[1:-1])
        check_id(block)
        if receipts is not None:
            receipts.check_hive_id(block.block_id)
        yield block, size
        receipts, size = None, 0


def _line(kind: bytes, text: bytes) -> bytes:
    # In JSON a line end occurs only between tokens, never inside a string.
    return kind + text.replace(b"\n", b" ") + b"\n"


def _lock(folder: Path, files: ExitStack) -> None:
    """Lock the folder until `files` are closed, or the process ends. Raises RecordError."""
    descriptor = os.open(folder, os.O_RDONLY)
    files.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RecordError(f"another process records into {folder}: choose another --out") from None


def _flush(path: Path) -> None:
    """fsync a file, or a folder's directory entries."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ArchiveWriter:
    """Writer of one pair of archive files: `blocks-<first>.jsonl.zst` and `receipts-<first>.jsonl.zst`.

    `first` is the number of the first block. A context manager: a file that was not closed is truncated,
    which readers report.
    """

    def __init__(self, folder: Path, first: int) -> None:
        """Raises FileExistsError rather than overwrite a recording."""
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as files:
            self._blocks = files.enter_context(_open_zstd(folder / f"blocks-{first:010d}.jsonl.zst"))
            self._receipts = files.enter_context(_open_zstd(folder / f"receipts-{first:010d}.jsonl.zst"))
            self._files = files.pop_all()

    def write(self, block: bytes, receipts: bytes | None = None) -> None:
        """Append the JSON texts of a block and its receipts, unchecked."""
        self._blocks.write(one_line(block))
        if receipts is not None:
            self._receipts.write(one_line(receipts))

    def close(self) -> None:
        """Finish both files."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_zstd(path: Path) -> zstandard.ZstdCompressionWriter:
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
    return compressor.stream_writer(path.open("xb"))


def one_line(text: bytes) -> bytes:
    """A JSON text as one line, with its line end."""
    # In JSON a line end occurs only between tokens, never inside a string.
    return text.replace(b"\n", b" ") + b"\n"
