"""Custody: deposits, refunds, withdrawals, and the movements that pay them (protocol, section 8)."""

from __future__ import annotations

from typing import Final

from settlement.core.accounts import AVAILABLE, ESCROW, WITHDRAWING, Balance, Token, balance_of
from settlement.core.codes import Code
from settlement.core.events import Movement
from settlement.core.journal import lines
from settlement.core.parsing.amounts import (
    MAX_UNITS,
    Quantity,
    integer_text,
    quantity_units,
    read_quantity,
    to_units,
    units_at_least,
    units_at_most,
)
from settlement.core.parsing.intents import WithdrawIntent
from settlement.core.parsing.names import encode
from settlement.core.payments import Refund, Withdrawal
from settlement.core.state import InvariantError, State

MAX_PENDING_WITHDRAWALS: Final = 20
MAX_REFUNDS_DUE: Final = 20
RETURN_SECONDS: Final = 3_600


def record_movement(state: State, movement: Movement) -> None:
    """Record a movement from or to an escrow account.

    It has happened on the chain, so it is never rejected.
    """
    escrows = state.venue_filter.escrows
    token = state.tokens.get(movement.symbol)
    if token is not None and token.chain != movement.chain:
        token = None  # another chain's token of the same name
    quantity = read_quantity(movement.quantity)
    if movement.sender not in escrows:
        _record_incoming(state, movement, token, quantity)
    elif movement.recipient in escrows and not movement.outflow_only:
        _record_internal(state, movement, token, quantity)
    else:
        _record_outgoing(state, movement, token, quantity)


def _record_incoming(
    state: State, movement: Movement, token: Token | None, quantity: Quantity | None
) -> None:
    """Credit a deposit; one that cannot be credited becomes a refund or is ignored."""
    account, symbol, escrow = encode(movement.sender), encode(movement.symbol), movement.recipient
    if token is None or quantity is None:
        _ignore(state, movement)
        return
    units = quantity_units(quantity, token.precision)
    if escrow == token.escrow and units is not None and token.liabilities_units + units <= MAX_UNITS:
        balance = balance_of(state.account(account), symbol)
        state.transfer(token.contra, ESCROW, balance, AVAILABLE, units)
        token.holdings += units
        state.write(lines.Deposit(movement.id, account, symbol, units, escrow))
        return
    is_enough = units_at_most(quantity, token.precision) >= token.min_withdrawal
    if not is_enough or state.refunds.count_of[account] >= MAX_REFUNDS_DUE:
        _ignore(state, movement)
        return
    if movement.id in state.refunds.by_id:
        raise InvariantError(f"refund {movement.id} is due already: no chain has one id twice")
    state.last_payment += 1
    refund = Refund(
        n=state.last_payment,
        id=movement.id,
        account=account,
        symbol=symbol,
        quantity=encode(movement.quantity),
        value=value_text(quantity),
        escrow=escrow,
    )
    state.refunds.open(refund)
    state.write(lines.Refund(refund.id, account, symbol, refund.quantity, escrow))


def _ignore(state: State, movement: Movement) -> None:
    state.write(
        lines.Ignore(
            id=movement.id,
            account=encode(movement.sender),
            chain=movement.chain,
            symbol=encode(movement.symbol),
            quantity=encode(movement.quantity),
            escrow=movement.recipient,
        )
    )


def value_text(quantity: Quantity) -> str:
    """A quantity as payments compare it: by value."""
    return f"{quantity.digits or '0'}e{quantity.exponent}"


def _record_internal(
    state: State, movement: Movement, token: Token | None, quantity: Quantity | None
) -> None:
    """Record a movement between escrow accounts: holdings change where one of them is the token's own."""
    change = 0
    if token is not None and quantity is not None and movement.sender != movement.recipient:
        if movement.sender == token.escrow:
            change = -units_at_least(quantity, token.precision)
        elif movement.recipient == token.escrow:
            change = units_at_most(quantity, token.precision)
    if token is not None:
        token.holdings += change
    state.write(
        lines.Internal(
            id=movement.id,
            sender=movement.sender,
            recipient=movement.recipient,
            chain=movement.chain,
            symbol=encode(movement.symbol),
            amount=_amount_text(movement, abs(change)),
        )
    )


def _amount_text(movement: Movement, units: int) -> str:
    """By how much holdings changed, or `=` and the literal quantity where they did not."""
    return integer_text(units) if units else f"={encode(movement.quantity)}"


