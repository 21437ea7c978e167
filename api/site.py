"""Serves the static site, and adds security headers to every response."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Final

from flask import Flask, Response, send_from_directory

from api.http.etag import accepts_gzip

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self' https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_COMPRESSED: Final = frozenset(
    (
        "text/html",
        "text/css",
        "text/javascript",
        "application/javascript",
        "application/json",
        "image/svg+xml",
    )
)


def register(app: Flask, folder: Path | None) -> None:
    """Serve the folder at `/`, if there is one. Browsers revalidate each file by its ETag."""

    def page(name: str = "index.html") -> Response:
        assert folder is not None
        return _compressed(send_from_directory(folder, name, max_age=None))

    if folder is not None:
        app.add_url_rule("/", "page", page, methods=["GET"])
        app.add_url_rule("/<path:name>", "file", page, methods=["GET"])
    app.after_request(_add_security_headers)


def _compressed(response: Response) -> Response:
    """The response of a text file, compressed for clients that accept it: to less than a third."""
    etag, _ = response.get_etag()
    if response.status_code != 200 or response.mimetype not in _COMPRESSED or etag is None:
        return response
    response.vary.add("Accept-Encoding")
    response.set_etag(etag, weak=True)  # it names the file in each encoding
    if accepts_gzip():
        response.direct_passthrough = False
        response.set_data(_compress(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
    return response


@lru_cache(maxsize=512)  # more than the site has files
def _compress(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _add_security_headers(response: Response) -> Response:
    is_page = response.mimetype == "text/html"
    response.headers.add("Content-Security-Policy", _PAGE_POLICY if is_page else _DATA_POLICY)
    response.headers.extend(_HEADERS)
    return response
