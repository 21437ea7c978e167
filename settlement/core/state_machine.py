"""State transition of the exchange: one block's events in, its journal entry out (the whole of the protocol).

`StateMachine.apply` is the only way in which state changes, whether catching up, following, replaying or
auditing. It reads no clock, no database and no network.
"""

from __future__ import annotations

from collections.abc import Iterable

from settlement.core.codes import Code
from settlement.core.custody import (
    check_withdrawal,
    find_withdrawal,
    open_withdrawal,
    record_movement,
    return_due,
    start_return,
)
from settlement.core.events import Action, BlockHeader, Event, Movement, VenueFilter
from settlement.core.invariants import check_block
from settlement.core.journal import lines
from settlement.core.journal.lines import JournalEntry
from settlement.core.operator_actions import OPERATOR_ACTIONS, Place, may_act
from settlement.core.operator_actions import decide as read_operator_action
from settlement.core.parsing.intents import (
    POSTING,
    CancelAllIntent,
    CancelIntent,
    CancelWithdrawalIntent,
    GrantIntent,
    Intent,
    OrderIntent,
    ReplaceIntent,
    RevokeIntent,
    TimerIntent,
    WithdrawIntent,
    read_flat_intent,
    read_intent,
    read_principal,
)
from settlement.core.parsing.names import action_text, encode
from settlement.core.parsing.payload_reader import PayloadReader
from settlement.core.state import BlockChanges, InvariantError, State
from settlement.core.trading.closing import cancel, cancel_all, expire, fire_timers
from settlement.core.trading.context import Context, accept
from settlement.core.trading.firing import MAX_FIRED, fire
from settlement.core.trading.grants import (
    MAX_GRANT_SECONDS,
    authorize,
    check_grant,
    close_grant,
    expire_grants,
    open_grant,
    set_timer,
)
from settlement.core.trading.orders import place, replace
from settlement.core.venue import PROTOCOL, Venue


class UpgradeRequired(Exception):
    """The next block is under a protocol that this program does not know."""


