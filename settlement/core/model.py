"""The things that the rules move: wallets, orders, price levels, pairs, tokens, withdrawals.

Mutable and slotted; only the rules of this package change them. Amounts are units, prices ticks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from settlement.core.ordered_map import Ranked
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.names import encode

AVAILABLE: Final = 0
LOCKED: Final = 1
WITHDRAWING: Final = 2
ESCROW: Final = 3
BUCKETS: Final = ("available", "locked", "withdrawing", "escrow")
"""Buckets of a wallet by their number. Escrow is the counterpart of all deposits: never positive."""


class Wallet:
    """What one account holds of one token, by bucket. `checked` is its sum after the last checked block."""

    __slots__ = ("account", "buckets", "checked", "checked_locked", "checked_withdrawing", "symbol")

    def __init__(self, account: str, symbol: str) -> None:
        self.account = account
        self.symbol = symbol
        self.buckets = [0, 0, 0, 0]
        self.checked = 0
        self.checked_locked = 0
        self.checked_withdrawing = 0

    @property
    def available(self) -> int:
        return self.buckets[AVAILABLE]


class Account:
    """An account that the ledger knows: its wallets by symbol, its open orders by id in order of sequence."""

    __slots__ = ("name", "orders", "wallets")

    def __init__(self, name: str) -> None:
        self.name = name
        self.wallets: dict[str, Wallet] = {}
        self.orders: dict[str, Order] = {}


class Token:
    """A listed token. `contra` is its escrow account's wallet: minus all that the venue owes of it."""

    __slots__ = ("chain", "contra", "escrow", "precision", "symbol")

    def __init__(self, symbol: str, precision: int, chain: str, escrow: str, contra: Wallet) -> None:
        self.symbol = symbol
        self.precision = precision
        self.chain = chain
        self.escrow = escrow
        self.contra = contra

    @property
    def liabilities_units(self) -> int:
        """Available + locked + withdrawing over all accounts."""
        return -self.contra.buckets[ESCROW]


class Level:
    """The orders of one price, oldest first, as a linked list: every change is O(1), without remains."""

    __slots__ = ("count", "head", "price", "remaining", "tail")

    def __init__(self, price: int) -> None:
        self.price = price
        self.head: Order | None = None
        self.tail: Order | None = None
        self.remaining = 0
        self.count = 0


class Order:
    """An order. Limit: `price` in ticks, `quantity` and `remaining` in base units. Market buy: `quantity`
    is the budget in quote units and `locked` what is left of it; `price` is the worst price or None.

    `locked` is in units of what it gives (quote for a buy, base for a sell); `received` in units of
    what it gets, net of fees; `released` what its lock gave back so far.
    """

    __slots__ = (
        "account",
        "checked_locked",
        "expiry",
        "gives",
        "id",
        "is_buy",
        "level",
        "locked",
        "market",
        "newer",
        "older",
        "pair",
        "price",
        "quantity",
        "received",
        "receives",
        "released",
        "remaining",
        "seq",
        "status",
        "to_wallet",
    )

    def __init__(
        self,
        order_id: str,
        account: Account,
        pair: Pair,
        *,
        is_buy: bool,
        market: bool,
        price: int | None,
        quantity: int,
        expiry: int | None,
        to_wallet: bool,
    ) -> None:
        self.id = order_id
        self.seq = 0
        self.account = account
        self.pair = pair
        self.is_buy = is_buy
        self.market = market
        self.price = price
        self.quantity = quantity
        self.remaining = quantity
        self.expiry = expiry
        self.to_wallet = to_wallet
        self.locked = 0
        self.received = 0
        self.released = 0
        self.status = "open"
        self.checked_locked = 0
        base, quote = pair.base.symbol, pair.quote.symbol
        self.gives = wallet_of(account, quote if is_buy else base)
        self.receives = wallet_of(account, base if is_buy else quote)
        self.level: Level | None = None
        self.older: Order | None = None
        self.newer: Order | None = None

    @property
    def needed_units(self) -> int:
        """The lock that a resting order still needs (section 5)."""
        assert self.price is not None
        return self.pair.value(self.price, self.remaining) if self.is_buy else self.remaining


