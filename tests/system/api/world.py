"""A small exchange in a database, for the API's tests and the examples of docs/api.md."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import insert

from api.app import DATABASE, PUBLISHER, create_app
from api.settings import ApiSettings
from settlement.core.events import HIVE, HIVE_ENGINE, Action, BlockHeader, Chain, Event, JsonNumber, Movement
from settlement.core.journal.lines import JournalEntry
from settlement.core.journal.state_text import state_hash
from settlement.core.venue import parse_venue
from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.escrow_balances import EscrowBalance, write_balances
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import Batch, make_read_indexes, totals_of
from tests.support import databases
from tests.support.api_client import ApiClient

START_BLOCK = 1000
START_TIME = 1_790_000_000
VENUE = """
[venue]
name = "Peake DEX"
protocol = 2
contract = "peakedex"
custom_json_id = "ssc-mainnet-hive"
start_block = 1000
operator = "peakecoin"
fee_account = "peakecoin.fees"

[tokens.PEK]
precision = 8
escrow = "peakedex.pek"
min_withdrawal = "0.001"

[tokens."SWAP.HIVE"]
precision = 8
escrow = "peakedex.hive"
min_withdrawal = "0.001"

[tokens."SWAP.BTC"]
precision = 8
escrow = "peakedex.btc"
min_withdrawal = "0.001"

[tokens.HBD]
precision = 3
escrow = "peakedex.hbd"
min_withdrawal = "0.001"

[[pairs]]
base = "PEK"
quote = "SWAP.HIVE"
price_decimals = 6
quantity_decimals = 2
maker_fee_bps = 10
taker_fee_bps = 20

[[pairs]]
base = "PEK"
quote = "SWAP.BTC"
price_decimals = 11
quantity_decimals = -3

