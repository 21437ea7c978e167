"""Statement entries: everything that changed what an account holds, and its refunds, in the journal's order.

An account holds the sum of its three buckets: an order that locks funds, or a withdrawal that waits, is no
entry. Entries come from rows of the history by account; where a block has entries of several kinds, its
journal text gives their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Column, Connection, Select, bindparam, select

from settlement.core.journal import lines
from settlement.store import schema
from settlement.store.read.key_ranges import FETCH_ROWS, BlockRange, KeyRange, find_key_range
from settlement.store.read.market.trades import AccountTradeRow, next_account_trades, next_trades_with_fees
from settlement.store.read.venue import PairRow, TokenRow, find_account, read_pairs, read_tokens

DEPOSIT: Final = "deposit"
WITHDRAWAL: Final = "withdrawal"
BUY: Final = "buy"
SELL: Final = "sell"
FEE_INCOME: Final = "fee_income"
REFUND_DUE: Final = "refund_due"
REFUND: Final = "refund"
KINDS: Final = (DEPOSIT, WITHDRAWAL, BUY, SELL, FEE_INCOME, REFUND_DUE, REFUND)


class Change(NamedTuple):
    """By how much a balance changed."""

    symbol: str
    precision: int
    units: int


class Fill(NamedTuple):
    """The account's side of a trade. The fee is in units of the token received."""

    pair: PairRow
    role: str  # taker or maker
    price: int  # ticks
    quantity: int  # base units
    quote_amount: int  # quote units
    fee: int
    order: str  # id of the account's order


class Entry(NamedTuple):
    """An entry of a statement. Text is encoded.

    A refund changes no balance: what it is about was never credited.
    """

    block: int
    timestamp: int
    kind: str
    id: str  # of the movement, withdrawal or refund; a trade's number
    order: int  # within its kind: a trade's number, an arrival's number, a withdrawal's or refund's number
    changes: tuple[Change, ...]
    fill: Fill | None = None
    symbol: str | None = None  # of a refund
    quantity: str | None = None  # of a refund, as spelled on the chain
    paid_by: str | None = None  # the movement that paid a withdrawal or refund
    to: str | None = None  # recipient of a withdrawal


class Period(NamedTuple):
    """A range of blocks with the keys of its rows; the same for all accounts."""

    blocks: BlockRange
    trades: KeyRange
    deposits: KeyRange
    refunds: KeyRange
    rules: tuple[tuple[int, str], ...]  # (block, fee account) since each change, oldest first
    pairs: Mapping[int, PairRow]
    tokens: Mapping[int, TokenRow]


class Holder(NamedTuple):
    """The account of a statement."""

    id: int  # 0 if the ledger does not have it: it may still have refunds
    name: str  # encoded


_d, _r, _w, _b = schema.deposits.c, schema.refunds.c, schema.withdrawals.c, schema.blocks.c
_account: BindParameter[Any] = bindparam("account")
_rows: BindParameter[int] = bindparam("rows")
_first: BindParameter[int] = bindparam("first")
_last: BindParameter[int] = bindparam("last")
_RULES = select(schema.settings.c.block, schema.settings.c.line).where(schema.settings.c.kind == "rules")
_DEPOSITS: Select[Any] = (
    select(_d.block, _b.timestamp, _d.id, _d.n, _d.token_id, _d.amount)
    .join(schema.blocks, _b.number == _d.block)
    .where(_d.account_id == _account, _d.n.between(_first, _last))
    .order_by(_d.n)
    .limit(_rows)
)
_WITHDRAWALS: Select[Any] = (
    select(_w.closed_block, _b.timestamp, _w.id, _w.n, _w.token_id, _w.amount, _w.paid_by, _w.to)
    .join(schema.blocks, _b.number == _w.closed_block)
    .where(_w.account_id == _account, _w.closed_block.between(_first, _last), _w.status == schema.PAID)
    .order_by(_w.closed_block, _w.n)
    .limit(_rows)
)
_REFUNDS: Select[Any] = (
    select(_r.block, _b.timestamp, _r.id, _r.arrival, _r.symbol, _r.quantity)
    .join(schema.blocks, _b.number == _r.block)
    .where(_r.account == _account, _r.n.between(_first, _last))
    .order_by(_r.n)
    .limit(_rows)
)
_REFUNDS_PAID: Select[Any] = (
    select(_r.closed_block, _b.timestamp, _r.id, _r.n, _r.symbol, _r.quantity, _r.paid_by)
    .join(schema.blocks, _b.number == _r.closed_block)
    .where(_r.account == _account, _r.closed_block.between(_first, _last), _r.status == schema.PAID)
    .order_by(_r.closed_block, _r.n)
    .limit(_rows)
)
_LINES = select(schema.journal.c.lines).where(schema.journal.c.block == bindparam("block"))


