"""The cost of queries does not grow with history: counted in instructions of SQLite's virtual machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from settlement.core.events import HIVE_ENGINE, Action, Event, Movement
from settlement.store import schema
from settlement.store.read.accounts.balances import read_balances
from settlement.store.read.accounts.deposits import list_deposits
from settlement.store.read.accounts.grants import list_grants_to, read_grants
from settlement.store.read.accounts.intents import list_intents
from settlement.store.read.accounts.orders import OrderFilter, find_orders, list_orders
from settlement.store.read.accounts.timers import read_timers
from settlement.store.read.accounts.transfers import list_transfers
from settlement.store.read.accounts.withdrawals import WithdrawalFilter, list_withdrawals
from settlement.store.read.audit.solvency import read_solvency
from settlement.store.read.audit.state_at_block import read_state_text
from settlement.store.read.market.candles import INTERVALS, read_candles
from settlement.store.read.market.marks import read_window
from settlement.store.read.market.order_book import read_levels
from settlement.store.read.market.ticker import read_day_stats, read_prices
from settlement.store.read.market.trades import list_account_trades
from settlement.store.read.venue import find_account
from settlement.store.write.loader import load_from
from tests.system.api.world import START_BLOCK, World, transaction

SHORT, LONG = 2_000, 50_000
AT_MOST = 2.0
A_BATCH = 1_000
SECONDS = 45  # a block: a day is over before the short history is, orders live longer than the long one

Question = Callable[[Connection, int], Any]


class Market(World):
    """One thing happens in each block, again and again: orders rest, are filled in part, cancelled and filled
    whole, stops wait and are cancelled, grants and timers are set anew, money comes and goes. Five orders stay open
    for long, and as many stops and withdrawals."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.resting: list[str] = []
        self.pending: list[str] = []
        self.stops: list[str] = []
        self.turn = 0
        self.apply(
            self.deposit("alice", "PEK", "90000000"),
            self.deposit("bob", "SWAP.HIVE", "90000000"),
            self.deposit("carol", "PEK", "100"),
        )
        self.apply(*(self.order("alice", "sell", "1000000", f"0.0{n}") for n in range(2, 7)))
        self.apply(self.order("bob", "buy", "1", "0.02"))
        for _ in range(5):
            self.pending.append(self.withdrawal())
            self.apply(self.stop())
        self.apply(self.grant("posting"), self.grant("carol"))

    def withdrawal(self) -> str:
        action = self.action("carol", "withdraw", symbol="PEK", quantity="0.0001")
        self.apply(action)
        return action.id

    def stop(self) -> Action:
        action = self.order("alice", "sell", "2", "0.01", triggerPrice="0.001", triggerWhen="below")
        self.stops.append(action.id)
        return action

    def grant(self, to: str) -> Action:
        return self.action(
            "alice",
            "grant",
            to=to,
            pairs=["PEK/SWAP.HIVE"],
            perDay={"PEK": "9000000"},
            bandBps=10_000,
            until=self.time + 2_000_000,
        )

    def go_on(self, until: int) -> None:
        """So many blocks of history, in batches."""
        while (left := until - (self.block + 1 - START_BLOCK)) > 0:
            self.apply_all(([self.happens()] for _ in range(min(left, A_BATCH))), SECONDS)

    def happens(self) -> Event:
        kind, self.turn = self.turn % 16, self.turn + 1
        if kind in (0, 1, 2):
            is_granted = kind == 0
            owner: dict[str, Any] = {"for": "alice"} if is_granted else {}
            order = self.order(
                "carol" if is_granted else "alice",
                "sell",
                "3",
                f"0.01{self.turn // 16 % 7}",
                **owner,
            )
            self.resting.append(order.id)
            return order
        if kind in (3, 4):
            return self.order("bob", "buy", "1", "0.02")
        if kind in (5, 6, 7):
            return self.action("alice", "cancel", id=self.resting.pop(0))
        if kind == 8:
            action = self.action("carol", "withdraw", symbol="PEK", quantity="0.00000001")
            self.pending.append(action.id)
            return action
        if kind == 9:
            return self.paid(self.pending.pop(5))
        return self.happens_with_stops(kind)

    def happens_with_stops(self, kind: int) -> Event:
        if kind in (10, 11):
            return self.stop()
        if kind in (12, 13):
            return self.action("alice", "cancel", id=self.stops.pop(5))
        if kind == 14:
            if self.turn % 32 < 16:
                return self.grant("carol")
            return self.action("alice", "cancelAllAfter", seconds=60 * 60 * 24)
        return self.deposit("mallory", "NOPE", "1")

    def paid(self, claim: str) -> Movement:
        memo = f"peakedex:{claim}"
        return Movement(self.id(), HIVE_ENGINE, "peakedex.pek", "carol", "PEK", "0.00000001", memo)


