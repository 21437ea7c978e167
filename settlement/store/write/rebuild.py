"""Derived rows, made again from the history: `peakedex db rebuild`.

They are the rows that the recorder keeps so that readers need not read history (see `schema`). Here they come
from blocks, orders, trades, transfers and movements alone, and must end where balances, open orders and
holdings stand; whatever does not fit is an error, and nothing is changed.
"""

# To be replaced by the projector once it can run over stored journal entries.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, Select, Table, bindparam, delete, func, select, update

from settlement.core.accounts import AVAILABLE, LOCKED, WITHDRAWING
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.interval_tree import fork_node
from settlement.store.read.venue import PairRow, read_pairs
from settlement.store.write.candles import Candles
from settlement.store.write.statements import Row as Values
from settlement.store.write.statements import Statement, compile_statements, run

_MANY: Final = 10_000
"""Rows that are read, or written, at a time."""
_DERIVED: Final = (
    schema.balance_changes,
    schema.order_changes,
    schema.holding_changes,
    schema.candles,
    schema.totals,
)
_CURE: Final = "replay the chain into a new database"


class HistoryError(StoreError):
    """The recorded history does not add up to what the tables hold: the database is damaged."""


def rebuild(engine: Engine, on_step: Callable[[str], object] = lambda _: None) -> Mapping[str, int]:
    """Make all derived rows again, in one transaction; how many there are now, by table.

    `on_step` is told the name of each table as its turn comes. The caller holds the lease: no indexer may
    write meanwhile. Raises HistoryError where the history does not add up to what the tables hold.
    """
    with engine.begin() as connection:
        sink = _Sink(connection, compile_statements(engine))
        for table in _DERIVED:
            connection.execute(delete(table))
        for name, step in _STEPS.items():
            on_step(name)
            step(connection, sink)
            sink.flush()
        return {table.name: connection.scalar(_count(table)) or 0 for table in _DERIVED}


def _count(table: Table) -> Select[Any]:
    return select(func.count()).select_from(table)


class _Sink:
    """Rows on their way into tables, written many at a time by the recorder's own statements."""

    def __init__(self, connection: Connection, statements: Mapping[str, Statement]) -> None:
        self._connection = connection
        self._statements = statements
        self._rows: dict[str, list[Values]] = {}

    def add(self, statement: str, row: Values) -> None:
        rows = self._rows.setdefault(statement, [])
        rows.append(row)
        if len(rows) >= _MANY:
            self.flush()

    def flush(self) -> None:
        for statement, rows in self._rows.items():
            run(self._connection, self._statements[statement], rows)
        self._rows = {}


def _stream(connection: Connection, statement: Select[Any]) -> Iterator[Any]:
    return iter(connection.execute(statement.execution_options(yield_per=_MANY)))


def _expect(found: object, kept: object, what: str) -> None:
    if found != kept:
        raise HistoryError(f"{what}: the history says {found}, the database {kept}; {_CURE}")


# ---------------------------------------------------------------- blocks and forks

_COUNTED: Final = (
    (schema.orders, schema.orders.c.seq),
    (schema.trades, schema.trades.c.n),
    (schema.withdrawals, schema.withdrawals.c.n),
    (schema.refunds, schema.refunds.c.n),
)
_COUNTS: Final = ("n", "last_seq", "last_trade", "last_withdrawal", "last_refund")


def _count_blocks(connection: Connection, _: _Sink) -> None:
    """Number the blocks, and note the last numbers that were given up to each."""
    blocks = schema.blocks
    set_counts = (
        update(blocks)
        .where(blocks.c.number == bindparam("block"))
        .values({name: bindparam(f"new_{name}") for name in _COUNTS})
    )
    following = select(blocks.c.number).where(blocks.c.number > bindparam("after")).order_by(blocks.c.number)
    counters = [_Counter(connection, table, key) for table, key in _COUNTED]
    after = n = 0
    while numbers := connection.scalars(following.limit(_MANY), {"after": after}).all():
        rows = []
        for after in numbers:
            n += 1
            counts = (n, *(counter.up_to(after) for counter in counters))
            row = {f"new_{name}": count for name, count in zip(_COUNTS, counts, strict=True)}
            rows.append({"block": after, **row})
        connection.execute(set_counts, rows)
    connection.execute(update(schema.cursor).values(last_block_n=n))


class _Counter:
    """The last number of a table that was given up to a block; asked for blocks that grow."""

    def __init__(self, connection: Connection, table: Table, key: Any) -> None:
        self._rows = _stream(connection, select(table.c.block, key).order_by(key))
        self._next = next(self._rows, None)
        self._last = 0

    def up_to(self, block: int) -> int:
        while self._next is not None and self._next[0] <= block:
            self._last = self._next[1]
            self._next = next(self._rows, None)
        return self._last


