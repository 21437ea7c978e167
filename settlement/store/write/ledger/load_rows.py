"""Rows → ledger: what the database says at its cursor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select, union_all

from settlement.core.accounts import ESCROW
from settlement.core.events import BlockHeader
from settlement.core.journal import lines
from settlement.core.parsing.amounts import read_integer_text
from settlement.core.trading.mark import MARK_BLOCKS
from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.read.open_at_block import has_status, is_open
from settlement.store.write.ledger.ledger import COUNTED, Ledger
from settlement.store.write.ledger.state_text import state_hash
from settlement.store.write.ledger.views import (
    BalanceView,
    GrantView,
    OrderView,
    PairView,
    RefundView,
    StopTerms,
    TimerView,
    WithdrawalView,
    read_amounts,
)

_NUMBERED: Final = (
    *(*COUNTED, "transfers", "deposits"),
    *("outflows", "internal_moves", "checkpoints", "settings"),
)
"""Tables whose rows the projector numbers; `deposits` counts refunds and ignored arrivals too."""
_FETCH_ROWS: Final = 10_000


def load_ledger(connection: Connection) -> Ledger:
    """The ledger at the cursor. Raises StoreError if there is none, or if balances do not add up."""
    cursor = connection.execute(select(schema.cursor)).one_or_none()
    if cursor is None:
        raise StoreError("the database is empty: `peakedex follow` or `replay` fills it")
    ledger = Ledger(cursor.venue_hash)
    if cursor.block_id is not None:
        ledger.header = BlockHeader(cursor.block, cursor.block_id, cursor.timestamp)
    ledger.journal_hash = cursor.journal_hash
    ledger.last_seq, ledger.last_trade = cursor.last_seq, cursor.last_trade
    ledger.last = {name: _last_number(connection, name) for name in _NUMBERED}
    ledger.last["blocks"] = cursor.last_block_n
    ledger.last_transfer = ledger.last.pop("transfers")
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


def check_state_hash(connection: Connection, ledger: Ledger) -> None:
    """Compare a loaded ledger with the state hash that the rules last confirmed. Raises StoreError."""
    check, cursor = schema.state_check.c, schema.cursor.c
    query = select(check.block, check.state_hash).join(schema.cursor, cursor.block == check.block)
    found = connection.execute(query).one_or_none()
    if found is not None and found.state_hash != state_hash(ledger):
        raise StoreError(
            f"the rows are not the state of block {found.block}: run `peakedex db rebuild`, restore a "
            "backup, or replay the chain into a new database"
        )


def _last_number(connection: Connection, name: str) -> int:
    keys = [schema.metadata.tables[name].c.n]
    if name == "deposits":
        keys += [schema.refunds.c.arrival, schema.ignored.c.n]
    return max(connection.scalar(select(func.max(key))) or 0 for key in keys)


def _rows(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    """A query's rows, fetched in batches. Unpack many rows: attributes cost more than all the rest."""
    for rows in connection.execute(query.execution_options(yield_per=_FETCH_ROWS)).partitions():
        yield from rows


def _load_settings(connection: Connection, ledger: Ledger) -> None:
    """Tokens, pairs, rules and upgrade as their newest lines say."""
    s = schema.settings.c
    for text in connection.scalars(select(s.line).order_by(s.n)):
        line = lines.parse(text)
        match line:
            case lines.Token():
                ledger.add_token(line)
            case lines.Pair():
                ledger.add_pair(line)
            case lines.Rules():
                ledger.set_rules(line)
            case lines.Upgrade():
                ledger.upgrade = None if line.block is None else line
            case _:
                raise StoreError(f"not a line of settings: {text!r}")


def _load_money(connection: Connection, ledger: Ledger) -> None:
    b, h = schema.balances.c, schema.holdings.c
    query = select(b.account_id, b.token_id, b.available, b.locked, b.withdrawing, b.escrow)
    for account, number, *buckets in _rows(connection, query):
        token = ledger.tokens_by_number[number - 1]
        ledger.balances[account, number] = BalanceView(account, token, buckets)
        for bucket, amount in enumerate(buckets):
            token.totals[bucket] += amount
    for symbol, units in connection.execute(select(h.symbol, h.units)):
        ledger.tokens[symbol].holdings = read_integer_text(units)
    for token in ledger.tokens.values():
        if sum(token.totals):
            raise StoreError(f"the balances of {token.line.symbol} do not add up to zero")
        if token.totals[ESCROW] > 0:
            raise StoreError(f"the escrow balance of {token.line.symbol} is positive")


