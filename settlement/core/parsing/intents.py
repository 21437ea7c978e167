"""Traders' intents: from payload to typed values (protocol, section 4).

Nothing here depends on the venue's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from settlement.core.parsing.amounts import MAX_INTEGER, Decimal
from settlement.core.parsing.payload_reader import PayloadReader

MAX_MEMO: Final = 256
_OPTIONS: Final = frozenset(("expiration", "timeInForce", "postOnly", "settle"))
_TIMES_IN_FORCE: Final = ("GTC", "IOC", "FOK")
_SETTLE: Final = ("venue", "wallet")


@dataclass(slots=True)
class OrderIntent:
    """`buy`, `sell`, `marketBuy`, `marketSell` and flat intents."""

    symbol: str  # of the base token
    quote: str | None  # None for the default quote
    is_buy: bool
    market: bool
    quantity: Decimal  # base; of a market buy the quote amount to spend
    price: Decimal | None  # limit price; of a market order the worst price
    expiration: int | None = None  # seconds
    time_in_force: str = "GTC"
    post_only: bool = False
    to_wallet: bool = False  # `settle` is `wallet`


@dataclass(slots=True)
class CancelIntent:
    id: str  # of an open order


@dataclass(slots=True)
class CancelAllIntent:
    symbol: str | None  # only orders of this base
    quote: str | None  # only orders of this quote


@dataclass(slots=True)
class ReplaceIntent:
    id: str  # of an open order
    quantity: Decimal | None  # None for what remains
    price: Decimal | None  # None for the old price


@dataclass(slots=True)
class WithdrawIntent:
    symbol: str
    quantity: Decimal | None  # None for "all"
    to: str | None  # None for the signer
    memo: str | None


Intent = OrderIntent | CancelIntent | CancelAllIntent | ReplaceIntent | WithdrawIntent


def read_intent(name: object, reader: PayloadReader) -> Intent | None:
    """The intent of a trader's action; None for an unknown action. Bad values make `reader.invalid` true."""
    match name:
        case "buy" | "sell":
            return _read_limit_order(reader, is_buy=name == "buy")
        case "marketBuy" | "marketSell":
            return _read_market_order(reader, is_buy=name == "marketBuy")
        case "cancel":
            return CancelIntent(id=reader.text("id", _any_text))
        case "cancelAll":
            return CancelAllIntent(
                symbol=reader.optional_symbol("symbol"), quote=reader.optional_symbol("quote")
            )
        case "replace":
            if not reader.has("quantity") and not reader.has("price"):
                reader.invalid = True
            return ReplaceIntent(
                id=reader.text("id", _any_text),
                quantity=reader.optional_amount("quantity"),
                price=reader.optional_amount("price"),
            )
        case "withdraw":
            withdraw_all = reader.raw("quantity") == "all"
            return WithdrawIntent(
                symbol=reader.symbol("symbol"),
                quantity=None if withdraw_all else reader.amount("quantity"),
                to=reader.account("to") if reader.has("to") else None,
                memo=reader.optional_text("memo", _is_memo),
            )
        case _:
            return None


def read_flat_intent(side: object, reader: PayloadReader) -> OrderIntent:
    """A flat intent: a limit order without `contractName`, with other keys."""
    if side not in ("buy", "sell"):
        reader.invalid = True
    reader.optional_text("username", _any_text)
    return OrderIntent(
        symbol=reader.symbol("base"),
        quote=reader.symbol("quote"),
        is_buy=side == "buy",
        market=False,
        quantity=reader.amount("amount"),
        price=reader.amount("price"),
    )


def _read_limit_order(reader: PayloadReader, *, is_buy: bool) -> OrderIntent:
    intent = OrderIntent(
        symbol=reader.symbol("symbol"),
        quote=reader.optional_symbol("quote"),
        is_buy=is_buy,
        market=False,
        quantity=reader.amount("quantity"),
        price=reader.amount("price"),
    )
    if reader.has_any(_OPTIONS):  # few orders
        intent.expiration = reader.optional_integer("expiration", 1, MAX_INTEGER)
        intent.time_in_force = reader.choice("timeInForce", _TIMES_IN_FORCE, "GTC")
        intent.post_only = reader.boolean("postOnly")
        intent.to_wallet = _read_settle(reader)
    return intent


def _read_market_order(reader: PayloadReader, *, is_buy: bool) -> OrderIntent:
    return OrderIntent(
        symbol=reader.symbol("symbol"),
        quote=reader.optional_symbol("quote"),
        is_buy=is_buy,
        market=True,
        quantity=reader.amount("quantity"),
        price=reader.optional_amount("price"),
        to_wallet=_read_settle(reader),
    )


def _read_settle(reader: PayloadReader) -> bool:
    return reader.choice("settle", _SETTLE, "venue") == "wallet"


def _any_text(_: str) -> bool:
    return True


def _is_memo(text: str) -> bool:
    """1 to 256 code points, none below U+0020, no U+007F, no surrogate (section 4)."""
    return 0 < len(text) <= MAX_MEMO and not any(
        letter < " " or letter == "\x7f" or 0xD800 <= ord(letter) <= 0xDFFF for letter in text
    )