def _forks_of(table: Table) -> Callable[[Connection, _Sink], None]:
    (key,) = table.primary_key.columns
    set_fork = update(table).where(key == bindparam("row_key")).values(fork=bindparam("new_fork"))
    closed = select(key, table.c.block, table.c.closed_block).where(key > bindparam("after")).order_by(key)

    def set_forks(connection: Connection, _: _Sink) -> None:
        after = 0
        while rows := connection.execute(closed.limit(_MANY), {"after": after}).all():
            after = rows[-1][0]
            forks = [
                {"row_key": n, "new_fork": None if closed_block is None else fork_node(block, closed_block)}
                for n, block, closed_block in rows
            ]
            connection.execute(set_fork, forks)

    return set_forks


# ---------------------------------------------------------------- trades

_t, _b = schema.trades.c, schema.blocks.c
_TRADES: Final = (
    select(_t.pair_id, _b.timestamp, _t.price, _t.quantity, _t.quote_amount)
    .join(schema.blocks, _b.number == _t.block)
    .order_by(_t.n)
)


def _add_up_candles(connection: Connection, sink: _Sink) -> None:
    for trades in connection.execute(_TRADES.execution_options(yield_per=_MANY)).partitions():
        candles = Candles()
        for trade in trades:
            candles.add(*trade)
        for row in candles.rows():
            sink.add("candles", row)
        sink.flush()


class _Order(NamedTuple):
    """An order of a trade, as it was placed."""

    seq: int
    is_buy: bool
    market: bool
    price: int | None
    quantity: int
    closed_block: int | None


_taker, _maker = schema.orders.alias("taker_order"), schema.orders.alias("maker_order")
_FILLS: Final = (
    select(
        _t.block,
        _t.pair_id,
        _t.quantity,
        _t.quote_amount,
        _t.buyer_fee,
        _t.seller_fee,
        *(_taker.c[name] for name in _Order._fields),
        *(_maker.c[name] for name in _Order._fields),
    )
    .join(_taker, _taker.c.seq == _t.taker)
    .join(_maker, _maker.c.seq == _t.maker)
    .order_by(_t.n)
)


class _Fills:
    """Orders that were filled in part and are open still: remaining, received, released."""

    def __init__(self, pairs: Mapping[int, PairRow]) -> None:
        self._pairs = pairs
        self.progress: dict[int, tuple[_Order, list[int]]] = {}
        self.touched: dict[int, None] = {}

    def fill(self, pair: int, order: _Order, quantity: int, quote: int, fee: int) -> None:
        self.touched[order.seq] = None
        _, progress = self.progress.setdefault(order.seq, (order, [order.quantity, 0, 0]))
        progress[0] -= quote if order.market and order.is_buy else quantity
        progress[1] = min(progress[1] + (quantity if order.is_buy else quote) - fee, MAX_UNITS)
        if order.is_buy and not order.market:
            assert order.price is not None
            progress[2] += self._pairs[pair].value(order.price, quantity) - quote

    def close_block(self, block: int) -> Iterator[Values]:
        """The rows of `order_changes` of a block, whose fills are all in."""
        for seq in self.touched:
            order, progress = self.progress[seq]
            if order.closed_block is None or order.closed_block > block:
                yield (seq, block, *progress)
        self.touched = {}

    def forget(self, block: int) -> None:
        """Drop what was closed by then, filled or not."""
        self.progress = {
            seq: (order, progress)
            for seq, (order, progress) in self.progress.items()
            if order.closed_block is None or order.closed_block > block
        }


def _follow_orders(connection: Connection, sink: _Sink) -> None:
    fills, size = _Fills(read_pairs(connection)), len(_Order._fields)
    last = 0
    for trades in connection.execute(_FILLS.execution_options(yield_per=_MANY)).partitions():
        for block, pair, quantity, quote, buyer_fee, seller_fee, *orders in trades:
            if block != last:
                for row in fills.close_block(last):
                    sink.add("order_changes", row)
                last = block
            for order in (_Order(*orders[:size]), _Order(*orders[size:])):
                fills.fill(pair, order, quantity, quote, buyer_fee if order.is_buy else seller_fee)
        fills.forget(last - 1)
    for row in fills.close_block(last):
        sink.add("order_changes", row)
    _check_orders(connection, fills)


