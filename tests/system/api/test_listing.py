"""The formats of CoinGecko, CoinMarketCap and TradingView: fields as documented by them, values as in
the other endpoints and the journal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from settlement.core.parsing.amounts import MAX_UNITS
from tests.support.api_client import ApiClient
from tests.system.api.past_world import PRECISION, PRICE_DECIMALS, QUOTES, Journal, PastWorld, seconds, show
from tests.system.api.world import World

DAY = 86_400


class Shown(str):
    """A JSON number with a point in it, as it was written."""


def ask(client: ApiClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Shown)


# ---------------------------------------------------------------- what the documents say, written down

Check = Callable[[Any], bool]
Fields = dict[str, Check]


def text(value: Any) -> bool:
    return type(value) is str and value != ""


def decimal_text(value: Any) -> bool:
    return type(value) is str and re.fullmatch(r"[0-9]+\.[0-9]+", value) is not None


def decimal(value: Any) -> bool:
    """A JSON number: as it was written, not as a float had it."""
    return isinstance(value, Shown) and re.fullmatch(r"-?[0-9]+\.[0-9]+", value) is not None


def whole(value: Any) -> bool:
    return type(value) is int


def milliseconds(value: Any) -> bool:
    return type(value) is int and value % 1000 == 0 and 10**12 < value < 10**13


def flag(value: Any) -> bool:
    return type(value) is bool


def side(value: Any) -> bool:
    return value in ("buy", "sell")


def texts(value: Any) -> bool:
    return type(value) is list and all(map(text, value))


def or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def pairs_of(check: Check) -> Check:
    return lambda value: all(len(each) == 2 and all(map(check, each)) for each in value)


# "CoinGecko Exchange API: Spot Exchanges", endpoints 1 to 4; `pool_id` and `liquidity_in_usd` are for pools.
GECKO_PAIR: Fields = {"ticker_id": text, "base": text, "target": text}
GECKO_TICKER: Fields = {
    "ticker_id": text,
    "base_currency": text,
    "target_currency": text,
    "last_price": or_null(decimal_text),
    "base_volume": decimal_text,
    "target_volume": decimal_text,
    "bid": or_null(decimal_text),
    "ask": or_null(decimal_text),
    "high": or_null(decimal_text),
    "low": or_null(decimal_text),
}
GECKO_BOOK: Fields = {
    "ticker_id": text,
    "timestamp": milliseconds,
    "bids": pairs_of(decimal_text),
    "asks": pairs_of(decimal_text),
}
GECKO_TRADE: Fields = {
    "trade_id": whole,
    "price": decimal_text,
    "base_volume": decimal_text,
    "target_volume": decimal_text,
    "trade_timestamp": milliseconds,
    "type": side,
}
# "Ideal API Endpoint Samples", section A: spot exchanges. Of the recommended fields those are missing that
# the venue cannot know: CoinMarketCap's own numbers, the largest withdrawal, addresses of contracts.
CAP_SUMMARY: Fields = {
    "trading_pairs": text,
    "base_currency": text,
    "quote_currency": text,
    "last_price": or_null(decimal),
    "lowest_ask": or_null(decimal),
    "highest_bid": or_null(decimal),
    "base_volume": decimal,
    "quote_volume": decimal,
    "price_change_percent_24h": or_null(decimal),
    "highest_price_24h": or_null(decimal),
    "lowest_price_24h": or_null(decimal),
}
CAP_ASSET: Fields = {
    "name": text,
    "can_withdraw": flag,
    "can_deposit": flag,
    "min_withdraw": decimal,
    "maker_fee": decimal,
    "taker_fee": decimal,
}
CAP_TICKER: Fields = {
    "last_price": or_null(decimal),
    "base_volume": decimal,
    "quote_volume": decimal,
    "isFrozen": lambda value: value in (0, 1) and whole(value),
}
CAP_BOOK: Fields = {"timestamp": milliseconds, "bids": pairs_of(decimal), "asks": pairs_of(decimal)}
CAP_TRADE: Fields = {
    "trade_id": whole,
    "price": decimal,
    "base_volume": decimal,
    "quote_volume": decimal,
    "timestamp": milliseconds,
    "type": side,
}
# The charting library's DatafeedConfiguration, LibrarySymbolInfo, SearchSymbolResultItem, and UDF's bars.
UDF_CONFIG: Fields = {
    "supports_search": flag,
    "supports_group_request": flag,
    "supports_marks": flag,
    "supports_timescale_marks": flag,
    "supports_time": flag,
    "supported_resolutions": texts,
    "exchanges": lambda value: all(list(each) == ["value", "name", "desc"] for each in value),
    "symbols_types": lambda value: all(list(each) == ["name", "value"] for each in value),
}
UDF_SYMBOL: Fields = {
    **dict.fromkeys(("name", "ticker", "description", "type", "session", "timezone"), text),
    **dict.fromkeys(("exchange", "listed_exchange", "exchange-listed", "exchange-traded"), text),
    **dict.fromkeys(("minmov", "minmov2", "pointvalue", "pricescale"), whole),
    "format": lambda value: value == "price",
    **dict.fromkeys(("has_intraday", "has_daily", "has_weekly_and_monthly"), flag),
    **dict.fromkeys(("intraday_multipliers", "daily_multipliers", "weekly_multipliers"), texts),
    "monthly_multipliers": texts,
    "supported_resolutions": texts,
    "volume_precision": whole,
    "visible_plots_set": lambda value: value == "ohlcv",
    "data_status": lambda value: value == "streaming",
}
UDF_FOUND: Fields = dict.fromkeys(("symbol", "full_name", "description", "exchange", "ticker", "type"), text)


def follows(value: Any, fields: Fields) -> None:
    """Exactly these fields, each as it must be."""
    assert set(value) == set(fields)
    for name, check in fields.items():
        assert check(value[name]), f"{name}: {value[name]!r}"


# ---------------------------------------------------------------- CoinGecko


def test_gecko_pairs_and_tickers(reader: ApiClient) -> None:
    ours = reader.get("/api/pairs").json["pairs"]
    pairs, tickers = ask(reader, "/api/coingecko/pairs"), ask(reader, "/api/coingecko/tickers")
    assert [pair["ticker_id"] for pair in pairs] == [
        f"PEK_{quote}" for quote in ("SWAP.HIVE", "SWAP.BTC", "HBD")
    ]
    for row, pair, ticker in zip(ours, pairs, tickers, strict=True):
        follows(pair, GECKO_PAIR)
        follows(ticker, GECKO_TICKER)
        assert (pair["base"], pair["target"]) == (row["base"], row["quote"])
        assert ticker["ticker_id"] == pair["ticker_id"]
        assert (ticker["last_price"], ticker["bid"], ticker["ask"]) == (
            row["last_price"],
            row["best_bid"],
            row["best_ask"],
        )
        assert (ticker["high"], ticker["low"]) == (row["high_24h"], row["low_24h"])
        assert ticker["base_volume"] == row["base_volume_24h"]
        assert ticker["target_volume"] == row["quote_volume_24h"]


@pytest.mark.parametrize("quote", QUOTES)
def test_gecko_orderbook(past_world: PastWorld, reader: ApiClient, quote: str) -> None:
    ours = reader.get(f"/api/orderbook?base=PEK&quote={quote}&depth=500").json
    whole_book = ask(reader, f"/api/coingecko/orderbook?ticker_id=PEK_{quote}")
    follows(whole_book, GECKO_BOOK)
    assert whole_book["timestamp"] == past_world.world.time * 1000
    for name in ("bids", "asks"):
        levels = [[level["price"], level["amount"]] for level in ours[name]]
        assert whole_book[name] == levels
        for depth, each in ((0, 500), (1, 1), (2, 1), (5, 3), (100, 50)):
            some = ask(reader, f"/api/coingecko/orderbook?ticker_id=PEK_{quote}&depth={depth}")
            assert some[name] == levels[:each]


@pytest.mark.parametrize("quote", QUOTES)
def test_gecko_trades(reader: ApiClient, journal: Journal, quote: str) -> None:
    mine = [trade for trade in journal.trades if trade.pair == f"PEK/{quote}"][::-1]
    takers = {order.id: order.side for order in journal.placed}
    path = f"/api/coingecko/historical_trades?ticker_id=PEK_{quote}"

    def shown(trades: list[Any], of: str) -> list[dict[str, Any]]:
        return [
            {
                "trade_id": trade.n,
                "price": show(trade.price, PRICE_DECIMALS[quote]),
                "base_volume": show(trade.quantity, 8),
                "target_volume": show(trade.quote_amount, PRECISION[quote]),
                "trade_timestamp": trade.timestamp * 1000,
                "type": of,
            }
            for trade in trades
            if takers[trade.taker] == of
        ]

    def check(query: str, trades: list[Any], sides: tuple[str, ...] = ("buy", "sell")) -> None:
        answer = ask(reader, f"{path}{query}")
        assert list(answer) == ["buy", "sell"]
        for of in ("buy", "sell"):
            assert answer[of] == (shown(trades, of) if of in sides else [])
            for trade in answer[of]:
                follows(trade, GECKO_TRADE)

    assert len(mine) > 15
    check("", mine)
    check("&limit=0", mine)
    check("&limit=5", mine[:5])
    for of in ("buy", "sell"):
        check(f"&type={of}", mine, (of,))
        of_side = [trade for trade in mine if takers[trade.taker] == of]
        check(f"&type={of}&limit=2", of_side[:2], (of,))
    since, until = mine[-5].timestamp, mine[5].timestamp
    assert since < until
    span = [trade for trade in mine if since <= trade.timestamp <= until]
    for unit in (1, 1000):
        check(f"&start_time={since * unit}&end_time={until * unit}", span)
        check(f"&start_time={since * unit}", [trade for trade in mine if since <= trade.timestamp])
        check(f"&end_time={until * unit}", [trade for trade in mine if trade.timestamp <= until])
    check(f"&start_time={since * 1000 + 1}", [trade for trade in mine if since < trade.timestamp])
    check(f"&end_time={until * 1000 + 999}", [trade for trade in mine if trade.timestamp <= until])
    check(f"&start_time={until}&end_time={since}", [])
    check("&start_time=253402300799000", [])


# ---------------------------------------------------------------- CoinMarketCap


def test_cap_summary_ticker_and_assets(past_world: PastWorld, reader: ApiClient) -> None:
    ours = reader.get("/api/pairs").json["pairs"]
    summary, tickers = ask(reader, "/api/coinmarketcap/summary"), ask(reader, "/api/coinmarketcap/ticker")
    assert list(tickers) == [row["trading_pairs"] for row in summary]
    for row, shown in zip(ours, summary, strict=True):
        follows(shown, CAP_SUMMARY)
        assert shown["trading_pairs"] == f"{row['base']}_{row['quote']}"
        names = (
            "last_price",
            "best_ask",
            "best_bid",
            "base_volume_24h",
            "quote_volume_24h",
            "change_24h_percent",
        )
        assert [row[name] for name in (*names, "high_24h", "low_24h")] == [
            shown[name] for name in list(CAP_SUMMARY)[3:]
        ]
        ticker = tickers[shown["trading_pairs"]]
        follows(ticker, CAP_TICKER)
        assert ticker == {**{name: shown[name] for name in list(CAP_TICKER)[:3]}, "isFrozen": 0}
    assets = ask(reader, "/api/coinmarketcap/assets")
    assert list(assets) == ["PEK", "SWAP.HIVE", "SWAP.BTC", "HBD"]
    for asset in assets.values():
        follows(asset, CAP_ASSET)
        assert Decimal(asset["min_withdraw"]) == Decimal("0.001")
    assert (assets["PEK"]["maker_fee"], assets["PEK"]["taker_fee"]) == ("0.0010", "0.0020")
    assert assets["HBD"]["taker_fee"] == "0.0000"


def test_a_paused_pair_is_frozen(fresh: World) -> None:
    fresh.apply(fresh.action("peakecoin", "updatePair", symbol="PEK", quote="HBD", status="paused"))
    tickers = ask(fresh.client(), "/api/coinmarketcap/ticker")
    assert {name: row["isFrozen"] for name, row in tickers.items()} == {
        "PEK_SWAP.HIVE": 0,
        "PEK_SWAP.BTC": 0,
        "PEK_HBD": 1,
    }


@pytest.mark.parametrize("quote", QUOTES)
def test_cap_orderbook(past_world: PastWorld, reader: ApiClient, quote: str) -> None:
    ours = reader.get(f"/api/orderbook?base=PEK&quote={quote}&depth=500").json
    path = f"/api/coinmarketcap/orderbook/PEK_{quote}"
    book = ask(reader, path)
    follows(book, CAP_BOOK)
    assert book["timestamp"] == past_world.world.time * 1000
    single = ask(reader, f"{path}?level=3")
    follows(single, CAP_BOOK)
    for name, of in (("bids", "buy"), ("asks", "sell")):
        levels = [[level["price"], level["amount"]] for level in ours[name]]
        assert book[name] == levels
        assert ask(reader, f"{path}?level=1")[name] == levels[:1]
        assert ask(reader, f"{path}?depth=4")[name] == levels[:2]
        orders = [order for order in past_world.state(None).orders if order[3:5] == [f"PEK/{quote}", of]]
        orders.sort(key=lambda order: (int(order[5]) * (-1 if of == "buy" else 1), int(order[0])))
        expected = [[show(int(order[5]), PRICE_DECIMALS[quote]), show(int(order[7]), 8)] for order in orders]
        assert single[name] == expected
        assert ask(reader, f"{path}?level=3&depth=3")[name] == expected[:2]


@pytest.mark.parametrize("quote", QUOTES)
def test_cap_trades_are_those_of_the_last_day(
    past_world: PastWorld, reader: ApiClient, journal: Journal, quote: str
) -> None:
    trades = ask(reader, f"/api/coinmarketcap/trades/PEK_{quote}")
    expected = [
        trade
        for trade in reversed(journal.trades)
        if trade.pair == f"PEK/{quote}" and trade.timestamp >= past_world.world.time - DAY
    ]
    assert [trade["trade_id"] for trade in trades] == [trade.n for trade in expected]
    for shown, trade in zip(trades, expected, strict=True):
        follows(shown, CAP_TRADE)
        assert shown["price"] == show(trade.price, PRICE_DECIMALS[quote])
        assert shown["base_volume"] == show(trade.quantity, 8)
        assert shown["quote_volume"] == show(trade.quote_amount, PRECISION[quote])
        assert shown["timestamp"] == trade.timestamp * 1000


def test_numbers_beyond_floats_are_whole(fresh: World) -> None:
    """A float holds 53 bits; an amount may need 63. What is sent is what the ledger holds."""
    amount = show(MAX_UNITS, 8)
    fresh.apply(fresh.deposit("alice", "PEK", amount))
    fresh.apply(fresh.order("alice", "sell", "92233720368.54", "0.000001", quote="SWAP.HIVE"))
    client = fresh.client()
    body = client.get("/api/coinmarketcap/orderbook/PEK_SWAP.HIVE").text
    assert '"asks":[[0.000001,92233720368.54000000]]' in body
    assert ask(client, "/api/coingecko/orderbook?ticker_id=PEK_SWAP.HIVE")["asks"] == [
        ["0.000001", "92233720368.54000000"]
    ]


# ---------------------------------------------------------------- TradingView


def test_udf_config_and_time(past_world: PastWorld, reader: ApiClient) -> None:
    config = ask(reader, "/api/udf/config")
    follows(config, UDF_CONFIG)
    assert config["supported_resolutions"] == ["1", "5", "15", "30", "60", "240", "1D", "1W"]
    time = reader.get("/api/udf/time")
    assert (time.mimetype, time.text) == ("text/plain", str(past_world.world.time + 2))


@pytest.mark.parametrize("quote", QUOTES)
def test_udf_symbols(reader: ApiClient, quote: str) -> None:
    name = f"PEK_{quote}"
    symbol = ask(reader, f"/api/udf/symbols?symbol={name}")
    follows(symbol, UDF_SYMBOL)
    assert (symbol["name"], symbol["ticker"], symbol["session"], symbol["timezone"]) == (
        name,
        name,
        "24x7",
        "Etc/UTC",
    )
    assert symbol["pricescale"] == 10 ** PRICE_DECIMALS[quote]
    assert symbol["minmov"] == 1
    assert ask(reader, f"/api/udf/symbols?symbol=PEAKEDEX:{name}") == symbol
    config = ask(reader, "/api/udf/config")
    assert symbol["exchange"] in [each["value"] for each in config["exchanges"]]
    assert symbol["type"] in [each["value"] for each in config["symbols_types"]]


def test_udf_search(reader: ApiClient) -> None:
    def found(query: str) -> list[str]:
        results = ask(reader, f"/api/udf/search?{query}")
        for result in results:
            follows(result, UDF_FOUND)
            assert ask(reader, f"/api/udf/symbols?symbol={result['full_name']}")["ticker"] == result["ticker"]
        return [result["symbol"] for result in results]

    every = ["PEK_SWAP.HIVE", "PEK_SWAP.BTC", "PEK_HBD"]
    assert found("") == found("query=&type=&exchange=&limit=30") == found("query=pek") == every
    assert found("query=hbd") == found("query=PEK / HBD") == found("query=PEAKEDEX:PEK_HBD") == ["PEK_HBD"]
    assert found("query=swap&limit=1") == ["PEK_SWAP.HIVE"]
    assert found("query=swap&type=crypto&exchange=PEAKEDEX") == every[:2]
    assert (
        found("query=doge") == found("type=stock") == found("exchange=NYSE") == found("query=%00%25_") == []
    )


RESOLUTIONS = {
    "1": "1m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "240": "4h",
    "1D": "1d",
    "1W": "1w",
    "D": "1d",
    "W": "1w",
}


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_udf_history(past_world: PastWorld, reader: ApiClient, resolution: str) -> None:
    """Columns of our own candles, in the library's order, for every way in which it asks."""
    path = f"/api/candles?base=PEK&quote=HBD&interval={RESOLUTIONS[resolution]}&limit=1000"
    ours = reader.get(path).json["candles"]
    candles = [
        [started(row["ts"]), *(row[name] for name in ("open", "high", "low", "close", "volume"))]
        for row in ours
    ]

    def bars(query: str) -> list[list[Any]]:
        answer = ask(reader, f"/api/udf/history?symbol=PEK_HBD&resolution={resolution}{query}")
        assert (answer["s"], set(answer)) == ("ok", {"s", "t", "o", "h", "l", "c", "v"})
        assert all(map(whole, answer["t"]))
        assert all(decimal(number) for name in "ohlcv" for number in answer[name])
        return [list(row) for row in zip(*(answer[name] for name in "tohlcv"), strict=True)]

    first, last, now = candles[0][0], candles[-1][0], past_world.world.time
    assert bars("") == bars(f"&from=0&to={now + 1}") == bars(f"&from=-5000&to={now + 1}") == candles
    assert bars(f"&from={first}&to={last}") == (candles[:-1] or bars(f"&from={first}&to={last + 1}"))
    assert bars(f"&from={last}&to={now + 1}") == candles[-1:]
    assert bars(f"&from={now}&to={now + 1}&countback=2") == candles[-2:]
    assert bars(f"&from=0&to={last + 1}&countback=1") == candles[-1:]
    assert bars(f"&from=0&to={now + 1}&countback=100000") == candles
    end = now + 10**7
    none = ask(reader, f"/api/udf/history?symbol=PEK_HBD&resolution={resolution}&from={end}&to={end + 10**7}")
    assert none == {"s": "no_data", "nextTime": last}
    early = ask(reader, f"/api/udf/history?symbol=PEK_HBD&resolution={resolution}&from=0&to={first}")
    assert early == {"s": "no_data"}
    assert (
        ask(reader, f"/api/udf/history?symbol=PEK_HBD&resolution={resolution}&to={first}&countback=9")
        == early
    )


