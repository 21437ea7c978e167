"""Orders and stops until they are open: place, replace, enter the book (protocol, sections 5 and 7).

Each function that decides returns the code of a rejection, in which case it has changed nothing, or None.
"""

from __future__ import annotations

from settlement.core.accounts import AVAILABLE, LOCKED
from settlement.core.codes import Code
from settlement.core.journal import lines
from settlement.core.journal.lines import order_text
from settlement.core.parsing.amounts import MAX_UNITS, to_units
from settlement.core.parsing.intents import OrderIntent, ProtectiveStop, ReplaceIntent
from settlement.core.state import InvariantError, State
from settlement.core.trading.closing import close, close_unsettled
from settlement.core.trading.context import Context, accept
from settlement.core.trading.grants import check_limits, count, may_touch
from settlement.core.trading.matching import FOK_ORDERS, match_order, preview_match
from settlement.core.trading.order_book import Order, Pair, Stop


def place(state: State, context: Context, intent: OrderIntent) -> Code | None:
    """Decide a new order or stop by the checks of section 5 from 5 on, and carry it out."""
    pair = state.pairs.get(f"{intent.symbol}/{intent.quote}")
    if pair is None:
        return Code.E_PAIR
    lifetime = state.venue.order_lifetime
    if intent.expiration is not None and intent.expiration < lifetime:
        lifetime = intent.expiration
    trigger, trigger_price = intent.trigger, None
    if trigger is not None:
        trigger_price = to_units(trigger.price, pair.price_decimals)
    order = _draft(context, pair, intent, context.now + lifetime, trigger_price)
    if isinstance(order, Code):
        return order
    if intent.max_fee_bps is not None and intent.max_fee_bps < pair.taker_fee_bps:
        return Code.E_FEE
    if context.grant is not None:
        code = check_limits(context.grant, order, order.locked, context.now)
        if code is not None:
            return code
    counts = trigger is not None or (not order.market and order.time_in_force == "GTC")
    if counts and len(order.account.orders) >= state.max_open_orders:
        return Code.E_LIMIT
    if trigger is not None:
        assert trigger_price is not None  # else there is no draft
        if pair.is_reached(trigger_price, above=trigger.above):
            return Code.E_TRIGGER
    code = last_checks(order, available=order.gives.available, waits=trigger is not None)
    if code is not None:
        return code
    accept(state, context, intent.action)
    if context.grant is not None:
        count(context.grant, order.gives.symbol, order.locked, context.now)
    if trigger is None:
        enter(state, order, context.block)
    else:
        assert trigger_price is not None
        _open_stop(state, order, above=trigger.above, trigger_price=trigger_price)
    return None


def _draft(
    context: Context, pair: Pair, intent: OrderIntent, expiry: int, trigger_price: int | None = None
) -> Order | Code:
    """The order of an intent after status, precision and range (section 5, checks 5 and 6).

    `locked` is what it would lock (section 7); nothing is locked yet. `trigger_price` is in ticks: None
    without a trigger, and for one with too many decimals.
    """
    if pair.status != "active":
        return Code.E_PAUSED
    is_buy, market, price = intent.is_buy, intent.market, None
    is_budget = market and is_buy
    quantity = to_units(intent.quantity, (pair.quote if is_budget else pair.base).precision)
    if quantity is None or (not is_budget and quantity % pair.lot_units):
        return Code.E_PRECISION
    if intent.price is not None:
        price = to_units(intent.price, pair.price_decimals)
        if price is None:
            return Code.E_PRECISION
    trigger, protective, stop_price, stop_limit = intent.trigger, intent.protective_stop, None, None
    if trigger is not None or protective is not None:  # few orders, and none has both
        ticks = [trigger_price]
        if protective is not None:
            stop_price, stop_limit = ticks = _protective_ticks(pair, protective)
        if None in ticks:
            return Code.E_PRECISION
        if max(tick or 0 for tick in ticks) > MAX_UNITS:
            return Code.E_RANGE
    if quantity > MAX_UNITS or (price is not None and price > MAX_UNITS):
        return Code.E_RANGE
    order = Order(  # by position, which takes a third less time
        context.id,
        context.account,
        pair,
        is_buy,
        market,
        price,
        quantity,
        None if market and trigger is None else expiry,
        intent.to_wallet,
        stop_price,
        stop_limit,
        intent.time_in_force,
        intent.post_only,
    )
    if market:
        order.locked = quantity
        return order
    assert price is not None
    value = pair.value(price, quantity)
    order.locked = value if is_buy else quantity
    return order if value <= MAX_UNITS else Code.E_RANGE


