"""The server that `bench.api` measures: `python -m bench.api_server DB PORT WORKERS STREAMS BARE`."""

from __future__ import annotations

import sys

from flask import Flask, Response

from api import app, server
from api.settings import ApiSettings


def bare(*_: object, **__: object) -> Flask:
    """An application with one empty view, to measure the server itself."""
    app = Flask("bare")
    body = b'{"ok":true}'
    app.add_url_rule("/", view_func=lambda: Response(body, mimetype="application/json"))
    return app


def main(url: str, port: str, workers: str, streams: str, is_bare: str) -> None:
    if is_bare == "bare":
        app.create_app = bare  # what the workers create; the rest of the server stays as it is
    settings = ApiSettings(database_url=url, network="bench", streams=int(streams))
    server.serve(settings, port=int(port), workers=int(workers))


if __name__ == "__main__":
    main(*sys.argv[1:])
