"""State text of the ledger, to be compared with the state machine's (protocol, section 11)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from settlement.core.accounts import ESCROW
from settlement.core.journal import state_lines
from settlement.core.parsing.amounts import integer_text
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.views import OrderView, StopTerms, amounts_text


def state_text(ledger: Ledger) -> str:
    """The state text at the end of the ledger's block."""
    header = ledger.header
    head = state_lines.Head(
        venue_hash=ledger.venue_hash,
        number=None if header is None else header.number,
        block_id=None if header is None else header.block_id,
        timestamp=None if header is None else header.timestamp,
        journal_hash=ledger.journal_hash,
    )
    names, waiting = ledger.names, sorted(ledger.orders.values(), key=lambda order: order.seq)
    return "".join(
        [
            *state_lines.head_lines(head),
            *map(state_lines.encode, _before_orders(ledger)),
            *(_order_text(view, names[view.account]) for view in waiting if view.stop is None),
            *map(state_lines.encode, _after_orders(ledger, waiting)),
        ]
    )


def state_hash(ledger: Ledger) -> str:
    """SHA-256 of the state text, 64 hex digits."""
    return sha256(state_text(ledger).encode()).hexdigest()


def _before_orders(ledger: Ledger) -> Iterator[state_lines.StateLine]:
    """The lines before the orders."""
    yield state_lines.Last(ledger.last_seq, ledger.last_trade)
    if ledger.rules is not None:
        yield ledger.rules
    if ledger.upgrade is not None:
        yield ledger.upgrade
    yield from (token.line for _, token in sorted(ledger.tokens.items()))
    yield from (pair.line for _, pair in sorted(ledger.pairs.items()))
    yield from sorted(_balance_lines(ledger))


def _after_orders(ledger: Ledger, waiting: list[OrderView]) -> Iterator[state_lines.StateLine]:
    """The lines after the orders. `waiting` are orders and stops by sequence."""
    names = ledger.names
    yield from (_stop_line(view, view.stop, names[view.account]) for view in waiting if view.stop is not None)
    yield from _grant_lines(ledger)
    for withdrawal in ledger.withdrawals.values():
        yield state_lines.Withdrawal(*withdrawal.line, withdrawal.returning)
    yield from (state_lines.Refund(*refund.line) for refund in ledger.refunds.values())
    for name, pair in sorted(ledger.pairs.items()):
        for traded in pair.mark.blocks:
            yield state_lines.Mark(name, traded.block, traded.base, traded.quote)
    yield from map(state_lines.Left, ledger.left_over)
    for symbol, token in sorted(ledger.tokens.items()):
        if token.holdings or token.totals[ESCROW]:
            yield state_lines.Escrow(symbol, integer_text(token.holdings))


def _balance_lines(ledger: Ledger) -> Iterator[state_lines.Balance]:
    names = ledger.names
    for balance in ledger.balances.values():
        available, locked, withdrawing, _ = balance.buckets
        if available or locked or withdrawing:
            yield state_lines.Balance(
                names[balance.account], balance.token.line.symbol, available, locked, withdrawing
            )


def _order_text(view: OrderView, account: str) -> str:
    assert view.price is not None
    assert view.expiry is not None
    assert view.maker_fee_bps is not None
    return state_lines.order_text(
        seq=view.seq,
        id=view.id,
        account=account,
        pair=view.pair.line.pair,
        side=view.side,
        price=view.price,
        quantity=view.quantity,
        remaining=view.remaining,
        locked=view.locked,
        received=view.received,
        released=view.released,
        expiry=view.expiry,
        maker_fee_bps=view.maker_fee_bps,
        taker_fee_bps=view.taker_fee_bps,
        settle="wallet" if view.to_wallet else "venue",
        stop_price=view.stop_price,
        stop_limit=view.stop_limit,
    )


def _stop_line(view: OrderView, terms: StopTerms, account: str) -> state_lines.Stop:
    assert view.expiry is not None
    return state_lines.Stop(
        seq=view.seq,
        id=view.id,
        account=account,
        pair=view.pair.line.pair,
        side=view.side,
        type="market" if view.market else "limit",
        price=view.price,
        quantity=view.quantity,
        locked=view.locked,
        expiry=view.expiry,
        taker_fee_bps=view.taker_fee_bps,
        when="above" if terms.above else "below",
        trigger_price=terms.trigger_price,
        time_in_force=terms.time_in_force,
        post="post" if terms.post_only else None,
    )


def _grant_lines(ledger: Ledger) -> Iterator[state_lines.StateLine]:
    """Timers and grants, without those that have ended since the last block with lines."""
    now = 0 if ledger.header is None else ledger.header.timestamp
    grants = {key: grant for key, grant in sorted(ledger.grants.items()) if grant.line.until > now}
    for (account, by), timer in sorted(ledger.timers.items()):
        assert timer.line.due is not None
        if by == "active" or (account, by) in grants:
            yield state_lines.Timer(account, by, timer.line.due)
    for grant in grants.values():
        yield state_lines.Grant(*grant.line, grant.day, amounts_text(grant.used) or None)
