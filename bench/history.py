"""Cost of indexing, of queries and of a start after a history of 10,000 to 10,000,000 trades (`bench.copies`).

Live following and starting are in processor time, on PostgreSQL with the server's; questions on the clock, because
of the server they could not be told apart.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, select, text

from bench.alone import alone, database_bytes, peak_mb
from bench.chain import VENUE, Flow, write_blocks
from bench.copies import grow, make_pattern, time_of
from indexer.follow.loop import Follower
from indexer.follow.memory import tune_gc
from indexer.rules_build import name_of_build
from indexer.sources.archive import ArchiveSource
from settlement.core.venue import parse_venue
from settlement.store import schema
from settlement.store.database import is_sqlite, open_reader, open_writer, parse_url
from settlement.store.read.accounts.balances import read_balances
from settlement.store.read.accounts.orders import OrderFilter, find_orders, list_orders
from settlement.store.read.accounts.transfers import list_transfers
from settlement.store.read.audit.journal import read_range
from settlement.store.read.market.candles import read_candles
from settlement.store.read.market.order_book import read_levels
from settlement.store.read.market.trades import list_account_trades
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes
from tests.support.postgres import Server

SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)
LIVE_BLOCKS: Final = 2_000
LIVE_OPERATIONS: Final = 10
"""Operations in each indexed block; each block is a transaction of its own."""
TIMES: Final = 25
"""How often each query runs, with different accounts and positions."""
PAGE: Final = 50


def main() -> None:
    """Print all costs at each size, on SQLite and PostgreSQL."""
    print(f"history ({name_of_build()}); following: {LIVE_BLOCKS:,} blocks of {LIVE_OPERATIONS} operations")
    with tempfile.TemporaryDirectory() as home:
        measure(f"sqlite:///{Path(home) / 'history.db'}", Path(home))
    server = Server(autovacuum="on", shared_buffers="256MB")
    try:
        server.create()
        server.start()
        with tempfile.TemporaryDirectory() as home:
            measure(server.url("postgres"), Path(home))
    finally:
        server.stop()


def measure(url: str, home: Path) -> None:
    """Measure growing sizes of one database, each step in a process of its own."""
    alone(make_pattern, url, home)
    for size in SIZES:
        alone(grow, url, size)
        seconds, size_bytes = alone(make_indexes, url)
        print(
            f"{parse_url(url).get_backend_name()}, {size:,} trades: {size_bytes / 1e6:,.0f} MB, "
            f"indexes of readers made in {seconds:,.1f} s on the clock",
            flush=True,
        )
        print(f"  {alone(follow, url, home)}", flush=True)
        for name, milliseconds in alone(ask, url).items():
            print(f"  {milliseconds:>8.2f} ms  {name}", flush=True)


def make_indexes(url: str) -> tuple[float, int]:
    """Wall-clock seconds to create the read indexes, and the size of the database in bytes with them."""
    engine = open_writer(url)
    started = time.perf_counter()
    make_read_indexes(engine)
    seconds = time.perf_counter() - started
    with engine.connect() as connection:
        size = (
            None
            if is_sqlite(engine.url)
            else connection.scalar(text("SELECT pg_database_size(current_database())"))
        )
    engine.dispose()
    return seconds, size or database_bytes(Path(str(engine.url.database)))


class Followed(NamedTuple):
    """Processor time: seconds of a start, and microseconds an indexed operation, of our process and of the server."""

    start_seconds: float
    open_orders: int
    ours: float
    servers: float
    peak_mb: float

    def __str__(self) -> str:
        return (
            f"start {self.start_seconds:.2f} s with {self.open_orders:,} open orders; following "
            f"{self.ours:.0f} µs an operation and {self.servers:.0f} of the server's; "
            f"peak memory {self.peak_mb:,.0f} MB"
        )


def follow(url: str, home: Path) -> Followed:
    """Start, then index blocks, each in a transaction of its own."""
    engine = open_writer(url)
    started = time.process_time(), _server_seconds(engine)
    rules, projector = load_or_initialise(engine, parse_venue(VENUE))
    start_seconds = time.process_time() - started[0] + _server_seconds(engine) - started[1]
    first, flow, open_orders = rules.next_block(), Flow(seed=rules.next_block()), len(rules.state.orders)
    blocks = range(first, first + LIVE_BLOCKS)
    write_blocks(home, ((n, [flow.step() for _ in range(LIVE_OPERATIONS)]) for n in blocks), time_of=time_of)
    tune_gc()
    started = time.process_time(), _server_seconds(engine)
    progress = Follower(rules, projector, ArchiveSource(home, rules.venue_filter), batch_blocks=1).run()
    ours, servers = time.process_time() - started[0], _server_seconds(engine) - started[1]
    assert progress.intents == LIVE_BLOCKS * LIVE_OPERATIONS, progress
    engine.dispose()
    each = 1e6 / progress.intents
    return Followed(start_seconds, open_orders, ours * each, servers * each, peak_mb())


def _server_seconds(engine: Engine) -> float:
    """Processor time of PostgreSQL's processes in seconds (Linux); 0 on SQLite."""
    if is_sqlite(engine.url):
        return 0.0
    with engine.connect() as connection:
        backends = connection.scalars(text("SELECT pg_backend_pid()")).all()
    postmaster = int(_stat(backends[0])[1])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    ticks = [sum(map(int, _stat(child)[11:13])) for child in children]
    return (sum(ticks) + sum(map(int, _stat(postmaster)[11:15]))) / os.sysconf("SC_CLK_TCK")


