"""Other replicas of the venue, asked now and then whether their journal and state are ours.

Replicas that replay the chain each on their own must have the same hashes. A peer may be silent, slow,
behind, of another venue, or lie: it changes nothing here, and what it says is a verdict for people. Each peer
has a thread of its own, so that none delays another.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Annotated, Any, Final, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3
from msgspec import Meta, Struct
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from settlement.store.database import explain
from settlement.store.read.audit.journal_range import hash_before
from settlement.store.read.audit.state_at_block import read_state_hash
from settlement.store.read.position import read_first_block, read_past, read_position

UNKNOWN: Final = "unknown"
AGREES: Final = "agrees"
DISAGREES: Final = "disagrees"

ASK_SECONDS: Final = 10.0
SLOWEST_ASK_SECONDS: Final = 300.0
LARGEST_BYTES: Final = 1 << 24
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 20.0
STATE_SECONDS: Final = 120.0
"""A peer adds up its whole state for its hash: that takes longer than other answers."""
LONGEST_SECONDS: Final = 300.0
"""A byte now and then keeps a connection alive: whoever takes longer than this is called silent."""
_END_SECONDS: Final = 1.0
_CHUNK: Final = 1 << 16
_SHOWN: Final = 200
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_Hash = Annotated[str, Meta(pattern=f"^{_HASH.pattern}$")]
_Block = Annotated[int, Meta(ge=0, le=1 << 53)]

log = logging.getLogger("peakedex.peers")


class PeerError(Exception):
    """No usable answer of a peer; the text says why."""


class Verdict(NamedTuple):
    """What comparing with a peer gave. Times in seconds since 1970, by our clock.

    `block` is the peer's newest, `lag` how far that is behind ours. `common_block` is the newest block whose
    journal hashes were compared, `state_block` the same for states. `differs_in` is journal or state;
    `differs_at` the first block from which journals differ, or the block whose states do. `error` tells why
    the last answer was none: all else is then as it was before.
    """

    url: str
    state: str = UNKNOWN
    block: int | None = None
    lag: int | None = None
    common_block: int | None = None
    state_block: int | None = None
    differs_in: str | None = None
    differs_at: int | None = None
    answered: int | None = None
    error: str | None = None


class _Health(Struct):
    block: _Block | None
    venue_hash: _Hash | None
    journal_hash: _Hash | None


class _OneBlock(Struct):
    number: _Block
    journal_hash: _Hash


T = TypeVar("T")


class Peers:
    """Asks all peers, each from a thread of its own, for as long as it is entered.

    `reader` cannot write. States are compared at the newest block of ours up to each multiple of
    `state_blocks` (0: never), once `is_ready` says that the indexes are there which past states need.
    """

    def __init__(
        self,
        urls: Sequence[str],
        reader: Engine,
        is_ready: Callable[[], bool],
        state_blocks: int,
    ) -> None:
        """The addresses are as `parse_url` gives them."""
        ours = _Ours(reader, is_ready, state_blocks)
        self._stop = threading.Event()
        self.peers = [Peer(url, ours) for url in urls]
        self._threads = [
            threading.Thread(target=peer.run, args=(self._stop,), name="peer", daemon=True)
            for peer in self.peers
        ]

    def report(self) -> str:
        """What is known of each peer, as JSON."""
        return json.dumps([peer.told()._asdict() for peer in self.peers])

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        end = time.monotonic() + _END_SECONDS
        for thread in self._threads:  # one that waits for an answer ends with the process
            thread.join(max(0.0, end - time.monotonic()))


def parse_url(text: str) -> str:
    """A peer's address, without `/api` at its end. Raises PeerError."""
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment:
        raise PeerError(f"{text!r} is not a peer's address: write https://HOST, where its /api is")
    if parts.username is not None or parts.password is not None:
        raise PeerError("a peer's address is shown to everybody: leave out the user and the password")
    return text.rstrip("/").removesuffix("/api").rstrip("/")


class Place(NamedTuple):
    """Where our own database stands."""

    first: int
    block: int
    venue_hash: str


class _Ours:
    """Our own hashes, out of the recorded rows; the newest state hash is kept for all peers."""

    def __init__(self, reader: Engine, is_ready: Callable[[], bool], state_blocks: int) -> None:
        self._reader = reader
        self._is_ready = is_ready
        self._state_blocks = state_blocks
        self._lock = threading.Lock()
        self._state: tuple[int, str] | None = None

    def place(self) -> Place:
        """Raises PeerError while nothing is recorded."""
        with self._reader.connect() as connection:
            at = read_position(connection)
            if at is None:
                raise PeerError("nothing is recorded here yet")
            return Place(read_first_block(connection), at.block, at.venue_hash)

    def journal_hash(self, block: int) -> str:
        """Raises PeerError, as `state_hash` does, where another reader of our cluster has not got so far."""
        with self._reader.connect() as connection:
            _check_recorded(connection, block)
            return hash_before(connection, block + 1)

    def state_due(self, common: int) -> int | None:
        """The newest block whose states are to be compared; None where there is none yet."""
        if not self._state_blocks or not self._is_ready():
            return None
        with self._reader.connect() as connection:
            past = read_past(connection, common - common % self._state_blocks)
        return None if past is None else past.number

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
        raise PeerError("our own database is behind what we have read of it: later")


