"""A loop as freqtrade and hummingbot run it, over CCXT: candles, a signal, an order, its outcome. No advice.

    export BOT=alice BOT_KEY=5J…
    python ccxt_bot.py http://127.0.0.1:8080 https://api.hive.blog --rounds 100

It buys below the average of the last candles and sells above it, one order at a time. Only the first lines
are about this exchange: the rest runs on any other that CCXT has.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import ccxt

from peakedex_ccxt import peakedex

AMOUNT = 10
CANDLES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description="Trade around the average of the last candles.")
    parser.add_argument("api")
    parser.add_argument("node")
    parser.add_argument("--chain-id", default=None)
    parser.add_argument("--symbol", default="PEK/SWAP.HIVE")
    parser.add_argument("--rounds", type=int, default=1_000_000)
    parser.add_argument("--every", type=float, default=15.0)
    given = parser.parse_args()
    options = {"api": given.api, "nodes": [given.node], "keyEnv": "BOT_KEY", "journal": "ccxt_bot.journal"}
    options |= {"chainId": given.chain_id} if given.chain_id else {}
    exchange: Any = peakedex({"walletAddress": os.environ["BOT"], "options": options})
    order: dict[str, Any] | None = None
    for number in range(given.rounds):
        try:
            order = step(exchange, given.symbol, order)
        except ccxt.NetworkError as error:
            print(f"later: {error}")  # the order, if there is one, stays what it is
        if order is not None:
            what = f"{order['side']} {order['amount']} at {order['price']}"
            print(f"round {number + 1}: {what}: {order['status']}", flush=True)
        time.sleep(given.every)
    exchange.cancel_all_orders(given.symbol, {"wait": 60})
    exchange.close()
    print("done")


def step(exchange: Any, symbol: str, order: dict[str, Any] | None) -> dict[str, Any] | None:
    """One round: look what became of the order; without one, decide."""
    if order is not None:
        order = exchange.fetch_order(order["id"])
        if order["status"] is None:
            return order  # it is on its way: never order again before this is known
        if order["status"] == "open":
            exchange.cancel_order(order["id"], symbol)
            return order
    closes = [candle[4] for candle in exchange.fetch_ohlcv(symbol, "1m", limit=CANDLES)]
    ticker = exchange.fetch_ticker(symbol)
    if not closes or ticker["bid"] is None or ticker["ask"] is None:
        return order
    average = sum(closes) / len(closes)
    side = "buy" if ticker["last"] <= average else "sell"
    price = ticker["ask"] if side == "buy" else ticker["bid"]
    # As every exchange of CCXT: a number that the market's precision does not have is rounded to it.
    return exchange.create_order(symbol, "limit", side, AMOUNT, price, {"timeInForce": "IOC", "wait": 60})


if __name__ == "__main__":
    main()
