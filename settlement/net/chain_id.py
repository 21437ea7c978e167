"""Chain ids: which Hive chain a node belongs to, and the refusal of nodes of another one."""

from __future__ import annotations

import json
import re
import threading
from http import HTTPStatus
from typing import Any, Final

from settlement.net.http_client import HttpError, Limits, NoAnswer, NodeError, StatusError, one_line
from settlement.net.json_rpc import JsonRpcClient

MAINNET: Final = "beeab0de" + "0" * 56
DEVNET: Final = "devnet"
"""As an expected chain id: that of a devnet, whatever it is."""
LIMITS: Final = Limits(connect_seconds=5.0, read_seconds=5.0, max_bytes=1 << 20)

_CHAIN_ID: Final = re.compile(r"[0-9a-f]{64}")


class ChainIdError(ValueError):
    """A text that is not a chain id."""


class OtherChainError(NodeError):
    """The node belongs to another chain than the expected one. The text names node and chain ids."""


def check_chain_id(text: str) -> str:
    """The chain id as 64 lower-case hex digits. Raises ChainIdError."""
    if _CHAIN_ID.fullmatch(text) is None:
        raise ChainIdError("the chain id must be 64 lower-case hex digits")
    return text


def read_chain_id(rpc: JsonRpcClient) -> str | None:
    """The chain id that a Hive node gives; None where it does not offer `database_api.get_version`.

    Raises NodeError where it does not answer at all.
    """
    try:
        version = rpc.call("database_api.get_version", {}, dict[str, Any])
    except HttpError as error:
        if _may_answer_later(error):
            raise
        return None
    try:
        return check_chain_id(str(version.get("chain_id")))
    except ChainIdError:
        return None


def read_devnet_chain_id(rpc: JsonRpcClient) -> str:
    """The chain id of a devnet, from its /dev/status.

    Raises OtherChainError for any other node, and NodeError where it does not answer at all.
    """
    try:
        status = json.loads(rpc.http.get(f"{rpc.url}/dev/status").body)
        if not isinstance(status, dict) or status.get("devnet") is not True:
            raise ValueError("no status of a devnet")
        chain_id = check_chain_id(str(status.get("chain_id")))
    except (HttpError, ValueError, RecursionError) as error:
        if isinstance(error, HttpError) and _may_answer_later(error):
            raise
        raise OtherChainError(f"{rpc.url} is not a devnet: it has no /dev/status") from None
    if chain_id == MAINNET:
        raise OtherChainError(f"{rpc.url} claims to be a devnet but names the main network's chain id")
    return chain_id


def _may_answer_later(error: HttpError) -> bool:
    if isinstance(error, StatusError):
        status = error.status
        return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, NoAnswer)


class ExpectedChain:
    """The chain that all Hive nodes must belong to. Thread-safe."""

    def __init__(self, chain_id: str | None = None) -> None:
        """`chain_id`: 64 hex digits, DEVNET for that of the first devnet seen, None for the main network's.

        Raises ChainIdError.
        """
        self._is_devnet = chain_id == DEVNET
        self._chain_id = None if chain_id == DEVNET else check_chain_id(chain_id or MAINNET)
        self._lock = threading.Lock()

    def check(self, url: str) -> bool:
        """Whether the node is known to belong to the chain; False where it does not tell its chain id.

        Raises OtherChainError, and NodeError where it does not answer.
        """
        rpc = JsonRpcClient(url, LIMITS)
        try:
            found = read_devnet_chain_id(rpc) if self._is_devnet else read_chain_id(rpc)
        finally:
            rpc.close()
        if found is None:
            return False
        with self._lock:
            if self._chain_id is None:
                self._chain_id = found
            expected = self._chain_id
        if found != expected:
            raise OtherChainError(
                f"{one_line(url)} is a node of another chain: its chain id is {found}, expected {expected} "
                "(--chain-id)"
            )
        return True
