"""A bulk query returns the rows of its statement."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, create_engine, func, insert, select

from settlement.store import schema
from settlement.store.read.bulk_query import BulkQuery

_t = schema.trades.c


def trade(n: int) -> dict[str, object]:
    """A row of a trade; what is not named here is 0."""
    row: dict[str, object] = dict.fromkeys(_t.keys(), 0)
    return row | {"n": n, "taker_is_buy": n % 3 == 0, "price": 2**63 - n}


@pytest.mark.parametrize("limit", [0, 1, 5, 100])
def test_the_same_rows_in_the_same_order(limit: int) -> None:
    statement = select(_t.n, _t.taker_is_buy, _t.price, func.coalesce(None, '"é\\'), _t.n)
    statement = statement.where(_t.n < bindparam("before")).order_by(_t.price).limit(bindparam("rows"))
    engine = create_engine("sqlite://")
    schema.trades.create(engine)
    with engine.begin() as connection:
        connection.execute(insert(schema.trades), [trade(n) for n in range(1, 20)])
        values = {"before": 15, "rows": limit}
        wanted = [tuple(row) for row in connection.execute(statement, values)]
        found = [tuple(row) for row in BulkQuery(statement).rows(connection, values)]
    assert len(found) == min(limit, 14)
    assert repr(found) == repr(wanted)  # True is not 1
    engine.dispose()
