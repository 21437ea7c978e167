"""Notifications about prices: levels that the last price crosses, and changes within a window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from indexer.notify.api_client import Api, ApiError, Trade
from indexer.notify.config.model import ChangeRule, PriceRule
from indexer.notify.message import Notification, notification
from indexer.notify.outbox import Addressed
from indexer.notify.state import Mark

WINDOWS: Final[Mapping[str, tuple[timedelta, str]]] = {
    "15m": (timedelta(minutes=15), "1m"),
    "1h": (timedelta(hours=1), "1m"),
    "4h": (timedelta(hours=4), "1m"),
    "24h": (timedelta(hours=24), "5m"),
    "7d": (timedelta(days=7), "1h"),
}
"""Length of a window, and the interval of the candles that its first price is read from."""


class PairNews(NamedTuple):
    """A pair's new trades, oldest first, the mark for the next look, and first prices by window."""

    pair: str
    trades: list[Trade]
    mark: Mark
    opening: dict[str, Decimal]
    last: Decimal | None  # the last price, None before the first trade


def read_pair(
    api: Api, pair: str, mark: Mark | None, windows: Iterable[str], at_least: int, *, is_first: bool
) -> PairNews:
    """What is new of a pair; `is_first`: and where its price stands. Raises NodeError."""
    base, quote = pair.split("/")
    news = api.news("/api/history", Trade, mark, at_least=at_least, base=base, quote=quote)
    opening = {}
    if news.new:
        end = datetime.fromisoformat(news.new[-1].ts)
        for window in windows:
            opening[window] = _first_price(api, base, quote, window, end)
    last = Decimal(news.new[-1].price) if news.new else None
    if last is None and is_first and news.mark.newest is not None:
        answer = api.get("/api/price", dict[str, Any], base=base, quote=quote)
        last = None if answer.get("last") is None else Decimal(str(answer["last"]))
    return PairNews(pair, news.new, news.mark, opening, last)


def _first_price(api: Api, base: str, quote: str, window: str, end: datetime) -> Decimal:
    """The first price of the window that ends then. There is one: the trade at its end at least."""
    length, interval = WINDOWS[window]
    since = int((end.astimezone(UTC) - length).timestamp())
    given = {"base": base, "quote": quote, "interval": interval, "from_": since, "limit": 1000}
    candles = api.get("/api/candles", dict[str, Any], **given).get("candles")
    if not candles:
        raise ApiError(f"{api.url}/api/candles: there is none of a trade that was reported")
    return Decimal(str(candles[0]["open"]))


def judge_levels(
    rules: Iterable[PriceRule], news: PairNews, armed: MutableMapping[str, bool]
) -> Iterator[Addressed]:
    """Levels that the new trades cross. A rule that fired is not `armed` until the price was back."""
    for rule in rules:
        if rule.pair != news.pair:
            continue
        if rule.key not in armed:  # a new rule: where the price stands now is no news
            first = Decimal(news.trades[0].price) if news.trades else news.last
            armed[rule.key] = first is None or not _is_beyond(rule, first)
        for trade in news.trades:
            price = Decimal(trade.price)
            if armed[rule.key] and _is_beyond(rule, price):
                armed[rule.key] = False
                yield Addressed(_crossed(rule, trade), rule.to)
            elif not armed[rule.key] and _is_back(rule, price):
                armed[rule.key] = True


def _is_beyond(rule: PriceRule, price: Decimal) -> bool:
    return price >= rule.level if rule.is_above else price <= rule.level


def _is_back(rule: PriceRule, price: Decimal) -> bool:
    distance = rule.level * rule.rearm_percent / 100
    return price <= rule.level - distance if rule.is_above else price >= rule.level + distance


def _crossed(rule: PriceRule, trade: Trade) -> Notification:
    side = "above" if rule.is_above else "below"
    title = f"{rule.pair} is {side} {rule.level:f}: {trade.price}"
    fields = {
        "pair": rule.pair,
        "price": trade.price,
        side: f"{rule.level:f}",
        "trade": trade.id,
        "block": trade.block,
    }
    return notification(f"{rule.key}/{trade.id}", "price", title, fields, trade.ts)


def judge_changes(
    rules: Iterable[ChangeRule], news: PairNews, armed: MutableMapping[str, bool]
) -> Iterator[Addressed]:
    """Changes within a window, as of the newest trade. A rule fires again after the change has halved."""
    if not news.trades:
        return
    trade = news.trades[-1]
    for rule in rules:
        first = news.opening.get(rule.window)
        if rule.pair != news.pair or not first:
            continue
        change = (Decimal(trade.price) - first) / first * 100
        is_armed = armed.get(rule.key, True)
        if is_armed and abs(change) >= rule.percent:
            armed[rule.key] = False
            yield Addressed(_changed(rule, trade, first, change), rule.to)
        elif not is_armed and abs(change) <= rule.percent / 2:
            armed[rule.key] = True


def _changed(rule: ChangeRule, trade: Trade, first: Decimal, change: Decimal) -> Notification:
    shown = f"{change:+.2f} %"
    fields = {
        "pair": rule.pair,
        "price": trade.price,
        "before": f"{first:f}",
        "change": shown,
        "within": rule.window,
        "trade": trade.id,
        "block": trade.block,
    }
    title = f"{rule.pair} changed by {shown} within {rule.window}: {trade.price}"
    return notification(f"{rule.key}/{trade.id}", "change", title, fields, trade.ts)
