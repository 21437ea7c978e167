"""Ledger rebuilt from journal lines: the projector's own balances, orders and levels (protocol, section 11).

It shares no code with the rules but the line types and the arithmetic of a pair, so that two bookkeepers must agree:
after each batch the projector compares its totals, and at intervals the whole state text, with the state machine's.
Each line is turned into ledger transfers and changed objects, which `rows` writes to the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from settlement.core.accounts import AVAILABLE, ESCROW, LOCKED, WITHDRAWING
from settlement.core.events import BlockHeader
from settlement.core.journal import lines, state_lines
from settlement.core.mark import Mark
from settlement.core.parsing.amounts import MAX_UNITS, integer_text, read_integer_text

DAY_SECONDS: Final = 86_400


class LedgerError(RuntimeError):
    """The journal does not follow from its own earlier lines: the database or the program is damaged."""


class Transfer(NamedTuple):
    """One ledger transfer between two buckets."""

    token: int  # number of the token
    debit: int  # number of the account
    debit_bucket: int
    credit: int
    credit_bucket: int
    amount: int  # units


@dataclass(slots=True, eq=False)
class TokenView:
    """A listed token."""

    number: int
    line: lines.Token
    holdings: int = 0  # units
    totals: list[int] = field(default_factory=lambda: [0, 0, 0, 0])  # over all accounts, by bucket


@dataclass(slots=True, eq=False)
class PairView:
    """A listed pair, its price levels and its mark."""

    number: int
    line: lines.Pair
    base: TokenView
    quote: TokenView
    lot_units: int = field(init=False)
    lot_value: int = field(init=False)
    bids: dict[int, list[int]] = field(default_factory=dict)  # by price: base units, number of orders
    asks: dict[int, list[int]] = field(default_factory=dict)
    mark: Mark = field(default_factory=Mark)

    def __post_init__(self) -> None:
        base, quote = self.base.line.precision, self.quote.line.precision
        self.lot_units = 10 ** (base - self.line.quantity_decimals)
        self.lot_value = 10 ** (quote - self.line.price_decimals - self.line.quantity_decimals)

    def value(self, price: int, quantity: int) -> int:
        """Quote units of `quantity` base units at `price` ticks."""
        return price * (quantity // self.lot_units) * self.lot_value


@dataclass(slots=True, eq=False)
class OrderView:
    """An order or stop, from its line to its close."""

    seq: int
    id: str
    account: int  # number of the account
    account_name: str
    pair: PairView
    is_buy: bool
    market: bool
    price: int | None
    quantity: int
    remaining: int
    locked: int
    expiry: int | None
    maker_fee_bps: int | None
    taker_fee_bps: int
    to_wallet: bool = False
    stop_price: int | None = None
    stop_limit: int | None = None
    stop: lines.Stop | None = None  # of a stop: its line
    intent: int = 0  # number of the intent that placed it
    block: int = 0  # in which it was accepted
    received: int = 0
    released: int = 0
    traded_base: int = 0  # sum over its trades
    traded_quote: int = 0
    fees: int = 0  # units of what it receives
    status: str = "open"
    code: str | None = None  # why the order that it fired was rejected
    fired_seq: int | None = None  # sequence of the order that it fired

    @property
    def gives(self) -> TokenView:
        return self.pair.quote if self.is_buy else self.pair.base


@dataclass(slots=True, eq=False)
class WithdrawalView:
    """A pending withdrawal."""

    n: int
    account: int
    token: TokenView
    line: lines.Withdraw
    block: int
    returning: int | None = None


@dataclass(slots=True, eq=False)
class RefundView:
    """A refund due."""

    n: int
    line: lines.Refund
    block: int


@dataclass(slots=True, eq=False)
class GrantView:
    """A grant in force."""

    n: int
    line: lines.Grant
    block: int  # in which it was given
    day: int | None = None
    used: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class TimerView:
    """A cancel-all timer."""

    n: int
    line: lines.Timer  # with a due time
    block: int  # in which it was set


@dataclass(slots=True)
class IntentView:
    """An accepted or rejected action."""

    n: int
    id: str
    account: str
    by: str | None
    action: str
    code: str | None
    ref: str | None
    seq: int | None = None  # the order or stop that it placed


@dataclass(slots=True)
class BlockFacts:
    """What one block's lines say and changed, in order."""

    header: BlockHeader
    transfers: list[Transfer] = field(default_factory=list)
    intents: list[IntentView] = field(default_factory=list)
    orders: dict[int, OrderView] = field(default_factory=dict)  # changed orders and stops by sequence
    trades: list[tuple[lines.Trade, OrderView, OrderView]] = field(default_factory=list)  # line, taker, maker
    balances: dict[tuple[int, int], None] = field(default_factory=dict)  # changed (account, token)
    levels: dict[tuple[PairView, bool, int], tuple[int, int]] = field(
        default_factory=dict
    )  # touched (pair, is_buy, price): base units and number of orders before the block
    holdings: dict[str, None] = field(default_factory=dict)  # changed symbols
    grants_used: dict[int, GrantView] = field(default_factory=dict)  # by number
    others: list[tuple[lines.Line, object]] = field(
        default_factory=list
    )  # other lines, each with what it concerns
    rules_changed: bool = False  # tokens, pairs or settings


