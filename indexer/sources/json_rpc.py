"""JSON-RPC over connections that stay open, its results as raw JSON text.

Everything that can be wrong with an answer is a `NodeError`: no connection, too slow, an HTTP status, HTML in
place of JSON, an answer to another question, an error of the node's own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
import requests
from msgspec import Raw

from indexer.chain.strict_json import ChainJsonError, dumps, loads
from indexer.sources.backoff import NodeError

LARGEST_ANSWER_BYTES: Final = 1 << 29
_CHUNK_BYTES: Final = 1 << 18
_NULL: Final = b"null"
_HTTP_OK: Final = 200
_SHOWN_CHARACTERS: Final = 200

T = TypeVar("T")


class RpcError(NodeError):
    """The node answered with an error of its own; `code` is JSON-RPC's."""

    def __init__(self, problem: str, code: int) -> None:
        super().__init__(problem)
        self.code = code


class _Error(msgspec.Struct):
    message: str = ""
    code: int = 0


class _Envelope(msgspec.Struct):
    error: _Error | None = None
    id: int | str | None = None


class _Answer(_Envelope):
    result: Raw | msgspec.UnsetType = msgspec.UNSET


class _Blocks(msgspec.Struct):
    blocks: list[Raw]


class _BlocksAnswer(_Envelope):
    result: _Blocks | msgspec.UnsetType = msgspec.UNSET


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
_decode_blocks: Final = msgspec.json.Decoder(_BlocksAnswer).decode


def call(
    session: requests.Session, url: str, request: Mapping[str, Any], timeout: tuple[float, float]
) -> bytes:
    """Ask, and give the result's JSON text (`null` too). `timeout` is (to connect, for the answer), seconds.

    Raises NodeError; RpcError where the node itself says no.
    """
    content = _post(session, url, request, timeout)
    try:
        answer = _decode_answer(content)
    except msgspec.ValidationError as error:
        raise NodeError(f"{url}: not a JSON-RPC answer: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _read_loosely(content, url)
    return bytes(_checked(answer, answer.result, url, request))


def call_for_blocks(
    session: requests.Session, url: str, request: Mapping[str, Any], timeout: tuple[float, float]
) -> list[bytes]:
    """Ask for `{"blocks": […]}`, and give each block's JSON text: `call`, but the answer is walked only once.

    Raises NodeError.
    """
    content = _post(session, url, request, timeout)
    try:
        answer = _decode_blocks(content)
    except msgspec.ValidationError as error:
        raise NodeError(f"{url}: not a range of blocks: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        loose = _read_loosely(content, url)
        return _split_loosely(bytes(_checked(loose, loose.result, url, request)), url)
    return list(map(bytes, _checked(answer, answer.result, url, request).blocks))


def is_null(result: bytes) -> bool:
    """Whether a result is JSON's null."""
    return result == _NULL


def _checked(answer: _Envelope, result: T | msgspec.UnsetType, url: str, request: Mapping[str, Any]) -> T:
    """The answer's result. Raises NodeError unless it is one, and for this request."""
    if answer.error is not None:
        raise RpcError(f"{url}: {_shown(answer.error.message)} ({answer.error.code})", answer.error.code)
    if isinstance(result, msgspec.UnsetType):
        raise NodeError(f"{url}: an answer without a result")
    if answer.id is not None and answer.id != request.get("id"):
        raise NodeError(f"{url}: an answer to another question")
    return result


def _split_loosely(result: bytes, url: str) -> list[bytes]:
    value = loads(result.decode("ascii"))
    blocks = value.get("blocks") if isinstance(value, dict) else None
    if not isinstance(blocks, list):
        raise NodeError(f"{url}: not a range of blocks")
    return [dumps(block).encode("ascii") for block in blocks]


def _post(
    session: requests.Session, url: str, request: Mapping[str, Any], timeout: tuple[float, float]
) -> bytes:
    deadline = time.monotonic() + timeout[0] + timeout[1]
    chunks: list[bytes] = []
    size = 0
    try:
        with session.post(
            url,
            data=msgspec.json.encode(request),
            headers={"Content-Type": "application/json"},
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != _HTTP_OK:
                raise NodeError(f"{url}: HTTP status {response.status_code}", _retry_after(response))
            for chunk in response.iter_content(_CHUNK_BYTES):
                chunks.append(chunk)
                size += len(chunk)
                if size > LARGEST_ANSWER_BYTES:
                    raise NodeError(f"{url}: the answer is longer than {LARGEST_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise NodeError(f"{url}: the answer takes too long")
    except requests.exceptions.RequestException as error:
        raise NodeError(f"{url}: {_reason(error)}") from None
    return b"".join(chunks)


def _reason(error: requests.exceptions.RequestException) -> str:
    """Why there was no answer, in a few words: the library's own text is a page of nested errors."""
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "no connection: its certificate is not trusted"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection"
    return f"no answer: {_shown(str(error))}"


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the node asks to be left alone; None if it says nothing, or a date."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _read_loosely(content: bytes, url: str) -> _Answer:
    """Bad JSON, or JSON that only the slower reader takes: with a lone surrogate's escape in it, say."""
    try:
        value = loads(content.decode("utf-8", "surrogatepass"))
    except (UnicodeDecodeError, ChainJsonError):
        begin = _shown(content[:_SHOWN_CHARACTERS].decode("latin-1"))
        raise NodeError(f"{url}: the answer is not JSON: {begin}") from None
    if not isinstance(value, dict):
        raise NodeError(f"{url}: not a JSON-RPC answer")
    answer = _Answer()
    if "result" in value:
        answer.result = Raw(dumps(value["result"]).encode("ascii"))
    if value.get("error") is not None:
        answer.error = _Error(_shown(dumps(value["error"])))
    return answer


def _shown(text: str) -> str:
    """Foreign text, fit for one line of a log."""
    return ascii(text[:_SHOWN_CHARACTERS])[1:-1]
