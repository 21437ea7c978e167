"""Builds what traders and operators put on the chain: elements of custom_json, and transfers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from indexer.devnet.hive.operations import Coin, CustomJson, Operation, Transfer
from indexer.devnet.sidechain.actions import dump_json
from indexer.devnet.venue import TokenView, VenueView

Element = dict[str, object]

NATIVE: Final = "hive"


def decimal_text(count: int, decimals: int) -> str:
    """`count × 10^-decimals` as decimal text without needless zeros; `decimals` may be negative."""
    if decimals <= 0:
        return str(count * 10**-decimals)
    whole, rest = divmod(count, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".")


def parse_units(text: str, precision: int) -> int:
    """Plain decimal text in units of `10^-precision`, cut off below. Raises decimal.InvalidOperation."""
    return int(Decimal(text).scaleb(precision))


def intent(venue: VenueView, action: str, payload: Element) -> Element:
    """An element for the venue's own contract: a trader's intent or an operator's action."""
    return {"contractName": venue.contract, "contractAction": action, "contractPayload": payload}


def token_transfer(symbol: str, to: str, quantity: str, memo: str | None = None) -> Element:
    """An element that moves a token of the sidechain."""
    payload: Element = {"symbol": symbol, "to": to, "quantity": quantity}
    if memo is not None:
        payload["memo"] = memo
    return {"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload}


def custom_json(venue: VenueView, account: str, *elements: Element, active: bool = True) -> CustomJson:
    """One element as an object, several as an array; signed with the active or the posting key."""
    return raw_json(venue, account, dump_json(elements[0] if len(elements) == 1 else elements), active=active)


def raw_json(venue: VenueView, account: str, text: str, *, active: bool = True) -> CustomJson:
    """A custom_json of the venue's id with any text."""
    return CustomJson((account,) if active else (), () if active else (account,), venue.custom_json_id, text)


def movement(
    venue: VenueView, token: TokenView, sender: str, to: str, units: int, memo: str | None = None
) -> Operation:
    """An operation that moves a listed token or native coin from one account to another."""
    if token.chain == NATIVE:
        return Transfer(sender, to, Coin(units, token.symbol), memo or "")
    quantity = decimal_text(units, token.precision)
    return custom_json(venue, sender, token_transfer(token.symbol, to, quantity, memo))


def deposit(venue: VenueView, symbol: str, trader: str, units: int) -> Operation:
    """A trader's deposit of `units` to the token's escrow account. Raises KeyError for an unlisted one."""
    token = venue.tokens[symbol]
    return movement(venue, token, trader, token.escrow, units)


def element_ids(
    transaction_id: str, operations: Sequence[Operation], elements: Sequence[int]
) -> list[list[str]]:
    """The ids of the elements of each operation; `elements` says how many each one has."""
    ids: list[list[str]] = []
    for index, count in enumerate(elements):
        base = f"{transaction_id}-{index}" if len(operations) > 1 else transaction_id
        ids.append([f"{base}-{at}" for at in range(count)] if count > 1 else [base])
    return ids