class Ledger:
    """All that the journal says up to a block. Numbers of accounts, tokens and pairs count from 1."""

    def __init__(self, venue_hash: str) -> None:
        self.venue_hash = venue_hash
        self.header: BlockHeader | None = None
        self.journal_hash = venue_hash
        self.accounts: dict[str, int] = {}
        self.names: list[str] = [""]  # by number
        self.tokens: dict[str, TokenView] = {}
        self.tokens_by_number: list[TokenView | None] = [None]
        self.pairs: dict[str, PairView] = {}
        self.balances: dict[tuple[int, int], list[int]] = {}  # buckets by (account, token)
        self.orders: dict[str, OrderView] = {}  # open orders and stops by id
        self.withdrawals: dict[str, WithdrawalView] = {}
        self.refunds: dict[str, RefundView] = {}
        self.grants: dict[tuple[str, str], GrantView] = {}  # by (account, to)
        self.timers: dict[tuple[str, str], TimerView] = {}  # by (account, by)
        self.rules: lines.Rules | None = None
        self.upgrade: lines.Upgrade | None = None
        self.left_over: list[str] = []
        self.last_seq = 0
        self.last_trade = 0
        self.last: dict[str, int] = {}  # last number of intents, withdrawals, refunds, grants, timers
        self._fired: dict[str, int] = {}
        self._firing: OrderView | None = None
        self._accepted: IntentView | None = None
        self._replaced: OrderView | None = None
        self._replaced_lock = 0

    # ------------------------------------------------------------ one block

    def apply(self, entry: lines.JournalEntry) -> BlockFacts:
        """Take in one block's lines. Raises LedgerError or LineError."""
        header = entry.header
        facts = BlockFacts(header)
        self.header = header
        self.journal_hash = entry.hash
        self._end_grants(facts)
        self._fired.clear()
        for line in entry.lines():
            try:
                _READERS[type(line)](self, line, facts)
            except KeyError as error:
                raise LedgerError(
                    f"block {header.number}: {line} concerns {error}, which is not there"
                ) from None
        self.left_over = sorted(name for name, count in self._fired.items() if count >= _MAX_FIRED)
        return facts

    def pass_block(self, header: BlockHeader) -> None:
        """Take in a block without lines."""
        self.header = header
        self.left_over = []

    def _end_grants(self, facts: BlockFacts) -> None:
        """Grants that have ended vanish without a line, and their timers with them.

        Their rows are closed in the next block with lines; until then `until` says that they have ended.
        """
        ended = [key for key, grant in self.grants.items() if grant.line.until <= facts.header.timestamp]
        for account, to in ended:
            self._revoke(lines.Revoke(account, to), facts)

    def number_of(self, name: str) -> int:
        """An account's number; a new account gets the next one."""
        number = self.accounts.get(name)
        if number is None:
            number = self.accounts[name] = len(self.names)
            self.names.append(name)
        return number

    def next(self, name: str) -> int:
        """The next number of a kind of row."""
        number = self.last[name] = self.last.get(name, 0) + 1
        return number

    def transfer(
        self,
        facts: BlockFacts,
        token: TokenView,
        debit: int,
        debit_bucket: int,
        credit: int,
        credit_bucket: int,
        amount: int,
    ) -> None:
        """Move units between two buckets."""
        number = token.number
        balances = self.balances
        from_key, to_key = (debit, number), (credit, number)
        held = balances.get(from_key)
        if held is None:
            held = balances[from_key] = [0, 0, 0, 0]
        held[debit_bucket] -= amount
        if held[debit_bucket] < 0 and debit_bucket != ESCROW:
            raise LedgerError(
                f"block {facts.header.number}: {self.names[debit]} lacks {amount} {token.line.symbol}"
            )
        into = balances.get(to_key)
        if into is None:
            into = balances[to_key] = [0, 0, 0, 0]
        into[credit_bucket] += amount
        if debit_bucket != credit_bucket:
            token.totals[debit_bucket] -= amount
            token.totals[credit_bucket] += amount
        facts.balances[from_key] = facts.balances[to_key] = None
        facts.transfers.append(Transfer(number, debit, debit_bucket, credit, credit_bucket, amount))

    # ------------------------------------------------------------ orders and stops

    def _accept(self, line: lines.Accept, facts: BlockFacts) -> None:
        intent = IntentView(self.next("intents"), line.id, line.account, line.by, line.action, None, line.ref)
        facts.intents.append(intent)
        self._accepted, self._replaced, self._firing = intent, None, None

    def _reject(self, line: lines.Reject, facts: BlockFacts) -> None:
        firing, self._firing = self._firing, None
        if firing is not None and line.id in (firing.id, f"{firing.id}~stop"):
            firing.code = line.code
            return
        facts.intents.append(
            IntentView(self.next("intents"), line.id, line.account, None, line.action, line.code, line.ref)
        )

    def _order(self, line: lines.Order, facts: BlockFacts) -> None:
        pair = self.pairs[line.pair]
        is_buy, market = line.side == "buy", line.type == "market"
        if market or not is_buy:
            locked = line.quantity
        else:
            assert line.price is not None
            locked = pair.value(line.price, line.quantity)
        order = OrderView(
            seq=line.seq,
            id=line.id,
            account=self.number_of(line.account),
            account_name=line.account,
            pair=pair,
            is_buy=is_buy,
            market=market,
            price=line.price,
            quantity=line.quantity,
            remaining=line.quantity,
            locked=locked,
            expiry=line.expiry,
            maker_fee_bps=line.maker_fee_bps,
            taker_fee_bps=line.taker_fee_bps,
            to_wallet=line.settle == "wallet",
            stop_price=line.stop_price,
            stop_limit=line.stop_limit,
        )
        self._open(order, facts)
        if not market:
            assert line.price is not None
            self._change_level(order, line.quantity, 1, facts)
        replaced = self._replaced
        if replaced is not None and replaced.to_wallet:
            order.received = replaced.received
        self._count_grant(order, facts)
        self._replaced = None

    def _stop(self, line: lines.Stop, facts: BlockFacts) -> None:
        pair = self.pairs[line.pair]
        is_buy, market = line.side == "buy", line.type == "market"
        if market or not is_buy:
            locked = line.quantity
        else:
            assert line.price is not None
            locked = pair.value(line.price, line.quantity)
        stop = OrderView(
            seq=line.seq,
            id=line.id,
            account=self.number_of(line.account),
            account_name=line.account,
            pair=pair,
            is_buy=is_buy,
            market=market,
            price=line.price,
            quantity=line.quantity,
            remaining=line.quantity,
            locked=locked,
            expiry=line.expiry,
            maker_fee_bps=None,
            taker_fee_bps=line.taker_fee_bps,
            stop=line,
        )
        self._open(stop, facts)

    def _open(self, order: OrderView, facts: BlockFacts) -> None:
        """Number an order or stop, and lock what it gives."""
        firing, accepted = self._firing, self._accepted
        self._firing = None
        if firing is not None:
            order.intent = firing.intent
            firing.fired_seq = order.seq
        elif accepted is not None:
            order.intent = accepted.n
            accepted.seq = order.seq
        order.block = facts.header.number
        self.last_seq = order.seq
        self.orders[order.id] = order
        facts.orders[order.seq] = order
        self.transfer(facts, order.gives, order.account, AVAILABLE, order.account, LOCKED, order.locked)

    def _change_level(self, order: OrderView, units: int, orders: int, facts: BlockFacts) -> None:
        assert order.price is not None
        pair, price = order.pair, order.price
        side = pair.bids if order.is_buy else pair.asks
        level = side.get(price)
        if level is None:
            level = side[price] = [0, 0]
        facts.levels.setdefault((pair, order.is_buy, price), (level[0], level[1]))
        level[0] += units
        level[1] += orders
        if not level[1]:
            del side[price]

    def _trigger(self, line: lines.Trigger, facts: BlockFacts) -> None:
        order = self.orders[line.id]
        self._fired[order.pair.line.pair] = self._fired.get(order.pair.line.pair, 0) + 1
        self._accepted = self._replaced = None
        self._firing = order
        facts.orders[order.seq] = order

    def _trade(self, line: lines.Trade, facts: BlockFacts) -> None:
        taker, maker = self.orders[line.taker], self.orders[line.maker]
        buyer, seller = (taker, maker) if taker.is_buy else (maker, taker)
        pair = taker.pair
        quantity, quote_amount = line.quantity, line.quote_amount
        self._pay(buyer, seller, quote_amount, line.seller_fee, facts)
        self._pay(seller, buyer, quantity, line.buyer_fee, facts)
        seller.remaining -= quantity
        if buyer.market:
            buyer.remaining -= quote_amount
        else:
            assert buyer.price is not None
            buyer.remaining -= quantity
            if buyer.price != line.price:
                self._release(buyer, pair.value(buyer.price, quantity) - quote_amount, facts)
        for order in (taker, maker):
            order.traded_base = min(order.traded_base + quantity, MAX_UNITS)
            order.traded_quote = min(order.traded_quote + quote_amount, MAX_UNITS)
            if not order.market:
                self._change_level(order, -quantity, 0, facts)
            facts.orders[order.seq] = order
        if line.buyer != line.seller:
            assert maker.price is not None
            pair.mark.add(facts.header.number, quantity, pair.value(maker.price, quantity))
        self.last_trade = line.n
        facts.trades.append((line, taker, maker))

    def _pay(self, payer: OrderView, payee: OrderView, amount: int, fee: int, facts: BlockFacts) -> None:
        payer.locked -= amount
        payee.received = min(payee.received + amount - fee, MAX_UNITS)
        payee.fees = min(payee.fees + fee, MAX_UNITS)
        self.transfer(facts, payer.gives, payer.account, LOCKED, payee.account, AVAILABLE, amount - fee)
        if fee:
            assert self.rules is not None
            to = self.number_of(self.rules.fee_account)
            self.transfer(facts, payer.gives, payer.account, LOCKED, to, AVAILABLE, fee)

    def _release(self, order: OrderView, amount: int, facts: BlockFacts) -> None:
        if amount:
            order.locked -= amount
            order.released = min(order.released + amount, MAX_UNITS)
            self.transfer(facts, order.gives, order.account, LOCKED, order.account, AVAILABLE, amount)

    def _close(self, line: lines.Close, facts: BlockFacts) -> None:
        order = self.orders.pop(line.id)
        if order.locked != line.released:
            raise LedgerError(
                f"block {facts.header.number}: {line.id} locks {order.locked}, releases {line.released}"
            )
        accepted = self._accepted
        if (
            self._firing is None
            and accepted is not None
            and accepted.action == "replace"
            and accepted.seq is None
        ):
            self._replaced, self._replaced_lock = order, order.locked
        if not order.market and order.stop is None:
            self._change_level(order, -order.remaining, -1, facts)
        self._release(order, line.released, facts)
        order.status = line.status
        facts.orders[order.seq] = order

    def _count_grant(self, order: OrderView, facts: BlockFacts) -> None:
        """Count an order that was placed under a grant against its allowance."""
        accepted = self._accepted
        if accepted is None or accepted.by in (None, "active") or accepted.seq != order.seq:
            return
        grant = self.grants[order.account_name, str(accepted.by)]
        counted, old = order.locked, self._replaced
        if old is not None:
            assert order.price is not None
            assert old.price is not None
            is_worse = order.price > old.price if order.is_buy else order.price < old.price
            counted = counted if is_worse else max(0, counted - self._replaced_lock)
        if counted:
            day = facts.header.timestamp // DAY_SECONDS
            if grant.day != day:
                grant.day, grant.used = day, {}
            symbol = order.gives.line.symbol
            grant.used[symbol] = grant.used.get(symbol, 0) + counted
            facts.grants_used[grant.n] = grant

    def _expire(self, line: lines.Expire, facts: BlockFacts) -> None:
        self._accepted = self._replaced = self._firing = None

    def _timeout(self, line: lines.Timeout, facts: BlockFacts) -> None:
        self._accepted = self._replaced = self._firing = None
        facts.others.append((line, self.timers.pop((line.account, line.by))))

    # ------------------------------------------------------------ grants and timers

    def _timer(self, line: lines.Timer, facts: BlockFacts) -> None:
        key = (line.account, line.by)
        old = self.timers.pop(key, None)
        if old is not None:
            facts.others.append((lines.Timer(line.account, line.by, None), old))
        if line.due is not None:
            timer = self.timers[key] = TimerView(self.next("timers"), line, facts.header.number)
            facts.others.append((line, timer))

    def _grant(self, line: lines.Grant, facts: BlockFacts) -> None:
        old = self.grants.get((line.account, line.to))
        if old is not None:
            facts.others.append((lines.Revoke(line.account, line.to), old))
        grant = self.grants[line.account, line.to] = GrantView(self.next("grants"), line, facts.header.number)
        facts.others.append((line, grant))

    def _revoke(self, line: lines.Revoke, facts: BlockFacts) -> None:
        key = (line.account, line.to)
        timer = self.timers.pop(key, None)
        if timer is not None:
            facts.others.append((lines.Timer(line.account, line.to, None), timer))
        facts.others.append((line, self.grants.pop(key)))

    # ------------------------------------------------------------ money in and out

    def _deposit(self, line: lines.Deposit, facts: BlockFacts) -> None:
        token = self.tokens[line.symbol]
        escrow = self.number_of(line.escrow)
        self.transfer(facts, token, escrow, ESCROW, self.number_of(line.account), AVAILABLE, line.amount)
        self._change_holdings(token, line.amount, facts)
        facts.others.append((line, token))

    def _refund(self, line: lines.Refund, facts: BlockFacts) -> None:
        refund = self.refunds[line.id] = RefundView(self.next("refunds"), line, facts.header.number)
        facts.others.append((line, refund))

    def _other(self, line: lines.Line, facts: BlockFacts) -> None:
        facts.others.append((line, self._accepted))

    def _withdraw(self, line: lines.Withdraw, facts: BlockFacts) -> None:
        token, account = self.tokens[line.symbol], self.number_of(line.account)
        self.transfer(facts, token, account, AVAILABLE, account, WITHDRAWING, line.amount)
        withdrawal = WithdrawalView(self.next("withdrawals"), account, token, line, facts.header.number)
        self.withdrawals[line.id] = withdrawal
        facts.others.append((line, withdrawal))

    def _returning(self, line: lines.Returning, facts: BlockFacts) -> None:
        withdrawal = self.withdrawals[line.id]
        withdrawal.returning = line.due
        facts.others.append((line, withdrawal))

    def _return(self, line: lines.Return, facts: BlockFacts) -> None:
        w = self.withdrawals.pop(line.id)
        self.transfer(facts, w.token, w.account, WITHDRAWING, w.account, AVAILABLE, w.line.amount)
        facts.others.append((line, w))

    def _paid(self, line: lines.Paid, facts: BlockFacts) -> None:
        w = self.withdrawals.pop(line.id, None)
        if w is None:
            facts.others.append((line, self.refunds.pop(line.id)))
            return
        escrow = self.number_of(w.token.line.escrow)
        self.transfer(facts, w.token, w.account, WITHDRAWING, escrow, ESCROW, w.line.amount)
        self._change_holdings(w.token, -w.line.amount, facts)
        facts.others.append((line, w))

    def _outflow(self, line: lines.Outflow, facts: BlockFacts) -> None:
        if not line.amount.startswith("="):
            self._change_holdings(self.tokens[line.symbol], -read_integer_text(line.amount), facts)
        facts.others.append((line, None))

    def _internal(self, line: lines.Internal, facts: BlockFacts) -> None:
        if not line.amount.startswith("="):
            token = self.tokens[line.symbol]
            sign = -1 if line.sender == token.line.escrow else 1
            self._change_holdings(token, sign * read_integer_text(line.amount), facts)
        facts.others.append((line, None))

    def _change_holdings(self, token: TokenView, change: int, facts: BlockFacts) -> None:
        token.holdings += change
        facts.holdings[token.line.symbol] = None

    # ------------------------------------------------------------ rules

    def add_token(self, line: lines.Token) -> TokenView:
        token = self.tokens[line.symbol] = TokenView(len(self.tokens_by_number), line)
        self.tokens_by_number.append(token)
        return token

    def add_pair(self, line: lines.Pair) -> PairView:
        base, _, quote = line.pair.partition("/")
        pair = self.pairs[line.pair] = PairView(
            len(self.pairs) + 1, line, self.tokens[base], self.tokens[quote]
        )
        return pair

    def _token(self, line: lines.Token, facts: BlockFacts) -> None:
        facts.others.append((line, self.add_token(line)))
        facts.rules_changed = True

    def _pair(self, line: lines.Pair, facts: BlockFacts) -> None:
        pair = self.pairs.get(line.pair)
        if pair is None:
            pair = self.add_pair(line)
        pair.line = line
        facts.others.append((line, pair))
        facts.rules_changed = True

    def _rules(self, line: lines.Rules, facts: BlockFacts) -> None:
        self.rules = line
        facts.others.append((line, None))
        facts.rules_changed = True

    def _upgrade(self, line: lines.Upgrade, facts: BlockFacts) -> None:
        self.upgrade = line if line.block is not None else None
        facts.others.append((line, None))
        facts.rules_changed = True

    # ------------------------------------------------------------ state text

    def state_text(self) -> str:
        """The state text at the end of the block (protocol, section 11)."""
        header = self.header
        head = state_lines.Head(
            venue_hash=self.venue_hash,
            number=None if header is None else header.number,
            block_id=None if header is None else header.block_id,
            timestamp=None if header is None else header.timestamp,
            journal_hash=self.journal_hash,
        )
        return "".join([*state_lines.head_lines(head), *map(state_lines.encode, self._state_lines())])

    def _state_lines(self) -> Iterator[state_lines.StateLine]:
        yield state_lines.Last(self.last_seq, self.last_trade)
        if self.rules is not None:
            yield self.rules
        if self.upgrade is not None:
            yield self.upgrade
        yield from (token.line for _, token in sorted(self.tokens.items()))
        yield from (pair.line for _, pair in sorted(self.pairs.items()))
        yield from sorted(self._balance_lines())
        waiting = sorted(self.orders.values(), key=lambda order: order.seq)
        yield from (_order_line(order) for order in waiting if order.stop is None)
        yield from (
            _stop_line(order.seq, order.stop, order.locked) for order in waiting if order.stop is not None
        )
        now = 0 if self.header is None else self.header.timestamp
        grants = {key: grant for key, grant in sorted(self.grants.items()) if grant.line.until > now}
        for (account, by), timer in sorted(self.timers.items()):
            assert timer.line.due is not None
            if by == "active" or (account, by) in grants:
                yield state_lines.Timer(account, by, timer.line.due)
        for grant in grants.values():
            yield state_lines.Grant(*grant.line, grant.day, amounts_text(grant.used) or None)
        for w in self.withdrawals.values():
            yield state_lines.Withdrawal(*w.line, w.returning)
        yield from (state_lines.Refund(*refund.line) for refund in self.refunds.values())
        for name, pair in sorted(self.pairs.items()):
            for traded in pair.mark.blocks:
                yield state_lines.Mark(name, traded.block, traded.base, traded.quote)
        yield from map(state_lines.Left, self.left_over)
        for symbol, token in sorted(self.tokens.items()):
            if token.holdings or token.totals[ESCROW]:
                yield state_lines.Escrow(symbol, integer_text(token.holdings))

    def _balance_lines(self) -> Iterator[state_lines.Balance]:
        for (account, token), (available, locked, withdrawing, _) in self.balances.items():
            if available or locked or withdrawing:
                view = self.tokens_by_number[token]
                assert view is not None
                yield state_lines.Balance(
                    self.names[account], view.line.symbol, available, locked, withdrawing
                )


