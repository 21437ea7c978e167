"""Source of the blocks of published evidence: headers and whole blocks, each link and id checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from indexer.chain.blocks import NO_BLOCK, Block, BlockError
from indexer.chain.decode import has_candidate
from indexer.chain.headers import HeaderBlock, HeaderReader
from indexer.chain.integrity.block_id import check_id
from indexer.chain.integrity.merkle import Verifier
from indexer.chain.prefilter import Prefilter, read_block
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.sources.archive import Line, ReceiptsInStep, read_lines
from indexer.sources.evidence import HEADERS_FORMAT, Evidence, Part
from indexer.sources.source import Cursor, SourceError
from settlement.core.events import VenueFilter
from settlement.net.backoff import Waiting


class BlockObserver(Protocol):
    """Sees every block that the source yields, once."""

    def header_only(self, block: HeaderBlock) -> None:
        """A block that is published without its transactions."""
        ...

    def whole(
        self, block: Block, receipts: Receipts | None, *, is_candidate: bool, is_verified: bool
    ) -> None:
        """A whole block: whether receipts matter, and whether its transactions match its header."""
        ...


class EvidenceSource:
    """Source of the blocks of published evidence, whole ones and headers, with the receipts that counted.

    `candidates_without_receipts` and `without_receipts` are as for ArchiveSource; blocks whose receipts
    did not count are among them.
    """

    def __init__(
        self,
        evidence: Evidence,
        venue_filter: VenueFilter,
        *,
        verifier: Verifier | None,
        observer: BlockObserver | None,
    ) -> None:
        self.candidates_without_receipts = 0
        self.without_receipts: deque[int] = deque(maxlen=2)
        self.whole = 0
        """Whole blocks yielded so far."""
        self.unverifiable = 0
        """Headers so far whose id is only what the file says."""
        self._evidence = evidence
        self._venue_filter = venue_filter
        self._prefilter = Prefilter(venue_filter)
        self._verifier = verifier
        self._observer = observer
        self._verified = 0
        self._line: Line | None = None

    @property
    def catching_up(self) -> bool:
        """Always true: all blocks are available."""
        return True

    @property
    def checks(self) -> str:
        """Which checks the blocks read so far have passed, for reports."""
        text = "hashes of the files, block ids and links"
        if self._verified:
            part = (
                "" if self._verified == self.whole else f" of {self._verified} of {self.whole} whole blocks"
            )
            text += f", merkle roots{part}"
        else:
            text += "; not that the transactions of whole blocks are those of the chain"
        return f"{text} (ids of {self.unverifiable} blocks unverified)" if self.unverifiable else text

    @property
    def where(self) -> str:
        """File and line of the block just yielded."""
        return "" if self._line is None else f"{self._line.path.name}, line {self._line.number}"

    @property
    def waiting(self) -> Waiting | None:
        """Always None: evidence on this machine never waits."""
        return None

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        """Every block above the cursor with the receipts that counted. Raises SourceError with the place."""
        manifest = self._evidence.manifest
        if not manifest.first - 1 <= after.number <= manifest.last:
            raise SourceError(
                f"{self._evidence.folder}: the evidence is of blocks {manifest.first} to {manifest.last}, "
                f"block {after.number + 1} was asked for"
            )
        before: Cursor | None = (
            None  # the last block of the part before; what that is in the first one is unknown
        )
        for part in manifest.parts:
            if part.last > after.number:
                yield from self._part(part, before, after)
            before = Cursor(part.last, part.last_id)

    def _part(
        self, part: Part, before: Cursor | None, after: Cursor
    ) -> Iterator[tuple[Block, Receipts | None]]:
        """The blocks of a part above the cursor."""
        path = self._evidence.path
        lines = read_lines([path(part.headers)])
        headers = self._reader(next(lines, Line(path(part.headers), 1, b"")), part, before)
        whole = _WholeBlocks(read_lines([path(part.blocks)]), self._prefilter, part.first, after.number)
        receipts = ReceiptsInStep(read_lines([path(part.receipts)]), is_strict=True)
        for line in lines:
            self._line = line
            try:
                header = headers.read(line.text)
            except BlockError as error:
                raise line.error(error) from None
            block = whole.take(header)
            received = (None, None) if block is None else receipts.block(header.number)
            if header.number == part.last:  # checked before it is yielded: the reader may stop there
                self._check_end(part, header, lines)
                whole.finish(part.last)
                receipts.finish(part.last)
                self.unverifiable += headers.unverifiable
            if header.number == after.number and after.block_id not in (None, header.block_id):
                raise line.error(f"block {header.number} is {header.block_id}, not {after.block_id}")
            if header.number <= after.number:
                continue
            if block is not None:
                yield self._checked(block, *received)
                continue
            if self._observer is not None:
                self._observer.header_only(header)
            yield header, None
        if headers.number != part.last:
            last = Line(path(part.headers), headers.number - part.first + 2, b"")
            raise last.error(f"the part ends at block {headers.number} instead of {part.last}")

    @staticmethod
    def _check_end(part: Part, header: HeaderBlock, lines: Iterator[Line]) -> None:
        """Raise SourceError unless this is the part's last block."""
        name = part.headers.name
        if header.block_id != part.last_id:
            raise SourceError(
                f"{name}: the header lines give block {header.number} the id {header.block_id}, the manifest "
                f"says {part.last_id}"
            )
        surplus = next(lines, None)
        if surplus is not None:
            raise surplus.error(f"a block after {part.last}, the last one of this part")

    def _reader(self, line: Line, part: Part, before: Cursor | None) -> HeaderReader:
        """The reader of a part's headers, after its first line. Raises SourceError."""
        words = line.text.decode("ascii", "replace").split(" ")
        is_headers = len(words) == 3 and words[0] == HEADERS_FORMAT and words[1] == str(part.first)
        previous = words[-1]
        if not is_headers or len(previous) != len(NO_BLOCK) or not previous.isalnum():
            raise line.error(
                f"it does not begin with `{HEADERS_FORMAT} {part.first}` and the id of the block before"
            )
        if before is not None and before.block_id != previous:
            raise line.error(
                f"block {part.first} follows {previous}, but block {before.number} is {before.block_id}"
            )
        try:
            return HeaderReader(part.first - 1, previous, self._venue_filter)
        except ValueError:
            raise line.error(f"{previous!a} is not a block's id") from None

    def _checked(
        self, block: Block, receipts: Receipts | None, line: Line | None
    ) -> tuple[Block, Receipts | None]:
        """A whole block with its receipts, both checked. Raises SourceError."""
        self.whole += 1
        is_verified = False
        try:
            is_candidate = has_candidate(block, self._venue_filter)
            if self._verifier is not None and self._verifier.can_check(block):
                self._verifier.check(block)
                self._verified += 1
                is_verified = True
        except BlockError as error:
            raise SourceError(f"the whole block {block.number}: {error}") from None
        if is_candidate and receipts is None:
            self.candidates_without_receipts += 1
            self.without_receipts.append(block.number)
        if receipts is not None and line is not None:
            try:
                receipts.check_hive_id(block.block_id)
                receipts.check()
            except ReceiptError as error:
                raise line.error(error) from None
        if self._observer is not None:
            self._observer.whole(block, receipts, is_candidate=is_candidate, is_verified=is_verified)
        return block, receipts


