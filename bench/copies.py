"""Builds a long history by copying rows in SQL, because a replay of that length takes hours.

The pattern is a real replay of some 9,000 trades. A copy is its rows with numbers, blocks and times moved on and ids
of their own. What a copy leaves out: its journal's text beyond `JOURNAL_CHARS` a block, hashes of its own, and what
its orders that stay open would lock, for they are given out as expired. Balances and open orders, and so the state,
are those of the real part, so that an indexer continues after the last copy.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, select, text, update

from bench.chain import OPS_PER_BLOCK, VENUE, Flow, funding, unlinked_id, write_blocks
from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from settlement.core.venue import parse_venue
from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.indexes import READ_INDEXES
from settlement.store.interval_tree import fork_node
from settlement.store.write.loader import load_or_initialise

FEW_ORDERS: Final = 1_000
"""Orders that are open before trading begins."""
PATTERN: Final = range(513, 1024)
"""Blocks of the pattern: one aligned span of 512, so that nodes of the interval tree can be shifted."""
STRIDE: Final = 512
"""Blocks from one copy to the next."""
JOURNAL_CHARS: Final = 1_000
AT_ONCE: Final = 10
"""Copies in a transaction."""
STRIDE_SECONDS: Final = 1_560
"""Whole minutes, so that one-minute candles can be shifted; ten million trades take less time than an order lives."""
_START: Final = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())

# By table, the columns that are shifted from copy to copy, each with its unit.
_MOVED: Final[Mapping[str, Mapping[str, str]]] = {
    "blocks": {
        "number": "block",
        "timestamp": "time",
        "n": "blocks",
        "last_seq": "orders",
        "last_trade": "trades",
    },
    "journal": {"block": "block"},
    "intents": {"n": "intents", "block": "block", "seq": "orders"},
    "orders": {
        "seq": "orders",
        "intent": "intents",
        "block": "block",
        "closed_block": "block",
        "fork": "block",
        "expiry": "time",
    },
    "order_changes": {"seq": "orders", "block": "block"},
    "trades": {"n": "trades", "block": "block", "taker": "orders", "maker": "orders"},
    "transfers": {"n": "transfers", "block": "block"},
    "balance_changes": {"block": "block"},
    "candles": {"start": "time"},
}
_COUNTED: Final = {"blocks": "n", "intents": "n", "orders": "seq", "trades": "n", "transfers": "n"}
_FIRST_MINUTE: Final = _START + STRIDE_SECONDS * PATTERN.start // STRIDE // 60 * 60
_OF_PATTERN: Final = {
    "blocks": f"number >= {PATTERN.start}",
    "candles": f"interval = 60 AND start >= {_FIRST_MINUTE}",
}
_LONGER: Final = """INSERT INTO candles SELECT pair_id, {interval}, start - start % {interval}, min(open), max(high),
min(low), max(close), sum(base_high), sum(base_low), sum(quote_high), sum(quote_low), sum(trades) FROM candles
WHERE interval = 60 GROUP BY pair_id, start - start % {interval} ON CONFLICT DO NOTHING"""


def time_of(number: int) -> int:
    """A block's time in seconds since 1970; blocks are about three seconds apart."""
    return _START + STRIDE_SECONDS * number // STRIDE


def make_pattern(url: str, home: Path) -> None:
    """Replay the real part and copy the pattern's rows into tables `pattern_*`."""
    flow = Flow()
    deposits, receipt = funding(flow)
    opening = [flow.resting(index) for index in range(FEW_ORDERS)]
    blocks = {1: deposits, 2: opening, **{n: [flow.step() for _ in range(OPS_PER_BLOCK)] for n in PATTERN}}
    write_blocks(home, ((n, blocks.get(n, [])) for n in range(1, PATTERN.stop)), [receipt], time_of)
    engine = open_writer(url)
    rules, projector = load_or_initialise(engine, parse_venue(VENUE))
    Follower(rules, projector, ArchiveSource(home, rules.venue_filter)).run()
    with engine.begin() as connection:
        for table in _MOVED:
            kept = _OF_PATTERN.get(table, f"block >= {PATTERN.start}")
            connection.execute(text(f"CREATE TABLE pattern_{table} AS SELECT * FROM {table} WHERE {kept}"))
        _close_all(connection)
    engine.dispose()


