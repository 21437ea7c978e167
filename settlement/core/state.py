"""State of the venue between two blocks, and the only functions that change a balance or holdings.

`settlement.core.journal.state_text` writes it as text and reads it back, `settlement.core.invariants` checks
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from settlement.core.accounts import ESCROW, Account, Balance, Grant, Timer, Token, balance_of
from settlement.core.events import BlockHeader
from settlement.core.heap_map import HeapMap
from settlement.core.journal import lines
from settlement.core.payments import PendingPayments, Refund, Withdrawal
from settlement.core.trading.order_book import Order, Pair, Stop
from settlement.core.venue import PairRules, TokenRules, Venue


class InvariantError(Exception):
    """The books do not balance, or the input cannot come from a chain. The indexer must stop."""


@dataclass(slots=True)
class BlockChanges:
    """Changes made by the block in progress."""

    journal: list[str] = field(default_factory=list)  # encoded lines
    balances: list[Balance] = field(default_factory=list)  # changed ones, each once
    locks: dict[int, Order | Stop] = field(default_factory=dict)  # changed orders and stops by sequence
    withdrawing: dict[str, int] = field(
        default_factory=dict
    )  # by symbol: units of withdrawals opened less closed
    traded: dict[str, Pair] = field(default_factory=dict)  # pairs that traded, or became active, by name
    fired: dict[str, int] = field(default_factory=dict)  # by pair: stops and protective stops that fired


class State:
    """The venue at the end of a block. Amounts are units; every dictionary is in order of arrival."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.venue_hash = venue.hash
        self.venue_filter = venue.filter
        self.header: BlockHeader | None = None  # of the last block; None before the first
        self.journal_hash = self.venue_hash
        self.max_open_orders = venue.max_open_orders
        self.upgrade: lines.Upgrade | None = None  # the announced one
        self.tokens: dict[str, Token] = {}  # by symbol
        self.pairs: dict[str, Pair] = {}  # by BASE/QUOTE
        self.accounts: dict[str, Account] = {}  # by name
        self.fee_account = self.account(venue.fee_account)
        self.orders: dict[str, Order] = {}  # open orders by id
        self.stops: dict[str, Stop] = {}  # open stops by id
        self.expiries: HeapMap[tuple[int, int], Order | Stop] = HeapMap()  # by (expiry, sequence)
        self.grants: dict[tuple[str, str], Grant] = {}  # by (account, to)
        self.grant_ends: HeapMap[tuple[int, str, str], Grant] = HeapMap()  # by (until, account, to)
        self.timers: dict[tuple[str, str], Timer] = {}  # by (account, by)
        self.timer_ends: HeapMap[tuple[int, str, str], Timer] = HeapMap()  # by (due, account, by)
        self.withdrawals: PendingPayments[Withdrawal] = PendingPayments()
        self.returns: HeapMap[tuple[int, int], Withdrawal] = HeapMap()  # returning ones by (due, n)
        self.refunds: PendingPayments[Refund] = PendingPayments()
        self.left_over: list[str] = []  # pairs left over by firing, sorted
        self.last_seq = 0  # sequence of the last order or stop
        self.last_trade = 0
        self.last_payment = 0  # counts withdrawals and refunds; not in the state text
        self.changes = BlockChanges()
        for token in venue.tokens:
            self.add_token(token)
        for pair in venue.pairs:
            self.add_pair(pair)

    def account(self, name: str) -> Account:
        """The account of that name, created on first use."""
        account = self.accounts.get(name)
        if account is None:
            account = self.accounts[name] = Account(name)
        return account

    def add_token(self, rules: TokenRules) -> None:
        """List a token."""
        self.tokens[rules.symbol] = Token(
            symbol=rules.symbol,
            precision=rules.precision,
            chain=rules.chain,
            escrow=rules.escrow,
            min_withdrawal=rules.min_withdrawal,
            contra=balance_of(self.account(rules.escrow), rules.symbol),
        )

    def add_pair(self, rules: PairRules) -> None:
        """List a pair of listed tokens whose decimals fit."""
        self.pairs[rules.name] = Pair(
            base=self.tokens[rules.base],
            quote=self.tokens[rules.quote],
            price_decimals=rules.price_decimals,
            quantity_decimals=rules.quantity_decimals,
            maker_fee_bps=rules.maker_fee_bps,
            taker_fee_bps=rules.taker_fee_bps,
            price_policy=rules.price_policy,
            self_trade=rules.self_trade,
            status=rules.status,
        )

    def write(self, line: lines.Line) -> None:
        """Append a line to the block's journal."""
        self.changes.journal.append(lines.encode(line))

    def transfer(
        self, debit: Balance, debit_bucket: int, credit: Balance, credit_bucket: int, amount: int
    ) -> None:
        """Move `amount` units between two buckets. No other code changes a bucket."""
        left = debit.buckets[debit_bucket] - amount
        if amount <= 0 or (left < 0 and debit_bucket != ESCROW):
            raise InvariantError(
                f"transfer of {amount} {debit.symbol} from {debit.account} {debit.buckets} is not covered"
            )
        debit.buckets[debit_bucket] = left
        credit.buckets[credit_bucket] += amount
        if not debit.changed:
            debit.changed = True
            self.changes.balances.append(debit)
        if not credit.changed:
            credit.changed = True
            self.changes.balances.append(credit)
