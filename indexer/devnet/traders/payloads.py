"""Builders of the operations that traders and operators broadcast: custom_json elements and transfers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from indexer.devnet.hive.operations import Coin, CustomJson, Operation, Transfer
from indexer.devnet.sidechain.actions import dump_json
from indexer.devnet.venue import VenueView
from settlement.core.events import HIVE
from settlement.core.venue import TokenRules

Element = dict[str, object]


def decimal_text(count: int, decimals: int) -> str:
    """`count × 10^-decimals` as decimal text without trailing zeros; `decimals` may be negative."""
    if decimals <= 0:
        return str(count * 10**-decimals)
    whole, rest = divmod(count, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".")


def parse_units(text: str, precision: int) -> int:
    """Decimal text in units of `10^-precision`, rounded down. Raises decimal.InvalidOperation."""
    return int(Decimal(text).scaleb(precision))


def intent(venue: VenueView, action: str, payload: Mapping[str, object]) -> Element:
    """A custom_json element for the venue's contract: a trader's intent or an operator action."""
    return {"contractName": venue.contract, "contractAction": action, "contractPayload": payload}


def token_transfer(symbol: str, to: str, quantity: str, memo: str | None = None) -> Element:
    """A custom_json element that transfers a sidechain token."""
    payload: Element = {"symbol": symbol, "to": to, "quantity": quantity}
    if memo is not None:
        payload["memo"] = memo
    return {"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload}


def custom_json(venue: VenueView, account: str, *elements: Element, active: bool = True) -> CustomJson:
    """A custom_json of one element (an object) or several (an array), under active or posting authority."""
    return raw_json(venue, account, dump_json(elements[0] if len(elements) == 1 else elements), active=active)


def raw_json(venue: VenueView, account: str, text: str, *, active: bool = True) -> CustomJson:
    """A custom_json with the venue's id and arbitrary text."""
    return CustomJson((account,) if active else (), () if active else (account,), venue.custom_json_id, text)


def movement(
    venue: VenueView, token: TokenRules, sender: str, to: str, units: int, memo: str | None = None
) -> Operation:
    """An operation that transfers a listed token or native coin."""
    if token.chain == HIVE:
        return Transfer(sender, to, Coin(units, token.symbol), memo or "")
    quantity = decimal_text(units, token.precision)
    return custom_json(venue, sender, token_transfer(token.symbol, to, quantity, memo))


def deposit(venue: VenueView, symbol: str, trader: str, units: int) -> Operation:
    """A trader's deposit of `units` to the token's escrow account. Raises KeyError for an unlisted token."""
    token = venue.tokens[symbol]
    return movement(venue, token, trader, token.escrow, units)


def element_ids(
    transaction_id: str, operations: Sequence[Operation], elements: Sequence[int]
) -> list[list[str]]:
    """The ids of the elements of each operation; `elements` is the number of elements of each."""
    ids: list[list[str]] = []
    for index, count in enumerate(elements):
        base = f"{transaction_id}-{index}" if len(operations) > 1 else transaction_id
        ids.append([f"{base}-{at}" for at in range(count)] if count > 1 else [base])
    return ids
