"""Everything that is not an answer: problem details (RFC 9457) with `ok`, `error` and `code` inside."""

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
from settlement.store.database import is_lost

log = logging.getLogger("peakedex.api")

READ_METHODS: Final = ("GET", "HEAD", "OPTIONS")
PROBLEM: Final = "application/problem+json"
RETRY_SECONDS: Final = 3


class Kind(NamedTuple):
    """What a code stands for. `title` is short and always the same; an error's sentence tells the case."""

    status: int
    title: str
    when: str


KINDS: Final[dict[str, Kind]] = {
    "E_INPUT": Kind(400, "Bad parameter", "a parameter is unknown, missing, repeated or not valid"),
    "E_NOT_FOUND": Kind(404, "Not found", "there is no such address, order or intent (yet)"),
    "E_PAIR": Kind(404, "No such pair", "there is no such pair"),
    "E_BLOCK": Kind(
        404, "Block not recorded", "the block lies before the venue's first, or is not recorded yet"
    ),
    "E_METHOD": Kind(405, "Only reading", "a method that could change something; `Allow` names the others"),
    "E_ADDRESS": Kind(414, "Address too long", "the address is longer than 4,094 bytes"),
    "E_TOO_MANY": Kind(
        429, "Too many requests", "one address asks more than the server allows: go on after `Retry-After`"
    ),
    "E_HEADERS": Kind(
        431, "Headers too large", "there are more than 100 headers, or one of over 8,190 bytes"
    ),
    "E_INTERNAL": Kind(500, "Internal error", "a bug in us; `id` finds it in the server's log"),
    "E_NOT_READY": Kind(503, "Not ready", "there is no database yet, or no block in it"),
    "E_BEHIND": Kind(503, "Behind the chain", "only from `/api/ready`: the newest blocks are missing"),
    "E_BUSY": Kind(503, "Database busy", "the database is busy: try again after `Retry-After` seconds"),
    "E_STREAMS": Kind(
        503, "Too many streams", "only from `/api/stream`: as many as the server holds are open"
    ),
}


class Problem(Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of an error. `detail` and `error` are one sentence, for people; `code` is for programs."""

    type: Annotated[str, Meta(description="The address of the code's description.")]
    title: str
    status: int
    detail: str
    ok: Annotated[bool, Meta(description="Always false.")]
    error: str
    code: Annotated[str, Meta(extra_json_schema={"enum": list(KINDS)})]
    id: Annotated[str | UnsetType, Meta(description="Of an internal error: tell it to the operator.")] = UNSET
    s: Annotated[str | UnsetType, Meta(description="Below /api/udf, as its format has it: error.")] = UNSET
    errmsg: Annotated[str | UnsetType, Meta(description="With `s`: the sentence once more.")] = UNSET


class ApiError(Exception):
    """An answer that says no. The sentence is for people, the code for programs."""

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
    """Give every failure of the application the same shape."""
    app.register_error_handler(ApiError, _api_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(PoolTimeout, _busy)
    app.register_error_handler(Exception, _internal)


def problem_body(code: str, sentence: str, **more: Any) -> bytes:
    """What is told of a problem."""
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
    """The response that tells a problem."""
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
    """Flask's own refusals, in our words."""
    if isinstance(error, MethodNotAllowed):
        return problem("E_METHOD", "This API only reads: use GET, HEAD or OPTIONS.")
    if error.code == 404:
        return problem("E_NOT_FOUND", "There is nothing at this address.")
    if error.code is not None and error.code < 500:
        return problem("E_INPUT", f"{error.name}.")
    return _internal(error)


def _database_error(error: DBAPIError) -> Response:
    """Locked, not to be opened, lost: these pass. What SQLite calls an error of the query is a bug in us."""
    cause = getattr(error.orig, "sqlite_errorcode", None)
    passes = isinstance(error, OperationalError) and cause != sqlite3.SQLITE_ERROR
    return _busy(error) if passes or is_lost(error) else _internal(error)


def _busy(error: Exception) -> Response:
    log.warning("the database did not answer: %s", error)
    return problem("E_BUSY", "The database is busy. Try again in a moment.")


def _internal(error: Exception) -> Response:
    """A bug in us: all of it into the log, only its id to the outside."""
    error_id = request_id() or uuid.uuid4().hex
    log.error("error %s", error_id, exc_info=error)
    sentence = "Something went wrong on our side. Nothing of yours was changed; please report the id."
    return problem("E_INTERNAL", sentence, id=error_id)
