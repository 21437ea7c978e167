"""The venue: tokens and pairs including those listed later, and values that the operator can change."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.store import schema


class VenueRow(NamedTuple):
    """The venue file as last read, and those of its values that the operator can change."""

    text: str
    max_open_orders: int
    fee_account: str


class TokenRow(NamedTuple):
    """A listed token."""

    id: int
    symbol: str
    precision: int
    chain: str
    escrow: str
    min_withdrawal: int  # units


class PairRow(NamedTuple):
    """A pair with the precisions of its tokens."""

    id: int
    base: str
    quote: str
    price_decimals: int
    quantity_decimals: int
    maker_fee_bps: int
    taker_fee_bps: int
    price_policy: str
    self_trade: str
    status: str
    base_precision: int
    quote_precision: int

    def value(self, price: int, quantity: int) -> int:
        """Quote units of `quantity` base units at `price` ticks. Exact, because quantities are whole lots."""
        lots: int = quantity // 10 ** (self.base_precision - self.quantity_decimals)
        lot_value: int = 10 ** (self.quote_precision - self.price_decimals - self.quantity_decimals)
        return price * lots * lot_value

    def lock(self, *, is_buy: bool, market: bool, price: int | None, units: int) -> int:
        """What an order or stop of `units` locks: quote units of a buy, base units of a sell.

        `units` are base units; of a market buy they are its budget in quote units.
        """
        if market or not is_buy:
            return units
        assert price is not None
        return self.value(price, units)


_c, _p = schema.cursor.c, schema.pairs.c
_VENUE = select(_c.venue_text, _c.max_open_orders, _c.fee_account)
_TOKENS = select(schema.tokens).order_by(schema.tokens.c.id)
_base, _quote = schema.tokens.alias("base_token"), schema.tokens.alias("quote_token")
_PAIRS = (
    select(
        schema.pairs,
        _base.c.precision.label("base_precision"),
        _quote.c.precision.label("quote_precision"),
    )
    .join(_base, _base.c.symbol == _p.base)
    .join(_quote, _quote.c.symbol == _p.quote)
    .order_by(_p.id)
)
_PAIR = _PAIRS.where(_p.base == bindparam("base"), _p.quote == bindparam("quote"))
_ACCOUNT = select(schema.accounts.c.id).where(schema.accounts.c.name == bindparam("name"))


def read_venue(connection: Connection) -> VenueRow:
    return VenueRow(*connection.execute(_VENUE).one())


def read_tokens(connection: Connection) -> list[TokenRow]:
    """All tokens in order of listing."""
    return [TokenRow(*row) for row in connection.execute(_TOKENS)]


def read_pairs(connection: Connection) -> dict[int, PairRow]:
    """All pairs by number, in order of listing."""
    return {row.id: PairRow(*row) for row in connection.execute(_PAIRS)}


def find_pair(connection: Connection, base: str, quote: str) -> PairRow | None:
    row = connection.execute(_PAIR, {"base": base, "quote": quote}).one_or_none()
    return None if row is None else PairRow(*row)


def find_account(connection: Connection, name: str) -> int | None:
    """The number of an account by its encoded name; None if it has never been active."""
    return connection.execute(_ACCOUNT, {"name": name}).scalar_one_or_none()
