"""Verification targets: a database, an API, published evidence, a journal file. All are untrusted."""

from __future__ import annotations

import gzip
import io
import re
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import IO, Annotated, Final

import msgspec
import zstandard
from msgspec import Meta, Struct

from indexer.audit.chain_rows import ChainRowsComparator, check_no_later_rows
from indexer.audit.checkpoint_claim import newest_claim
from indexer.audit.compare import Target, TargetBlock, TargetError, TargetUnavailable
from indexer.audit.peers import Hash, PeerError, parse_url
from indexer.sources.archive import read_lines
from indexer.sources.evidence import Evidence, EvidenceFile, Part, is_evidence
from indexer.sources.source import SourceError
from settlement.core.state_machine import StateMachine
from settlement.core.venue import MAX_BLOCK
from settlement.net.backoff import Backoff
from settlement.net.http_client import Answer, HttpClient, HttpError, Limits, NoAnswer, StatusError
from settlement.store.database import StoreError, open_reader
from settlement.store.read.audit.journal import read_range
from settlement.store.read.audit.state_at_block import read_state_text
from settlement.store.read.position import has_complete_history, read_first_block, read_position
from settlement.store.write.loader import load
from settlement.store.write.row_check import check_rows
from settlement.store.write.snapshot import CheckpointClaim

LIMITS: Final = Limits(connect_seconds=5.0, read_seconds=120.0, total_seconds=120.0, max_bytes=1 << 27)
"""For a state, which the API computes on request."""
MAX_STATE_BYTES: Final = 1 << 31
ATTEMPTS: Final = 5
BACKOFF: Final = Backoff(0.5, 60.0)
MAX_LINE_CHARACTERS: Final = 1 << 20
_PAGE_BLOCKS: Final = 2_000
_PAGE_CHARS: Final = 4 << 20
_SQLITE: Final = b"SQLite format 3\0"
_BLOCK_LINE: Final = re.compile(r"block ([1-9][0-9]{0,9}) ")
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)


