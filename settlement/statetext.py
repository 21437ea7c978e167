"""The state as text: what auditors compare at the end of a block (protocol, section 9)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from settlement.model import AVAILABLE, LOCKED, WITHDRAWING, Withdrawal
from settlement.state import State


def state_text(state: State) -> str:
    """The whole state, sorted as the protocol says; `sha256sum` of it is the state hash."""
    return "".join(f"{line}\n" for line in _lines(state))


def state_hash(state: State) -> str:
    """SHA-256 of the state's text, 64 hex digits."""
    return sha256(state_text(state).encode()).hexdigest()


def _lines(state: State) -> Iterator[str]:
    yield "peakedex-state 1"
    yield f"venue {state.venue_hash}"
    header = state.header
    yield f"block {header.number} {header.block_id}" if header else "block 0 -"
    for name, account in sorted(state.accounts.items()):
        for symbol, wallet in sorted(account.wallets.items()):
            held = wallet.buckets
            if held[AVAILABLE] or held[LOCKED] or held[WITHDRAWING]:
                yield f"balance {name} {symbol} {held[AVAILABLE]} {held[LOCKED]} {held[WITHDRAWING]}"
    for order in sorted(state.orders.values(), key=lambda order: order.seq):
        yield (
            f"order {order.seq} {order.id} {order.account.name} {order.pair.name} "
            f"{'buy' if order.is_buy else 'sell'} {order.price} {order.remaining} {order.locked} "
            f"{order.expiry}"
        )
    for withdrawal in state.withdrawals.by_id.values():
        yield _withdrawal_line(withdrawal)
    for refund in state.refunds.by_id.values():
        yield f"refund {refund.id} {refund.account} {refund.symbol} {refund.quantity} {refund.escrow}"
    for symbol in sorted(state.tokens):
        holdings = state.holdings_of(symbol)
        if holdings:
            yield f"escrow {symbol} {holdings}"


def _withdrawal_line(w: Withdrawal) -> str:
    return f"withdrawal {w.id} {w.wallet.account} {w.wallet.symbol} {w.amount} {w.to} {w.memo or '-'}"
