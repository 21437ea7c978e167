"""Decoder of blocks into the events that the state machine consumes (protocol, section 3).

`decode` is lazy. The state machine applies each event before it asks for the next one, and an operator's
`listToken` adds an escrow account to the venue filter in between: what depends on escrow accounts is looked
up event by event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, TypeGuard

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
from indexer.chain.strict_json import ChainJsonError, dumps, loads
from settlement.core.events import HIVE, HIVE_ENGINE, Action, Event, Movement, VenueFilter

_FLAT_KEYS: Final = frozenset(("base", "quote", "side", "price", "amount"))


def decode(
    block: Block, venue_filter: VenueFilter, receipts: Receipts | None = None, *, prefilter: bool = True
) -> Iterator[Event]:
    """The block's movements and actions, in the order in which they take effect.

    `receipts` are the sidechain's for this block, None where it executed nothing. Apply each event before
    asking for the next. `prefilter` skips irrelevant operations by a search of raw bytes; the events are the
    same without it. Raises BlockError or ReceiptError, naming block, transaction and operation, for data that
    no valid node returns.
    """
    for operation in _in_turn(block, venue_filter, prefilter):
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

    False positives are allowed, false negatives are not: escrow accounts named by the block's own `listToken`
    actions count as well, whatever their signer. Raises BlockError, naming the place, for an operation that
    cannot be decoded.
    """
    operations = _relevant(block, venue_filter, prefilter)
    if not operations or (prefilter and not may_move_tokens(block, venue_filter)):
        return False
    listed: set[str] = set()
    for operation in operations:
        try:
            if _is_candidate(operation.value, venue_filter):
                return True
            if isinstance(operation.value, CustomJson):
                listed |= _listed_escrows(operation.value, venue_filter)
        except BlockError as error:
            where = _where(block, operation.transaction_id, operation.operation_index)
            raise BlockError(f"{where}: {error}") from None
    if listed <= venue_filter.escrows:
        return False
    wider = replace(venue_filter, escrows=venue_filter.escrows | listed)
    return any(_is_candidate(operation.value, wider) for operation in _relevant(block, wider, prefilter))


def _in_turn(block: Block, venue_filter: VenueFilter, prefilter: bool) -> Iterator[LocatedOperation]:
    """The relevant operations, each searched for with the escrow accounts listed before it."""
    position = 0
    is_done = False
    while not is_done:
        is_done, escrow_count = True, len(venue_filter.escrows)
        for operation in _relevant(block, venue_filter, prefilter):
            if operation.position <= position:
                continue
            position = operation.position
            yield operation
            if len(venue_filter.escrows) != escrow_count:
                is_done = False
                break


def _relevant(block: Block, venue_filter: VenueFilter, prefilter: bool) -> list[LocatedOperation]:
    """The operations that may be relevant, in order; cached for each set of escrow accounts."""
    if not prefilter:
        return _read_matching(block, None)
    cached = block.relevant
    if cached is None or not cached.is_current(venue_filter):
        search = Prefilter(venue_filter)
        operations = _read_matching(block, search) if search.in_block(block) else []
        cached = block.relevant = RelevantOperations(venue_filter, len(venue_filter.escrows), operations)
    return cached.operations


def _read_matching(block: Block, search: Prefilter | None) -> list[LocatedOperation]:
    """The operations that the search matches; all of them without one."""
    needles = None if search is None else search.needles()
    found: list[LocatedOperation] = []
    position = 0
    for transaction in block.transactions:
        for index, unparsed in enumerate(transaction.operations):
            position += 1
            if needles is None or not isinstance(unparsed, Raw) or holds(bytes(unparsed), needles):
                found.append(_read(block, transaction, index, position))
    return found


def _read(block: Block, transaction: Transaction, index: int, position: int) -> LocatedOperation:
    transaction_id, operations = transaction.id, transaction.operations
    try:
        value = transfer_or_custom_json(operations[index])
    except BlockError as error:
        raise BlockError(f"{_where(block, transaction_id, index)}: {error}") from None
    intent_id = transaction_id if len(operations) == 1 else f"{transaction_id}-{index}"
    return LocatedOperation(position, intent_id, transaction_id, index, value)


def _where(block: Block, transaction_id: str, index: int) -> str:
    return f"block {block.number}, transaction {transaction_id}, operation {index}"


def _is_candidate(value: Transfer | CustomJson | None, venue_filter: VenueFilter) -> bool:
    if isinstance(value, Transfer):
        return _memo_may_act(value, venue_filter)
    return value is not None and _may_move_tokens(value, venue_filter)


