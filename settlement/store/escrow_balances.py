"""Real balances of the escrow accounts, as nodes told them to this indexer. Not part of the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine, delete, insert

from settlement.core.parsing.amounts import integer_text
from settlement.store import schema


class EscrowBalance(NamedTuple):
    """What a token's escrow account held after a block."""

    symbol: str
    units: int
    block: int  # the newest one that the node had executed
    updated: int  # seconds since 1970


def write_balances(engine: Engine, balances: Sequence[EscrowBalance]) -> None:
    """Replace the balances of these tokens, in a transaction of its own."""
    if not balances:
        return
    b = schema.escrow_balances
    rows = [row._asdict() | {"units": integer_text(row.units)} for row in balances]
    with engine.begin() as connection:
        connection.execute(delete(b).where(b.c.symbol.in_([row.symbol for row in balances])))
        connection.execute(insert(b), rows)