class StateMachine:
    """The venue's state and the rules that change it, block by block."""

    def __init__(self, venue: Venue, state: State | None = None) -> None:
        self.state = State(venue) if state is None else state

    @property
    def venue_filter(self) -> VenueFilter:
        """Which operations a decoder must look for."""
        return self.state.venue_filter

    def next_block(self) -> int:
        """The number of the block that must come next."""
        header = self.state.header
        return self.state.venue.first_block if header is None else header.number + 1

    def apply(self, header: BlockHeader, events: Iterable[Event] = ()) -> JournalEntry:
        """Apply one block in the order of work of section 3.

        Raises InvariantError if the books do not balance or the block is out of turn, UpgradeRequired before
        a block of another protocol. `events` is read one by one, each after the effects of those before.
        """
        self._check_turn(header)
        state, now, block = self.state, header.timestamp, header.number
        expire(state, now)
        expire_grants(state, now)
        fire_timers(state, now)
        fire(state, state.left_over, block=block)
        where = Place(now, block)
        for event in events:
            if isinstance(event, Movement):
                record_movement(state, event)
            else:
                self._decide(event, where)
        return_due(state, now)
        fire(state, state.changes.traded, block=block)
        return self._finish(header)

    def _check_turn(self, header: BlockHeader) -> None:
        if header.number != self.next_block():
            raise InvariantError(f"block {header.number} is out of turn, {self.next_block()} is next")
        upgrade = self.state.upgrade
        if upgrade is not None and upgrade.block is not None and header.number >= upgrade.block:
            raise UpgradeRequired(
                f"block {header.number} is the first under protocol {upgrade.protocol}, and this program "
                f"runs protocol {PROTOCOL}: install a newer version"
            )

    def _finish(self, header: BlockHeader) -> JournalEntry:
        """Check the books, extend the journal, and move to the end of the block."""
        state = self.state
        changes = state.changes
        state.header = header
        if not changes.journal:  # then nothing moved: most blocks of a chain
            state.left_over = []
            return JournalEntry(header, "", state.journal_hash)
        state.left_over = sorted(name for name, fired in changes.fired.items() if fired >= MAX_FIRED)
        state.changes = BlockChanges()
        check_block(changes)
        text = lines.block_text(header, changes.journal)
        state.journal_hash = lines.chain_hash(state.journal_hash, text)
        return JournalEntry(header, text, state.journal_hash)

    def _decide(self, action: Action, where: Place) -> None:
        """Decide one signed action; write its lines, or why it was rejected."""
        signer = encode(action.signer)  # itself, but for names that no chain has
        reader = PayloadReader(action.payload)
        ref = reader.ref() or None
        name = action.name
        if type(name) is str and name in OPERATOR_ACTIONS and not action.flat:
            code = self._decide_operator_action(action, name, reader, signer, ref, where)
        else:
            code = self._decide_intent(action, reader, signer, ref, where)
        if code is not None:
            self.state.write(lines.Reject(action.id, signer, action_text(name), ref, code.value))

    def _decide_operator_action(
        self, action: Action, name: str, reader: PayloadReader, signer: str, ref: str | None, where: Place
    ) -> Code | None:
        """An operator action, by the order of checks of section 5."""
        state = self.state
        not_after = reader.not_after()
        check = read_operator_action(state, name, reader, where)
        if reader.invalid:
            return Code.E_INPUT
        if not may_act(state, name, signer=signer, active=action.active):
            return Code.E_AUTH
        if not_after is not None and where.now > not_after:
            return Code.E_LATE
        decided = check()
        if isinstance(decided, Code):
            return decided
        state.write(lines.Accept(action.id, signer, "active", name, ref))
        decided()
        return None

    def _decide_intent(
        self, action: Action, reader: PayloadReader, signer: str, ref: str | None, where: Place
    ) -> Code | None:
        """A trader's intent: checks 1 to 3 of section 5, then those of its kind."""
        state = self.state
        not_after = reader.not_after()
        if action.flat:
            intent: Intent | None = read_flat_intent(action.name, reader)
            principal = None
        else:
            intent = read_intent(action.name, reader)
            principal = read_principal(reader)
        if intent is None or reader.invalid or principal == signer:
            return Code.E_INPUT
        account = principal or signer
        if not self._fits_block(intent, signer=signer, account=account, now=where.now):
            return Code.E_INPUT
        if action.flat and reader.raw("username") not in (None, signer):
            return Code.E_AUTH
        grant = None
        if principal is not None or not action.active:
            found = authorize(state, intent, signer=signer, active=action.active, principal=principal)
            if isinstance(found, Code):
                return found
            grant = found
        if not_after is not None and where.now > not_after:
            return Code.E_LATE
        context = Context(action.id, ref, state.account(account), grant, where.now, where.block)
        return self._carry_out(context, intent)

    def _fits_block(self, intent: Intent, *, signer: str, account: str, now: int) -> bool:
        """The ranges that depend on the block or on the escrow accounts (section 5, check 1)."""
        if isinstance(intent, WithdrawIntent):
            return (intent.to or account) not in self.state.venue_filter.escrows
        if isinstance(intent, GrantIntent):
            is_other = intent.to == POSTING or intent.to != signer
            return is_other and now < intent.until <= now + MAX_GRANT_SECONDS
        return True

    def _carry_out(self, context: Context, intent: Intent) -> Code | None:
        """Checks 4 to 11 of section 5 and the effects of an intent, by its kind."""
        state = self.state
        match intent:
            case OrderIntent():
                return place(state, context, intent)
            case CancelIntent():
                return cancel(state, context, intent)
            case CancelAllIntent():
                return cancel_all(state, context, intent)
            case ReplaceIntent():
                return replace(state, context, intent)
            case TimerIntent():
                accept(state, context, "cancelAllAfter")
                set_timer(state, context, intent)
                return None
            case WithdrawIntent():
                return self._withdraw(context, intent)
            case CancelWithdrawalIntent():
                return self._cancel_withdrawal(context, intent)
            case GrantIntent():
                return self._grant(context, intent)
            case RevokeIntent():
                return self._revoke(context, intent)

    def _withdraw(self, context: Context, intent: WithdrawIntent) -> Code | None:
        state, account = self.state, context.account
        amount = check_withdrawal(state, account.name, intent)
        if isinstance(amount, Code):
            return amount
        accept(state, context, "withdraw")
        open_withdrawal(
            state,
            context.id,
            account.balances[intent.symbol],
            amount,
            to=intent.to or account.name,
            memo=None if intent.memo is None else encode(intent.memo),
        )
        return None

    def _cancel_withdrawal(self, context: Context, intent: CancelWithdrawalIntent) -> Code | None:
        withdrawal = find_withdrawal(self.state, intent.id, context.account.name)
        if isinstance(withdrawal, Code):
            return withdrawal
        accept(self.state, context, "cancelWithdrawal")
        start_return(self.state, withdrawal, context.now)
        return None

    def _grant(self, context: Context, intent: GrantIntent) -> Code | None:
        per_day = check_grant(self.state, context.account, intent)
        if isinstance(per_day, Code):
            return per_day
        accept(self.state, context, "grant")
        open_grant(self.state, context.account, intent, per_day)
        return None

    def _revoke(self, context: Context, intent: RevokeIntent) -> Code | None:
        grant = self.state.grants.get((context.account.name, intent.to))
        if grant is None:
            return Code.E_NOT_FOUND
        accept(self.state, context, "revoke")
        close_grant(self.state, grant)
        self.state.write(lines.Revoke(context.account.name, intent.to))
        return None
