"""Responses after a random flow equal what the journal and the state text say: book, balances, orders, trades."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.system.api.past_world import (
    NAMES,
    PRECISION,
    PRICE_DECIMALS,
    QUOTES,
    Journal,
    PastWorld,
    Placed,
    StateText,
    everything,
    show,
)


@pytest.fixture(scope="module")
def flow(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PastWorld]:
    flow = PastWorld(tmp_path_factory.mktemp("flow"), seed=11)
    yield flow
    flow.world.close()


@pytest.fixture(scope="module")
def api(flow: PastWorld) -> ApiClient:
    return flow.world.client()


@pytest.fixture(scope="module")
def told(api: ApiClient) -> Journal:
    return Journal(api.get("/api/journal").text)


@pytest.fixture(scope="module")
def state(flow: PastWorld) -> StateText:
    return flow.state(None)


@pytest.mark.parametrize("quote", QUOTES)
def test_book(flow: PastWorld, api: ApiClient, state: StateText, quote: str) -> None:
    body = api.get(f"/api/orderbook?base=PEK&quote={quote}&depth=500").json
    assert body["block"] == flow.world.block
    for name, side in (("bids", "buy"), ("asks", "sell")):
        expected = state.book(f"PEK/{quote}", side)
        assert [(level["price"], level["amount"], level["orders"]) for level in body[name]] == [
            (show(price, PRICE_DECIMALS[quote]), show(remaining, 8), count)
            for price, remaining, count in expected
        ]
        for (price, remaining, _), row in zip(expected, body[name], strict=True):
            total = price * remaining * 10 ** PRECISION[quote] // 10 ** (PRICE_DECIMALS[quote] + 8)
            assert row["total"] == show(total, PRECISION[quote])
    assert body["bids"] or body["asks"]


@pytest.mark.parametrize("quote", QUOTES)
def test_depth_takes_the_best_levels(api: ApiClient, quote: str) -> None:
    path = f"/api/orderbook?base=PEK&quote={quote}&depth="
    whole, best = api.get(f"{path}500").json, api.get(f"{path}2").json
    assert best["bids"] == whole["bids"][:2]
    assert best["asks"] == whole["asks"][:2]


@pytest.mark.parametrize("name", NAMES)
def test_balances(api: ApiClient, state: StateText, name: str) -> None:
    shown = api.get(f"/api/balances?user={name}").json["balances"]
    expected = []
    for symbol, held in sorted(state.balances[name].items()):
        texts = [show(units, PRECISION[symbol]) for units in (*held, sum(held))]
        labels = ("available", "locked", "withdrawing", "total")
        expected.append({"symbol": symbol, **dict(zip(labels, texts, strict=True))})
    assert shown == expected
    assert expected


def test_orders(api: ApiClient, told: Journal) -> None:
    """Every order and stop there ever was, newest first, with the values that follow from the journal."""
    shown = everything(api, "/api/orders?", "orders")
    assert [row["seq"] for row in shown] == [order.seq for order in reversed(told.placed)]
    fired = 0
    for row, order in zip(shown, reversed(told.placed), strict=True):
        check_order(row, order)
        fired += order.fired is not None
    assert {order.status for order in told.placed} >= {"open", "waiting", "filled", "cancelled", "triggered"}
    assert fired >= 2


def check_order(row: dict[str, Any], order: Placed) -> None:
    quote = order.pair.split("/")[1]
    quote_decimals, is_buy = PRECISION[quote], order.side == "buy"
    gives, gets = (quote_decimals, 8) if is_buy else (8, quote_decimals)
    counted = quote_decimals if order.type == "market" and is_buy else 8
    assert {name: row[name] for name in ("id", "user", "side", "type", "status", "settle")} == {
        "id": order.id,
        "user": order.account,
        "side": order.side,
        "type": order.type,
        "status": order.status,
        "settle": order.settle,
    }
    assert (row["base"], row["quote"]) == ("PEK", quote)
    assert row["price"] == (None if order.price is None else show(order.price, PRICE_DECIMALS[quote]))
    assert row["quantity_symbol"] == (quote if order.type == "market" and is_buy else "PEK")
    assert row["quantity"] == show(order.quantity, counted)
    assert row["remaining"] == show(order.remaining, counted)
    assert row["locked"] == show(order.locked, gives)
    assert row["released"] == show(order.released, gives)
    assert row["received"] == show(order.received, gets)
    assert row["fees"] == show(order.fees, gets)
    assert row["block"] == order.block
    assert row["closed_block"] == order.closed
    assert (row["trigger_price"] is not None) == order.is_stop
    if order.fired is None:
        assert row["fired"] is None
    else:
        assert order.fired in (row["fired"]["order"], row["fired"]["code"])


def test_average_prices(api: ApiClient, told: Journal) -> None:
    """Quote per base over all trades of an order, with four decimals more than a price, half up."""
    shown = {row["seq"]: row for row in everything(api, "/api/orders?", "orders")}
    traded = [order for order in told.placed if order.base]
    assert len(traded) > 20
    for order in traded:
        quote = order.pair.split("/")[1]
        decimals = PRICE_DECIMALS[quote] + 4
        top = order.quote * 10 ** (8 + decimals - PRECISION[quote])
        average = (2 * top + order.base) // (2 * order.base)
        assert shown[order.seq]["average_price"] == show(average, decimals)
    assert all(shown[order.seq]["average_price"] is None for order in told.placed if not order.base)


def test_unclosed_orders_and_stops(api: ApiClient, state: StateText) -> None:
    for name in NAMES:
        for status, rows in (("open", state.orders), ("waiting", state.stops)):
            shown = everything(api, f"/api/orders?user={name}&status={status}", "orders")
            assert [row["id"] for row in shown] == [
                id_ for _, id_, user, *_ in reversed(rows) if user == name
            ]
    assert state.stops


@pytest.mark.parametrize("quote", QUOTES)
def test_history(api: ApiClient, told: Journal, quote: str) -> None:
    shown = everything(api, f"/api/history?base=PEK&quote={quote}", "trades")
    done = [trade for trade in reversed(told.trades) if trade.pair == f"PEK/{quote}"]
    assert [row["id"] for row in shown] == [trade.n for trade in done]
    assert shown
    sides = {order.id: order.side for order in told.placed}
    for row, trade in zip(shown, done, strict=True):
        assert row["price"] == show(trade.price, PRICE_DECIMALS[quote])
        assert row["amount"] == show(trade.quantity, 8)
        assert row["quote_amount"] == show(trade.quote_amount, PRECISION[quote])
        assert row["taker_side"] == sides[trade.taker]
        assert (row["taker_order"], row["maker_order"]) == (trade.taker, trade.maker)
        assert row["buyer_fee"] == show(trade.buyer_fee, 8)
        assert row["seller_fee"] == show(trade.seller_fee, PRECISION[quote])


ID_FIELDS = {
    "trade": (1, 2),
    **dict.fromkeys(("accept", "order", "stop", "trigger", "close", "expire"), (0,)),
}


def test_one_order_with_its_trades_and_journal(api: ApiClient, told: Journal) -> None:
    """For every id: its trades, and exactly those lines of the whole journal that are about it."""
    for id_ in {order.id for order in told.placed}:
        body = api.get(f"/api/orders/{id_}").json
        trades = [trade.n for trade in reversed(told.trades) if id_ in (trade.taker, trade.maker)]
        assert [row["id"] for row in body["trades"]] == trades
        assert body["order"]["id"] == id_
        about = []
        for block, (kind, *fields) in told.lines:
            is_named = any(fields[place] == id_ for place in ID_FIELDS.get(kind, ()))
            is_settled = kind == "withdraw" and fields[0].startswith(f"{id_}#")
            is_refused = kind == "reject" and fields[0] in (id_, f"{id_}~stop")
            if is_named or is_settled or is_refused:
                about.append({"block": block, "line": " ".join((kind, *fields))})
        assert body["journal"] == about


def test_pairs_and_price(api: ApiClient, told: Journal, state: StateText) -> None:
    for row in api.get("/api/pairs").json["pairs"]:
        quote = row["quote"]
        decimals = PRICE_DECIMALS[quote]
        bids, asks = (state.book(f"PEK/{quote}", side) for side in ("buy", "sell"))
        done = [trade for trade in told.trades if trade.pair == f"PEK/{quote}"]
        assert row["best_bid"] == (show(bids[0][0], decimals) if bids else None)
        assert row["best_ask"] == (show(asks[0][0], decimals) if asks else None)
        assert row["last_price"] == show(done[-1].price, decimals)
        price = api.get(f"/api/price?base=PEK&quote={quote}").json
        assert (price["last"], price["bid"], price["ask"]) == (
            row["last_price"],
            row["best_bid"],
            row["best_ask"],
        )
        if bids and asks:
            assert price["spread"] == show(asks[0][0] - bids[0][0], decimals)
            assert price["mid"] == show((asks[0][0] + bids[0][0]) * 5, decimals + 1)


def test_statistics_of_the_last_day(flow: PastWorld, api: ApiClient, told: Journal) -> None:
    """1,440 whole minutes of block time, that of the newest block included."""
    since = flow.world.time // 60 * 60 + 60 - 86_400
    for row in api.get("/api/pairs").json["pairs"]:
        quote, decimals = row["quote"], PRICE_DECIMALS[row["quote"]]
        day = [each for each in told.trades if each.pair == f"PEK/{quote}" and each.timestamp >= since]
        prices = [trade.price for trade in day]
        assert row["trades_24h"] == len(day)
        assert row["quote_volume_24h"] == show(sum(trade.quote_amount for trade in day), PRECISION[quote])
        assert row["base_volume_24h"] == show(sum(trade.quantity for trade in day), 8)
        assert row["high_24h"] == (show(max(prices), decimals) if prices else None)
        assert row["low_24h"] == (show(min(prices), decimals) if prices else None)


def test_health_names_the_state(flow: PastWorld, api: ApiClient) -> None:
    state, body = flow.world.rules.state, api.get("/api/health").json
    assert (body["journal_hash"], body["venue_hash"]) == (state.journal_hash, state.venue_hash)
    assert body["last_trade"]["id"] == state.last_trade
    assert body["block"] == flow.world.block
