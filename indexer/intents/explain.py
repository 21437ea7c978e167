"""The field that causes a rejection, found by asking the rules again with other values.

So no rule is written down twice: the words of a field's rule are all that is here.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import NoReturn

from indexer.intents.actions import ActionSpec
from indexer.intents.fields import Field
from indexer.intents.sandbox import Payload, Situation, decide, shortest
from settlement.core.codes import SENTENCES, Code
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.intents import DEFAULT_QUOTE
from settlement.core.venue import PairRules, TokenRules, Venue


class IntentError(ValueError):
    """An action that the rules would reject: the field, and reason and cure."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")


def explain(spec: ActionSpec, payload: Payload, situation: Situation, code: Code) -> NoReturn:
    """Raise the IntentError of a rejection, with the field that causes it."""
    venue = situation.venue
    symbol, quote = payload.get("symbol"), payload.get("quote", DEFAULT_QUOTE)
    match code:
        case Code.E_INPUT:
            _explain_input(spec, payload, situation)
        case Code.E_AUTH:
            also = f" or {venue.checkpoint_account}" if spec.name == "checkpoint" else ""
            raise IntentError(
                "account", f"{spec.name} must be signed by the operator, {venue.operator}{also}"
            )
        case Code.E_LATE:
            raise IntentError("not-after", f"{payload['notAfter']} is over: choose a later time")
        case Code.E_TOKEN:
            _explain_token(spec, payload, venue)
        case Code.E_PAIR:
            _explain_pair(spec, payload, venue)
        case Code.E_PAUSED:
            raise IntentError("symbol", f"{symbol}/{quote} is not active and takes no new orders")
        case Code.E_PRECISION:
            _explain_precision(spec, payload, situation)
        case Code.E_RANGE:
            product = spec.name in ("buy", "sell", "replace")
            field = "quantity × price" if product else _amounts_of(spec)[0].option
            raise IntentError(field, "is more than the venue can hold (63 bits of its smallest unit)")
        case Code.E_FEE:
            fee = find_pair(venue, symbol, quote).taker_fee_bps
            raise IntentError("max-fee-bps", f"is below the taker fee of {symbol}/{quote}, which is {fee}")
        case Code.E_MINIMUM:
            token = _token(venue, symbol)
            smallest = show_units(token.min_withdrawal, token.precision)
            raise IntentError("quantity", f"the smallest withdrawal of {symbol} is {smallest}")
    raise IntentError(spec.command, SENTENCES[code])


def _explain_input(spec: ActionSpec, payload: Payload, situation: Situation) -> NoReturn:
    valid = shortest(spec, situation)

    def invalid(keys: Iterable[str]) -> bool:
        probe = valid | {key: payload[key] for key in keys if key in payload}
        for key in keys:
            for needed in spec.field(key).needs:
                probe.setdefault(needed, spec.field(needed).sample)
        return decide(spec, probe, situation) is Code.E_INPUT

    if invalid(()):  # whatever the values: the signer is an escrow account
        raise IntentError(*spec.together)
    given = [field for field in spec.fields if field.key in payload]
    for field in given:
        if invalid([field.key]):
            raise IntentError(field.option, f"{_shown(payload[field.key])} {field.rule}")
    for field in given:
        missing = [spec.field(key).option for key in field.needs if key not in payload]
        if missing:
            raise IntentError(field.option, f"requires --{' and --'.join(missing)}")
    for field, other in combinations(reversed(given), 2):
        if invalid([field.key, other.key]):
            value = "" if other.kind == "flag" else f" {_shown(payload[other.key])}"
            raise IntentError(field.option, f"cannot be combined with --{other.option}{value}")
    raise IntentError(*spec.together)


def _shown(value: object) -> str:
    """A value as the command line takes it."""
    if isinstance(value, list):
        return repr(", ".join(map(str, value)))
    if isinstance(value, dict):
        return repr(", ".join(f"{symbol}={amount}" for symbol, amount in value.items()))
    return repr(value)


def _explain_token(spec: ActionSpec, payload: Payload, venue: Venue) -> NoReturn:
    listed = {token.symbol for token in venue.tokens}
    words = f"the venue lists {', '.join(sorted(listed))}"
    if spec.name == "listToken":
        raise IntentError("symbol", f"{payload['symbol']!r} is listed already")
    if spec.name == "grant":
        allowances = payload["perDay"]
        assert isinstance(allowances, dict)
        raise IntentError("per-day", f"{sorted(set(allowances) - listed)[0]!r} is not listed; {words}")
    name = "symbol" if payload["symbol"] not in listed else "quote"
    raise IntentError(name, f"{payload[name]!r} is not listed; {words}")


