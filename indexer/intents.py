"""Builds what a trader signs: intents for the venue, and deposits (protocol, sections 4 and 7).

Each intent is checked by the rules themselves: the state machine applies it to an empty exchange, and a
rejection becomes an IntentError that names the field. Rejections that depend on balances, open orders or the
order book cannot be known here. This module uses no key and no network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from settlement.core.codes import Code
from settlement.core.events import HIVE, Action, BlockHeader, JsonNumber
from settlement.core.journal.lines import Reject
from settlement.core.order_book import Pair
from settlement.core.parsing.amounts import Decimal, read_decimal, show_units, to_units
from settlement.core.parsing.intents import read_intent
from settlement.core.parsing.names import NATIVE_PRECISION, is_account
from settlement.core.parsing.payload_reader import PayloadReader
from settlement.core.state import State
from settlement.core.state_machine import StateMachine
from settlement.core.venue import PairRules, TokenRules, Venue

MAX_JSON_BYTES: Final = 8192  # of a custom_json, a rule of Hive
MAX_TRANSFER_MEMO_BYTES: Final = 2047  # a rule of Hive

_INTENT_ID: Final = re.compile(r"[0-9a-f]{40}(?:-[0-9]{1,4}){0,2}")
_ID: Final = "0" * 40
_SIGNER: Final = "a-trader"

# Decided by balances, open orders or the order book, which are empty here.
_DEPENDS_ON_STATE: Final = frozenset(
    (
        *(Code.E_FUNDS, Code.E_LIMIT, Code.E_POST_ONLY, Code.E_FOK, Code.E_NOT_FOUND, Code.E_OWNER),
        *(Code.E_SELF_TRADE, Code.E_NO_LIQUIDITY),
    )
)
_SYMBOL: Final = "must be a symbol in capital letters, such as PEK or SWAP.HIVE"
_DECIMAL: Final = "must be a decimal above zero, such as 12.5, without sign or exponent"
# Each field with a valid value, which is substituted to find an invalid field, and its rule in words.
_FIELDS: Final[Mapping[str, tuple[object, str]]] = {
    "symbol": ("A", _SYMBOL),
    "quote": ("A", _SYMBOL),
    "quantity": ("1", _DECIMAL),
    "price": ("1", _DECIMAL),
    "expiration": (1, "must be a number of seconds of at least 1"),
    "timeInForce": ("GTC", "must be GTC, IOC or FOK"),
    "postOnly": (False, "must be true or false"),
    "settle": ("venue", "must be venue or wallet"),
    "id": (_ID, "must be an order id"),
    "to": (_SIGNER, "must be a Hive account name"),
    "memo": ("-", "must be 1 to 256 characters, no control characters"),
    "ref": ("-", "must be 1 to 32 of A-Z a-z 0-9 . _ -"),
}

Element = dict[str, object]
Operation = tuple[str, dict[str, object]]


class IntentError(ValueError):
    """An intent that the rules would reject: the field, and the reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")


@dataclass(frozen=True, slots=True)
class Draft:
    """An operation before its signer is known."""

    body: Element  # a custom_json element, or the fields of a transfer without `from`
    custom_json_id: str | None  # None: a transfer

    def text(self) -> str:
        """The JSON to paste into a wallet: the custom_json's text, or the transfer's fields."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))

    def operation(self, account: str) -> Operation:
        """The operation, to be signed with the account's active key. Raises IntentError."""
        if not is_account(account):
            raise IntentError("account", f"{account!r} is not a Hive account name")
        if self.custom_json_id is None:
            return "transfer", {"from": account, **self.body}
        value: dict[str, object] = {
            "required_auths": [account],
            "required_posting_auths": [],
            "id": self.custom_json_id,
            "json": self.text(),
        }
        return "custom_json", value