def _record_outgoing(
    state: State, movement: Movement, token: Token | None, quantity: Quantity | None
) -> None:
    """Settle the oldest pending withdrawal that the movement pays, else a refund, else record an outflow."""
    escrow, to, symbol = movement.sender, encode(movement.recipient), encode(movement.symbol)
    if token is not None and quantity is not None and not movement.outflow_only:
        memo = encode(movement.memo or "")
        units = quantity_units(quantity, token.precision)
        if escrow == token.escrow and units is not None:
            withdrawal = state.withdrawals.oldest((symbol, str(units), to, memo))
            if withdrawal is not None:
                _close_withdrawal(state, withdrawal, token.contra, ESCROW)
                token.holdings -= units
                state.write(lines.Paid(withdrawal.id, movement.id))
                return
        refund = state.refunds.oldest((symbol, value_text(quantity), to, memo, escrow))
        if refund is not None:  # its deposit is not counted in the holdings, and neither is this
            state.refunds.close(refund)
            state.write(lines.Paid(refund.id, movement.id))
            return
    fall = 0
    if token is not None and quantity is not None and escrow == token.escrow:
        fall = units_at_least(quantity, token.precision)
        token.holdings -= fall
    state.write(lines.Outflow(movement.id, escrow, movement.chain, symbol, _amount_text(movement, fall), to))


def open_withdrawal(
    state: State, withdrawal_id: str, balance: Balance, amount: int, *, to: str, memo: str | None
) -> None:
    """Move available → withdrawing and open a withdrawal. `to` and `memo` are percent-encoded."""
    if withdrawal_id in state.withdrawals.by_id:
        raise InvariantError(f"withdrawal {withdrawal_id} is pending already: no chain has one id twice")
    state.last_payment += 1
    withdrawal = Withdrawal(state.last_payment, withdrawal_id, balance, amount, to, memo)
    state.transfer(balance, AVAILABLE, balance, WITHDRAWING, amount)
    state.withdrawals.open(withdrawal)
    opened = state.changes.withdrawing
    opened[balance.symbol] = opened.get(balance.symbol, 0) + amount
    state.write(lines.Withdraw(withdrawal_id, balance.account, balance.symbol, amount, to, memo))


def _close_withdrawal(state: State, withdrawal: Withdrawal, to: Balance, bucket: int) -> None:
    balance, opened = withdrawal.balance, state.changes.withdrawing
    state.withdrawals.close(withdrawal)
    if withdrawal.returning is not None:
        state.returns.discard((withdrawal.returning, withdrawal.n))
    state.transfer(balance, WITHDRAWING, to, bucket, withdrawal.amount)
    opened[balance.symbol] = opened.get(balance.symbol, 0) - withdrawal.amount


def check_withdrawal(state: State, account: str, intent: WithdrawIntent) -> int | Code:
    """The amount of a withdrawal in units, or the code of its rejection (section 5, from check 5 on)."""
    token = state.tokens.get(intent.symbol)
    if token is None:
        return Code.E_TOKEN
    balance = balance_of(state.account(account), intent.symbol)
    pending = state.withdrawals.count_of[account]
    if intent.quantity is None:
        amount = balance.available
    else:
        units = to_units(intent.quantity, token.precision)
        if units is None:
            return Code.E_PRECISION
        if units > MAX_UNITS:
            return Code.E_RANGE
        amount = units
    if pending >= MAX_PENDING_WITHDRAWALS:
        return Code.E_LIMIT
    if amount < token.min_withdrawal and (intent.quantity is not None or pending):
        return Code.E_MINIMUM
    return amount if 0 < amount <= balance.available else Code.E_FUNDS


def find_withdrawal(state: State, withdrawal_id: str, account: str | None = None) -> Withdrawal | Code:
    """A pending withdrawal that is not returning, of that account where one is given (section 5, check 4)."""
    withdrawal = state.withdrawals.by_id.get(withdrawal_id)
    if withdrawal is None or withdrawal.returning is not None:
        return Code.E_NOT_FOUND
    return withdrawal if account in (None, withdrawal.account) else Code.E_OWNER


def start_return(state: State, withdrawal: Withdrawal, now: int) -> None:
    """Mark a pending withdrawal as returning: it goes back in an hour unless it is paid before."""
    withdrawal.returning = now + RETURN_SECONDS
    state.returns.put((withdrawal.returning, withdrawal.n), withdrawal)
    state.write(lines.Returning(withdrawal.id, withdrawal.returning))


def return_due(state: State, now: int) -> None:
    """Return the withdrawals whose return is due, by (due, order of opening) (section 3, step 5).

    That is after the operations: a payment that was signed before may be in this block, never in a later one.
    """
    while (key := state.returns.first_key()) is not None and key[0] <= now:
        withdrawal = state.returns.items[key]
        _close_withdrawal(state, withdrawal, withdrawal.balance, AVAILABLE)
        state.write(lines.Return(withdrawal.id))
