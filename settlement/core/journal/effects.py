"""What happened: one value for each journal line (protocol, section 9).

The journal is the text of these values, the database rows are made from the same values: neither can
say something that the other does not. Amounts are units, prices ticks, names encoded text. Nobody changes
them; they are not frozen only because so many are made that it would be felt. For the same reason those that
are made for every order write their own `__init__`: mypyc compiles no other.
"""

from __future__ import annotations

from dataclasses import dataclass

from settlement.core.codes import Code
from settlement.core.events import BlockHeader
from settlement.core.model import Order, Refund, Wallet, Withdrawal


@dataclass(slots=True)
class Expired:
    order: Order

    def line(self) -> str:
        return f"expire {self.order.id}\n"


@dataclass(slots=True)
class Deposited:
    id: str
    account: str
    symbol: str
    amount: int
    escrow: str

    def line(self) -> str:
        return f"deposit {self.id} {self.account} {self.symbol} {self.amount} {self.escrow}\n"


@dataclass(slots=True)
class RefundOpened:
    refund: Refund

    def line(self) -> str:
        r = self.refund
        return f"refund {r.id} {r.account} {r.symbol} {r.quantity} {r.escrow}\n"


@dataclass(slots=True, init=False)
class OrderPlaced:
    """`seq` as given; the order itself goes on living, so only what never changes is read from it later."""

    order: Order

    def __init__(self, order: Order) -> None:
        self.order = order

    def line(self) -> str:
        o = self.order
        return (
            f"order {o.id} {o.seq} {o.account.name} {o.pair.name} {'buy' if o.is_buy else 'sell'} "
            f"{'market' if o.market else 'limit'} {'-' if o.price is None else o.price} {o.quantity} "
            f"{'-' if o.expiry is None else o.expiry}\n"
        )


@dataclass(slots=True, init=False)
class Traded:
    """One fill. Fees are in units of what each side receives: base for the buyer, quote for the seller."""

    n: int
    taker: Order
    maker: Order
    price: int
    quantity: int
    quote_amount: int
    buyer_fee: int
    seller_fee: int

    def __init__(
        self,
        n: int,
        taker: Order,
        maker: Order,
        price: int,
        quantity: int,
        quote_amount: int,
        buyer_fee: int,
        seller_fee: int,
    ) -> None:
        self.n = n
        self.taker = taker
        self.maker = maker
        self.price = price
        self.quantity = quantity
        self.quote_amount = quote_amount
        self.buyer_fee = buyer_fee
        self.seller_fee = seller_fee

    def line(self) -> str:
        taker, maker = self.taker, self.maker
        buyer, seller = (taker, maker) if taker.is_buy else (maker, taker)
        return (
            f"trade {self.n} {taker.id} {maker.id} {buyer.account.name} {seller.account.name} "
            f"{taker.pair.name} {self.price} {self.quantity} {self.quote_amount} {self.buyer_fee} "
            f"{self.seller_fee}\n"
        )


@dataclass(slots=True, init=False)
class OrderClosed:
    order: Order
    status: str
    released: int

    def __init__(self, order: Order, status: str, released: int) -> None:
        self.order = order
        self.status = status
        self.released = released

    def line(self) -> str:
        return f"close {self.order.id} {self.status} {self.released}\n"


@dataclass(slots=True)
class WithdrawalOpened:
    withdrawal: Withdrawal

    def line(self) -> str:
        w = self.withdrawal
        return f"withdraw {w.id} {w.wallet.account} {w.wallet.symbol} {w.amount} {w.to} {w.memo or '-'}\n"


@dataclass(slots=True)
class Paid:
    """A withdrawal or a refund was paid by a movement that the chain shows."""

    claim: Withdrawal | Refund
    movement_id: str

    def line(self) -> str:
        return f"paid {self.claim.id} {self.movement_id}\n"


@dataclass(slots=True)
class Returned:
    withdrawal: Withdrawal

    def line(self) -> str:
        return f"return {self.withdrawal.id}\n"


@dataclass(slots=True)
class Outflow:
    """Money left an escrow account, and no claim explains it. `chain` tells two tokens of one name apart.
    `units` is by how much holdings fell; None where the token is not ours."""

    id: str
    escrow: str
    symbol: str
    quantity: str
    to: str
    chain: str
    units: int | None

    def line(self) -> str:
        return f"outflow {self.id} {self.escrow} {self.symbol} {self.quantity} {self.to}\n"


@dataclass(slots=True)
class InternalMove:
    """From one escrow account to another. `amount` is units, or the literal quantity of an unlisted token.
    `units` is by how much holdings changed; None where the token is not ours."""

    id: str
    sender: str
    recipient: str
    symbol: str
    amount: str
    units: int | None

    def line(self) -> str:
        return f"internal {self.id} {self.sender} {self.recipient} {self.symbol} {self.amount}\n"


@dataclass(slots=True)
class OperatorActed:
    id: str
    action: str

    def line(self) -> str:
        return f"operator {self.id} {self.action}\n"


@dataclass(slots=True)
class Rejected:
    id: str
    account: str
    action: str
    code: Code

    def line(self) -> str:
        return f"reject {self.id} {self.account} {self.action} {self.code.value}\n"


Effect = (
    Expired
    | Deposited
    | RefundOpened
    | OrderPlaced
    | Traded
    | OrderClosed
    | WithdrawalOpened
    | Paid
    | Returned
    | Outflow
    | InternalMove
    | OperatorActed
    | Rejected
)


@dataclass(slots=True, init=False)
class IntentSeen:
    """What became of one signed action, accepted ones without a journal line of their own included.

    `code` is None where it was accepted; `seq` is the sequence of the order that it placed, if any.
    """

    id: str
    account: str
    action: str
    code: Code | None
    ref: str | None
    seq: int | None

    def __init__(
        self, intent_id: str, account: str, action: str, code: Code | None, ref: str | None, seq: int | None
    ) -> None:
        self.id = intent_id
        self.account = account
        self.action = action
        self.code = code
        self.ref = ref
        self.seq = seq


@dataclass(slots=True)
class CheckpointClaimed:
    """The operator's public claim about a block (section 8)."""

    id: str
    block: int
    state_hash: str
    journal_hash: str


Transfer = tuple[Wallet, int, Wallet, int, int]
"""Debit wallet and bucket, credit wallet and bucket, amount in units."""
WalletAfter = tuple[Wallet, int, int, int, int]
"""A wallet, and its buckets at the end of a block."""
OrderAfter = tuple[Order, int, int, int, int, str]
"""An order, and at the end of a block: remaining, locked, received, released, status."""


@dataclass(slots=True)
class BlockEffects:
    """All that one block did. `text` is its part of the journal, empty where nothing of ours happened.

    `wallets`, `orders` and `holdings` (escrow account, symbol, units) are those that changed, with their
    values at the end of the block: the wallet and the order themselves go on living.
    """

    header: BlockHeader
    effects: list[Effect]
    intents: list[IntentSeen]
    checkpoints: list[CheckpointClaimed]
    transfers: list[Transfer]
    wallets: list[WalletAfter]
    orders: list[OrderAfter]
    holdings: list[tuple[str, str, int]]
    text: str
    journal_hash: str
    rules_changed: bool