def venue_of_api(body: Mapping[str, Any]) -> Venue:
    """The venue of an answer of `/api/venue`, with what was listed or paused since. Raises IntentError."""
    tokens, pairs = TokenRules.__dataclass_fields__, PairRules.__dataclass_fields__
    try:
        return Venue(
            **{
                name: body[name]
                for name in Venue.__dataclass_fields__
                if name not in ("tokens", "pairs", "text")
            },
            tokens=tuple(
                TokenRules(**{name: row[name] for name in tokens if name in row}) for row in body["tokens"]
            ),
            pairs=tuple(
                PairRules(**{name: row[name] for name in pairs if name in row}) for row in body["pairs"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntentError("--api", "its /api/venue is not that of a Peake DEX") from error


def place_limit(
    venue: Venue,
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
    """A limit order; `side` is `buy` or `sell`, `expiration` in seconds. Raises IntentError."""
    if post_only and time_in_force in ("IOC", "FOK"):
        raise IntentError("post-only", "cannot be combined with IOC or FOK")
    payload = {
        "symbol": symbol,
        "quote": _quote_of(venue, symbol, quote),
        "quantity": quantity,
        "price": price,
        "expiration": expiration,
        "timeInForce": time_in_force,
        "postOnly": post_only or None,
        "settle": settle,
        "ref": ref,
    }
    return _intent(venue, side, payload)


def place_market(
    venue: Venue,
    side: str,
    *,
    symbol: str,
    quantity: str,
    price: str | None = None,
    quote: str | None = None,
    settle: str | None = None,
    ref: str | None = None,
) -> Draft:
    """A market order; `side` is `marketBuy` (`quantity` is the quote to spend) or `marketSell` (the base to
    sell), `price` the worst price. Raises IntentError."""
    payload = {
        "symbol": symbol,
        "quote": _quote_of(venue, symbol, quote),
        "quantity": quantity,
        "price": price,
        "settle": settle,
        "ref": ref,
    }
    return _intent(venue, side, payload)


def cancel(venue: Venue, ident: str, *, ref: str | None = None) -> Draft:
    """Cancel one open order. Raises IntentError."""
    return _intent(venue, "cancel", {"id": _order_id(ident), "ref": ref})


def cancel_all(
    venue: Venue, *, symbol: str | None = None, quote: str | None = None, ref: str | None = None
) -> Draft:
    """Cancel all open orders, or only those of a base or quote. Raises IntentError."""
    return _intent(venue, "cancelAll", {"symbol": symbol, "quote": quote, "ref": ref})


def replace(
    venue: Venue,
    ident: str,
    *,
    quantity: str | None = None,
    price: str | None = None,
    symbol: str | None = None,
    quote: str | None = None,
    ref: str | None = None,
) -> Draft:
    """Replace an order by one with another quantity, price, or both. Raises IntentError.

    `symbol` and `quote` name the order's pair, to check the amounts here. They are not part of the intent.
    """
    draft = _intent(
        venue, "replace", {"id": _order_id(ident), "quantity": quantity, "price": price, "ref": ref}
    )
    if symbol is not None:
        pair = _pair(venue, symbol, quote)
        smallest = _smallest_amounts(pair)
        place_limit(
            venue,
            "buy",
            symbol=symbol,
            quote=pair.quote.symbol,
            quantity=quantity or smallest["quantity"],
            price=price or smallest["price"],
        )
    return draft


def withdraw(
    venue: Venue,
    *,
    symbol: str,
    quantity: str,
    to: str | None = None,
    memo: str | None = None,
    ref: str | None = None,
) -> Draft:
    """Withdraw an amount, or `all`. Raises IntentError."""
    payload = {"symbol": symbol, "quantity": quantity, "to": to, "memo": memo, "ref": ref}
    return _intent(venue, "withdraw", payload)


def deposit(venue: Venue, *, symbol: str, quantity: str, memo: str | None = None) -> Draft:
    """Transfer coins or tokens to their escrow account. Raises IntentError."""
    if quantity == "all":
        raise IntentError("quantity", f"{quantity!r} {_DECIMAL}")
    _check(venue, "withdraw", {"symbol": symbol, "quantity": quantity})  # the same limits of an amount
    token = next(token for token in venue.tokens if token.symbol == symbol)
    memo = memo or ""
    try:
        memo_bytes = len(memo.encode())
    except UnicodeEncodeError:
        raise IntentError("memo", "must be valid Unicode text") from None
    if memo_bytes > MAX_TRANSFER_MEMO_BYTES:
        raise IntentError("memo", f"must be text of at most {MAX_TRANSFER_MEMO_BYTES} bytes")
    if token.chain == HIVE:
        units = to_units(read_decimal(quantity) or Decimal(0, 0), NATIVE_PRECISION) or 0
        amount = f"{show_units(units, NATIVE_PRECISION)} {symbol}"
        return Draft({"to": token.escrow, "amount": amount, "memo": memo}, None)
    payload = {"symbol": symbol, "to": token.escrow, "quantity": quantity, "memo": memo or None}
    return _element(venue, "tokens", "transfer", payload)


# -- building and checking ------------------------------------------------------------------------


def _intent(venue: Venue, action: str, payload: Mapping[str, object]) -> Draft:
    """An intent of the fields that are not None. Raises IntentError."""
    draft = _element(venue, venue.contract, action, payload)
    _check(venue, action, {name: value for name, value in payload.items() if value is not None})
    return draft


def _element(venue: Venue, contract: str, action: str, payload: Mapping[str, object]) -> Draft:
    fields = {name: value for name, value in payload.items() if value is not None}
    element: Element = {"contractName": contract, "contractAction": action, "contractPayload": fields}
    draft = Draft(element, venue.custom_json_id)
    if len(draft.text().encode(errors="surrogatepass")) > MAX_JSON_BYTES:
        raise IntentError("memo", f"too long: a custom_json can have {MAX_JSON_BYTES} bytes")
    return draft


def _check(venue: Venue, action: str, payload: Mapping[str, object]) -> None:
    """Raise IntentError if the rules reject the intent whatever the balances and the order book."""
    code = _rejection(venue, action, payload)
    if code is not None:
        _explain(venue, action, payload, code)


def _rejection(venue: Venue, action: str, payload: Mapping[str, object]) -> Code | None:
    """The code with which the rules reject an intent on an empty exchange, if it does not depend on that."""
    event = Action(id=_ID, signer=_SIGNER, active=True, name=action, payload=_on_chain(payload))
    entry = StateMachine(venue).apply(BlockHeader(venue.start_block, _ID, 0), [event])
    codes = [Code(line.code) for line in entry.lines() if isinstance(line, Reject)]
    return next((code for code in codes if code not in _DEPENDS_ON_STATE), None)


def _on_chain(payload: Mapping[str, object]) -> object:
    """The payload as decoded from the chain's JSON."""
    return json.loads(json.dumps(payload), parse_int=JsonNumber, parse_float=JsonNumber)


def _explain(venue: Venue, action: str, payload: Mapping[str, object], code: Code) -> NoReturn:
    """Raise the IntentError of a rejection, with the field that caused it."""
    symbol, quote = str(payload.get("symbol")), payload.get("quote")
    match code:
        case Code.E_INPUT:
            _explain_input(venue, action, payload)
        case Code.E_TOKEN:
            listed = ", ".join(sorted(token.symbol for token in venue.tokens))
            raise IntentError("symbol", f"{symbol!r} is not listed; the venue lists {listed}")
        case Code.E_PAIR:
            _explain_pair(venue, symbol, quote)
        case Code.E_PAUSED:
            raise IntentError("symbol", f"{symbol}/{quote} is not active and takes no new orders")
        case Code.E_PRECISION:
            _explain_precision(venue, action, payload)
        case Code.E_RANGE:
            field = "quantity × price" if action in ("buy", "sell") else "quantity"
            raise IntentError(field, "is more than the venue can hold (63 bits of its smallest unit)")
    raise IntentError("intent", f"rejected by the rules with {code}")


def _explain_input(venue: Venue, action: str, payload: Mapping[str, object]) -> NoReturn:
    valid = {name: value for name, (value, _) in _FIELDS.items()}
    for name, value in payload.items():
        reader = PayloadReader(_on_chain({**valid, name: value}))
        reader.ref()
        if read_intent(action, reader) is None or reader.invalid:
            raise IntentError(name, f"{value!r} {_FIELDS[name][1]}")
    if payload.get("to") in {token.escrow for token in venue.tokens}:
        raise IntentError("to", f"{payload['to']} is an escrow account of the venue: use your own account")
    raise IntentError("quantity, price", "at least one of them is required")


def _explain_pair(venue: Venue, symbol: str, quote: object) -> NoReturn:
    quotes = [pair.quote for pair in venue.pairs if pair.base == symbol]
    if quotes:
        raise IntentError("quote", f"{symbol} is not traded for {quote!r}, but for {', '.join(quotes)}")
    bases = sorted({pair.base for pair in venue.pairs})
    raise IntentError("symbol", f"{symbol!r} is not traded; the venue trades {', '.join(bases)}")


def _explain_precision(venue: Venue, action: str, payload: Mapping[str, object]) -> NoReturn:
    symbol, quantity, price = (str(payload.get(name)) for name in ("symbol", "quantity", "price"))
    precision_of = {token.symbol: token.precision for token in venue.tokens}
    if action == "withdraw":
        raise IntentError(
            "quantity", f"{quantity} has more than the {precision_of[symbol]} decimals of {symbol}"
        )
    pair = _pair(venue, symbol, str(payload["quote"]))
    if _rejection(venue, action, {**payload, "price": _smallest_amounts(pair)["price"]}) != Code.E_PRECISION:
        raise IntentError("price", f"{price} has more than the {pair.price_decimals} decimals of {pair.name}")
    if action == "marketBuy":
        token = pair.quote
        raise IntentError(
            "quantity", f"{quantity} has more than the {token.precision} decimals of {token.symbol}"
        )
    lot = _smallest_amounts(pair)["quantity"]
    raise IntentError("quantity", f"{quantity} is not a multiple of {lot}, the lot size of {pair.name}")


def _pair(venue: Venue, symbol: str, quote: str | None) -> Pair:
    """The pair of a new order. Raises IntentError."""
    pair = State(venue).pairs.get(f"{symbol}/{quote or 'SWAP.HIVE'}")
    if pair is None:
        _check(venue, "cancelAll", {"symbol": symbol, **({} if quote is None else {"quote": quote})})
        _explain_pair(venue, symbol, quote)
    return pair


def _quote_of(venue: Venue, symbol: str, quote: str | None) -> str:
    """The quote of a new order's pair, as the rules complete it. Raises IntentError."""
    return _pair(venue, symbol, quote).quote.symbol


def _smallest_amounts(pair: Pair) -> dict[str, str]:
    """One lot and one tick."""
    return {
        "quantity": show_units(1, pair.quantity_decimals),
        "price": show_units(1, pair.price_decimals),
    }


def _order_id(text: str) -> str:
    if _INTENT_ID.fullmatch(text) is None:
        raise IntentError("id", f"{text!r} is not an order id: 40 hex digits, optionally with -0 or -0-0")
    return text