def who(connection: Connection, name: str) -> int:
    account = find_account(connection, name)
    assert account is not None
    return account


QUESTIONS: dict[str, Question] = {
    "balances": lambda c, n: read_balances(c, who(c, "bob"), n),
    "bids": lambda c, n: read_levels(c, 1, True, 50, n),
    "asks": lambda c, n: read_levels(c, 1, False, 50, n),
    "open orders": lambda c, n: list_orders(c, OrderFilter(status=schema.OPEN), None, 20, n),
    "open orders of a pair": lambda c, n: list_orders(c, OrderFilter(None, 1, schema.OPEN), None, 20, n),
    "open orders of an account": lambda c, n: list_orders(
        c, OrderFilter(who(c, "alice"), None, 0), None, 20, n
    ),
    "orders of an account": lambda c, n: list_orders(c, OrderFilter(who(c, "alice")), None, 20, n),
    "one order": lambda c, n: find_orders(c, transaction(5), n),
    "waiting stops": lambda c, n: list_orders(c, OrderFilter(status=schema.WAITING), None, 20, n),
    "waiting stops of an account": lambda c, n: list_orders(
        c, OrderFilter(who(c, "alice"), None, schema.WAITING), None, 20, n
    ),
    "waiting stops now": lambda c, n: list_orders(c, OrderFilter(status=schema.WAITING), None, 20),
    "waiting stops of a pair now": lambda c, n: list_orders(
        c, OrderFilter(None, 1, schema.WAITING), None, 20
    ),
    "grants given": lambda c, n: read_grants(c, who(c, "alice"), 1_790_000_000),
    "grants received": lambda c, n: list_grants_to(c, "carol", 1_790_000_000, None, 20),
    "timers": lambda c, n: read_timers(c, who(c, "alice"), 1_790_000_000),
    "mark": lambda c, n: read_window(c, 1, n),
    "state": read_state_text,
    "day": lambda c, n: (read_day_stats(c, 1_790_000_000 + SECONDS * (n - START_BLOCK)), read_prices(c)),
    "candles": lambda c, n: [
        read_candles(c, 1, interval, 0, 1_790_000_000 + SECONDS * (n - START_BLOCK), 3)
        for interval in INTERVALS.values()
    ],
    "trades of an account": lambda c, n: list_account_trades(c, who(c, "bob"), None, None, 20),
    "trades of an account in a pair": lambda c, n: list_account_trades(c, who(c, "bob"), 1, None, 20),
    "transfers": lambda c, n: list_transfers(c, who(c, "bob"), None, 20),
    "deposits": lambda c, n: list_deposits(c, "alice", None, 20),
    "ignored arrivals": lambda c, n: list_deposits(c, "mallory", None, 2),
    "intents of a transaction": lambda c, n: list_intents(c, transaction(5), None, 20),
    "withdrawals": lambda c, n: list_withdrawals(c, WithdrawalFilter(), None, 20),
    "withdrawals of an account": lambda c, n: list_withdrawals(
        c, WithdrawalFilter(who(c, "carol")), None, 20
    ),
    "pending withdrawals": lambda c, n: list_withdrawals(c, WithdrawalFilter(None, schema.PENDING), None, 20),
    "solvency": lambda c, n: read_solvency(c),
    "start": lambda c, n: load_from(c),
}


def steps(connection: Connection, question: Callable[[], object]) -> int:
    """Instructions of SQLite's virtual machine that a query takes."""
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    driver.set_progress_handler(step, 1)
    try:
        question()
    finally:
        driver.set_progress_handler(None, 0)
    return count


def costs(market: Market, blocks: int) -> dict[str, int]:
    """The highest cost of each query over several blocks."""
    places = [START_BLOCK + blocks * part // 8 - 1 for part in range(1, 9)]
    with market.engine.connect() as connection:
        return {
            name: max(steps(connection, partial(ask, connection, n)) for n in places)
            for name, ask in QUESTIONS.items()
        }


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    market = Market(tmp_path_factory.mktemp("growth"))
    market.go_on(SHORT)
    few = costs(market, SHORT)
    market.go_on(LONG)
    yield few, costs(market, LONG)
    market.close()


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_query_costs_the_same_after_25_times_the_history(
    measured: tuple[dict[str, int], dict[str, int]], name: str
) -> None:
    few, many = measured
    assert few[name] > 20, "it asked nothing"
    assert many[name] <= AT_MOST * few[name], f"{few[name]} steps at {SHORT} blocks, {many[name]} at {LONG}"