def open_period(connection: Connection, blocks: BlockRange) -> Period:
    """The keys of a range of blocks."""
    rules = []
    for block, text in connection.execute(_RULES.order_by(schema.settings.c.n)):
        line = lines.parse(text)
        assert isinstance(line, lines.Rules)
        rules.append((block, line.fee_account))
    return Period(
        blocks,
        find_key_range(connection, schema.trades.c.n, blocks),
        find_key_range(connection, schema.deposits.c.n, blocks),
        find_key_range(connection, schema.refunds.c.n, blocks),
        tuple(rules),
        read_pairs(connection),
        {token.id: token for token in read_tokens(connection)},
    )


def find_holder(connection: Connection, name: str) -> Holder:
    """The account with this encoded name."""
    return Holder(find_account(connection, name) or 0, name)


def stream_entries(
    connection: Connection, holder: Holder, period: Period, first: int | None = None, rows: int = FETCH_ROWS
) -> Iterator[Entry]:
    """Stream the entries of a period in order, from the block `first` on.

    `rows` is about how many are read at a time; no cursor stays open between them.
    """
    block = period.blocks.first if first is None else max(first, period.blocks.first)
    while block <= period.blocks.last:
        entries, block = _next_blocks(connection, holder, period, block, rows)
        yield from entries


def _next_blocks(
    connection: Connection, holder: Holder, period: Period, block: int, rows: int
) -> tuple[list[Entry], int]:
    """The entries of the next complete blocks, and the block after them."""
    while True:
        last = period.blocks.last
        found: list[Entry] = []
        for source in (_trades, _fee_income, _deposits, _withdrawals, _refunds, _refunds_paid):
            part = source(connection, holder, period, block, rows)
            if len(part) >= rows:  # its last block may be incomplete
                last = min(last, part[-1].block - 1)
            found += part
        if last >= block:
            break
        rows *= 4
    kept = sorted((entry for entry in found if entry.block <= last), key=attrgetter("block"))
    ordered = []
    for number, of_block in groupby(kept, key=attrgetter("block")):
        ordered += _in_order(connection, holder, period, number, list(of_block))
    return ordered, last + 1


# ---------------------------------------------------------------- sources


def _keys_from(
    connection: Connection, key: Column[int], whole: KeyRange, period: Period, block: int
) -> KeyRange:
    """The keys of a table's rows in the period from a block on."""
    if block <= period.blocks.first:
        return whole
    return find_key_range(connection, key, BlockRange(block, period.blocks.last))


def _trades(connection: Connection, holder: Holder, period: Period, block: int, rows: int) -> list[Entry]:
    if not holder.id:
        return []
    keys = _keys_from(connection, schema.trades.c.n, period.trades, period, block)
    found = next_account_trades(connection, holder.id, keys, rows)
    return [entry for row in found for entry in _fills(row, period.pairs[row.pair_id])]


def _fills(row: AccountTradeRow, pair: PairRow) -> list[Entry]:
    """One entry a side; of a trade with itself first the sale, then the purchase."""
    sides = []
    if row.is_taker:
        sides.append((row.trade.taker_is_buy, "taker", row.trade.taker_id))
    if row.is_maker:
        sides.append((not row.trade.taker_is_buy, "maker", row.trade.maker_id))
    return [_fill(row, pair, is_buy, role, order) for is_buy, role, order in sorted(sides)]


def _fill(row: AccountTradeRow, pair: PairRow, is_buy: bool, role: str, order: str) -> Entry:
    trade = row.trade
    base, quote = trade.quantity, trade.quote_amount
    fee = trade.buyer_fee if is_buy else trade.seller_fee
    changes = (
        Change(pair.base, pair.base_precision, base - fee if is_buy else -base),
        Change(pair.quote, pair.quote_precision, -quote if is_buy else quote - fee),
    )
    return Entry(
        block=trade.block,
        timestamp=trade.timestamp,
        kind=BUY if is_buy else SELL,
        id=str(trade.n),
        order=trade.n,
        changes=changes,
        fill=Fill(pair, role, trade.price, base, quote, fee, order),
    )


def _fee_income(connection: Connection, holder: Holder, period: Period, block: int, rows: int) -> list[Entry]:
    """Fees of others' trades, and of its own, if the account is or was the fee account."""
    if all(name != holder.name for _, name in period.rules):
        return []
    keys = _keys_from(connection, schema.trades.c.n, period.trades, period, block)
    entries = []
    for trade, pair_id in next_trades_with_fees(connection, keys, rows):
        pair = period.pairs[pair_id]
        fees = (
            Change(pair.base, pair.base_precision, trade.buyer_fee),
            Change(pair.quote, pair.quote_precision, trade.seller_fee),
        )
        changes = tuple(change for change in fees if change.units)
        entries.append(Entry(trade.block, trade.timestamp, FEE_INCOME, str(trade.n), trade.n, changes))
    return entries