def amounts_text(amounts: dict[str, int]) -> str:
    """Amounts by symbol as SYMBOL:units, comma between."""
    return ",".join(f"{symbol}:{units}" for symbol, units in sorted(amounts.items()))


def _order_line(order: OrderView) -> state_lines.Order:
    assert order.price is not None
    assert order.expiry is not None
    assert order.maker_fee_bps is not None
    return state_lines.Order(
        seq=order.seq,
        id=order.id,
        account=order.account_name,
        pair=order.pair.line.pair,
        side="buy" if order.is_buy else "sell",
        price=order.price,
        quantity=order.quantity,
        remaining=order.remaining,
        locked=order.locked,
        received=order.received,
        released=order.released,
        expiry=order.expiry,
        maker_fee_bps=order.maker_fee_bps,
        taker_fee_bps=order.taker_fee_bps,
        settle="wallet" if order.to_wallet else "venue",
        stop_price=order.stop_price,
        stop_limit=order.stop_limit,
    )


def _stop_line(seq: int, stop: lines.Stop, locked: int) -> state_lines.Stop:
    return state_lines.Stop(
        seq=seq,
        id=stop.id,
        account=stop.account,
        pair=stop.pair,
        side=stop.side,
        type=stop.type,
        price=stop.price,
        quantity=stop.quantity,
        locked=locked,
        expiry=stop.expiry,
        taker_fee_bps=stop.taker_fee_bps,
        when=stop.when,
        trigger_price=stop.trigger_price,
        time_in_force=stop.time_in_force,
        post=stop.post,
    )


