"""Reference prices: the sidechain's own market, or a pair of another Peake DEX."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from peakedex.client import Api, ConnectionFailed, InputError
from peakedex.client.http import Http
from peakedex.mirror.strategy import Reference

ReadReference = Callable[[], Reference | None]
"""Reads the reference; None while its book has no side."""


def sidechain_market(url: str, pair: str) -> ReadReference:
    """The order book of Hive-Engine's own market, which trades against SWAP.HIVE. Raises InputError."""
    base, _, quote = pair.partition("/")
    if quote != "SWAP.HIVE":
        raise InputError("pair", f"the sidechain's market has no {pair}, only pairs against SWAP.HIVE")
    http, address = Http(), f"{url.rstrip('/')}/contracts"

    def best(table: str, descending: bool) -> Decimal | None:
        params = {
            "contract": "market",
            "table": table,
            "query": {"symbol": base},
            "limit": 1,
            "offset": 0,
            "indexes": [{"index": "priceDec", "descending": descending}],
        }
        request = {"jsonrpc": "2.0", "id": 1, "method": "find", "params": params}
        answer = http.post_json(address, json.dumps(request).encode())
        try:
            rows: Any = msgspec.json.decode(answer.body)["result"]
            return Decimal(rows[0]["price"]) if rows else None
        except (msgspec.DecodeError, KeyError, TypeError, IndexError, InvalidOperation):
            raise ConnectionFailed(f"{address}: HTTP status {answer.status}, and no order book") from None

    def read() -> Reference | None:
        bid, ask = best("buyBook", True), best("sellBook", False)
        return None if bid is None or ask is None else Reference(bid, ask)

    return read


def other_exchange(address: str, pair: str) -> ReadReference:
    """The order book of another Peake DEX."""
    api = Api(address)

    def read() -> Reference | None:
        price = api.price(pair)
        return None if price.bid is None or price.ask is None else Reference(price.bid, price.ask)

    return read
