"""Statements as plain values, as the API and the command show them: decimal text, times as ISO 8601."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from settlement.core.journal.lines import iso_time
from settlement.core.parsing.amounts import show_units
from settlement.core.parsing.names import decode
from settlement.store.read.accounts.balances import BalanceRow
from settlement.store.read.statement.cost_basis import METHODS, CostBasis, Realised
from settlement.store.read.statement.entries import BUY, Period
from settlement.store.read.statement.statement import Line, Statement

AVERAGE_DECIMALS: Final = 12
"""Of an average cost, which is rounded half up. Everything else is exact."""

Values = dict[str, Any]


def show_time(timestamp: int) -> str:
    return f"{iso_time(timestamp)}Z"


def show_balances(rows: Iterable[BalanceRow]) -> list[Values]:
    """Balances by symbol, with the buckets that they are made of."""
    return [
        {
            "symbol": row.symbol,
            "available": show_units(row.available, row.precision),
            "locked": show_units(row.locked, row.precision),
            "withdrawing": show_units(row.withdrawing, row.precision),
            "total": show_units(row.available + row.locked + row.withdrawing, row.precision),
        }
        for row in rows
    ]


def show_line(line: Line) -> Values:
    """An entry with the balances after it."""
    entry = line.entry
    refund = None
    if entry.symbol is not None and entry.quantity is not None:
        refund = {"symbol": decode(entry.symbol), "quantity": decode(entry.quantity)}
    return {
        "block": entry.block,
        "ts": show_time(entry.timestamp),
        "type": entry.kind,
        "id": entry.id,
        "changes": [
            {
                "symbol": change.symbol,
                "amount": show_units(change.units, change.precision),
                "balance": show_units(balance, change.precision),
            }
            for change, balance in zip(entry.changes, line.balances, strict=True)
        ],
        "fill": None if entry.fill is None else show_fill(line),
        "refund": refund,
        "paid_by": entry.paid_by,
        "to": None if entry.to is None else decode(entry.to),
    }


def show_fill(line: Line) -> Values:
    """The account's side of a trade. The fee is taken from what it received."""
    fill = line.entry.fill
    assert fill is not None
    pair, is_buy = fill.pair, line.entry.kind == BUY
    return {
        "base": pair.base,
        "quote": pair.quote,
        "role": fill.role,
        "price": show_units(fill.price, pair.price_decimals),
        "amount": show_units(fill.quantity, pair.base_precision),
        "quote_amount": show_units(fill.quote_amount, pair.quote_precision),
        "fee": show_units(fill.fee, pair.base_precision if is_buy else pair.quote_precision),
        "fee_symbol": pair.base if is_buy else pair.quote,
        "order": fill.order,
    }


def show_realised(result: Realised, base_precision: int, quote_precision: int) -> Values:
    """What was sold, of known and of unknown cost."""
    return {
        "sold": show_units(result.sold, base_precision),
        "proceeds": show_units(result.proceeds, quote_precision),
        "cost": show_units(result.cost, quote_precision),
        "profit": show_units(result.profit, quote_precision),
        "unknown_sold": show_units(result.unknown_sold, base_precision),
        "unknown_proceeds": show_units(result.unknown_proceeds, quote_precision),
    }


def show_line_with_profit(line: Line) -> Values:
    """An entry; of a sale also its result by each method."""
    shown = show_line(line)
    if line.realised is not None and line.entry.fill is not None:
        pair = line.entry.fill.pair
        shown["realised"] = {
            method: show_realised(result, pair.base_precision, pair.quote_precision)
            for method, result in zip(METHODS, line.realised, strict=True)
        }
    return shown


def show_profits(statement: Statement, bases: Sequence[CostBasis]) -> list[Values]:
    """What was realised in the period by each method, and the cost of what is held at its end.

    To be called when all entries of the period are counted.
    """
    precisions = {token.symbol: token.precision for token in statement.period.tokens.values()}
    return [
        {
            "method": basis.method,
            "sales": [
                {"base": base, "quote": quote} | show_realised(result, precisions[base], precisions[quote])
                for (base, quote), result in sorted(basis.realised.items())
            ],
            "held": _show_held(statement, basis, precisions),
        }
        for basis in bases
    ]


def _show_held(statement: Statement, basis: CostBasis, precisions: dict[str, int]) -> list[Values]:
    """What is held of each token, by the quote token in which its cost is counted; null: unknown."""
    rows = []
    for symbol in sorted({row.symbol for row in statement.closing}):
        for lot in sorted(basis.held(symbol), key=lambda lot: lot.quote or ""):
            row = {"symbol": symbol, "amount": show_units(lot.units, precisions[symbol]), "quote": lot.quote}
            if lot.quote is None:
                row |= {"cost": None, "average_cost": None}
            else:
                precision = precisions[lot.quote]
                top = lot.cost * 10 ** (precisions[symbol] + AVERAGE_DECIMALS)
                bottom = lot.units * 10**precision
                average = (2 * top + bottom) // (2 * bottom)
                row |= {
                    "cost": show_units(lot.cost, precision),
                    "average_cost": show_units(average, AVERAGE_DECIMALS),
                }
            rows.append(row)
    return rows


def show_blocks(period: Period) -> Values:
    return {"first_block": period.blocks.first, "last_block": period.blocks.last}
