"""Aggregates trades into candles of minutes, hours and days of block time."""

from __future__ import annotations

from collections.abc import Iterator

from settlement.store import schema
from settlement.store.read.wide_sums import split_parts
from settlement.store.write.statements import Row

_MINUTE, *_LONGER = schema.CANDLES
_Candle = list[int]  # open, high, low, close, base units, quote units, trades


class Candles:
    """Candles of a batch of trades in order; the upsert adds them to the candles in the database."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[int, int], _Candle] = {}

    def add(self, pair: int, timestamp: int, price: int, quantity: int, quote_amount: int) -> None:
        key = (pair, timestamp - timestamp % _MINUTE)
        sums = self._minutes.get(key)
        if sums is None:
            self._minutes[key] = [price, price, price, price, quantity, quote_amount, 1]
            return
        if price > sums[1]:
            sums[1] = price
        elif price < sums[2]:
            sums[2] = price
        sums[3] = price
        sums[4] += quantity
        sums[5] += quote_amount
        sums[6] += 1

    def rows(self) -> list[Row]:
        """Rows of the table `candles`, of all its intervals."""
        return [*_rows(_MINUTE, self._minutes), *(row for each in _LONGER for row in self._longer(each))]

    def _longer(self, interval: int) -> Iterator[Row]:
        longer: dict[tuple[int, int], _Candle] = {}
        for (pair, start), sums in self._minutes.items():
            key = (pair, start - start % interval)
            into = longer.get(key)
            if into is None:
                longer[key] = list(sums)
            else:
                into[1:4] = max(into[1], sums[1]), min(into[2], sums[2]), sums[3]
                into[4:] = (ours + more for ours, more in zip(into[4:], sums[4:], strict=True))
        return _rows(interval, longer)


def _rows(interval: int, candles: dict[tuple[int, int], _Candle]) -> Iterator[Row]:
    for (pair, start), (*prices, base, quote, trades) in candles.items():
        yield (pair, interval, start, *prices, *split_parts(base), *split_parts(quote), trades)
