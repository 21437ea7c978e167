"""The read API under load while blocks are indexed, alone and behind nginx with the shipped configuration.

Alone it is compared with an empty view of the same server in the same run."""

from __future__ import annotations

import multiprocessing
import os
import selectors
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from bench.api_proxy import nginx_before, trusting
from bench.chain import ACCOUNTS, OPS_PER_BLOCK, VENUE, write_archive
from bench.load import Load, get, load
from indexer.follow.loop import Follower, Progress
from indexer.sources.archive import ArchiveSource
from settlement.core.venue import parse_venue
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes
from tests.support.ports import free_port
from tests.support.waiting import wait_until

OPEN_ORDERS = 1_000
HISTORY = 20_000
CONNECTIONS = 64
SECONDS = 4.0
QUIET_SECONDS, QUIET_RUNS = 3.5, 5
"""Behind nginx the best of several short runs counts, each longer than a block: other processes disturb a long one."""
STREAMS = 300
STREAM_SECONDS = 10.0
PLAIN_BLOCK_SECONDS, STREAM_BLOCK_SECONDS = 3.0, 1.0
"""Block times: Hive's for plain requests, a third of it for the streams."""
MOST_SECONDS = 300
PAIR = "base=PEK&quote=SWAP.HIVE"
PATHS = {
    "frame": [get("/api/udf/time")],
    "book": [get(f"/api/orderbook?{PAIR}&depth=100")],
    "history": [get(f"/api/history?{PAIR}&limit=100")],
    "balances": [get(f"/api/balances?user=trader{number:04d}") for number in range(ACCOUNTS)],
}
"""`frame` computes next to nothing: it measures headers, request ids and metrics."""
EMPTY = [get("/")]
GZIP = b"\r\nAccept-Encoding: gzip\r\n\r\n"


def main() -> None:
    """Print requests a second, latencies and the cost of streams."""
    with tempfile.TemporaryDirectory() as home, blocks_coming_in(Path(home)) as (url, told, pace):
        print(
            f"API: {CONNECTIONS} connections, a block of {OPS_PER_BLOCK} orders every 3 seconds "
            "(goals: >= 0.4 of the empty view; at 500/s p99 <= 20 ms)"
        )
        plain(url)
        print(
            f"behind nginx with TLS, gzip and cache: a request's CPU time of nginx and API, p99 at 500/s of "
            f"{QUIET_RUNS} runs of {QUIET_SECONDS} seconds (goal: best <= 20 ms; >= 5 of the empty view)"
        )
        proxied(url, Path(home))
        print(
            f"streams: {STREAMS} on one process, an event each second (goals: event delay p99 <= 100 ms, "
            "plain requests p99 <= 100 ms, 503 at once beyond)"
        )
        pace.value = STREAM_BLOCK_SECONDS
        streams(url, told)


def plain(url: str) -> None:
    """Measure each path between two measurements of the empty view."""
    with server(url, 2, 0, "bare") as bare, server(url, 2, 128, "") as ours:
        bare.load(EMPTY, 1.0)
        for name, requests in PATHS.items():
            ours.load(requests, 1.0)
            empty = [bare.load(EMPTY, SECONDS / 2)]
            found = ours.load(requests, SECONDS)
            empty.append(bare.load(EMPTY, SECONDS / 2))
            at_500 = ours.load(requests, SECONDS, rate=500)
            rate, p99, cpu = (
                sum(figures) / 2
                for figures in zip(*((e.rate, e.percentile(0.99), e.cpu) for e in empty), strict=True)
            )
            print(
                f"  {name:>8}: {found}, {found.cpu:.0f} us of the server; ratio {found.rate / rate:.2f}, of p99 "
                f"{found.percentile(0.99) / p99:.1f}, of CPU {cpu / found.cpu:.2f} (empty {rate:,.0f}/s, p99 "
                f"{p99:.1f} ms, {cpu:.0f} us); at 500/s p99 {at_500.percentile(0.99):.1f} ms"
                f"{_failed(found.found)}{_failed(at_500.found)}"
            )


