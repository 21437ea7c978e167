"""Account statement of a period: opening balances, entries with running balances, closing balances, cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from sqlalchemy import Connection

from settlement.store.read.accounts.balances import BalanceRow, read_balances
from settlement.store.read.key_ranges import FETCH_ROWS, BlockRange
from settlement.store.read.position import read_earliest_block
from settlement.store.read.statement.cost_basis import METHODS, CostBasis, Realised
from settlement.store.read.statement.entries import Entry, Holder, Period, open_period, stream_entries

IN_BLOCK_BITS: Final = 30
"""A place of an entry is the block's number and, in this many bits, its number in the block."""


class StatementError(RuntimeError):
    """The entries do not add up to the ledger's balances: the database is damaged."""


class TooLong(ValueError):
    """The history has more entries than were asked for."""


class Line(NamedTuple):
    """An entry with the balances after it, of the tokens that it changed."""

    place: int
    entry: Entry
    balances: tuple[int, ...]  # units, one for each of the entry's changes
    realised: tuple[Realised, ...] | None = None  # of a sale, by each of METHODS; None if not asked for


@dataclass(frozen=True)
class Statement:
    """The statement of one account. Everything is read from one snapshot of the database."""

    connection: Connection
    holder: Holder
    period: Period
    tip: int  # the newest block

    def balances(self, block: int) -> list[BalanceRow]:
        """The account's balances at the end of a block, by symbol."""
        if not self.holder.id:
            return []
        return read_balances(self.connection, self.holder.id, None if block == self.tip else block)

    @cached_property
    def opening(self) -> list[BalanceRow]:
        return self.balances(self.period.blocks.first - 1)

    @cached_property
    def closing(self) -> list[BalanceRow]:
        return self.balances(self.period.blocks.last)

    def lines(
        self, place: int = 0, rows: int = FETCH_ROWS, bases: tuple[CostBasis, ...] = ()
    ) -> Iterator[Line]:
        """Stream the entries from a place on, with running balances, which are checked at the end.

        `bases`: what `cost_bases` returns, or none. Raises StatementError.
        """
        first = max(self.period.blocks.first, place >> IN_BLOCK_BITS)
        is_whole = first == self.period.blocks.first
        held = _totals(self.opening if is_whole else self.balances(first - 1))
        block, number = 0, 0
        for entry in stream_entries(self.connection, self.holder, self.period, first, rows):
            number = number + 1 if entry.block == block else 0
            block = entry.block
            for change in entry.changes:
                held[change.symbol] = held.get(change.symbol, 0) + change.units
            line = Line(
                (block << IN_BLOCK_BITS) + number,
                entry,
                tuple(held[change.symbol] for change in entry.changes),
                _realise(bases, entry),
            )
            if line.place >= place:
                yield line
        self._check(held)

    def _check(self, held: Mapping[str, int]) -> None:
        closing = _totals(self.closing)
        for symbol in sorted({*held, *closing}):
            if held.get(symbol, 0) != closing.get(symbol, 0):
                raise StatementError(
                    f"the entries of {self.holder.name} give {held.get(symbol, 0)} units of {symbol} "
                    f"at block {self.period.blocks.last}, the ledger {closing.get(symbol, 0)}: "
                    "run `peakedex doctor`"
                )

    def cost_bases(self, max_entries: int | None = None) -> tuple[CostBasis, ...]:
        """The lots of the account when the period begins, by each of METHODS, from its whole history.

        Raises TooLong if the history before has more entries than `max_entries`.
        """
        start = read_earliest_block(self.connection)
        bases = tuple(CostBasis(method) for method in METHODS)
        for row in self.opening if start == self.period.blocks.first - 1 else self.balances(start):
            for basis in bases:
                basis.receive(row.symbol, row.available + row.locked + row.withdrawing)
        earlier = BlockRange(start + 1, self.period.blocks.first - 1)
        if earlier.first <= earlier.last:
            before = open_period(self.connection, earlier)
            for count, entry in enumerate(stream_entries(self.connection, self.holder, before)):
                if count == max_entries:
                    raise TooLong
                _realise(bases, entry)
        for basis in bases:
            basis.reset()
        return bases


def _realise(bases: tuple[CostBasis, ...], entry: Entry) -> tuple[Realised, ...] | None:
    results = [basis.add(entry) for basis in bases]
    found = tuple(result for result in results if result is not None)
    return found or None


def _totals(rows: list[BalanceRow]) -> dict[str, int]:
    return {row.symbol: row.available + row.locked + row.withdrawing for row in rows}
