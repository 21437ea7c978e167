"""Builder of intents: the actions of the protocol (section 5) with exact amounts, before they are signed."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from peakedex.client.amounts import Amount, literal, split_pair
from peakedex.client.errors import InputError
from peakedex.client.models import PairRules, Token, Venue

MAX_JSON_BYTES: Final = 8192  # of a custom_json, a rule of Hive
_REF: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")


@dataclass(frozen=True, slots=True)
class Intent:
    """One action with its payload. `ref` finds it again, whatever happens to its transaction."""

    action: str
    payload: Mapping[str, object]
    has_drawn_ref: bool = False  # by `new_ref`: nobody can have used it before

    @property
    def ref(self) -> str:
        return str(self.payload["ref"])


@dataclass(frozen=True, slots=True)
class Trigger:
    """Makes an order a stop: it is placed when the mark reaches `price` from the side `when`."""

    price: Amount
    when: Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class ProtectiveStop:
    """Closes a resting order at mark `price` and trades what is left at market, at worst at `limit`."""

    price: Amount
    limit: Amount


class Intents:
    """Builders for one venue, by the rules of its tokens and pairs. `acting_for` is the principal of a grant.

    Every method takes `ref`, your own reference, unique for the account; one is drawn by default. `not_after`
    is a deadline in Unix seconds. All raise InputError for what the venue would reject by its form.
    """

    def __init__(self, venue: Venue, acting_for: str | None = None) -> None:
        self._venue = venue
        self._acting_for = acting_for

    def limit(
        self,
        side: Literal["buy", "sell"],
        pair: str,
        quantity: Amount,
        price: Amount,
        *,
        time_in_force: Literal["GTC", "IOC", "FOK"] | None = None,
        post_only: bool | None = None,
        lifetime: int | None = None,
        settle: Literal["venue", "wallet"] | None = None,
        max_fee_bps: int | None = None,
        trigger: Trigger | None = None,
        protect: ProtectiveStop | None = None,
        ref: str | None = None,
        not_after: int | None = None,
    ) -> Intent:
        """Limit order of `quantity` base; with `trigger` a stop. `lifetime` is in seconds."""
        if side not in ("buy", "sell"):
            raise InputError("side", f"{str(side)[:20]!r} must be buy or sell")
        rules = self._pair(pair)
        return self._intent(
            side,
            ref,
            not_after,
            symbol=rules.base,
            quote=rules.quote,
            quantity=literal(quantity, rules.quantity_decimals, "quantity"),
            price=_price(price, rules, "price"),
            timeInForce=_choice("time_in_force", time_in_force, ("GTC", "IOC", "FOK")),
            postOnly=post_only,
            expiration=_integer("lifetime", lifetime, 1),
            settle=_choice("settle", settle, ("venue", "wallet")),
            maxFeeBps=_integer("max_fee_bps", max_fee_bps, 0, 1000),
            **_trigger(trigger, rules),
            **_protect(protect, rules),
        )

    def market_buy(
        self,
        pair: str,
        budget: Amount,
        *,
        worst_price: Amount | None = None,
        settle: Literal["venue", "wallet"] | None = None,
        max_fee_bps: int | None = None,
        trigger: Trigger | None = None,
        lifetime: int | None = None,
        ref: str | None = None,
        not_after: int | None = None,
    ) -> Intent:
        """Market order that spends `budget` of quote; a stop with `trigger`, which needs `worst_price`."""
        rules = self._pair(pair)
        spent = literal(budget, self._token(rules.quote).precision, "budget")
        common = (rules, worst_price, settle, max_fee_bps, trigger, lifetime)
        return self._market("marketBuy", spent, ref, not_after, *common)

    def market_sell(
        self,
        pair: str,
        quantity: Amount,
        *,
        worst_price: Amount | None = None,
        settle: Literal["venue", "wallet"] | None = None,
        max_fee_bps: int | None = None,
        trigger: Trigger | None = None,
        lifetime: int | None = None,
        ref: str | None = None,
        not_after: int | None = None,
    ) -> Intent:
        """Market order that sells `quantity` of base; a stop with `trigger`, which needs `worst_price`."""
        rules = self._pair(pair)
        sold = literal(quantity, rules.quantity_decimals, "quantity")
        common = (rules, worst_price, settle, max_fee_bps, trigger, lifetime)
        return self._market("marketSell", sold, ref, not_after, *common)

    def cancel(self, order_id: str, *, ref: str | None = None, not_after: int | None = None) -> Intent:
        """Cancel an open order or stop."""
        return self._intent("cancel", ref, not_after, id=_text("order_id", order_id))

    def cancel_all(
        self,
        *,
        base: str | None = None,
        quote: str | None = None,
        ref: str | None = None,
        not_after: int | None = None,
    ) -> Intent:
        """Cancel all open orders and stops, or those of a base or quote."""
        return self._intent("cancelAll", ref, not_after, symbol=base, quote=quote)

    def replace(
        self,
        order_id: str,
        pair: str,
        *,
        quantity: Amount | None = None,
        price: Amount | None = None,
        protect: ProtectiveStop | None = None,
        max_fee_bps: int | None = None,
        ref: str | None = None,
        not_after: int | None = None,
    ) -> Intent:
        """Cancel an open order of the pair and place it anew in one step; what is not given stays."""
        rules = self._pair(pair)
        if quantity is None and price is None and protect is None:
            raise InputError("quantity, price, protect", "at least one of them is required")
        lots = None if quantity is None else literal(quantity, rules.quantity_decimals, "quantity")
        return self._intent(
            "replace",
            ref,
            not_after,
            id=_text("order_id", order_id),
            quantity=lots,
            price=None if price is None else _price(price, rules, "price"),
            maxFeeBps=_integer("max_fee_bps", max_fee_bps, 0, 1000),
            **_protect(protect, rules),
        )

    def cancel_all_after(
        self, seconds: int, *, ref: str | None = None, not_after: int | None = None
    ) -> Intent:
        """Dead man's switch: cancel all orders after 15 to 86,400 seconds unless set again; 0 disarms."""
        if seconds != 0:
            _integer("seconds", seconds, 15, 86_400)
        return self._intent("cancelAllAfter", ref, not_after, seconds=int(seconds))

    def withdraw(
        self,
        symbol: str,
        quantity: Amount,
        *,
        to: str | None = None,
        memo: str | None = None,
        ref: str | None = None,
        not_after: int | None = None,
    ) -> Intent:
        """Withdraw an amount, or `"all"`, to the account itself or `to`."""
        token = self._token(symbol)
        amount = "all" if quantity == "all" else literal(quantity, token.precision, "quantity")
        return self._intent("withdraw", ref, not_after, symbol=symbol, quantity=amount, to=to, memo=memo)

    def cancel_withdrawal(
        self, withdrawal_id: str, *, ref: str | None = None, not_after: int | None = None
    ) -> Intent:
        """Take back a withdrawal that is not paid yet; the amount is available again an hour later."""
        return self._intent("cancelWithdrawal", ref, not_after, id=_text("withdrawal_id", withdrawal_id))

    def grant(
        self,
        to: str,
        *,
        pairs: Sequence[str],
        per_day: Mapping[str, Amount],
        band_bps: int,
        until: int,
        ref: str | None = None,
        not_after: int | None = None,
    ) -> Intent:
        """Let another account, or your `posting` key, trade for you within limits. `until`: Unix seconds."""
        names = [self._pair(pair).name for pair in pairs]
        amounts = {
            symbol: literal(amount, self._token(symbol).precision, "per_day")
            for symbol, amount in per_day.items()
        }
        return self._intent(
            "grant",
            ref,
            not_after,
            to=_text("to", to),
            pairs=names,
            perDay=amounts,
            bandBps=_integer("band_bps", band_bps, 0, 10_000),
            until=_integer("until", until, 0),
        )

    def revoke(self, to: str, *, ref: str | None = None, not_after: int | None = None) -> Intent:
        """End a grant."""
        return self._intent("revoke", ref, not_after, to=_text("to", to))

    # -- parts -----------------------------------------------------------------------------------------

    def _market(
        self,
        action: str,
        amount: str,
        ref: str | None,
        not_after: int | None,
        rules: PairRules,
        worst_price: Amount | None,
        settle: str | None,
        max_fee_bps: int | None,
        trigger: Trigger | None,
        lifetime: int | None,
    ) -> Intent:
        if trigger is not None and worst_price is None:
            raise InputError("worst_price", "is required with a trigger")
        return self._intent(
            action,
            ref,
            not_after,
            symbol=rules.base,
            quote=rules.quote,
            quantity=amount,
            price=None if worst_price is None else _price(worst_price, rules, "worst_price"),
            settle=_choice("settle", settle, ("venue", "wallet")),
            maxFeeBps=_integer("max_fee_bps", max_fee_bps, 0, 1000),
            expiration=_integer("lifetime", lifetime, 1),
            **_trigger(trigger, rules),
        )

    def _intent(self, action: str, ref: str | None, not_after: int | None, **payload: object) -> Intent:
        chosen = new_ref() if ref is None else ref
        if _REF.fullmatch(chosen) is None or chosen == "-":
            raise InputError("ref", f"{chosen[:40]!r} must be 1 to 32 of A-Z a-z 0-9 . _ -, and not only -")
        given = {key: value for key, value in payload.items() if value is not None}
        if self._acting_for is not None:
            given["for"] = self._acting_for
        if not_after is not None:
            given["notAfter"] = _integer("not_after", not_after, 0)
        return Intent(action, given | {"ref": chosen}, has_drawn_ref=ref is None)

    def _pair(self, pair: str) -> PairRules:
        base, quote = split_pair(pair)
        rules = self._venue.pair(base, quote)
        if rules is None:
            known = ", ".join(each.name for each in self._venue.pairs)
            raise InputError("pair", f"{pair} is not listed; the pairs are {known}")
        return rules

    def _token(self, symbol: str) -> Token:
        token = self._venue.token(symbol)
        if token is None:
            known = ", ".join(each.symbol for each in self._venue.tokens)
            raise InputError("symbol", f"{str(symbol)[:40]!r} is not listed; the tokens are {known}")
        return token


