"""Answers are compressed for those who ask for it (Flask-Compress): once, not once a request.

Never a stream: its events would wait in the compressor.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from flask import Flask, Request, Response, g
from flask_compress import Compress

from api.http.answers import Kept

_TYPES: Final = (
    "application/json",
    "text/plain",
    "text/html",
    "text/css",
    "text/javascript",
    "image/svg+xml",
)


def register(app: Flask) -> None:
    """Compress text of at least 1 KB."""
    app.config.update(
        COMPRESS_MIMETYPES=list(_TYPES),
        COMPRESS_ALGORITHM=["zstd", "br", "gzip"],
        COMPRESS_MIN_SIZE=1024,
        COMPRESS_STREAMS=False,
        COMPRESS_CACHE_BACKEND=lambda: Kept[bytes](len),
        COMPRESS_CACHE_KEY=_key,
    )
    Compress(app)
    app.after_request(_name_content)


def _key(request: Request) -> str:
    return f"{request.path} {g.content}"


def _name_content(response: Response) -> Response:
    """Under which name the answer is kept once it is compressed: its ETag, else its hash."""
    if response.status_code == 200 and response.mimetype in _TYPES:
        if response.direct_passthrough:  # a file on the disk: the compressor wants its bytes
            response.direct_passthrough = False
            response.get_data()
        etag, _ = response.get_etag()
        g.content = etag or sha256(response.get_data()).hexdigest()
    return response