def proxied(url: str, home: Path) -> None:
    """Measure each path behind nginx, as browsers ask: over TLS, compressed."""
    with server(url, 2, 0, "bare") as bare:
        bare.load(EMPTY, 1.0)
        empty = bare.load(EMPTY, SECONDS)
    with server(url, 2, 128, "") as ours, nginx_before(ours.port, home) as (port, process):
        nginx = Server(port, process, trusting())
        for name in ("book", "history", "balances"):
            requests = [request.replace(b"\r\n\r\n", GZIP) for request in PATHS[name]]
            nginx.load(requests, 1.0)
            behind = ours.cpu_seconds()
            found = nginx.load(requests, SECONDS)
            whole = found.cpu + 1e6 * (ours.cpu_seconds() - behind) / len(found.found.latencies)
            behind = ours.cpu_seconds()
            runs = [nginx.load(requests, QUIET_SECONDS, rate=500) for _ in range(QUIET_RUNS)]
            behind = 1e6 * (ours.cpu_seconds() - behind) / sum(len(run.found.latencies) for run in runs)
            cpu = sum(run.cpu for run in runs) / len(runs)
            p99 = sorted(run.percentile(0.99) for run in runs)
            failed = "".join(_failed(run.found) for run in (found, *runs))
            print(
                f"  {name:>8}: {found}, ratio {found.rate / empty.rate:.1f}, of CPU {empty.cpu / whole:.1f} "
                f"(empty {empty.rate:,.0f}/s, {empty.cpu:.0f} us); at 500/s "
                f"{cpu:.0f} us of nginx, {behind:.0f} us of the API, p99 "
                f"{', '.join(f'{value:.1f}' for value in p99)} ms{failed}"
            )


class Measured(NamedTuple):
    """The result of a load and the server's CPU time a request, in microseconds."""

    found: Load
    cpu: float

    @property
    def rate(self) -> float:
        return self.found.rate

    def percentile(self, part: float) -> float:
        return self.found.percentile(part)

    def __str__(self) -> str:
        return str(self.found)


class Server(NamedTuple):
    """A running server: its port, the id of its main process, and a client's TLS settings if it needs TLS."""

    port: int
    process: int
    tls: ssl.SSLContext | None = None

    def load(self, requests: list[bytes], seconds: float, rate: float | None = None) -> Measured:
        before = self.cpu_seconds()
        found = load(self.port, requests, CONNECTIONS, seconds, rate, self.tls)
        return Measured(found, 1e6 * (self.cpu_seconds() - before) / len(found.latencies))

    def cpu_seconds(self) -> float:
        """CPU time of the worker processes, in seconds (Linux)."""
        workers = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        fields = [Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split() for worker in workers]
        return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def _failed(found: Load) -> str:
    bad = {status: count for status, count in found.statuses.items() if status != 200}
    return f", FAILED {bad}" if bad else ""


def streams(url: str, told: Connection) -> None:
    with server(url, 1, STREAMS, "") as ours:
        listeners = Listeners(ours.port, STREAMS)
        used = ours.cpu_seconds()
        time.sleep(STREAM_SECONDS)
        used = ours.cpu_seconds() - used
        alone = len(listeners.arrivals)
        while told.poll():
            told.recv()
        found = load(ours.port, PATHS["book"], 8, STREAM_SECONDS, rate=100)
        refusals = load(ours.port, [get("/api/stream?topics=block")], 4, 2.0)
        committed = {}
        while told.poll():
            seq, moment = told.recv()
            committed[seq] = moment
        listeners.close()
    delays = sorted(at - committed[seq] for seq, at in listeners.arrivals if seq in committed)
    heard = Load(STREAM_SECONDS, delays, {})
    print(
        f"  {len(delays):,} events, {1e6 * used / alone:.0f} us of the server each, delay p50 {heard.percentile(0.5):.1f} ms, p99 {heard.percentile(0.99):.1f} ms; "
        f"book at 100/s: p50 {found.percentile(0.5):.1f} ms, p99 {found.percentile(0.99):.1f} ms{_failed(found)}; "
        f"beyond the cap {refusals.statuses}, p99 {refusals.percentile(0.99):.1f} ms"
    )


