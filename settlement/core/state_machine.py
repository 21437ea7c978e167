"""The state transition: one block's events in, its effects out (the whole of the protocol).

`Engine.apply` is the only way in which state changes, whether catching up, following, replaying or
auditing. It reads no clock, no database and no network.
"""

from __future__ import annotations

from collections.abc import Iterable

from settlement.core.codes import Code
from settlement.core.custody import move, withdraw
from settlement.core.events import Action, BlockHeader, Event, Movement, Watch
from settlement.core.invariants import check_block
from settlement.core.journal.effects import BlockEffects, IntentSeen, Rejected
from settlement.core.journal.text import chain_hash, journal_text
from settlement.core.model import AVAILABLE, ESCROW, LOCKED, WITHDRAWING, Order, Wallet
from settlement.core.operator_actions import OPERATOR_ACTIONS, act
from settlement.core.orders import cancel, cancel_all, expire, place, replace
from settlement.core.parsing.names import action_text, encode
from settlement.core.parsing.payload import Fields
from settlement.core.parsing.requests import (
    CancelAllRequest,
    CancelRequest,
    OrderRequest,
    ReplaceRequest,
    Request,
    WithdrawRequest,
    read_flat,
    read_request,
)
from settlement.core.state import InvariantError, Output, State
from settlement.core.venue import Venue


class Engine:
    """The venue's state and the rules that change it, block by block."""

    def __init__(self, venue: Venue, state: State | None = None) -> None:
        self.state = State(venue) if state is None else state

    @property
    def watch(self) -> Watch:
        """What a decoder must look for; it grows within a block when a token is listed."""
        return self.state.watch

    def next_block(self) -> int:
        """The number of the block that must come next."""
        header = self.state.header
        return self.state.venue.start_block if header is None else header.number + 1

    def apply(self, header: BlockHeader, events: Iterable[Event] = ()) -> BlockEffects:
        """Apply one block. Raises InvariantError if the books do not add up or the block is out of turn.

        `events` may be lazy: it is read one by one, after the effects of those before (section 3).
        """
        if header.number != self.next_block():
            raise InvariantError(f"block {header.number} is out of turn, {self.next_block()} is next")
        state = self.state
        expire(state, header.timestamp)
        for event in events:
            if isinstance(event, Movement):
                move(state, event)
            else:
                self._decide(event, header.timestamp)
        return self._seal(header)

    def _seal(self, header: BlockHeader) -> BlockEffects:
        """Check the books, write the journal, move the cursor, and start with a clean slate."""
        state = self.state
        state.header = header
        out = state.out
        if not out.effects and not out.intents:  # then nothing moved: most blocks of a chain
            return BlockEffects(header, [], [], [], [], [], [], [], "", state.journal_hash, False)
        state.out = Output()
        touched: dict[Wallet, None] = {}
        for debit, _, credit, _, _ in out.transfers:
            touched[debit] = touched[credit] = None
        orders = out.orders.values()
        check_block(touched, orders, out.withdrawing)
        text = journal_text(header, out.effects)
        state.journal_hash = chain_hash(state.journal_hash, text)
        return BlockEffects(
            header,
            out.effects,
            out.intents,
            out.checkpoints,
            out.transfers,
            [(w, b[AVAILABLE], b[LOCKED], b[WITHDRAWING], b[ESCROW]) for w in touched for b in (w.buckets,)],
            [(o, o.remaining, o.locked, o.received, o.released, o.status) for o in orders],
            [(*key, state.holdings[key]) for key in out.holdings],
            text,
            state.journal_hash,
            out.rules_changed,
        )

    def _decide(self, action: Action, now: int) -> None:
        """Decide one signed action and note what became of it."""
        signer = encode(action.signer)  # itself, but for names that no chain has
        fields = Fields(action.payload)
        ref = fields.ref()
        if type(action.name) is str and action.name in OPERATOR_ACTIONS and not action.flat:
            authorised = action.active and signer == self.state.venue.operator
            result: Order | Code | None = act(self.state, action.id, action.name, fields, authorised)
        else:
            result = self._trade(action, signer, fields, now)
        code = result if isinstance(result, Code) else None
        seq = result.seq if isinstance(result, Order) else None
        name = action_text(action.name)
        out = self.state.out
        out.intents.append(IntentSeen(action.id, signer, name, code, ref or None, seq))
        if code is not None:
            out.effects.append(Rejected(action.id, signer, name, code))

    def _trade(self, action: Action, signer: str, fields: Fields, now: int) -> Order | Code | None:
        """A trader's intent, by the order of checks of section 4."""
        request = read_flat(fields, action.name) if action.flat else read_request(action.name, fields)
        state = self.state
        if request is None or fields.bad or _pays_escrow(state, signer, request):
            return Code.E_INPUT
        if not action.active or (action.flat and fields.raw("username") not in (None, signer)):
            return Code.E_AUTH
        match request:
            case OrderRequest():
                return place(state, action.id, signer, request, now)
            case CancelRequest():
                return cancel(state, signer, request)
            case CancelAllRequest():
                return cancel_all(state, signer, request)
            case ReplaceRequest():
                return replace(state, action.id, signer, request, now)
            case _:
                return withdraw(state, action.id, signer, request)


def _pays_escrow(state: State, signer: str, request: Request) -> bool:
    """Whether it is a withdrawal to an escrow account, which section 4 forbids."""
    return isinstance(request, WithdrawRequest) and (request.to or signer) in state.watch.escrows
