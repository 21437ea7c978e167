"""Custody: deposits, refunds, withdrawals, and the movements that pay them (protocol, section 7)."""

from __future__ import annotations

from typing import NamedTuple

from settlement.core.accounts import AVAILABLE, ESCROW, WITHDRAWING, Balance, Token, balance_of
from settlement.core.codes import Code
from settlement.core.events import Movement
from settlement.core.journal.entries import (
    Deposited,
    InternalMove,
    Outflow,
    Paid,
    RefundOpened,
    WithdrawalOpened,
    WithdrawalReturned,
)
from settlement.core.parsing.amounts import (
    MAX_UNITS,
    Quantity,
    quantity_units,
    read_quantity,
    to_units,
    units_at_least,
)
from settlement.core.parsing.intents import WithdrawIntent
from settlement.core.parsing.names import encode
from settlement.core.payments import Refund, Withdrawal
from settlement.core.state import InvariantError, State


class _Valuation(NamedTuple):
    """Token and amount of a movement, as far as the venue can value them."""

    token: Token | None  # the listed token; None for others, also of the same name on another chain
    quantity: Quantity | None  # by value; None where the text is no number
    units: int | None  # exact units of the token; None where it cannot be credited


def record_movement(state: State, movement: Movement) -> None:
    """Record a movement from or to an escrow account.

    It has happened on the chain, so it is never rejected.
    """
    token = state.tokens.get(movement.symbol)
    if token is not None and token.chain != movement.chain:
        token = None
    quantity = read_quantity(movement.quantity)
    units = None if token is None or quantity is None else quantity_units(quantity, token.precision)
    valuation = _Valuation(token=token, quantity=quantity, units=units)
    escrows = state.venue_filter.escrows
    if movement.sender not in escrows:
        _record_incoming(state, movement, valuation)
    elif movement.recipient in escrows:
        _record_internal(state, movement, units)
    else:
        _record_outgoing(state, movement, valuation)


def _record_incoming(state: State, movement: Movement, valuation: _Valuation) -> None:
    """Credit a deposit; one that cannot be credited becomes a refund."""
    token, _, units = valuation
    if token is None or units is None or token.liabilities_units + units > MAX_UNITS:
        _open_refund(state, movement, valuation.quantity)
        return
    account = encode(movement.sender)
    balance = balance_of(state.account(account), token.symbol)
    state.transfer(token.contra, ESCROW, balance, AVAILABLE, units)
    state.change_holdings(movement.recipient, token.symbol, units)
    state.changes.entries.append(
        Deposited(
            id=movement.id, account=account, symbol=token.symbol, amount=units, escrow=movement.recipient
        )
    )


def _open_refund(state: State, movement: Movement, quantity: Quantity | None) -> None:
    if movement.id in state.refunds.by_id:
        raise InvariantError(f"refund {movement.id} is already due: ids on a chain are unique")
    state.last_refund += 1
    refund = Refund(
        n=state.last_refund,
        id=movement.id,
        account=encode(movement.sender),
        chain=movement.chain,
        symbol=encode(movement.symbol),
        quantity=encode(movement.quantity),
        value=value_text(quantity, movement.quantity),
        escrow=movement.recipient,
    )
    state.refunds.open(refund)
    state.changes.entries.append(RefundOpened(refund))


def value_text(quantity: Quantity | None, literal: str) -> str:
    """A quantity in the form in which payments are compared: by value, else `=` and the literal text."""
    if quantity is None:
        return f"={encode(literal)}"
    return f"{quantity.digits or '0'}e{quantity.exponent}"


def _record_internal(state: State, movement: Movement, units: int | None) -> None:
    symbol = encode(movement.symbol)
    if units is not None:
        state.change_holdings(movement.sender, symbol, -units)
        state.change_holdings(movement.recipient, symbol, units)
    state.changes.entries.append(
        InternalMove(
            id=movement.id,
            sender=movement.sender,
            recipient=movement.recipient,
            symbol=symbol,
            amount=encode(movement.quantity) if units is None else str(units),
            units=units,
        )
    )


