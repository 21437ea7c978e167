"""Traders' intents: from payload to typed values, whatever the state (protocol, sections 5 and 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from settlement.core.parsing.amounts import BPS, MAX_INTEGER, Decimal
from settlement.core.parsing.names import NATIVE_COINS, is_account, is_symbol
from settlement.core.parsing.payload_reader import PayloadReader

DEFAULT_QUOTE: Final = "SWAP.HIVE"
MAX_MEMO: Final = 256
MAX_FEE_BPS: Final = 1000
MAX_TIMER_SECONDS: Final = 86_400
MIN_TIMER_SECONDS: Final = 15
MAX_GRANT_ENTRIES: Final = 20
POSTING: Final = "posting"
ACTIVE: Final = "active"
_OPTIONS: Final = frozenset(
    (
        "expiration",
        "timeInForce",
        "postOnly",
        "settle",
        "triggerPrice",
        "triggerWhen",
        "stopPrice",
        "stopLimit",
    )
)
_TIMES_IN_FORCE: Final = ("GTC", "IOC", "FOK")
_SETTLE: Final = ("venue", "wallet")
_TRIGGER_WHEN: Final = ("above", "below")


class Trigger(NamedTuple):
    """The condition under which an intent becomes an order (section 7)."""

    price: Decimal
    above: bool  # reached when the mark is at the price or above it; else at it or below


class ProtectiveStop(NamedTuple):
    """The stop that closes a resting order and trades what remains of it at the market."""

    price: Decimal
    limit: Decimal  # worst price of the market order


@dataclass(slots=True, init=False)
class OrderIntent:
    """`buy`, `sell`, `marketBuy`, `marketSell`, flat intents. Not frozen: that would take twice as long."""

    symbol: str  # of the base token
    quote: str
    is_buy: bool
    market: bool
    quantity: Decimal  # base; of a market buy the quote amount to spend
    price: Decimal | None  # limit price; of a market order the worst price
    max_fee_bps: int | None  # the highest taker fee accepted
    expiration: int | None  # seconds
    time_in_force: str
    post_only: bool
    to_wallet: bool  # `settle` is `wallet`
    trigger: Trigger | None
    protective_stop: ProtectiveStop | None
    has_settle: bool  # the payload has the key `settle`

    # Written out, because mypyc does not compile the constructor of a dataclass.
    def __init__(
        self,
        symbol: str,
        quote: str,
        is_buy: bool,
        market: bool,
        quantity: Decimal,
        price: Decimal | None,
        max_fee_bps: int | None = None,
    ) -> None:
        self.symbol = symbol
        self.quote = quote
        self.is_buy = is_buy
        self.market = market
        self.quantity = quantity
        self.price = price
        self.max_fee_bps = max_fee_bps
        self.expiration = None
        self.time_in_force = "GTC"
        self.post_only = self.to_wallet = self.has_settle = False
        self.trigger = None
        self.protective_stop = None

    @property
    def action(self) -> str:
        """The name of the action that makes such an order."""
        if self.market:
            return "marketBuy" if self.is_buy else "marketSell"
        return "buy" if self.is_buy else "sell"


class CancelIntent(NamedTuple):
    id: str  # of an open order or stop


class CancelAllIntent(NamedTuple):
    symbol: str | None  # only orders of this base
    quote: str | None  # only orders of this quote


class ReplaceIntent(NamedTuple):
    id: str  # of an open order
    quantity: Decimal | None  # None for what remains
    price: Decimal | None  # None for the old price
    protective_stop: ProtectiveStop | None  # None for the old one
    max_fee_bps: int | None


class TimerIntent(NamedTuple):
    """`cancelAllAfter`."""

    seconds: int  # 0 disarms


class WithdrawIntent(NamedTuple):
    symbol: str
    quantity: Decimal | None  # None for "all"
    to: str | None  # None for the account
    memo: str | None


class CancelWithdrawalIntent(NamedTuple):
    id: str  # of a pending withdrawal


class GrantIntent(NamedTuple):
    to: str  # `posting`, or an account
    pairs: tuple[str, ...]  # distinct BASE/QUOTE texts
    per_day: tuple[tuple[str, Decimal], ...]  # symbol and allowance
    band_bps: int
    until: int  # Unix seconds


class RevokeIntent(NamedTuple):
    to: str


TradingIntent = OrderIntent | CancelIntent | CancelAllIntent | ReplaceIntent | TimerIntent
"""What a grant can allow."""
Intent = TradingIntent | WithdrawIntent | CancelWithdrawalIntent | GrantIntent | RevokeIntent


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
            return _read_replace(reader)
        case "cancelAllAfter":
            seconds = reader.integer("seconds", 0, MAX_TIMER_SECONDS)
            if 0 < seconds < MIN_TIMER_SECONDS:
                reader.invalid = True
            return TimerIntent(seconds)
        case "withdraw":
            return _read_withdraw(reader)
        case "cancelWithdrawal":
            return CancelWithdrawalIntent(id=reader.text("id", _any_text))
        case "grant":
            return _read_grant(reader)
        case "revoke":
            return RevokeIntent(to=reader.account("to"))
        case _:
            return None


def read_flat_intent(side: object, reader: PayloadReader) -> OrderIntent:
    """A flat intent: a limit order without `contractName`, with other keys (section 4)."""
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
        max_fee_bps=reader.optional_integer("maxFeeBps", 0, MAX_FEE_BPS),
    )


def _read_limit_order(reader: PayloadReader, *, is_buy: bool) -> OrderIntent:
    intent = OrderIntent(
        reader.symbol("symbol"),
        reader.optional_symbol("quote") or DEFAULT_QUOTE,
        is_buy,
        False,
        reader.amount("quantity"),
        reader.amount("price"),
        reader.optional_integer("maxFeeBps", 0, MAX_FEE_BPS),
    )
    if not reader.has_any(_OPTIONS):  # most orders
        return intent
    intent.expiration = reader.optional_integer("expiration", 1, MAX_INTEGER)
    intent.time_in_force = reader.choice("timeInForce", _TIMES_IN_FORCE, "GTC")
    intent.post_only = reader.boolean("postOnly")
    intent.to_wallet = _read_settle(reader)
    intent.trigger = _read_trigger(reader)
    intent.protective_stop = _read_protective_stop(reader)
    intent.has_settle = reader.has("settle")
    if intent.trigger is not None and (intent.to_wallet or intent.protective_stop is not None):
        reader.invalid = True
    if intent.protective_stop is not None and (intent.to_wallet or intent.time_in_force != "GTC"):
        reader.invalid = True
    return intent


def _read_market_order(reader: PayloadReader, *, is_buy: bool) -> OrderIntent:
    intent = OrderIntent(
        symbol=reader.symbol("symbol"),
        quote=reader.optional_symbol("quote") or DEFAULT_QUOTE,
        is_buy=is_buy,
        market=True,
        quantity=reader.amount("quantity"),
        price=reader.optional_amount("price"),
        max_fee_bps=reader.optional_integer("maxFeeBps", 0, MAX_FEE_BPS),
    )
    intent.to_wallet = _read_settle(reader)
    intent.trigger = _read_trigger(reader)
    intent.has_settle = reader.has("settle")
    if intent.trigger is None:
        return intent
    if intent.price is None or intent.to_wallet:
        reader.invalid = True
    intent.expiration = reader.optional_integer("expiration", 1, MAX_INTEGER)
    intent.time_in_force = "IOC"
    return intent


def _read_trigger(reader: PayloadReader) -> Trigger | None:
    if not reader.has("triggerPrice") and not reader.has("triggerWhen"):
        return None
    return Trigger(reader.amount("triggerPrice"), reader.choice("triggerWhen", _TRIGGER_WHEN) == "above")


def _read_protective_stop(reader: PayloadReader) -> ProtectiveStop | None:
    if not reader.has("stopPrice") and not reader.has("stopLimit"):
        return None
    return ProtectiveStop(reader.amount("stopPrice"), reader.amount("stopLimit"))


def _read_settle(reader: PayloadReader) -> bool:
    return reader.choice("settle", _SETTLE, "venue") == "wallet"


def _read_replace(reader: PayloadReader) -> ReplaceIntent:
    intent = ReplaceIntent(
        id=reader.text("id", _any_text),
        quantity=reader.optional_amount("quantity"),
        price=reader.optional_amount("price"),
        protective_stop=_read_protective_stop(reader),
        max_fee_bps=reader.optional_integer("maxFeeBps", 0, MAX_FEE_BPS),
    )
    if intent.quantity is None and intent.price is None and intent.protective_stop is None:
        reader.invalid = True
    return intent


def _read_withdraw(reader: PayloadReader) -> WithdrawIntent:
    symbol = reader.symbol("symbol")
    withdraw_all = reader.raw("quantity") == "all"
    memo = reader.optional_text("memo", _is_memo)
    if memo is not None and symbol in NATIVE_COINS and memo.lstrip(" ").startswith(("{", "[")):
        reader.invalid = True  # the sidechain would run it
    return WithdrawIntent(
        symbol=symbol,
        quantity=None if withdraw_all else reader.amount("quantity"),
        to=reader.account("to") if reader.has("to") else None,
        memo=memo,
    )


def _is_memo(text: str) -> bool:
    """1 to 256 code points, none below U+0020, no U+007F, no surrogate, no reserved beginning (section 5)."""
    return (
        0 < len(text) <= MAX_MEMO
        and not text.startswith(("peakedex:", "#"))
        and not any(letter < " " or letter == "\x7f" or 0xD800 <= ord(letter) <= 0xDFFF for letter in text)
    )


def _read_grant(reader: PayloadReader) -> GrantIntent:
    to = reader.account("to")
    if to == ACTIVE:
        reader.invalid = True
    return GrantIntent(
        to=to,
        pairs=_read_grant_pairs(reader),
        per_day=_read_allowances(reader),
        band_bps=reader.integer("bandBps", 0, BPS),
        until=reader.integer("until", 0, MAX_INTEGER),
    )


def _read_grant_pairs(reader: PayloadReader) -> tuple[str, ...]:
    value = reader.raw("pairs")
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_GRANT_ENTRIES:
        reader.invalid = True
        return ()
    pairs = tuple(text for text in value if type(text) is str and _is_pair_name(text))
    if len(pairs) != len(value) or len(set(pairs)) != len(pairs):
        reader.invalid = True
    return pairs


def _is_pair_name(text: str) -> bool:
    base, slash, quote = text.partition("/")
    return slash == "/" and is_symbol(base) and is_symbol(quote)


def _read_allowances(reader: PayloadReader) -> tuple[tuple[str, Decimal], ...]:
    value = reader.raw("perDay")
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_GRANT_ENTRIES:
        reader.invalid = True
        return ()
    if not all(type(symbol) is str and is_symbol(symbol) for symbol in value):
        reader.invalid = True
        return ()
    return tuple((symbol, reader.positive(amount)) for symbol, amount in sorted(value.items()))


def read_principal(reader: PayloadReader) -> str | None:
    """The account that an intent acts `for`, where it names one (section 6)."""
    return reader.text("for", is_account) if reader.has("for") else None


def _any_text(_: str) -> bool:
    return True
