"""Rows → ledger: what the database says at its cursor, as the projector keeps it in memory."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from settlement.core.accounts import ESCROW
from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.core.mark import MARK_BLOCKS
from settlement.core.parsing.amounts import read_integer_text
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.read.open_at_block import is_open
from settlement.store.write.ledger import (
    GrantView,
    Ledger,
    OrderView,
    RefundView,
    TimerView,
    WithdrawalView,
)

_YIELD = 10_000
"""Rows fetched at a time."""


def load_ledger(connection: Connection) -> Ledger:
    """The ledger at the cursor. Raises StoreError for a database without one."""
    cursor = connection.execute(select(schema.cursor)).one_or_none()
    if cursor is None:
        raise StoreError("the database is empty: `peakedex follow` or `replay` fills it")
    ledger = Ledger(cursor.venue_hash)
    if cursor.block_id is not None:
        ledger.header = BlockHeader(cursor.block, cursor.block_id, cursor.timestamp)
    ledger.journal_hash = cursor.journal_hash
    ledger.last_seq, ledger.last_trade = cursor.last_seq, cursor.last_trade
    for name in ("intents", "withdrawals", "refunds", "grants", "timers"):
        table = schema.metadata.tables[name]
        ledger.last[name] = connection.scalar(select(func.max(table.c.n))) or 0
    a = schema.accounts.c
    for number, name in connection.execute(select(a.id, a.name).order_by(a.id)):
        ledger.accounts[name] = number
        ledger.names.append(name)
    _load_settings(connection, ledger)
    _load_money(connection, ledger)
    _load_orders(connection, ledger)
    _load_payments(connection, ledger)
    _load_grants(connection, ledger)
    _load_marks(connection, ledger)
    return ledger


def _rows(connection: Connection, query: Select[Any]) -> Any:
    return connection.execute(query.execution_options(yield_per=_YIELD))


def _load_settings(connection: Connection, ledger: Ledger) -> None:
    """Replay the settings lines: tokens, pairs, rules and upgrade as they stand."""
    s = schema.settings.c
    for text in connection.scalars(select(s.line).order_by(s.n)):
        line = lines.parse(text)
        match line:
            case lines.Token():
                ledger.add_token(line)
            case lines.Pair():
                if line.pair in ledger.pairs:
                    ledger.pairs[line.pair].line = line
                else:
                    ledger.add_pair(line)
            case lines.Rules():
                ledger.rules = line
            case lines.Upgrade():
                ledger.upgrade = line if line.block is not None else None
            case _:
                raise StoreError(f"not a line of settings: {text!r}")


def _load_money(connection: Connection, ledger: Ledger) -> None:
    b = schema.balances.c
    query = select(b.account_id, b.token_id, b.available, b.locked, b.withdrawing, b.escrow)
    for account, token, *buckets in _rows(connection, query):
        ledger.balances[account, token] = buckets
        view = ledger.tokens_by_number[token]
        assert view is not None
        for bucket, amount in enumerate(buckets):
            view.totals[bucket] += amount
    for symbol, units in connection.execute(select(schema.holdings.c.symbol, schema.holdings.c.units)):
        ledger.tokens[symbol].holdings = read_integer_text(units)
    for token in ledger.tokens.values():
        if sum(token.totals):
            raise StoreError(f"the balances of {token.line.symbol} do not add up to zero")
        if token.totals[ESCROW] > 0:
            raise StoreError(f"the escrow balance of {token.line.symbol} is positive")


def _load_orders(connection: Connection, ledger: Ledger) -> None:
    """Open orders and stops by sequence, with their price levels."""
    o, i = schema.orders.c, schema.intents.c
    pairs = {pair.number: pair for pair in ledger.pairs.values()}
    query = (
        select(schema.orders, i.id.label("intent_id"))
        .join_from(schema.orders, schema.intents, o.intent == i.n)
        .where(o.status.in_((schema.OPEN, schema.WAITING)))
        .order_by(o.seq)
    )
    for row in _rows(connection, query):
        order = _order(row, pairs[row.pair_id], ledger.names[row.account_id])
        ledger.orders[order.id] = order
        if order.stop is None:
            assert order.price is not None
            side = order.pair.bids if order.is_buy else order.pair.asks
            level = side.setdefault(order.price, [0, 0])
            level[0] += order.remaining
            level[1] += 1


def _order(row: Row[Any], pair: Any, account: str) -> OrderView:
    stop = None
    if row.trigger_price is not None:
        stop = lines.Stop(
            id=row.intent_id,
            seq=row.seq,
            account=account,
            pair=pair.line.pair,
            side="buy" if row.is_buy else "sell",
            type="market" if row.market else "limit",
            price=row.price,
            quantity=row.quantity,
            expiry=row.expiry,
            taker_fee_bps=row.taker_fee_bps,
            when="above" if row.above else "below",
            trigger_price=row.trigger_price,
            time_in_force=schema.TIMES_IN_FORCE[row.time_in_force],
            post="post" if row.post_only else None,
        )
    return OrderView(
        seq=row.seq,
        id=f"{row.intent_id}~stop" if row.protective else row.intent_id,
        account=row.account_id,
        account_name=account,
        pair=pair,
        is_buy=bool(row.is_buy),
        market=bool(row.market),
        price=row.price,
        quantity=row.quantity,
        remaining=row.remaining,
        locked=row.locked,
        expiry=row.expiry,
        maker_fee_bps=row.maker_fee_bps,
        taker_fee_bps=row.taker_fee_bps,
        to_wallet=bool(row.to_wallet),
        stop_price=row.stop_price,
        stop_limit=row.stop_limit,
        stop=stop,
        intent=row.intent,
        block=row.block,
        received=row.received,
        released=row.released,
        traded_base=row.traded_base,
        traded_quote=row.traded_quote,
        fees=row.fees,
    )


def _load_payments(connection: Connection, ledger: Ledger) -> None:
    w, r = schema.withdrawals.c, schema.refunds.c
    for row in _rows(connection, select(schema.withdrawals).where(is_open(w.status)).order_by(w.n)):
        token = ledger.tokens_by_number[row.token_id]
        assert token is not None
        name = ledger.names[row.account_id]
        line = lines.Withdraw(row.id, name, token.line.symbol, row.amount, row.to, row.memo)
        ledger.withdrawals[row.id] = WithdrawalView(
            n=row.n, account=row.account_id, token=token, line=line, block=row.block, returning=row.return_due
        )
    for row in _rows(connection, select(schema.refunds).where(is_open(r.status)).order_by(r.n)):
        line_ = lines.Refund(row.id, row.account, row.symbol, row.quantity, row.escrow)
        ledger.refunds[row.id] = RefundView(n=row.n, line=line_, block=row.block)


def _load_grants(connection: Connection, ledger: Ledger) -> None:
    """Grants with what was counted, and timers; also those that ended after the last active block."""
    g, t, u = schema.grants.c, schema.timers.c, schema.grant_usage.c
    query = select(schema.grants).where(is_open(g.status)).order_by(g.n)
    newest = select(u.day, u.used).order_by(u.block.desc()).limit(1)
    for row in _rows(connection, query):
        account = ledger.names[row.account_id]
        line = lines.Grant(account, row.to, row.until, row.band_bps, row.pairs, row.per_day)
        grant = ledger.grants[account, row.to] = GrantView(n=row.n, line=line, block=row.block)
        usage = connection.execute(newest.where(u.grant_n == row.n)).one_or_none()
        if usage is not None:
            grant.day = usage.day
            entries = (entry.partition(":") for entry in usage.used.split(","))
            grant.used = {symbol: int(units) for symbol, _, units in entries}
    for row in _rows(connection, select(schema.timers).where(is_open(t.status)).order_by(t.n)):
        account = ledger.names[row.account_id]
        line_ = lines.Timer(account, row.by, row.due)
        ledger.timers[account, row.by] = TimerView(n=row.n, line=line_, block=row.block)


def _load_marks(connection: Connection, ledger: Ledger) -> None:
    """The mark window of each pair, and the pairs left over by firing."""
    m, left = schema.marks.c, schema.left_over.c
    names = {pair.number: name for name, pair in ledger.pairs.items()}
    for pair in ledger.pairs.values():
        query = select(m.block, m.base, m.quote).where(m.pair_id == pair.number)
        window = connection.execute(query.order_by(m.block.desc()).limit(MARK_BLOCKS)).all()
        for block, base, quote in reversed(window):
            pair.mark.add(block, int(base), int(quote))
    if ledger.header is not None:
        query_ = select(left.pair_id).where(left.block == ledger.header.number)
        ledger.left_over = sorted(names[number] for number in connection.scalars(query_))
