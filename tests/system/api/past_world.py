"""A world with past blocks, and readers of its journal and state text that use no database.

`PastWorld` has 160 blocks with all actions of traders and the operator, malformed input, quiet blocks and jumps in
time. It stores the state text after each block; `Journal` interprets journal lines in the simplest way.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from settlement.core.events import HIVE, HIVE_ENGINE, Action, Chain, Event, Movement
from settlement.core.journal.state_text import state_text
from tests.support.api_client import ApiClient
from tests.system.api.world import START_BLOCK, World

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

    def __init__(self, folder: Path, seed: int = 5, blocks: int = BLOCKS) -> None:
        self.world = World(folder)
        self.states: dict[int, str] = {START_BLOCK - 1: state_text(self.world.rules.state)}
        self._chance = random.Random(seed)
        self._batch: list[Any] = []
        self._block([])
        self._block([self.world.deposit(name, token, "5000000") for name in NAMES for token in PRECISION])
        for _ in range(blocks - 3):
            quiet = self._chance.random() < 0.3
            self._block([] if quiet else [self._event() for _ in range(self._chance.randrange(1, 11))])
        self._block([], flush=True)

    def state(self, block: int | None) -> StateText:
        """The state text at the end of a block; None for the newest one."""
        return StateText(self.states[self.world.block if block is None else block])

    def _block(self, events: list[Event], flush: bool = False) -> None:
        world = self.world
        self._batch.append(world.decide(events, self._chance.choice(JUMPS)))
        self.states[world.block] = state_text(world.rules.state)
        if flush or self._chance.random() < 0.4:
            world.project(self._batch, live=False)
            self._batch = []

    def _event(self) -> Event:
        dice = self._chance.random()
        if dice < 0.10:
            return self._money_in()
        if dice < 0.25:
            return self._money_out()
        if dice < 0.33:
            return self._permission()
        return self._order()

    def _money_in(self) -> Event:
        chance, world = self._chance, self.world
        dice = chance.random()
        if dice < 0.2:
            return Movement(world.id(), HIVE_ENGINE, STRANGER, "peakedex.pek", "DÜST", "1.50", None)
        symbol = chance.choice(list(PRECISION))
        deposit = world.deposit(chance.choice((*NAMES, STRANGER)), symbol, f"{chance.randrange(1, 99)}")
        if dice < 0.5:
            return deposit._replace(recipient=chance.choice(list(ESCROW.values())))
        return deposit

    def _money_out(self) -> Event:
        chance, world = self._chance, self.world
        pending = self.state(None).pending
        dice = chance.random()
        if dice < 0.3 and pending:
            id_, _, symbol, amount, to, memo, _ = chance.choice(pending)
            text = show(int(amount), PRECISION[symbol])
            chain: Chain = HIVE if symbol == "HBD" else HIVE_ENGINE
            memo = f"peakedex:{id_}" if memo == "-" else memo
            return Movement(world.id(), chain, ESCROW[symbol], to, symbol, text, memo)
        if dice < 0.5 and pending:
            id_, account, *_ = chance.choice(pending)
            if chance.random() < 0.5:
                return world.action("peakecoin", "returnWithdrawal", id=id_)
            return world.action(account, "cancelWithdrawal", id=id_)
        if dice < 0.6:
            return Movement(world.id(), HIVE_ENGINE, "peakedex.pek", STRANGER, "PEK", "0.5", "why?")
        symbol = chance.choice(list(PRECISION))
        return world.action(
            chance.choice(NAMES), "withdraw", symbol=symbol, quantity=f"{chance.randrange(1, 40)}.5"
        )

    def _permission(self) -> Action:
        """Grants, timers, and what the operator may change."""
        chance, world = self._chance, self.world
        signer, dice = chance.choice(NAMES), chance.random()
        if dice < 0.5:
            return world.action(
                signer,
                "grant",
                to=chance.choice(("posting", *(name for name in NAMES if name != signer))),
                pairs=[f"PEK/{quote}" for quote in chance.sample(list(QUOTES), 2)],
                perDay={"PEK": "100000", "SWAP.HIVE": "2000"},
                bandBps=10_000,
                until=world.time + chance.choice((10, 5_000, 500_000)),
            )
        if dice < 0.75:
            return world.action(signer, "cancelAllAfter", seconds=chance.choice((0, 15, 600, 80_000)))
        if dice < 0.85:
            return world.action(signer, "revoke", to=chance.choice(("posting", *NAMES)))
        if dice < 0.95:
            return world.action("peakecoin", "updateVenue", maxOpenOrders=chance.randrange(100, 200))
        return world.action(
            "peakecoin", "checkpoint", block=START_BLOCK, stateHash="a" * 64, journalHash="b" * 64
        )

    def _order(self) -> Action:
        chance, world = self._chance, self.world
        signer, quote = chance.choice(NAMES), chance.choice(list(QUOTES))
        dice = chance.random()
        state = self.state(None)
        if dice < 0.2 and state.orders + state.stops:
            _, id_, account, *_ = chance.choice(state.orders + state.stops)
            if dice < 0.1:
                return world.action(account, "cancel", id=id_)
            return world.action(account, "replace", id=id_, quantity=str(1000 * chance.randrange(1, 20)))
        if dice < 0.28:
            name = chance.choice(("marketBuy", "marketSell"))
            return world.action(signer, name, symbol="PEK", quote=quote, quantity="3000")

        def price() -> str:
            return QUOTES[quote].format(chance.randrange(1, 100))

        side = chance.choice(("buy", "sell"))
        more: dict[str, object] = {}
        active = True
        if dice < 0.38:
            more = {"triggerPrice": price(), "triggerWhen": chance.choice(("above", "below"))}
        elif dice < 0.5:
            limit = QUOTES[quote].format("99" if side == "buy" else "01")
            more = {"stopPrice": price(), "stopLimit": limit}
        elif dice < 0.62 and state.grants:
            account, to, *_ = chance.choice(state.grants)
            active = to != "posting"
            signer, more = (to, {"for": account}) if active else (account, {})
        elif dice < 0.72:
            more = {"settle": "wallet"}
        if chance.random() < 0.3:
            more["expiration"] = chance.choice((5, 500, 50_000))
        quantity = str(1000 * chance.randrange(1, 20))
        return world.order(signer, side, quantity, price(), quote, active=active, **more)


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
    buyer_fee: int
    seller_fee: int


@dataclass
class Placed:
    """An order or stop as the journal's lines tell it; amounts in units."""

    seq: int
    id: str
    account: str
    pair: str
    side: str
    type: str
    price: int | None
    quantity: int
    expiry: int | None
    settle: str
    is_stop: bool
    block: int
    remaining: int
    locked: int
    received: int = 0
    released: int = 0
    fees: int = 0
    base: int = 0  # traded
    quote: int = 0
    status: str = "open"
    closed: int | None = None  # block
    fired: str | None = None  # what it fired: the id of an order, or a code

    def value(self, price: int, quantity: int) -> int:
        """Quote units of base units."""
        quote = self.pair.split("/")[1]
        units: int = (
            price * quantity * 10 ** PRECISION[quote] // 10 ** (PRICE_DECIMALS[quote] + PRECISION["PEK"])
        )
        return units

    def trade(self, trade: Trade) -> None:
        self.base += trade.quantity
        self.quote += trade.quote_amount
        if self.side == "sell":
            self.remaining -= trade.quantity
            self.locked -= trade.quantity
            self.received += trade.quote_amount - trade.seller_fee
            self.fees += trade.seller_fee
            return
        self.received += trade.quantity - trade.buyer_fee
        self.fees += trade.buyer_fee
        cost = trade.quote_amount
        if self.type == "limit":
            assert self.price is not None
            cost = self.value(self.price, trade.quantity)
            self.remaining -= trade.quantity
        else:
            self.remaining -= cost
        self.locked -= cost
        self.released += cost - trade.quote_amount