def _explain_pair(spec: ActionSpec, payload: Payload, venue: Venue) -> NoReturn:
    listed = [pair.name for pair in venue.pairs]
    if spec.name == "grant":
        pairs = payload["pairs"]
        assert isinstance(pairs, list)
        unlisted = next(pair for pair in pairs if pair not in listed)
        raise IntentError("pair", f"{unlisted!r} is not traded; the venue trades {', '.join(listed)}")
    symbol, quote = payload.get("symbol"), payload.get("quote", DEFAULT_QUOTE)
    if spec.name == "listPair":
        raise IntentError("symbol", f"{symbol}/{quote} is listed already")
    _raise_unlisted_pair(venue, symbol, quote)


def _raise_unlisted_pair(venue: Venue, symbol: object, quote: object) -> NoReturn:
    quotes = [pair.quote for pair in venue.pairs if symbol in (None, pair.base)]
    if quotes:
        named = symbol or "the venue's tokens"
        words = f"{named} is not traded for {quote!r}, but for {', '.join(dict.fromkeys(quotes))}"
        raise IntentError("quote", words)
    bases = sorted({pair.base for pair in venue.pairs})
    raise IntentError("symbol", f"{symbol!r} is not traded; the venue trades {', '.join(bases)}")


def _explain_precision(spec: ActionSpec, payload: Payload, situation: Situation) -> NoReturn:
    venue = situation.venue
    if spec.name == "grant":
        _explain_allowance(spec, payload, situation)
    if spec.name == "listToken":
        raise IntentError(
            "min-withdrawal", f"{payload['minWithdrawal']} has more than {payload['precision']} decimals"
        )
    given = [field for field in _amounts_of(spec) if field.key in payload]
    if spec.name == "withdraw":
        token = _token(venue, payload["symbol"])
        raise IntentError("quantity", _too_fine(payload["quantity"], token.precision, token.symbol))
    pair = find_pair(venue, payload["symbol"], payload.get("quote", DEFAULT_QUOTE))
    quote = _token(venue, pair.quote)
    field = next((field for field in given if _is_too_fine(field, spec, payload, situation)), given[0])
    text = payload[field.key]
    if field.unit == "price":
        raise IntentError(field.option, _too_fine(text, pair.price_decimals, pair.name))
    if field.unit == "quote":
        raise IntentError(field.option, _too_fine(text, quote.precision, quote.symbol))
    raise IntentError(field.option, f"{text} is not a multiple of {lot(pair)}, the lot size of {pair.name}")


def _explain_allowance(spec: ActionSpec, payload: Payload, situation: Situation) -> NoReturn:
    allowances = payload["perDay"]
    assert isinstance(allowances, dict)
    for symbol, amount in allowances.items():
        if decide(spec, {**payload, "perDay": {symbol: amount}}, situation) is Code.E_PRECISION:
            raise IntentError("per-day", _too_fine(amount, _token(situation.venue, symbol).precision, symbol))
    raise IntentError("per-day", SENTENCES[Code.E_PRECISION])


def _is_too_fine(field: Field, spec: ActionSpec, payload: Payload, situation: Situation) -> bool:
    """Whether the action would be too precise even if its other amounts were the smallest ones."""
    pair = find_pair(situation.venue, payload["symbol"], payload.get("quote", DEFAULT_QUOTE))
    smallest = {
        "price": tick(pair),
        "base": lot(pair),
        "quote": show_units(1, _token(situation.venue, pair.quote).precision),
    }
    others = {other.key: smallest[other.unit] for other in _amounts_of(spec) if other is not field}
    probe = {**payload, **{key: amount for key, amount in others.items() if key in payload}}
    return decide(spec, probe, situation) is Code.E_PRECISION


def _amounts_of(spec: ActionSpec) -> list[Field]:
    return [field for field in spec.fields if field.kind == "amount"]


def _too_fine(amount: object, decimals: int, name: str) -> str:
    return f"{amount} has more than the {decimals} decimals of {name}"


def find_pair(venue: Venue, symbol: object, quote: object) -> PairRules:
    """The pair of the venue. Raises IntentError."""
    for pair in venue.pairs:
        if (pair.base, pair.quote) == (symbol, quote):
            return pair
    _raise_unlisted_pair(venue, symbol, quote)


def _token(venue: Venue, symbol: object) -> TokenRules:
    return next(token for token in venue.tokens if token.symbol == symbol)


def lot(pair: PairRules) -> str:
    """One lot of base."""
    return show_units(1, pair.quantity_decimals)


def tick(pair: PairRules) -> str:
    """The smallest price."""
    return show_units(1, pair.price_decimals)
