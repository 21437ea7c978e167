"""Decoder of blocks into the events that the state machine consumes (protocol, section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeGuard

from msgspec import Raw

from indexer.chain.blocks import (
    Block,
    BlockError,
    CustomJson,
    LocatedOperation,
    RelevantOperations,
    Transaction,
    Transfer,
    native_amount,
    transfer_or_custom_json,
)
from indexer.chain.prefilter import Prefilter, holds, may_move_tokens
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.chain.strict_json import ChainJsonError, loads
from settlement.core.events import HIVE, HIVE_ENGINE, Action, Event, JsonNumber, Movement, VenueFilter

_FLAT_KEYS: Final = frozenset(("base", "quote", "side", "price", "amount"))
_ESCAPE: Final = re.compile(r"\\u00([0-9a-fA-F]{2})")


def decode(
    block: Block, venue_filter: VenueFilter, receipts: Receipts | None = None, *, prefilter: bool = True
) -> Iterator[Event]:
    """The block's movements and actions, in the order in which they take effect.

    `receipts` are the sidechain's for this block, None where it executed nothing. `prefilter` skips
    irrelevant operations by a search of raw bytes; the events are the same without it. Raises BlockError or
    ReceiptError, naming block, transaction and operation, for data that no valid node returns.
    """
    for operation in _relevant(block, venue_filter, prefilter):
        value = operation.value
        try:
            if isinstance(value, CustomJson):
                yield from _custom_json_events(operation.id, value, venue_filter, receipts)
            elif isinstance(value, Transfer):
                yield from _transfer_events(operation.id, value, venue_filter, receipts)
        except (BlockError, ReceiptError) as error:
            where = _where(block, operation.transaction_id, operation.operation_index)
            raise type(error)(f"{where}: {error}") from None


def has_candidate(block: Block, venue_filter: VenueFilter, *, prefilter: bool = True) -> bool:
    """Whether the block must wait for the sidechain's receipts.

    Raises BlockError, naming the place, for an operation that cannot be decoded.
    """
    operations = _relevant(block, venue_filter, prefilter)
    if not operations or (prefilter and not may_move_tokens(block, venue_filter)):
        return False
    for operation in operations:
        try:
            if _is_candidate(operation.value, venue_filter):
                return True
        except BlockError as error:
            where = _where(block, operation.transaction_id, operation.operation_index)
            raise BlockError(f"{where}: {error}") from None
    return False


def _relevant(block: Block, venue_filter: VenueFilter, prefilter: bool) -> list[LocatedOperation]:
    """The operations that may be relevant, in order; the block keeps them for the next search."""
    if not prefilter:
        return _read_matching(block, None)
    cached = block.relevant
    if cached is None or cached.venue_filter != venue_filter:
        search = Prefilter(venue_filter)
        operations = _read_matching(block, search) if search.in_block(block) else []
        cached = block.relevant = RelevantOperations(venue_filter, operations)
    return cached.operations


def _read_matching(block: Block, search: Prefilter | None) -> list[LocatedOperation]:
    """The operations that the search matches; all of them without one."""
    needles = None if search is None else search.needles
    found: list[LocatedOperation] = []
    for transaction in block.transactions:
        for index, unparsed in enumerate(transaction.operations):
            if needles is None or not isinstance(unparsed, Raw) or holds(bytes(unparsed), needles):
                found.append(_read(block, transaction, index))
    return found


def _read(block: Block, transaction: Transaction, index: int) -> LocatedOperation:
    transaction_id, operations = transaction.id, transaction.operations
    try:
        value = transfer_or_custom_json(operations[index])
    except BlockError as error:
        raise BlockError(f"{_where(block, transaction_id, index)}: {error}") from None
    intent_id = transaction_id if len(operations) == 1 else f"{transaction_id}-{index}"
    return LocatedOperation(intent_id, transaction_id, index, value)


def _where(block: Block, transaction_id: str, index: int) -> str:
    return f"block {block.number}, transaction {transaction_id}, operation {index}"


def _is_candidate(value: Transfer | CustomJson | None, venue_filter: VenueFilter) -> bool:
    if isinstance(value, Transfer):
        return _memo_may_act(value, venue_filter)
    return value is not None and _may_move_tokens(value, venue_filter)


def _may_move_tokens(custom: CustomJson, venue_filter: VenueFilter) -> bool:
    """Whether a custom_json is a candidate: its text names an escrow account, or an escrow account signed it.

    The second condition covers payouts, whose text names the recipient alone.
    """
    return custom.id == venue_filter.custom_json_id and (
        _signer(custom) in venue_filter.escrows or _names_escrow(_unescaped(custom.json), venue_filter)
    )


def _memo_may_act(transfer: Transfer, venue_filter: VenueFilter) -> bool:
    memo = _unescaped(transfer.memo)
    return venue_filter.custom_json_id in memo and (
        transfer.sender in venue_filter.escrows or _names_escrow(memo, venue_filter)
    )


def _unescaped(text: str) -> str:
    """The text with each `\\u00hh` in it read as its character, whatever stands before it (section 4)."""
    if "\\u00" not in text:
        return text
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def _names_escrow(text: str, venue_filter: VenueFilter) -> bool:
    for name in venue_filter.escrows:  # noqa: SIM110 - hot path: any() takes twice as long
        if name in text:
            return True
    return False


def _signer(custom: CustomJson) -> str:
    """The account that the sidechain treats as the sender (section 4). Raises BlockError."""
    signers = custom.required_auths or custom.required_posting_auths
    if not signers:
        raise BlockError("custom_json without a signer")
    return signers[0]


def _elements(text: str) -> list[object]:
    """The elements of a custom_json's text: of an array, or a single object; none for other JSON."""
    try:
        value = loads(text)
    except ChainJsonError:
        return []
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def _transfer_events(
    intent_id: str, transfer: Transfer, venue_filter: VenueFilter, receipts: Receipts | None
) -> Iterator[Movement]:
    is_native = transfer.sender in venue_filter.escrows or transfer.recipient in venue_filter.escrows
    if is_native:
        quantity, symbol = native_amount(transfer.amount)
        yield Movement(intent_id, HIVE, transfer.sender, transfer.recipient, symbol, quantity, transfer.memo)
    if receipts is not None and _memo_may_act(transfer, venue_filter):
        action = _Element(intent_id, transfer.sender, _memo_action(transfer.memo), int(is_native))
        yield from _token_movements(action, venue_filter, receipts)


