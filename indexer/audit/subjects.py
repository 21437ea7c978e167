"""Whom we compare with: a database, an API, a journal in a file. What they say is never trusted."""

from __future__ import annotations

import gzip
import io
import re
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import IO, Annotated, Final

import msgspec
import requests
import urllib3
import zstandard
from msgspec import Meta, Struct

from indexer.audit.compare import SideError, SilentError, TheirBlock
from indexer.audit.peers import PeerError, parse_url
from settlement.core.state_machine import StateMachine
from settlement.store.database import StoreError, open_reader
from settlement.store.read.audit.journal_range import read_range
from settlement.store.read.audit.state_at_block import read_state_text
from settlement.store.read.position import read_position
from settlement.store.write.loader import load

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 120.0
"""A state is added up while we wait."""
TRIES: Final = 5
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 60.0
LARGEST_PAGE_BYTES: Final = 1 << 27
LARGEST_STATE_BYTES: Final = 1 << 31
LONGEST_LINE: Final = 1 << 20
_PAGE_BLOCKS: Final = 2_000
_PAGE_CHARS: Final = 4 << 20
_CHUNK: Final = 1 << 16
_MAX_BLOCK: Final = 2**32 - 1
_SQLITE: Final = b"SQLite format 3\0"
_BLOCK_LINE: Final = re.compile(r"block ([1-9][0-9]{0,9}) ")
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)