class Journal:
    """Interpreter of journal lines."""

    def __init__(self, text: str) -> None:
        self.lines: list[tuple[int, list[str]]] = []
        self.times: dict[int, str] = {}
        self.trades: list[Trade] = []
        self.placed: list[Placed] = []  # by sequence
        self._open: dict[str, Placed] = {}
        self._accepted = ""
        self._firing: Placed | None = None
        self._replaced: Placed | None = None
        block, time = 0, ""
        for line in text.splitlines():
            kind, *fields = line.split(" ")
            if kind == "block":
                block, time = int(fields[0]), fields[2]
                self.times[block] = time
            self.lines.append((block, [kind, *fields]))
            self._read(kind, fields, block, time)

    def until(self, block: int) -> Journal:
        """What it says up to the end of a block."""
        return Journal("".join(f"{' '.join(fields)}\n" for number, fields in self.lines if number <= block))

    def of_kind(self, kind: str) -> list[tuple[int, list[str]]]:
        return [(block, fields) for block, (name, *fields) in self.lines if name == kind]

    def _read(self, kind: str, fields: list[str], block: int, time: str) -> None:
        if kind in ("accept", "expire", "timeout", "block"):
            self._accepted = fields[3] if kind == "accept" else ""
            self._firing = self._replaced = None
        elif kind == "trigger":
            self._accepted, self._firing = "", self._open[fields[0]]
        elif kind == "reject" and self._firing is not None:
            self._firing.fired, self._firing = fields[-1], None
        elif kind in ("order", "stop"):
            self._place(kind, fields, block)
        elif kind == "close":
            order = self._open.pop(fields[0])
            order.status, order.closed = fields[1], block
            order.locked -= int(fields[2])
            order.released += int(fields[2])
            assert order.locked == 0
            if self._accepted == "replace":
                self._replaced = order
        elif kind == "trade":
            n, taker, maker, _, _, pair, *figures = fields
            trade = Trade(int(n), block, seconds(time), pair, taker, maker, *map(int, figures))
            self.trades.append(trade)
            self._open[taker].trade(trade)
            self._open[maker].trade(trade)

    def _place(self, kind: str, fields: list[str], block: int) -> None:
        id_, seq, account, pair, side, type_, price, quantity, expiry, *rest = fields
        order = Placed(
            seq=int(seq),
            id=id_,
            account=account,
            pair=pair,
            side=side,
            type=type_,
            price=None if price == "-" else int(price),
            quantity=int(quantity),
            expiry=None if expiry == "-" else int(expiry),
            settle=rest[2] if kind == "order" else "venue",
            is_stop=kind == "stop",
            block=block,
            remaining=int(quantity),
            locked=int(quantity),
            status="open" if kind == "order" else "waiting",
        )
        if side == "buy" and type_ == "limit":
            assert order.price is not None
            order.locked = order.value(order.price, order.quantity)
        if self._replaced is not None and order.settle == "wallet":
            order.received = self._replaced.received
        if self._firing is not None:
            self._firing.fired, self._firing = id_, None
        self._accepted = ""
        self._open[id_] = order
        self.placed.append(order)