def _values(holder: object, keys: KeyRange | BlockRange, block: int, rows: int) -> dict[str, Any]:
    return {"account": holder, "first": max(keys.first, block), "last": keys.last, "rows": rows}


def _deposits(connection: Connection, holder: Holder, period: Period, block: int, rows: int) -> list[Entry]:
    keys = _keys_from(connection, _d.n, period.deposits, period, block)
    return [
        Entry(number, timestamp, DEPOSIT, id_, n, (_change(period.tokens[token], amount),))
        for number, timestamp, id_, n, token, amount in connection.execute(
            _DEPOSITS, _values(holder.id, keys, 0, rows)
        )
    ]


def _withdrawals(
    connection: Connection, holder: Holder, period: Period, block: int, rows: int
) -> list[Entry]:
    found = connection.execute(_WITHDRAWALS, _values(holder.id, period.blocks, block, rows))
    return [
        Entry(
            number,
            timestamp,
            WITHDRAWAL,
            id_,
            n,
            (_change(period.tokens[token], -amount),),
            paid_by=paid_by,
            to=to,
        )
        for number, timestamp, id_, n, token, amount, paid_by, to in found
    ]


def _refunds(connection: Connection, holder: Holder, period: Period, block: int, rows: int) -> list[Entry]:
    keys = _keys_from(connection, _r.n, period.refunds, period, block)
    found = connection.execute(_REFUNDS, _values(holder.name, keys, 0, rows))
    return [
        Entry(number, timestamp, REFUND_DUE, id_, n, (), symbol=symbol, quantity=quantity)
        for number, timestamp, id_, n, symbol, quantity in found
    ]


def _refunds_paid(
    connection: Connection, holder: Holder, period: Period, block: int, rows: int
) -> list[Entry]:
    found = connection.execute(_REFUNDS_PAID, _values(holder.name, period.blocks, block, rows))
    return [
        Entry(number, timestamp, REFUND, id_, n, (), symbol=symbol, quantity=quantity, paid_by=paid_by)
        for number, timestamp, id_, n, symbol, quantity, paid_by in found
    ]


def _change(token: TokenRow, units: int) -> Change:
    return Change(token.symbol, token.precision, units)


# ---------------------------------------------------------------- order in a block

_LINE: Final = {
    BUY: "trade",
    SELL: "trade",
    FEE_INCOME: "trade",
    DEPOSIT: "deposit",
    REFUND_DUE: "refund",
    WITHDRAWAL: "paid",
    REFUND: "paid",
}
_LAST_IN_TRADE: Final = {FEE_INCOME: 1}


def _in_order(
    connection: Connection, holder: Holder, period: Period, block: int, entries: Sequence[Entry]
) -> list[Entry]:
    """The entries of one block in the order of its journal lines."""
    fee_accounts = _fee_accounts(period.rules, block)
    earns = fee_accounts == [holder.name]
    mixed = holder.name in fee_accounts and not earns
    kept = [entry for entry in entries if entry.kind != FEE_INCOME or earns or mixed]
    line_kinds = {_LINE[entry.kind] for entry in kept}
    if not mixed and (len(kept) < 2 or line_kinds in ({"trade"}, {"deposit"})):
        return sorted(kept, key=lambda entry: (entry.order, _LAST_IN_TRADE.get(entry.kind, 0)))
    text = connection.execute(_LINES, {"block": block}).scalar_one()
    places, earning = _read_places(text, fee_accounts[0])
    if mixed:
        kept = [e for e in kept if e.kind != FEE_INCOME or earning[e.id] == holder.name]
    return sorted(
        kept, key=lambda entry: (places[_LINE[entry.kind], entry.id], _LAST_IN_TRADE.get(entry.kind, 0))
    )


def _fee_accounts(rules: Iterable[tuple[int, str]], block: int) -> list[str]:
    """The fee account before a block, and those that the block itself sets, without repetition."""
    before, within = "", []
    for number, name in rules:
        if number < block:
            before = name
        elif number == block:
            within.append(name)
    return list(dict.fromkeys((before, *within)))


def _read_places(text: str, fee_account: str) -> tuple[dict[tuple[str, str], int], dict[str, str]]:
    """The place of each line by its word and id, and the fee account at each trade by its number."""
    places, earning = {}, {}
    for place, line in enumerate(text.splitlines()):
        fields = line.split(" ", 3)
        if fields[0] == "rules":
            fee_account = fields[2]
        elif len(fields) > 1:
            places[fields[0], fields[1]] = place
            if fields[0] == "trade":
                earning[fields[1]] = fee_account
    return places, earning
