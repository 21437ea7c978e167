"""Ledger: all that the journal says up to a block, kept in memory by the projector (protocol, section 11)."""

from __future__ import annotations

from typing import Final

from settlement.core.accounts import ESCROW
from settlement.core.events import BlockHeader
from settlement.core.heap_map import HeapMap
from settlement.core.journal import lines
from settlement.core.state import InvariantError
from settlement.store.write.ledger.block_facts import BlockFacts
from settlement.store.write.ledger.views import (
    BalanceView,
    GrantView,
    IntentView,
    OrderView,
    PairView,
    RefundView,
    TimerView,
    TokenView,
    WithdrawalView,
)

COUNTED: Final = ("intents", "withdrawals", "refunds", "grants", "timers")
"""Tables whose rows the ledger numbers, besides transfers; other rows are numbered as they are made."""


class LedgerError(InvariantError):
    """The journal does not follow from its own earlier lines: the database or the program is damaged."""


class Ledger:
    """Balances, open orders and everything else that later lines refer to. Numbers count from 1."""

    def __init__(self, venue_hash: str) -> None:
        self.venue_hash = venue_hash
        self.header: BlockHeader | None = None
        self.journal_hash = venue_hash
        self.accounts: dict[str, int] = {}  # numbers by name
        self.names: list[str] = [""]  # by number
        self.tokens: dict[str, TokenView] = {}
        self.tokens_by_number: list[TokenView] = []  # the token of number 1 first
        self.pairs: dict[str, PairView] = {}
        self.balances: dict[tuple[int, int], BalanceView] = {}  # by numbers of account and token
        self.orders: dict[str, OrderView] = {}  # open orders and stops by id
        self.withdrawals: dict[str, WithdrawalView] = {}
        self.refunds: dict[str, RefundView] = {}
        self.grants: dict[tuple[str, str], GrantView] = {}  # by account, to
        self.grants_by_end: HeapMap[tuple[int, int], GrantView] = HeapMap()  # the same by (until, n)
        self.timers: dict[tuple[str, str], TimerView] = {}  # by account, by
        self.rules: lines.Rules | None = None
        self._fees: dict[int, BalanceView] = {}  # of the fee account, by number of the token
        self.upgrade: lines.Upgrade | None = None
        self.left_over: list[str] = []  # pairs left over by firing, sorted
        self.last_seq = 0
        self.last_trade = 0
        self.last_transfer = 0
        self.last: dict[str, int] = {}  # last number of each other kind of row, by table
        self.tracks_levels = False  # only the live stream needs price levels
        # What the lines before the current one in its block say about it.
        self.accepted: IntentView | None = None  # the accepted action whose lines these are
        self.firing: OrderView | None = None  # the stop or order that a `trigger` line named
        self.replaced: OrderView | None = None  # the order that the accepted `replace` closed
        self.replaced_lock = 0  # what it still locked
        self.fired: dict[str, int] = {}  # number of `trigger` lines in the block, by pair

    def number_of(self, name: str) -> int:
        """An account's number; a new account gets the next one."""
        number = self.accounts.get(name)
        if number is None:
            number = self.accounts[name] = len(self.names)
            self.names.append(name)
        return number

    def next(self, table: str) -> int:
        """The next number of a kind of row."""
        number = self.last[table] = self.last.get(table, 0) + 1
        return number

    def balance(self, account: int, token: TokenView) -> BalanceView:
        """An account's balance of a token."""
        key = (account, token.number)
        found = self.balances.get(key)
        if found is None:
            found = self.balances[key] = BalanceView(account, token)
        return found

    def balances_of(self, account: int, pair: PairView) -> tuple[BalanceView, BalanceView]:
        """An account's balances of a pair's base and quote."""
        found = pair.balances.get(account)
        if found is None:
            found = self.balance(account, pair.base), self.balance(account, pair.quote)
            pair.balances[account] = found
        return found

    def fees(self, token: TokenView) -> BalanceView:
        """The fee account's balance of a token."""
        found = self._fees.get(token.number)
        if found is None:
            rules = self.rules
            assert rules is not None
            found = self._fees[token.number] = self.balance(self.number_of(rules.fee_account), token)
        return found

    def set_rules(self, line: lines.Rules) -> None:
        self.rules = line
        self._fees.clear()

    def transfer(
        self,
        facts: BlockFacts,
        debit: BalanceView,
        debit_bucket: int,
        credit: BalanceView,
        credit_bucket: int,
        amount: int,
    ) -> None:
        """Move units of a token between two buckets. Raises LedgerError if they are not there."""
        token, number = debit.token, facts.number
        left = debit.buckets[debit_bucket] - amount
        if left < 0 and debit_bucket != ESCROW:
            raise LedgerError(
                f"block {number}: {self.names[debit.account]} lacks {-left} units of {token.line.symbol}"
            )
        debit.buckets[debit_bucket] = left
        credit.buckets[credit_bucket] += amount
        if debit_bucket != credit_bucket:
            totals = token.totals
            totals[debit_bucket] -= amount
            totals[credit_bucket] += amount
        if debit.block != number:
            debit.block = number
            facts.balances.append(debit)
        if credit.block != number:
            credit.block = number
            facts.balances.append(credit)
        self.last_transfer = n = self.last_transfer + 1
        facts.transfers.append(
            (n, number, token.number, debit.account, debit_bucket, credit.account, credit_bucket, amount)
        )

    def forget_context(self) -> None:
        """The lines that follow belong to no action and no trigger."""
        self.accepted = self.firing = self.replaced = None

    # ------------------------------------------------------------ rules and grants

    def add_token(self, line: lines.Token) -> TokenView:
        token = self.tokens[line.symbol] = TokenView(len(self.tokens) + 1, line)
        self.tokens_by_number.append(token)
        return token

    def add_pair(self, line: lines.Pair) -> PairView:
        """List a pair, or change a listed one."""
        pair = self.pairs.get(line.pair)
        if pair is None:
            base, _, quote = line.pair.partition("/")
            pair = PairView(len(self.pairs) + 1, line, self.tokens[base], self.tokens[quote])
            self.pairs[line.pair] = pair
        pair.line = line
        return pair

    def add_grant(self, grant: GrantView) -> None:
        self.grants[grant.line.account, grant.line.to] = grant
        self.grants_by_end.put((grant.line.until, grant.n), grant)

    def remove_grant(self, grant: GrantView) -> None:
        del self.grants[grant.line.account, grant.line.to]
        self.grants_by_end.discard((grant.line.until, grant.n))

    # ------------------------------------------------------------ price levels

    def track_levels(self) -> None:
        """Keep price levels from now on."""
        if self.tracks_levels:
            return
        self.tracks_levels = True
        for order in self.orders.values():
            if not order.is_stop:
                change_level(order, order.remaining, 1)


def change_level(order: OrderView, units: int, orders: int) -> tuple[int, int]:
    """Add base units and orders to the order's price level; returns what the level held before."""
    price = order.price
    assert price is not None
    side = order.pair.bids if order.is_buy else order.pair.asks
    level = side.get(price)
    if level is None:
        level = side[price] = [0, 0]
    before = (level[0], level[1])
    level[0] += units
    level[1] += orders
    if not level[1]:
        del side[price]
    return before
