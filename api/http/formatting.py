"""Formats integers from the database: amounts and prices as decimal text, times as ISO 8601."""

from __future__ import annotations

from functools import lru_cache

from api.http.shapes import Amount, Block, Part, Price, Side, Time
from settlement.core.journal.lines import iso_time
from settlement.core.parsing.amounts import show_units
from settlement.store.read.market.trades import TradeRow
from settlement.store.read.venue import PairRow


class Trade(Part, kw_only=True):
    """A trade of a pair. The buyer's fee is in base, the seller's in quote."""

    id: int
    ts: Time
    block: Block
    price: Price
    amount: Amount
    quote_amount: Amount
    taker_side: Side
    taker_order: str
    maker_order: str
    buyer_fee: Amount
    seller_fee: Amount


@lru_cache(maxsize=1 << 12)  # many rows of a list share a block
def iso(timestamp: int) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return f"{iso_time(timestamp)}Z"


class PairFormat:
    """Formats the amounts and prices of one pair."""

    def __init__(self, pair: PairRow) -> None:
        self.row = pair

    def base(self, units: int) -> str:
        return show_units(units, self.row.base_precision)

    def quote(self, units: int) -> str:
        return show_units(units, self.row.quote_precision)

    def price(self, ticks: int) -> str:
        return show_units(ticks, self.row.price_decimals)

    def price_or_none(self, ticks: int | None) -> str | None:
        return None if ticks is None else self.price(ticks)

    def value(self, price: int, quantity: int) -> str:
        """Quote value of `quantity` base units at `price` ticks. Exact for whole lots."""
        return self.quote(self.row.value(price, quantity))

    def ratio(self, quote: int, base: int) -> str:
        """Quote units per base units (not 0), with four decimals more than a price, rounded half up."""
        row, more = self.row, 4
        decimals = row.price_decimals + more
        top = quote * 10 ** (row.base_precision + decimals)
        bottom = base * 10**row.quote_precision
        return show_units((2 * top + bottom) // (2 * bottom), decimals)

    def trade(self, trade: TradeRow) -> Trade:
        return Trade(
            id=trade.n,
            ts=iso(trade.timestamp),
            block=trade.block,
            price=self.price(trade.price),
            amount=self.base(trade.quantity),
            quote_amount=self.quote(trade.quote_amount),
            taker_side="buy" if trade.taker_is_buy else "sell",
            taker_order=trade.taker_id,
            maker_order=trade.maker_id,
            buyer_fee=self.base(trade.buyer_fee),
            seller_fee=self.quote(trade.seller_fee),
        )


def percent(change: int, of: int) -> str:
    """`change` as a percentage of `of`, with two decimals, rounded half away from zero."""
    size = (abs(change) * 20_000 + of) // (2 * of)
    return show_units(-size if change < 0 else size, 2)