def _may_move_tokens(custom: CustomJson, venue_filter: VenueFilter) -> bool:
    """Whether a custom_json is a candidate: its text names an escrow account, or an escrow account signed it.

    The second condition covers payouts, whose text names the recipient alone (docs/protocol-notes.md).
    """
    return custom.id == venue_filter.custom_json_id and (
        _signer(custom) in venue_filter.escrows or _names_escrow(custom.json, venue_filter)
    )


def _signer(custom: CustomJson) -> str:
    """The account that the sidechain treats as the sender (section 3). Raises BlockError."""
    signers = custom.required_auths or custom.required_posting_auths
    if not signers:
        raise BlockError("custom_json without a signer")
    return signers[0]


def _names_escrow(text: str, venue_filter: VenueFilter) -> bool:
    for name in venue_filter.escrows:  # noqa: SIM110 - hot path: any() takes twice as long
        if name in text:
            return True
    return False


def _memo_may_act(transfer: Transfer, venue_filter: VenueFilter) -> bool:
    memo = transfer.memo
    return venue_filter.custom_json_id in memo and (
        transfer.sender in venue_filter.escrows or _names_escrow(memo, venue_filter)
    )


def _listed_escrows(custom: CustomJson, venue_filter: VenueFilter) -> set[str]:
    """The escrow accounts that the operation's `listToken` actions name."""
    names: set[str] = set()
    if custom.id != venue_filter.custom_json_id:
        return names
    if "listToken" not in custom.json and "\\u" not in custom.json:
        return names
    for element in _elements(custom.json):
        if isinstance(element, dict) and element.get("contractAction") == "listToken":
            payload = element.get("contractPayload")
            escrow = payload.get("escrow") if isinstance(payload, dict) else None
            if isinstance(escrow, str) and element.get("contractName") == venue_filter.contract:
                names.add(escrow)
    return names


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
        element = _memo_element(transfer.memo)
        yield from _token_movements(intent_id, int(is_native), element, venue_filter, receipts)


def _memo_element(memo: str) -> object:
    """The action in a memo `{"id": …, "json": action or [action]}`; None for none."""
    try:
        value = loads(memo)
    except ChainJsonError:
        return None
    element = value.get("json") if isinstance(value, dict) else None
    if isinstance(element, list):
        return element[0] if len(element) == 1 else None
    return element


def _custom_json_events(
    intent_id: str, custom: CustomJson, venue_filter: VenueFilter, receipts: Receipts | None
) -> Iterator[Event]:
    if custom.id != venue_filter.custom_json_id:
        return
    signer, is_active = _signer(custom), bool(custom.required_auths)
    elements = _elements(custom.json)
    for index, element in enumerate(elements):
        element_id = intent_id if len(elements) == 1 else f"{intent_id}-{index}"
        if receipts is not None and _may_move_tokens(custom, venue_filter):
            yield from _token_movements(element_id, 0, element, venue_filter, receipts)
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


def _token_movements(
    element_id: str, count: int, element: object, venue_filter: VenueFilter, receipts: Receipts
) -> Iterator[Movement]:
    """The movements in the receipts of one element; `count` of its movements came before."""
    payload = element.get("contractPayload") if isinstance(element, dict) else None
    memo = payload.get("memo") if isinstance(payload, dict) else None
    for event in receipts.logs_of(element_id):
        data = event.get("data")
        if (
            event.get("contract") != "tokens"
            or event.get("event") != "transfer"
            or not isinstance(data, dict)
        ):
            continue
        sender, recipient, symbol = data.get("from"), data.get("to"), data.get("symbol")
        if not (_is_text(sender) and _is_text(recipient) and _is_text(symbol)):
            continue
        if sender in venue_filter.escrows or recipient in venue_filter.escrows:
            yield Movement(
                id=f"{element_id}.{count}" if count else element_id,
                chain=HIVE_ENGINE,
                sender=sender,
                recipient=recipient,
                symbol=symbol,
                quantity=_quantity_text(data.get("quantity")),
                memo=memo if _is_text(memo) else None,
            )
            count += 1


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it is a JSON string. Numbers are `JsonNumber`, a subclass of str."""
    return type(value) is str


def _quantity_text(quantity: object) -> str:
    """The literal quantity; other JSON types as JSON text, for the refund that they become."""
    return str(quantity) if isinstance(quantity, str) else dumps(quantity)
