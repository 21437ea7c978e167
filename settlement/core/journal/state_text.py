"""State text and its hash: what auditors compare at the end of a block (protocol, section 9)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from settlement.core.accounts import AVAILABLE, LOCKED, WITHDRAWING
from settlement.core.state import State


def state_text(state: State) -> str:
    """The whole state as sorted lines."""
    return "".join(f"{line}\n" for line in _lines(state))


def state_hash(state: State) -> str:
    """SHA-256 of the state text, 64 hex digits."""
    return sha256(state_text(state).encode()).hexdigest()


def _lines(state: State) -> Iterator[str]:
    header = state.header
    yield from head_lines(state.venue_hash, (header.number, header.block_id) if header else None)
    for name, account in sorted(state.accounts.items()):
        for symbol, balance in sorted(account.balances.items()):
            held = balance.buckets
            if held[AVAILABLE] or held[LOCKED] or held[WITHDRAWING]:
                yield balance_line(name, symbol, held[AVAILABLE], held[LOCKED], held[WITHDRAWING])
    for o in sorted(state.orders.values(), key=lambda order: order.seq):
        yield order_line(
            seq=o.seq,
            order_id=o.id,
            account=o.account.name,
            pair=o.pair.name,
            is_buy=o.is_buy,
            price=o.price,
            remaining=o.remaining,
            locked=o.locked,
            expiry=o.expiry,
        )
    for w in state.withdrawals.by_id.values():
        yield withdrawal_line(w.id, w.balance.account, w.balance.symbol, w.amount, w.to, w.memo)
    for r in state.refunds.by_id.values():
        yield refund_line(r.id, r.account, r.symbol, r.quantity, r.escrow)
    for symbol in sorted(state.tokens):
        holdings = state.holdings_of(symbol)
        if holdings:
            yield escrow_line(symbol, holdings)


def head_lines(venue_hash: str, block: tuple[int, str] | None) -> Iterator[str]:
    """The first three lines. `block` is the number and id of the last block, None before the first."""
    yield "peakedex-state 1"
    yield f"venue {venue_hash}"
    yield "block 0 -" if block is None else f"block {block[0]} {block[1]}"


def balance_line(account: str, symbol: str, available: int, locked: int, withdrawing: int) -> str:
    return f"balance {account} {symbol} {available} {locked} {withdrawing}"


def order_line(
    *,
    seq: int,
    order_id: str,
    account: str,
    pair: str,
    is_buy: bool,
    price: int | None,
    remaining: int,
    locked: int,
    expiry: int | None,
) -> str:
    side = "buy" if is_buy else "sell"
    return f"order {seq} {order_id} {account} {pair} {side} {price} {remaining} {locked} {expiry}"


def withdrawal_line(
    withdrawal_id: str, account: str, symbol: str, amount: int, to: str, memo: str | None
) -> str:
    return f"withdrawal {withdrawal_id} {account} {symbol} {amount} {to} {memo or '-'}"


def refund_line(refund_id: str, account: str, symbol: str, quantity: str, escrow: str) -> str:
    return f"refund {refund_id} {account} {symbol} {quantity} {escrow}"


def escrow_line(symbol: str, holdings: int) -> str:
    return f"escrow {symbol} {holdings}"
