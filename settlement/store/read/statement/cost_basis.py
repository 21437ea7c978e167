"""Cost basis and realised profit of an account, by FIFO and by average cost. Pure, integers only.

A pair's base token is the asset, its quote token the money in which cost and proceeds are counted. A
purchase costs what was paid, for what arrived after the fee; a sale's proceeds are what arrived after the
fee. What comes in otherwise (a deposit, fee income, the proceeds of a sale, the balance before the history)
has an unknown cost, and so has, in a sale for one quote token, what was bought with another: no price is
ever guessed. Of such a part of a sale only the proceeds are counted. A withdrawal takes its part of the
cost with it.

Where an amount is split, its parts are rounded down and what is left keeps the rest: nothing is lost.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from settlement.store.read.statement.entries import BUY, SELL, WITHDRAWAL, Entry


class Lot(NamedTuple):
    """Units with the quote units paid for them."""

    units: int
    quote: str | None  # symbol in which the cost is counted; None if it is unknown
    cost: int


class Lots(Protocol):
    """What an account holds of one token, with its cost."""

    def put(self, lot: Lot) -> None: ...

    def take(self, units: int) -> list[Lot]: ...

    def all(self) -> list[Lot]: ...


class FifoLots:
    """Lots in the order in which they came; the oldest leave first."""

    def __init__(self) -> None:
        self._lots: deque[Lot] = deque()

    def put(self, lot: Lot) -> None:
        """Add units. Neighbours of unknown cost become one lot."""
        if lot.quote is None and self._lots and self._lots[-1].quote is None:
            lot = lot._replace(units=lot.units + self._lots.pop().units)
        self._lots.append(lot)

    def take(self, units: int) -> list[Lot]:
        """Remove units. Raises ValueError if there are not so many."""
        taken = []
        while units:
            if not self._lots:
                raise ValueError("more units leave than came in")
            first = self._lots.popleft()
            if first.units > units:
                cost = first.cost * units // first.units
                taken.append(Lot(units, first.quote, cost))
                self._lots.appendleft(Lot(first.units - units, first.quote, first.cost - cost))
                break
            taken.append(first)
            units -= first.units
        return taken

    def all(self) -> list[Lot]:
        return list(self._lots)


class AverageLots:
    """One lot for each quote token and one of unknown cost; of each its share leaves."""

    def __init__(self) -> None:
        self._lots: dict[str | None, Lot] = {}

    def put(self, lot: Lot) -> None:
        """Add units to the lot of the same quote token."""
        units, _, cost = self._lots.get(lot.quote, Lot(0, None, 0))
        self._lots[lot.quote] = Lot(units + lot.units, lot.quote, cost + lot.cost)

    def take(self, units: int) -> list[Lot]:
        """Remove units: of each lot in proportion to its size. Raises ValueError if there are not so many."""
        left = sum(lot.units for lot in self._lots.values())
        if units > left:
            raise ValueError("more units leave than came in")
        taken = []
        for lot in list(self._lots.values()):
            part = units * lot.units // left  # of the last lot this is all that is missing
            left -= lot.units
            units -= part
            if not part:
                continue
            cost = lot.cost * part // lot.units
            taken.append(Lot(part, lot.quote, cost))
            if part == lot.units:
                del self._lots[lot.quote]
            else:
                self._lots[lot.quote] = Lot(lot.units - part, lot.quote, lot.cost - cost)
        return taken

    def all(self) -> list[Lot]:
        return list(self._lots.values())


METHODS: Final[Mapping[str, type[FifoLots] | type[AverageLots]]] = {"fifo": FifoLots, "average": AverageLots}


class Realised(NamedTuple):
    """Result of a sale, or of many of one pair: base units sold and quote units.

    `profit` is `proceeds - cost`, of the units whose cost is known.
    """

    sold: int = 0
    proceeds: int = 0
    cost: int = 0
    unknown_sold: int = 0  # base units of unknown cost
    unknown_proceeds: int = 0

    @property
    def profit(self) -> int:
        return self.proceeds - self.cost

    def plus(self, other: Realised) -> Realised:
        return Realised(*(one + two for one, two in zip(self, other, strict=True)))


@dataclass
class CostBasis:
    """The lots of an account by one method, and what was realised since the last `reset`."""

    method: str  # of METHODS
    lots: dict[str, Lots] = field(default_factory=dict)  # by symbol
    realised: defaultdict[tuple[str, str], Realised] = field(  # by base and quote
        default_factory=lambda: defaultdict(Realised)
    )

    def receive(self, symbol: str, units: int) -> None:
        """Units of unknown cost."""
        if units:
            self._of(symbol).put(Lot(units, None, 0))

    def add(self, entry: Entry) -> Realised | None:
        """Count an entry; the result of a sale."""
        if entry.kind == WITHDRAWAL:
            (change,) = entry.changes
            self._of(change.symbol).take(-change.units)
        elif entry.kind == BUY:
            base, quote = entry.changes
            self._of(quote.symbol).take(-quote.units)
            self._of(base.symbol).put(Lot(base.units, quote.symbol, -quote.units))
        elif entry.kind == SELL:
            return self._sell(entry)
        else:
            for change in entry.changes:
                self.receive(change.symbol, change.units)
        return None

    def _sell(self, entry: Entry) -> Realised:
        base, quote = entry.changes
        taken = self._of(base.symbol).take(-base.units)
        known = [lot for lot in taken if lot.quote == quote.symbol]
        sold = sum(lot.units for lot in known)
        proceeds = quote.units * sold // -base.units
        result = Realised(
            sold,
            proceeds,
            sum(lot.cost for lot in known),
            -base.units - sold,
            quote.units - proceeds,
        )
        key = (base.symbol, quote.symbol)
        self.realised[key] = self.realised[key].plus(result)
        self.receive(quote.symbol, quote.units)
        return result

    def reset(self) -> None:
        """Forget what was realised so far: a period begins."""
        self.realised.clear()

    def held(self, symbol: str) -> list[Lot]:
        """What is held of a token: one lot for each quote token, and one of unknown cost."""
        sums = AverageLots()
        for lot in self._of(symbol).all():
            sums.put(lot)
        return sums.all()

    def _of(self, symbol: str) -> Lots:
        if symbol not in self.lots:
            self.lots[symbol] = METHODS[self.method]()
        return self.lots[symbol]
