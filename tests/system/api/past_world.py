"""A world with past blocks, and readers of its journal and state text that use no database.

`PastWorld` has 160 blocks with all actions of traders and the operator, malformed input, quiet blocks and jumps in
time. It stores the state text after each block; `Journal` interprets journal lines in the simplest way.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from flask.testing import FlaskClient

from settlement.core.events import HIVE, HIVE_ENGINE, Action, BlockHeader, Event, Movement
from settlement.core.journal.state_text import state_text
from tests.system.api.world import START_BLOCK, World, block_id

NAMES = ("alice", "bob", "carol", "dave")
STRANGER = "mallory"
QUOTES = {"SWAP.HIVE": "0.01{:02}", "HBD": "0.2{:02}", "SWAP.BTC": "0.000000{:02}"}
PRECISION = {"PEK": 8, "SWAP.HIVE": 8, "SWAP.BTC": 8, "HBD": 3}
PRICE_DECIMALS = {"SWAP.HIVE": 6, "SWAP.BTC": 11, "HBD": 3}
ESCROW = {
    "PEK": "peakedex.pek",
    "SWAP.HIVE": "peakedex.hive",
    "SWAP.BTC": "peakedex.btc",
    "HBD": "peakedex.hbd",
}
BLOCKS = 160
JUMPS = (3, 3, 3, 3, 9, 57, 600, 3_600, 20_000, 86_400)


class PastWorld:
    """The world, and the text of the state after each block."""

    def __init__(self, folder: Path, seed: int = 5) -> None:
        self.world = World(folder)
        self.states: dict[int, str] = {START_BLOCK - 1: state_text(self.world.rules.state)}
        self._chance = random.Random(seed)
        self._batch: list[Any] = []
        self._block([])
        self._block([self.world.deposit(name, token, "5000000") for name in NAMES for token in PRECISION])
        for _ in range(BLOCKS - 3):
            quiet = self._chance.random() < 0.3
            self._block([] if quiet else [self._event() for _ in range(self._chance.randrange(1, 7))])
        self._block([], flush=True)

    def state(self, block: int | None) -> StateText:
        """The state text at the end of a block; None for the newest one."""
        return StateText(self.states[self.world.block if block is None else block])

    def _block(self, events: list[Event], flush: bool = False) -> None:
        world = self.world
        world.time += self._chance.choice(JUMPS)
        number = world.rules.next_block()
        self._batch.append(world.rules.apply(BlockHeader(number, block_id(number), world.time), events))
        self.states[number] = state_text(world.rules.state)
        if flush or self._chance.random() < 0.4:
            world.projector.record(self._batch)
            self._batch = []

    def _event(self) -> Event:
        dice = self._chance.random()
        if dice < 0.10:
            return self._money_in()
        if dice < 0.25:
            return self._money_out()
        return self._order()

    def _money_in(self) -> Event:
        chance, world = self._chance, self.world
        if chance.random() < 0.4:
            return Movement(world.id(), HIVE_ENGINE, STRANGER, "peakedex.pek", "DÜST", "1.50", None)
        return world.deposit(
            chance.choice(NAMES), chance.choice(list(PRECISION)), f"{chance.randrange(1, 99)}"
        )

    def _money_out(self) -> Event:
        chance, world = self._chance, self.world
        pending = list(world.rules.state.withdrawals.by_id.values())
        dice = chance.random()
        if dice < 0.4 and pending:
            claim = chance.choice(pending)
            symbol, memo = claim.balance.symbol, claim.memo or f"peakedex:{claim.id}"
            quantity = Fraction(claim.amount, 10 ** PRECISION[symbol])
            text = f"{float(quantity):.3f}" if symbol == "HBD" else f"{float(quantity):.8f}"
            chain = HIVE if symbol == "HBD" else HIVE_ENGINE
            return Movement(world.id(), chain, ESCROW[symbol], claim.to, symbol, text, memo)
        if dice < 0.5 and pending:
            return world.action("peakecoin", "returnWithdrawal", id=chance.choice(pending).id)
        if dice < 0.6:
            return Movement(world.id(), HIVE_ENGINE, "peakedex.pek", STRANGER, "PEK", "0.5", "why?")
        symbol = chance.choice(list(PRECISION))
        return world.action(
            chance.choice(NAMES), "withdraw", symbol=symbol, quantity=f"{chance.randrange(1, 40)}.5"
        )

    def _order(self) -> Action:
        chance, world = self._chance, self.world
        signer, quote = chance.choice(NAMES), chance.choice(list(QUOTES))
        dice = chance.random()
        if dice < 0.12 and world.rules.state.orders:
            order = chance.choice(list(world.rules.state.orders.values()))
            return world.action(order.account.name, "cancel", id=order.id)
        if dice < 0.2:
            name = chance.choice(("marketBuy", "marketSell"))
            return world.action(signer, name, symbol="PEK", quote=quote, quantity="3000")
        more: dict[str, object] = {}
        if chance.random() < 0.3:
            more["expiration"] = chance.choice((5, 500, 50_000))
        return world.action(
            signer,
            chance.choice(("buy", "sell")),
            symbol="PEK",
            quote=quote,
            quantity=str(1000 * chance.randrange(1, 20)),
            price=QUOTES[quote].format(chance.randrange(1, 100)),
            settle=chance.choice(("venue", "venue", "wallet")),
            **more,
        )


class Trade(NamedTuple):
    n: int
    block: int
    timestamp: int
    pair: str
    taker: str
    maker: str
    price: int
    quantity: int
    quote_amount: int


class Journal:
    """Interpreter of journal lines."""

    def __init__(self, text: str) -> None:
        self.lines: list[tuple[int, list[str]]] = []
        self.times: dict[int, str] = {}
        self.trades: list[Trade] = []
        self.orders: dict[str, tuple[int, list[str]]] = {}
        self.closed: dict[str, tuple[int, str]] = {}
        block, time = 0, ""
        for line in text.splitlines():
            kind, *fields = line.split(" ")
            if kind == "block":
                block, time = int(fields[0]), fields[2]
                self.times[block] = time
            self.lines.append((block, [kind, *fields]))
            if kind == "order":
                self.orders[fields[0]] = (block, fields)
            elif kind == "close":
                self.closed[fields[0]] = (block, fields[1])
            elif kind == "trade":
                n, taker, maker, _, _, pair, price, quantity, quote_amount, _, _ = fields
                figures = (int(price), int(quantity), int(quote_amount))
                self.trades.append(Trade(int(n), block, seconds(time), pair, taker, maker, *figures))

    def of_kind(self, kind: str) -> list[tuple[int, list[str]]]:
        return [(block, fields) for block, (name, *fields) in self.lines if name == kind]


class StateText:
    """Interpreter of a state text."""

    def __init__(self, text: str) -> None:
        self.balances: dict[str, dict[str, list[int]]] = defaultdict(dict)
        self.orders: list[list[str]] = []
        self.pending: list[list[str]] = []
        self.due: list[list[str]] = []
        self.holdings: dict[str, int] = {}
        for line in text.splitlines()[2:]:
            kind, *fields = line.split(" ")
            if kind == "balance":
                self.balances[fields[0]][fields[1]] = [int(field) for field in fields[2:]]
            elif kind == "order":
                self.orders.append(fields)
            elif kind == "withdrawal":
                self.pending.append(fields)
            elif kind == "refund":
                self.due.append(fields)
            elif kind == "escrow":
                self.holdings[fields[0]] = int(fields[1])

    def book(self, pair: str, side: str) -> list[tuple[int, int, int]]:
        """Price, remaining and number of orders by level, best first."""
        levels: dict[int, list[int]] = defaultdict(list)
        for _, _, _, name, its_side, price, remaining, *_ in self.orders:
            if (name, its_side) == (pair, side):
                levels[int(price)].append(int(remaining))
        prices = sorted(levels, reverse=side == "buy")
        return [(price, sum(levels[price]), len(levels[price])) for price in prices]


def seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp())


def show(units: int, decimals: int) -> str:
    """Units as decimal text."""
    sign, digits = ("-" if units < 0 else ""), f"{abs(units):0{decimals + 1}d}"
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def at(block: int | None, separator: str = "&") -> str:
    """The `block` parameter; empty for the newest block."""
    return "" if block is None else f"{separator}block={block}"


def everything(client: FlaskClient, path: str, name: str, limit: int = 37) -> list[dict[str, Any]]:
    """A list, page by page."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        body = client.get(f"{path}&limit={limit}{cursor}").json
        rows += body[name]
        if body["next_cursor"] is None:
            return rows
        cursor = f"&cursor={body['next_cursor']}"


def without_block(text: str) -> list[str]:
    """A state's lines but for the one that names the block."""
    return [line for line in text.splitlines() if not line.startswith("block ")]
