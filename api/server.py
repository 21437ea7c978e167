"""How `peakedex serve` runs the application: gunicorn, worker processes with threads."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from api.app import create_app
from api.http.limits import check_store
from api.settings import ApiSettings, ServeError
from api.worker import ServerLog, Worker
from api.worker_metrics import Tally
from settlement.store.database import parse_url

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST: Final = "127.0.0.1"
PORT: Final = 8080
WORKERS: Final = 2
_IDLE_CONNECTIONS: Final = 1000


def serve(
    settings: ApiSettings,
    host: str = HOST,
    port: int = PORT,
    workers: int = WORKERS,
    front: Callable[[WSGIApplication], WSGIApplication] = lambda app: app,
) -> None:
    """Serve until SIGTERM or SIGINT, then end the process (SystemExit, here and in each worker).

    `front` may put something before the application of each worker. Call it in the main thread. Raises
    ServeError where the address cannot be had, StoreError where the database's URL is none, SettingsError
    where the store of the limits cannot be used.
    """
    parse_url(settings.database_url)
    check_store(settings)
    descriptor = listen(host, port).detach()  # gunicorn closes it
    _Gunicorn(settings, descriptor, workers, front).run()


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
        self,
        settings: ApiSettings,
        descriptor: int,
        workers: int,
        front: Callable[[WSGIApplication], WSGIApplication],
    ) -> None:
        threads = settings.threads + settings.streams  # a stream holds its thread for as long as it lasts
        self._settings = settings
        self._front = front
        self.loaded: Flask | None = None
        self._tally = Tally(workers)
        self._slots: dict[int, int] = {}  # by the number that gunicorn gives each worker it starts
        self._options = {
            "bind": f"fd://{descriptor}",
            "worker_class": Worker,
            "logger_class": ServerLog,
            "workers": workers,
            "threads": threads,
            "worker_connections": threads + _IDLE_CONNECTIONS,
            "accesslog": None,
            "sendfile": False,  # it would go past the limits of PatientSocket
            "timeout": 30,
            "graceful_timeout": 2,  # what is left then is killed
            "keepalive": 5,
            "proc_name": "peakedex",
            "control_socket_disable": True,
            "pre_fork": self._take_slot,
            "child_exit": self._give_slot,
            "worker_exit": _leave,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:  # older versions have no control socket to switch off
                self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """In a worker: its application, which counts in the slot that was taken for it before the fork."""
        self.loaded = create_app(self._settings, self._tally.slot(self._slots[max(self._slots)]))
        return self._front(self.loaded)

    def _take_slot(self, _arbiter: object, worker: Any) -> None:
        free = set(range(self._tally.workers)) - set(self._slots.values())
        self._slots[worker.age] = min(free)

    def _give_slot(self, _arbiter: object, worker: Any) -> None:
        self._slots.pop(worker.age, None)
