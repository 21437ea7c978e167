"""Database rows of a batch of blocks: tuples in the order of the tables' columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from settlement.core.accounts import AVAILABLE, LOCKED, WITHDRAWING, Balance
from settlement.core.journal.entries import (
    BalanceAfter,
    BlockResult,
    Deposited,
    InternalMove,
    JournalEntry,
    OrderAfter,
    Outflow,
    Paid,
    RefundOpened,
    Traded,
    WithdrawalOpened,
    WithdrawalReturned,
)
from settlement.core.order_book import Order
from settlement.core.payments import Refund
from settlement.store import schema
from settlement.store.interval_tree import fork_node
from settlement.store.transaction_keys import transaction_key
from settlement.store.write.candles import Candles
from settlement.store.write.statements import Row

_STATUS = {name: number for number, name in enumerate(schema.ORDER_STATUSES)}


class Numbers:
    """The small integers that stand for accounts, tokens and pairs, the last key of each table, and the
    blocks in which what is still open was opened: orders, withdrawals and refunds, by table and key."""

    def __init__(
        self,
        accounts: dict[str, int],
        tokens: dict[str, int],
        pairs: dict[str, int],
        last: dict[str, int],
        opened: dict[str, dict[int, int]],
    ) -> None:
        self.accounts = accounts
        self.tokens = tokens
        self.pairs = pairs
        self.last = last
        self.opened = opened
        self.balances: dict[Balance, tuple[int, int]] = {}
        self.new_accounts: list[Row] = []

    def account(self, name: str) -> int:
        """An account's number; a new one is given to a new account."""
        number = self.accounts.get(name)
        if number is None:
            number = self.accounts[name] = len(self.accounts) + 1
            self.new_accounts.append((number, name))
        return number

    def balance(self, balance: Balance) -> tuple[int, int]:
        """The numbers of a balance's account and token, cached in `balances`."""
        numbers = self.balances.get(balance)
        if numbers is None:
            numbers = self.balances[balance] = (self.account(balance.account), self.tokens[balance.symbol])
        return numbers

    def close(self, table: str, key: int, block: int) -> int | None:
        """The fork of what closes in a block."""
        return fork_node(self.opened[table].pop(key), block)

    def next(self, table: str) -> int:
        self.last[table] += 1
        return self.last[table]


