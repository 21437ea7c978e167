"""Drafts of operations: an action of the protocol, or a deposit, before it is signed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from indexer.intents.actions import ACTIONS
from indexer.intents.explain import IntentError
from indexer.intents.preflight import check, check_replace
from indexer.intents.sandbox import Situation
from settlement.core.events import HIVE
from settlement.core.parsing.amounts import read_decimal, show_units, to_units
from settlement.core.parsing.intents import DEFAULT_QUOTE
from settlement.core.parsing.names import NATIVE_PRECISION, is_account
from settlement.core.venue import PairRules, TokenRules, Venue

MAX_JSON_BYTES: Final = 8192  # of a custom_json, a rule of Hive
MAX_TRANSFER_MEMO_BYTES: Final = 2047  # a rule of Hive

Element = dict[str, object]
Operation = tuple[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Draft:
    """An operation before its signer is known."""

    body: Element  # a custom_json element, or the fields of a transfer without `from`
    custom_json_id: str | None  # None: a transfer
    posting: bool = False  # to be signed with the posting key

    def text(self) -> str:
        """The JSON to paste into a wallet: the custom_json's text, or the transfer's fields."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))

    def operation(self, account: str) -> Operation:
        """The operation, to be signed with the account's active or posting key. Raises IntentError."""
        if not is_account(account):
            raise IntentError("account", f"{account!r} is not a Hive account name")
        if self.custom_json_id is None:
            return "transfer", {"from": account, **self.body}
        value: dict[str, object] = {
            "required_auths": [] if self.posting else [account],
            "required_posting_auths": [account] if self.posting else [],
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
                TokenRules(
                    **{name: row[name] for name in tokens if name in row}
                    | {"min_withdrawal": _units(row["min_withdrawal"], row["precision"])}
                )
                for row in body["tokens"]
            ),
            pairs=tuple(
                PairRules(**{name: row[name] for name in pairs if name in row}) for row in body["pairs"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntentError("--api", "its /api/venue is not that of a Peake DEX") from error


def _units(amount: object, precision: int) -> int:
    number = read_decimal(amount)
    units = None if number is None else to_units(number, precision)
    if units is None:
        raise ValueError(f"{amount!r} is not an amount")
    return units


def build(
    action: str, payload: Mapping[str, object], situation: Situation, *, pair: str | None = None
) -> Draft:
    """An action with the fields that are not None, checked by the rules. Raises IntentError.

    `pair` (BASE/QUOTE) is that of a replaced order, to check the new amounts. Raises KeyError for an unknown
    action.
    """
    spec = ACTIONS[action]
    given = {key: value for key, value in payload.items() if value is not None}
    draft = _element(situation, situation.venue.contract, action, given)
    check(spec, given, situation)
    if pair is not None:
        symbol, _, quote = pair.partition("/")
        check_replace(given, situation, symbol, quote or DEFAULT_QUOTE)
    return draft


def deposit(situation: Situation, *, symbol: str, quantity: str, memo: str | None = None) -> Draft:
    """Transfer of coins or tokens to their escrow account. Raises IntentError."""
    venue, situation = situation.venue, replace(situation, signer=None, posting=False)
    if quantity == "all":
        raise IntentError("quantity", "'all' is not possible for a deposit: name the amount, such as 12.5")
    listed = {token.symbol: token for token in venue.tokens}
    if symbol in listed:
        # The same limits of an amount as of a withdrawal, but for its minimum.
        free = TokenRules(symbol, listed[symbol].precision, listed[symbol].escrow, min_withdrawal=1)
        rules = tuple(free if token.symbol == symbol else token for token in venue.tokens)
        situation = replace(situation, venue=replace(venue, tokens=rules))
    check(ACTIONS["withdraw"], {"symbol": symbol, "quantity": quantity}, situation)
    token, memo = listed[symbol], memo or ""
    try:
        memo_bytes = len(memo.encode())
    except UnicodeEncodeError:
        raise IntentError("memo", "must be valid Unicode text") from None
    if memo_bytes > MAX_TRANSFER_MEMO_BYTES:
        raise IntentError("memo", f"must be text of at most {MAX_TRANSFER_MEMO_BYTES} bytes")
    if token.chain == HIVE:
        units = to_units(read_decimal(quantity) or (0, 0), NATIVE_PRECISION) or 0
        amount = f"{show_units(units, NATIVE_PRECISION)} {symbol}"
        return Draft({"to": token.escrow, "amount": amount, "memo": memo}, None)
    payload: Element = {"symbol": symbol, "to": token.escrow, "quantity": quantity}
    return _element(situation, "tokens", "transfer", payload | ({"memo": memo} if memo else {}))


def _element(situation: Situation, contract: str, action: str, payload: Mapping[str, object]) -> Draft:
    element: Element = {"contractName": contract, "contractAction": action, "contractPayload": dict(payload)}
    draft = Draft(element, situation.venue.custom_json_id, posting=situation.posting)
    if len(draft.text().encode(errors="surrogatepass")) > MAX_JSON_BYTES:
        raise IntentError("memo", f"too long: a custom_json can have {MAX_JSON_BYTES} bytes")
    return draft
