"""Error responses: problem details (RFC 9457) extended by `ok`, `error` and `code`."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from flask import Flask, Response, request
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from api.http.request_log import request_id
from settlement.store.database import is_connection_lost

log = logging.getLogger("peakedex.api")

READ_METHODS: Final = ("GET", "HEAD", "OPTIONS")
PROBLEM: Final = "application/problem+json"
RETRY_SECONDS: Final = 3


class ErrorKind(NamedTuple):
    """Meaning of an error code."""

    status: int  # HTTP status
    title: str  # short, the same for every error of this code
    when: str  # for the documentation; completes "returned when …"


KINDS: Final[dict[str, ErrorKind]] = {
    "E_INPUT": ErrorKind(400, "Bad parameter", "a parameter is unknown, missing, repeated or invalid"),
    "E_NOT_FOUND": ErrorKind(404, "Not found", "the address, order or intent does not exist (yet)"),
    "E_PAIR": ErrorKind(404, "No such pair", "the pair does not exist"),
    "E_BLOCK": ErrorKind(
        404, "Block not recorded", "the block is before the recorded history, or not recorded yet"
    ),
    "E_METHOD": ErrorKind(405, "Method not allowed", "the method is not GET, HEAD or OPTIONS"),
    "E_TOO_MANY": ErrorKind(
        429, "Too many requests", "the client exceeded its rate limit: try again after `Retry-After` seconds"
    ),
    "E_INTERNAL": ErrorKind(500, "Internal error", "the server failed; `id` identifies the entry in its log"),
    "E_NOT_READY": ErrorKind(
        503,
        "Not ready",
        "there is no database or block yet, or `/api/ready` has seen no heartbeat of the indexer yet",
    ),
    "E_BEHIND": ErrorKind(
        503, "Behind the chain", "only from `/api/ready`: the newest blocks are not recorded yet"
    ),
    "E_BUSY": ErrorKind(503, "Database busy", "the database is busy: try again after `Retry-After` seconds"),
    "E_STREAMS": ErrorKind(
        503, "Too many streams", "only from `/api/stream`: the server's maximum of streams is open"
    ),
}


class Problem(Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of an error response. `detail` and `error` are the same sentence; `code` is for programs."""

    type: Annotated[str, Meta(description="Address of the code's documentation.")]
    title: str
    status: int
    detail: str
    ok: Annotated[bool, Meta(description="Always false.")]
    error: str
    code: Annotated[str, Meta(extra_json_schema={"enum": list(KINDS)})]
    id: Annotated[
        str | UnsetType, Meta(description="With E_INTERNAL: request id to report to the operator.")
    ] = UNSET
    s: Annotated[str | UnsetType, Meta(description="Below /api/udf, required by its format: `error`.")] = (
        UNSET
    )
    errmsg: Annotated[str | UnsetType, Meta(description="With `s`: the same sentence.")] = UNSET


class ApiError(Exception):
    """Raised by a view to answer with an error: a code for programs, a sentence for people."""

    def __init__(self, code: str, sentence: str, retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        return KINDS[self.code].status


def bad_input(sentence: str) -> ApiError:
    return ApiError("E_INPUT", sentence)


def not_found(sentence: str, code: str = "E_NOT_FOUND") -> ApiError:
    return ApiError(code, sentence)


def not_ready(sentence: str) -> ApiError:
    return ApiError("E_NOT_READY", sentence)


def encode(body: object) -> bytes:
    return msgspec.json.encode(body)


def register(app: Flask) -> None:
    """Answer every failure of the application with problem details."""
    app.register_error_handler(ApiError, _api_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(PoolTimeout, _busy)
    app.register_error_handler(Exception, _internal)


def problem_body(code: str, sentence: str, **more: Any) -> bytes:
    """The encoded body of an error response."""
    kind = KINDS[code]
    body = Problem(
        type=f"/api/docs#{code}",
        title=kind.title,
        status=kind.status,
        detail=sentence,
        ok=False,
        error=sentence,
        code=code,
        **more,
    )
    return encode(body)


def problem(code: str, sentence: str, retry_after: int = RETRY_SECONDS, **more: Any) -> Response:
    """The error response to the current request."""
    kind = KINDS[code]
    if request.path.startswith("/api/udf/"):
        more |= {"s": "error", "errmsg": sentence}
    response = Response(problem_body(code, sentence, **more), kind.status, content_type=PROBLEM)
    response.headers["Cache-Control"] = "no-store"
    if kind.status in (429, 503):
        response.headers["Retry-After"] = str(retry_after)
    if kind.status == 405:
        response.headers["Allow"] = ", ".join(READ_METHODS)
    return response


def _api_error(error: ApiError) -> Response:
    return problem(error.code, error.sentence, error.retry_after)


def _http_error(error: HTTPException) -> Response:
    """Errors raised by Flask itself."""
    if isinstance(error, MethodNotAllowed):
        return problem("E_METHOD", "This API is read-only: use GET, HEAD or OPTIONS.")
    if error.code == 404:
        return problem("E_NOT_FOUND", "There is no such address.")
    if error.code is not None and error.code < 500:
        return problem("E_INPUT", f"{error.name}.")
    return _internal(error)


def _database_error(error: DBAPIError) -> Response:
    """503 for what passes: a locked or lost database. An error in a query (SQLITE_ERROR) is a bug: 500."""
    cause = getattr(error.orig, "sqlite_errorcode", None)
    is_temporary = isinstance(error, OperationalError) and cause != sqlite3.SQLITE_ERROR
    return _busy(error) if is_temporary or is_connection_lost(error) else _internal(error)


def _busy(error: Exception) -> Response:
    log.warning("The database did not answer: %s", error)
    return problem("E_BUSY", "The database is busy. Try again in a moment.")


def _internal(error: Exception) -> Response:
    """An unexpected exception: the traceback goes to the log, only its id to the client."""
    error_id = request_id() or uuid.uuid4().hex
    log.error("Internal error %s", error_id, exc_info=error)
    sentence = "Internal server error. Please report the id to the operator."
    return problem("E_INTERNAL", sentence, id=error_id)