def new_ref() -> str:
    """A reference that nobody has drawn before."""
    return f"py-{secrets.token_hex(12)}"


def custom_json_text(contract: str, intents: Sequence[Intent]) -> str:
    """The JSON of a custom_json with these intents: an object, or an array of several. Raises InputError."""
    elements = [
        {"contractName": contract, "contractAction": one.action, "contractPayload": dict(one.payload)}
        for one in intents
    ]
    body: Any = elements[0] if len(elements) == 1 else elements
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InputError("memo", "must be valid Unicode text") from None
    if size > MAX_JSON_BYTES:
        raise InputError("intents", f"{size} bytes are too long: a transaction takes {MAX_JSON_BYTES}")
    return text


def _price(price: Amount, rules: PairRules, field: str) -> str:
    return literal(price, rules.price_decimals, field)


def _trigger(trigger: Trigger | None, rules: PairRules) -> dict[str, object]:
    if trigger is None:
        return {}
    when = _choice("trigger.when", trigger.when, ("above", "below"))
    return {"triggerPrice": _price(trigger.price, rules, "trigger.price"), "triggerWhen": when}


def _protect(protect: ProtectiveStop | None, rules: PairRules) -> dict[str, object]:
    if protect is None:
        return {}
    return {
        "stopPrice": _price(protect.price, rules, "protect.price"),
        "stopLimit": _price(protect.limit, rules, "protect.limit"),
    }


def _choice(field: str, value: str | None, choices: Sequence[str]) -> str | None:
    if value is not None and value not in choices:
        raise InputError(field, f"{str(value)[:20]!r} must be one of {', '.join(choices)}")
    return value


def _integer(field: str, value: int | None, low: int, high: int | None = None) -> int | None:
    if value is None:
        return None
    if type(value) is not int or value < low or (high is not None and value > high):
        span = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise InputError(field, f"{str(value)[:40]} must be an integer {span}")
    return value


def _text(field: str, value: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(field, "must be text")
    return value
