"""Responses equal the state of the rules after a random flow: book, balances, orders, trades."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from settlement.core.events import BlockHeader, Event
from settlement.core.journal.entries import Traded
from settlement.core.order_book import BookSide, Order, Pair
from settlement.core.parsing.amounts import show_units
from tests.system.api.world import World, block_id

NAMES = ("alice", "bob", "carol", "dave")
QUOTES = {"SWAP.HIVE": "0.01{:02}", "HBD": "0.2{:02}", "SWAP.BTC": "0.000000{:02}"}


def show_price(pair: Pair, ticks: int) -> str:
    return show_units(ticks, pair.price_decimals)


class Flow:
    """A world in which much happened, and all trades as the rules reported them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.trades: list[Traded] = []
        self.orders: dict[str, Order] = {}
        self._chance = random.Random(11)
        tokens = ("PEK", "SWAP.HIVE", "SWAP.BTC", "HBD")
        self._apply([world.deposit(name, token, "5000000") for name in NAMES for token in tokens])
        for _ in range(80):
            self._apply([self._event() for _ in range(6)])

    def _apply(self, events: list[Event]) -> None:
        world = self.world
        world.time += 3
        number = world.rules.next_block()
        effects = world.rules.apply(BlockHeader(number, block_id(number), world.time), events)
        self.trades += [entry for entry in effects.entries if isinstance(entry, Traded)]
        self.orders.update({after.order.id: after.order for after in effects.orders})
        world.projector.record([effects])

    def _event(self) -> Event:
        world, chance = self.world, self._chance
        signer, quote = chance.choice(NAMES), chance.choice(list(QUOTES))
        dice = chance.random()
        if dice < 0.15 and world.rules.state.orders:
            order = chance.choice(list(world.rules.state.orders.values()))
            return world.action(order.account.name, "cancel", id=order.id)
        if dice < 0.25:
            name = chance.choice(("marketBuy", "marketSell"))
            return world.action(signer, name, symbol="PEK", quote=quote, quantity="3000")
        if dice < 0.3:
            return world.action(signer, "withdraw", symbol="PEK", quantity="1.5")
        price = QUOTES[quote].format(chance.randrange(100))
        side, settle = chance.choice(("buy", "sell")), chance.choice(("venue", "venue", "wallet"))
        quantity = str(1000 * chance.randrange(1, 20))
        return world.action(
            signer, side, symbol="PEK", quote=quote, quantity=quantity, price=price, settle=settle
        )


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    world = World(tmp_path_factory.mktemp("flow"))
    yield Flow(world)
    world.close()


@pytest.fixture(scope="module")
def api(flow: Flow) -> FlaskClient:
    return flow.world.client()


