"""State of the venue between two blocks, and the only functions that change a balance or holdings.

`settlement.core.journal.state_text` writes it as text, `settlement.store` keeps it,
`settlement.core.invariants` checks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from settlement.core.accounts import ESCROW, Account, Balance, Token, balance_of
from settlement.core.events import BlockHeader, VenueFilter
from settlement.core.heap_map import HeapMap
from settlement.core.journal.entries import ActionOutcome, CheckpointClaim, JournalEntry, LedgerTransfer
from settlement.core.order_book import Order, Pair
from settlement.core.payments import PendingPayments, Refund, Withdrawal
from settlement.core.venue import PairRules, TokenRules, Venue


class InvariantError(Exception):
    """The books do not balance, or the input cannot come from a chain. The indexer must stop."""


@dataclass(slots=True)
class BlockChanges:
    """Changes made by the block in progress."""

    entries: list[JournalEntry] = field(default_factory=list)
    outcomes: list[ActionOutcome] = field(default_factory=list)
    checkpoints: list[CheckpointClaim] = field(default_factory=list)
    transfers: list[LedgerTransfer] = field(default_factory=list)
    orders: dict[int, Order] = field(default_factory=dict)  # changed orders by sequence
    withdrawing: dict[str, int] = field(
        default_factory=dict
    )  # by symbol: units of withdrawals opened less closed
    holdings: dict[tuple[str, str], None] = field(default_factory=dict)  # changed (escrow, symbol)
    rules_changed: bool = False  # tokens, pairs or venue settings changed


class State:
    """The venue at the end of a block. Amounts are units; every dictionary is in order of arrival."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.venue_hash = venue.hash
        self.venue_filter = VenueFilter(
            contract=venue.contract,
            custom_json_id=venue.custom_json_id,
            accept_flat_intents=venue.accept_flat_intents,
        )
        self.header: BlockHeader | None = None  # of the last block; None before the first
        self.journal_hash = self.venue_hash
        self.max_open_orders = venue.max_open_orders
        self.tokens: dict[str, Token] = {}  # by symbol
        self.pairs: dict[tuple[str, str], Pair] = {}  # by base and quote symbol
        self.quotes_of: dict[str, list[str]] = {}  # quote symbols of each base symbol's pairs
        self.accounts: dict[str, Account] = {}  # by name
        self.fee_account = self.account(venue.fee_account)
        self.orders: dict[str, Order] = {}  # open orders by id
        self.expiries: HeapMap[tuple[int, int], Order] = HeapMap()  # open orders by (expiry, sequence)
        self.withdrawals: PendingPayments[Withdrawal] = PendingPayments()
        self.refunds: PendingPayments[Refund] = PendingPayments()
        self.holdings: dict[tuple[str, str], int] = {}  # by escrow account and symbol
        self.last_seq = 0  # sequence of the last order
        self.last_trade = 0
        self.last_withdrawal = 0
        self.last_refund = 0
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
        """List a token; operations of its escrow account are decoded from now on."""
        self.tokens[rules.symbol] = Token(
            symbol=rules.symbol,
            precision=rules.precision,
            chain=rules.chain,
            escrow=rules.escrow,
            contra=balance_of(self.account(rules.escrow), rules.symbol),
        )
        self.holdings.setdefault((rules.escrow, rules.symbol), 0)
        self.venue_filter.escrows.add(rules.escrow)

    def add_pair(self, rules: PairRules) -> None:
        """List a pair of listed tokens whose decimals fit."""
        self.pairs[rules.base, rules.quote] = Pair(
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
        self.quotes_of.setdefault(rules.base, []).append(rules.quote)

    def transfer(
        self, debit: Balance, debit_bucket: int, credit: Balance, credit_bucket: int, amount: int
    ) -> None:
        """Move `amount` units between two buckets. No other code changes a bucket."""
        held = debit.buckets
        if amount <= 0 or (held[debit_bucket] < amount and debit_bucket != ESCROW):
            raise InvariantError(
                f"transfer of {amount} {debit.symbol} from {debit.account} {held} is not covered"
            )
        held[debit_bucket] -= amount
        credit.buckets[credit_bucket] += amount
        self.changes.transfers.append(LedgerTransfer(debit, debit_bucket, credit, credit_bucket, amount))

    def change_holdings(self, escrow: str, symbol: str, change: int) -> None:
        """Add `change` units to the holdings of an escrow account."""
        key = (escrow, symbol)
        self.holdings[key] = self.holdings.get(key, 0) + change
        self.changes.holdings[key] = None

    def holdings_of(self, symbol: str) -> int:
        """Units of a token over all escrow accounts, as the chain shows them."""
        return sum(units for (_, held), units in self.holdings.items() if held == symbol)
