"""The server that `bench.api` measures: `python -m bench.api_server DB PORT WORKERS STREAMS BARE`."""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask, Response

from api import app, server
from api.settings import ApiSettings

create_whole = app.create_app


def bare(*arguments: Any, **options: Any) -> Flask:
    """An application with one empty view, to measure the server itself, which observes the database."""
    empty = Flask("bare")
    empty.extensions.update(create_whole(*arguments, **options).extensions)
    body = b'{"ok":true}'
    empty.add_url_rule("/", view_func=lambda: Response(body, mimetype="application/json"))
    return empty


def main(url: str, port: str, workers: str, streams: str, is_bare: str) -> None:
    if is_bare == "bare":
        app.create_app = bare  # what the workers create; the rest of the server stays as it is
    settings = ApiSettings(database_url=url, network="bench", streams=int(streams))
    server.serve(settings, port=int(port), workers=int(workers))


if __name__ == "__main__":
    main(*sys.argv[1:])