def _stat(process: int | str) -> list[str]:
    """Fields of /proc/PID/stat behind the name: [1] is the parent, [11] to [14] are ticks, its own and its
    children's that have ended."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


class Place(NamedTuple):
    """Parameters of the queries: an account, and a position in history."""

    account: int
    block: int
    trade: int
    transfer: int
    order_id: str


Question = Callable[[Connection, Place], object]
QUESTIONS: Final[Mapping[str, Question]] = {
    "an account's newest trades": lambda c, p: list_account_trades(c, p.account, None, None, PAGE),
    "an account's trades, a page from far back": lambda c, p: list_account_trades(
        c, p.account, None, p.trade, PAGE
    ),
    "an account's transfers, a page from far back": lambda c, p: list_transfers(
        c, p.account, p.transfer, PAGE
    ),
    "one order": lambda c, p: find_orders(c, p.order_id),
    "one order at a past block": lambda c, p: find_orders(c, p.order_id, p.block),
    "an account's open orders": lambda c, p: list_orders(
        c, OrderFilter(p.account, None, schema.OPEN), None, PAGE
    ),
    "an account's balances at a past block": lambda c, p: read_balances(c, p.account, p.block),
    "50 levels of a side of the book at a past block": lambda c, p: read_levels(c, 1, True, PAGE, p.block),
    "the journal of 20 blocks": lambda c, p: read_range(c, p.block, p.block + 100_000, 20, 10_000_000),
    "100 candles of an hour": lambda c, p: read_candles(c, 1, 3_600, 0, 1 << 40, 100),
}


def ask(url: str) -> dict[str, float]:
    """The median time of each query, in milliseconds."""
    engine = open_reader(url)
    with engine.connect() as connection:
        chance = random.Random(1)
        places = [_place(connection, chance) for _ in range(TIMES)]
        return {
            name: 1e3 * median(_seconds(partial(question, connection, place)) for place in places)
            for name, question in QUESTIONS.items()
        }


def _place(connection: Connection, chance: random.Random) -> Place:
    last = connection.scalars(select(schema.cursor.c.last_trade)).one()
    trade = chance.randrange(1, last // 2)
    row = connection.execute(
        select(schema.trades.c.block, schema.intents.c.id)
        .join_from(schema.trades, schema.orders, schema.orders.c.seq == schema.trades.c.taker)
        .join(schema.intents, schema.intents.c.n == schema.orders.c.intent)
        .where(schema.trades.c.n == trade)
    ).one()
    transfer = connection.scalar(text(f"SELECT max(n) FROM transfers WHERE n <= {trade} * 5"))
    return Place(chance.randrange(5, 200), row.block, trade, transfer, row.id)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
