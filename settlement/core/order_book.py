"""Orders, pairs and their order books in price-time priority (protocol, sections 1 and 5).

Amounts are units, prices ticks. Only the rules of this package change these objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from settlement.core.accounts import Account, Balance, Token, balance_of
from settlement.core.heap_map import HeapMap


@dataclass(slots=True, eq=False)
class PriceLevel:
    """The resting orders of one price, oldest first, as a doubly linked list: adding and removing is O(1)."""

    price: int
    head: Order | None = None  # the oldest order
    tail: Order | None = None  # the newest order
    remaining: int = 0  # base units of all its orders
    count: int = 0  # number of its orders


@dataclass(slots=True, eq=False)
class Order:
    """An order, from acceptance to close."""

    id: str
    account: Account
    pair: Pair
    is_buy: bool
    market: bool
    price: int | None  # limit price in ticks; of a market order the worst price, if it has one
    quantity: int  # base units; of a market buy its budget in quote units
    expiry: int | None  # Unix seconds; None for market orders
    to_wallet: bool  # withdraw what it received and released when it closes
    seq: int = 0  # sequence number, counting accepted orders from 1
    remaining: int = field(init=False)  # what is left of `quantity`
    locked: int = 0  # units of `gives`
    received: int = 0  # units of `receives`, net of fees
    released: int = 0  # units of `gives` that left the lock unspent
    status: str = "open"  # open, filled, cancelled or expired
    gives: Balance = field(init=False)  # quote for a buy, base for a sell
    receives: Balance = field(init=False)  # base for a buy, quote for a sell
    checked_locked: int = 0  # `locked` at the end of the last block that was checked
    level: PriceLevel | None = None  # where it rests; None while it is not on the book
    older: Order | None = None  # the order before it in its price level
    newer: Order | None = None  # the order behind it in its price level

    def __post_init__(self) -> None:
        base, quote = self.pair.base.symbol, self.pair.quote.symbol
        self.remaining = self.quantity
        self.gives = balance_of(self.account, quote if self.is_buy else base)
        self.receives = balance_of(self.account, base if self.is_buy else quote)

    @property
    def required_lock(self) -> int:
        """The lock that a resting order needs for what remains of it (section 5), in units of `gives`."""
        assert self.price is not None
        return self.pair.value(self.price, self.remaining) if self.is_buy else self.remaining


class BookSide:
    """One side of an order book: price levels, best price first. The key of a bid is its negative price."""

    __slots__ = ("levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: HeapMap[int, PriceLevel] = HeapMap()

    def best(self) -> Order | None:
        """The order that trades first: best price, then lowest sequence."""
        level = self.levels.first()
        return None if level is None else level.head

    def add(self, order: Order) -> None:
        """Append an order to its price level."""
        assert order.price is not None
        key = self.sign * order.price
        level = self.levels.items.get(key)
        if level is None:
            level = PriceLevel(order.price)
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
        """Unlink an order from its price level; an empty level is removed too."""
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


@dataclass(slots=True, eq=False)
class Pair:
    """A listed pair with its rules and its order book."""

    base: Token
    quote: Token
    price_decimals: int  # a tick is 10^-price_decimals quote per base
    quantity_decimals: int  # a lot is 10^-quantity_decimals base
    maker_fee_bps: int = 0  # basis points of what the maker receives
    taker_fee_bps: int = 0  # basis points of what the taker receives
    price_policy: str = "maker"  # one of venue.PRICE_POLICIES
    self_trade: str = "cancel_resting"  # one of venue.SELF_TRADE_POLICIES
    status: str = "active"  # one of venue.PAIR_STATUSES
    name: str = field(init=False)  # BASE/QUOTE
    lot_units: int = field(init=False)  # base units of one lot
    lot_value: int = field(init=False)  # quote units of one lot at a price of one tick
    bids: BookSide = field(default_factory=lambda: BookSide(-1))
    asks: BookSide = field(default_factory=lambda: BookSide(1))

    def __post_init__(self) -> None:
        self.name = f"{self.base.symbol}/{self.quote.symbol}"
        self.lot_units = 10 ** (self.base.precision - self.quantity_decimals)
        self.lot_value = 10 ** (self.quote.precision - self.price_decimals - self.quantity_decimals)

    def side(self, is_buy: bool) -> BookSide:
        """The side on which buys (bids) or sells (asks) rest."""
        return self.bids if is_buy else self.asks

    def value(self, price: int, quantity: int) -> int:
        """Quote units of `quantity` base units at `price` ticks. Exact, because quantities are whole lots."""
        return price * (quantity // self.lot_units) * self.lot_value

    def affordable(self, price: int, budget: int) -> int:
        """The most base units, in whole lots, that `budget` quote units buy at `price` ticks."""
        return budget // (price * self.lot_value) * self.lot_units