class BatchRows:
    """Collects the rows of a batch by statement name. What changes often is kept once, newest last."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._balances: dict[Balance, BalanceAfter] = {}
        self._orders: dict[int, tuple[OrderAfter, int]] = {}
        self._intents: dict[int, int] = {}
        self._holdings: dict[tuple[str, str], int] = {}
        self._totals: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self._candles = Candles()
        self._timestamp = 0
        self._rows: dict[str, list[Row]] = {}

    def _add(self, statement: str, row: Row) -> None:
        self._rows.setdefault(statement, []).append(row)

    def add_block(self, block: BlockResult) -> None:
        """Add one block's rows; the blocks of a batch come in order."""
        header = block.header
        self._timestamp = header.timestamp
        if block.text:
            self._add("journal", (header.number, block.text))
        self._add_intents(block)
        self._add_transfers(block)
        for entry in block.entries:
            add = _ADDERS.get(type(entry))
            if add is not None:
                add(self, entry, header.number)
        self._add_changes(block)
        for claim in block.checkpoints:
            n = self._numbers.next("checkpoints")
            self._add(
                "checkpoints", (n, claim.id, header.number, claim.block, claim.state_hash, claim.journal_hash)
            )
        if block.text or block.outcomes:
            n = self._numbers.next("blocks")
            last = (self._numbers.last[table] for table in ("orders", "trades", "withdrawals", "refunds"))
            self._add("blocks", (*header, block.journal_hash, n, *last))

    def _add_changes(self, block: BlockResult) -> None:
        """Balances, open orders and escrow holdings after the block."""
        number, numbers = block.header.number, self._numbers
        known, balances = numbers.balances, self._balances
        rows = self._rows.setdefault("balance_changes", [])
        for after in block.balances:
            balances[after.balance] = after
            account, token = known[after.balance]
            rows.append((number, account, token, after.available, after.locked, after.withdrawing))
        for order in block.orders:
            seq = order.order.seq
            self._orders[seq] = (order, number)
            if order.status == "open" and order.remaining != order.order.quantity:
                self._add("order_changes", (seq, number, order.remaining, order.received, order.released))
        for held in block.holdings:
            self._holdings[held.escrow, held.symbol] = held.units
            self._add("holding_changes", (held.escrow, held.symbol, number, str(held.units)))

    def _add_intents(self, block: BlockResult) -> None:
        number, numbers = block.header.number, self._numbers
        n = numbers.last["intents"]
        rows = self._rows.setdefault("intents", [])
        for intent in block.outcomes:
            n += 1
            if intent.seq is not None:
                self._intents[intent.seq] = n
                numbers.opened["orders"][intent.seq] = number
                numbers.last["orders"] = intent.seq
            rows.append(
                (
                    n,
                    transaction_key(intent.id),
                    intent.id,
                    number,
                    numbers.account(intent.account),
                    intent.action,
                    intent.code and intent.code.value,
                    intent.ref,
                    intent.seq,
                )
            )
        numbers.last["intents"] = n

    def _add_transfers(self, block: BlockResult) -> None:
        number, numbers = block.header.number, self._numbers
        known = numbers.balances  # looked up here first, because transfers are half of all rows
        n, totals = numbers.last["transfers"], self._totals
        rows = self._rows.setdefault("transfers", [])
        for t in block.transfers:
            n += 1
            debit_id, token_id = known.get(t.debit) or numbers.balance(t.debit)
            credit_id, _ = known.get(t.credit) or numbers.balance(t.credit)
            rows.append((n, number, token_id, debit_id, t.debit_bucket, credit_id, t.credit_bucket, t.amount))
            if t.debit_bucket != t.credit_bucket:
                sums = totals[token_id]
                sums[t.debit_bucket] -= t.amount
                sums[t.credit_bucket] += t.amount
        numbers.last["transfers"] = n

    def _traded(self, entry: Traded, block: int) -> None:
        taker, numbers = entry.taker, self._numbers
        pair = numbers.pairs[taker.pair.name]
        numbers.last["trades"] = entry.n
        self._candles.add(pair, self._timestamp, entry.price, entry.quantity, entry.quote_amount)
        self._add(
            "trades",
            (
                entry.n,
                block,
                pair,
                taker.seq,
                entry.maker.seq,
                numbers.account(taker.account.name),
                numbers.account(entry.maker.account.name),
                int(taker.is_buy),
                entry.price,
                entry.quantity,
                entry.quote_amount,
                entry.buyer_fee,
                entry.seller_fee,
            ),
        )

    def _deposited(self, entry: Deposited, block: int) -> None:
        account, token = self._numbers.account(entry.account), self._numbers.tokens[entry.symbol]
        n = self._numbers.next("deposits")
        self._add("deposits", (n, entry.id, block, account, token, entry.amount, entry.escrow))

    def _refund_opened(self, entry: RefundOpened, block: int) -> None:
        r = entry.refund
        self._numbers.last["refunds"] = r.n
        self._numbers.opened["refunds"][r.n] = block
        self._add(
            "refunds",
            (
                *(r.n, r.id, block, r.account, r.chain, r.symbol, r.quantity, r.value, r.escrow),
                *(schema.PENDING, None, None, self._numbers.next("deposits"), None),
            ),
        )

    def _withdrawal_opened(self, entry: WithdrawalOpened, block: int) -> None:
        w = entry.withdrawal
        account, token = self._numbers.account(w.balance.account), self._numbers.tokens[w.balance.symbol]
        self._numbers.last["withdrawals"] = w.n
        self._numbers.opened["withdrawals"][w.n] = block
        self._add(
            "withdrawals",
            (w.n, w.id, block, account, token, w.amount, w.to, w.memo, schema.PENDING, None, None, None),
        )

    def _paid(self, entry: Paid, block: int) -> None:
        table = "refunds" if isinstance(entry.payment, Refund) else "withdrawals"
        n = entry.payment.n
        fork = self._numbers.close(table, n, block)
        self._add(f"{table}_progress", (schema.PAID, entry.movement_id, block, fork, n))

    def _returned(self, entry: WithdrawalReturned, block: int) -> None:
        n = entry.withdrawal.n
        fork = self._numbers.close("withdrawals", n, block)
        self._add("withdrawals_progress", (schema.RETURNED, None, block, fork, n))

    def _outflow(self, e: Outflow, block: int) -> None:
        n = self._numbers.next("outflows")
        units = None if e.units is None else str(e.units)
        self._add("outflows", (n, e.id, block, e.escrow, e.chain, e.symbol, e.quantity, e.to, units))

    def _internal_move(self, e: InternalMove, block: int) -> None:
        n = self._numbers.next("internal_moves")
        units = None if e.units is None else str(e.units)
        self._add("internal_moves", (n, e.id, block, e.sender, e.recipient, e.symbol, e.amount, units))

    def finish(self) -> Mapping[str, list[Row]]:
        """All rows by statement name, with the newest values of orders, balances and accounts."""
        rows, numbers = self._rows, self._numbers
        rows["balances"] = [
            (*numbers.balances[b.balance], b.available, b.locked, b.withdrawing, b.escrow)
            for b in self._balances.values()
        ]
        rows["holdings"] = [(*key, str(units)) for key, units in self._holdings.items()]
        rows["totals"] = [
            (token, sums[AVAILABLE], sums[LOCKED], sums[WITHDRAWING]) for token, sums in self._totals.items()
        ]
        rows["candles"] = self._candles.rows()
        for seq, (after, block) in self._orders.items():
            placed = numbers.opened["orders"][seq]
            progress = _progress_row(after, block, numbers)
            intent = self._intents.get(seq)
            if intent is None:
                self._add("orders_progress", (*progress, seq))
            else:
                self._add("orders", _order_row(after.order, numbers, intent, placed) + progress)
        rows["accounts"], numbers.new_accounts = numbers.new_accounts, []
        return rows


def _order_row(order: Order, numbers: Numbers, intent: int, block: int) -> Row:
    # Flags go as 0 and 1: SQLite keeps them so, and its driver takes 0.3 µs to make that of True.
    return (
        order.seq,
        intent,
        numbers.account(order.account.name),
        numbers.pairs[order.pair.name],
        int(order.is_buy),
        int(order.market),
        order.price,
        order.quantity,
        order.expiry,
        int(order.to_wallet),
        block,
    )


def _progress_row(after: OrderAfter, block: int, numbers: Numbers) -> Row:
    amounts = (after.remaining, after.locked, after.received, after.released)
    if after.status == "open":
        return (*amounts, schema.OPEN, None, None)
    return (*amounts, _STATUS[after.status], block, numbers.close("orders", after.order.seq, block))


_ADDERS: dict[type[JournalEntry], Callable[..., None]] = {
    Traded: BatchRows._traded,
    Deposited: BatchRows._deposited,
    RefundOpened: BatchRows._refund_opened,
    WithdrawalOpened: BatchRows._withdrawal_opened,
    Paid: BatchRows._paid,
    WithdrawalReturned: BatchRows._returned,
    Outflow: BatchRows._outflow,
    InternalMove: BatchRows._internal_move,
}
