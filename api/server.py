"""`peakedex serve`: gunicorn with threaded workers (`gthread`), meant to run behind a buffering proxy.

A slow client holds a thread, so a proxy such as nginx must buffer requests and responses (docs/operator.md).
Live streams have threads of their own, so they never starve plain requests.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from api.settings import ApiSettings, ServeError
from settlement.store.database import parse_url

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST: Final = "127.0.0.1"
PORT: Final = 8080
WORKERS: Final = 2
GRACEFUL_SECONDS: Final = 2
"""Time that a worker gives its connections when it is told to stop; it looks at the clock once a second."""
_KILL_SECONDS: Final = 20
"""Then a worker that is still running is killed, which gunicorn logs as "Perhaps out of memory?". The main
process is killed after 25 seconds by `peakedex run`, after 30 by systemd and Docker."""
_IDLE_CONNECTIONS: Final = 1000
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def serve(
    settings: ApiSettings,
    host: str = HOST,
    port: int = PORT,
    workers: int = WORKERS,
    middleware: Callable[[WSGIApplication], WSGIApplication] = lambda app: app,
) -> None:
    """Serve until SIGTERM or SIGINT, then raise SystemExit. Must be called in the main thread.

    `middleware` wraps the application of each worker. Raises ServeError if the address cannot be used,
    StoreError for an invalid database URL, SettingsError if the rate limit store cannot be used.
    """
    parse_url(settings.database_url)
    metrics_folder = tempfile.mkdtemp(prefix="peakedex-metrics-")
    try:
        # prometheus_client chooses its mode when it is imported, so the variable must be set before.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_folder
        from api.app import DATABASE, create_app  # noqa: PLC0415
        from api.heartbeat import observe_continuously  # noqa: PLC0415
        from api.http.limits import check_limit_store  # noqa: PLC0415

        check_limit_store(settings)
        descriptor = listen(host, port).detach()  # gunicorn closes it
    except BaseException:  # also an interruption: the folder must not stay
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        shutil.rmtree(metrics_folder)
        raise

    def create(is_stopping: Callable[[], bool]) -> WSGIApplication:
        app = create_app(settings, is_stopping)
        observe_continuously(app.extensions[DATABASE].snapshot, is_stopping)
        return middleware(app)

    threads = settings.threads + settings.streams
    _Gunicorn(create, descriptor, workers, threads, metrics_folder).run()


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises ServeError with a one-line reason and cure."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError, TypeError, UnicodeError) as error:
        number = (error.errno or 0) if isinstance(error, OSError) else 0
        is_unknown = number < 0 or number == errno.EADDRNOTAVAIL  # below 0: an error of getaddrinfo
        if is_unknown or isinstance(error, (TypeError, UnicodeError)):
            reason, cure = "no address of this machine", "Correct --host"
        else:
            reason = os.strerror(number) if number else str(error)
            cure = "Stop what uses it, or choose another --port"
        raise ServeError(f"cannot listen on {host} port {port}: {reason}. {cure}") from error


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """gunicorn's configuration. Each worker creates its own application, and so its own connections."""

    def __init__(
        self,
        create: Callable[[Callable[[], bool]], WSGIApplication],
        descriptor: int,
        workers: int,
        threads: int,
        metrics_folder: str,
    ) -> None:
        """`create` makes an application that ends its streams when the given function returns True."""
        self._create = create
        self._metrics_folder = metrics_folder
        self._worker: Any = None
        os.register_at_fork(after_in_parent=_unblock_stop_signals)  # see _block_stop_signals
        self._options = {
            "bind": f"fd://{descriptor}",
            "worker_class": "gthread",
            "logger_class": _GunicornLog,
            "workers": workers,
            "threads": threads,
            "worker_connections": threads + _IDLE_CONNECTIONS,
            "accesslog": None,
            "timeout": 30,
            "graceful_timeout": _KILL_SECONDS,  # of the main process; for the workers see _stop_gracefully
            "keepalive": 5,
            "proc_name": "peakedex",
            "control_socket_disable": True,
            "pre_fork": _block_stop_signals,
            "post_fork": self._forked,
            "post_worker_init": _stop_gracefully,
            "worker_exit": _exit,
            "child_exit": _forget_gauges,
            "on_exit": self._remove_metrics,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:  # gunicorn < 25 has no control socket
                self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Called in each worker after the fork."""
        return self._create(lambda: not self._worker.alive)

    def _forked(self, _arbiter: object, worker: Any) -> None:
        self._worker = worker

    def _remove_metrics(self, _arbiter: object) -> None:
        shutil.rmtree(self._metrics_folder, ignore_errors=True)


def _block_stop_signals(_arbiter: object, _worker: object) -> None:
    """Keep signals pending until a new worker has its handlers: it would lose them, or die of them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)


def _unblock_stop_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


def _stop_gracefully(worker: Any) -> None:
    """Let a worker stop on every signal as on SIGTERM, and well before the main process kills it.

    gunicorn's own handler of SIGINT and SIGQUIT shuts down the thread pool, whose lock the interrupted main
    thread may hold: the worker would hang.
    """
    worker.cfg.set("graceful_timeout", GRACEFUL_SECONDS)
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, worker.handle_exit)
    _unblock_stop_signals()


def _exit(_arbiter: object, worker: Any) -> None:
    """End a worker without waiting for its threads. The interpreter would wait for those that read from
    silent clients, until gunicorn kills the process and logs "Perhaps out of memory?"."""
    if worker.pid != os.getpid():
        return  # gunicorn also calls this in its main process, for a worker that is gone
    error = sys.exc_info()[1]
    status = error.code if isinstance(error, SystemExit) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)


def _forget_gauges(_arbiter: object, worker: Any) -> None:
    """Remove the gauges of a worker that has exited; its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  see serve

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


class _GunicornLog(Logger):  # type: ignore[misc]
    """Sends gunicorn's warnings and errors to the root logger, in its format."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.setLevel(logging.WARNING)
        self.error_log.propagate = True
