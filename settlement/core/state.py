"""All that the rules remember between two blocks, and the only ways to change money in it.

Everything a replica must restore is here; `settlement.core.journal.state_text` writes it, `settlement.store`
keeps it, `settlement.core.invariants` watches over it.
"""

from __future__ import annotations

from settlement.core.events import BlockHeader, Watch
from settlement.core.journal.effects import CheckpointClaimed, Effect, IntentSeen, Transfer
from settlement.core.model import (
    ESCROW,
    Account,
    Claims,
    Order,
    Pair,
    Refund,
    Token,
    Wallet,
    Withdrawal,
    wallet_of,
)
from settlement.core.ordered_map import Ranked
from settlement.core.venue import PairRules, TokenRules, Venue


class InvariantError(Exception):
    """The books do not add up, or the input cannot be a chain: a bug in us or a lie of a node. Stop."""


class Output:
    """What the block under way has done so far."""

    __slots__ = (
        "checkpoints",
        "effects",
        "holdings",
        "intents",
        "orders",
        "rules_changed",
        "transfers",
        "withdrawing",
    )

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.intents: list[IntentSeen] = []
        self.checkpoints: list[CheckpointClaimed] = []
        self.transfers: list[Transfer] = []
        self.orders: dict[int, Order] = {}
        self.withdrawing: dict[str, int] = {}
        """By symbol, how many units of claims were opened less those closed."""
        self.rules_changed = False
        self.holdings: dict[tuple[str, str], None] = {}
        """Which escrow accounts' holdings of which symbol changed."""


class State:
    """The venue at the end of a block. Amounts in units; every dictionary is in order of arrival."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.venue_hash = venue.hash
        self.watch = Watch(venue.contract, venue.custom_json_id, venue.accept_flat_intents)
        self.header: BlockHeader | None = None
        self.journal_hash = self.venue_hash
        self.max_open_orders = venue.max_open_orders
        self.tokens: dict[str, Token] = {}
        self.pairs: dict[tuple[str, str], Pair] = {}
        self.quotes_of: dict[str, list[str]] = {}
        self.accounts: dict[str, Account] = {}
        self.fee_account = self.account(venue.fee_account)
        self.orders: dict[str, Order] = {}
        self.expiries: Ranked[tuple[int, int], Order] = Ranked()
        self.withdrawals: Claims[Withdrawal] = Claims()
        self.refunds: Claims[Refund] = Claims()
        self.holdings: dict[tuple[str, str], int] = {}
        self.last_seq = 0
        self.last_trade = 0
        self.last_withdrawal = 0
        self.last_refund = 0
        self.out = Output()
        for token in venue.tokens:
            self.add_token(token)
        for pair in venue.pairs:
            self.add_pair(pair)

    def account(self, name: str) -> Account:
        """The account of that name, made where the ledger does not know it yet."""
        account = self.accounts.get(name)
        if account is None:
            account = self.accounts[name] = Account(name)
        return account

    def add_token(self, rules: TokenRules) -> Token:
        """List a token; its escrow account is watched from now on."""
        contra = wallet_of(self.account(rules.escrow), rules.symbol)
        token = Token(rules.symbol, rules.precision, rules.chain, rules.escrow, contra)
        self.tokens[rules.symbol] = token
        self.holdings.setdefault((rules.escrow, rules.symbol), 0)
        self.watch.escrows.add(rules.escrow)
        return token

    def add_pair(self, rules: PairRules) -> Pair:
        """List a pair of listed tokens whose decimals fit."""
        base, quote = self.tokens[rules.base], self.tokens[rules.quote]
        pair = Pair(base, quote, rules.price_decimals, rules.quantity_decimals)
        pair.maker_fee_bps = rules.maker_fee_bps
        pair.taker_fee_bps = rules.taker_fee_bps
        pair.price_policy = rules.price_policy
        pair.self_trade = rules.self_trade
        pair.status = rules.status
        self.pairs[rules.base, rules.quote] = pair
        self.quotes_of.setdefault(rules.base, []).append(rules.quote)
        return pair

    def transfer(
        self, debit: Wallet, debit_bucket: int, credit: Wallet, credit_bucket: int, amount: int
    ) -> None:
        """Move `amount` units between two buckets: the only way in which a balance ever changes."""
        held = debit.buckets
        if amount <= 0 or (held[debit_bucket] < amount and debit_bucket != ESCROW):
            raise InvariantError(
                f"transfer of {amount} {debit.symbol} from {debit.account} {held} is not covered"
            )
        held[debit_bucket] -= amount
        credit.buckets[credit_bucket] += amount
        self.out.transfers.append((debit, debit_bucket, credit, credit_bucket, amount))

    def change_holdings(self, escrow: str, symbol: str, change: int) -> None:
        """Record that the chain shows `change` units more (or fewer) in an escrow account."""
        key = (escrow, symbol)
        self.holdings[key] = self.holdings.get(key, 0) + change
        self.out.holdings[key] = None

    def holdings_of(self, symbol: str) -> int:
        """Escrow holdings of a token known from the chain, over all escrow accounts, in units."""
        return sum(units for (_, held), units in self.holdings.items() if held == symbol)
