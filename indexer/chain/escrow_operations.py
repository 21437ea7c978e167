"""Operations on escrow accounts that the protocol does not read: power-ups, savings, conversions, new keys.

They move funds, or the right to move them, without a journal line. They are recorded for people and alarms;
nothing of the state depends on them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from indexer.chain.blocks import Block, BlockError, JsonDecoder, operation_of
from indexer.chain.prefilter import may_move_tokens, may_name_escrow
from settlement.core.events import VenueFilter
from settlement.net.hive_formats import ASSET_BY_NAI

MAX_TEXT: Final = 2_000
"""Characters of an operation's JSON that are kept."""
_MAX_VALUE: Final = 200  # characters of a text inside it


class _Accounts(NamedTuple):
    """Fields of a type of operation that name accounts."""

    acting: tuple[str, ...]  # that sign it, or whose keys or recovery it changes
    named: tuple[str, ...] = ()  # that it only names, such as a recipient


_ESCROW: Final = ("from", "to", "agent")
_TYPES: Final = {
    "transfer_to_vesting": _Accounts(("from",), ("to",)),
    "transfer_to_savings": _Accounts(("from",), ("to",)),
    "transfer_from_savings": _Accounts(("from",), ("to",)),
    "cancel_transfer_from_savings": _Accounts(("from",)),
    "withdraw_vesting": _Accounts(("account",)),
    "set_withdraw_vesting_route": _Accounts(("from_account",), ("to_account",)),
    "delegate_vesting_shares": _Accounts(("delegator",), ("delegatee",)),
    "recurrent_transfer": _Accounts(("from",), ("to",)),
    "escrow_transfer": _Accounts(("from",), ("to", "agent")),
    "escrow_approve": _Accounts(("who",), _ESCROW),
    "escrow_dispute": _Accounts(("who",), _ESCROW),
    "escrow_release": _Accounts(("who",), (*_ESCROW, "receiver")),
    "limit_order_create": _Accounts(("owner",)),
    "limit_order_create2": _Accounts(("owner",)),
    "limit_order_cancel": _Accounts(("owner",)),
    "convert": _Accounts(("owner",)),
    "collateralized_convert": _Accounts(("owner",)),
    "claim_reward_balance": _Accounts(("account",)),
    "account_create": _Accounts(("creator",)),
    "account_create_with_delegation": _Accounts(("creator",)),
    "claim_account": _Accounts(("creator",)),
    "create_claimed_account": _Accounts(("creator",)),
    "create_proposal": _Accounts(("creator",), ("receiver",)),
    "account_update": _Accounts(("account",)),
    "account_update2": _Accounts(("account",)),
    "request_account_recovery": _Accounts(("account_to_recover",), ("recovery_account",)),
    "recover_account": _Accounts(("account_to_recover",)),
    "change_recovery_account": _Accounts(("account_to_recover",), ("new_recovery_account",)),
    "decline_voting_rights": _Accounts(("account",)),
}
_VALUE: Final[JsonDecoder[Any]] = JsonDecoder(Any)


class EscrowOperation(NamedTuple):
    """An operation and one escrow account that it names. The fields are the columns of the table."""

    acting: bool  # the account signed it, or its keys or recovery are concerned; else it is only named
    block: int
    position: int  # in the block, from 0
    transaction_id: str
    operation_index: int  # in the transaction, from 0
    type: str
    account: str
    text: str  # JSON of the operation's value: ASCII, sorted keys, long texts cut


def escrow_operations(block: Block, venue_filter: VenueFilter) -> list[EscrowOperation]:
    """The operations of a block on escrow accounts. Never raises for an operation's content.

    It searches only blocks in which the search for events has found operations of other types.
    """
    relevant = block.relevant
    if relevant is not None and relevant.venue_filter == venue_filter:
        if all(operation.value is not None for operation in relevant.operations):
            return []
    elif not may_move_tokens(block, venue_filter):
        return []
    return [
        EscrowOperation(acting, block.number, position, *rest)
        for position, (acting, rest) in enumerate(_search(block, venue_filter))
    ]


def _search(block: Block, venue_filter: VenueFilter) -> Iterator[tuple[bool, tuple[str, int, str, str, str]]]:
    for transaction in block.transactions:
        for index, unparsed in enumerate(transaction.operations):
            if not may_name_escrow(unparsed, venue_filter):
                continue
            try:
                name, source = operation_of(unparsed)
                fields = _TYPES.get(name)
                value = None if fields is None else _VALUE.read(source)
            except BlockError:
                continue
            if fields is None or not isinstance(value, dict):
                continue
            acting = _escrows_in(value, fields.acting, venue_filter)
            named = _escrows_in(value, fields.named, venue_filter) - acting
            text = _text_of(value) if acting or named else ""
            for account in sorted(acting | named):
                yield account in acting, (transaction.id, index, name, account, text)


def _escrows_in(value: dict[str, object], fields: tuple[str, ...], venue_filter: VenueFilter) -> set[str]:
    accounts = (value.get(field) for field in fields)
    return {account for account in accounts if isinstance(account, str) and account in venue_filter.escrows}


def _text_of(value: dict[str, object]) -> str:
    """The same text for both JSON shapes of nodes."""
    shown = {key: _shown(field) for key, field in value.items()}
    try:
        return json.dumps(shown, sort_keys=True, separators=(",", ":"))[:MAX_TEXT]
    except RecursionError:  # no operation of Hive nests so deeply
        return "{}"


def _shown(field: object) -> object:
    """A field: texts cut, amounts as `condenser_api` writes them, and of extensions the values alone."""
    if isinstance(field, str):
        return field if len(field) <= _MAX_VALUE else f"{field[:_MAX_VALUE]}…"
    if isinstance(field, list):
        return [_extension(item) for item in field]
    if isinstance(field, dict) and field.keys() == {"amount", "precision", "nai"}:
        asset, amount = ASSET_BY_NAI.get(str(field["nai"])), str(field["amount"])
        if asset is not None and asset.precision == field["precision"] and amount.isdecimal():
            digits = amount[:_MAX_VALUE].rjust(asset.precision + 1, "0")
            return f"{digits[: -asset.precision]}.{digits[-asset.precision :]} {asset.symbol}"
    return field


def _extension(item: object) -> object:
    """The value of an extension, which one shape writes beside a name and the other beside a number."""
    if isinstance(item, dict) and item.keys() == {"type", "value"}:
        return item["value"]
    is_numbered = isinstance(item, list) and len(item) == 2 and isinstance(item[0], int)
    return item[1] if isinstance(item, list) and is_numbered else item
