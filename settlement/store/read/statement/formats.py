"""Statement files: our own CSV, and the CSV that Koinly and CoinTracking import.

`csv`: a row a balance change, between opening and closing balances, so that the changes add up in a
spreadsheet.

`koinly`: the columns of Koinly's universal template (Koinly's help, "How to create a custom CSV file with
your data"): what was sent and received without the fee, which Koinly deducts itself.

`cointracking`: the columns of CoinTracking's CSV import. Amounts include the fee, and its own column is for
information (CoinTracking's help, "Entering fees").

Neither import has rows for refunds, which were never credited.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from settlement.core.parsing.amounts import show_units
from settlement.store.read.accounts.balances import BalanceRow
from settlement.store.read.statement.cost_basis import METHODS, CostBasis
from settlement.store.read.statement.entries import BUY, DEPOSIT, FEE_INCOME, Change
from settlement.store.read.statement.statement import Line, Statement
from settlement.store.read.statement.view import show_fill, show_realised, show_time

EXCHANGE: Final = "Peake DEX"
ROWS_OF_PART: Final = 500
"""Rows of a file that are written at a time."""
Row = Sequence[str]
_REALISED: Final = ("proceeds", "cost", "profit", "unknown_sold", "unknown_proceeds")
_FILL: Final = ("role", "price", "amount", "quote_amount", "fee", "fee_symbol", "order")
_COLUMNS: Final = (
    *("time", "block", "type", "id", "symbol", "change", "balance", "pair", *_FILL, "paid_by", "to"),
    *(f"{method}_{name}" for method in METHODS for name in _REALISED),
)
_KOINLY: Final = (
    *("Date", "Sent Amount", "Sent Currency", "Received Amount", "Received Currency"),
    *(
        "Fee Amount",
        "Fee Currency",
        "Net Worth Amount",
        "Net Worth Currency",
        "Label",
        "Description",
        "TxHash",
    ),
)
_COINTRACKING: Final = (
    *("Type", "Buy Amount", "Buy Currency", "Sell Amount", "Sell Currency", "Fee", "Fee Currency"),
    *("Exchange", "Trade-Group", "Comment", "Date", "Tx-ID"),
)


class Format(NamedTuple):
    """A CSV format: its columns, the rows of an entry, and whether it shows balances and profit."""

    columns: Row
    rows: Callable[[Line], Iterable[Row]]
    is_whole: bool = False


def _own_rows(line: Line) -> Iterator[Row]:
    """A row a change, the first with the details, so that fees add up; a refund has one row too."""
    entry = line.entry
    fill: Sequence[str] = [""] * (1 + len(_FILL))
    if entry.fill is not None:
        shown = show_fill(line)
        fill = [f"{entry.fill.pair.base}/{entry.fill.pair.quote}", *(shown[name] for name in _FILL)]
    elif entry.quantity is not None:
        fill = ["", "", "", entry.quantity, *[""] * 4]
    head = [show_time(entry.timestamp), str(entry.block), entry.kind, entry.id]
    details = [*fill, entry.paid_by or "", entry.to or "", *_realised(line)]
    if not entry.changes:
        yield [*head, entry.symbol or "", "", "", *details]
    for change, balance in zip(entry.changes, line.balances, strict=True):
        amounts = [show_units(units, change.precision) for units in (change.units, balance)]
        yield [*head, change.symbol, *amounts, *details]
        details = [""] * len(details)


def _realised(line: Line) -> list[str]:
    fill = line.entry.fill
    if line.realised is None or fill is None:
        return [""] * len(METHODS) * len(_REALISED)
    shown = (show_realised(it, fill.pair.base_precision, fill.pair.quote_precision) for it in line.realised)
    return [values[name] for values in shown for name in _REALISED]


def _balance_rows(kind: str, block: int, balances: Iterable[BalanceRow]) -> Iterator[Row]:
    for row in balances:
        total = show_units(row.available + row.locked + row.withdrawing, row.precision)
        fields = ["", str(block), kind, "", row.symbol, "", total]
        yield [*fields, *[""] * (len(_COLUMNS) - len(fields))]


def _koinly_rows(line: Line) -> Iterator[Row]:
    entry, fill = line.entry, line.entry.fill
    date = _date(line)
    if fill is not None:
        shown = show_fill(line)
        base, quote = (shown["amount"], fill.pair.base), (shown["quote_amount"], fill.pair.quote)
        sent, received = (quote, base) if entry.kind == BUY else (base, quote)
        fee = (shown["fee"], shown["fee_symbol"]) if fill.fee else ("", "")
        about = f"{entry.kind} {fill.pair.base}/{fill.pair.quote}, trade {entry.id}"
        yield [date, *sent, *received, *fee, "", "", "", about, _transaction(fill.order)]
        return
    label = "income" if entry.kind == FEE_INCOME else ""
    for change in entry.changes:
        moved = _amount(change)
        sides = ["", "", *moved] if change.units > 0 else [*moved, "", ""]
        tx = _transaction(entry.paid_by or entry.id) if entry.kind != FEE_INCOME else ""
        yield [date, *sides, "", "", "", "", label, entry.kind.replace("_", " "), tx]


def _cointracking_rows(line: Line) -> Iterator[Row]:
    entry, fill = line.entry, line.entry.fill
    if fill is not None:
        bought, sold = sorted(entry.changes, key=lambda change: -change.units)
        shown = show_fill(line)
        fee = (shown["fee"], shown["fee_symbol"]) if fill.fee else ("", "")
        about = f"trade {entry.id}, {fill.role}"
        sides = (*_amount(bought), *_amount(sold))
        yield ["Trade", *sides, *fee, EXCHANGE, "", about, _date(line), _transaction(fill.order)]
        return
    kind = {DEPOSIT: "Deposit", FEE_INCOME: "Income"}.get(entry.kind, "Withdrawal")
    for change in entry.changes:
        moved = _amount(change)
        sides = (*moved, "", "") if change.units > 0 else ("", "", *moved)
        tx = _transaction(entry.paid_by or entry.id) if entry.kind != FEE_INCOME else ""
        yield [kind, *sides, "", "", EXCHANGE, "", entry.kind.replace("_", " "), _date(line), tx]


def _amount(change: Change) -> tuple[str, str]:
    return show_units(abs(change.units), change.precision), change.symbol


def _date(line: Line) -> str:
    """UTC, as both imports read it."""
    return show_time(line.entry.timestamp).replace("T", " ").replace("Z", "")


def _transaction(id_: str) -> str:
    """The transaction of a movement or intent: its id without position."""
    return id_.split("-", 1)[0].split(".", 1)[0].split("~", 1)[0]


FORMATS: Final = {
    "csv": Format(_COLUMNS, _own_rows, is_whole=True),
    "koinly": Format(_KOINLY, _koinly_rows),
    "cointracking": Format(_COINTRACKING, _cointracking_rows),
}


def csv_text(statement: Statement, form: str, bases: tuple[CostBasis, ...]) -> Iterator[str]:
    """Stream the file of a statement, some hundred rows at a time. Lines end with LF.

    `bases`: what `Statement.cost_bases` returns; without them the columns about profit are empty.
    """
    format_, blocks = FORMATS[form], statement.period.blocks
    rows: Iterator[Row] = chain.from_iterable(map(format_.rows, statement.lines(bases=bases)))
    if format_.is_whole:
        opening = _balance_rows("opening_balance", blocks.first - 1, statement.opening)
        closing = _balance_rows("closing_balance", blocks.last, statement.closing)
        rows = chain(opening, rows, closing)
    rows = chain([format_.columns], rows)
    while part := list(islice(rows, ROWS_OF_PART)):
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(part)
        yield text.getvalue()
