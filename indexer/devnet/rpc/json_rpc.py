"""JSON-RPC 2.0 as hived and the Hive-Engine node implement it.

hived: both call styles, batches, and errors with HTTP status 200. Its JSON reader decodes few escapes, see
`read_json`. The Hive-Engine node: one call at a time, no batches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from indexer.devnet.hive.errors import CODE_ASSERT, CODE_SERVER, ChainError, Frame, error_data

CODE_PARSE: Final = -32700
CODE_INVALID_REQUEST: Final = -32600
CODE_METHOD_NOT_FOUND: Final = -32601
CODE_NO_PARAMS: Final = -32001
CODE_PARSE_PARAMS: Final = -32002

CODE_BATCH_TOO_LONG: Final = -32099
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)
_DECODED: Final = b'ntr"\\/'
"""What hived decodes after a backslash. It drops the backslash of others: `\\u00fc` becomes `u00fc`."""

Method = Callable[["Params"], object]
Methods = Mapping[str, Mapping[str, Method]]


class RpcError(Exception):
    """A JSON-RPC error with its `code` and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Params:
    """The arguments of a call, from an array or an object."""

    def __init__(self, raw: object) -> None:
        if not isinstance(raw, list | dict):
            raise RpcError(CODE_ASSERT, "Bad Cast:Invalid cast from type to Array")
        self._raw: list[object] | dict[str, object] = raw

    def require_names(self) -> None:
        """Refuse an array, as the methods of hived's newer APIs do. Raises RpcError."""
        if isinstance(self._raw, list):
            raise RpcError(CODE_SERVER, "Bad Cast:Invalid cast from type 'array_type' to Object")

    def get(self, position: int, name: str, default: object = None) -> object:
        """The argument at a position of an array or with a name in an object."""
        if isinstance(self._raw, dict):
            return self._raw.get(name, default)
        return self._raw[position] if position < len(self._raw) else default

    def number(self, position: int, name: str, default: int | None = None) -> int:
        """An integer, or text of one. Raises RpcError."""
        value = self.get(position, name, default)
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise RpcError(CODE_ASSERT, f"Bad Cast:Invalid cast from type to uint64: {name}")
        try:
            return int(value)
        except ValueError as error:
            raise RpcError(CODE_ASSERT, f"Parse Error:Couldn't parse uint64_t: {name}") from error

    def text(self, position: int, name: str) -> str:
        """A string. Raises RpcError."""
        value = self.get(position, name)
        if not isinstance(value, str):
            raise RpcError(CODE_ASSERT, f"Bad Cast:Invalid cast from type to string: {name}")
        return value

    def texts(self, position: int, name: str) -> list[str]:
        """A list of strings. Raises RpcError."""
        value = self.get(position, name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise RpcError(CODE_ASSERT, f"Bad Cast:Invalid cast from type to Array: {name}")
        return value


def read_json(text: bytes) -> object:
    """Parse JSON as hived does: few escapes are decoded, and raw control characters are accepted.

    Raises ValueError.
    """
    plain = _ESCAPE.sub(lambda match: match[0] if match[1] in _DECODED else match[1], text)
    try:
        return msgspec.json.decode(plain)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(plain, strict=False)


class Dispatcher:
    """Dispatches JSON-RPC requests to methods."""

    def __init__(self, methods: Methods) -> None:
        self._methods = methods

    def answer(self, body: bytes) -> bytes:
        """The response to the body of a POST: one call or a batch."""
        try:
            request = read_json(body)
        except (ValueError, RecursionError) as error:
            return msgspec.json.encode(_error_response(None, CODE_PARSE, f"Parse Error:{error}"))
        if not isinstance(request, list):
            return msgspec.json.encode(self._one(request))
        if not request:
            return msgspec.json.encode(_error_response(None, CODE_INVALID_REQUEST, "Array is invalid"))
        return msgspec.json.encode([self._one(item) for item in request])

    def _one(self, request: object) -> dict[str, object]:
        if not isinstance(request, dict):
            return _error_response(None, CODE_PARSE, "Bad Cast:Invalid cast from type to Object")
        request_id = request.get("id")
        try:
            if "id" in request and (isinstance(request_id, bool) or not isinstance(request_id, int | str)):
                request_id = None
                raise RpcError(
                    CODE_INVALID_REQUEST, 'Only integer value or string is allowed for member "id"'
                )
            if request.get("jsonrpc") != "2.0":
                raise RpcError(CODE_INVALID_REQUEST, 'jsonrpc value is not "2.0"')
            method, params = self._find(request)
            return {"jsonrpc": "2.0", "result": method(Params(params)), "id": request_id}
        except (RpcError, ChainError) as error:
            frame = error.frame if isinstance(error, ChainError) else None
            return _error_response(request_id, error.code, str(error), frame)

    def _find(self, request: Mapping[str, object]) -> tuple[Method, object]:
        """The method of a request and its arguments, in either call style. Raises RpcError."""
        name, params = request.get("method"), request.get("params", {})
        if not isinstance(name, str):
            raise RpcError(CODE_INVALID_REQUEST, 'A member "method" does not exist')
        if name == "call":
            if "params" not in request:
                raise RpcError(CODE_NO_PARAMS, 'A member "params" does not exist')
            if not isinstance(params, list) or len(params) not in (2, 3):
                raise RpcError(
                    CODE_PARSE_PARAMS,
                    "Assert Exception:v.size() == 2 || v.size() == 3: "
                    'params should be {"api", "method", "args"',
                )
            api, method = str(params[0]), str(params[1])
            params = params[2] if len(params) == 3 else {}
        else:
            api, _, method = name.partition(".")
            if not method or "." in method:
                raise RpcError(
                    CODE_PARSE_PARAMS,
                    "Assert Exception:v.size() == 2: method specification invalid. Should be api.method",
                )
        if api not in self._methods:
            raise RpcError(
                CODE_PARSE_PARAMS,
                f"Assert Exception:api_itr != data._registered_apis.end(): Could not find API {api}",
            )
        if method not in self._methods[api]:
            raise RpcError(
                CODE_PARSE_PARAMS,
                f"Assert Exception:method_itr != api_itr->second.end(): Could not find method {method}",
            )
        return self._methods[api][method], params


class SidechainDispatcher:
    """Dispatcher of the sidechain node: one call at a time, by method names without api."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._methods = methods

    def answer(self, body: bytes) -> bytes | None:
        """The response to the body of a POST; empty for a call without id. None for malformed JSON."""
        if not body:
            return msgspec.json.encode(_invalid_request())
        try:
            request = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if isinstance(request, list):
            if len(request) > 1:
                text = "Invalid request: Maximum batch length exceeded"
                return msgspec.json.encode(_sidechain_error(None, CODE_BATCH_TOO_LONG, text))
            answers = list(map(self._one, request)) if request else [_invalid_request()]
            return msgspec.json.encode(answers if request else answers[0])
        if not isinstance(request, dict):
            return None
        answer = self._one(request)
        return b"" if request.get("id") is None and "error" not in answer else msgspec.json.encode(answer)

    def _one(self, request: object) -> dict[str, object]:
        if not isinstance(request, dict) or request.get("jsonrpc") != "2.0":
            return _invalid_request()
        request_id, name, params = request.get("id"), request.get("method"), request.get("params")
        if isinstance(request_id, bool | dict | list) or not isinstance(name, str):
            return _invalid_request()
        if "params" in request and not isinstance(params, list | dict):
            return _invalid_request()
        method = self._methods.get(name)
        if method is None:
            return _sidechain_error(request_id, CODE_METHOD_NOT_FOUND, "Method not found")
        try:
            # By name only: parameters in an array are as good as none.
            result = method(Params(params if isinstance(params, dict) else {}))
        except RpcError as error:
            return _sidechain_error(request_id, error.code, str(error))
        return {"jsonrpc": "2.0", "id": request_id, "result": result}


def _invalid_request() -> dict[str, object]:
    return _sidechain_error(None, CODE_INVALID_REQUEST, "Invalid request")


def _sidechain_error(request_id: object, code: int, message: str) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


def _error_response(
    request_id: object, code: int, message: str, frame: Frame | None = None
) -> dict[str, object]:
    error = {"code": code, "message": message, "data": error_data(message, frame)}
    return {"jsonrpc": "2.0", "error": error, "id": request_id}
