"""Hive nodes, asked in turn: position of the chain, broadcasting, looking for a transaction."""

from __future__ import annotations

import calendar
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from peakedex.client.errors import ClientError, ConnectionFailed, InputError, NodeRefused, NodesFailed
from peakedex.client.http import Http
from peakedex.client.signing import MAINNET

PUBLIC_NODES: Final = (
    "https://api.hive.blog",
    "https://api.deathwing.me",
    "https://api.openhive.network",
    "https://techcoderx.com",
)
DEVNET: Final = "devnet"
"""As a chain id: that of the devnet to which the first node belongs."""
MAX_CLOCK_DIFFERENCE_SECONDS: Final = 300

_CHAIN_ID: Final = re.compile(r"[0-9a-f]{64}")
_DUPLICATE: Final = re.compile(r"Duplicate transaction check failed")
# Texts of hived that say that it will not take the transaction (now); all others leave the outcome open.
_REFUSED: Final = re.compile(
    r"transaction expiration exception|get_runtime_expiration|HIVE_MAX_TIME_UNTIL|tapos exception"
    r"|[Mm]issing required|irrelevant signature|[Dd]uplicate signature|signature is not canonical"
    r"|not enough RC|Not enough RC|custom json operation|^Assert Exception|^Parse Error"
)

Place = Literal["unknown", "pool", "block", "final"]
T = TypeVar("T")


class Position(NamedTuple):
    """Where a node's chain stands."""

    block_id: str  # of the last irreversible block
    time: int  # of the head block, Unix seconds


class Sent(NamedTuple):
    """Outcome of a broadcast. After `unknown` the transaction may be in the chain, or get into it later."""

    status: Literal["sent", "refused", "unknown"]
    reason: str = ""


class HiveNodes:
    """Several nodes of one chain. Nothing is sent twice to the same node by one call. Not thread-safe."""

    def __init__(
        self, urls: Sequence[str] = PUBLIC_NODES, *, chain_id: str = MAINNET, seconds: float = 10.0
    ) -> None:
        """`chain_id`: 64 hex digits, the main network's by default, or DEVNET. Raises InputError."""
        if not urls:
            raise InputError("nodes", "at least one Hive node is required")
        if chain_id != DEVNET and _CHAIN_ID.fullmatch(chain_id) is None:
            raise InputError("chain_id", "must be 64 lower-case hex digits, or devnet")
        self._urls = [url.rstrip("/") for url in urls]
        self._chain_id = None if chain_id == DEVNET else chain_id
        self._checks_clock = chain_id == MAINNET
        self._http = Http(seconds)
        self._turn = 0

    @property
    def chain_id(self) -> str:
        """The chain id that is signed for. Raises NodesFailed where a devnet does not tell its own."""
        if self._chain_id is None:
            self._chain_id = self._devnet_chain_id()
        return self._chain_id

    def position(self) -> Position:
        """Last irreversible block and head time of the first node that answers. Raises NodesFailed."""
        found = self._first(self._position)
        if self._checks_clock and abs(found.time - time.time()) > MAX_CLOCK_DIFFERENCE_SECONDS:
            raise NodesFailed(
                "the head block's time is minutes from this clock: set the clock, or use another node"
            )
        return found

    def broadcast(self, transaction: dict[str, Any]) -> Sent:
        """Send a signed transaction to one node after the other until one takes it.

        Every call begins with another node. `refused` only if all refuse.
        """
        self._turn += 1
        outcomes = []
        for shift in range(len(self._urls)):
            outcomes.append(self._send(self._urls[(self._turn + shift) % len(self._urls)], transaction))
            if outcomes[-1].status == "sent":
                return outcomes[-1]
        return next((one for one in outcomes if one.status == "unknown"), outcomes[0])

    def find(self, transaction_id: str, expires: int) -> Place:
        """Where the first node that answers has a transaction; `unknown` if none answers."""
        expiration = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(expires))
        params = {"transaction_id": transaction_id, "expiration": expiration}
        try:
            found = self._first(
                lambda url: self._call(url, "transaction_status_api.find_transaction", params)
            )
        except NodesFailed:
            return "unknown"
        status = found.get("status") if isinstance(found, dict) else None
        places: dict[object, Place] = {
            "within_mempool": "pool",
            "within_reversible_block": "block",
            "within_irreversible_block": "final",
        }
        return places.get(status, "unknown")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _first(self, task: Callable[[str], T]) -> T:
        failures: list[str] = []
        for shift in range(len(self._urls)):
            try:
                return task(self._urls[(self._turn + shift) % len(self._urls)])
            except (ClientError, KeyError, TypeError, ValueError) as error:
                failures.append(str(error))
        raise NodesFailed(f"no Hive node gives an answer: {'; '.join(failures)}")

    def _position(self, url: str) -> Position:
        found = self._call(url, "condenser_api.get_dynamic_global_properties", [])
        head, final = int(found["head_block_number"]), int(found["last_irreversible_block_num"])
        block_id = str(found["head_block_id"])
        if final < head:
            block_id = str(self._call(url, "condenser_api.get_block_header", [final + 1])["previous"])
        return Position(block_id, calendar.timegm(time.strptime(str(found["time"]), "%Y-%m-%dT%H:%M:%S")))

    def _send(self, url: str, transaction: dict[str, Any]) -> Sent:
        try:
            result = self._call(url, "condenser_api.broadcast_transaction", [transaction])
        except NodeRefused as error:
            if _DUPLICATE.search(error.text):
                return Sent("sent")
            return Sent("refused" if _REFUSED.search(error.text) else "unknown", str(error))
        except ClientError as error:
            return Sent("unknown", str(error))
        return Sent("sent") if isinstance(result, dict) else Sent("unknown", f"{url}: empty answer")

    def _call(self, url: str, method: str, params: object) -> Any:
        # hived does not decode \u escapes: the text goes as UTF-8.
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self._http.post_json(url, json.dumps(request, ensure_ascii=False).encode())
        try:
            reply = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            reply = None
        if isinstance(reply, dict) and isinstance(reply.get("error"), dict):
            raise NodeRefused(url, str(reply["error"].get("message")))
        if answer.status != 200 or not isinstance(reply, dict) or "result" not in reply:
            raise ConnectionFailed(f"{url}: HTTP status {answer.status}, and no JSON-RPC answer")
        return reply["result"]

    def _devnet_chain_id(self) -> str:
        def ask(url: str) -> str:
            answer = self._http.get(f"{url}/dev/status")
            status = msgspec.json.decode(answer.body)
            found = str(status["chain_id"])
            if status["devnet"] is not True or _CHAIN_ID.fullmatch(found) is None or found == MAINNET:
                raise ValueError(f"{url} is not a devnet")
            return found

        return self._first(ask)
