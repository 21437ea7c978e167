"""What a trader signs: intents for the venue and deposits, built and checked (protocol, sections 4 and 7).

Pure: no key, no network. What is built here the rules accept, as far as that can be known without the book
and the balances.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from settlement.core.events import HIVE
from settlement.core.orders import DEFAULT_QUOTE
from settlement.core.parsing.amounts import MAX_UNITS, Decimal, read_decimal, to_units
from settlement.core.parsing.names import NATIVE_PRECISION, is_account, is_ref, is_symbol
from settlement.core.venue import PairRules, TokenRules, Venue

MAX_JSON_BYTES: Final = 8192
MAX_TRANSFER_MEMO: Final = 2047
MAX_WITHDRAW_MEMO: Final = 256
EVERYTHING: Final = "all"

_INTENT_ID: Final = re.compile(r"[0-9a-f]{40}(?:-[0-9]{1,4}){0,2}")

Element = dict[str, object]
Operation = tuple[str, dict[str, object]]


class IntentError(ValueError):
    """An intent that would be rejected: the field, and a sentence with the reason and the cure."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")


@dataclass(frozen=True, slots=True)
class Market:
    """A venue as its traders need to know it."""

    contract: str
    custom_json_id: str
    order_lifetime: int
    tokens: Mapping[str, TokenRules]
    pairs: tuple[PairRules, ...]

    @classmethod
    def of_venue(cls, venue: Venue) -> Market:
        """As the venue file has it; what the operator listed or paused since then is not in it."""
        tokens = {token.symbol: token for token in venue.tokens}
        return cls(venue.contract, venue.custom_json_id, venue.order_lifetime, tokens, venue.pairs)

    @classmethod
    def of_api(cls, body: Mapping[str, Any]) -> Market:
        """As `/api/venue` of a running API tells it. Raises IntentError for another answer."""
        try:
            tokens = {
                str(row["symbol"]): TokenRules(
                    str(row["symbol"]), int(row["precision"]), str(row["chain"]), str(row["escrow"])
                )
                for row in body["tokens"]
            }
            pairs = tuple(
                PairRules(
                    str(row["base"]),
                    str(row["quote"]),
                    int(row["price_decimals"]),
                    int(row["quantity_decimals"]),
                    status=str(row["status"]),
                )
                for row in body["pairs"]
            )
            return cls(
                str(body["contract"]),
                str(body["custom_json_id"]),
                int(body["order_lifetime"]),
                tokens,
                pairs,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntentError("--api", "its /api/venue is not that of a Peake DEX") from error

    def token(self, symbol: str) -> TokenRules:
        """A listed token. Raises IntentError."""
        found = self.tokens.get(symbol)
        if found is None:
            raise IntentError(
                "symbol", f"{symbol!r} is not listed; the venue has {', '.join(sorted(self.tokens))}"
            )
        return found

    def pair(self, base: str, quote: str | None) -> PairRules:
        """A pair; without a quote the base's only one, else the default. Raises IntentError."""
        quotes = [pair.quote for pair in self.pairs if pair.base == base]
        if not quotes:
            bases = sorted({pair.base for pair in self.pairs})
            raise IntentError("symbol", f"{base!r} is not traded; the venue trades {', '.join(bases)}")
        wanted = quote if quote is not None else quotes[0] if len(quotes) == 1 else DEFAULT_QUOTE
        for pair in self.pairs:
            if (pair.base, pair.quote) == (base, wanted):
                return pair
        raise IntentError("quote", f"{base} is not traded for {wanted!r}; it is for {', '.join(quotes)}")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a trader is about to sign, but for who signs it."""

    body: Element
    custom_json_id: str | None
    """None: a native transfer, and `body` has its fields but for `from`."""

    def text(self) -> str:
        """The JSON to paste into a wallet: of the custom_json, or the transfer's fields."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))

    def operation(self, account: str) -> Operation:
        """The whole operation, signed with the account's active key. Raises IntentError."""
        if not is_account(account):
            raise IntentError("account", f"{account!r} is not a Hive account name")
        if self.custom_json_id is None:
            return "transfer", {"from": account, **self.body}
        # Both lists sorted, as the chain has them: what is hashed and signed depends on it.
        value: dict[str, object] = {
            "required_auths": sorted([account]),
            "required_posting_auths": [],
            "id": self.custom_json_id,
            "json": self.text(),
        }
        return "custom_json", value


def place_limit(
    market: Market,
    side: str,
    *,
    symbol: str,
    quantity: str,
    price: str,
    quote: str | None = None,
    expiration: int | None = None,
    time_in_force: str | None = None,
    post_only: bool = False,
    settle: str | None = None,
    ref: str | None = None,
) -> Draft:
    """`buy` or `sell` at a limit price. Raises IntentError."""
    pair = _open_pair(market, symbol, quote)
    lots = _lots(market, pair, quantity)
    ticks = _ticks(pair, price)
    _in_range("quantity × price", lots * ticks * int(10 ** _spare(market, pair)))
    payload: Element = {"symbol": pair.base, "quote": pair.quote, "quantity": quantity, "price": price}
    if expiration is not None:
        if not 1 <= expiration <= market.order_lifetime:
            raise IntentError(
                "expiration", f"must be 1 to {market.order_lifetime} seconds, which is the venue's cap"
            )
        payload["expiration"] = expiration
    if time_in_force is not None:
        payload["timeInForce"] = time_in_force
    if post_only:
        if time_in_force in ("IOC", "FOK"):
            raise IntentError("post-only", f"an order that only rests cannot be {time_in_force}")
        payload["postOnly"] = True
    return _intent(market, side, payload, settle=settle, ref=ref)


def place_market(
    market: Market,
    side: str,
    *,
    symbol: str,
    quantity: str,
    price: str | None = None,
    quote: str | None = None,
    settle: str | None = None,
    ref: str | None = None,
) -> Draft:
    """`marketBuy` (`quantity` is the quote to spend) or `marketSell` (the base to sell); `price` is the
    worst one. Raises IntentError."""
    pair = _open_pair(market, symbol, quote)
    if side == "marketBuy":
        _units("quantity", quantity, market.token(pair.quote).precision, pair.quote)
    else:
        _lots(market, pair, quantity)
    payload: Element = {"symbol": pair.base, "quote": pair.quote, "quantity": quantity}
    if price is not None:
        _ticks(pair, price)
        payload["price"] = price
    return _intent(market, side, payload, settle=settle, ref=ref)


def cancel(market: Market, ident: str, *, ref: str | None = None) -> Draft:
    """Cancel one open order. Raises IntentError."""
    return _intent(market, "cancel", {"id": _order_id(ident)}, ref=ref)


def cancel_all(
    market: Market, *, symbol: str | None = None, quote: str | None = None, ref: str | None = None
) -> Draft:
    """Cancel all open orders, of a base or quote where they are given. Raises IntentError."""
    payload: Element = {}
    for name, value in (("symbol", symbol), ("quote", quote)):
        if value is not None:
            market.token(value)
            payload[name] = value
    return _intent(market, "cancelAll", payload, ref=ref)


def replace(
    market: Market,
    ident: str,
    *,
    quantity: str | None = None,
    price: str | None = None,
    symbol: str | None = None,
    quote: str | None = None,
    ref: str | None = None,
) -> Draft:
    """Cancel an order and place it anew with another quantity or price, or both.

    `symbol` and `quote` are only for checking the amounts here: an order's id does not tell its pair.
    Raises IntentError.
    """
    if quantity is None and price is None:
        raise IntentError("quantity, price", "name what is to change: one of them, or both")
    pair = None if symbol is None else _open_pair(market, symbol, quote)
    payload: Element = {"id": _order_id(ident)}
    if quantity is not None:
        if pair is None:
            _positive("quantity", quantity)
        else:
            _lots(market, pair, quantity)
        payload["quantity"] = quantity
    if price is not None:
        if pair is None:
            _positive("price", price)
        else:
            _ticks(pair, price)
        payload["price"] = price
    return _intent(market, "replace", payload, ref=ref)


def withdraw(
    market: Market,
    *,
    symbol: str,
    quantity: str,
    to: str | None = None,
    memo: str | None = None,
    ref: str | None = None,
) -> Draft:
    """Take an amount, or `all`, out of the venue. Raises IntentError."""
    token = market.token(symbol)
    if quantity != EVERYTHING:
        _units("quantity", quantity, token.precision, symbol)
    payload: Element = {"symbol": symbol, "quantity": quantity}
    if to is not None:
        if not is_account(to):
            raise IntentError("to", f"{to!r} is not a Hive account name")
        if any(to == other.escrow for other in market.tokens.values()):
            raise IntentError("to", f"{to} is an escrow account of the venue: name your own")
        payload["to"] = to
    if memo is not None:
        plain = all(letter >= " " and letter != "\x7f" and not _is_surrogate(letter) for letter in memo)
        if not 0 < len(memo) <= MAX_WITHDRAW_MEMO or not plain:
            raise IntentError("memo", f"must be 1 to {MAX_WITHDRAW_MEMO} characters, no control characters")
        payload["memo"] = memo
    return _intent(market, "withdraw", payload, ref=ref)


def deposit(market: Market, *, symbol: str, quantity: str, memo: str | None = None) -> Draft:
    """Move coins or tokens to their escrow account: a native transfer, or `tokens.transfer`.

    Raises IntentError.
    """
    token = market.token(symbol)
    units = _units("quantity", quantity, token.precision, symbol)
    memo = memo or ""
    if any(_is_surrogate(letter) for letter in memo) or len(memo.encode()) > MAX_TRANSFER_MEMO:
        raise IntentError("memo", f"must be text of at most {MAX_TRANSFER_MEMO} bytes")
    if token.chain == HIVE:
        scale = 10**NATIVE_PRECISION
        amount = f"{units // scale}.{units % scale:0{NATIVE_PRECISION}d} {symbol}"
        return Draft({"to": token.escrow, "amount": amount, "memo": memo}, None)
    payload: Element = {"symbol": symbol, "to": token.escrow, "quantity": quantity}
    if memo:
        payload["memo"] = memo
    return _sized(
        {"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload}, market
    )


# -- checks ---------------------------------------------------------------------------------------


def _intent(
    market: Market, action: str, payload: Element, *, settle: str | None = None, ref: str | None = None
) -> Draft:
    if settle is not None:
        payload["settle"] = settle
    if ref is not None:
        if not is_ref(ref):
            raise IntentError("ref", "must be 1 to 32 of A-Z a-z 0-9 . _ -")
        payload["ref"] = ref
    return _sized(
        {"contractName": market.contract, "contractAction": action, "contractPayload": payload}, market
    )


def _sized(element: Element, market: Market) -> Draft:
    draft = Draft(element, market.custom_json_id)
    if len(draft.text().encode()) > MAX_JSON_BYTES:
        raise IntentError("memo", f"too long: a custom_json holds {MAX_JSON_BYTES} bytes")
    return draft


def _open_pair(market: Market, symbol: str, quote: str | None) -> PairRules:
    for name, value in (("symbol", symbol), ("quote", quote)):
        if value is not None and not is_symbol(value):
            raise IntentError(name, f"{value!r} is not a symbol: upper-case letters, as in PEK or SWAP.HIVE")
    pair = market.pair(symbol, quote)
    if pair.status != "active":
        raise IntentError("symbol", f"{pair.base}/{pair.quote} is {pair.status} and takes no new orders")
    return pair


def _positive(field: str, text: str) -> Decimal:
    value = read_decimal(text)
    if value is None:
        raise IntentError(field, f"{text!r} is not a plain decimal, as in 12.5 (no sign, no exponent)")
    if not value.mantissa:
        raise IntentError(field, "must be more than zero")
    return value


def _in_range(field: str, units: int) -> int:
    if units > MAX_UNITS:
        raise IntentError(field, "is more than the venue can hold (63 bits of its smallest unit)")
    return units


def _units(field: str, text: str, precision: int, symbol: str) -> int:
    units = to_units(_positive(field, text), precision)
    if units is None:
        raise IntentError(field, f"{text} has more than the {precision} decimals of {symbol}")
    return _in_range(field, units)


def _lots(market: Market, pair: PairRules, text: str) -> int:
    """A quantity of base in whole lots."""
    precision = market.token(pair.base).precision
    units = _units("quantity", text, precision, pair.base)
    lots, rest = divmod(units, int(10 ** (precision - pair.quantity_decimals)))
    if rest:
        lot = (
            str(10**-pair.quantity_decimals)
            if pair.quantity_decimals <= 0
            else f"0.{1:0{pair.quantity_decimals}d}"
        )
        name = f"{pair.base}/{pair.quote}"
        raise IntentError("quantity", f"{text} is not a multiple of {lot}, the lot of {name}")
    return lots


def _ticks(pair: PairRules, text: str) -> int:
    ticks = to_units(_positive("price", text), pair.price_decimals)
    if ticks is None:
        name = f"{pair.base}/{pair.quote}"
        raise IntentError("price", f"{text} has more than the {pair.price_decimals} decimals of {name}")
    return _in_range("price", ticks)


def _spare(market: Market, pair: PairRules) -> int:
    """Decimals of the quote beyond those of price × quantity: never negative in a valid venue."""
    return market.token(pair.quote).precision - pair.price_decimals - pair.quantity_decimals


def _order_id(text: str) -> str:
    if _INTENT_ID.fullmatch(text) is None:
        raise IntentError(
            "id", f"{text!r} is not an order's id: 40 digits of 0-9a-f, and perhaps -0 or -0-0 after them"
        )
    return text


def _is_surrogate(letter: str) -> bool:
    return "\ud800" <= letter <= "\udfff"
