"""Monitors the venue's other replicas: compares their journal and state hashes with this replica's.

Replicas that replay the chain independently must have the same hashes. A peer may be down, slow, behind, of
another venue, or lie; that only changes its reported status. Each peer has a thread of its own, so that a
slow one does not delay the others.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Annotated, Final, Literal, NamedTuple, Self, TypeVar

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from settlement.net.backoff import Backoff
from settlement.net.change_logger import ChangeLogger
from settlement.net.http_client import BadAnswer, HttpClient, HttpError, Limits
from settlement.net.node_urls import split_http_url
from settlement.store.database import explain
from settlement.store.read.audit.journal import hash_before
from settlement.store.read.audit.state_at_block import read_state_hash
from settlement.store.read.position import read_active_block, read_first_block, read_position

State = Literal["unknown", "agrees", "disagrees"]

CHECK_SECONDS: Final = 10.0
_BACKOFF: Final = Backoff(CHECK_SECONDS, 300.0)
LIMITS: Final = Limits(connect_seconds=5.0, read_seconds=20.0, total_seconds=20.0)
STATE_SECONDS: Final = 120.0
"""A peer computes the hash of its whole state: that takes longer than other answers."""
SILENT_SECONDS: Final = 300.0
"""A check that takes longer (a byte now and then keeps a connection alive) is reported as failed."""
_STOP_SECONDS: Final = 1.0
HASH: Final = re.compile(r"[0-9a-f]{64}")
Hash = Annotated[str, Meta(pattern=f"^{HASH.pattern}$")]
_Block = Annotated[int, Meta(ge=0, le=1 << 53)]

T = TypeVar("T")

log = logging.getLogger("peakedex.peers")


class PeerError(Exception):
    """The peer cannot be compared with; the text says why."""


class PeerStatus(NamedTuple):
    """Result of the comparison with a peer. Times in seconds since 1970, by this machine's clock."""

    url: str
    state: State = "unknown"
    block: int | None = None  # the peer's newest
    lag: int | None = None  # blocks that it is behind this replica
    common_block: int | None = None  # newest block whose journal hashes were compared
    state_block: int | None = None  # newest block whose state hashes were compared
    differs_in: str | None = None  # "journal" or "state"
    differs_at: int | None = None  # first block with another journal, or the block with another state
    answered: int | None = None  # time of the last usable answer
    error: str | None = None  # why the last check failed; the other fields are then from before


class _Health(Struct):
    block: _Block | None
    venue_hash: Hash | None
    journal_hash: Hash | None


class _BlockHash(Struct):
    number: _Block
    journal_hash: Hash


