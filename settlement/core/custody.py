"""Money in and out: deposits, refunds due, withdrawals, payments seen on the chain (protocol, section 7)."""

from __future__ import annotations

from settlement.core.codes import Code
from settlement.core.events import Movement
from settlement.core.journal.effects import (
    Deposited,
    InternalMove,
    Outflow,
    Paid,
    RefundOpened,
    Returned,
    WithdrawalOpened,
)
from settlement.core.model import AVAILABLE, ESCROW, WITHDRAWING, Refund, Token, Wallet, Withdrawal, wallet_of
from settlement.core.parsing.amounts import (
    MAX_UNITS,
    Quantity,
    quantity_units,
    read_quantity,
    to_units,
    units_at_least,
)
from settlement.core.parsing.names import encode
from settlement.core.parsing.requests import WithdrawRequest
from settlement.core.state import InvariantError, State


def move(state: State, movement: Movement) -> None:
    """Take note of a movement from or to an escrow account. Nothing is ever refused here: it happened."""
    escrows = state.watch.escrows
    token = state.tokens.get(movement.symbol)
    if token is not None and token.chain != movement.chain:
        token = None  # another chain's token of the same name
    quantity = read_quantity(movement.quantity)
    units = quantity_units(quantity, token.precision) if token is not None and quantity is not None else None
    if movement.sender not in escrows:
        _deposit(state, movement, token, quantity, units)
    elif movement.recipient in escrows:
        _move_within(state, movement, units)
    else:
        _pay_out(state, movement, token, quantity, units)


def _deposit(
    state: State, movement: Movement, token: Token | None, quantity: Quantity | None, units: int | None
) -> None:
    account, symbol = encode(movement.sender), encode(movement.symbol)
    if token is None or units is None or token.liabilities_units + units > MAX_UNITS:
        if movement.id in state.refunds.by_id:
            raise InvariantError(f"refund {movement.id} is due already: no chain has one id twice")
        state.last_refund += 1
        refund = Refund(
            state.last_refund,
            movement.id,
            account,
            movement.chain,
            symbol,
            encode(movement.quantity),
            value_text(quantity, movement.quantity),
            movement.recipient,
        )
        state.refunds.open(refund)
        state.out.effects.append(RefundOpened(refund))
        return
    wallet = wallet_of(state.account(account), symbol)
    state.transfer(token.contra, ESCROW, wallet, AVAILABLE, units)
    state.change_holdings(movement.recipient, symbol, units)
    state.out.effects.append(Deposited(movement.id, account, symbol, units, movement.recipient))


def value_text(quantity: Quantity | None, literal: str) -> str:
    """A quantity as payments of it compare: by value, or literally (after `=`) where it has none."""
    if quantity is None:
        return f"={encode(literal)}"
    return f"{quantity.digits or '0'}e{quantity.exponent}"


def _move_within(state: State, movement: Movement, units: int | None) -> None:
    symbol = encode(movement.symbol)
    if units is not None:
        state.change_holdings(movement.sender, symbol, -units)
        state.change_holdings(movement.recipient, symbol, units)
    amount = encode(movement.quantity) if units is None else str(units)
    state.out.effects.append(
        InternalMove(movement.id, movement.sender, movement.recipient, symbol, amount, units)
    )


def _pay_out(
    state: State, movement: Movement, token: Token | None, quantity: Quantity | None, units: int | None
) -> None:
    """Match an outgoing movement with the oldest claim that looks like it; else it is an outflow."""
    escrow, to, symbol = movement.sender, encode(movement.recipient), encode(movement.symbol)
    memo = "" if movement.memo is None else encode(movement.memo)
    if token is not None and units is not None and escrow == token.escrow:
        withdrawal = state.withdrawals.oldest((symbol, str(units), to, memo))
        if withdrawal is not None:
            _close_withdrawal(state, withdrawal, token.contra, ESCROW)
            state.change_holdings(escrow, symbol, -units)
            state.out.effects.append(Paid(withdrawal, movement.id))
            return
    value = value_text(quantity, movement.quantity)
    refund = state.refunds.oldest((symbol, value, to, memo, escrow, movement.chain))
    if refund is not None:  # its deposit was never counted among the holdings, nor is this
        state.refunds.close(refund)
        state.out.effects.append(Paid(refund, movement.id))
        return
    fell = None if token is None or quantity is None else units_at_least(quantity, token.precision)
    if fell is not None:
        state.change_holdings(escrow, symbol, -fell)
    state.out.effects.append(
        Outflow(movement.id, escrow, symbol, encode(movement.quantity), to, movement.chain, fell)
    )


def open_withdrawal(
    state: State, withdrawal_id: str, wallet: Wallet, amount: int, to: str, memo: str | None
) -> None:
    """Move available → withdrawing. `to` and `memo` are encoded text."""
    if withdrawal_id in state.withdrawals.by_id:
        raise InvariantError(f"withdrawal {withdrawal_id} is pending already: no chain has one id twice")
    state.last_withdrawal += 1
    withdrawal = Withdrawal(state.last_withdrawal, withdrawal_id, wallet, amount, to, memo)
    state.transfer(wallet, AVAILABLE, wallet, WITHDRAWING, amount)
    state.withdrawals.open(withdrawal)
    state.out.withdrawing[wallet.symbol] = state.out.withdrawing.get(wallet.symbol, 0) + amount
    state.out.effects.append(WithdrawalOpened(withdrawal))


def _close_withdrawal(state: State, withdrawal: Withdrawal, to: Wallet, bucket: int) -> None:
    wallet, pending = withdrawal.wallet, state.out.withdrawing
    state.withdrawals.close(withdrawal)
    state.transfer(wallet, WITHDRAWING, to, bucket, withdrawal.amount)
    pending[wallet.symbol] = pending.get(wallet.symbol, 0) - withdrawal.amount


def withdraw(state: State, intent_id: str, signer: str, request: WithdrawRequest) -> Code | None:
    """Decide a withdrawal: token, precision, range, funds (section 4)."""
    token = state.tokens.get(request.symbol)
    if token is None:
        return Code.E_TOKEN
    wallet = wallet_of(state.account(signer), request.symbol)
    if request.quantity is None:
        amount = wallet.available
    else:
        units = to_units(request.quantity, token.precision)
        if units is None:
            return Code.E_PRECISION
        if units > MAX_UNITS:
            return Code.E_RANGE
        amount = units
    if not 0 < amount <= wallet.available:
        return Code.E_FUNDS
    memo = None if request.memo is None else encode(request.memo)
    open_withdrawal(state, intent_id, wallet, amount, request.to or signer, memo)
    return None


def return_withdrawal(state: State, withdrawal: Withdrawal) -> None:
    """Give a withdrawal that cannot be paid back to its account (section 8)."""
    _close_withdrawal(state, withdrawal, withdrawal.wallet, AVAILABLE)
    state.out.effects.append(Returned(withdrawal))
