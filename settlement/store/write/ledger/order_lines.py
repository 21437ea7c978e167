"""Lines of intents, orders, stops and trades."""

from __future__ import annotations

from typing import Final

from settlement.core.accounts import AVAILABLE, LOCKED
from settlement.core.journal import lines, state_lines
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store.write.ledger.block_facts import BlockFacts
from settlement.store.write.ledger.ledger import Ledger, LedgerError, change_level
from settlement.store.write.ledger.views import IntentView, OrderView, StopTerms

DAY_SECONDS: Final = 86_400


def accept(ledger: Ledger, line: lines.Accept, facts: BlockFacts) -> None:
    ident, account, by, action, ref = line
    intent = IntentView(ledger.next("intents"), ident, account, by, action, None, ref)
    facts.intents.append(intent)
    ledger.accepted, ledger.replaced, ledger.firing = intent, None, None


def reject(ledger: Ledger, line: lines.Reject, facts: BlockFacts) -> None:
    """A rejected action, or the rejected order of what a `trigger` line named."""
    firing, ledger.firing = ledger.firing, None
    if firing is not None and line.id in (firing.id, f"{firing.id}~stop"):
        firing.fired_code = line.code
        return
    ident, account, action, ref, code = line
    facts.intents.append(IntentView(ledger.next("intents"), ident, account, None, action, code, ref))


def order(ledger: Ledger, line: lines.Order, facts: BlockFacts) -> None:
    ident, seq, name, pair_name, side, kind, price, quantity, expiry, maker_fee, taker_fee = line[:11]
    pair, account = ledger.pairs[pair_name], ledger.number_of(name)
    view = OrderView(
        seq,
        ident,
        account,
        pair,
        ledger.balances_of(account, pair),
        side == "buy",
        kind == "market",
        price,
        quantity,
        expiry,
        maker_fee,
        taker_fee,
        line.settle == "wallet",
        line.stop_price,
        line.stop_limit,
        None,
    )
    _lock(ledger, view, facts)
    if ledger.tracks_levels and not view.market:
        _change_level(view, view.remaining, 1, facts)
    replaced, ledger.replaced = ledger.replaced, None
    if replaced is not None and view.to_wallet:
        view.received = replaced.received
    accepted = ledger.accepted
    if accepted is not None and accepted.by != "active" and accepted.seq == view.seq:
        _count_grant(ledger, view, replaced, str(accepted.by), facts)


def stop(ledger: Ledger, line: lines.Stop, facts: BlockFacts) -> None:
    _lock(ledger, open_stop(ledger, line), facts)


def open_stop(ledger: Ledger, line: lines.Stop | state_lines.Stop) -> OrderView:
    """A stop out of its line; what it gives is not locked yet."""
    pair, account = ledger.pairs[line.pair], ledger.number_of(line.account)
    return OrderView(
        seq=line.seq,
        id=line.id,
        account=account,
        pair=pair,
        balances=ledger.balances_of(account, pair),
        is_buy=line.side == "buy",
        market=line.type == "market",
        price=line.price,
        quantity=line.quantity,
        expiry=line.expiry,
        maker_fee_bps=None,
        taker_fee_bps=line.taker_fee_bps,
        to_wallet=False,
        stop_price=None,
        stop_limit=None,
        stop=StopTerms(line.trigger_price, line.when == "above", line.time_in_force, line.post is not None),
    )


def _lock(ledger: Ledger, view: OrderView, facts: BlockFacts) -> None:
    """Note by which intent an order or stop was placed, and lock what it gives."""
    firing, accepted = ledger.firing, ledger.accepted
    if firing is not None:
        ledger.firing = None
        view.intent = firing.intent
        firing.fired_seq = view.seq
    elif accepted is not None:
        view.intent = accepted.n
        accepted.seq = view.seq
    view.block = facts.number
    ledger.last_seq = view.seq
    ledger.orders[view.id] = view
    facts.orders[view.seq] = view
    ledger.transfer(facts, view.gives, AVAILABLE, view.gives, LOCKED, view.locked)


def _change_level(view: OrderView, units: int, orders: int, facts: BlockFacts) -> None:
    before = change_level(view, units, orders)
    assert view.price is not None
    facts.levels.setdefault((view.pair, view.is_buy, view.price), before)


