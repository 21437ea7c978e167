"""One batch of effects as database rows: tuples in the order of the tables' columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from settlement.effects import (
    BlockEffects,
    Deposited,
    Effect,
    InternalMove,
    Outflow,
    Paid,
    RefundOpened,
    Returned,
    Traded,
    WithdrawalOpened,
)
from settlement.model import Order, Refund, Wallet
from settlement.store import schema
from settlement.store.keys import transaction_key
from settlement.store.statements import Row

_STATUS = {name: number for number, name in enumerate(schema.ORDER_STATUSES)}


class Numbers:
    """The small integers that stand for accounts, tokens and pairs, and the last key of each table."""

    def __init__(
        self, accounts: dict[str, int], tokens: dict[str, int], pairs: dict[str, int], last: dict[str, int]
    ) -> None:
        self.accounts = accounts
        self.tokens = tokens
        self.pairs = pairs
        self.last = last
        self.wallets: dict[Wallet, tuple[int, int]] = {}
        self.new_accounts: list[Row] = []

    def account(self, name: str) -> int:
        """An account's number; a new one is given to a new account."""
        number = self.accounts.get(name)
        if number is None:
            number = self.accounts[name] = len(self.accounts) + 1
            self.new_accounts.append((number, name))
        return number

    def wallet(self, wallet: Wallet) -> tuple[int, int]:
        """The numbers of a wallet's account and token; `wallets` knows those that were asked for before."""
        numbers = self.wallets.get(wallet)
        if numbers is None:
            numbers = self.wallets[wallet] = (self.account(wallet.account), self.tokens[wallet.symbol])
        return numbers

    def next(self, table: str) -> int:
        self.last[table] += 1
        return self.last[table]


class BatchRows:
    """Collects the rows of a batch by statement name. What changes often is kept once, newest last."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._wallets: dict[Wallet, None] = {}
        self._changed_orders: dict[int, tuple[Order, int]] = {}
        self._new_orders: dict[int, tuple[int, int]] = {}
        self._rows: dict[str, list[Row]] = {}

    def _add(self, statement: str, row: Row) -> None:
        self._rows.setdefault(statement, []).append(row)

    def add_block(self, block: BlockEffects) -> None:
        """Take in one block's effects; the blocks of a batch come in order."""
        header = block.header
        if block.text or block.intents:
            self._add("blocks", (header.number, header.block_id, header.timestamp, block.journal_hash))
        if block.text:
            self._add("journal", (header.number, block.text))
        self._add_intents(block)
        self._add_transfers(block)
        for effect in block.effects:
            add = _ADDERS.get(type(effect))
            if add is not None:
                add(self, effect, header.number)
        for order in block.orders:
            self._changed_orders[order.seq] = (order, header.number)
        self._wallets.update(dict.fromkeys(block.wallets))
        for claim in block.checkpoints:
            n = self._numbers.next("checkpoints")
            self._add(
                "checkpoints", (n, claim.id, header.number, claim.block, claim.state_hash, claim.journal_hash)
            )

    def _add_intents(self, block: BlockEffects) -> None:
        number, numbers = block.header.number, self._numbers
        n = numbers.last["intents"]
        rows = self._rows.setdefault("intents", [])
        for intent in block.intents:
            n += 1
            if intent.seq is not None:
                self._new_orders[intent.seq] = (n, number)
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

    def _add_transfers(self, block: BlockEffects) -> None:
        number, numbers = block.header.number, self._numbers
        known = numbers.wallets  # asked first, because transfers are half of all rows
        n = numbers.last["transfers"]
        rows = self._rows.setdefault("transfers", [])
        for debit, debit_bucket, credit, credit_bucket, amount in block.transfers:
            n += 1
            debit_id, token_id = known.get(debit) or numbers.wallet(debit)
            credit_id, _ = known.get(credit) or numbers.wallet(credit)
            rows.append((n, number, token_id, debit_id, debit_bucket, credit_id, credit_bucket, amount))
        numbers.last["transfers"] = n

    def _traded(self, effect: Traded, block: int) -> None:
        taker = effect.taker
        self._add(
            "trades",
            (
                effect.n,
                block,
                self._numbers.pairs[taker.pair.name],
                taker.seq,
                effect.maker.seq,
                int(taker.is_buy),
                effect.price,
                effect.quantity,
                effect.quote_amount,
                effect.buyer_fee,
                effect.seller_fee,
            ),
        )

    def _deposited(self, effect: Deposited, block: int) -> None:
        account, token = self._numbers.account(effect.account), self._numbers.tokens[effect.symbol]
        n = self._numbers.next("deposits")
        self._add("deposits", (n, effect.id, block, account, token, effect.amount, effect.escrow))

    def _refund_opened(self, effect: RefundOpened, block: int) -> None:
        r = effect.refund
        self._add(
            "refunds",
            (
                *(r.n, r.id, block, r.account, r.chain, r.symbol, r.quantity, r.value, r.escrow),
                *(schema.PENDING, None, None),
            ),
        )

    def _withdrawal_opened(self, effect: WithdrawalOpened, block: int) -> None:
        w = effect.withdrawal
        account, token = self._numbers.account(w.wallet.account), self._numbers.tokens[w.wallet.symbol]
        self._add(
            "withdrawals",
            (w.n, w.id, block, account, token, w.amount, w.to, w.memo, schema.PENDING, None, None),
        )

    def _paid(self, effect: Paid, block: int) -> None:
        table = "refunds" if isinstance(effect.claim, Refund) else "withdrawals"
        self._add(f"{table}_progress", (schema.PAID, effect.movement_id, block, effect.claim.n))

    def _returned(self, effect: Returned, block: int) -> None:
        self._add("withdrawals_progress", (schema.RETURNED, None, block, effect.withdrawal.n))

    def _outflow(self, effect: Outflow, block: int) -> None:
        n = self._numbers.next("outflows")
        self._add(
            "outflows",
            (n, effect.id, block, effect.escrow, effect.chain, effect.symbol, effect.quantity, effect.to),
        )

    def _internal_move(self, e: InternalMove, block: int) -> None:
        n = self._numbers.next("internal_moves")
        self._add("internal_moves", (n, e.id, block, e.sender, e.recipient, e.symbol, e.amount))

    def finish(self) -> Mapping[str, list[Row]]:
        """All rows by statement name, with the newest values of orders, balances and accounts."""
        rows, numbers = self._rows, self._numbers
        rows["balances"] = [(*numbers.wallet(wallet), *wallet.buckets) for wallet in self._wallets]
        for seq, (order, block) in self._changed_orders.items():
            progress = _progress_row(order, block)
            placed = self._new_orders.get(seq)
            if placed is None:
                self._add("orders_progress", (*progress, seq))
            else:
                self._add("orders", _order_row(order, numbers, *placed) + progress)
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


def _progress_row(order: Order, block: int) -> Row:
    status = _STATUS[order.status]
    closed_block = None if status == schema.OPEN else block
    return (order.remaining, order.locked, order.received, order.released, status, closed_block)


_ADDERS: dict[type[Effect], Callable[..., None]] = {
    Traded: BatchRows._traded,
    Deposited: BatchRows._deposited,
    RefundOpened: BatchRows._refund_opened,
    WithdrawalOpened: BatchRows._withdrawal_opened,
    Paid: BatchRows._paid,
    Returned: BatchRows._returned,
    Outflow: BatchRows._outflow,
    InternalMove: BatchRows._internal_move,
}
