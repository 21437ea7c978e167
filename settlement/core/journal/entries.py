"""Journal entries: one typed value for each line of the journal, and the result of a block (section 9).

Journal text and database rows are both made from these values, so they cannot disagree. Amounts are units,
prices ticks, text is percent-encoded. Orders, withdrawals and balances in an entry are the live objects: only
fields that never change may be read from them after the block. The classes are not frozen, because creating
frozen instances takes twice as long and every order creates several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from settlement.core.accounts import Balance
from settlement.core.codes import Code
from settlement.core.events import BlockHeader
from settlement.core.order_book import Order
from settlement.core.payments import Refund, Withdrawal


@dataclass(slots=True)
class OrderExpired:
    """An order's expiry has passed; its `OrderClosed` follows."""

    order: Order

    def line(self) -> str:
        return f"expire {self.order.id}\n"


@dataclass(slots=True)
class Deposited:
    """A deposit was credited."""

    id: str  # the movement's id
    account: str
    symbol: str
    amount: int
    escrow: str

    def line(self) -> str:
        return f"deposit {self.id} {self.account} {self.symbol} {self.amount} {self.escrow}\n"


@dataclass(slots=True)
class RefundOpened:
    """A deposit could not be credited and is due back."""

    refund: Refund

    def line(self) -> str:
        r = self.refund
        return f"refund {r.id} {r.account} {r.symbol} {r.quantity} {r.escrow}\n"


@dataclass(slots=True)
class OrderPlaced:
    """An order was accepted."""

    order: Order

    def line(self) -> str:
        o = self.order
        return (
            f"order {o.id} {o.seq} {o.account.name} {o.pair.name} {'buy' if o.is_buy else 'sell'} "
            f"{'market' if o.market else 'limit'} {'-' if o.price is None else o.price} {o.quantity} "
            f"{'-' if o.expiry is None else o.expiry}\n"
        )


@dataclass(slots=True)
class Traded:
    """One fill."""

    n: int  # counts trades from 1
    taker: Order
    maker: Order
    price: int
    quantity: int  # base units
    quote_amount: int  # quote units
    buyer_fee: int  # base units
    seller_fee: int  # quote units

    def line(self) -> str:
        taker, maker = self.taker, self.maker
        buyer, seller = (taker, maker) if taker.is_buy else (maker, taker)
        return (
            f"trade {self.n} {taker.id} {maker.id} {buyer.account.name} {seller.account.name} "
            f"{taker.pair.name} {self.price} {self.quantity} {self.quote_amount} {self.buyer_fee} "
            f"{self.seller_fee}\n"
        )


@dataclass(slots=True)
class OrderClosed:
    """An order closed."""

    order: Order
    status: str  # filled, cancelled or expired
    released: int  # what was still locked

    def line(self) -> str:
        return f"close {self.order.id} {self.status} {self.released}\n"


@dataclass(slots=True)
class WithdrawalOpened:
    """A withdrawal is pending."""

    withdrawal: Withdrawal

    def line(self) -> str:
        w = self.withdrawal
        return f"withdraw {w.id} {w.balance.account} {w.balance.symbol} {w.amount} {w.to} {w.memo or '-'}\n"


@dataclass(slots=True)
class Paid:
    """An outgoing movement settled a pending withdrawal or refund."""

    payment: Withdrawal | Refund
    movement_id: str

    def line(self) -> str:
        return f"paid {self.payment.id} {self.movement_id}\n"


@dataclass(slots=True)
class WithdrawalReturned:
    """A pending withdrawal went back to its account."""

    withdrawal: Withdrawal

    def line(self) -> str:
        return f"return {self.withdrawal.id}\n"


@dataclass(slots=True)
class Outflow:
    """An outgoing movement that matches no pending payment."""

    id: str  # the movement's id
    escrow: str
    symbol: str
    quantity: str  # literal
    to: str
    chain: str
    units: int | None  # by how much holdings fell, rounded up; None where the token is not listed

    def line(self) -> str:
        return f"outflow {self.id} {self.escrow} {self.symbol} {self.quantity} {self.to}\n"


@dataclass(slots=True)
class InternalMove:
    """A movement from one escrow account to another."""

    id: str  # the movement's id
    sender: str
    recipient: str
    symbol: str
    amount: str  # units, or the literal quantity where there are none
    units: int | None  # by how much holdings changed; None where they did not

    def line(self) -> str:
        return f"internal {self.id} {self.sender} {self.recipient} {self.symbol} {self.amount}\n"


@dataclass(slots=True)
class OperatorActed:
    """An operator action was accepted."""

    id: str
    action: str

    def line(self) -> str:
        return f"operator {self.id} {self.action}\n"


@dataclass(slots=True)
class Rejected:
    """An intent or operator action was rejected."""

    id: str
    account: str  # the signer
    action: str
    code: Code

    def line(self) -> str:
        return f"reject {self.id} {self.account} {self.action} {self.code.value}\n"


JournalEntry = (
    OrderExpired
    | Deposited
    | RefundOpened
    | OrderPlaced
    | Traded
    | OrderClosed
    | WithdrawalOpened
    | Paid
    | WithdrawalReturned
    | Outflow
    | InternalMove
    | OperatorActed
    | Rejected
)


@dataclass(slots=True)
class ActionOutcome:
    """Outcome of one signed action, also of accepted actions without a journal line of their own."""

    id: str
    account: str  # the signer
    action: str  # its name, `-` where that is no plain word
    code: Code | None  # None where it was accepted
    ref: str | None  # the trader's own reference
    seq: int | None  # of the order that it placed


@dataclass(slots=True)
class CheckpointClaim:
    """The operator's public claim about a block (section 8)."""

    id: str
    block: int
    state_hash: str
    journal_hash: str


@dataclass(slots=True)
class LedgerTransfer:
    """Double entry: `amount` units moved from one bucket to another."""

    debit: Balance
    debit_bucket: int
    credit: Balance
    credit_bucket: int
    amount: int


@dataclass(slots=True)
class BalanceAfter:
    """A balance and its buckets at the end of a block."""

    balance: Balance
    available: int
    locked: int
    withdrawing: int
    escrow: int


@dataclass(slots=True)
class OrderAfter:
    """An order and its changing fields at the end of a block."""

    order: Order
    remaining: int
    locked: int
    received: int
    released: int
    status: str


@dataclass(slots=True)
class HoldingsAfter:
    """Holdings of an escrow account in one token at the end of a block."""

    escrow: str
    symbol: str
    units: int


@dataclass(slots=True)
class BlockResult:
    """Everything that one block did."""

    header: BlockHeader
    journal_hash: str  # after the block
    text: str = ""  # the block's journal lines; empty where it has none
    entries: Sequence[JournalEntry] = ()
    outcomes: Sequence[ActionOutcome] = ()
    checkpoints: Sequence[CheckpointClaim] = ()
    transfers: Sequence[LedgerTransfer] = ()
    balances: Sequence[BalanceAfter] = ()  # those that changed
    orders: Sequence[OrderAfter] = ()  # those that changed
    holdings: Sequence[HoldingsAfter] = ()  # those that changed
    rules_changed: bool = False  # tokens, pairs or venue settings changed