def started(ts: str) -> int:
    return seconds(ts[:-1])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/udf/symbols?symbol=PEK_DOGE", 404, "E_PAIR"),
        ("/api/udf/symbols?symbol=pek", 400, "E_INPUT"),
        ("/api/udf/symbols", 400, "E_INPUT"),
        ("/api/udf/history?symbol=PEK_DOGE&resolution=60", 404, "E_PAIR"),
        ("/api/udf/history?symbol=PEK_HBD&resolution=2", 400, "E_INPUT"),
        ("/api/udf/history?symbol=PEK_HBD&resolution=60&from=now", 400, "E_INPUT"),
        ("/api/udf/history?symbol=PEK_HBD&resolution=60&countback=0", 400, "E_INPUT"),
        ("/api/udf/marks", 404, "E_NOT_FOUND"),
    ],
)
def test_udf_errors_carry_the_feed_s_own_members(
    reader: ApiClient, path: str, status: int, code: str
) -> None:
    answer = reader.get(path)
    assert (answer.status_code, answer.json["code"], answer.json["s"]) == (status, code, "error")
    assert answer.json["errmsg"] == answer.json["error"] == answer.json["detail"]
    assert answer.mimetype == "application/problem+json"


def test_other_errors_do_not(reader: ApiClient) -> None:
    for path in ("/api/price?base=PEK&quote=DOGE", "/api/coingecko/orderbook?ticker_id=PEK_DOGE"):
        assert {"s", "errmsg"} & set(reader.get(path).json) == set()


