"""Typed readings of the API and its stream: every model against a real answer, paging, ETags, patience, resuming."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import requests

from peakedex.client import Api, ApiError, ConnectionFailed, InputError, LiveBook, stream
from tests.support.answering import Answer, answering
from tests.support.ports import free_port
from tests.system.client.exchange import PAIR, Exchange


def test_every_reading_of_a_market(exchange: Exchange) -> None:
    maker, taker = exchange.account(), exchange.account()
    for number in range(5):
        exchange.act(maker, "sell", symbol="PEK", quote="SWAP.HIVE", quantity="10", price=f"0.{41 + number}")
    exchange.steps(2)
    exchange.act(taker, "buy", symbol="PEK", quote="SWAP.HIVE", quantity="15", price="0.42")
    exchange.steps(2)
    api = exchange.api()
    venue = api.venue()
    rules = venue.pair("PEK", "SWAP.HIVE")
    assert rules is not None
    assert (rules.tick, rules.lot) == (Decimal("0.000001"), Decimal("0.01"))
    assert {pair.name for pair in api.pairs()} == {pair.name for pair in venue.pairs}
    book = api.order_book(PAIR, depth=2)
    best = book.asks[0]
    assert (best.price, best.amount) == (Decimal("0.42"), Decimal(5))
    assert len(book.asks) == 2
    assert api.price(PAIR).last == Decimal("0.42")
    newest, older = api.trades(PAIR, limit=2)
    assert (newest.price, older.price) == (Decimal("0.42"), Decimal("0.41"))
    assert (newest.taker_side, newest.ts.utcoffset()) == ("buy", older.ts.utcoffset())
    candle = api.candles(PAIR, "1d")[-1]
    assert candle.high >= Decimal("0.42")
    assert candle.volume >= 15
    assert api.balances(taker)["PEK"].total == Decimal(1_000_000) + newest_received(api, taker)
    mine = api.account_trades(taker, pair=PAIR)
    assert [(trade.side, trade.role) for trade in mine] == [("buy", "taker")] * 2
    assert {deposit.status for deposit in api.deposits(taker)} == {"credited"}
    details = api.order(newest.taker_order)
    assert details is not None
    assert (details.order.status, len(details.trades)) == ("filled", 2)
    assert api.order("0" * 40) is None
    assert api.intents("0" * 40) == []
    assert api.grants(taker).given == []
    assert api.timers(taker) == []
    assert api.withdrawals(taker, status="pending") == []
    assert api.health().block == exchange.node.chain.irreversible
    exchange.act(taker, "sell", symbol="PEK", quote="SWAP.HIVE", quantity="10000000000", price="1")
    exchange.steps(2)
    [rejected] = api.rejected_orders(taker)
    assert (rejected.code, rejected.action) == ("E_FUNDS", "sell")


def newest_received(api: Api, account: str) -> Decimal:
    return sum((order.received for order in api.orders(user=account, pair=PAIR)), Decimal(0))


def test_pages_are_read_to_the_end(exchange: Exchange) -> None:
    account = exchange.account()
    for number in range(7):
        exchange.act(account, "sell", symbol="PEK", quote="SWAP.HIVE", quantity="1", price=f"0.9{number}")
        exchange.step()
    exchange.step()
    asked: list[str] = []

    class Small(Api):
        """Pages of three rows, as a filter that scans much has."""

        def _url(self, path: str, **parameters: Any) -> str:
            asked.append(path)
            limit = parameters.get("limit")
            return super()._url(path, **(parameters | {"limit": limit and min(3, limit)}))

    api = Small(exchange.address)
    prices = [str(order.price) for order in api.orders(user=account, limit=None)]
    assert prices == [f"0.9{number}0000" for number in reversed(range(7))]
    assert len(asked) == 3
    assert len(api.orders(user=account, limit=4)) == 4


def test_what_is_held_is_not_sent_again(exchange: Exchange) -> None:
    api = exchange.api()
    first = api.order_book(PAIR)
    before = not_modified(exchange)
    assert api.order_book(PAIR) == first
    assert not_modified(exchange) - before == 1
    exchange.step()
    assert api.order_book(PAIR).block == first.block + 1


def not_modified(exchange: Exchange) -> int:
    text = requests.get(f"{exchange.address}/metrics", timeout=30).text
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in text.splitlines()
        if line.startswith("peakedex_http_requests_total{") and 'status="304"' in line
    )


def test_errors_are_typed_and_one_line(exchange: Exchange) -> None:
    api = exchange.api()
    with pytest.raises(ApiError) as raised:
        api.order_book("PEK/DOGE")
    assert (raised.value.status, raised.value.code) == (404, "E_PAIR")
    with pytest.raises(ApiError, match="depth must be a whole number from 1 to 500"):
        api.order_book(PAIR, depth=0)
    with pytest.raises(InputError, match="'PEK' is not a pair"):
        api.order_book("PEK")
    with pytest.raises(InputError, match="rejected_orders"):
        api.orders(user="alice", status="rejected")
    pauses: list[float] = []
    with pytest.raises(ConnectionFailed, match="no connection"):
        Api(f"http://127.0.0.1:{free_port()}", sleep=pauses.append).venue()
    assert pauses == [1.0, 2.0, 4.0]
    with pytest.raises(ConnectionFailed, match="Invalid URL"):
        Api("dex.example.org", sleep=pauses.append).venue()


def test_a_busy_server_is_asked_again_when_it_says(exchange: Exchange) -> None:
    health = requests.get(f"{exchange.address}/api/health", timeout=30).content
    pauses: list[float] = []
    busy = json.dumps({"error": "Too many requests.", "code": "E_TOO_MANY"}).encode()
    with answering((429, {"Retry-After": "7"}, busy), (502, {}, b"<html>"), (200, {}, health)) as address:
        assert Api(address, sleep=pauses.append).health().network == "devnet"
    assert pauses == [7.0, 2.0]
    page: Answer = (200, {}, b"<html>not ours</html>")
    with answering(page) as address, pytest.raises(ApiError, match="not an answer of a Peake DEX"):
        Api(address).venue()


# -- the stream ---------------------------------------------------------------------------------------


def test_a_book_follows_the_stream_and_resumes_without_a_gap(exchange: Exchange) -> None:
    account = exchange.account()
    live = LiveBook(PAIR)
    topics = [f"book:{PAIR}", f"account:{account}"]
    events = stream(exchange.address, topics, sleep=lambda _: None)
    live.apply(next(events))
    orders: list[str] = []
    for number in range(6):
        exchange.act(account, "buy", symbol="PEK", quote="SWAP.HIVE", quantity="2", price=f"0.00{number + 1}")
        exchange.steps(2)
        if number == 3:
            exchange.cut_streams()
            exchange.act(account, "cancelAll")  # while the client is away
            exchange.steps(2)
        wanted = exchange.api().order_book(PAIR, depth=500)
        for event in events:
            assert event.kind != "reset"
            live.apply(event)
            orders += [order.id for each in event.accounts for order in each.orders if order.is_open]
            mine = live.snapshot(500)
            if (mine.bids, mine.asks) == (wanted.bids, wanted.asks):
                break
    assert len(set(orders)) == 6
    events.close()


def test_a_stream_that_cannot_resume_starts_over(exchange: Exchange) -> None:
    events = stream(exchange.address, [f"book:{PAIR}"], last_id="1-00000000")
    assert [next(events).kind for _ in range(2)] == ["reset", "snapshot"]
    events.close()
    with pytest.raises(ApiError) as raised:
        next(stream(exchange.address, ["books"]))
    assert raised.value.status == 400


def test_a_gap_in_the_changes_starts_over() -> None:
    def body(*events: tuple[str, dict[str, Any]]) -> bytes:
        return b"".join(
            f"event: {name}\nid: {data['seq']}-0\ndata: {json.dumps(data)}\n\n".encode()
            for name, data in events
        )

    snapshot: dict[str, Any] = {"seq": 5, "block": 9, "ts": None, "books": []}
    lost = {"seq": 7, "prev": 6, "block": 11, "ts": None}
    answers: list[Answer] = [
        (200, {}, body(("snapshot", snapshot), ("change", lost))),
        (200, {}, body(("snapshot", snapshot))),
    ]
    with answering(*answers) as address:
        events = stream(address, ["book"], sleep=lambda _: None)
        assert [next(events).kind for _ in range(3)] == ["snapshot", "reset", "snapshot"]
        events.close()
