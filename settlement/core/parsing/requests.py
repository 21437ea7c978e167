"""Traders' intents as typed requests: payload in, request or `E_INPUT` out (protocol, section 4).

Nothing here looks at the state of the venue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from settlement.core.parsing.amounts import MAX_INTEGER, Decimal
from settlement.core.parsing.payload import Fields

MAX_MEMO: Final = 256
_TERMS: Final = frozenset(("expiration", "timeInForce", "postOnly", "settle"))
_TIMES_IN_FORCE: Final = ("GTC", "IOC", "FOK")
_SETTLE: Final = ("venue", "wallet")
# mypyc takes no literal with a surrogate.
_FIRST_SURROGATE: Final = chr(0xD800)
_LAST_SURROGATE: Final = chr(0xDFFF)


@dataclass(slots=True, init=False)
class OrderRequest:
    """A wish for an order. `quantity` is base, or the quote budget of a market buy; `price` the limit,
    or the worst price of a market order. `expiration` is in seconds."""

    symbol: str
    quote: str | None
    is_buy: bool
    market: bool
    quantity: Decimal
    price: Decimal | None
    expiration: int | None
    time_in_force: str
    post_only: bool
    to_wallet: bool

    def __init__(
        self,
        symbol: str,
        quote: str | None,
        is_buy: bool,
        market: bool,
        quantity: Decimal,
        price: Decimal | None,
        *,
        to_wallet: bool = False,
    ) -> None:
        self.symbol = symbol
        self.quote = quote
        self.is_buy = is_buy
        self.market = market
        self.quantity = quantity
        self.price = price
        self.expiration = None
        self.time_in_force = "GTC"
        self.post_only = False
        self.to_wallet = to_wallet


@dataclass(slots=True, init=False)
class CancelRequest:
    id: str

    def __init__(self, order_id: str) -> None:
        self.id = order_id


@dataclass(slots=True)
class CancelAllRequest:
    symbol: str | None
    quote: str | None


@dataclass(slots=True)
class ReplaceRequest:
    id: str
    quantity: Decimal | None
    price: Decimal | None


@dataclass(slots=True)
class WithdrawRequest:
    """`quantity` is None for "all". `to` is None for the signer."""

    symbol: str
    quantity: Decimal | None
    to: str | None
    memo: str | None


Request = OrderRequest | CancelRequest | CancelAllRequest | ReplaceRequest | WithdrawRequest


def read_limit(fields: Fields, is_buy: bool) -> OrderRequest:
    """`buy` and `sell`."""
    request = OrderRequest(
        fields.symbol("symbol"),
        fields.optional_symbol("quote"),
        is_buy,
        False,
        fields.amount("quantity"),
        fields.amount("price"),
    )
    if fields.has_any(_TERMS):  # few orders have
        request.expiration = fields.optional_integer("expiration", 1, MAX_INTEGER)
        request.time_in_force = fields.choice("timeInForce", _TIMES_IN_FORCE, "GTC")
        request.post_only = fields.boolean("postOnly")
        request.to_wallet = fields.choice("settle", _SETTLE, "venue") == "wallet"
    return request


def read_market(fields: Fields, is_buy: bool) -> OrderRequest:
    """`marketBuy` and `marketSell`."""
    return OrderRequest(
        fields.symbol("symbol"),
        fields.optional_symbol("quote"),
        is_buy,
        True,
        fields.amount("quantity"),
        fields.optional_amount("price"),
        to_wallet=fields.choice("settle", _SETTLE, "venue") == "wallet",
    )


def read_flat(fields: Fields, side: object) -> OrderRequest:
    """A flat intent: a limit order with the keys of the seed's sites."""
    if side not in ("buy", "sell"):
        fields.bad = True
    if fields.has("username"):
        fields.text("username", lambda _: True)
    return OrderRequest(
        fields.symbol("base"),
        fields.symbol("quote"),
        side == "buy",
        False,
        fields.amount("amount"),
        fields.amount("price"),
    )


def read_request(name: object, fields: Fields) -> Request | None:
    """The request that a trader's action makes; None where there is no such action."""
    match name:
        case "buy" | "sell":
            return read_limit(fields, name == "buy")
        case "marketBuy" | "marketSell":
            return read_market(fields, name == "marketBuy")
        case "cancel":
            return CancelRequest(fields.text("id", lambda _: True))
        case "cancelAll":
            return CancelAllRequest(fields.optional_symbol("symbol"), fields.optional_symbol("quote"))
        case "replace":
            if not fields.has("quantity") and not fields.has("price"):
                fields.bad = True
            return ReplaceRequest(
                fields.text("id", lambda _: True),
                fields.optional_amount("quantity"),
                fields.optional_amount("price"),
            )
        case "withdraw":
            everything = fields.raw("quantity") == "all"
            return WithdrawRequest(
                fields.symbol("symbol"),
                None if everything else fields.amount("quantity"),
                fields.account("to") if fields.has("to") else None,
                fields.optional_text("memo", _is_memo),
            )
        case _:
            return None


def _is_memo(text: str) -> bool:
    """1 to 256 characters, none below U+0020, no U+007F, no surrogate (section 4)."""
    return 0 < len(text) <= MAX_MEMO and not any(
        letter < " " or letter == "\x7f" or _FIRST_SURROGATE <= letter <= _LAST_SURROGATE for letter in text
    )
