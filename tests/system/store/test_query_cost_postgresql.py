"""The cost of queries does not grow with history on PostgreSQL: counted in pages that the plan touches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event

from settlement.store.dialect import gather_statistics
from tests.support import databases
from tests.system.api.world import START_BLOCK
from tests.system.store.test_query_cost_sqlite import QUESTIONS, Market

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)

SHORT, LONG = 2_000, 10_000
AT_MOST = 1.8
OF_SMALL_TABLES = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
"""Ways to read a whole table, which pay for those that fit a few pages; large ones are read by index anyway."""


def pages(connection: Connection, question: Callable[[], object]) -> int:
    """Pages, in memory or on disk, that the statements of a query touch."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        question()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    count = 0
    for statement, parameters in asked:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}"
        (explained,) = connection.exec_driver_sql(explain, parameters).scalar_one()
        plan = explained["Plan"]
        count += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return count


def costs(market: Market, blocks: int) -> dict[str, int]:
    """The highest cost of each query over several blocks."""
    with market.engine.begin() as connection:
        gather_statistics(connection)
    places = [START_BLOCK + blocks * part // 4 - 1 for part in range(1, 5)]
    with market.engine.connect() as connection:
        for setting in OF_SMALL_TABLES:
            connection.exec_driver_sql(f"SET {setting} = off")
        return {
            name: max(pages(connection, partial(ask, connection, n)) for n in places)
            for name, ask in QUESTIONS.items()
        }


@pytest.fixture(scope="module")
def measured(
    database_kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    assert not databases.is_sqlite()
    market = Market(tmp_path_factory.mktemp("growth"))
    market.go_on(SHORT)
    few = costs(market, SHORT)
    market.go_on(LONG)
    yield few, costs(market, LONG)
    market.close()
    databases.drop(market.path)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_query_touches_as_many_pages_after_five_times_the_history(
    measured: tuple[dict[str, int], dict[str, int]], name: str
) -> None:
    few, many = measured
    assert few[name] > 0, "it asked nothing"
    assert many[name] <= AT_MOST * few[name], f"{few[name]} pages at {SHORT}, {many[name]} at {LONG}"
