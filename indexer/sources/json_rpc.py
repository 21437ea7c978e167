"""JSON-RPC results as raw JSON text, so that blocks keep the bytes in which the node wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from indexer.chain.strict_json import ChainJsonError, dumps, loads
from settlement.net.http_client import BadAnswer, HttpClient, Limits
from settlement.net.json_rpc import ErrorObject, Reply, not_json, result_of

_NULL: Final = b"null"


class _BlockRange(msgspec.Struct):
    blocks: list[Raw]


_decode_reply: Final = msgspec.json.Decoder(Reply[Raw]).decode
_decode_range: Final = msgspec.json.Decoder(Reply[_BlockRange]).decode


def call(http: HttpClient, url: str, request: Mapping[str, Any], limits: Limits | None = None) -> bytes:
    """The JSON text of a call's result, `null` too. Raises HttpError (settlement.net)."""
    content = http.post_json(url, msgspec.json.encode(request), limits)
    try:
        reply = _decode_reply(content)
    except msgspec.ValidationError as error:
        raise BadAnswer(url, f"not a JSON-RPC answer: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reply = _decode_leniently(content, url)
    return bytes(result_of(reply, url, request["id"]))


def call_for_blocks(
    http: HttpClient, url: str, request: Mapping[str, Any], limits: Limits | None = None
) -> list[bytes]:
    """The JSON text of each block of a result `{"blocks": […]}`: like `call`, parsed only once.

    Raises HttpError.
    """
    content = http.post_json(url, msgspec.json.encode(request), limits)
    try:
        reply = _decode_range(content)
    except msgspec.ValidationError as error:
        raise BadAnswer(url, f"not a range of blocks: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        result = bytes(result_of(_decode_leniently(content, url), url, request["id"]))
        return _split_range(result, url)
    return list(map(bytes, result_of(reply, url, request["id"]).blocks))


def is_null(result: bytes) -> bool:
    """Whether a result is JSON's null."""
    return result == _NULL


def _decode_leniently(content: bytes, url: str) -> Reply[Raw]:
    """A reply that msgspec refuses, such as one with a lone surrogate. Raises BadAnswer."""
    try:
        value = loads(content.decode("utf-8", "surrogatepass"))
    except (UnicodeDecodeError, ChainJsonError):
        raise not_json(url, content) from None
    if not isinstance(value, dict):
        raise BadAnswer(url, "not a JSON-RPC answer")
    reply: Reply[Raw] = Reply()
    if "result" in value:
        reply.result = Raw(dumps(value["result"]).encode("ascii"))
    if value.get("error") is not None:
        reply.error = ErrorObject(dumps(value["error"]))
    return reply


def _split_range(result: bytes, url: str) -> list[bytes]:
    value = loads(result.decode("ascii"))
    blocks = value.get("blocks") if isinstance(value, dict) else None
    if not isinstance(blocks, list):
        raise BadAnswer(url, "not a range of blocks")
    return [dumps(block).encode("ascii") for block in blocks]
