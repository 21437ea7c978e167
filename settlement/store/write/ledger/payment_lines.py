"""Lines of money in and out: deposits, refunds, withdrawals, payments, outflows."""

from __future__ import annotations

from settlement.core.accounts import AVAILABLE, ESCROW, WITHDRAWING
from settlement.core.journal import lines
from settlement.core.parsing.amounts import read_integer_text
from settlement.store.write.ledger.block_facts import BlockFacts
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.views import RefundView, TokenView, WithdrawalView


def deposit(ledger: Ledger, line: lines.Deposit, facts: BlockFacts) -> None:
    token = ledger.tokens[line.symbol]
    escrow = ledger.balance(ledger.number_of(line.escrow), token)
    credited = ledger.balance(ledger.number_of(line.account), token)
    ledger.transfer(facts, escrow, ESCROW, credited, AVAILABLE, line.amount)
    _change_holdings(token, line.amount, facts)
    facts.others.append((line, token))


def refund(ledger: Ledger, line: lines.Refund, facts: BlockFacts) -> None:
    view = ledger.refunds[line.id] = RefundView(ledger.next("refunds"), line, facts.number)
    facts.others.append((line, view))


def withdraw(ledger: Ledger, line: lines.Withdraw, facts: BlockFacts) -> None:
    balance = ledger.balance(ledger.number_of(line.account), ledger.tokens[line.symbol])
    ledger.transfer(facts, balance, AVAILABLE, balance, WITHDRAWING, line.amount)
    view = WithdrawalView(ledger.next("withdrawals"), line, balance, facts.number)
    ledger.withdrawals[line.id] = view
    facts.others.append((line, view))


def returning(ledger: Ledger, line: lines.Returning, facts: BlockFacts) -> None:
    view = ledger.withdrawals[line.id]
    view.returning = line.due
    facts.others.append((line, view))


def returned(ledger: Ledger, line: lines.Return, facts: BlockFacts) -> None:
    view = ledger.withdrawals.pop(line.id)
    ledger.transfer(facts, view.balance, WITHDRAWING, view.balance, AVAILABLE, view.line.amount)
    facts.others.append((line, view))


def paid(ledger: Ledger, line: lines.Paid, facts: BlockFacts) -> None:
    """The payment of a withdrawal, else of a refund, whose deposit is not counted in the holdings."""
    view = ledger.withdrawals.pop(line.id, None)
    if view is None:
        facts.others.append((line, ledger.refunds.pop(line.id)))
        return
    token, amount = view.balance.token, view.line.amount
    escrow = ledger.balance(ledger.number_of(token.line.escrow), token)
    ledger.transfer(facts, view.balance, WITHDRAWING, escrow, ESCROW, amount)
    _change_holdings(token, -amount, facts)
    facts.others.append((line, view))


def outflow(ledger: Ledger, line: lines.Outflow, facts: BlockFacts) -> None:
    if not line.amount.startswith("="):
        _change_holdings(ledger.tokens[line.symbol], -read_integer_text(line.amount), facts)
    facts.others.append((line, None))


def internal(ledger: Ledger, line: lines.Internal, facts: BlockFacts) -> None:
    if not line.amount.startswith("="):
        token = ledger.tokens[line.symbol]
        sign = -1 if line.sender == token.line.escrow else 1
        _change_holdings(token, sign * read_integer_text(line.amount), facts)
    facts.others.append((line, None))


def _change_holdings(token: TokenView, change: int, facts: BlockFacts) -> None:
    token.holdings += change
    facts.holdings[token] = None


def ignore(ledger: Ledger, line: lines.Ignore, facts: BlockFacts) -> None:
    facts.others.append((line, None))
