"""Current candles: one for each pair and interval, updated trade by trade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.stream.topics import Pair
from settlement.store.read.market.candles import INTERVALS, CandleRow, start_of

CurrentCandles = Mapping[int, CandleRow]
"""A pair's newest candle by interval in seconds."""


class CandleTracker:
    """The candles of each pair's last trade. Returned mappings are never modified."""

    def __init__(self) -> None:
        self._latest: dict[Pair, CurrentCandles] = {}

    def of(self, pair: Pair) -> CurrentCandles:
        """The pair's current candles; empty before its first trade."""
        return self._latest.get(pair, {})

    def put(self, pair: Pair, latest: CurrentCandles) -> None:
        self._latest[pair] = latest

    def trade(self, pair: Pair, timestamp: int, price: int, quantity: int, quote_amount: int) -> None:
        """Add the pair's next trade."""
        new = CandleRow(timestamp, price, price, price, price, quantity, quote_amount, 1)
        old = self.of(pair)
        self._latest[pair] = {
            seconds: _extend(old.get(seconds), new._replace(start=start_of(timestamp, seconds)))
            for seconds in INTERVALS.values()
        }


def _extend(old: CandleRow | None, new: CandleRow) -> CandleRow:
    return new if old is None or old.start != new.start else merge((old, new))


def merge(candles: Iterable[CandleRow]) -> CandleRow:
    """Merge one or more consecutive candles into one that starts with the first."""
    parts = list(candles)
    first, last = parts[0], parts[-1]
    return CandleRow(
        first.start,
        first.open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        last.close,
        sum(part.base_volume for part in parts),
        sum(part.quote_volume for part in parts),
        sum(part.trades for part in parts),
    )