class Side:
    """One side of a book. Keys rise from the best price on: a bid's key is minus its price."""

    __slots__ = ("levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: Ranked[int, Level] = Ranked()

    def best(self) -> Order | None:
        """The order that trades first: best price, then lowest sequence."""
        level = self.levels.first()
        return None if level is None else level.head

    def add(self, order: Order) -> None:
        """Put an order behind those of its price."""
        assert order.price is not None
        key = self.sign * order.price
        level = self.levels.items.get(key)
        if level is None:
            level = Level(order.price)
            self.levels.put(key, level)
        tail = level.tail
        if tail is None:
            level.head = order
        else:
            tail.newer = order
            order.older = tail
        level.tail = order
        level.remaining += order.remaining
        level.count += 1
        order.level = level

    def remove(self, order: Order) -> None:
        """Take an order off the book, wherever it stands."""
        level = order.level
        assert level is not None
        older, newer = order.older, order.newer
        if older is None:
            level.head = newer
        else:
            older.newer = newer
        if newer is None:
            level.tail = older
        else:
            newer.older = older
        order.level = order.older = order.newer = None
        level.remaining -= order.remaining
        level.count -= 1
        if level.head is None:
            self.levels.discard(self.sign * level.price)


class Pair:
    """A pair with its rules and its book. `lot_units` is one lot in base units."""

    __slots__ = (
        "asks",
        "base",
        "bids",
        "lot_units",
        "lot_value",
        "maker_fee_bps",
        "name",
        "price_decimals",
        "price_policy",
        "quantity_decimals",
        "quote",
        "self_trade",
        "status",
        "taker_fee_bps",
    )

    def __init__(self, base: Token, quote: Token, price_decimals: int, quantity_decimals: int) -> None:
        self.base = base
        self.quote = quote
        self.name = f"{base.symbol}/{quote.symbol}"
        self.price_decimals = price_decimals
        self.quantity_decimals = quantity_decimals
        self.lot_units: int = 10 ** (base.precision - quantity_decimals)
        self.lot_value: int = 10 ** (quote.precision - price_decimals - quantity_decimals)
        self.maker_fee_bps = 0
        self.taker_fee_bps = 0
        self.price_policy = "maker"
        self.self_trade = "cancel_resting"
        self.status = "active"
        self.bids = Side(-1)
        self.asks = Side(1)

    def value(self, price: int, quantity: int) -> int:
        """Quote units of `quantity` base units at `price` ticks: exact, for quantities are whole lots."""
        return price * (quantity // self.lot_units) * self.lot_value

    def affordable(self, price: int, budget: int) -> int:
        """The most base units, in whole lots, that `budget` quote units buy at `price` ticks."""
        return budget // (price * self.lot_value) * self.lot_units

    def show_price(self, ticks: int) -> str:
        return show_units(ticks, self.price_decimals)


PaymentKey = tuple[str, ...]


def default_memo(claim_id: str) -> str:
    """The memo, encoded, of a payment whose claim has none of its own."""
    if claim_id.isalnum() and claim_id.isascii():  # a transaction's id, as most are: ten times as quick
        return f"peakedex%3A{claim_id}"
    return encode(f"peakedex:{claim_id}")


@dataclass(slots=True)
class Withdrawal:
    """Money on its way out. `n` counts from 1 in order of opening; `to` and `memo` are encoded text."""

    n: int
    id: str
    wallet: Wallet
    amount: int
    to: str
    memo: str | None

    @property
    def payment_key(self) -> PaymentKey:
        """What its payment looks like (section 7): token, amount, recipient and memo."""
        return (self.wallet.symbol, str(self.amount), self.to, self.memo or default_memo(self.id))


@dataclass(slots=True)
class Refund:
    """A deposit that could not be credited and is owed back. All text is encoded, `quantity` literally."""

    n: int
    id: str
    account: str
    chain: str
    symbol: str
    quantity: str
    value: str
    escrow: str

    @property
    def payment_key(self) -> PaymentKey:
        """What its payment looks like (section 7): token, value, recipient, memo, and where it lies."""
        return (self.symbol, self.value, self.account, default_memo(self.id), self.escrow, self.chain)


Claim = TypeVar("Claim", Withdrawal, Refund)


class Claims(Generic[Claim]):
    """Open claims by id, in order of opening, and by what a payment of them looks like."""

    __slots__ = ("_by_payment", "by_id")

    def __init__(self) -> None:
        self.by_id: dict[str, Claim] = {}
        self._by_payment: dict[PaymentKey, Ranked[int, Claim]] = {}

    def open(self, claim: Claim) -> None:
        """Add a claim; claims are opened in order of `n`."""
        self.by_id[claim.id] = claim
        self._by_payment.setdefault(claim.payment_key, Ranked()).put(claim.n, claim)

    def oldest(self, key: PaymentKey) -> Claim | None:
        """The oldest open claim that such a payment settles."""
        queue = self._by_payment.get(key)
        return None if queue is None else queue.first()

    def close(self, claim: Claim) -> None:
        """Remove a claim that was paid or returned."""
        del self.by_id[claim.id]
        queue = self._by_payment[claim.payment_key]
        queue.discard(claim.n)
        if not queue:
            del self._by_payment[claim.payment_key]


def wallet_of(account: Account, symbol: str) -> Wallet:
    """The account's wallet of a token, made empty where there is none yet."""
    wallet = account.wallets.get(symbol)
    if wallet is None:
        wallet = account.wallets[symbol] = Wallet(account.name, symbol)
    return wallet
