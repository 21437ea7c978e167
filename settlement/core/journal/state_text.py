"""State text: the whole state as auditors compare it, and its way back to a state (protocol, section 11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

from settlement.core.accounts import AVAILABLE, ESCROW, LOCKED, WITHDRAWING, Grant, Timer, balance_of
from settlement.core.custody import value_text
from settlement.core.invariants import check_all
from settlement.core.journal import lines, state_lines
from settlement.core.operator_actions import pair_rules
from settlement.core.parsing.amounts import integer_text, read_integer_text, read_quantity
from settlement.core.parsing.names import decode
from settlement.core.payments import Refund, Withdrawal
from settlement.core.state import BlockChanges, InvariantError, State
from settlement.core.trading.grants import amounts_text, pairs_text, put_grant, put_timer
from settlement.core.trading.order_book import Order, Stop
from settlement.core.trading.orders import put_stop, rest
from settlement.core.venue import PairRules, TokenRules, Venue

_HEAD: Final = 4
"""Lines before the first one that `state_lines.parse` reads."""


class StateTextError(ValueError):
    """A text that is no state of the venue."""


def state_text(state: State) -> str:
    """The whole state as text; `sha256sum` of it is the state hash."""
    header = state.header
    head = state_lines.Head(
        venue_hash=state.venue_hash,
        number=None if header is None else header.number,
        block_id=None if header is None else header.block_id,
        timestamp=None if header is None else header.timestamp,
        journal_hash=state.journal_hash,
    )
    return "".join(
        [
            *state_lines.head_lines(head),
            *map(state_lines.encode, _before_orders(state)),
            *map(_order_text, sorted(state.orders.values(), key=lambda order: order.seq)),
            *map(state_lines.encode, _after_orders(state)),
        ]
    )


def state_hash(state: State) -> str:
    """SHA-256 of the state text, 64 hex digits."""
    return sha256(state_text(state).encode()).hexdigest()


def _before_orders(state: State) -> Iterator[state_lines.StateLine]:
    """The lines before the orders."""
    yield state_lines.Last(state.last_seq, state.last_trade)
    yield lines.Rules(state.max_open_orders, state.fee_account.name)
    if state.upgrade is not None:
        yield state.upgrade
    for _, token in sorted(state.tokens.items()):
        yield lines.Token(token.symbol, token.precision, token.escrow, token.min_withdrawal)
    for _, pair in sorted(state.pairs.items()):
        rules = pair_rules(pair)
        yield lines.Pair(
            pair=rules.name,
            price_decimals=rules.price_decimals,
            quantity_decimals=rules.quantity_decimals,
            maker_fee_bps=rules.maker_fee_bps,
            taker_fee_bps=rules.taker_fee_bps,
            price_policy=rules.price_policy,
            self_trade=rules.self_trade,
            status=rules.status,
        )
    for name, account in sorted(state.accounts.items()):
        for symbol, balance in sorted(account.balances.items()):
            held = balance.buckets
            if held[AVAILABLE] or held[LOCKED] or held[WITHDRAWING]:
                yield state_lines.Balance(name, symbol, held[AVAILABLE], held[LOCKED], held[WITHDRAWING])


def _after_orders(state: State) -> Iterator[state_lines.StateLine]:
    """The lines after the orders."""
    yield from map(_stop_line, sorted(state.stops.values(), key=lambda stop: stop.seq))
    for (name, by), timer in sorted(state.timers.items()):
        yield state_lines.Timer(name, by, timer.due)
    for _, grant in sorted(state.grants.items()):
        yield _grant_line(grant)
    for w in state.withdrawals.by_id.values():
        yield state_lines.Withdrawal(w.id, w.account, w.balance.symbol, w.amount, w.to, w.memo, w.returning)
    for r in state.refunds.by_id.values():
        yield state_lines.Refund(r.id, r.account, r.symbol, r.quantity, r.escrow)
    for name, pair in sorted(state.pairs.items()):
        for traded in pair.mark.blocks:
            yield state_lines.Mark(name, traded.block, traded.base, traded.quote)
    for name in state.left_over:
        yield state_lines.Left(name)
    for symbol, token in sorted(state.tokens.items()):
        if token.holdings or token.liabilities_units:
            yield state_lines.Escrow(symbol, integer_text(token.holdings))


def _order_text(order: Order) -> str:
    assert order.price is not None
    assert order.expiry is not None
    return state_lines.order_text(
        seq=order.seq,
        id=order.id,
        account=order.account.name,
        pair=order.pair.name,
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


def _stop_line(stop: Stop) -> state_lines.Stop:
    return state_lines.Stop(
        seq=stop.seq,
        id=stop.id,
        account=stop.account.name,
        pair=stop.pair.name,
        side="buy" if stop.is_buy else "sell",
        type="market" if stop.market else "limit",
        price=stop.price,
        quantity=stop.quantity,
        locked=stop.locked,
        expiry=stop.expiry,
        taker_fee_bps=stop.taker_fee_bps,
        when="above" if stop.above else "below",
        trigger_price=stop.trigger_price,
        time_in_force=stop.time_in_force,
        post="post" if stop.post_only else None,
    )


def _grant_line(grant: Grant) -> state_lines.Grant:
    return state_lines.Grant(
        account=grant.account.name,
        to=grant.to,
        until=grant.until,
        band_bps=grant.band_bps,
        pairs=pairs_text(grant.pairs),
        per_day=amounts_text(grant.per_day),
        day=grant.day,
        used=amounts_text(grant.used) or None,
    )


def read_state(venue: Venue, text: str) -> State:
    """The state that a text describes, checked in full. Raises StateTextError."""
    try:
        state = _Loader(venue).load(text)
        check_all(state)
        if state_text(state) != text:
            raise StateTextError("it is not in the form in which a state is written")
    except StateTextError:
        raise
    except (ValueError, InvariantError, KeyError, IndexError, AssertionError) as error:
        raise StateTextError(f"not a state text: {error!r}") from None
    return state


class _Loader:
    """Builds a state out of its lines, which come in the order of section 11."""

    def __init__(self, venue: Venue) -> None:
        self._state = State(venue)
        self._state.tokens.clear()
        self._state.pairs.clear()
        self._state.accounts.clear()

    def load(self, text: str) -> State:
        state = self._state
        rows = text.split("\n")
        if len(rows) <= _HEAD or rows.pop() != "":
            raise StateTextError("the text is cut off")
        self._read_head(rows[:_HEAD])
        for row in rows[_HEAD:]:
            self._read(state_lines.parse(row))
        for token in state.tokens.values():
            owed = sum(
                sum(account.balances[token.symbol].buckets[:ESCROW])
                for account in state.accounts.values()
                if token.symbol in account.balances
            )
            token.contra.buckets[ESCROW] = -owed
        _note_checked(state)
        return state

    def _read_head(self, rows: list[str]) -> None:
        state = self._state
        if rows[0] != f"peakedex-state {state_lines.VERSION}":
            raise StateTextError(f"it does not begin with `peakedex-state {state_lines.VERSION}`")
        if rows[1] != f"venue {state.venue_hash}":
            raise StateTextError("it is of another venue")
        state.header = None if rows[2] == state_lines.NO_BLOCK else lines.block_header(f"{rows[2]}\n")
        state.journal_hash = rows[3].removeprefix("journal ")

    def _read(self, line: state_lines.StateLine) -> None:
        state = self._state
        match line:
            case state_lines.Last():
                state.last_seq, state.last_trade = line
            case lines.Rules():
                state.max_open_orders = line.max_open_orders
                state.fee_account = state.account(line.fee_account)
            case lines.Upgrade():
                state.upgrade = line
            case lines.Token():
                state.add_token(TokenRules(line.symbol, line.precision, line.escrow, line.min_withdrawal))
            case lines.Pair():
                base, _, quote = line.pair.partition("/")
                state.add_pair(PairRules(base, quote, *line[1:]))
            case state_lines.Balance():
                buckets = balance_of(state.account(line.account), line.symbol).buckets
                buckets[:ESCROW] = [line.available, line.locked, line.withdrawing]
            case state_lines.Order():
                self._read_order(line)
            case state_lines.Stop():
                self._read_stop(line)
            case state_lines.Timer():
                put_timer(state, Timer(state.account(line.account), line.by, line.due))
            case state_lines.Grant():
                self._read_grant(line)
            case state_lines.Withdrawal():
                self._read_withdrawal(line)
            case state_lines.Refund():
                self._read_refund(line)
            case state_lines.Mark():
                state.pairs[line.pair].mark.add(line.block, line.base, line.quote)
            case state_lines.Left():
                state.left_over.append(line.pair)
            case state_lines.Escrow():
                state.tokens[line.symbol].holdings = read_integer_text(line.holdings)

    def _read_order(self, line: state_lines.Order) -> None:
        state = self._state
        order = Order(
            id=line.id,
            account=state.account(line.account),
            pair=state.pairs[line.pair],
            is_buy=line.side == "buy",
            market=False,
            price=line.price,
            quantity=line.quantity,
            expiry=line.expiry,
            to_wallet=line.settle == "wallet",
            stop_price=line.stop_price,
            stop_limit=line.stop_limit,
            maker_fee_bps=line.maker_fee_bps,
            taker_fee_bps=line.taker_fee_bps,
            seq=line.seq,
            locked=line.locked,
            received=line.received,
            released=line.released,
        )
        order.remaining = line.remaining
        rest(state, order)

    def _read_stop(self, line: state_lines.Stop) -> None:
        state = self._state
        stop = Stop(
            id=line.id,
            account=state.account(line.account),
            pair=state.pairs[line.pair],
            is_buy=line.side == "buy",
            market=line.type == "market",
            price=line.price,
            quantity=line.quantity,
            expiry=line.expiry,
            above=line.when == "above",
            trigger_price=line.trigger_price,
            time_in_force=line.time_in_force,
            post_only=line.post is not None,
            taker_fee_bps=line.taker_fee_bps,
            locked=line.locked,
            seq=line.seq,
        )
        put_stop(state, stop)

    def _read_grant(self, line: state_lines.Grant) -> None:
        grant = Grant(
            account=self._state.account(line.account),
            to=line.to,
            until=line.until,
            band_bps=line.band_bps,
            pairs=frozenset(line.pairs.split(",")),
            per_day=_amounts(line.per_day),
            day=line.day,
            used=_amounts(line.used),
        )
        put_grant(self._state, grant)

    def _read_withdrawal(self, line: state_lines.Withdrawal) -> None:
        state = self._state
        state.last_payment += 1
        withdrawal = Withdrawal(
            n=state.last_payment,
            id=line.id,
            balance=balance_of(state.account(line.account), line.symbol),
            amount=line.amount,
            to=line.to,
            memo=line.memo,
            returning=line.returning,
        )
        state.withdrawals.open(withdrawal)
        if withdrawal.returning is not None:
            state.returns.put((withdrawal.returning, withdrawal.n), withdrawal)

    def _read_refund(self, line: state_lines.Refund) -> None:
        state = self._state
        quantity = read_quantity(decode(line.quantity))
        if quantity is None:
            raise StateTextError(f"refund {line.id} has no quantity")
        state.last_payment += 1
        state.refunds.open(
            Refund(
                n=state.last_payment,
                id=line.id,
                account=line.account,
                symbol=line.symbol,
                quantity=line.quantity,
                value=value_text(quantity),
                escrow=line.escrow,
            )
        )


def _amounts(text: str | None) -> dict[str, int]:
    """Amounts by symbol out of `SYMBOL:units,…`."""
    if text is None:
        return {}
    return {symbol: int(units) for symbol, _, units in (entry.partition(":") for entry in text.split(","))}


def _note_checked(state: State) -> None:
    """Take what was loaded as checked: `invariants.check_block` compares with it."""
    state.changes = BlockChanges()
    for account in state.accounts.values():
        for balance in account.balances.values():
            balance.checked = sum(balance.buckets)
            balance.checked_locked = balance.buckets[LOCKED]
            balance.checked_withdrawing = balance.buckets[WITHDRAWING]
    waiting: Iterable[Order | Stop] = [*state.orders.values(), *state.stops.values()]
    for order in waiting:
        order.checked_locked = order.locked
