"""/api/candles and 24-hour statistics, compared with sums of the journal's trades."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.system.api.past_world import (
    PRECISION,
    PRICE_DECIMALS,
    QUOTES,
    Journal,
    PastWorld,
    seconds,
    show,
)

LENGTHS = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "4h": 14_400,
    "1d": 86_400,
    "1w": 604_800,
}
FOUR_DAYS = 4 * 86_400  # 5 January 1970 was a Monday


def candles_of(journal: Journal, quote: str, interval: str) -> list[dict[str, Any]]:
    """By hand: all trades of the pair, put into intervals one after the other."""
    length, decimals = LENGTHS[interval], PRICE_DECIMALS[quote]
    offset = FOUR_DAYS if interval == "1w" else 0
    groups: dict[int, list[Any]] = {}
    for trade in journal.trades:
        if trade.pair == f"PEK/{quote}":
            start = (trade.timestamp - offset) // length * length + offset
            groups.setdefault(start, []).append(trade)
    return [
        {
            "start": start,
            "open": show(trades[0].price, decimals),
            "high": show(max(trade.price for trade in trades), decimals),
            "low": show(min(trade.price for trade in trades), decimals),
            "close": show(trades[-1].price, decimals),
            "volume": show(sum(trade.quantity for trade in trades), 8),
            "quote_volume": show(sum(trade.quote_amount for trade in trades), PRECISION[quote]),
            "trades": len(trades),
        }
        for start, trades in sorted(groups.items())
    ]


def started(candle: dict[str, Any]) -> dict[str, Any]:
    return {"start": seconds(candle["ts"][:-1]), **{name: candle[name] for name in candle if name != "ts"}}


@pytest.mark.parametrize("interval", LENGTHS)
@pytest.mark.parametrize("quote", QUOTES)
def test_candles(reader: ApiClient, journal: Journal, quote: str, interval: str) -> None:
    expected = candles_of(journal, quote, interval)
    path = f"/api/candles?base=PEK&quote={quote}&interval={interval}"
    assert [started(row) for row in reader.get(f"{path}&limit=1000").json["candles"]] == expected
    pages: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        body = reader.get(f"{path}&limit=2{cursor and f'&cursor={cursor}'}").json
        assert len(body["candles"]) <= 2
        pages = [started(row) for row in body["candles"]] + pages
        cursor = body["next_cursor"]
    assert pages == expected
    first, last = expected[0]["start"], expected[-1]["start"]
    middle = (first + last) // 2
    for since, until in (
        (first, last),
        (first + 1, last + 1),
        (middle, last),
        (first, middle),
        (middle, middle),
    ):
        shown = reader.get(f"{path}&from={since}&to={until}&limit=1000").json["candles"]
        assert [started(row) for row in shown] == [row for row in expected if since <= row["start"] < until]


def test_times_as_text_are_times_as_numbers(reader: ApiClient, journal: Journal) -> None:
    path = "/api/candles?base=PEK&quote=HBD&interval=1m&limit=1000"
    day = journal.trades[len(journal.trades) // 2].timestamp // 86_400 * 86_400
    date = f"{journal.times[next(b for b, t in journal.times.items() if seconds(t) >= day)][:10]}"
    number, text = reader.get(f"{path}&from={seconds(date)}").json, reader.get(f"{path}&from={date}").json
    assert number["candles"] == text["candles"] != []
    moment = f"{date}T06:00:00"
    same = [
        reader.get(f"{path}&to={each}").json["candles"] for each in (seconds(moment), moment, f"{moment}Z")
    ]
    assert same[0] == same[1] == same[2] != []


@pytest.mark.parametrize(
    "query",
    [
        "interval=2m",
        "interval=1M",
        "from=yesterday",
        "from=-1",
        "from=1.5",
        "to=2026-02-30",
        "to=2026-09-21T25:00:00Z",
        "to=2026-09-21T14:00:00%2B02:00",
        "from=1969-12-31",
        "to=999999999999999",
        "from=2026-09-22&to=2026-09-21",
        "limit=1001",
        "cursor=AAAA",
    ],
)
def test_candles_refuse(reader: ApiClient, query: str) -> None:
    answer = reader.get(f"/api/candles?base=PEK&quote=HBD&{query}")
    assert (answer.status_code, answer.json["code"]) == (400, "E_INPUT")
    assert answer.json["error"].startswith(query.split("=", maxsplit=1)[0])


def test_the_day_s_figures_are_those_of_its_trades(
    past_world: PastWorld, reader: ApiClient, journal: Journal
) -> None:
    end = past_world.world.time // 60 * 60 + 60
    for row in reader.get("/api/pairs").json["pairs"]:
        mine = [trade for trade in journal.trades if trade.pair == f"PEK/{row['quote']}"]
        day = [trade for trade in mine if end - 86_400 <= trade.timestamp]
        decimals = PRICE_DECIMALS[row["quote"]]
        assert row["trades_24h"] == len(day)
        assert row["base_volume_24h"] == show(sum(trade.quantity for trade in day), 8)
        assert row["quote_volume_24h"] == show(
            sum(trade.quote_amount for trade in day), PRECISION[row["quote"]]
        )
        assert row["high_24h"] == (show(max(trade.price for trade in day), decimals) if day else None)
        assert row["low_24h"] == (show(min(trade.price for trade in day), decimals) if day else None)
        assert row["last_price"] == show(mine[-1].price, decimals)