class StateText:
    """Interpreter of a state text."""

    def __init__(self, text: str) -> None:
        self.balances: dict[str, dict[str, list[int]]] = defaultdict(dict)
        self.orders: list[list[str]] = []
        self.stops: list[list[str]] = []
        self.timers: list[list[str]] = []
        self.grants: list[list[str]] = []
        self.pending: list[list[str]] = []
        self.due: list[list[str]] = []
        self.marks: dict[str, list[list[int]]] = defaultdict(list)
        self.holdings: dict[str, int] = {}
        lists = {
            "order": self.orders,
            "stop": self.stops,
            "timer": self.timers,
            "grant": self.grants,
            "withdrawal": self.pending,
            "refund": self.due,
        }
        for line in text.splitlines():
            kind, *fields = line.split(" ")
            if kind in lists:
                lists[kind].append(fields)
            elif kind == "balance":
                self.balances[fields[0]][fields[1]] = [int(field) for field in fields[2:]]
            elif kind == "mark":
                self.marks[fields[0]].append([int(field) for field in fields[1:]])
            elif kind == "escrow":
                self.holdings[fields[0]] = int(fields[1])

    def book(self, pair: str, side: str) -> list[tuple[int, int, int]]:
        """Price, remaining and number of orders by level, best first."""
        levels: dict[int, list[int]] = defaultdict(list)
        for _, _, _, name, its_side, price, _, remaining, *_ in self.orders:
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


def everything(client: ApiClient, path: str, name: str, limit: int = 37) -> list[dict[str, Any]]:
    """A list, page by page."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        body = client.get(f"{path}&limit={limit}{cursor}").json
        rows += body[name]
        if body["next_cursor"] is None:
            return rows
        cursor = f"&cursor={body['next_cursor']}"


def lasting(text: str) -> list[str]:
    """A state's lines but for those that change without journal lines: the block, grants, and timers."""
    return [line for line in text.splitlines() if not line.startswith(("block ", "grant ", "timer "))]
