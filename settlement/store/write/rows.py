"""Rows of a batch of blocks, made from what the ledger says of each: tuples in the order of the tables' columns.

What changes often (balances, orders, candles) is written once a batch, as it stands at the batch's end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from settlement.core.accounts import AVAILABLE, LOCKED, WITHDRAWING
from settlement.core.custody import value_text
from settlement.core.journal import lines
from settlement.core.parsing.amounts import integer_text, read_quantity
from settlement.core.parsing.names import chain_of, decode
from settlement.store import schema
from settlement.store.interval_tree import fork_node
from settlement.store.transaction_keys import transaction_key
from settlement.store.write.candles import Candles
from settlement.store.write.ledger import (
    BlockFacts,
    GrantView,
    IntentView,
    Ledger,
    OrderView,
    RefundView,
    TimerView,
    TokenView,
    WithdrawalView,
    amounts_text,
)
from settlement.store.write.statements import Row

_STATUS: Final = {name: number for number, name in enumerate(schema.ORDER_STATUSES)}
_TIME_IN_FORCE: Final = {name: number for number, name in enumerate(schema.TIMES_IN_FORCE)}
COUNTED: Final = (
    "transfers",
    "deposits",
    "outflows",
    "internal_moves",
    "checkpoints",
    "settings",
    "blocks",
)
"""Tables whose rows are numbered here; the ledger numbers the others."""


class BatchRows:
    """Collects the rows of a batch by statement name."""

    def __init__(self, ledger: Ledger, last: dict[str, int], saved_accounts: int) -> None:
        """`last` are the last numbers of the COUNTED tables; accounts up to `saved_accounts` have a row."""
        self._ledger = ledger
        self._last = last
        self._saved_accounts = saved_accounts
        self._balances: dict[tuple[int, int], None] = {}
        self._orders: dict[int, OrderView] = {}
        self._placed: set[int] = set()  # sequences of orders whose row is new
        self._closed: dict[int, int] = {}  # block by sequence
        self._holdings: dict[str, None] = {}
        self._totals: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self._candles = Candles()
        self._rows: dict[str, list[Row]] = {}

    def _add(self, statement: str, row: Row) -> None:
        self._rows.setdefault(statement, []).append(row)

    def _next(self, table: str) -> int:
        number = self._last[table] = self._last.get(table, 0) + 1
        return number

    def add_block(self, entry: lines.JournalEntry, facts: BlockFacts) -> None:
        """Add one block's rows; the blocks of a batch come in order."""
        number, ledger = entry.header.number, self._ledger
        self._add("journal", (number, entry.text))
        for intent in facts.intents:
            self._add("intents", self._intent_row(intent, number))
        self._add_transfers(facts, number)
        self._add_trades(facts)
        for line, about in facts.others:
            _ADDERS[type(line)](self, line, about, number)
        for grant in facts.grants_used.values():
            self._add("grant_usage", (grant.n, number, grant.day, amounts_text(grant.used)))
        self._add_changes(facts, number)
        for name in ledger.left_over:
            self._add("left_over", (number, ledger.pairs[name].number))
        last = (ledger.last.get(name, 0) for name in ("withdrawals", "refunds", "grants", "timers"))
        self._add(
            "blocks",
            (*entry.header, entry.hash, self._next("blocks"), ledger.last_seq, ledger.last_trade, *last),
        )

    def _intent_row(self, intent: IntentView, block: int) -> Row:
        return (
            intent.n,
            transaction_key(intent.id),
            intent.id,
            block,
            self._ledger.number_of(intent.account),
            intent.by,
            intent.action,
            intent.code,
            intent.ref,
            intent.seq,
        )

    def _add_transfers(self, facts: BlockFacts, block: int) -> None:
        n, totals = self._last.get("transfers", 0), self._totals
        rows = self._rows.setdefault("transfers", [])
        for token, debit, debit_bucket, credit, credit_bucket, amount in facts.transfers:
            n += 1
            rows.append((n, block, token, debit, debit_bucket, credit, credit_bucket, amount))
            if debit_bucket != credit_bucket:
                sums = totals[token]
                sums[debit_bucket] -= amount
                sums[credit_bucket] += amount
        self._last["transfers"] = n

    def _add_trades(self, facts: BlockFacts) -> None:
        timestamp, block = facts.header.timestamp, facts.header.number
        for line, taker, maker in facts.trades:
            pair = taker.pair.number
            self._candles.add(pair, timestamp, line.price, line.quantity, line.quote_amount)
            self._add(
                "trades",
                (
                    line.n,
                    block,
                    pair,
                    taker.seq,
                    maker.seq,
                    taker.account,
                    maker.account,
                    int(taker.is_buy),
                    line.price,
                    line.quantity,
                    line.quote_amount,
                    line.buyer_fee,
                    line.seller_fee,
                ),
            )
        traded = (taker.pair for _, taker, maker in facts.trades if taker.account != maker.account)
        for view in dict.fromkeys(traded):
            newest = view.mark.blocks[-1]
            self._add("marks", (view.number, block, str(newest.base), str(newest.quote)))

    def _add_changes(self, facts: BlockFacts, block: int) -> None:
        """Balances, open orders and holdings after the block."""
        balances = self._ledger.balances
        rows = self._rows.setdefault("balance_changes", [])
        for key in facts.balances:
            rows.append((block, *key, *balances[key][:3]))
        self._balances.update(facts.balances)
        for seq, order in facts.orders.items():
            self._orders[seq] = order
            if order.block == block:
                self._placed.add(seq)
            if order.status != "open":
                self._closed.setdefault(seq, block)
            elif order.stop is None and (order.remaining != order.quantity or order.received):
                self._add("order_changes", (seq, block, *_progress(order)))
        for symbol in facts.holdings:
            self._add("holding_changes", (symbol, block, integer_text(self._ledger.tokens[symbol].holdings)))
        self._holdings.update(facts.holdings)

    # ------------------------------------------------------------ other lines

    def _deposit(self, line: lines.Deposit, token: TokenView, block: int) -> None:
        account = self._ledger.number_of(line.account)
        row = (self._next("deposits"), line.id, block, account, token.number, line.amount, line.escrow)
        self._add("deposits", row)

    def _refund(self, line: lines.Refund, refund: RefundView, block: int) -> None:
        quantity = read_quantity(decode(line.quantity))
        value = "" if quantity is None else value_text(quantity)
        self._add(
            "refunds",
            (
                *(refund.n, line.id, block, line.account, chain_of(line.symbol), line.symbol, line.quantity),
                *(value, line.escrow, schema.PENDING, None, None, self._next("deposits"), None),
            ),
        )

    def _ignore(self, line: lines.Ignore, _: None, block: int) -> None:
        self._add("ignored", (self._next("deposits"), line.id, block, *line[1:]))

    def _withdraw(self, line: lines.Withdraw, w: WithdrawalView, block: int) -> None:
        self._add(
            "withdrawals",
            (
                *(w.n, line.id, block, w.account, w.token.number, line.amount, line.to, line.memo),
                *(schema.PENDING, None, None, None, None, None),
            ),
        )

    def _returning(self, line: lines.Returning, w: WithdrawalView, block: int) -> None:
        self._add("withdrawals_returning", (line.due, block, w.n))

    def _return(self, _: lines.Return, w: WithdrawalView, block: int) -> None:
        fork = fork_node(w.block, block)
        self._add("withdrawals_progress", (schema.RETURNED, None, block, fork, w.n))

    def _paid(self, line: lines.Paid, about: WithdrawalView | RefundView, block: int) -> None:
        table = "withdrawals" if isinstance(about, WithdrawalView) else "refunds"
        fork = fork_node(about.block, block)
        self._add(f"{table}_progress", (schema.PAID, line.movement, block, fork, about.n))

    def _outflow(self, line: lines.Outflow, _: None, block: int) -> None:
        self._add("outflows", (self._next("outflows"), line.id, block, *line[1:]))

    def _internal(self, line: lines.Internal, _: None, block: int) -> None:
        self._add("internal_moves", (self._next("internal_moves"), line.id, block, *line[1:]))

    def _setting(
        self, line: lines.Token | lines.Pair | lines.Rules | lines.Upgrade, _: object, block: int
    ) -> None:
        key = line[0] if isinstance(line, lines.Token | lines.Pair) else ""
        self._add("settings", setting_row(self._next("settings"), block, line, str(key)))

    def _checkpoint(self, line: lines.Checkpoint, intent: IntentView, block: int) -> None:
        row = (self._next("checkpoints"), intent.id, intent.account, block, *line)
        self._add("checkpoints", row)

    def _grant(self, line: lines.Grant, grant: GrantView, block: int) -> None:
        account = self._ledger.number_of(line.account)
        self._add("grants", (grant.n, account, *line[1:], block, 0, None, None))

    def _revoke(self, _: lines.Revoke, grant: GrantView, block: int) -> None:
        self._add("grants_progress", (1, block, fork_node(grant.block, block), grant.n))

    def _timer(self, line: lines.Timer, timer: TimerView, block: int) -> None:
        if line.due is None:
            self._end_timer(line, timer, block)
        else:
            account = self._ledger.number_of(line.account)
            self._add("timers", (timer.n, account, line.by, line.due, block, 0, None, None))

    def _end_timer(self, _: lines.Line, timer: TimerView, block: int) -> None:
        self._add("timers_progress", (1, block, fork_node(timer.block, block), timer.n))

    # ------------------------------------------------------------ the batch

    def finish(self) -> Mapping[str, list[Row]]:
        """All rows by statement name, with the newest values of orders, balances and accounts."""
        rows, ledger = self._rows, self._ledger
        rows["balances"] = [(*key, *ledger.balances[key]) for key in self._balances]
        rows["holdings"] = [
            (symbol, integer_text(ledger.tokens[symbol].holdings)) for symbol in self._holdings
        ]
        rows["totals"] = [
            (token, sums[AVAILABLE], sums[LOCKED], sums[WITHDRAWING]) for token, sums in self._totals.items()
        ]
        rows["candles"] = self._candles.rows()
        for seq, order in self._orders.items():
            progress = self._order_progress(order)
            if seq in self._placed:
                self._add("orders", _order_row(order) + progress)
            else:
                self._add("orders_progress", (*progress, seq))
        first = self._saved_accounts + 1
        rows["accounts"] = list(enumerate(ledger.names[first:], first))
        return rows

    def _order_progress(self, order: OrderView) -> Row:
        amounts = (order.remaining, order.locked, *_progress(order)[1:])
        if order.status == "open":
            status = schema.OPEN if order.stop is None else schema.WAITING
            return (*amounts, status, None, None, None, None)
        block = self._closed[order.seq]
        fork = fork_node(order.block, block)
        return (*amounts, _STATUS[order.status], order.code, order.fired_seq, block, fork)