def _protective_ticks(pair: Pair, protective: ProtectiveStop) -> list[int | None]:
    """Trigger and worst price of a protective stop; None for one with too many decimals."""
    return [to_units(price, pair.price_decimals) for price in protective]


def last_checks(order: Order, *, available: int, waits: bool) -> Code | None:
    """Checks 9 to 11: protective stop, funds, and the book, unless the order waits for a trigger."""
    if order.stop_price is not None and order.pair.is_reached(order.stop_price, above=order.is_buy):
        return Code.E_TRIGGER
    if order.locked > available:
        return Code.E_FUNDS
    return None if waits else _check_book(order)


def _check_book(order: Order) -> Code | None:
    """The checks that depend on the book, in their order. Most orders need no preview."""
    fill_or_kill = order.time_in_force == "FOK"
    must_fill = order.market or order.time_in_force == "IOC"
    stops_at_own = order.pair.self_trade == "cancel_incoming"
    if not (order.post_only or fill_or_kill or must_fill or stops_at_own):
        return None
    ahead = preview_match(
        order,
        enough=order.quantity if fill_or_kill else 1,
        most_orders=FOK_ORDERS if fill_or_kill else None,
    )
    if order.post_only and (ahead.tradable or ahead.self_trade_first):
        return Code.E_POST_ONLY
    if fill_or_kill and ahead.tradable < order.quantity:
        return Code.E_FOK
    if ahead.self_trade_first:
        return Code.E_SELF_TRADE
    if must_fill and not ahead.tradable:
        return Code.E_NO_LIQUIDITY
    return None


def enter(state: State, order: Order, block: int) -> None:
    """Lock, match, then rest or close: nothing can reject the order any more."""
    pair = order.pair
    order.seq = _next_seq(state)
    order.taker_fee_bps = pair.taker_fee_bps
    order.maker_fee_bps = pair.maker_fee_bps
    state.transfer(order.gives, AVAILABLE, order.gives, LOCKED, order.locked)
    state.changes.locks[order.seq] = order
    state.changes.journal.append(
        order_text(
            order.id,
            order.seq,
            order.account.name,
            pair.name,
            "buy" if order.is_buy else "sell",
            "market" if order.market else "limit",
            order.price,
            order.quantity,
            order.expiry,
            None if order.market else order.maker_fee_bps,
            order.taker_fee_bps,
            "wallet" if order.to_wallet else "venue",
            order.stop_price,
            order.stop_limit,
        )
    )
    status = match_order(state, order, block)
    if status == "open" and (order.market or order.time_in_force != "GTC"):
        status = "cancelled"
    if status == "open":
        rest(state, order)
    else:
        close(state, order, status)


def _next_seq(state: State) -> int:
    state.last_seq += 1
    return state.last_seq


def _open_stop(state: State, order: Order, *, above: bool, trigger_price: int) -> None:
    """Open the stop of an order that waits for its trigger."""
    pair = order.pair
    assert order.expiry is not None
    stop = Stop(
        id=order.id,
        account=order.account,
        pair=pair,
        is_buy=order.is_buy,
        market=order.market,
        price=order.price,
        quantity=order.quantity,
        expiry=order.expiry,
        above=above,
        trigger_price=trigger_price,
        time_in_force=order.time_in_force,
        post_only=order.post_only,
        taker_fee_bps=pair.taker_fee_bps,
        locked=order.locked,
        seq=_next_seq(state),
    )
    state.transfer(stop.gives, AVAILABLE, stop.gives, LOCKED, stop.locked)
    put_stop(state, stop)
    state.write(
        lines.Stop(
            id=stop.id,
            seq=stop.seq,
            account=stop.account.name,
            pair=pair.name,
            side="buy" if stop.is_buy else "sell",
            type="market" if stop.market else "limit",
            price=stop.price,
            quantity=stop.quantity,
            expiry=stop.expiry,
            taker_fee_bps=stop.taker_fee_bps,
            when="above" if stop.above else "below",
            trigger_price=stop.trigger_price,
            time_in_force=stop.time_in_force,
            post="post" if stop.post_only else None,
        )
    )


