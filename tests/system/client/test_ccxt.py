"""The CCXT class against a whole exchange: what it returns has the shapes that CCXT declares, and it trades.

The package of CCXT ships no tests of an exchange's answers, so each is measured by its TypedDicts.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from ccxt.base import types as unified

from peakedex_ccxt import peakedex
from tests.system.client.exchange import PAIR, Exchange

NUMBERS = (int, float, str, Decimal)


@pytest.fixture
def dex(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = new_dex(exchange, exchange.account(), monkeypatch)
    yield made
    made.close()


def new_dex(exchange: Exchange, account: str, environment: pytest.MonkeyPatch, **options: Any) -> Any:
    environment.setenv("BOT_KEY", exchange.key(account))
    given = {
        "api": exchange.address,
        "nodes": exchange.urls,
        "chainId": "devnet",
        "journal": str(exchange.folder / f"{account}.ccxt.journal"),
        "keyEnv": "BOT_KEY",
        "clientOptions": {"sleep": exchange.step, "resend_seconds": 0.0},
        **options,
    }
    return peakedex({"walletAddress": account, "options": given})


WAIT = {"wait": 300}  # its pauses make blocks


def check(structure: Any, declared: Any, where: str = "") -> None:
    """Every key that CCXT declares is there, with a value of a type that it declares."""
    for key, kind in typing.get_type_hints(declared, include_extras=True).items():
        if typing.get_origin(kind) is typing.NotRequired:
            continue
        assert key in structure or key in ("takeProfitPrice",), f"{where}{declared.__name__}.{key} is missing"
        assert fits(structure.get(key), kind), f"{where}{declared.__name__}.{key}: {structure.get(key)!r}"


def fits(value: Any, kind: Any) -> bool:
    origin = typing.get_origin(kind)
    if kind is Any or (value is None and kind is not list):
        return True
    if origin is typing.Union:
        return any(fits(value, each) for each in typing.get_args(kind))
    if origin is typing.Literal:
        return value in typing.get_args(kind)
    if origin in (list, dict):
        return isinstance(value, origin)
    if typing.is_typeddict(kind):
        check(value, kind)
        return True
    if kind is float:
        return isinstance(value, NUMBERS) and not isinstance(value, bool)
    return isinstance(value, kind) if isinstance(kind, type) else True


def crowd(exchange: Exchange) -> str:
    """Another trader with a book of both sides."""
    other = exchange.account()
    for number in range(3):
        exchange.act(other, "sell", symbol="PEK", quote="SWAP.HIVE", quantity="10", price=f"0.3{number}")
        exchange.act(other, "buy", symbol="PEK", quote="SWAP.HIVE", quantity="10", price=f"0.2{number}")
    exchange.steps(2)
    return other


def cleared(exchange: Exchange, account: str) -> None:
    exchange.act(account, "cancelAll")
    exchange.steps(2)


def test_the_market(exchange: Exchange, dex: Any) -> None:
    other = crowd(exchange)
    markets = dex.load_markets()
    market = markets[PAIR]
    assert (market["precision"], market["taker"]) == ({"amount": 0.01, "price": 0.000001}, 0.002)
    assert market["active"] is True
    assert dex.currencies["PEK"]["limits"]["withdraw"]["min"] > 0
    bought = dex.create_order(PAIR, "limit", "buy", 4, 0.3, WAIT)
    assert bought["status"] == "closed"
    ticker = dex.fetch_ticker(PAIR)
    check(ticker, unified.Ticker)
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == (0.22, 0.3, 0.3)
    assert set(dex.fetch_tickers()) == set(markets)
    book = dex.fetch_order_book(PAIR, 2)
    check(book, unified.OrderBook)
    assert (book["bids"], book["asks"]) == ([[0.22, 10.0], [0.21, 10.0]], [[0.3, 6.0], [0.31, 10.0]])
    trade = dex.fetch_trades(PAIR)[-1]
    check(trade, unified.Trade)
    assert (trade["side"], trade["price"], trade["amount"], trade["cost"]) == ("buy", 0.3, 4.0, 1.2)
    candle = dex.fetch_ohlcv(PAIR, "1h", limit=1)[0]
    assert [type(value) for value in candle] == [int] + [float] * 5
    assert dex.fetch_ohlcv(PAIR, "1h", since=candle[0])[0] == candle
    assert dex.fetch_trading_fees()[PAIR]["maker"] == market["maker"]
    for name, supported in dex.has.items():
        if supported is True and name[0].islower() and name not in ("spot", "publicAPI", "privateAPI"):
            assert callable(getattr(dex, name)), name
    cleared(exchange, other)


def test_an_order_s_status_is_none_until_a_block_decides(exchange: Exchange, dex: Any) -> None:
    order = dex.create_order(PAIR, "limit", "sell", 5, 0.6, {"clientOrderId": "mine-1"})
    check(order, unified.Order)
    assert (order["status"], order["clientOrderId"], order["info"]["state"]) == (None, "mine-1", "sent")
    assert dex.fetch_order(order["id"])["status"] is None
    exchange.steps(3)
    found = dex.fetch_order(order["id"])
    check(found, unified.Order)
    assert (found["status"], found["amount"], found["remaining"], found["price"]) == ("open", 5.0, 5.0, 0.6)
    # The same call again is the same order.
    assert dex.create_order(PAIR, "limit", "sell", 5, 0.6, {"clientOrderId": "mine-1"})["id"] == order["id"]
    with pytest.raises(ccxt.DuplicateOrderId):
        dex.create_order(PAIR, "limit", "sell", 6, 0.6, {"clientOrderId": "mine-1"})
    assert [one["id"] for one in dex.fetch_open_orders(PAIR)] == [order["id"]]
    edited = dex.edit_order(order["id"], PAIR, "limit", "sell", 4, 0.61, WAIT)
    assert (edited["status"], edited["amount"], edited["price"]) == ("open", 4.0, 0.61)
    assert dex.fetch_order(order["id"])["status"] == "canceled"
    cancelled = dex.cancel_order(edited["id"], PAIR)
    assert (cancelled["id"], cancelled["status"]) == (edited["id"], None)
    exchange.steps(3)
    assert dex.fetch_order(edited["id"])["status"] == "canceled"
    assert len(dex.fetch_orders(PAIR)) == 2


def test_a_restarted_bot_knows_what_is_on_its_way(
    exchange: Exchange, dex: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = dex.create_order(PAIR, "limit", "sell", 5, 0.6, {"clientOrderId": "mine-1"})
    dex.close()
    again = new_dex(exchange, dex.walletAddress, monkeypatch)
    found = again.fetch_order(order["id"])
    assert (found["status"], found["clientOrderId"]) == (None, order["clientOrderId"])
    exchange.steps(3)
    assert again.fetch_order(order["id"])["status"] == "open"
    again.close()
    last = new_dex(exchange, dex.walletAddress, monkeypatch)
    same = last.create_order(PAIR, "limit", "sell", 5, 0.6, {"clientOrderId": "mine-1"})
    assert (same["id"], same["status"], same["remaining"]) == (order["id"], "open", 5.0)
    last.close()


def test_market_orders_and_stops(exchange: Exchange, dex: Any) -> None:
    other = crowd(exchange)
    bought = dex.create_order(PAIR, "market", "buy", 12, None, WAIT)
    assert (bought["filled"], bought["status"]) == (12.0, "closed")
    assert bought["average"] == pytest.approx((10 * 0.3 + 2 * 0.31) / 12)
    spent = dex.create_market_buy_order_with_cost(PAIR, 0.62, WAIT)
    assert (spent["status"], spent["filled"], spent["cost"]) == ("closed", 2.0, 0.62)
    sold = dex.create_order(PAIR, "market", "sell", 3, 0.2, WAIT)
    assert (sold["type"], sold["cost"], sold["filled"]) == ("market", pytest.approx(0.66), 3.0)
    assert sold["fee"]["currency"] == "SWAP.HIVE"
    mine = dex.fetch_my_trades(PAIR)
    check(mine[-1], unified.Trade)
    assert {trade["takerOrMaker"] for trade in mine} == {"taker"}
    assert [trade["order"] for trade in dex.fetch_order_trades(bought["id"], PAIR)] == [bought["id"]] * 2
    assert {order["id"] for order in dex.fetch_closed_orders(PAIR)} >= {spent["id"], sold["id"]}
    stop = dex.create_order(PAIR, "market", "sell", 3, 0.1, {"stopLossPrice": 0.15, **WAIT})
    check(stop, unified.Order)
    assert (stop["status"], stop["triggerPrice"], stop["info"]["trigger_when"]) == ("open", 0.15, "below")
    gain = dex.create_order(PAIR, "limit", "sell", 3, 0.9, {"takeProfitPrice": 0.8, **WAIT})
    assert gain["info"]["trigger_when"] == "above"
    guarded = {"stopLoss": {"triggerPrice": 0.1, "price": 0.09}, **WAIT}
    assert dex.create_order(PAIR, "limit", "sell", 3, 0.9, guarded)["stopLossPrice"] == 0.1
    assert len(dex.fetch_open_orders()) == 3
    dex.cancel_all_orders(PAIR, WAIT)
    assert dex.fetch_open_orders() == []
    dex.create_order(PAIR, "limit", "sell", 1, 0.9, WAIT)
    dex.cancel_all_orders_after(30_000, WAIT)
    exchange.steps(15)
    assert dex.fetch_open_orders() == []
    cleared(exchange, other)


def test_money_in_and_out(exchange: Exchange, dex: Any) -> None:
    balance = dex.fetch_balance()
    assert balance["PEK"] == {"free": 1_000_000.0, "used": 0.0, "total": 1_000_000.0}
    assert dex.fetch_deposit_address("PEK")["address"] == exchange.venue.tokens["PEK"].escrow
    deposits = dex.fetch_deposits()
    check(deposits[0], unified.Transaction)
    assert {each["status"] for each in deposits} == {"ok"}
    taken = dex.withdraw("PEK", 2500.5, dex.walletAddress, "né", WAIT)
    check(taken, unified.Transaction)
    [found] = dex.fetch_withdrawals("PEK")
    check(found, unified.Transaction)
    assert (found["id"], found["amount"], found["status"], found["tag"]) == (
        taken["id"],
        2500.5,
        "pending",
        "né",
    )
    assert dex.fetch_balance()["PEK"]["used"] == 2500.5


def test_errors_are_ccxt_s(exchange: Exchange, dex: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ccxt.InsufficientFunds, match="E_FUNDS: Insufficient funds"):
        dex.create_order(PAIR, "limit", "sell", 10**9, 0.6, WAIT)
    refused = dex.create_order(PAIR, "limit", "sell", 10**9, 0.6)
    exchange.steps(3)
    assert dex.fetch_order(refused["id"])["status"] == "rejected"
    with pytest.raises(ccxt.OrderNotFound):
        dex.cancel_order("0" * 40, PAIR, WAIT)
    with pytest.raises(ccxt.OrderNotFound):
        dex.fetch_order("0" * 40)
    with pytest.raises(ccxt.BadSymbol):
        dex.fetch_order_book("PEK/DOGE")
    with pytest.raises(ccxt.ArgumentsRequired):
        dex.create_order(PAIR, "limit", "sell", 1)
    with pytest.raises(ccxt.InvalidOrder):
        dex.create_order(PAIR, "limit", "sell", 0.0001, 0.6)  # less than a lot
    with pytest.raises(ccxt.BadRequest, match="seconds"):
        dex.cancel_all_orders_after(5000)
    stranger = new_dex(exchange, exchange.account(), monkeypatch, keyEnv="NO_KEY")
    with pytest.raises(ccxt.AuthenticationError, match="NO_KEY"):
        stranger.create_order(PAIR, "limit", "sell", 1, 0.6)
    with pytest.raises(ccxt.NetworkError):
        peakedex({"options": {"api": "http://127.0.0.1:1", "apiOptions": {"tries": 1}}}).fetch_markets()


def test_numbers_may_be_exact(exchange: Exchange, dex: Any) -> None:
    dex.number = str
    order = dex.create_order(PAIR, "limit", "sell", "1000.12", "0.700001", WAIT)
    assert (order["amount"], order["price"]) == ("1000.12000000", "0.700001")
    dex.number = Decimal
    assert dex.fetch_order(order["id"])["price"] == Decimal("0.700001")
    precise = dex.create_order(PAIR, "limit", "sell", Decimal("3.33"), Decimal("0.7"), WAIT)
    assert precise["amount"] == Decimal("3.33")
