"""How `peakedex serve` runs the application: gunicorn, worker processes with threads."""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from api.app import create_app
from api.settings import ApiSettings
from settlement.store.database import parse_url

HOST: Final = "127.0.0.1"
PORT: Final = 8080
WORKERS: Final = 2
THREADS: Final = 8


class ServeError(RuntimeError):
    """The server cannot start, with the reason and the cure."""


def serve(
    settings: ApiSettings,
    host: str = HOST,
    port: int = PORT,
    workers: int = WORKERS,
    threads: int = THREADS,
    *,
    access_log: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then end the process (SystemExit, here and in each worker).

    Call it in the main thread. Raises ServeError where the address cannot be had, StoreError where the
    database's URL is none.
    """
    parse_url(settings.database_url)
    descriptor = listen(host, port).detach()  # gunicorn closes it
    _Gunicorn(settings, descriptor, workers, threads, access_log).run()


def listen(host: str, port: int) -> socket.socket:
    """The socket of the server, so that a taken port is told in one line. Raises ServeError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise ServeError(
            f"cannot listen on {host} port {port}: {reason}. Stop what uses it, or choose another --port"
        ) from error


def _leave(_arbiter: object, _worker: object) -> None:
    """End a worker that has stopped. It only reads, so nothing is left to finish; a thread that waits for
    a silent client would hold the process up until it is killed."""
    error = sys.exc_info()[1]
    status = error.code if isinstance(error, SystemExit) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """Each worker makes its own application, and so its own connections, after the fork."""

    def __init__(
        self, settings: ApiSettings, descriptor: int, workers: int, threads: int, access_log: bool
    ) -> None:
        self._settings = settings
        self._options = {
            "bind": f"fd://{descriptor}",
            "worker_class": "gthread",
            "workers": workers,
            "threads": threads,
            "accesslog": "-" if access_log else None,
            "errorlog": "-",
            "loglevel": "warning",
            "timeout": 30,
            "graceful_timeout": 1,
            "keepalive": 5,
            "proc_name": "peakedex",
            "control_socket_disable": True,
            "worker_exit": _leave,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:  # older versions have no control socket to switch off
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._settings)
