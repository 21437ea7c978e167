"""lighthive's Client for one or more Hive nodes, with a transport that keeps connections open.

It hands out raw JSON. It never signs: it would sign the bytes that a node returns.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import msgspec
import requests
from lighthive.client import Client
from lighthive.exceptions import RPCNodeException

from indexer.sources.backoff import NodeError
from indexer.sources.json_rpc import RpcError, call, call_for_blocks

_RANGE_METHOD: Final = "block_api.get_block_range"
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0
RANGE_SECONDS: Final = 60.0


class _Unreachable(requests.exceptions.RequestException):
    """A NodeError in the only form that lighthive fails over on."""

    def __init__(self, error: NodeError) -> None:
        super().__init__(str(error))
        self.cause = error


class _Log(logging.Logger):
    warn = logging.Logger.warning  # lighthive uses the name that Python has given up


class HiveClient(Client):  # type: ignore[misc]
    """lighthive's Client with kept connections; results are the raw JSON text (bytes).

    Nodes are tried in the order given, each call going on with the node that answered last. Not for
    several threads at once.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        *,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        range_seconds: float = RANGE_SECONDS,
    ) -> None:
        """Raises ValueError without nodes: lighthive's own list is not meant for a venue."""
        if not nodes:
            raise ValueError("no Hive nodes given")
        super().__init__(nodes=list(nodes), connect_timeout=connect_seconds, read_timeout=answer_seconds)
        self.session = requests.Session()
        self.node_list = deque(nodes)  # the base class has turned it already
        self.current_node = self.node_list[0]
        self._range_seconds = range_seconds

    def set_logger(self, loglevel: int) -> None:
        """Log into a logger of ours: the base class adds a handler of its own for each client."""
        self.logger = _Log("peakedex.lighthive", logging.CRITICAL)  # failures are reported by whoever waits

    def next_node(self) -> None:
        """Go on with the next node of the list."""
        self.node_list.rotate(-1)
        self.current_node = self.node_list[0]

    def _send_request(self, url: str, request_data: Any, timeout: tuple[float, float]) -> dict[str, Any]:
        try:
            if request_data["method"] == _RANGE_METHOD:
                longer = (timeout[0], self._range_seconds)
                return {"result": call_for_blocks(self.session, url, request_data, longer)}
            return {"result": call(self.session, url, request_data, timeout)}
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

    def last_irreversible(self) -> int:
        """Number of the block that the current node calls the last irreversible one. Raises NodeError."""
        result = self.ask("database_api", "get_dynamic_global_properties", {})
        try:
            return _decode_properties(result).last_irreversible_block_num
        except msgspec.DecodeError as error:
            raise NodeError(f"{self.current_node}: {error}") from None

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