def _memo_action(memo: str) -> object:
    """The action in a memo `{"id": …, "json": action or [action]}`; None for none."""
    try:
        value = loads(memo)
    except ChainJsonError:
        return None
    action = value.get("json") if isinstance(value, dict) else None
    if isinstance(action, list):
        return action[0] if len(action) == 1 else None
    return action


def _custom_json_events(
    intent_id: str, custom: CustomJson, venue_filter: VenueFilter, receipts: Receipts | None
) -> Iterator[Event]:
    if custom.id != venue_filter.custom_json_id:
        return
    signer, is_active = _signer(custom), bool(custom.required_auths)
    elements = _elements(custom.json)
    moves_tokens = receipts is not None and _may_move_tokens(custom, venue_filter)
    for index, element in enumerate(elements):
        element_id = intent_id if len(elements) == 1 else f"{intent_id}-{index}"
        if moves_tokens:
            assert receipts is not None
            yield from _token_movements(_Element(element_id, signer, element), venue_filter, receipts)
        if isinstance(element, dict):
            action = _action_of(element, element_id, signer, is_active, venue_filter)
            if action is not None:
                yield action


def _action_of(
    element: dict[str, object], element_id: str, signer: str, is_active: bool, venue_filter: VenueFilter
) -> Action | None:
    if "contractName" in element:
        if not _is_text(element["contractName"]) or element["contractName"] != venue_filter.contract:
            return None
        name, payload = element.get("contractAction"), element.get("contractPayload")
        return Action(element_id, signer, is_active, name, payload)
    if venue_filter.accept_flat_intents and element.keys() >= _FLAT_KEYS:
        return Action(element_id, signer, is_active, element["side"], element, flat=True)
    return None


class _Element(NamedTuple):
    """An element of a candidate, for the token movements in its receipts."""

    id: str
    signer: str
    action: object  # any JSON value
    moved: int = 0  # its movements before those of the receipts


def _token_movements(element: _Element, venue_filter: VenueFilter, receipts: Receipts) -> Iterator[Movement]:
    """The movements in the receipts of one element."""
    payload = element.action.get("contractPayload") if isinstance(element.action, dict) else None
    memo = payload.get("memo") if isinstance(payload, dict) else None
    count = element.moved
    for event in receipts.logs_of(element.id):
        data = event.get("data")
        if event.get("contract") != "tokens" or not isinstance(data, dict):
            continue
        parties = _parties(event.get("event"), data, element.signer, venue_filter)
        symbol = data.get("symbol")
        if parties is not None and _is_text(symbol):
            yield Movement(
                id=f"{element.id}.{count}" if count else element.id,
                chain=HIVE_ENGINE,
                sender=parties.sender,
                recipient=parties.recipient,
                symbol=symbol,
                quantity=_quantity_text(data.get("quantity")),
                memo=memo if _is_text(memo) else None,
                outflow_only=parties.outflow_only,
            )
            count += 1


class _Parties(NamedTuple):
    """Who sends to whom in an event; `outflow_only` as in Movement."""

    sender: str
    recipient: str
    outflow_only: bool


def _parties(
    name: object, data: dict[str, object], signer: str, venue_filter: VenueFilter
) -> _Parties | None:
    """The parties of a `tokens` event that counts as a movement; None for other events (section 4)."""
    escrows = venue_filter.escrows
    sender = data.get("from")
    if name == "transfer":
        recipient = data.get("to")
        if _is_text(sender) and _is_text(recipient) and (sender in escrows or recipient in escrows):
            return _Parties(sender, recipient, outflow_only=False)
        return None
    if signer not in escrows or not (name == "stake" or (name == "transferToContract" and sender == signer)):
        return None
    recipient = data["to"] if "to" in data else data.get("account")
    return _Parties(signer, recipient, outflow_only=True) if _is_text(recipient) else None


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it is a JSON string. Numbers are `JsonNumber`, a subclass of str."""
    return type(value) is str


def _quantity_text(quantity: object) -> str:
    """The literal quantity: the text, or a number's literal; `null` for any other value, or none."""
    if _is_text(quantity):
        return quantity
    return str(quantity) if isinstance(quantity, JsonNumber) else "null"
