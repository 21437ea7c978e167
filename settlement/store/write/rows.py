"""Rows of a batch of blocks, made from the facts of each: tuples in the order of the tables' columns.

What changes often (balances, orders, candles) is written once a batch, as it stands at the batch's end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
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
from settlement.store.write.ledger.block_facts import BlockFacts
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.views import (
    BalanceView,
    GrantView,
    IntentView,
    OrderView,
    PairView,
    RefundView,
    TimerView,
    TokenView,
    WithdrawalView,
    amounts_text,
)
from settlement.store.write.statements import Row

_STATUS: Final = {name: number for number, name in enumerate(schema.ORDER_STATUSES)}
_TIME_IN_FORCE: Final = {name: number for number, name in enumerate(schema.TIMES_IN_FORCE)}


class BatchRows:
    """Collects the rows of a batch by statement name."""

    def __init__(self, ledger: Ledger, *, is_empty: bool = False) -> None:
        """Unless the database is empty, it has the accounts that the ledger has now."""
        self._ledger = ledger
        self._saved_accounts = 1 if is_empty else len(ledger.names)
        self._balances: dict[BalanceView, None] = {}
        self._orders: dict[int, OrderView] = {}
        self._placed: set[int] = set()  # sequences of orders whose row is new
        self._closed: dict[int, int] = {}  # block by sequence
        self._holdings: dict[TokenView, None] = {}
        self._candles = Candles()
        self._rules_changed = False
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)

    def add_block(self, entry: lines.JournalEntry, facts: BlockFacts) -> None:
        """Add one block's rows; the blocks of a batch come in order."""
        rows, ledger, number = self._rows, self._ledger, facts.number
        if entry.text:  # not of a state from which a replica starts
            rows["journal"].append((number, entry.text))
        account_numbers = ledger.accounts
        rows["intents"] += [
            (
                intent.n,
                transaction_key(intent.id),
                intent.id,
                number,
                account_numbers.get(intent.account) or ledger.number_of(intent.account),
                intent.by,
                intent.action,
                intent.code,
                intent.ref,
                intent.seq,
            )
            for intent in facts.intents
        ]
        rows["transfers"] += facts.transfers
        if facts.trades:
            self._add_trades(facts)
        for line, about in facts.others:
            _ADDERS[type(line)](self, line, about, number)
        for grant in facts.grants_used.values():
            rows["grant_usage"].append((grant.n, number, grant.day, amounts_text(grant.used)))
        self._add_changes(facts, number)
        for name in ledger.left_over:
            rows["left_over"].append((number, ledger.pairs[name].number))
        last = (ledger.last.get(name, 0) for name in ("withdrawals", "refunds", "grants", "timers"))
        rows["blocks"].append(
            (*entry.header, entry.hash, ledger.next("blocks"), ledger.last_seq, ledger.last_trade, *last)
        )
        self._rules_changed |= facts.rules_changed

    def _add_trades(self, facts: BlockFacts) -> None:
        timestamp, block = facts.header.timestamp, facts.number
        rows, add_to_candles = self._rows["trades"], self._candles.add
        traded: dict[PairView, None] = {}
        for line, taker, maker in facts.trades:
            n, _, _, _, _, _, price, quantity, quote_amount, buyer_fee, seller_fee = line
            pair = taker.pair
            add_to_candles(pair.number, timestamp, price, quantity, quote_amount)
            if taker.account != maker.account:
                traded[pair] = None
            rows.append(
                (
                    n,
                    block,
                    pair.number,
                    taker.seq,
                    maker.seq,
                    taker.account,
                    maker.account,
                    int(taker.is_buy),
                    price,
                    quantity,
                    quote_amount,
                    buyer_fee,
                    seller_fee,
                )
            )
        for pair in traded:
            newest = pair.mark.blocks[-1]
            self._rows["marks"].append((pair.number, block, str(newest.base), str(newest.quote)))

    def _add_changes(self, facts: BlockFacts, block: int) -> None:
        """Balances, open orders and holdings after the block."""
        self._rows["balance_changes"] += [
            (block, balance.account, balance.token.number, *balance.buckets[:3]) for balance in facts.balances
        ]
        self._balances.update(dict.fromkeys(facts.balances))
        self._orders.update(facts.orders)
        for seq, order in facts.orders.items():
            if order.block == block:
                self._placed.add(seq)
            if order.status != "open":
                self._closed.setdefault(seq, block)
            elif not order.is_stop and (order.remaining != order.quantity or order.received):
                self._rows["order_changes"].append((seq, block, order.remaining, *_progress(order)))
        for token in facts.holdings:
            self._rows["holding_changes"].append((token.line.symbol, block, integer_text(token.holdings)))
            self._holdings[token] = None

    # ------------------------------------------------------------ other lines

    def _deposit(self, line: lines.Deposit, token: TokenView, block: int) -> None:
        account = self._ledger.number_of(line.account)
        row = (self._ledger.next("deposits"), line.id, block, account, token.number, line.amount, line.escrow)
        self._rows["deposits"].append(row)

    def _refund(self, line: lines.Refund, refund: RefundView, block: int) -> None:
        quantity = read_quantity(decode(line.quantity))
        value = "" if quantity is None else value_text(quantity)
        self._rows["refunds"].append(
            (
                *(refund.n, line.id, block, line.account, chain_of(line.symbol), line.symbol, line.quantity),
                *(value, line.escrow, schema.PENDING, None, None, self._ledger.next("deposits"), None),
            )
        )

    def _ignore(self, line: lines.Ignore, _: None, block: int) -> None:
        self._rows["ignored"].append((self._ledger.next("deposits"), line.id, block, *line[1:]))

    def _withdraw(self, line: lines.Withdraw, w: WithdrawalView, block: int) -> None:
        token = w.balance.token.number
        self._rows["withdrawals"].append(
            (
                *(w.n, line.id, block, w.balance.account, token, line.amount, line.to, line.memo),
                *(schema.PENDING, None, None, None, None, None),
            )
        )

    def _returning(self, line: lines.Returning, w: WithdrawalView, block: int) -> None:
        self._rows["withdrawals_returning"].append((line.due, block, w.n))

    def _return(self, _: lines.Return, w: WithdrawalView, block: int) -> None:
        fork = fork_node(w.block, block)
        self._rows["withdrawals_progress"].append((schema.RETURNED, None, block, fork, w.n))

    def _paid(self, line: lines.Paid, about: WithdrawalView | RefundView, block: int) -> None:
        table = "withdrawals" if isinstance(about, WithdrawalView) else "refunds"
        fork = fork_node(about.block, block)
        self._rows[f"{table}_progress"].append((schema.PAID, line.movement, block, fork, about.n))

    def _outflow(self, line: lines.Outflow, _: None, block: int) -> None:
        self._rows["outflows"].append((self._ledger.next("outflows"), line.id, block, *line[1:]))

    def _internal(self, line: lines.Internal, _: None, block: int) -> None:
        self._rows["internal_moves"].append((self._ledger.next("internal_moves"), line.id, block, *line[1:]))

    def _setting(
        self, line: lines.Token | lines.Pair | lines.Rules | lines.Upgrade, _: object, block: int
    ) -> None:
        self._rows["settings"].append(setting_row(self._ledger.next("settings"), block, line))

    def _checkpoint(self, line: lines.Checkpoint, intent: IntentView, block: int) -> None:
        row = (self._ledger.next("checkpoints"), intent.id, intent.account, block, *line)
        self._rows["checkpoints"].append(row)

    def _grant(self, line: lines.Grant, grant: GrantView, block: int) -> None:
        account = self._ledger.number_of(line.account)
        self._rows["grants"].append((grant.n, account, *line[1:], block, 0, None, None))

    def _revoke(self, _: lines.Revoke, grant: GrantView, block: int) -> None:
        self._rows["grants_progress"].append((1, block, fork_node(grant.block, block), grant.n))

    def _timer(self, line: lines.Timer, timer: TimerView, block: int) -> None:
        if line.due is None:
            self._end_timer(line, timer, block)
        else:
            account = self._ledger.number_of(line.account)
            self._rows["timers"].append((timer.n, account, line.by, line.due, block, 0, None, None))

    def _end_timer(self, _: lines.Line, timer: TimerView, block: int) -> None:
        self._rows["timers_progress"].append((1, block, fork_node(timer.block, block), timer.n))

    # ------------------------------------------------------------ the batch

    def finish(self) -> dict[str, list[Row]]:
        """All rows by statement name, with the newest values of orders, balances and accounts."""
        rows, ledger = self._rows, self._ledger
        rows["balances"] = [
            (balance.account, balance.token.number, *balance.buckets) for balance in self._balances
        ]
        rows["holdings"] = [(token.line.symbol, integer_text(token.holdings)) for token in self._holdings]
        rows["totals"] = [
            total_row(token) for token in dict.fromkeys(balance.token for balance in self._balances)
        ]
        rows["candles"] = self._candles.rows()
        placed, closed = self._placed, self._closed
        new, old = rows["orders"], rows["orders_progress"]
        for seq, order in self._orders.items():
            progress = _order_progress(order, closed.get(seq))
            if seq in placed:
                new.append(_order_row(order) + progress)
            else:
                old.append((*progress, seq))
        if self._rules_changed:
            rows |= rule_rows(ledger)
        rows["accounts"] = list(enumerate(ledger.names[self._saved_accounts :], self._saved_accounts))
        return rows


