"""JSON-RPC 2.0 over the bounded HTTP client."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from settlement.net.http_client import BadAnswer, HttpClient, HttpError, Limits, one_line

_MESSAGE_CHARACTERS: Final = 1000

T = TypeVar("T")


class RpcError(HttpError):
    """A JSON-RPC error. `message` is the node's text, printable and in one line; `code` its code."""

    def __init__(self, url: str, message: str, code: int) -> None:
        super().__init__(url, f"{one_line(message)} ({code})")
        printable = (letter if letter.isprintable() else " " for letter in message[:_MESSAGE_CHARACTERS])
        self.message = "".join(printable)
        self.code = code


class ErrorObject(msgspec.Struct):
    """The `error` of a reply."""

    message: str = ""
    code: int = 0


class Reply(msgspec.Struct, Generic[T]):
    """A JSON-RPC reply whose result is a T."""

    result: T | UnsetType = UNSET
    error: ErrorObject | None = None
    id: int | str | None = None


def result_of(reply: Reply[T], url: str, request_id: object) -> T:
    """The result of a reply. Raises RpcError, and BadAnswer where it has none or is to another request."""
    if reply.error is not None:
        raise RpcError(url, reply.error.message, reply.error.code)
    if isinstance(reply.result, UnsetType):
        raise BadAnswer(url, "a JSON-RPC answer without a result")
    if reply.id is not None and reply.id != request_id:
        raise BadAnswer(url, "the answer to another request")
    return reply.result


def not_json(url: str, content: bytes) -> BadAnswer:
    """The error for a body that is not JSON, quoting its beginning."""
    return BadAnswer(url, f"the answer is not JSON: {one_line(content[:200].decode('latin-1'))}")


_CONTROL_ESCAPE: Final = re.compile(rb"\\(?:\\|u00([01][0-9a-f])|([bf]))", re.IGNORECASE)
_SHORT_ESCAPES: Final = {b"b": b"\b", b"f": b"\f"}


def encode(value: object) -> bytes:
    r"""JSON that hived reads as it was meant: UTF-8, and control characters as they are.

    hived decodes only the escapes `\n \t \r \" \\ \/`. Of `\u00fc`, `\b` and `\f` it drops the backslash, so
    that a signature over the text no longer fits. It accepts raw control characters, which JSON forbids.
    """
    return _CONTROL_ESCAPE.sub(_raw_control, msgspec.json.encode(value))


def _raw_control(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes([int(found[1], 16)])
    return _SHORT_ESCAPES[found[2]] if found[2] else found[0]


class JsonRpcClient:
    """JSON-RPC to one node, its paths below one URL. Not thread-safe."""

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        self.url = url.rstrip("/")
        self.seconds = 0.0  # how long the last answer took
        self.http = HttpClient(limits)
        self._ids = itertools.count(1)

    def request(self, method: str, params: object) -> dict[str, Any]:
        """A request object with an id of its own."""
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    def call(self, method: str, params: object, result_type: type[T], path: str = "") -> T:
        """The result of a call, converted to `result_type`. Raises HttpError."""
        url = self.url + path
        request = self.request(method, params)
        started = time.perf_counter()
        content = self.http.post_json(url, encode(request))
        self.seconds = time.perf_counter() - started
        try:
            reply = msgspec.json.decode(content, type=Reply[result_type])  # type: ignore[valid-type]
        except msgspec.ValidationError as error:
            raise BadAnswer(url, f"{method}: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise not_json(url, content) from None
        return result_of(reply, url, request["id"])

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