def _record_outgoing(state: State, movement: Movement, valuation: _Valuation) -> None:
    """Settle the oldest pending payment that the movement matches; without one it is an outflow."""
    token, quantity, units = valuation
    escrow, to, symbol = movement.sender, encode(movement.recipient), encode(movement.symbol)
    memo = "" if movement.memo is None else encode(movement.memo)
    if token is not None and units is not None and escrow == token.escrow:
        withdrawal = state.withdrawals.oldest((symbol, str(units), to, memo))
        if withdrawal is not None:
            _close_withdrawal(state, withdrawal, credit=token.contra, bucket=ESCROW)
            state.change_holdings(escrow, symbol, -units)
            state.changes.entries.append(Paid(payment=withdrawal, movement_id=movement.id))
            return
    value = value_text(quantity, movement.quantity)
    refund = state.refunds.oldest((symbol, value, to, memo, escrow, movement.chain))
    if refund is not None:  # neither the deposit nor its refund counts in holdings
        state.refunds.close(refund)
        state.changes.entries.append(Paid(payment=refund, movement_id=movement.id))
        return
    spent = None if token is None or quantity is None else units_at_least(quantity, token.precision)
    if spent is not None:
        state.change_holdings(escrow, symbol, -spent)
    state.changes.entries.append(
        Outflow(
            id=movement.id,
            escrow=escrow,
            symbol=symbol,
            quantity=encode(movement.quantity),
            to=to,
            chain=movement.chain,
            units=spent,
        )
    )


def withdraw(state: State, intent_id: str, signer: str, intent: WithdrawIntent) -> Code | None:
    """Decide a `withdraw`: token, precision, range, funds (section 4)."""
    token = state.tokens.get(intent.symbol)
    if token is None:
        return Code.E_TOKEN
    balance = balance_of(state.account(signer), intent.symbol)
    if intent.quantity is None:
        amount = balance.available
    else:
        units = to_units(intent.quantity, token.precision)
        if units is None:
            return Code.E_PRECISION
        if units > MAX_UNITS:
            return Code.E_RANGE
        amount = units
    if not 0 < amount <= balance.available:
        return Code.E_FUNDS
    memo = None if intent.memo is None else encode(intent.memo)
    open_withdrawal(state, intent_id, balance, amount, to=intent.to or signer, memo=memo)
    return None


def open_withdrawal(
    state: State, withdrawal_id: str, balance: Balance, amount: int, *, to: str, memo: str | None
) -> None:
    """Move available → withdrawing and open a withdrawal. `to` and `memo` are percent-encoded."""
    if withdrawal_id in state.withdrawals.by_id:
        raise InvariantError(f"withdrawal {withdrawal_id} is already pending: ids on a chain are unique")
    state.last_withdrawal += 1
    withdrawal = Withdrawal(
        n=state.last_withdrawal, id=withdrawal_id, balance=balance, amount=amount, to=to, memo=memo
    )
    state.transfer(balance, AVAILABLE, balance, WITHDRAWING, amount)
    state.withdrawals.open(withdrawal)
    opened = state.changes.withdrawing
    opened[balance.symbol] = opened.get(balance.symbol, 0) + amount
    state.changes.entries.append(WithdrawalOpened(withdrawal))


def return_withdrawal(state: State, withdrawal: Withdrawal) -> None:
    """Return a pending withdrawal to its account: withdrawing → available (section 8)."""
    _close_withdrawal(state, withdrawal, credit=withdrawal.balance, bucket=AVAILABLE)
    state.changes.entries.append(WithdrawalReturned(withdrawal))


def _close_withdrawal(state: State, withdrawal: Withdrawal, *, credit: Balance, bucket: int) -> None:
    balance, opened = withdrawal.balance, state.changes.withdrawing
    state.withdrawals.close(withdrawal)
    state.transfer(balance, WITHDRAWING, credit, bucket, withdrawal.amount)
    opened[balance.symbol] = opened.get(balance.symbol, 0) - withdrawal.amount