def total_row(token: TokenView) -> Row:
    """A row of `totals`."""
    return (token.number, token.totals[AVAILABLE], token.totals[LOCKED], token.totals[WITHDRAWING])


def rule_rows(ledger: Ledger) -> dict[str, list[Row]]:
    """Rows of all tokens, their holdings, and all pairs: they are few and seldom change."""
    return {
        "holdings": [(symbol, integer_text(token.holdings)) for symbol, token in ledger.tokens.items()],
        "tokens": [
            (
                token.number,
                symbol,
                token.line.precision,
                chain_of(symbol),
                token.line.escrow,
                token.line.min_withdrawal,
            )
            for symbol, token in ledger.tokens.items()
        ],
        "pairs": [
            (pair.number, pair.base.line.symbol, pair.quote.line.symbol, *pair.line[1:])
            for pair in ledger.pairs.values()
        ],
    }


def setting_row(n: int, block: int, line: lines.Token | lines.Pair | lines.Rules | lines.Upgrade) -> Row:
    """A row of `settings`."""
    key = line[0] if isinstance(line, lines.Token | lines.Pair) else ""
    return (n, block, type(line).__name__.lower(), key, lines.encode(line).rstrip("\n"))


def _progress(order: OrderView) -> Row:
    return (order.received, order.released, order.traded_base, order.traded_quote, order.fees)


def _order_progress(order: OrderView, closed_block: int | None) -> Row:
    """The columns of `orders` that change."""
    if closed_block is None:
        status, fork = schema.WAITING if order.is_stop else schema.OPEN, None
    else:
        status, fork = _STATUS[order.status], fork_node(order.block, closed_block)
    return (
        order.remaining,
        order.locked,
        order.received,
        order.released,
        order.traded_base,
        order.traded_quote,
        order.fees,
        status,
        order.fired_code,
        order.fired_seq,
        closed_block,
        fork,
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
        None if stop is None else int(stop.above),
        None if stop is None else _TIME_IN_FORCE[stop.time_in_force],
        None if stop is None else int(stop.post_only),
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
