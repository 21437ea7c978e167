"""How bots reach a chain: the small interface they need, and its form over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import Operation, condenser_operation


class Submit(Protocol):
    """Where bots send operations: a `DevNode` itself, or one behind HTTP."""

    def broadcast(self, operations: Sequence[Operation]) -> str:
        """One transaction of these operations, unsigned; gives its id. Raises ChainError."""

    def faucet(self, account: str, symbol: str | None = None, quantity: str | None = None) -> None:
        """Make an account if there is none and give it `quantity` (decimal text). Raises ChainError."""


class HttpSubmit:
    """A devnet behind HTTP. One connection, kept open; not safe for threads."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        """`url` is the Hive node's, such as `http://127.0.0.1:8090`; `timeout` is in seconds."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url!r} is not an http address")
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)

    def call(self, name: str, **body: object) -> dict[str, Any]:
        """POST to `/dev/<name>`. Raises ChainError with the node's text, ConnectionError if it is away."""
        try:
            self._connection.request(
                "POST", f"/dev/{name}", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            response = self._connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ConnectionError(f"the devnet does not answer: {error!r}") from error
        except ValueError as error:
            raise ConnectionError(f"the devnet answers no JSON: {error}") from error
        if response.status != http.HTTPStatus.OK:
            raise ChainError(str(answer.get("error", response.status)))
        return answer

    def broadcast(self, operations: Sequence[Operation]) -> str:
        """As in `Submit`. Raises ChainError or ConnectionError."""
        shaped = [condenser_operation(operation) for operation in operations]
        return str(self.call("broadcast", operations=shaped)["transaction_id"])

    def faucet(self, account: str, symbol: str | None = None, quantity: str | None = None) -> None:
        """As in `Submit`. Raises ChainError or ConnectionError."""
        if symbol is None:
            self.call("faucet", account=account)
        else:
            self.call("faucet", account=account, symbol=symbol, quantity=quantity)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