def _check_orders(connection: Connection, fills: _Fills) -> None:
    o = schema.orders.c
    open_orders = select(o.seq, o.quantity, o.remaining, o.received, o.released)
    for seq, quantity, *kept in _stream(connection, open_orders.where(o.status == schema.OPEN)):
        _, found = fills.progress.get(seq, (None, [quantity, 0, 0]))
        _expect(found, kept, f"order {seq} (remaining, received, released)")


# ---------------------------------------------------------------- balances and holdings

_m = schema.transfers.c
_TRANSFERS: Final = select(
    _m.block, _m.token_id, _m.debit_id, _m.debit_bucket, _m.credit_id, _m.credit_bucket, _m.amount
).order_by(_m.n)


def _follow_balances(connection: Connection, sink: _Sink) -> None:
    wallets: dict[tuple[int, int], list[int]] = {}
    totals: dict[int, list[int]] = {}
    touched: dict[tuple[int, int], list[int]] = {}
    last = 0

    def close_block() -> None:
        for key, held in touched.items():
            sink.add("balance_changes", (last, *key, held[AVAILABLE], held[LOCKED], held[WITHDRAWING]))
        touched.clear()

    for block, token, debit, debit_bucket, credit, credit_bucket, amount in _stream(connection, _TRANSFERS):
        if block != last:
            close_block()
            last = block
        for account, bucket, change in ((debit, debit_bucket, -amount), (credit, credit_bucket, amount)):
            held = touched[account, token] = wallets.setdefault((account, token), [0, 0, 0, 0])
            held[bucket] += change
            if debit_bucket != credit_bucket:
                totals.setdefault(token, [0, 0, 0, 0])[bucket] += change
    close_block()
    for token, sums in totals.items():
        sink.add("totals", (token, sums[AVAILABLE], sums[LOCKED], sums[WITHDRAWING]))
    for account, token, *kept in _stream(connection, select(schema.balances)):
        found = wallets.get((account, token), [0, 0, 0, 0])
        _expect(found, kept, f"balance of account {account}, token {token}")


def _follow_holdings(connection: Connection, sink: _Sink) -> None:
    holdings: dict[tuple[str, str], int] = {}
    touched: dict[tuple[str, str], None] = {}
    last = 0

    def close_block() -> None:
        for escrow, symbol in touched:
            sink.add("holding_changes", (escrow, symbol, last, str(holdings[escrow, symbol])))
        touched.clear()

    for block, escrow, symbol, change in merge(*_movements(connection), key=lambda movement: movement[0]):
        if block != last:
            close_block()
            last = block
        touched[escrow, symbol] = None
        holdings[escrow, symbol] = holdings.get((escrow, symbol), 0) + change
    close_block()
    for escrow, symbol, units in _stream(connection, select(schema.holdings)):
        _expect(holdings.get((escrow, symbol), 0), int(units), f"holdings of {symbol} in {escrow}")


def _movements(connection: Connection) -> Iterator[Iterator[tuple[int, str, str, int]]]:
    """All that changed holdings, each kind in the order of blocks: block, escrow account, symbol, units."""
    d, w, f, i, t = (
        schema.deposits.c,
        schema.withdrawals.c,
        schema.outflows.c,
        schema.internal_moves.c,
        schema.tokens.c,
    )
    deposits = select(d.block, d.escrow, t.symbol, d.amount).join(schema.tokens, t.id == d.token_id)
    paid = select(w.closed_block, t.escrow, t.symbol, w.amount).join(schema.tokens, t.id == w.token_id)
    outflows = select(f.block, f.escrow, f.symbol, f.units).where(f.units.is_not(None))
    moves = select(i.block, i.sender, i.symbol, i.units, i.recipient).where(i.units.is_not(None))
    yield ((*key, units) for *key, units in _stream(connection, deposits.order_by(d.n)))
    yield (
        (*key, -units)
        for *key, units in _stream(connection, paid.where(w.status == schema.PAID).order_by(w.closed_block))
    )
    yield ((*key, -int(units)) for *key, units in _stream(connection, outflows.order_by(f.n)))
    yield (
        each
        for block, sender, symbol, units, recipient in _stream(connection, moves.order_by(i.n))
        for each in ((block, sender, symbol, -int(units)), (block, recipient, symbol, int(units)))
    )


_STEPS: Final[Mapping[str, Callable[[Connection, _Sink], None]]] = {
    "blocks": _count_blocks,
    "orders": _forks_of(schema.orders),
    "withdrawals": _forks_of(schema.withdrawals),
    "refunds": _forks_of(schema.refunds),
    "candles": _add_up_candles,
    "order_changes": _follow_orders,
    "balance_changes": _follow_balances,
    "holding_changes": _follow_holdings,
}