class _WholeBlocks:
    """Reader of a part's whole blocks in step with its headers."""

    def __init__(self, lines: Iterator[Line], prefilter: Prefilter, first: int, done: int) -> None:
        self._lines = lines
        self._prefilter = prefilter
        self._done = done
        self._line: Line | None = None
        self._next: Block | None = None
        self._advance(first - 1)

    def take(self, header: HeaderBlock) -> Block | None:
        """The whole block of a header, if it is published. Raises SourceError."""
        block = self._next
        if block is None or block.number != header.number:
            return None
        assert self._line is not None
        if block.block_id != header.block_id:
            raise self._line.error(
                f"block {block.number} is {block.block_id}, but {header.block_id} by the header lines"
            )
        self._advance(header.number)
        return block

    def finish(self, last: int) -> None:
        """Check that no block is left. Raises SourceError."""
        if self._next is not None and self._line is not None:
            raise self._line.error(
                f"block {self._next.number} is not in this part, which ends at block {last}"
            )

    def _advance(self, after: int) -> None:
        self._line = line = next(self._lines, None)
        if line is None:
            self._next = None
            return
        try:
            block = read_block(line.text, self._prefilter, self._done)
            check_id(block)
        except BlockError as error:
            raise line.error(error) from None
        if block.number <= after:
            raise line.error(f"block {block.number} follows block {after}")
        self._next = block
