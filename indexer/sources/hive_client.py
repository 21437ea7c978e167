"""lighthive's Client for Hive nodes, over the bounded HTTP client; results are raw JSON text.

Read-only: lighthive would sign the bytes that a node returns, so broadcasting is disabled here.
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

from indexer.sources.json_rpc import call, call_for_blocks
from settlement.net.chain_id import ExpectedChain
from settlement.net.http_client import BadAnswer, HttpClient, Limits, NodeError
from settlement.net.json_rpc import RpcError

_RANGE_METHOD: Final = "block_api.get_block_range"
_MAX_ANSWER_BYTES: Final = 1 << 29
LIMITS: Final = Limits(max_bytes=_MAX_ANSWER_BYTES)
RANGE_LIMITS: Final = Limits(read_seconds=60.0, max_bytes=_MAX_ANSWER_BYTES)
"""A range of a thousand blocks takes a node longer than other answers."""
SMALL_RANGE: Final = 100
"""Up to this many blocks, the limits of other answers hold."""


class _FailOver(requests.exceptions.RequestException):
    """A NodeError in the form that makes lighthive try its next node."""

    def __init__(self, error: NodeError) -> None:
        super().__init__(str(error))
        self.cause = error


class _Log(logging.Logger):
    warn = logging.Logger.warning  # lighthive calls the method that Python 3.13 removed


class HiveClient(Client):  # type: ignore[misc]
    """lighthive's Client with kept-alive connections; results are raw JSON text (bytes). Not thread-safe.

    Nodes are tried in the given order; each call starts with the node that answered last.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        *,
        limits: Limits = LIMITS,
        range_limits: Limits = RANGE_LIMITS,
        chain: ExpectedChain | None = None,
    ) -> None:
        """`chain` is checked before a node is used, and again after each failure; None: any chain.

        Raises ValueError without nodes: lighthive would use a list of its own.
        """
        if not nodes:
            raise ValueError("no Hive nodes given")
        super().__init__(nodes=list(nodes))
        self.http = HttpClient(limits)
        self.node_list = deque(nodes)  # the base class has rotated its own
        self.current_node = self.node_list[0]
        self._range_limits = range_limits
        self._chain = chain
        self._checked: set[str] = set()  # URLs of nodes whose chain has been checked

    def set_logger(self, loglevel: int) -> None:
        """Use a silent logger: callers report failures, and the base class adds a handler per client."""
        self.logger = _Log("peakedex.lighthive", logging.CRITICAL)

    def next_node(self) -> None:
        """Switch to the next node of the list."""
        self.node_list.rotate(-1)
        self.current_node = self.node_list[0]

    def _send_request(self, url: str, request_data: Any, timeout: tuple[float, float]) -> dict[str, Any]:
        """lighthive's transport. Its `timeout` is ignored in favour of this client's limits."""
        try:
            if self._chain is not None and url not in self._checked:
                self._chain.check(url)
                self._checked.add(url)
            if request_data["method"] == _RANGE_METHOD:
                limits = self._range_limits if request_data["params"]["count"] > SMALL_RANGE else None
                return {"result": call_for_blocks(self.http, url, request_data, limits)}
            return {"result": call(self.http, url, request_data)}
        except RpcError as error:
            return {"error": {"message": str(error), "code": error.code}}
        except NodeError as error:
            self._checked.discard(url)
            raise _FailOver(error) from None

    def call_raw(self, api: str, method: str, params: dict[str, Any]) -> bytes:
        """The JSON text of a result, from the first node that answers. Raises NodeError."""
        result: bytes = self._call(api, method, params)
        return result

    def block_range(self, first: int, count: int) -> list[bytes]:
        """The JSON text of each block of a range; it may be short or empty. Raises NodeError."""
        api, _, method = _RANGE_METHOD.partition(".")
        blocks: list[bytes] = self._call(api, method, {"starting_block_num": first, "count": count})
        return blocks

    def last_irreversible(self) -> int:
        """The number of the last irreversible block. Raises NodeError."""
        result = self.call_raw("database_api", "get_dynamic_global_properties", {})
        try:
            return _decode_properties(result).last_irreversible_block_num
        except msgspec.DecodeError as error:
            raise BadAnswer(self.current_node, str(error)) from None

    def _call(self, api: str, method: str, params: dict[str, Any]) -> Any:
        try:
            return self(api).request(method, params)
        except _FailOver as error:
            raise error.cause from None
        except RPCNodeException as error:
            raise NodeError(error) from None

    def broadcast(self, *_: object, **__: object) -> NoReturn:
        """Disabled: see the module's docstring."""
        raise TypeError("this client is read-only")

    broadcast_sync = broadcast

    def close(self) -> None:
        """Close the connections."""
        self.http.close()


class _Properties(msgspec.Struct):
    last_irreversible_block_num: int


_decode_properties: Final = msgspec.json.Decoder(_Properties).decode