def open_target(against: str, venue_hash: str) -> Target:
    """The target at a URL or path. Raises TargetError and StoreError."""
    if against.startswith(("http://", "https://")):
        return ApiTarget(against, venue_hash)
    if "://" in against:
        return DatabaseTarget(against, venue_hash)
    path = Path(against)
    if is_evidence(path):
        try:
            evidence = Evidence(path)
            evidence.check_files()
        except SourceError as error:
            raise TargetError(str(error)) from None
        return EvidenceTarget(evidence, venue_hash)
    try:
        with path.open("rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise StoreError(f"--against {against}: {error.strerror}") from None
    return DatabaseTarget(against, venue_hash) if is_database else JournalFileTarget(path)


def _check_venue(theirs: str, ours: str) -> None:
    if theirs != ours:
        raise StoreError(
            f"--against belongs to another venue ({theirs[:16]}…; the venue file is {ours[:16]}…): "
            "use the venue file that it was made with"
        )


class DatabaseTarget:
    """A database, read in short transactions: an indexer may be writing to it."""

    name = "the database"

    def __init__(self, url: str, venue_hash: str) -> None:
        self._engine = open_reader(url)
        with self._engine.connect() as connection:
            at = read_position(connection)
            if at is None:
                raise StoreError("--against: the database is still empty: start `peakedex follow` first")
            self.begins = None if has_complete_history(connection) else read_first_block(connection)
            """The block of the state text with which its history begins; None for a complete history."""
        _check_venue(at.venue_hash, venue_hash)
        self.last = at.block

    def blocks(self, first: int, last: int) -> Iterator[TargetBlock]:
        while first <= last:
            with self._engine.connect() as connection:
                rows = read_range(connection, first, last, _PAGE_BLOCKS, _PAGE_CHARS)
            for number, journal_hash, lines in rows:
                yield TargetBlock(number, lines, journal_hash)
            if not rows:
                return
            first = rows[-1].number + 1

    def state(self, block: int) -> str:
        with self._engine.connect() as connection:
            return read_state_text(connection, block)

    def rows(self) -> StateMachine:
        """The state machine of the newest rows, which the API shows and an indexer continues from."""
        return load(self._engine)

    def chain_rows(self, first: int, last: int) -> ChainRowsComparator | None:
        """Comparator of the rows that come from the chain alone; None without a complete history."""
        if self.begins is not None:
            return None
        return ChainRowsComparator(self._engine, first, last)

    def check_rows(self) -> bool:
        """Compare all rows with the journal beside them: False where its history is not complete.

        Raises HistoryError.
        """
        with self._engine.connect() as connection:
            check_no_later_rows(connection)
            return check_rows(connection)


class EvidenceTarget:
    """The journal and state of published evidence, whose files are checked already."""

    name = "the published evidence"

    def __init__(self, evidence: Evidence, venue_hash: str) -> None:
        _check_venue(evidence.manifest.venue_hash, venue_hash)
        self._evidence = evidence
        self.last = evidence.manifest.last

    def blocks(self, first: int, last: int) -> Iterator[TargetBlock]:
        for part in self._evidence.manifest.parts:
            if part.last >= first and part.first <= last:
                for block in self._journal(part):
                    if first <= block.number <= last:
                        yield block

    def state(self, block: int) -> str | None:
        """Its state text; None for another block than its last one."""
        manifest = self._evidence.manifest
        if block != manifest.last:
            return None
        text = "".join(self._text(manifest.state))
        if sha256(text.encode()).hexdigest() != manifest.state_hash:
            raise TargetError(f"{manifest.state.name}: its hash is not the state_hash of the manifest")
        return text

    def newest_checkpoint(self) -> CheckpointClaim | None:
        """The newest checkpoint in its journal."""
        for part in reversed(self._evidence.manifest.parts):
            newest = None
            for block in self._journal(part):
                newest = newest_claim(block.number, block.lines) or newest
            if newest is not None:
                return newest
        return None

    def _journal(self, part: Part) -> Iterator[TargetBlock]:
        for block in split_journal(self._text(part.journal), part.journal.name):
            if not part.first <= block.number <= part.last:
                raise TargetError(f"{part.journal.name}: block {block.number} is not of this part")
            yield block

    def _text(self, file: EvidenceFile) -> Iterator[str]:
        """The lines of a file, with their line ends."""
        try:
            for line in read_lines([self._evidence.path(file)]):
                yield f"{line.text.decode('utf-8')}\n"
        except UnicodeDecodeError:
            raise TargetError(f"{file.name}: not UTF-8 text") from None
        except SourceError as error:
            raise TargetError(str(error)) from None


class JournalFileTarget:
    """A journal as `peakedex journal` and /api/journal print it: plain, .gz or .zst. It has no state."""

    name = "the journal file"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.last = 0
        for block in self.blocks(0, MAX_BLOCK):
            self.last = block.number
        if not self.last:
            raise TargetError(f"{path}: not a journal: the file is empty")

    def blocks(self, first: int, last: int) -> Iterator[TargetBlock]:
        try:
            with _open(self._path) as file:
                lines = iter(lambda: file.readline(MAX_LINE_CHARACTERS), "")
                for block in split_journal(lines, str(self._path)):
                    if block.number > last:
                        return
                    if block.number >= first:
                        yield block
        except (OSError, EOFError, zstandard.ZstdError, UnicodeDecodeError) as error:
            raise TargetError(f"{self._path}: cannot be read: {error}") from None

    def state(self, _block: int) -> None:
        """None: a journal file has no state."""


def _open(path: Path) -> IO[str]:
    if path.suffix == ".zst":
        return io.TextIOWrapper(zstandard.open(path, "rb"), "utf-8", newline="\n")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def split_journal(lines: Iterable[str], where: str) -> Iterator[TargetBlock]:
    """The blocks of a journal's text, in ascending order. Raises TargetError for other text."""
    number = 0
    held: list[str] = []
    for line in lines:
        if len(line) >= MAX_LINE_CHARACTERS:
            raise TargetError(f"{where}: not a journal: a line after block {number} is too long")
        if not line.startswith("block "):
            if not held:
                raise TargetError(f"{where}: not a journal: it begins with {line[:40]!a} instead of `block`")
            held.append(line)
            continue
        if held:
            yield TargetBlock(number, "".join(held))
        found = _BLOCK_LINE.match(line)
        if found is None:
            raise TargetError(f"{where}: not a journal: {line[:40]!a} after block {number}")
        if int(found[1]) <= number:
            raise TargetError(f"{where}: block {found[1]} follows block {number}")
        number, held = int(found[1]), [line]
    if held:
        yield TargetBlock(number, "".join(held))


class _Health(Struct):
    block: Annotated[int, Meta(ge=0, le=MAX_BLOCK)] | None
    venue_hash: Hash | None


class ApiTarget:
    """An exchange's API, read in pages with limits on time and size. It may be slow, or malicious."""

    name = "the API"

    def __init__(
        self,
        url: str,
        venue_hash: str,
        *,
        limits: Limits = LIMITS,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        try:
            self._url = parse_url(url)
        except PeerError as error:
            raise StoreError(f"--against: {error}") from None
        self._limits = limits
        self._sleep = sleep
        self._http = HttpClient(limits, {"Accept-Encoding": "identity", "User-Agent": "peakedex"})
        try:
            health = msgspec.json.decode(self._get("/api/health").body, type=_Health)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise TargetError(f"{self._url}/api/health: not an answer of this API") from None
        if health.block is None or health.venue_hash is None:
            raise TargetUnavailable(f"{self._url}: its database is still empty")
        _check_venue(health.venue_hash, venue_hash)
        self.last = health.block

    def blocks(self, first: int, last: int) -> Iterator[TargetBlock]:
        while first <= last:
            path = f"/api/journal?from={first}&to={last}"
            where = f"{self._url}{path}"
            answer = self._get(path)
            text = _text(answer.body, where)
            after = answer.headers.get("X-Next-From", "")
            if _NUMBER.fullmatch(after) is None or not first < int(after) <= last + 1:
                raise TargetError(f"{where}: X-Next-From must be above {first} and at most {last + 1}")
            found = list(split_journal(_with_ends(text), where))
            if found and not first <= found[0].number <= found[-1].number < int(after):
                raise TargetError(f"{where}: blocks that were not requested")
            if found:
                found[-1] = found[-1]._replace(journal_hash=answer.headers.get("X-Journal-Hash", ""))
            yield from found
            first = int(after)

    def state(self, block: int) -> str:
        path = f"/api/state?block={block}"
        answer = self._get(path, self._limits._replace(max_bytes=MAX_STATE_BYTES))
        return _text(answer.body, f"{self._url}{path}")

    def begins_after(self, block: int) -> bool:
        """Whether its history begins with the state text of a later block."""
        try:
            self._http.head(f"{self._url}/api/state?block={block}")
        except StatusError as error:
            return error.status == HTTPStatus.NOT_FOUND and block <= self.last
        except HttpError:
            pass
        return False

    def _get(self, path: str, limits: Limits | None = None) -> Answer:
        """GET, repeated while the API is busy or does not answer. Raises TargetError."""
        pause = 0.0
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                return self._http.get(f"{self._url}{path}", limits)
            except HttpError as error:
                is_temporary = (
                    error.status in _BUSY if isinstance(error, StatusError) else isinstance(error, NoAnswer)
                )
                if not is_temporary:
                    raise TargetError(str(error)) from None
                if not attempts_left:
                    raise TargetUnavailable(str(error)) from None
                pause = BACKOFF.after(pause)
                self._sleep(max(pause, min(error.retry_after or 0.0, BACKOFF.max_seconds)))
        raise AssertionError


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise TargetError(f"{where}: not UTF-8 text") from None


def _with_ends(text: str) -> Iterator[str]:
    return iter(io.StringIO(text, newline="\n"))