class Peer:
    """One peer, and what we know of it."""

    def __init__(self, url: str, ours: _Ours) -> None:
        self.verdict = Verdict(url)
        self._url = url
        self._ours = ours
        self._asked: float | None = None
        self._session = requests.Session()
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": "peakedex"})

    def told(self) -> Verdict:
        """The verdict as it is told: with a word on an answer that never ends."""
        asked = self._asked
        if asked is None or time.monotonic() - asked < LONGEST_SECONDS:
            return self.verdict
        return self.verdict._replace(error="its answer takes too long")

    def run(self, stop: threading.Event) -> None:
        """Ask again and again; one that does not answer is asked less often."""
        pause = 0.0
        while not stop.wait(pause):
            self._asked = time.monotonic()
            try:
                self.look()
            except SQLAlchemyError as error:
                log.info("later: %s", explain(error))
            self._asked = None
            is_well = self.verdict.error is None
            pause = ASK_SECONDS if is_well else min(max(2 * pause, ASK_SECONDS), SLOWEST_ASK_SECONDS)

    def look(self) -> None:
        """Ask the peer, and compare. Whatever it does is part of the verdict. Raises SQLAlchemyError."""
        before = self.verdict
        try:
            place = self._ours.place()
            after = self._compare(place, self._ask("/api/health", _Health))
        except PeerError as error:
            after = self.verdict._replace(error=str(error))
        self.verdict = after
        if after.error is not None and after.error != before.error:
            log.warning("peer %s: %s", self._url, after.error)
        if after.state == DISAGREES and (after.differs_in, after.differs_at) != (
            before.differs_in,
            before.differs_at,
        ):
            log.error("DISAGREEMENT: peer %s: %s", self._url, difference(after.differs_in, after.differs_at))
        if after.state == AGREES and before.state != AGREES:
            log.info("peer %s agrees, at block %s", self._url, after.common_block)

    def _compare(self, place: Place, health: _Health) -> Verdict:
        """The verdict after an answer. Raises PeerError."""
        if health.block is None or health.venue_hash is None or health.journal_hash is None:
            raise PeerError("it has no block yet")
        if health.venue_hash != place.venue_hash:
            self.verdict = Verdict(self._url)
            raise PeerError(f"it belongs to another venue ({health.venue_hash[:16]}…)")
        common = min(place.block, health.block)
        verdict = self.verdict._replace(
            block=health.block,
            lag=max(0, place.block - health.block),
            answered=int(time.time()),
            error=None,
        )
        if common < place.first:
            return verdict
        theirs = health.journal_hash if common == health.block else self._journal_hash(common)
        verdict = verdict._replace(common_block=common)
        if theirs != self._ours.journal_hash(common):
            return self._differs(verdict, place.first, common)
        return self._compare_state(verdict, common)

    def _differs(self, verdict: Verdict, first: int, common: int) -> Verdict:
        """Journals differ at `common`: from which block on? Found by halves, once."""
        known = verdict.differs_at if verdict.differs_in == "journal" else None
        if known is None or known > common:
            self.verdict = verdict._replace(state=DISAGREES, differs_in="journal", differs_at=None)
            known = self._first_difference(first, common)
        return verdict._replace(state=DISAGREES, differs_in="journal", differs_at=known)

    def _first_difference(self, first: int, common: int) -> int:
        """A journal hash covers all before it: once two differ they do so for ever."""
        same, different = first - 1, common
        while different - same > 1:
            middle = (same + different) // 2
            if self._journal_hash(middle) == self._ours.journal_hash(middle):
                same = middle
            else:
                different = middle
        return different

    def _compare_state(self, verdict: Verdict, common: int) -> Verdict:
        """Journals agree: so must the state, at the newest block where it is due."""
        due = self._ours.state_due(common)
        if due is None or due == verdict.state_block:
            if verdict.differs_in == "state":
                return verdict
            return verdict._replace(state=AGREES, differs_in=None, differs_at=None)
        with self._get("HEAD", f"/api/state?block={due}", STATE_SECONDS) as response:
            theirs = response.headers.get("X-State-Hash", "")
        if _HASH.fullmatch(theirs) is None:
            raise PeerError("it gives no state hash")
        verdict = verdict._replace(state_block=due)
        if theirs != self._ours.state_hash(due):
            return verdict._replace(state=DISAGREES, differs_in="state", differs_at=due)
        return verdict._replace(state=AGREES, differs_in=None, differs_at=None)

    # -- asking --------------------------------------------------------------------------------------

    def _journal_hash(self, block: int) -> str:
        answer = self._ask(f"/api/blocks/{block}", _OneBlock)
        if answer.number != block:
            raise PeerError("it speaks of another block than asked")
        return answer.journal_hash

    def _ask(self, path: str, shape: type[T]) -> T:
        """The body of a GET. Raises PeerError."""
        raw, end = bytearray(), time.monotonic() + ANSWER_SECONDS
        with self._get("GET", path, ANSWER_SECONDS) as response:
            try:
                while chunk := response.raw.read1(_CHUNK, decode_content=False):
                    raw += chunk
                    if len(raw) > LARGEST_BYTES or time.monotonic() > end:
                        raise PeerError("its answer is too long, or too slow")
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise PeerError(f"its answer breaks off ({type(error).__name__})") from None
        try:
            return msgspec.json.decode(raw, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise PeerError("its answer is not one of this API") from None

    def _get(self, method: str, path: str, seconds: float) -> Any:
        """An answer with status 200, its body not read yet. Raises PeerError."""
        try:
            response = self._session.request(
                method,
                f"{self._url}{path}",
                timeout=(CONNECT_SECONDS, seconds),
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise PeerError(f"it does not answer ({type(error).__name__})") from None
        if response.status_code != HTTPStatus.OK:
            response.close()
            raise PeerError(f"it answers with HTTP status {response.status_code}")
        return response


def difference(differs_in: str | None, differs_at: int | None) -> str:
    """A sentence of what differs, for logs and alarms."""
    if differs_in == "state":
        return f"its state of block {differs_at} is another than ours, though the journals agree"
    if differs_at is None:
        return "its journal is another than ours"
    return f"its journal is another than ours from block {differs_at} on"