def trigger(ledger: Ledger, line: lines.Trigger, facts: BlockFacts) -> None:
    view = ledger.orders[line.id]
    pair = view.pair.line.pair
    ledger.fired[pair] = ledger.fired.get(pair, 0) + 1
    ledger.forget_context()
    ledger.firing = view
    facts.orders[view.seq] = view


def trade(ledger: Ledger, line: lines.Trade, facts: BlockFacts) -> None:
    taker, maker = ledger.orders[line.taker], ledger.orders[line.maker]
    buyer, seller = (taker, maker) if taker.is_buy else (maker, taker)
    pair, quantity, quote_amount = taker.pair, line.quantity, line.quote_amount
    _pay(ledger, buyer, seller, quote_amount, line.seller_fee, facts)
    _pay(ledger, seller, buyer, quantity, line.buyer_fee, facts)
    seller.remaining -= quantity
    if buyer.market:
        buyer.remaining -= quote_amount
    else:
        buyer.remaining -= quantity
        limit = buyer.price
        assert limit is not None
        if limit != line.price:
            _release(ledger, buyer, pair.value(limit, quantity) - quote_amount, facts)
    for view in (taker, maker):
        view.traded_base = min(view.traded_base + quantity, MAX_UNITS)
        view.traded_quote = min(view.traded_quote + quote_amount, MAX_UNITS)
        facts.orders[view.seq] = view
        if ledger.tracks_levels and not view.market:
            _change_level(view, -quantity, 0, facts)
    if taker.account != maker.account:
        price = maker.price
        assert price is not None
        pair.mark.add(facts.number, quantity, pair.value(price, quantity))
    ledger.last_trade = line.n
    facts.trades.append((line, taker, maker))


def _pay(
    ledger: Ledger, payer: OrderView, payee: OrderView, amount: int, fee: int, facts: BlockFacts
) -> None:
    """One side of a trade: the payee gets the amount less its fee, the fee account the fee."""
    gives = payer.gives
    payer.locked -= amount
    payee.received = min(payee.received + amount - fee, MAX_UNITS)
    ledger.transfer(facts, gives, LOCKED, payee.gets, AVAILABLE, amount - fee)
    if fee:
        payee.fees = min(payee.fees + fee, MAX_UNITS)
        ledger.transfer(facts, gives, LOCKED, ledger.fees(gives.token), AVAILABLE, fee)


def _release(ledger: Ledger, view: OrderView, amount: int, facts: BlockFacts) -> None:
    if amount:
        view.locked -= amount
        view.released = min(view.released + amount, MAX_UNITS)
        ledger.transfer(facts, view.gives, LOCKED, view.gives, AVAILABLE, amount)


def close(ledger: Ledger, line: lines.Close, facts: BlockFacts) -> None:
    view, released = ledger.orders.pop(line.id), line.released
    if view.locked != released:
        raise LedgerError(f"block {facts.number}: {line.id} locks {view.locked}, but releases {released}")
    accepted = ledger.accepted
    if (
        ledger.firing is None
        and accepted is not None
        and accepted.action == "replace"
        and accepted.seq is None
    ):
        ledger.replaced, ledger.replaced_lock = view, released
    if ledger.tracks_levels and not view.market and not view.is_stop:
        _change_level(view, -view.remaining, -1, facts)
    _release(ledger, view, released, facts)
    view.status = line.status
    facts.orders[view.seq] = view


def _count_grant(
    ledger: Ledger, view: OrderView, replaced: OrderView | None, to: str, facts: BlockFacts
) -> None:
    """Count an order that was placed under a grant against its allowance (section 6)."""
    grant = ledger.grants[ledger.names[view.account], to]
    counted = view.locked
    if replaced is not None:
        price, old_price = view.price, replaced.price
        assert price is not None
        assert old_price is not None
        is_worse = price > old_price if view.is_buy else price < old_price
        counted = counted if is_worse else max(0, counted - ledger.replaced_lock)
    if counted:
        day = facts.header.timestamp // DAY_SECONDS
        if grant.day != day:
            grant.day, grant.used = day, {}
        symbol = view.gives.token.line.symbol
        grant.used[symbol] = grant.used.get(symbol, 0) + counted
        facts.grants_used[grant.n] = grant


def expire(ledger: Ledger, line: lines.Expire, facts: BlockFacts) -> None:
    ledger.forget_context()