def setting_row(
    n: int, block: int, line: lines.Token | lines.Pair | lines.Rules | lines.Upgrade, key: str
) -> Row:
    """A row of `settings`."""
    return (n, block, type(line).__name__.lower(), key, lines.encode(line).rstrip("\n"))


def _progress(order: OrderView) -> Row:
    return (
        order.remaining,
        order.received,
        order.released,
        order.traded_base,
        order.traded_quote,
        order.fees,
    )


def _order_row(order: OrderView) -> Row:
    """The columns of `orders` that never change. Flags are 0 and 1: SQLite stores them so."""
    stop = order.stop
    return (
        order.seq,
        order.intent,
        int(order.id.endswith("~stop")),
        order.account,
        order.pair.number,
        int(order.is_buy),
        int(order.market),
        order.price,
        order.quantity,
        order.expiry,
        int(order.to_wallet),
        order.maker_fee_bps,
        order.taker_fee_bps,
        order.stop_price,
        order.stop_limit,
        None if stop is None else stop.trigger_price,
        None if stop is None else int(stop.when == "above"),
        None if stop is None else _TIME_IN_FORCE[stop.time_in_force],
        None if stop is None else int(stop.post is not None),
        order.block,
    )


_ADDERS: Final[dict[type, Callable[[BatchRows, Any, Any, int], None]]] = {
    lines.Deposit: BatchRows._deposit,
    lines.Refund: BatchRows._refund,
    lines.Ignore: BatchRows._ignore,
    lines.Withdraw: BatchRows._withdraw,
    lines.Returning: BatchRows._returning,
    lines.Return: BatchRows._return,
    lines.Paid: BatchRows._paid,
    lines.Outflow: BatchRows._outflow,
    lines.Internal: BatchRows._internal,
    lines.Token: BatchRows._setting,
    lines.Pair: BatchRows._setting,
    lines.Rules: BatchRows._setting,
    lines.Upgrade: BatchRows._setting,
    lines.Checkpoint: BatchRows._checkpoint,
    lines.Grant: BatchRows._grant,
    lines.Revoke: BatchRows._revoke,
    lines.Timer: BatchRows._timer,
    lines.Timeout: BatchRows._end_timer,
}
