"""Following Hive over JSON-RPC: irreversible blocks, verified and linked, from whichever node answers.

lighthive's Client asks and fails over; its transport is replaced by one that keeps connections open and hands
out raw JSON. It never signs here: it would sign the bytes that a node returns.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NoReturn

import msgspec
import requests
from lighthive.client import Client
from lighthive.exceptions import RPCNodeException

from indexer.blocks import Block, BlockError
from indexer.decode import has_candidate
from indexer.interest import Interest, read_block
from indexer.patience import NodeError, Patience, Stopped
from indexer.receipts import Receipts
from indexer.rpc import RpcError, call, call_for_blocks
from indexer.sidechain import Sidechain
from indexer.source import Cursor, SourceError, Waiting, check_link
from indexer.verify import check_id
from settlement.events import Watch

_RANGE_METHOD: Final = "block_api.get_block_range"
LARGEST_RANGE: Final = 1000  # blocks; hived refuses more
ROUNDS_BEFORE_CONFLICT: Final = 3  # through all nodes, before a chain that does not link stops the source
LIVE_BLOCKS: Final = 20  # about a minute
POLL_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0


class _Unreachable(requests.exceptions.RequestException):
    """A NodeError in the only form that lighthive fails over on."""

    def __init__(self, error: NodeError) -> None:
        super().__init__(str(error))
        self.cause = error


class _Log(logging.Logger):
    warn = logging.Logger.warning  # lighthive uses the name that Python has given up


class HiveClient(Client):  # type: ignore[misc]
    """lighthive's Client with kept connections; results are the raw JSON text (bytes).

    Nodes are tried in the order given, each call going on with the node that answered last.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        *,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Raises ValueError without nodes: lighthive's own list is not meant for a venue."""
        if not nodes:
            raise ValueError("no Hive nodes given")
        super().__init__(nodes=list(nodes), connect_timeout=connect_seconds, read_timeout=answer_seconds)
        self.session = requests.Session()
        self.node_list = deque(nodes)  # the base class has turned it already
        self.current_node = self.node_list[0]

    def set_logger(self, loglevel: int) -> None:
        """Log into a logger of ours: the base class adds a handler of its own for each client."""
        self.logger = _Log("peakedex.lighthive", logging.CRITICAL)  # failures are reported by whoever waits

    def next_node(self) -> None:
        """Go on with the next node of the list."""
        self.node_list.rotate(-1)
        self.current_node = self.node_list[0]

    def _send_request(self, url: str, request_data: Any, timeout: tuple[float, float]) -> dict[str, Any]:
        try:
            is_range = request_data["method"] == _RANGE_METHOD
            ask = call_for_blocks if is_range else call
            return {"result": ask(self.session, url, request_data, timeout)}
        except RpcError as error:
            return {"error": {"message": str(error), "code": error.code}}
        except NodeError as error:
            raise _Unreachable(error) from None

    def ask(self, api: str, method: str, params: dict[str, Any]) -> bytes:
        """A result's JSON text, from the current node or, if that is out, another. Raises NodeError."""
        result: bytes = self._ask(api, method, params)
        return result

    def range(self, first: int, count: int) -> list[bytes]:
        """The JSON text of each block of a range, which may be short or empty. Raises NodeError."""
        api, _, method = _RANGE_METHOD.partition(".")
        blocks: list[bytes] = self._ask(api, method, {"starting_block_num": first, "count": count})
        return blocks

    def _ask(self, api: str, method: str, params: dict[str, Any]) -> Any:
        try:
            return self(api).request(method, params)
        except _Unreachable as error:
            raise error.cause from None
        except RPCNodeException as error:
            raise NodeError(error) from None

    def broadcast(self, *_: object, **__: object) -> NoReturn:
        """Never: see the module's text."""
        raise TypeError("this client only reads")

    broadcast_sync = broadcast

    def close(self) -> None:
        """Close the kept connections."""
        self.session.close()


class _Properties(msgspec.Struct):
    last_irreversible_block_num: int


_decode_properties: Final = msgspec.json.Decoder(_Properties).decode


