"""Writes one part of evidence: header lines, whole blocks, receipts and journal, each a zstd file."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import zstandard

from indexer.chain.blocks import Block, BlockError
from indexer.chain.headers import HeaderReader, header_line
from indexer.chain.prefilter import Prefilter
from indexer.sources.archive import read_lines
from indexer.sources.archive_writer import one_line
from indexer.sources.evidence import HEADERS_FORMAT, KINDS, EvidenceFile, Part, sha256_of
from indexer.sources.source import Cursor, SourceError, check_link
from settlement.core.events import VenueFilter

_LEVEL: Final = 9


class LastBlock(NamedTuple):
    """The last block written."""

    number: int
    block_id: str
    timestamp: int


class PartWriter:
    """Context manager that writes the files of one part into a folder, under the names of its kinds."""

    def __init__(self, folder: Path, first: int, venue_filter: VenueFilter) -> None:
        self.last: LastBlock | None = None
        self._folder = folder
        self._first = first
        self._venue_filter = venue_filter
        self._prefilter = Prefilter(venue_filter)
        with ExitStack() as files:
            self._out = {kind: files.enter_context(_open_zstd(folder / kind)) for kind in KINDS}
            self._files = files.pop_all()

    def continue_from(self, folder: Path, part: Part) -> None:
        """Take over the blocks of an unfinished part, whose files are in a folder. Raises SourceError.

        Receipts and journal are written again: the database has them.
        """
        lines = read_lines([folder / part.headers.name])
        head = next(lines, None)
        words = [] if head is None else head.text.split(b" ")
        try:
            if head is None or words[:2] != [HEADERS_FORMAT.encode(), b"%d" % self._first]:
                raise SourceError(f"{part.headers.name}: not the headers of block {self._first} on")
            self._write("headers", head.text.decode("ascii"))
            reader = HeaderReader(self._first - 1, words[2].decode("ascii"), self._venue_filter)
            for line in lines:
                reader.read(line.text)
                self._write("headers", line.text.decode("utf-8"))
        except (BlockError, ValueError, IndexError) as error:
            raise SourceError(f"{part.headers.name}: {error}") from None
        self.last = LastBlock(reader.number, reader.block_id, reader.timestamp)
        if self.last[:2] != (part.last, part.last_id):
            raise SourceError(f"{part.headers.name}: it does not end with block {part.last}")
        for line in read_lines([folder / part.blocks.name]):
            self._out["blocks"].write(line.text + b"\n")

    def add(self, block: Block) -> None:
        """Write the next block: whole if it may concern the venue. Raises SourceError."""
        try:
            if self.last is None:
                self._write("headers", f"{HEADERS_FORMAT} {self._first} {block.previous}")
                before = 0
            else:
                check_link(block, Cursor(self.last.number, self.last.block_id))
                before = self.last.timestamp
            self._out["headers"].write(header_line(block, before).encode("utf-8"))
        except BlockError as error:
            raise SourceError(str(error)) from None
        if self._prefilter.in_block(block):
            self._out["blocks"].write(one_line(block.raw))
        self.last = LastBlock(block.number, block.block_id, block.timestamp)

    def add_texts(self, kind: str, texts: Iterable[str]) -> None:
        """Write receipts, or a journal, as they are in the database."""
        for text in texts:
            self._out[kind].write(text.encode("utf-8"))

    def finish(self) -> tuple[Part, dict[str, Path]]:
        """Close the files; returns the part, and its files by their names."""
        self._files.close()
        assert self.last is not None
        found: dict[str, EvidenceFile] = {}
        paths: dict[str, Path] = {}
        for kind, pattern in KINDS.items():
            path = self._folder / kind
            name = pattern.format(first=self._first, last=self.last.number)
            paths[name] = path
            found[kind] = EvidenceFile(name, path.stat().st_size, sha256_of(path))
        return Part(self._first, self.last.number, self.last.block_id, **found), paths

    def _write(self, kind: str, line: str) -> None:
        self._out[kind].write(f"{line}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._files.close()


def _open_zstd(path: Path) -> zstandard.ZstdCompressionWriter:
    """A writer with a compressor of its own, which only one stream at a time can use."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    return compressor.stream_writer(path.open("wb"))