def put_stop(state: State, stop: Stop) -> None:
    """Put an open stop into every index."""
    _check_id(state, stop.id)
    state.stops[stop.id] = stop
    stop.account.orders[stop.id] = stop
    state.expiries.put((stop.expiry, stop.seq), stop)
    stop.pair.waiting(stop).add(stop)
    state.changes.locks[stop.seq] = stop


def rest(state: State, order: Order) -> None:
    """Put an open order on the book and into every index."""
    _check_id(state, order.id)
    order.pair.side(order.is_buy).add(order)
    state.orders[order.id] = order
    order.account.orders[order.id] = order
    assert order.expiry is not None
    state.expiries.put((order.expiry, order.seq), order)
    if order.stop_price is not None:
        order.pair.waiting(order).add(order)


def _check_id(state: State, order_id: str) -> None:
    if order_id in state.orders or order_id in state.stops:
        raise InvariantError(f"order {order_id} is open already: no chain has one id twice")


def replace(state: State, context: Context, intent: ReplaceIntent) -> Code | None:
    """Cancel and place anew as one step; where the new order would be rejected, the old one stays."""
    old = state.orders.get(intent.id)
    if old is None:
        return Code.E_NOT_FOUND
    if old.account is not context.account:
        return Code.E_OWNER
    if intent.protective_stop is not None and old.to_wallet:
        return Code.E_INPUT
    if context.grant is not None and (old.to_wallet or not may_touch(context.grant, old)):
        return Code.E_GRANT
    pair = old.pair
    expiry = context.now + state.venue.order_lifetime
    order = _draft(context, pair, _replacement(old, intent), expiry)
    if isinstance(order, Code):
        return order
    if intent.max_fee_bps is not None and intent.max_fee_bps < pair.taker_fee_bps:
        return Code.E_FEE
    counted = 0
    if context.grant is not None:
        order.expiry = old.expiry
        counted = _counted_for_replace(old, order)
        code = check_limits(context.grant, order, counted, context.now)
        if code is not None:
            return code
    if len(old.account.orders) - 1 >= state.max_open_orders:
        return Code.E_LIMIT
    code = last_checks(order, available=order.gives.available + old.locked, waits=False)
    if code is not None:
        return code
    accept(state, context, "replace")
    if context.grant is not None:
        count(context.grant, order.gives.symbol, counted, context.now)
    close_unsettled(state, old, "cancelled")
    if old.to_wallet:
        order.received = old.received
    enter(state, order, context.block)
    return None


def _replacement(old: Order, intent: ReplaceIntent) -> OrderIntent:
    """The intent that places an order anew."""
    pair = old.pair
    assert old.price is not None
    protective = intent.protective_stop
    if protective is None and old.stop_price is not None:
        assert old.stop_limit is not None
        protective = ProtectiveStop(
            (old.stop_price, pair.price_decimals), (old.stop_limit, pair.price_decimals)
        )
    wish = OrderIntent(
        symbol=pair.base.symbol,
        quote=pair.quote.symbol,
        is_buy=old.is_buy,
        market=False,
        quantity=intent.quantity or (old.remaining, pair.base.precision),
        price=intent.price or (old.price, pair.price_decimals),
    )
    wish.to_wallet = old.to_wallet
    wish.protective_stop = protective
    return wish


def _counted_for_replace(old: Order, order: Order) -> int:
    """What a replace counts against the allowance (section 6): at a price that is no worse for the account,
    only what it locks beyond the old order's lock.
    """
    assert old.price is not None
    assert order.price is not None
    is_worse = order.price > old.price if order.is_buy else order.price < old.price
    return order.locked if is_worse else max(0, order.locked - old.locked)