class PeerMonitor:
    """Context manager that checks each peer periodically in a thread of its own.

    `reader` is a read-only engine. States are compared at the newest active block up to each multiple of
    `state_blocks` (0: never), once `is_ready` says that the indexes for past states exist.
    """

    def __init__(
        self,
        urls: Sequence[str],
        reader: Engine,
        is_ready: Callable[[], bool],
        state_blocks: int,
        *,
        limits: Limits = LIMITS,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        """The URLs are as `parse_url` returns them."""
        ours = _OwnHashes(reader, is_ready, state_blocks)
        self._stop = threading.Event()
        self.peers = [Peer(url, ours, limits, silent_seconds) for url in urls]
        self._threads = [
            threading.Thread(target=peer.run, args=(self._stop,), name="peer", daemon=True)
            for peer in self.peers
        ]

    def report(self) -> str:
        """The status of each peer, as a JSON array."""
        return json.dumps([peer.reported_status()._asdict() for peer in self.peers])

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:  # one that waits for an answer ends with the process
            thread.join(max(0.0, deadline - time.monotonic()))


def parse_url(text: str) -> str:
    """A replica's base URL, without `/api` at its end. Raises PeerError."""
    parts = split_http_url(text)
    if parts is None or parts.query or parts.fragment:
        raise PeerError(f"{text!r} is not a replica's URL: write https://HOST, without query or fragment")
    if parts.username is not None or parts.password is not None:
        raise PeerError("URLs of peers are published by the API: remove user and password")
    return text.rstrip("/").removesuffix("/api").rstrip("/")


class _Position(NamedTuple):
    """Position of this replica's database."""

    first_block: int
    block: int
    venue_hash: str


class _OwnHashes:
    """Our own hashes, read from the database; the newest state hash is cached for all peers."""

    def __init__(self, reader: Engine, is_ready: Callable[[], bool], state_blocks: int) -> None:
        self._reader = reader
        self._is_ready = is_ready
        self._state_blocks = state_blocks
        self._lock = threading.Lock()
        self._state: tuple[int, str] | None = None

    def position(self) -> _Position:
        """Raises PeerError while the database is empty."""
        with self._reader.connect() as connection:
            at = read_position(connection)
            if at is None:
                raise PeerError("this replica's database is still empty")
            return _Position(read_first_block(connection), at.block, at.venue_hash)

    def journal_hash(self, block: int) -> str:
        """Raises PeerError, as `state_hash` does, where a lagging standby does not have the block yet."""
        with self._reader.connect() as connection:
            _check_recorded(connection, block)
            return hash_before(connection, block + 1)

    def next_state_block(self, common: int) -> int | None:
        """The newest block up to `common` whose states are compared; None where there is none yet."""
        if not self._state_blocks or not self._is_ready():
            return None
        with self._reader.connect() as connection:
            block = read_active_block(connection, common - common % self._state_blocks)
        return None if block is None else block.number

    def state_hash(self, block: int) -> str:
        with self._lock:
            if self._state is None or self._state[0] != block:
                with self._reader.connect() as connection:
                    _check_recorded(connection, block)
                    self._state = block, read_state_hash(connection, block)
            return self._state[1]


def _check_recorded(connection: Connection, block: int) -> None:
    at = read_position(connection)
    if at is None or at.block < block:
        raise PeerError("this standby lags: compared again later")


class Peer:
    """One peer and its status."""

    def __init__(self, url: str, ours: _OwnHashes, limits: Limits, silent_seconds: float) -> None:
        self.status = PeerStatus(url)
        self._url = url
        self._ours = ours
        self._silent_seconds = silent_seconds
        self._check_started: float | None = None
        self._limits = limits
        self._state_limits = limits._replace(read_seconds=STATE_SECONDS, total_seconds=STATE_SECONDS)
        self._http = HttpClient(limits, {"Accept-Encoding": "identity", "User-Agent": "peakedex"})
        self._changes = ChangeLogger(log)

    def reported_status(self) -> PeerStatus:
        """The status, with an error while a check takes too long."""
        started = self._check_started
        if started is None or time.monotonic() - started < self._silent_seconds:
            return self.status
        return self.status._replace(error="the answer takes too long")

    def run(self, stop: threading.Event) -> None:
        """Check periodically, with exponential backoff while the peer fails."""
        pause = 0.0
        while not stop.wait(pause):
            self._check_started = time.monotonic()
            try:
                self.check()
            except SQLAlchemyError as error:
                log.info("comparison with %s postponed: %s", self._url, explain(error))
            self._check_started = None
            pause = CHECK_SECONDS if self.status.error is None else _BACKOFF.after(pause)

    def check(self) -> None:
        """Compare once. Failures of the peer become part of its status. Raises SQLAlchemyError."""
        try:
            position = self._ours.position()
            self.status = self._compare(position, self._get("/api/health", _Health))
        except (PeerError, HttpError) as error:
            reason = error.reason if isinstance(error, HttpError) else str(error)
            self.status = self.status._replace(error=reason)
        self._log_changes(self.status)

    def _log_changes(self, status: PeerStatus) -> None:
        if self._changes.changed("error", status.error) and status.error is not None:
            log.warning("peer %s: %s", self._url, status.error)
        if status.state == "disagrees":
            text = describe_difference(status.differs_in, status.differs_at)
            self._changes.log(f"DISAGREEMENT: peer {self._url}: {text}", "state", logging.ERROR)
        elif status.state == "agrees" and self._changes.changed("state", "agrees"):
            log.info("peer %s agrees, at block %s", self._url, status.common_block)

    def _compare(self, position: _Position, health: _Health) -> PeerStatus:
        """The status after an answer. Raises PeerError and HttpError."""
        if health.block is None or health.venue_hash is None or health.journal_hash is None:
            raise PeerError("its database is still empty")
        if health.venue_hash != position.venue_hash:
            self.status = PeerStatus(self._url)
            raise PeerError(f"it belongs to another venue ({health.venue_hash[:16]}…)")
        common = min(position.block, health.block)
        status = self.status._replace(
            block=health.block,
            lag=max(0, position.block - health.block),
            answered=int(time.time()),
            error=None,
        )
        if common < position.first_block:
            return status
        theirs = health.journal_hash if common == health.block else self._journal_hash(common)
        status = status._replace(common_block=common)
        if theirs != self._ours.journal_hash(common):
            return self._journals_differ(status, position.first_block, common)
        return self._compare_state(status, common)

    def _journals_differ(self, status: PeerStatus, first: int, common: int) -> PeerStatus:
        """Journals differ at `common`: find the first block where they do, once."""
        known = status.differs_at if status.differs_in == "journal" else None
        if known is None or known > common:
            # Published before the search: a peer that fails meanwhile still disagrees.
            self.status = status._replace(state="disagrees", differs_in="journal", differs_at=None)
            known = self._first_difference(first, common)
        return status._replace(state="disagrees", differs_in="journal", differs_at=known)

    def _first_difference(self, first: int, common: int) -> int:
        """Binary search: a journal hash covers all blocks before, so journals that differ never converge."""

        def differs(block: int) -> bool:
            return self._journal_hash(block) != self._ours.journal_hash(block)

        return first + bisect_left(range(first, common), True, key=differs)

    def _compare_state(self, status: PeerStatus, common: int) -> PeerStatus:
        """Journals agree: compare the states, at the newest block where that is due."""
        block = self._ours.next_state_block(common)
        if block is None or block == status.state_block:
            if status.differs_in == "state":
                return status
            return status._replace(state="agrees", differs_in=None, differs_at=None)
        url = f"{self._url}/api/state?block={block}"
        theirs = self._http.head(url, self._state_limits).headers.get("X-State-Hash", "")
        if HASH.fullmatch(theirs) is None:
            raise PeerError("its state has no valid X-State-Hash")
        status = status._replace(state_block=block)
        if theirs != self._ours.state_hash(block):
            return status._replace(state="disagrees", differs_in="state", differs_at=block)
        return status._replace(state="agrees", differs_in=None, differs_at=None)

    def _journal_hash(self, block: int) -> str:
        answer = self._get(f"/api/blocks/{block}", _BlockHash)
        if answer.number != block:
            raise PeerError(f"block {block} was requested, {answer.number} returned")
        return answer.journal_hash

    def _get(self, path: str, result_type: type[T]) -> T:
        """The JSON body of a GET. Raises HttpError."""
        url = f"{self._url}{path}"
        try:
            return msgspec.json.decode(self._http.get(url).body, type=result_type)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise BadAnswer(url, "not an answer of this API") from None


def describe_difference(differs_in: str | None, differs_at: int | None) -> str:
    """A sentence about what differs, for logs and alarms."""
    if differs_in == "state":
        return f"its state of block {differs_at} differs from this replica's, although the journals agree"
    if differs_at is None:
        return "its journal differs from this replica's"
    return f"its journal differs from this replica's from block {differs_at} on"