class Listeners:
    """Open streams, read by one thread that records the arrival time of each change."""

    def __init__(self, port: int, count: int) -> None:
        self.arrivals: list[tuple[int, float]] = []
        self._selector = selectors.DefaultSelector()
        self._opened: dict[int, socket.socket] = {}
        self._stop = False
        request = get("/api/stream?topics=book,trades,candles:PEK/SWAP.HIVE:1m,account:trader0001")
        for _ in range(count):
            opened = socket.create_connection(("127.0.0.1", port))
            opened.sendall(request)
            assert opened.recv(12) == b"HTTP/1.1 200", "a stream was refused"
            self._selector.register(opened, selectors.EVENT_READ)
            self._opened[opened.fileno()] = opened
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop:
            for key, _ in self._selector.select(0.1):
                part = self._opened[key.fd].recv(1 << 18)
                now = time.time()
                for event in part.split(b"event: change\nid: ")[1:]:
                    self.arrivals.append((int(event.split(b"-", 1)[0]), now))

    def close(self) -> None:
        self._stop = True
        self._thread.join()
        for opened in self._opened.values():
            opened.close()


@contextmanager
def server(url: str, workers: int, streams: int, kind: str) -> Iterator[Server]:
    """Run a server in processes of its own."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.api_server", url, *map(str, (port, workers, streams)), kind]
    )
    try:

        def answers() -> bool:
            with suppress(OSError):
                return bool(load(port, [get("/" if kind else "/api/health")], 1, 0.2).statuses)
            return False

        wait_until(answers, what="an answer of the server")
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def blocks_coming_in(home: Path) -> Iterator[tuple[str, Connection, Any]]:
    """A database into which another process indexes blocks.

    Yields its URL, a connection that receives (block, time of commit), and the shared number of seconds between
    blocks."""
    url = f"sqlite:///{home / 'bench.db'}"
    coming = int(MOST_SECONDS / STREAM_BLOCK_SECONDS)
    pace = multiprocessing.Value("d", PLAIN_BLOCK_SECONDS)
    write_archive(home, OPEN_ORDERS, HISTORY + coming * OPS_PER_BLOCK)
    told, tells = multiprocessing.Pipe(duplex=False)
    recorded = multiprocessing.Event()
    writer = multiprocessing.Process(target=_write, args=(home, url, tells, recorded, pace), daemon=True)
    writer.start()
    assert recorded.wait(120), "the database is not made"
    try:
        yield url, told, pace
    finally:
        writer.terminate()
        writer.join()


class LiveArchive(ArchiveSource):
    """An archive whose blocks are recorded as those of a node: one by one, each with its change set."""

    @property
    def catching_up(self) -> bool:
        return False


def _write(home: Path, url: str, tells: Connection, recorded: Any, pace: Any) -> None:
    engine = open_writer(url)
    rules, projector = load_or_initialise(engine, parse_venue(VENUE))
    last = 1 + OPEN_ORDERS // OPS_PER_BLOCK + HISTORY // OPS_PER_BLOCK
    Follower(rules, projector, ArchiveSource(home, rules.venue_filter)).run(last)
    make_read_indexes(engine)
    recorded.set()

    def committed(progress: Progress) -> None:
        tells.send((progress.last_block, time.time()))
        time.sleep(pace.value)

    Follower(rules, projector, LiveArchive(home, rules.venue_filter), on_batch=committed).run()
