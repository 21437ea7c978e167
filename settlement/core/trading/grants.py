"""Grants: who may act for an account, and within which limits; timers (protocol, sections 5 and 6)."""

from __future__ import annotations

from typing import Final

from settlement.core.accounts import Account, Grant, Timer
from settlement.core.codes import Code
from settlement.core.journal import lines
from settlement.core.parsing.amounts import BPS, MAX_UNITS, to_units
from settlement.core.parsing.intents import (
    POSTING,
    GrantIntent,
    Intent,
    OrderIntent,
    TimerIntent,
    TradingIntent,
)
from settlement.core.state import State
from settlement.core.trading.context import Context
from settlement.core.trading.order_book import Order, Pair, Stop

MAX_GRANTS: Final = 10
MAX_GRANT_SECONDS: Final = 7_776_000
DAY_SECONDS: Final = 86_400


def authorize(
    state: State, intent: Intent, *, signer: str, active: bool, principal: str | None
) -> Grant | Code:
    """The grant under which an intent acts that the account's own active key did not sign (section 6; check 2
    of section 5). `principal` is the account it acts `for`; the grant's `to` is how it was signed.
    """
    if principal is not None and (not active or signer == POSTING):
        return Code.E_AUTH
    by = POSTING if principal is None else signer
    grant = state.grants.get((signer if principal is None else principal, by))
    if grant is None:
        return Code.E_AUTH
    if not isinstance(intent, TradingIntent) or not _is_plain(intent):
        return Code.E_GRANT
    if isinstance(intent, OrderIntent):
        name = f"{intent.symbol}/{intent.quote}"
        if name in state.pairs and name not in grant.pairs:
            return Code.E_GRANT
    return grant


def _is_plain(intent: TradingIntent) -> bool:
    """Whether it asks for nothing that no grant allows, whatever the state."""
    if not isinstance(intent, OrderIntent):
        return getattr(intent, "protective_stop", None) is None
    return (
        intent.trigger is None
        and intent.protective_stop is None
        and not intent.has_settle
        and (not intent.market or intent.price is not None)
    )


def may_touch(grant: Grant | None, order: Order | Stop) -> bool:
    """Whether a cancel under that grant reaches an open order or stop."""
    if grant is None:
        return True
    return isinstance(order, Order) and order.pair.name in grant.pairs and order.stop_price is None


def check_limits(grant: Grant, order: Order, counted: int, now: int) -> Code | None:
    """Band and daily allowance for an order that counts `counted` units of what it locks (section 6)."""
    assert order.price is not None
    if not _in_band(order.pair, order.price, is_buy=order.is_buy, band_bps=grant.band_bps):
        return Code.E_GRANT
    symbol = order.gives.symbol
    used = grant.used.get(symbol, 0) if grant.day == now // DAY_SECONDS else 0
    return Code.E_GRANT if used + counted > grant.per_day.get(symbol, 0) else None


def _in_band(pair: Pair, price: int, *, is_buy: bool, band_bps: int) -> bool:
    mark = pair.mark
    if not mark.base:
        return False
    value = pair.value(price, mark.base) * BPS
    if is_buy:
        return value <= mark.quote * (BPS + band_bps)
    return value >= mark.quote * (BPS - band_bps)


def count(grant: Grant, symbol: str, counted: int, now: int) -> None:
    """Count an accepted order against the daily allowance."""
    if not counted:
        return
    day = now // DAY_SECONDS
    if grant.day != day:
        grant.day, grant.used = day, {}
    grant.used[symbol] = grant.used.get(symbol, 0) + counted


def check_grant(state: State, account: Account, intent: GrantIntent) -> dict[str, int] | Code:
    """The daily allowances in units, or the code of the rejection (section 6)."""
    if any(pair not in state.pairs for pair in intent.pairs):
        return Code.E_PAIR
    tokens = [state.tokens.get(symbol) for symbol, _ in intent.per_day]
    if None in tokens:
        return Code.E_TOKEN
    per_day = {
        token.symbol: to_units(amount, token.precision)
        for token, (_, amount) in zip(tokens, intent.per_day, strict=True)
        if token is not None
    }
    allowances = {symbol: units for symbol, units in per_day.items() if units is not None}
    if len(allowances) != len(per_day):
        return Code.E_PRECISION
    if max(allowances.values()) > MAX_UNITS:
        return Code.E_RANGE
    if account.grants >= MAX_GRANTS and (account.name, intent.to) not in state.grants:
        return Code.E_LIMIT
    return allowances


def open_grant(state: State, account: Account, intent: GrantIntent, per_day: dict[str, int]) -> None:
    """Add a grant; one to the same `to` is replaced, with nothing used, and its timer stays."""
    old = state.grants.get((account.name, intent.to))
    if old is not None:
        _unindex_grant(state, old)
    grant = Grant(
        account=account,
        to=intent.to,
        until=intent.until,
        band_bps=intent.band_bps,
        pairs=frozenset(intent.pairs),
        per_day=per_day,
    )
    put_grant(state, grant)
    state.write(
        lines.Grant(
            account=account.name,
            to=grant.to,
            until=grant.until,
            band_bps=grant.band_bps,
            pairs=pairs_text(grant.pairs),
            per_day=amounts_text(per_day),
        )
    )


def put_grant(state: State, grant: Grant) -> None:
    """Put a grant into the indexes."""
    name = grant.account.name
    grant.account.grants += 1
    state.grants[name, grant.to] = grant
    state.grant_ends.put((grant.until, name, grant.to), grant)


def _unindex_grant(state: State, grant: Grant) -> None:
    """Remove a grant from the indexes."""
    name = grant.account.name
    grant.account.grants -= 1
    del state.grants[name, grant.to]
    state.grant_ends.discard((grant.until, name, grant.to))


def close_grant(state: State, grant: Grant) -> None:
    """Remove a grant and its timer."""
    _unindex_grant(state, grant)
    timer = state.timers.get((grant.account.name, grant.to))
    if timer is not None:
        drop_timer(state, timer)


def expire_grants(state: State, now: int) -> None:
    """Remove the grants that have ended, without a line (section 3, step 1)."""
    while (key := state.grant_ends.first_key()) is not None and key[0] <= now:
        close_grant(state, state.grant_ends.items[key])


def set_timer(state: State, context: Context, intent: TimerIntent) -> None:
    """Set or disarm the cancel-all timer."""
    account, by = context.account, context.by
    old = state.timers.get((account.name, by))
    if old is not None:
        drop_timer(state, old)
    due = context.now + intent.seconds if intent.seconds else None
    if due is not None:
        put_timer(state, Timer(account, by, due))
    state.write(lines.Timer(account.name, by, due))


def put_timer(state: State, timer: Timer) -> None:
    """Put a timer into the indexes."""
    name = timer.account.name
    state.timers[name, timer.by] = timer
    state.timer_ends.put((timer.due, name, timer.by), timer)


def drop_timer(state: State, timer: Timer) -> None:
    """Remove a timer."""
    name = timer.account.name
    del state.timers[name, timer.by]
    state.timer_ends.discard((timer.due, name, timer.by))


def pairs_text(pairs: frozenset[str]) -> str:
    """The pairs of a grant as its lines write them."""
    return ",".join(sorted(pairs))


def amounts_text(amounts: dict[str, int]) -> str:
    """Amounts by symbol as the lines of a grant write them."""
    return ",".join(f"{symbol}:{units}" for symbol, units in sorted(amounts.items()))