def _close_all(connection: Connection) -> None:
    """Expire the orders that the pattern leaves open, in the block after it."""
    last = PATTERN.stop
    left = connection.execute(text("SELECT seq, block FROM pattern_orders WHERE status = 0")).all()
    change = "UPDATE pattern_orders SET status = :status, closed_block = :last, fork = :fork WHERE seq = :seq"
    expired = [
        {"status": schema.EXPIRED, "last": last, "fork": fork_node(opened, last), "seq": seq}
        for seq, opened in left
    ]
    connection.execute(text(change), expired)


def grow(url: str, trades: int) -> None:
    """Copy the pattern until there are `trades` trades; drops the read indexes."""
    engine = open_writer(url)
    with engine.begin() as connection:
        for index in READ_INDEXES:
            index.drop(connection, checkfirst=True)
    while _copy_some(engine, trades):
        pass
    with engine.begin() as connection:
        for interval in schema.CANDLES[1:]:
            connection.execute(text(_LONGER.format(interval=interval)))
    engine.dispose()


def _copy_some(engine: Engine, trades: int) -> bool:
    """Append some copies and move the cursor; False where there are enough trades."""
    with engine.begin() as connection:
        steps = {
            name: connection.scalar(text(f"SELECT count(*) FROM pattern_{name}")) or 0 for name in _COUNTED
        }
        cursor = connection.execute(select(schema.cursor)).one()
        missing = -(-(trades - cursor.last_trade) // steps["trades"])
        if missing <= 0:
            return False
        last = {name: _last(connection, name) - _last(connection, f"pattern_{name}") for name in _COUNTED}
        start = -(-cursor.block // STRIDE) * STRIDE
        for nth in range(min(missing, AT_ONCE)):
            moved = {name: last[name] + (nth + 1) * steps[name] for name in _COUNTED}
            blocks = start + nth * STRIDE
            _copy(connection, {**moved, "block": blocks, "time": blocks // STRIDE * STRIDE_SECONDS})
        _move_cursor(connection, blocks + PATTERN.stop)
    return True


def _last(connection: Connection, table: str) -> int:
    return (
        connection.scalar(text(f"SELECT max({_COUNTED[table.removeprefix('pattern_')]}) FROM {table}")) or 0
    )


def _copy(connection: Connection, moved: Mapping[str, int]) -> None:
    """Append one copy of the pattern to all tables."""
    for table, columns in _MOVED.items():
        names = [column.name for column in schema.metadata.tables[table].columns]
        values = {name: f"{name} + {moved[columns[name]]}" if name in columns else name for name in names}
        if table == "intents":
            values |= _other_ids(connection)
        if table == "journal":
            values["lines"] = f"substr(lines, 1, {JOURNAL_CHARS})"
        order = next(iter(columns))
        connection.execute(
            text(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values[name] for name in names)} "
                f"FROM pattern_{table} ORDER BY {order}"
            )
        )


def _other_ids(connection: Connection) -> dict[str, str]:
    """SQL for new ids: the first half, by which they are looked up, is mixed with a number of the copy."""
    mixed, sign = random.getrandbits(63), -(1 << 63)
    key, plain = (f"((tx_key | {mask}) - (tx_key & {mask}))" for mask in (mixed, mixed + sign))
    digits = f"printf('%016x', {plain})"
    if connection.dialect.name != "sqlite":
        digits = f"lpad(to_hex({plain}), 16, '0')"
    return {"tx_key": key, "id": f"{digits} || substr(id, 17)"}


def _move_cursor(connection: Connection, block: int) -> None:
    last = {"last_seq": "orders", "last_trade": "trades", "last_block_n": "blocks"}
    values = {"block": block, "block_id": unlinked_id(block), "timestamp": time_of(block)}
    values |= {column: _last(connection, name) for column, name in last.items()}
    connection.execute(update(schema.cursor).values(values))