def open_side(against: str, venue_hash: str) -> DatabaseSide | ApiSide | FileSide:
    """Whatever an address or a path names. Raises SideError and StoreError."""
    if against.startswith(("http://", "https://")):
        return ApiSide(against, venue_hash)
    if "://" in against:
        return DatabaseSide(against, venue_hash)
    path = Path(against)
    try:
        with path.open("rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise StoreError(f"--against {against}: {error.strerror}") from None
    return DatabaseSide(against, venue_hash) if is_database else FileSide(path)


def _check_venue(theirs: str, ours: str) -> None:
    if theirs != ours:
        raise StoreError(
            f"--against belongs to another venue ({theirs[:16]}…, the file is {ours[:16]}…): "
            "there is nothing to compare"
        )


class DatabaseSide:
    """A database, which an indexer may be writing to: it is read in short transactions."""

    name = "the database"

    def __init__(self, url: str, venue_hash: str) -> None:
        self._engine = open_reader(url)
        with self._engine.connect() as connection:
            at = read_position(connection)
        if at is None:
            raise StoreError("--against: the database is still empty: start `peakedex follow` first")
        _check_venue(at.venue_hash, venue_hash)
        self.last = at.block

    def blocks(self, first: int, last: int) -> Iterator[TheirBlock]:
        while first <= last:
            with self._engine.connect() as connection:
                rows = read_range(connection, first, last, _PAGE_BLOCKS, _PAGE_CHARS)
            for number, journal_hash, lines in rows:
                yield TheirBlock(number, lines, journal_hash)
            if not rows:
                return
            first = rows[-1].number + 1

    def state(self, block: int) -> str:
        with self._engine.connect() as connection:
            return read_state_text(connection, block)

    def rows(self) -> StateMachine:
        """The engine that its newest rows make: what an indexer would go on from, and what the API shows."""
        return load(self._engine)


class FileSide:
    """A journal as `peakedex journal` and /api/journal print it, plain, .gz or .zst. It has no state."""

    name = "the journal file"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.last = 0
        for block in self.blocks(0, _MAX_BLOCK):
            self.last = block.number
        if not self.last:
            raise SideError(f"{path}: no journal: it has no line")

    def blocks(self, first: int, last: int) -> Iterator[TheirBlock]:
        try:
            with _open(self._path) as file:
                lines = iter(lambda: file.readline(LONGEST_LINE), "")
                for block in split_journal(lines, str(self._path)):
                    if block.number > last:
                        return
                    if block.number >= first:
                        yield block
        except (OSError, EOFError, zstandard.ZstdError, UnicodeDecodeError) as error:
            raise SideError(f"{self._path}: cannot be read on: {error}") from None

    def state(self, _block: int) -> None:
        """A journal has none."""


def _open(path: Path) -> IO[str]:
    if path.suffix == ".zst":
        return io.TextIOWrapper(zstandard.open(path, "rb"), "utf-8", newline="\n")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def split_journal(lines: Iterable[str], where: str) -> Iterator[TheirBlock]:
    """The blocks of a journal's text, in rising order. Raises SideError for what is no journal."""
    number = 0
    held: list[str] = []
    for line in lines:
        if len(line) >= LONGEST_LINE:
            raise SideError(f"{where}: no journal: a line after block {number} does not end")
        if not line.startswith("block "):
            if not held:
                raise SideError(f"{where}: no journal: it begins with {line[:40]!a}, not with `block`")
            held.append(line)
            continue
        if held:
            yield TheirBlock(number, "".join(held))
        found = _BLOCK_LINE.match(line)
        if found is None:
            raise SideError(f"{where}: no journal: {line[:40]!a} after block {number}")
        if int(found[1]) <= number:
            raise SideError(f"{where}: block {found[1]} stands after block {number}")
        number, held = int(found[1]), [line]
    if held:
        yield TheirBlock(number, "".join(held))


_Hash = Annotated[str, Meta(pattern=f"^{_HASH.pattern}$")]


class _Health(Struct):
    block: Annotated[int, Meta(ge=0, le=_MAX_BLOCK)] | None
    venue_hash: _Hash | None


class ApiSide:
    """An exchange's API, asked piece by piece with limits on time and size. It can be slow, or hostile."""

    name = "the API"

    def __init__(
        self,
        url: str,
        venue_hash: str,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        try:
            self._url = parse_url(url)
        except PeerError as error:
            raise StoreError(f"--against: {error}") from None
        self._answer_seconds = answer_seconds
        self._sleep = sleep
        self._session = requests.Session()
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": "peakedex"})
        content, _ = self._get("/api/health", LARGEST_PAGE_BYTES)
        try:
            health = msgspec.json.decode(content, type=_Health)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise SideError(f"{self._url}/api/health: not an answer of this API") from None
        if health.block is None or health.venue_hash is None:
            raise SilentError(f"{self._url}: it has no block yet")
        _check_venue(health.venue_hash, venue_hash)
        self.last = health.block

    def blocks(self, first: int, last: int) -> Iterator[TheirBlock]:
        while first <= last:
            path = f"/api/journal?from={first}&to={last}"
            where = f"{self._url}{path}"
            content, headers = self._get(path, LARGEST_PAGE_BYTES)
            text = _text(content, where)
            after = headers.get("X-Next-From", "")
            if _NUMBER.fullmatch(after) is None or not first < int(after) <= last + 1:
                raise SideError(f"{where}: X-Next-From must be above {first} and at most {last + 1}")
            found = list(split_journal(_with_ends(text), where))
            if found and not first <= found[0].number <= found[-1].number < int(after):
                raise SideError(f"{where}: blocks that were not asked for")
            if found:
                found[-1] = found[-1]._replace(journal_hash=headers.get("X-Journal-Hash", ""))
            yield from found
            first = int(after)

    def state(self, block: int) -> str:
        path = f"/api/state?block={block}"
        return _text(self._get(path, LARGEST_STATE_BYTES)[0], f"{self._url}{path}")

    def _get(self, path: str, most_bytes: int) -> tuple[bytes, requests.structures.CaseInsensitiveDict[str]]:
        """An answer's body and headers; asked again where the API is busy. Raises SideError."""
        pause = FIRST_PAUSE_SECONDS
        for left in reversed(range(TRIES)):
            try:
                return self._try(path, most_bytes)
            except _Busy as error:
                if not left:
                    raise SilentError(str(error)) from None
                self._sleep(min(max(pause, error.retry_after), LONGEST_PAUSE_SECONDS))
                pause *= 2
        raise AssertionError

    def _try(self, path: str, most_bytes: int) -> tuple[bytes, requests.structures.CaseInsensitiveDict[str]]:
        where, raw = f"{self._url}{path}", bytearray()
        end = time.monotonic() + self._answer_seconds
        timeout = (CONNECT_SECONDS, self._answer_seconds)
        try:
            with self._session.get(where, timeout=timeout, allow_redirects=False, stream=True) as response:
                if response.status_code in _BUSY:
                    said = response.headers.get("Retry-After", "")
                    wait = float(said) if said.isascii() and said.isdigit() and len(said) < 5 else 0.0
                    raise _Busy(f"{where}: HTTP status {response.status_code}", wait)
                if response.status_code != HTTPStatus.OK:
                    raise SideError(f"{where}: HTTP status {response.status_code}")
                while chunk := response.raw.read1(_CHUNK, decode_content=False):
                    raw += chunk
                    if len(raw) > most_bytes:
                        raise SideError(f"{where}: the answer is longer than {most_bytes} bytes")
                    if time.monotonic() > end:
                        raise SideError(f"{where}: the answer takes too long")
                return bytes(raw), response.headers
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _Busy(f"{where}: no answer ({type(error).__name__})") from None


class _Busy(Exception):
    """No answer now; later there may be one. Seconds that it asks us to wait."""

    def __init__(self, problem: str, retry_after: float = 0.0) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise SideError(f"{where}: not UTF-8 text") from None


def _with_ends(text: str) -> Iterator[str]:
    return iter(io.StringIO(text, newline="\n"))
