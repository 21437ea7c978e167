"""A bot that watches the market through the formats that other exchanges speak, too.

    python market_bot.py http://127.0.0.1:8080                    all pairs, once
    python market_bot.py http://127.0.0.1:8080 PEK_SWAP.HIVE --every 60

It takes prices and trades from the CoinGecko paths, the book from those of CoinMarketCap, and candles from
TradingView's data feed, and says whether the last price is far from its average. Numbers are read as
decimals, never as floats. It needs Python 3.11 and nothing else, and no key: it only watches.
"""

from __future__ import annotations

import argparse
import json
import time
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

FAR_PERCENT = Decimal(2)
HOURS = 24
LATER = 10**10


class Market:
    """The API, asked politely: an answer that we hold already is not sent again."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._held: dict[str, tuple[str, Any]] = {}

    def get(self, path: str, **parameters: object) -> Any:
        url = f"{self._address}/api/{path}?{urlencode(parameters)}"
        etag, body = self._held.get(url, ("", None))
        try:
            with urlopen(Request(url, headers={"If-None-Match": etag}), timeout=20) as answer:
                body = json.load(answer, parse_float=Decimal)
                self._held[url] = (answer.headers["ETag"], body)
        except HTTPError as error:
            if error.code != 304:
                raise SystemExit(f"{url}: {json.load(error)['error']}") from None
        return body


def report(market: Market, ticker: dict[str, Any]) -> str:
    """One line about one pair."""
    name = ticker["ticker_id"]
    if ticker["last_price"] is None:
        return f"{name:16} no trade yet"
    last = Decimal(ticker["last_price"])
    return "  ".join(
        (
            f"{name:16} last {ticker['last_price']}",
            f"spread {spread(market, name)}",
            f"takers {pressure(market, name)}",
            signal(last, average(market, name)),
        )
    )


def spread(market: Market, name: str) -> str:
    """How far the best ask is from the best bid."""
    book = market.get(f"coinmarketcap/orderbook/{name}", level=1)
    if not book["bids"] or not book["asks"]:
        return "-"
    bid, ask = book["bids"][0][0], book["asks"][0][0]
    return f"{(ask - bid) / bid:.2%}"


def pressure(market: Market, name: str) -> str:
    """How much of the last 100 trades was bought."""
    trades = market.get("coingecko/historical_trades", ticker_id=name, limit=100)
    sums = {side: sum(Decimal(trade["base_volume"]) for trade in trades[side]) for side in ("buy", "sell")}
    return f"{sums['buy'] / (sums['buy'] + sums['sell']):.0%} buy"


def average(market: Market, name: str) -> Decimal:
    """The price of the last hours in which anything traded, by volume."""
    bars = market.get("udf/history", symbol=name, resolution="60", to=LATER, countback=HOURS)
    if bars["s"] != "ok":
        raise SystemExit(f"{name}: {bars['s']}")
    worth = sum(close * volume for close, volume in zip(bars["c"], bars["v"], strict=True))
    return worth / sum(bars["v"])


def signal(last: Decimal, usual: Decimal) -> str:
    distance = (last - usual) / usual * 100
    if abs(distance) < FAR_PERCENT:
        return f"hold ({distance:+.2f}% of its average)"
    return f"{'SELL' if distance > 0 else 'BUY'} ({distance:+.2f}% of its average)"


def main() -> None:
    parser = argparse.ArgumentParser(description="Watch a Peake DEX market.")
    parser.add_argument("address", help="like http://127.0.0.1:8080")
    parser.add_argument("pair", nargs="?", help="like PEK_SWAP.HIVE; all without one")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="look again and again")
    options = parser.parse_args()
    market = Market(options.address)
    while True:
        tickers = [t for t in market.get("coingecko/tickers") if options.pair in (None, t["ticker_id"])]
        if not tickers:
            raise SystemExit(f"There is no pair {options.pair}.")
        for ticker in tickers:
            print(report(market, ticker), flush=True)
        if options.every is None:
            return
        time.sleep(options.every)


if __name__ == "__main__":
    main()
