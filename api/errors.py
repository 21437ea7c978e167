"""Everything that is not an answer: `{"ok": false, "error": a sentence, "code": …}` with a fitting status."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from typing import Final

import msgspec
from flask import Flask, Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed

log = logging.getLogger("peakedex.api")

READ_METHODS: Final = ("GET", "HEAD", "OPTIONS")


class ApiError(Exception):
    """An answer that says no. The sentence is for people, the code for programs."""

    def __init__(self, status: int, code: str, sentence: str, **more: str | None) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.more = more


def bad_input(sentence: str) -> ApiError:
    return ApiError(400, "E_INPUT", sentence)


def not_found(sentence: str, code: str = "E_NOT_FOUND") -> ApiError:
    return ApiError(404, code, sentence)


def not_ready(sentence: str) -> ApiError:
    return ApiError(503, "E_NOT_READY", sentence)


def encode(body: object) -> bytes:
    return msgspec.json.encode(body)


def register(app: Flask) -> None:
    """Give every failure of the application the same shape."""
    app.register_error_handler(ApiError, _api_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _busy)
    app.register_error_handler(PoolTimeout, _busy)
    app.register_error_handler(Exception, _internal)


def _respond(status: int, code: str, sentence: str, **more: str | None) -> Response:
    body = {"ok": False, "error": sentence, "code": code, **more}
    response = Response(encode(body), status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    if status == 503:
        response.headers["Retry-After"] = "3"
    return response


def _api_error(error: ApiError) -> Response:
    return _respond(error.status, error.code, error.sentence, **error.more)


def _http_error(error: HTTPException) -> Response:
    """Flask's own refusals, in our words where they are common."""
    if isinstance(error, MethodNotAllowed):
        response = _respond(405, "E_METHOD", "This API only reads: use GET, HEAD or OPTIONS.")
        response.headers["Allow"] = ", ".join(READ_METHODS)
        return response
    if error.code == 404:
        return _respond(404, "E_NOT_FOUND", "There is nothing at this address.")
    status = error.code or 500
    return _respond(status, "E_INPUT" if status < 500 else "E_INTERNAL", f"{error.name}.")


def _busy(error: Exception) -> Response:
    """Locked, or not to be opened: both pass. What SQLite calls an error of the query is a bug in us."""
    cause = getattr(error, "orig", None)
    if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return _internal(error)
    log.warning("the database did not answer: %s", error)
    return _respond(503, "E_BUSY", "The database is busy. Try again in a moment.")


def _internal(error: Exception) -> Response:
    """A bug in us: all of it into the log, only its id to the outside."""
    error_id = uuid.uuid4().hex[:12]
    log.error("error %s", error_id, exc_info=error)
    sentence = "Something went wrong on our side. Nothing of yours was changed; please report the id."
    return _respond(500, "E_INTERNAL", sentence, id=error_id)