[[pairs]]
base = "PEK"
quote = "HBD"
price_decimals = 3
quantity_decimals = 0
"""


def transaction(n: int) -> str:
    """The id of the n-th transaction of the world."""
    return sha1(b"transaction %d" % n).hexdigest()


def block_id(number: int) -> str:
    return f"{number:08x}{sha1(b'block %d' % number).hexdigest()[:32]}"


class World:
    """Blocks one by one through the rules and the projector, as the indexer would."""

    def __init__(self, folder: Path, venue: str = VENUE) -> None:
        self.path = folder / "peakedex.db"
        self.url = databases.url(self.path)
        self.engine = open_writer(self.url)
        self.rules, self.projector = load_or_initialise(self.engine, parse_venue(venue))
        make_read_indexes(self.engine)
        self.transactions = 0
        self.time = START_TIME
        self._apps: list[Flask] = []

    @property
    def block(self) -> int:
        return self.rules.next_block() - 1

    def id(self) -> str:
        self.transactions += 1
        return transaction(self.transactions)

    def apply(self, *events: Event, seconds: int = 3) -> None:
        """One block, recorded as while following the chain."""
        self.project([self.decide(events, seconds)], live=True)

    def apply_all(self, blocks: Iterable[Iterable[Event]], seconds: int = 3) -> None:
        """Many blocks in one transaction, as while catching up."""
        self.project([self.decide(events, seconds) for events in blocks], live=False)

    def decide(self, events: Iterable[Event], seconds: int = 3) -> JournalEntry:
        """One block by the rules alone."""
        self.time += seconds
        number = self.rules.next_block()
        return self.rules.apply(BlockHeader(number, block_id(number), self.time), events)

    def project(self, entries: list[JournalEntry], *, live: bool) -> None:
        """Blocks, decided by the rules, into the database in one transaction."""
        state = self.rules.state
        with_lines = [entry for entry in entries if entry.text]
        batch = Batch(with_lines, [], entries[-1].header, totals_of(state), state_hash(state), live)
        self.projector.project(batch)

    def deposit(self, account: str, symbol: str, quantity: str) -> Movement:
        token = self.rules.state.tokens.get(symbol)
        chain: Chain = HIVE if symbol in ("HIVE", "HBD") else HIVE_ENGINE
        escrow = "peakedex.pek" if token is None else token.escrow
        return Movement(self.id(), chain, account, escrow, symbol, quantity, None)

    def action(self, signer: str, name: str, *, active: bool = True, **payload: object) -> Action:
        numbers = {key: JsonNumber(value) if type(value) is int else value for key, value in payload.items()}
        return Action(self.id(), signer, active, name, numbers)

    def order(
        self,
        signer: str,
        side: str,
        quantity: str,
        price: str,
        quote: str = "SWAP.HIVE",
        *,
        active: bool = True,
        **more: object,
    ) -> Action:
        payload = {"symbol": "PEK", "quote": quote, "quantity": quantity, "price": price, **more}
        return self.action(signer, side, active=active, **payload)

    def client(self, **settings: Any) -> ApiClient:
        app = create_app(self.settings(**settings))
        self._apps.append(app)
        return ApiClient(app)

    def settings(self, **settings: Any) -> ApiSettings:
        given: dict[str, Any] = {"network": "devnet", "clock": lambda: self.time + 2.5, **settings}
        return ApiSettings(database_url=self.url, **given)

    def close(self) -> None:
        for app in self._apps:
            app.extensions[PUBLISHER].close()
            app.extensions[DATABASE].close()
        self.engine.dispose()


def small_world(folder: Path) -> World:
    """A few traders, a book, trades, every status of an order, a grant, and arrivals that cannot be credited."""
    world = World(folder)
    world.apply(
        world.deposit("alice", "PEK", "1000000"),
        world.deposit("bob", "SWAP.HIVE", "5000"),
        world.deposit("bob", "SWAP.BTC", "0.5"),
        world.deposit("carol", "HBD", "100.000"),
    )
    world.apply(world.order("alice", "sell", "1000", "0.012000"))  # transaction 5, filled in part below
    world.apply(
        world.order("alice", "sell", "500", "0.012500"),
        world.order("alice", "sell", "250.5", "0.012500"),
        world.order("alice", "sell", "100", "0.013000"),
    )
    world.apply(
        world.order("bob", "buy", "800", "0.011500"),
        world.order("bob", "buy", "200", "0.011000"),
        world.order("bob", "buy", "3000", "0.00000001", quote="SWAP.BTC"),
    )
    world.apply(
        world.action("bob", "buy", symbol="PEK", quote="SWAP.HIVE", quantity="400", price="0.012", ref="my-1")
    )
    world.apply(world.action("bob", "marketBuy", symbol="PEK", quote="SWAP.HIVE", quantity="3.6"))
    world.apply(
        world.action(
            "alice", "sell", symbol="PEK", quote="SWAP.HIVE", quantity="100", price="0.0115", settle="wallet"
        )
    )
    world.apply(
        world.action("alice", "sell", symbol="PEK", quote="SWAP.HIVE", quantity="7", price="9", expiration=6),
        world.order("carol", "buy", "1", "1", quote="HBD"),
    )
    world.apply(world.action("alice", "cancel", id=transaction(8)))
    world.apply()
    world.apply(
        world.order("carol", "buy", "1000000", "1", quote="HBD"),  # E_FUNDS
        world.order("carol", "sell", "1", "0.012345678", quote="HBD"),  # E_PRECISION
        world.deposit("mallory", '<img src=x onerror="alert(1)">\x00', "1"),
        world.action("bob", "withdraw", symbol="SWAP.HIVE", quantity="1", memo="<script>alert(1)</script> é"),
        *_dave(world),
    )
    _beside_the_ledger(world)
    return world


def _beside_the_ledger(world: World) -> None:
    """A balance read from the chain, and an operation that someone aimed at an escrow account."""
    write_balances(world.engine, [EscrowBalance("HBD", 100_000, world.block, world.time)])
    row = {
        "acting": False,
        "block": world.block,
        "position": 0,
        "transaction_id": transaction(900),
        "operation_index": 0,
        "type": "transfer_to_vesting",
        "account": "peakedex.hbd",
        "text": '{"amount":"1.000 HIVE","from":"mallory","to":"peakedex.hbd"}',
    }
    with world.engine.begin() as connection:
        connection.execute(insert(schema.escrow_operations).values(row))


def _dave(world: World) -> list[Event]:
    """A trader with a stop, a protective stop, a grant, a timer, and a withdrawal that is returning."""
    pair: dict[str, Any] = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    for_dave = {**pair, "for": "dave"}
    withdrawal = world.action("dave", "withdraw", symbol="PEK", quantity="5")
    sent_to_the_wrong_account = world.deposit("dave", "PEK", "3")._replace(recipient="peakedex.hive")
    return [
        world.deposit("dave", "PEK", "1000"),
        sent_to_the_wrong_account,
        world.action(
            *("dave", "grant"),
            to="erin",
            pairs=["PEK/SWAP.HIVE"],
            perDay={"PEK": "100", "SWAP.HIVE": "1.5"},
            bandBps=2_000,
            until=world.time + 86_400,
        ),
        world.action(
            "dave", "sell", **pair, quantity="50", price="0.01", triggerPrice="0.011", triggerWhen="below"
        ),
        world.action(
            "dave", "sell", **pair, quantity="20", price="0.014", stopPrice="0.01", stopLimit="0.009"
        ),
        world.action("erin", "sell", **for_dave, quantity="10", price="0.014"),
        world.action("dave", "cancelAllAfter", seconds=600),
        withdrawal,
        world.action("dave", "cancelWithdrawal", id=withdrawal.id),
    ]