_MAX_FIRED: Final = 1_000
_READERS: Final[dict[type, Callable[[Ledger, Any, BlockFacts], None]]] = {
    lines.Accept: Ledger._accept,
    lines.Reject: Ledger._reject,
    lines.Order: Ledger._order,
    lines.Stop: Ledger._stop,
    lines.Trigger: Ledger._trigger,
    lines.Trade: Ledger._trade,
    lines.Close: Ledger._close,
    lines.Expire: Ledger._expire,
    lines.Timeout: Ledger._timeout,
    lines.Timer: Ledger._timer,
    lines.Grant: Ledger._grant,
    lines.Revoke: Ledger._revoke,
    lines.Deposit: Ledger._deposit,
    lines.Refund: Ledger._refund,
    lines.Ignore: Ledger._other,
    lines.Withdraw: Ledger._withdraw,
    lines.Returning: Ledger._returning,
    lines.Return: Ledger._return,
    lines.Paid: Ledger._paid,
    lines.Outflow: Ledger._outflow,
    lines.Internal: Ledger._internal,
    lines.Token: Ledger._token,
    lines.Pair: Ledger._pair,
    lines.Rules: Ledger._rules,
    lines.Checkpoint: Ledger._other,
    lines.Upgrade: Ledger._upgrade,
}