class HiveSource:
    """Irreversible blocks from Hive nodes, with receipts from the sidechain, as a source for the follow loop.

    A range that is short, cut off, unlinked or wrongly hashed is asked for again, of the next node, with
    growing pauses and without end; `waiting` tells what for. Only a chain that does not link to the cursor
    ends it: then the database and the nodes disagree about what is irreversible, and a person must look.
    """

    def __init__(
        self,
        client: HiveClient,
        sidechain: Sidechain,
        watch: Watch,
        patience: Patience | None = None,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.irreversible = 0  # number of the last block that a node called irreversible
        self._client = client
        self._sidechain = sidechain
        self._watch = watch
        self._interest = Interest(watch)
        self._patience = patience or Patience()
        self._poll_seconds = poll_seconds
        self._range_size = LARGEST_RANGE
        self._at_hand = 0
        self._ahead: _Ahead | None = None

    @property
    def catching_up(self) -> bool:
        """Whether the block just yielded is far from the last irreversible one.

        Close to it each block is worth a commit of its own: the next one may have to wait for the sidechain.
        """
        return self._at_hand > LIVE_BLOCKS

    @property
    def waiting(self) -> Waiting | None:
        """What is waited for, be it a node, the next block or the sidechain; None while blocks flow."""
        return self._patience.waiting

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        """Every irreversible block above the cursor, as it comes, until the stop event is set.

        Receipts are fetched for blocks with a candidate only. Apply each block before asking for the next.
        Raises SourceError if the chain does not link to the cursor.
        """
        last = after
        self._ahead = None
        try:
            while True:
                for block in self._next_blocks(last):
                    self._at_hand = self.irreversible - block.number
                    receipts = self._receipts(block)
                    self._patience.arrived()
                    yield block, receipts
                    last = Cursor(block.number, block.block_id)
        except Stopped:
            return

    def _next_blocks(self, last: Cursor) -> list[Block]:
        """The blocks after `last`, at least one and at most a range. Raises Stopped and SourceError."""
        if self.irreversible - last.number < LARGEST_RANGE:
            self.irreversible = self._patience.retry(self._last_irreversible, self._client.next_node)
        while self.irreversible <= last.number:
            self._at_hand = 0
            self._patience.pause(self._poll_seconds, f"block {last.number + 1} to become irreversible")
            self.irreversible = self._patience.retry(self._last_irreversible, self._client.next_node)
        attempt = _Range(last, len(self._client.node_list))
        blocks = self._patience.retry(lambda: self._fetch(attempt), self._after_failure)
        self._range_size = min(2 * self._range_size, LARGEST_RANGE)
        return blocks

    def _after_failure(self) -> None:
        # A node that cannot deliver a long range in time may well deliver a short one.
        self._range_size = max(self._range_size // 2, 1)
        self._client.next_node()

    def _last_irreversible(self) -> int:
        result = self._client.ask("database_api", "get_dynamic_global_properties", {})
        try:
            return _decode_properties(result).last_irreversible_block_num
        except msgspec.DecodeError as error:
            raise NodeError(f"{self._client.current_node}: {error}") from None

    def _fetch(self, attempt: _Range) -> list[Block]:
        """One range call, everything in it checked. Raises NodeError and SourceError."""
        last = attempt.last
        count = min(self._range_size, self.irreversible - last.number)
        ahead, self._ahead = self._ahead, None
        try:
            if ahead is not None:
                count = ahead.count
            texts = ahead.result() if ahead is not None else self._client.range(last.number + 1, count)
            blocks = self._verified(texts, last, count)
        except NodeError:
            attempt.failed()
            raise
        attempt.check(blocks[0], self._client.current_node)
        self._read_ahead(blocks[-1].number)
        return blocks

    def _read_ahead(self, number: int) -> None:
        """While catching up, the next range travels while this one is applied.

        Only whole ranges that are known to be irreversible: then nothing else is asked of the client before
        the answer is taken, which is not made for two threads.
        """
        if self.irreversible - number >= LARGEST_RANGE:
            count = min(2 * self._range_size, LARGEST_RANGE)
            self._ahead = _Ahead(count, lambda: self._client.range(number + 1, count))

    def _verified(self, texts: list[bytes], last: Cursor, count: int) -> list[Block]:
        """The blocks of a range: numbered, linked among themselves, their ids recomputed."""
        node = self._client.current_node
        if not texts:
            raise NodeError(f"{node}: block {last.number + 1} is not there yet")
        if len(texts) > count:
            raise NodeError(f"{node}: {len(texts)} blocks where {count} were asked for")
        blocks: list[Block] = []
        before = Cursor(last.number)
        for text in texts:
            try:
                block = read_block(text, self._interest)
                check_id(block)
                check_link(block, before)
            except (BlockError, SourceError) as error:
                raise NodeError(f"{node}: {error}") from None
            blocks.append(block)
            before = Cursor(block.number, block.block_id)
        return blocks

    def _receipts(self, block: Block) -> Receipts | None:
        try:
            is_candidate = has_candidate(block, self._watch)
        except BlockError as error:
            raise SourceError(str(error)) from None
        return self._sidechain.receipts(block.number) if is_candidate else None


class _Ahead:
    """A range that is asked for before its turn, in a thread that nobody has to wait for at the end."""

    def __init__(self, count: int, ask: Callable[[], list[bytes]]) -> None:
        self.count = count
        self._ask = ask
        self._outcome: list[bytes] | NodeError | None = None
        self._thread = threading.Thread(target=self._run, name="hive-range", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._ask()
        except NodeError as error:
            self._outcome = error

    def result(self) -> list[bytes]:
        """The answer, once it is there. Raises NodeError."""
        self._thread.join()
        if self._outcome is None:
            raise RuntimeError("asking ahead failed; the reason stands in the log")
        if isinstance(self._outcome, NodeError):
            raise self._outcome
        return self._outcome


class _Range:
    """What the nodes said about the range after one cursor, until one of them delivers it."""

    def __init__(self, last: Cursor, node_count: int) -> None:
        self.last = last
        self._attempts_left = node_count * ROUNDS_BEFORE_CONFLICT if node_count > 1 else 1
        self._conflict: SourceError | None = None

    def failed(self) -> None:
        """An attempt without a range. Raises SourceError if it was the last and there was a conflict."""
        self._attempts_left -= 1
        if self._conflict is not None and self._attempts_left <= 0:
            raise self._conflict

    def check(self, first: Block, node: str) -> None:
        """Whether the range links to the cursor.

        One node may be on a fork, or lie: NodeError while others can be asked. When none of them says
        otherwise, round after round: SourceError, because we stop, and never repair.
        """
        try:
            check_link(first, self.last)
        except SourceError as error:
            self._conflict = error
            self.failed()
            raise NodeError(f"{node}: {error}") from None