def _load_orders(connection: Connection, ledger: Ledger) -> None:
    """Open orders and stops by sequence."""
    o, i = schema.orders.c, schema.intents.c
    pairs = {pair.number: pair for pair in ledger.pairs.values()}
    # One search for each status: partial indexes serve no list of statuses.
    unclosed = union_all(
        select(o.seq).where(is_open(o.status)), select(o.seq).where(has_status(o.status, schema.WAITING))
    )
    query = (
        select(i.id, *(o[name] for name in (*_FIXED, *_CHANGING)))
        .join_from(schema.orders, schema.intents, o.intent == i.n)
        .where(o.seq.in_(unclosed))
        .order_by(o.seq)
    )
    for row in _rows(connection, query):
        view = _view(ledger, pairs, *row)
        ledger.orders[view.id] = view


_FIXED: Final = (
    *("seq", "account_id", "pair_id", "is_buy", "market", "price", "quantity", "expiry"),
    *("protective", "maker_fee_bps", "taker_fee_bps", "to_wallet", "stop_price", "stop_limit"),
    *("trigger_price", "above", "time_in_force", "post_only"),
)
_CHANGING: Final = (
    *("intent", "block", "remaining", "locked", "received", "released"),
    *("traded_base", "traded_quote", "fees"),
)


def _view(ledger: Ledger, pairs: dict[int, PairView], intent_id: str, *columns: Any) -> OrderView:
    """An open order or stop out of its `_FIXED` and `_CHANGING` columns."""
    seq, account, pair_id, is_buy, is_market, price, quantity, expiry, protective, *rest = columns
    maker_fee, taker_fee, to_wallet, stop_price, stop_limit, trigger, above, time_in_force, post, *rest = rest
    pair = pairs[pair_id]
    view = OrderView(
        seq,
        f"{intent_id}~stop" if protective else intent_id,
        account,
        pair,
        ledger.balances_of(account, pair),
        bool(is_buy),
        bool(is_market),
        price,
        quantity,
        expiry,
        maker_fee,
        taker_fee,
        bool(to_wallet),
        stop_price,
        stop_limit,
        None
        if trigger is None
        else StopTerms(trigger, bool(above), schema.TIMES_IN_FORCE[time_in_force], bool(post)),
    )
    view.intent, view.block, view.remaining, view.locked, view.received, view.released, *rest = rest
    view.traded_base, view.traded_quote, view.fees = rest
    return view


def _load_payments(connection: Connection, ledger: Ledger) -> None:
    w, r = schema.withdrawals.c, schema.refunds.c
    for row in _rows(connection, select(schema.withdrawals).where(is_open(w.status)).order_by(w.n)):
        token = ledger.tokens_by_number[row.token_id - 1]
        name = ledger.names[row.account_id]
        line = lines.Withdraw(row.id, name, token.line.symbol, row.amount, row.to, row.memo)
        balance = ledger.balance(row.account_id, token)
        ledger.withdrawals[row.id] = WithdrawalView(row.n, line, balance, row.block, row.return_due)
    for row in _rows(connection, select(schema.refunds).where(is_open(r.status)).order_by(r.n)):
        refund = lines.Refund(row.id, row.account, row.symbol, row.quantity, row.escrow)
        ledger.refunds[row.id] = RefundView(row.n, refund, row.block)


def _load_grants(connection: Connection, ledger: Ledger) -> None:
    """Grants with what was counted, and timers; also those that ended after the last active block."""
    g, t, u = schema.grants.c, schema.timers.c, schema.grant_usage.c
    each = schema.grant_usage.alias("each").c
    newest = select(func.max(each.block)).where(each.grant_n == g.n).scalar_subquery()
    query = (
        select(schema.grants, u.day, u.used)
        .select_from(schema.grants.outerjoin(schema.grant_usage, (u.grant_n == g.n) & (u.block == newest)))
        .where(is_open(g.status))
        .order_by(g.n)
    )
    for row in _rows(connection, query):
        account = ledger.names[row.account_id]
        line = lines.Grant(account, row.to, row.until, row.band_bps, row.pairs, row.per_day)
        ledger.add_grant(GrantView(row.n, line, row.block, row.day, read_amounts(row.used)))
    for row in _rows(connection, select(schema.timers).where(is_open(t.status)).order_by(t.n)):
        account = ledger.names[row.account_id]
        ledger.timers[account, row.by] = TimerView(row.n, lines.Timer(account, row.by, row.due), row.block)


def _load_marks(connection: Connection, ledger: Ledger) -> None:
    """The mark window of each pair, and the pairs left over by firing."""
    m, left = schema.marks.c, schema.left_over.c
    for pair in ledger.pairs.values():
        query = select(m.block, m.base, m.quote).where(m.pair_id == pair.number)
        window = connection.execute(query.order_by(m.block.desc()).limit(MARK_BLOCKS)).all()
        for block, base, quote in reversed(window):
            pair.mark.add(block, int(base), int(quote))
    if ledger.header is not None:
        names = {pair.number: name for name, pair in ledger.pairs.items()}
        pairs = select(left.pair_id).where(left.block == ledger.header.number)
        ledger.left_over = sorted(names[number] for number in connection.scalars(pairs))
