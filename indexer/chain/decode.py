"""From a block to the events that the engine consumes: protocol, section 3, and nothing else.

`decode` is lazy on purpose. The engine applies each event before it asks for the next one, and an operator's
`listToken` adds an escrow account to the watch in between: whatever depends on escrow accounts is looked up
when its turn comes.
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
    Found,
    Known,
    Transaction,
    Transfer,
    known_value,
    native_amount,
)
from indexer.chain.prefilter import Interest, holds, may_move_tokens
from indexer.chain.receipts import ReceiptError, Receipts
from indexer.chain.strict_json import ChainJsonError, dumps, loads
from settlement.core.events import HIVE, HIVE_ENGINE, Action, Event, Movement, VenueFilter

_FLAT_KEYS: Final = frozenset(("base", "quote", "side", "price", "amount"))


def decode(
    block: Block, venue_filter: VenueFilter, receipts: Receipts | None = None, *, prefilter: bool = True
) -> Iterator[Event]:
    """The block's movements and actions, in the order in which they take effect.

    `receipts` are the sidechain's for this very block, None where it ran nothing. Apply each event before
    asking for the next. `prefilter` skips by a search of raw bytes what cannot be of ours; the events are
    the same without it. Raises BlockError or ReceiptError, naming block, transaction and operation, for what
    no real node says.
    """
    for known in _in_turn(block, venue_filter, prefilter):
        value = known.value
        try:
            if isinstance(value, CustomJson):
                yield from _custom_json_events(known.id, value, venue_filter, receipts)
            elif isinstance(value, Transfer):
                yield from _transfer_events(known.id, value, venue_filter, receipts)
        except (BlockError, ReceiptError) as error:
            where = _where(block, known.transaction_id, known.operation_index)
            raise type(error)(f"{where}: {error}") from None


def has_candidate(block: Block, venue_filter: VenueFilter, *, prefilter: bool = True) -> bool:
    """Whether the block must wait for the sidechain's receipts.

    It may say yes too often, never too seldom: the escrow accounts that the block's own `listToken` actions
    name count as well, whoever signed them. Raises BlockError, naming the place, for an operation that
    cannot be read.
    """
    ours = _ours(block, venue_filter, prefilter)
    if not ours or (prefilter and not may_move_tokens(block, venue_filter)):
        return False
    listed: set[str] = set()
    for known in ours:
        try:
            if _is_candidate(known.value, venue_filter):
                return True
            if isinstance(known.value, CustomJson):
                listed |= _listed_escrows(known.value, venue_filter)
        except BlockError as error:
            where = _where(block, known.transaction_id, known.operation_index)
            raise BlockError(f"{where}: {error}") from None
    if listed <= venue_filter.escrows:
        return False
    wider = replace(venue_filter, escrows=venue_filter.escrows | listed)
    return any(_is_candidate(known.value, wider) for known in _ours(block, wider, prefilter))


def _in_turn(block: Block, venue_filter: VenueFilter, prefilter: bool) -> Iterator[Known]:
    """The operations that may be of ours, each looked for with the accounts that were listed before it."""
    position = 0
    is_done = False
    while not is_done:
        is_done, escrow_count = True, len(venue_filter.escrows)
        for known in _ours(block, venue_filter, prefilter):
            if known.position <= position:
                continue
            position = known.position
            yield known
            if len(venue_filter.escrows) != escrow_count:
                is_done = False
                break


def _ours(block: Block, venue_filter: VenueFilter, prefilter: bool) -> list[Known]:
    """The operations that may be of ours, in order; they are read once for each set of accounts."""
    if not prefilter:
        return _read_those(block, None)
    found = block.found
    if found is None or not found.is_for(venue_filter):
        interest = Interest(venue_filter)
        known = _read_those(block, interest) if interest.in_block(block) else []
        found = block.found = Found(venue_filter, len(venue_filter.escrows), known)
    return found.known


def _read_those(block: Block, interest: Interest | None) -> list[Known]:
    """The operations whose text holds what is looked for; all of them where nothing is."""
    needles = None if interest is None else interest.needles()
    known: list[Known] = []
    position = 0
    for transaction in block.transactions:
        for index, unparsed in enumerate(transaction.operations):
            position += 1
            if needles is None or not isinstance(unparsed, Raw) or holds(bytes(unparsed), needles):
                known.append(_read(block, transaction, index, position))
    return known


def _read(block: Block, transaction: Transaction, index: int, position: int) -> Known:
    transaction_id, operations = transaction.id, transaction.operations
    try:
        value = known_value(operations[index])
    except BlockError as error:
        raise BlockError(f"{_where(block, transaction_id, index)}: {error}") from None
    intent_id = transaction_id if len(operations) == 1 else f"{transaction_id}-{index}"
    return Known(position, intent_id, transaction_id, index, value)


def _where(block: Block, transaction_id: str, index: int) -> str:
    return f"block {block.number}, transaction {transaction_id}, operation {index}"


def _is_candidate(value: Transfer | CustomJson | None, venue_filter: VenueFilter) -> bool:
    if isinstance(value, Transfer):
        return _memo_may_act(value, venue_filter)
    return value is not None and _may_move_tokens(value, venue_filter)


def _may_move_tokens(custom: CustomJson, venue_filter: VenueFilter) -> bool:
    """Whether a custom_json is a candidate: its text names an escrow account, or one signed it.

    The second is ours: a payout's text names its recipient alone, and without it money could leave an
    escrow account unseen (docs/protocol-notes.md).
    """
    return custom.id == venue_filter.custom_json_id and (
        _signer(custom) in venue_filter.escrows or _names_escrow(custom.json, venue_filter)
    )


def _signer(custom: CustomJson) -> str:
    """The account that the sidechain takes for the sender (section 3). Raises BlockError."""
    signers = custom.required_auths or custom.required_posting_auths
    if not signers:
        raise BlockError("custom_json without a signer")
    return signers[0]


def _names_escrow(text: str, venue_filter: VenueFilter) -> bool:
    for name in venue_filter.escrows:  # noqa: SIM110 - for every operation of ours, and any() takes twice as long
        if name in text:
            return True
    return False


def _memo_may_act(transfer: Transfer, venue_filter: VenueFilter) -> bool:
    memo = transfer.memo
    return venue_filter.custom_json_id in memo and (transfer.sender in venue_filter.escrows or _names_escrow(memo, venue_filter))


def _listed_escrows(custom: CustomJson, venue_filter: VenueFilter) -> set[str]:
    """The escrow accounts that this operation's `listToken` actions would add."""
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
    """The elements of a custom_json's text: an object is one; nothing for all else that is no array."""
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
    """The action in a transfer's memo, {"id": …, "json": <it, or an array of it alone>}; None if none."""
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
    """The movements that the receipts show for one element; `count` movements of it went before."""
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
    """A JSON string: a number is a `JsonNumber`, which is a str as well, and no text."""
    return type(value) is str


def _quantity_text(quantity: object) -> str:
    """The literal quantity; what is no string or number becomes its JSON text, for a refund to name."""
    return str(quantity) if isinstance(quantity, str) else dumps(quantity)
