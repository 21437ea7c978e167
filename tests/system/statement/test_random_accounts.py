"""Statements of 10,000 random accounts add up to the balances of the rules, to the unit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice

import pytest
from sqlalchemy import Connection

from settlement.core.parsing.names import encode
from settlement.store.read.key_ranges import BlockRange
from settlement.store.read.position import read_earliest_block, read_position
from settlement.store.read.statement.cost_basis import CostBasis
from settlement.store.read.statement.entries import KINDS, Period, find_holder, open_period
from settlement.store.read.statement.statement import Line, Statement
from tests.system.statement.crowd import Crowd

ACCOUNTS = 10_000
SPLIT = 40  # accounts whose history is also read in parts


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    crowd = Crowd(tmp_path_factory.mktemp("crowd"), ACCOUNTS, seed=1)
    crowd.fill()
    yield crowd
    crowd.world.close()


@pytest.fixture(scope="module")
def connection(crowd: Crowd) -> Iterator[Connection]:
    with crowd.world.engine.connect() as connection:
        yield connection


def statement(connection: Connection, name: str, period: Period) -> Statement:
    at = read_position(connection)
    assert at is not None
    return Statement(connection, find_holder(connection, encode(name)), period, at.block)


def held(crowd: Crowd, name: str) -> dict[str, int]:
    """What an account holds of each token by the rules."""
    balances = crowd.world.rules.state.account(name).balances.values()
    return {balance.symbol: sum(balance.buckets[:3]) for balance in balances if any(balance.buckets[:3])}


def whole(connection: Connection) -> BlockRange:
    at = read_position(connection)
    assert at is not None
    return BlockRange(read_earliest_block(connection) + 1, at.block)


def check_lots(found: Statement, bases: tuple[CostBasis, ...], sums: dict[str, int]) -> None:
    """All units held have a lot, by each method; no cost is lost or invented."""
    for basis in bases:
        for symbol, units in sums.items():
            lots = basis.held(symbol)
            assert sum(lot.units for lot in lots) == units
            assert all(lot.cost >= 0 and (lot.quote is not None or lot.cost == 0) for lot in lots)
        for result in basis.realised.values():
            assert min(result) >= 0


def test_statements_of_10_000_accounts_add_up_exactly(crowd: Crowd, connection: Connection) -> None:
    period = open_period(connection, whole(connection))
    kinds: Counter[str] = Counter()
    for name in crowd.names:
        found = statement(connection, name, period)
        assert found.opening == []
        bases = found.cost_bases()
        sums: defaultdict[str, int] = defaultdict(int)
        for line in found.lines(bases=bases):
            kinds[line.entry.kind] += 1
            for change, balance in zip(line.entry.changes, line.balances, strict=True):
                sums[change.symbol] += change.units
                assert balance == sums[change.symbol] >= 0
        assert {symbol: units for symbol, units in sums.items() if units} == held(crowd, name)
        check_lots(found, bases, sums)
    assert len(crowd.names) >= ACCOUNTS
    assert min(kinds[kind] for kind in KINDS) > 100, kinds


def test_parts_of_a_statement_are_the_whole(crowd: Crowd, connection: Connection) -> None:
    """Two periods that meet, and pages of any size, give the same entries and balances as one."""
    random, blocks = crowd.random, whole(connection)
    period = open_period(connection, blocks)
    border = random.randint(blocks.first + 1, blocks.first + 60)
    halves = [
        open_period(connection, BlockRange(blocks.first, border)),
        open_period(connection, BlockRange(border + 1, blocks.last)),
    ]
    for name in [*random.sample(crowd.names, SPLIT), "peakecoin.fees", "fees-2"]:
        found = statement(connection, name, period)
        bases = found.cost_bases()
        expected = list(found.lines(bases=bases))
        first, second = (statement(connection, name, half) for half in halves)
        assert first.closing == second.opening
        middle = second.cost_bases()
        assert [*first.lines(bases=first.cost_bases()), *second.lines(bases=middle)] == expected
        assert [basis.held("PEK") for basis in middle] == [basis.held("PEK") for basis in bases]
        paged = in_pages(found, random.randint(1, 5), pages=12)
        assert [line[:3] for line in paged] == [line[:3] for line in expected[: len(paged)]]
        assert paged == [] or len(paged) == len(expected) or len(paged) >= 12


def in_pages(found: Statement, size: int, pages: int) -> list[Line]:
    """The lines of the first pages, read one by one as a client of the API does."""
    lines: list[Line] = []
    place = 0
    for _ in range(pages):
        page = list(islice(found.lines(place, rows=size), size))
        lines += page
        if len(page) < size:
            break
        place = page[-1].place + 1
    return lines