# ---------------------------------------------------------------- all three

PATHS = [
    "/api/coingecko/pairs",
    "/api/coingecko/tickers",
    "/api/coingecko/orderbook?ticker_id=PEK_HBD",
    "/api/coingecko/historical_trades?ticker_id=PEK_HBD",
    "/api/coinmarketcap/summary",
    "/api/coinmarketcap/assets",
    "/api/coinmarketcap/ticker",
    "/api/coinmarketcap/orderbook/PEK_HBD",
    "/api/coinmarketcap/trades/PEK_HBD",
    "/api/udf/config",
    "/api/udf/symbols?symbol=PEK_HBD",
    "/api/udf/search",
    "/api/udf/history?symbol=PEK_HBD&resolution=60",
]


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_venue_is_answered(fresh: World, path: str) -> None:
    """Before the first block, and after one in which nothing happened."""
    client = fresh.client()
    for _ in range(2):
        assert client.get(path).status_code == 200
        fresh.apply()
    if path.endswith("/tickers"):
        assert {row["last_price"] for row in client.get(path).json} == {None}
    if "orderbook" in path:
        assert (client.get(path).json["bids"], client.get(path).json["asks"]) == ([], [])
    if "history?" in path:
        assert client.get(path).json == {"s": "no_data"}


@pytest.mark.parametrize("path", PATHS)
def test_they_are_not_sent_again_to_who_holds_them(reader: ApiClient, path: str) -> None:
    etag = reader.get(path).headers["ETag"]
    assert reader.get(path, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("name", ["PEK_DOGE", "DOGE_PEK", "HBD_PEK"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/coingecko/orderbook?ticker_id={}",
        "/api/coingecko/historical_trades?ticker_id={}",
        "/api/coinmarketcap/orderbook/{}",
        "/api/coinmarketcap/trades/{}",
        "/api/udf/symbols?symbol={}",
    ],
)
def test_an_unknown_pair_is_404(reader: ApiClient, path: str, name: str) -> None:
    answer = reader.get(path.format(name))
    assert (answer.status_code, answer.json["code"]) == (404, "E_PAIR")
    assert answer.json["error"] == f"There is no pair {name}. /api/pairs lists them."


@pytest.mark.parametrize(
    "value",
    [
        "PEK",
        "PEK_",
        "_HBD",
        "_",
        "PEK_HBD_X",
        "pek_hbd",
        "PEK/HBD",
        "PEK-HBD",
        "%00",
        "PEK_HBD%00",
        "É_HBD",
        "A" * 11 + "_HBD",
        "x" * 3000,
    ],
)
@pytest.mark.parametrize(
    "path",
    ["/api/coingecko/orderbook?ticker_id={}", "/api/coinmarketcap/trades/{}", "/api/udf/symbols?symbol={}"],
)
def test_a_name_that_is_no_pair_is_refused(reader: ApiClient, path: str, value: str) -> None:
    answer = reader.get(path.format(value))
    if "/" in value and "trades" in path:
        assert answer.status_code == 404
    else:
        assert (answer.status_code, answer.json["code"]) == (400, "E_INPUT")
        assert answer.json["error"].endswith("must be a pair like PEK_SWAP.HIVE.")


@pytest.mark.parametrize(
    "path",
    [
        "/api/coingecko/pairs?x=1",
        "/api/coingecko/orderbook",
        "/api/coingecko/orderbook?ticker_id=PEK_HBD&depth=-1",
        "/api/coingecko/orderbook?ticker_id=PEK_HBD&depth=10001",
        "/api/coingecko/historical_trades?ticker_id=PEK_HBD&limit=1001",
        "/api/coingecko/historical_trades?ticker_id=PEK_HBD&type=both",
        "/api/coingecko/historical_trades?ticker_id=PEK_HBD&start_time=2026-09-21",
        "/api/coingecko/historical_trades?ticker_id=PEK_HBD&start_time=999999999999999",
        "/api/coinmarketcap/orderbook/PEK_HBD?level=4",
        "/api/coinmarketcap/orderbook/PEK_HBD?market_pair=PEK_HBD",
        "/api/coinmarketcap/trades/PEK_HBD?limit=5",
        "/api/udf/search?limit=0",
        "/api/udf/search?query=" + "x" * 129,
        "/api/udf/time?x=1",
    ],
)
def test_bad_parameters_are_refused(reader: ApiClient, path: str) -> None:
    answer = reader.get(path)
    assert (answer.status_code, answer.json["code"]) == (400, "E_INPUT")
