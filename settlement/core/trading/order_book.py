"""Orders, stops, pairs and their order books in price-time priority (protocol, sections 1 and 7).

Amounts are units, prices ticks. Only the rules of this package change these objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from settlement.core.accounts import Account, Balance, Token, balance_of
from settlement.core.heap_map import HeapMap
from settlement.core.trading.mark import Mark

_LAST: Final = 1 << 63
"""Above every sequence number."""


@dataclass(slots=True, eq=False, init=False)
class PriceLevel:
    """The resting orders of one price, oldest first, as a doubly linked list: adding and removing is O(1)."""

    price: int
    head: Order | None  # the oldest order
    tail: Order | None  # the newest order
    remaining: int  # base units of all its orders
    count: int  # number of its orders

    # Written out, because mypyc does not compile the constructor of a dataclass.
    def __init__(self, price: int) -> None:
        self.price = price
        self.head = self.tail = None
        self.remaining = self.count = 0

    def orders(self) -> Iterator[Order]:
        """Its orders, oldest first."""
        order = self.head
        while order is not None:
            yield order
            order = order.newer


@dataclass(slots=True, eq=False, init=False)
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
    stop_price: int | None  # trigger of its protective stop, ticks
    stop_limit: int | None  # worst price of its protective stop, ticks
    time_in_force: str  # GTC, IOC or FOK
    post_only: bool
    fired_fee_bps: int | None  # where a stop fired it: the taker fee at the stop's acceptance
    maker_fee_bps: int  # the pair's maker fee at acceptance
    taker_fee_bps: int  # the pair's taker fee at acceptance
    seq: int  # sequence number; orders and stops are counted together from 1
    remaining: int  # what is left of `quantity`
    locked: int  # units of `gives`
    received: int  # units of `receives`, net of fees; at most 2^63 - 1
    released: int  # units of `gives` that left the lock unspent; at most 2^63 - 1
    gives: Balance  # quote for a buy, base for a sell
    receives: Balance  # base for a buy, quote for a sell
    checked_locked: int  # `locked` at the end of the last block that was checked
    level: PriceLevel | None  # where it rests; None while it is not on the book
    older: Order | None  # the order before it in its price level
    newer: Order | None  # the order behind it in its price level

    # Written out, because mypyc does not compile the constructor of a dataclass.
    def __init__(
        self,
        id: str,
        account: Account,
        pair: Pair,
        is_buy: bool,
        market: bool,
        price: int | None,
        quantity: int,
        expiry: int | None,
        to_wallet: bool = False,
        stop_price: int | None = None,
        stop_limit: int | None = None,
        time_in_force: str = "GTC",
        post_only: bool = False,
        fired_fee_bps: int | None = None,
        maker_fee_bps: int = 0,
        taker_fee_bps: int = 0,
        seq: int = 0,
        locked: int = 0,
        received: int = 0,
        released: int = 0,
    ) -> None:
        self.id = id
        self.account = account
        self.pair = pair
        self.is_buy = is_buy
        self.market = market
        self.price = price
        self.quantity = self.remaining = quantity
        self.expiry = expiry
        self.to_wallet = to_wallet
        self.stop_price = stop_price
        self.stop_limit = stop_limit
        self.time_in_force = time_in_force
        self.post_only = post_only
        self.fired_fee_bps = fired_fee_bps
        self.maker_fee_bps = maker_fee_bps
        self.taker_fee_bps = taker_fee_bps
        self.seq = seq
        self.locked = locked
        self.received = received
        self.released = released
        base = balance_of(account, pair.base.symbol)
        quote = balance_of(account, pair.quote.symbol)
        self.gives, self.receives = (quote, base) if is_buy else (base, quote)
        self.checked_locked = 0
        self.level = self.older = self.newer = None

    @property
    def required_lock(self) -> int:
        """The lock that a limit order needs for what remains of it (section 7), in units of `gives`."""
        assert self.price is not None
        return self.pair.value(self.price, self.remaining) if self.is_buy else self.remaining

    @property
    def action(self) -> str:
        """The name of the action that makes such an order."""
        if self.market:
            return "marketBuy" if self.is_buy else "marketSell"
        return "buy" if self.is_buy else "sell"


@dataclass(slots=True, eq=False)
class Stop:
    """An order that waits until the mark reaches its trigger price (section 7)."""

    id: str
    account: Account
    pair: Pair
    is_buy: bool
    market: bool
    price: int | None  # limit price, or worst price; ticks
    quantity: int  # base units; of a market buy its budget in quote units
    expiry: int  # Unix seconds
    above: bool  # reached when the mark is at the trigger price or above it; else at it or below
    trigger_price: int  # ticks
    time_in_force: str  # GTC, IOC or FOK
    post_only: bool
    taker_fee_bps: int  # the pair's taker fee at acceptance
    locked: int  # units of `gives`
    seq: int = 0  # sequence number, shared with orders
    gives: Balance = field(init=False)  # quote for a buy, base for a sell
    checked_locked: int = 0  # `locked` at the end of the last block that was checked

    def __post_init__(self) -> None:
        token = self.pair.quote if self.is_buy else self.pair.base
        self.gives = balance_of(self.account, token.symbol)


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


class TriggerIndex:
    """Stops and orders with protective stops that wait for the mark to reach a price from one side.

    Adding and removing one is O(log n) or better. A mark that reaches none costs O(1), however many wait.
    """

    __slots__ = ("_above", "_waiting")

    def __init__(self, *, above: bool) -> None:
        self._above = above
        self._waiting: HeapMap[tuple[int, int], Stop | Order] = HeapMap()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Stop | Order]:
        return iter(self._waiting.items.values())

    def add(self, waiting: Stop | Order) -> None:
        self._waiting.put(self._key(waiting), waiting)

    def remove(self, waiting: Stop | Order) -> None:
        self._waiting.discard(self._key(waiting))

    def reached(self, mark: Mark, tick_value: int) -> list[Stop | Order]:
        """Those whose price the mark has reached, in no particular order.

        `tick_value` is `value(1, B)` of the mark Q/B. Prices are integers: Q ≥ p × tick_value exactly where
        p ≤ Q // tick_value, and Q ≤ p × tick_value exactly where -p ≤ -Q // tick_value.
        """
        limit = (mark.quote if self._above else -mark.quote) // tick_value
        return self._waiting.up_to((limit, _LAST))

    def _key(self, waiting: Stop | Order) -> tuple[int, int]:
        price = trigger_price(waiting)
        return (price if self._above else -price, waiting.seq)


def trigger_price(waiting: Stop | Order) -> int:
    """The price, in ticks, at which a stop or an order's protective stop fires."""
    if isinstance(waiting, Stop):
        return waiting.trigger_price
    assert waiting.stop_price is not None
    return waiting.stop_price


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
    mark: Mark = field(default_factory=Mark)
    above: TriggerIndex = field(default_factory=lambda: TriggerIndex(above=True))
    below: TriggerIndex = field(default_factory=lambda: TriggerIndex(above=False))

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

    def is_reached(self, price: int, *, above: bool) -> bool:
        """Whether the mark is at a price or beyond it; never without a mark (section 7)."""
        if not self.mark.base:
            return False
        value = self.value(price, self.mark.base)
        return self.mark.quote >= value if above else self.mark.quote <= value

    def reached(self) -> list[Stop | Order]:
        """All stops and orders with protective stops whose price the mark has reached, by sequence."""
        mark = self.mark
        if not mark.base or not (len(self.above) or len(self.below)):
            return []
        tick_value = self.value(1, mark.base)
        found = self.above.reached(mark, tick_value) + self.below.reached(mark, tick_value)
        return sorted(found, key=attrgetter("seq"))

    def open_orders(self) -> list[Order | Stop]:
        """All open orders and stops of the pair, by sequence."""
        levels = [*self.bids.levels.items.values(), *self.asks.levels.items.values()]
        found: list[Order | Stop] = [order for level in levels for order in level.orders()]
        found += [stop for stop in (*self.above, *self.below) if isinstance(stop, Stop)]
        return sorted(found, key=attrgetter("seq"))

    def waiting(self, waiting: Stop | Order) -> TriggerIndex:
        """The index in which a stop or an order's protective stop waits; that of a sell waits below."""
        above = waiting.above if isinstance(waiting, Stop) else waiting.is_buy
        return self.above if above else self.below

    def affordable(self, price: int, budget: int) -> int:
        """The most base units, in whole lots, that `budget` quote units buy at `price` ticks."""
        return budget // (price * self.lot_value) * self.lot_units
