"""State machine of the venue: the events of one block in, its journal out (the whole protocol).

`StateMachine.apply` is the only way in which the state changes, whether catching up, following, replaying or
auditing. It uses no clock, no database and no network.
"""

from __future__ import annotations

from collections.abc import Iterable

from settlement.core.accounts import Balance
from settlement.core.codes import Code
from settlement.core.custody import record_movement, withdraw
from settlement.core.events import Action, BlockHeader, Event, Movement, VenueFilter
from settlement.core.invariants import check_block
from settlement.core.journal.entries import (
    ActionOutcome,
    BalanceAfter,
    BlockResult,
    HoldingsAfter,
    OrderAfter,
    Rejected,
)
from settlement.core.journal.text import chain_hash, journal_text
from settlement.core.operator_actions import OPERATOR_ACTIONS, apply_operator_action
from settlement.core.order_book import Order
from settlement.core.orders import cancel, cancel_all, expire_orders, place, replace
from settlement.core.parsing.intents import (
    CancelAllIntent,
    CancelIntent,
    Intent,
    OrderIntent,
    ReplaceIntent,
    WithdrawIntent,
    read_flat_intent,
    read_intent,
)
from settlement.core.parsing.names import action_text, encode
from settlement.core.parsing.payload_reader import PayloadReader
from settlement.core.state import BlockChanges, InvariantError, State
from settlement.core.venue import Venue


class StateMachine:
    """The venue's state and the rules that change it, block by block."""

    def __init__(self, venue: Venue, state: State | None = None) -> None:
        self.state = State(venue) if state is None else state

    @property
    def venue_filter(self) -> VenueFilter:
        """Which operations must be decoded; it grows within a block when a token is listed."""
        return self.state.venue_filter

    def next_block(self) -> int:
        """The number of the block that must come next."""
        header = self.state.header
        return self.state.venue.start_block if header is None else header.number + 1

    def apply(self, header: BlockHeader, events: Iterable[Event] = ()) -> BlockResult:
        """Apply one block.

        `events` may be lazy: each is read after those before it have taken effect (section 3).
        Raises InvariantError for a block out of sequence and when the books do not balance.
        """
        if header.number != self.next_block():
            raise InvariantError(f"block {header.number} is out of sequence, expected {self.next_block()}")
        state = self.state
        now = header.timestamp

        # 1. Orders whose expiry has passed close (section 6).
        expire_orders(state, now)

        # 2. Movements and actions, in the order of the chain (sections 3 to 8).
        for event in events:
            if isinstance(event, Movement):
                record_movement(state, event)
            else:
                self._apply_action(event, now)

        # 3. The block ends: invariants, journal text, journal hash (section 9).
        state.header = header
        changes = state.changes
        if not changes.entries and not changes.outcomes:  # most blocks of the chain
            return BlockResult(header=header, journal_hash=state.journal_hash)
        state.changes = BlockChanges()
        touched: dict[Balance, None] = {}  # an ordered set
        for transfer in changes.transfers:
            touched[transfer.debit] = touched[transfer.credit] = None
        check_block(touched, changes.orders.values(), changes.withdrawing)
        text = journal_text(header, changes.entries)
        state.journal_hash = chain_hash(state.journal_hash, text)
        return BlockResult(
            header=header,
            journal_hash=state.journal_hash,
            entries=changes.entries,
            outcomes=changes.outcomes,
            checkpoints=changes.checkpoints,
            transfers=changes.transfers,
            balances=[BalanceAfter(balance, *balance.buckets) for balance in touched],
            orders=[
                OrderAfter(o, o.remaining, o.locked, o.received, o.released, o.status)
                for o in changes.orders.values()
            ],
            holdings=[
                HoldingsAfter(escrow, symbol, state.holdings[escrow, symbol])
                for escrow, symbol in changes.holdings
            ],
            text=text,
            rules_changed=changes.rules_changed,
        )

    def _apply_action(self, action: Action, now: int) -> None:
        """Decide one signed action and record its outcome."""
        signer = encode(action.signer)  # changes nothing in a valid account name
        name = action_text(action.name)
        reader = PayloadReader(action.payload)
        ref = reader.ref()
        if name in OPERATOR_ACTIONS and not action.flat:
            is_operator = action.active and signer == self.state.venue.operator
            result: Order | Code | None = apply_operator_action(
                self.state, action.id, name, reader, is_operator=is_operator
            )
        else:
            result = self._apply_intent(action, signer, reader, now)
        code = result if isinstance(result, Code) else None
        seq = result.seq if isinstance(result, Order) else None
        changes = self.state.changes
        changes.outcomes.append(ActionOutcome(action.id, signer, name, code, ref or None, seq))
        if code is not None:
            changes.entries.append(Rejected(id=action.id, account=signer, action=name, code=code))

    def _apply_intent(
        self, action: Action, signer: str, reader: PayloadReader, now: int
    ) -> Order | Code | None:
        """Decide an intent by the checks of section 4: shape, authority, then those of its action."""
        intent = read_flat_intent(action.name, reader) if action.flat else read_intent(action.name, reader)
        state = self.state
        if intent is None or reader.invalid or _withdraws_to_escrow(state, signer, intent):
            return Code.E_INPUT
        if not action.active or (action.flat and reader.raw("username") not in (None, signer)):
            return Code.E_AUTH
        match intent:
            case OrderIntent():
                return place(state, action.id, signer, intent, now)
            case CancelIntent():
                return cancel(state, signer, intent)
            case CancelAllIntent():
                return cancel_all(state, signer, intent)
            case ReplaceIntent():
                return replace(state, action.id, signer, intent, now)
            case WithdrawIntent():
                return withdraw(state, action.id, signer, intent)


def _withdraws_to_escrow(state: State, signer: str, intent: Intent) -> bool:
    """Section 4 forbids withdrawals to escrow accounts."""
    return isinstance(intent, WithdrawIntent) and (intent.to or signer) in state.venue_filter.escrows