def everything(api: FlaskClient, path: str, name: str) -> list[dict[str, Any]]:
    """A list, page by page."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        body = api.get(f"{path}&limit=37{cursor}").json
        rows += body[name]
        if body["next_cursor"] is None:
            return rows
        cursor = f"&cursor={body['next_cursor']}"


def levels(side: BookSide, price_decimals: int, precision: int) -> list[tuple[str, str, int]]:
    return [
        (show_units(level.price, price_decimals), show_units(level.remaining, precision), level.count)
        for level in side.levels.ascending()
    ]


@pytest.mark.parametrize("quote", QUOTES)
def test_book(flow: Flow, api: FlaskClient, quote: str) -> None:
    body = api.get(f"/api/orderbook?base=PEK&quote={quote}&depth=500").json
    pair = flow.world.rules.state.pairs["PEK", quote]
    assert body["block"] == flow.world.block
    for name, side in (("bids", pair.bids), ("asks", pair.asks)):
        shown = [(level["price"], level["amount"], level["orders"]) for level in body[name]]
        assert shown == levels(side, pair.price_decimals, pair.base.precision)
        for level, row in zip(side.levels.ascending(), body[name], strict=True):
            assert row["total"] == show_units(pair.value(level.price, level.remaining), pair.quote.precision)
    assert body["bids"] or body["asks"]


@pytest.mark.parametrize("quote", QUOTES)
def test_depth_takes_the_best_levels(api: FlaskClient, quote: str) -> None:
    path = f"/api/orderbook?base=PEK&quote={quote}&depth="
    whole, best = api.get(f"{path}500").json, api.get(f"{path}2").json
    assert best["bids"] == whole["bids"][:2]
    assert best["asks"] == whole["asks"][:2]


@pytest.mark.parametrize("name", NAMES)
def test_balances(flow: Flow, api: FlaskClient, name: str) -> None:
    state = flow.world.rules.state
    body = api.get(f"/api/balances?user={name}").json
    expected = []
    for symbol, wallet in sorted(state.accounts[name].balances.items()):
        *held, _ = wallet.buckets
        if any(held):
            texts = [show_units(units, state.tokens[symbol].precision) for units in (*held, sum(held))]
            expected.append(
                dict(
                    zip(
                        ("symbol", "available", "locked", "withdrawing", "total"),
                        (symbol, *texts),
                        strict=True,
                    )
                )
            )
    assert body["balances"] == expected
    assert expected


def test_orders(flow: Flow, api: FlaskClient) -> None:
    """Every order there ever was, newest first, with the values that the rules last gave it."""
    shown = everything(api, "/api/orders?", "orders")
    assert [row["seq"] for row in shown] == list(range(flow.world.rules.state.last_seq, 0, -1))
    for row in shown:
        order = flow.orders[row["id"]]
        pair = order.pair
        gives, gets = (pair.quote, pair.base) if order.is_buy else (pair.base, pair.quote)
        quantity = pair.quote if order.market and order.is_buy else pair.base
        assert row["user"] == order.account.name
        assert (row["base"], row["quote"]) == (pair.base.symbol, pair.quote.symbol)
        assert row["side"] == ("buy" if order.is_buy else "sell")
        assert row["type"] == ("market" if order.market else "limit")
        assert row["status"] == order.status
        assert row["price"] == (None if order.price is None else show_price(pair, order.price))
        assert row["quantity_symbol"] == quantity.symbol
        assert row["quantity"] == show_units(order.quantity, quantity.precision)
        assert row["remaining"] == show_units(order.remaining, quantity.precision)
        assert (row["gives"], row["locked"]) == (gives.symbol, show_units(order.locked, gives.precision))
        assert row["released"] == show_units(order.released, gives.precision)
        assert (row["gets"], row["received"]) == (gets.symbol, show_units(order.received, gets.precision))
        assert row["settle"] == ("wallet" if order.to_wallet else "venue")
        assert (row["closed_block"] is None) == (order.status == "open")


def test_open_orders_are_those_of_the_rules(flow: Flow, api: FlaskClient) -> None:
    state = flow.world.rules.state
    for name in NAMES:
        shown = everything(api, f"/api/orders?user={name}&status=open", "orders")
        mine = sorted(state.accounts[name].orders.values(), key=lambda order: -order.seq)
        assert [row["id"] for row in shown] == [order.id for order in mine]


@pytest.mark.parametrize("quote", QUOTES)
def test_history(flow: Flow, api: FlaskClient, quote: str) -> None:
    shown = everything(api, f"/api/history?base=PEK&quote={quote}", "trades")
    done = [trade for trade in reversed(flow.trades) if trade.taker.pair.quote.symbol == quote]
    assert [row["id"] for row in shown] == [trade.n for trade in done]
    assert shown
    for row, trade in zip(shown, done, strict=True):
        pair = trade.taker.pair
        assert row["price"] == show_price(pair, trade.price)
        assert row["amount"] == show_units(trade.quantity, pair.base.precision)
        assert row["quote_amount"] == show_units(trade.quote_amount, pair.quote.precision)
        assert row["taker_side"] == ("buy" if trade.taker.is_buy else "sell")
        assert (row["taker_order"], row["maker_order"]) == (trade.taker.id, trade.maker.id)
        assert row["buyer_fee"] == show_units(trade.buyer_fee, pair.base.precision)
        assert row["seller_fee"] == show_units(trade.seller_fee, pair.quote.precision)


def test_one_order_with_its_trades_and_journal(flow: Flow, api: FlaskClient) -> None:
    """For every order: its trades, and exactly those lines of the whole journal that name it."""
    with flow.world.engine.connect() as connection:
        text = connection.exec_driver_sql("SELECT lines FROM journal ORDER BY block").scalars()
        lines = [line for block in text for line in block.splitlines()]
    for order in flow.orders.values():
        body = api.get(f"/api/orders/{order.id}").json
        trades = [trade.n for trade in reversed(flow.trades) if order in (trade.taker, trade.maker)]
        assert [row["id"] for row in body["trades"]] == trades
        assert body["order"]["id"] == order.id
        about = [line for line in lines if order.id in line and not line.startswith("operator")]
        assert [row["line"] for row in body["journal"]] == about


def test_pairs_and_price(flow: Flow, api: FlaskClient) -> None:
    for row in api.get("/api/pairs").json["pairs"]:
        pair = flow.world.rules.state.pairs[row["base"], row["quote"]]
        bid, ask = pair.bids.best(), pair.asks.best()
        done = [trade for trade in flow.trades if trade.taker.pair is pair]
        assert row["best_bid"] == (bid and show_price(pair, bid.price))
        assert row["best_ask"] == (ask and show_price(pair, ask.price))
        assert row["last_price"] == show_price(pair, done[-1].price)
        assert row["high_24h"] == show_price(pair, max(trade.price for trade in done))
        assert row["low_24h"] == show_price(pair, min(trade.price for trade in done))
        assert row["trades_24h"] == len(done)
        volume = show_units(sum(trade.quote_amount for trade in done), pair.quote.precision)
        assert row["quote_volume_24h"] == volume
        price = api.get(f"/api/price?base={pair.base.symbol}&quote={pair.quote.symbol}").json
        assert (price["last"], price["bid"], price["ask"]) == (
            row["last_price"],
            row["best_bid"],
            row["best_ask"],
        )
        if bid and ask:
            assert price["spread"] == show_price(pair, ask.price - bid.price)
            assert price["mid"] == show_units((ask.price + bid.price) * 5, pair.price_decimals + 1)


def test_health_names_the_state(flow: Flow, api: FlaskClient) -> None:
    state, body = flow.world.rules.state, api.get("/api/health").json
    assert (body["journal_hash"], body["venue_hash"]) == (state.journal_hash, state.venue_hash)
    assert body["last_trade"]["id"] == state.last_trade
    assert body["block"] == state.header.number
