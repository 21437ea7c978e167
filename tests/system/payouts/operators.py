"""Operators who pay together: each with a ledger, a payouts process and a key of its own.

The ledgers read the same blocks. The chain is a stand-in that checks authorities as the devnet does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha1
from pathlib import Path
from tempfile import TemporaryDirectory

from indexer.devnet.hive import authority as hive
from indexer.devnet.hive.errors import ChainError as DevnetError
from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.rpc.block_methods import read_transaction
from settlement.core import events
from settlement.core.events import HIVE, HIVE_ENGINE, Action, BlockHeader, Event, Movement
from settlement.core.venue import parse_venue
from settlement.payouts.chain.accounts import Account, Authority
from settlement.payouts.chain.nodes import Execution, Outcome, Restrictions
from settlement.payouts.cosign.collector import SignatureCollector
from settlement.payouts.cosign.message import Proposal
from settlement.payouts.dependencies import Dependencies
from settlement.payouts.payout_log import PayoutRecord, open_payout_log
from settlement.payouts.policy import Policy
from settlement.payouts.runner import Runner
from settlement.payouts.signing.authority import KeyRing, KeyVariable
from settlement.payouts.signing.transactions import SignedTransaction
from settlement.store.database import closing_writer, open_reader, open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import Batch, totals_of

CHAIN_ID = "18" * 32
KEYS = [PrivateKey(f"operator {number}") for number in range(4)]
PUBLICS = [key.public_key for key in KEYS]
VENUE = """
[venue]
name = "Test"
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

[tokens.HBD]
precision = 3
escrow = "peakedex.hbd"
min_withdrawal = "0.001"

[tokens."SWAP.HIVE"]
precision = 8
escrow = "peakedex.hive"
min_withdrawal = "0.001"
"""
START_TIME = 1_790_000_000
ESCROWS = ("peakedex.hbd", "peakedex.pek", "peakedex.hive")


@cache
def _empty() -> bytes:
    """An empty database, cached because creating its tables is slow."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        with closing_writer(f"sqlite:///{path}"):
            pass
        return path.read_bytes()


class World:
    """A ledger in a file: blocks one by one through the rules and the projector."""

    def __init__(self, folder: Path) -> None:
        (folder / "peakedex.db").write_bytes(_empty())
        self.url = f"sqlite:///{folder / 'peakedex.db'}"
        self.engine = open_writer(self.url)
        self.rules, self.projector = load_or_initialise(self.engine, parse_venue(VENUE))
        self.transactions = 0
        self.time = START_TIME

    def id(self) -> str:
        self.transactions += 1
        return sha1(b"transaction %d" % self.transactions).hexdigest()

    def apply(self, *happened: Event, seconds: int = 3) -> None:
        self.time += seconds
        number = self.rules.next_block()
        ident = f"{number:08x}{sha1(b'block %d' % number).hexdigest()[:32]}"
        header = BlockHeader(number, ident, self.time)
        entry = self.rules.apply(header, happened)
        self.projector.project(Batch([entry] if entry.text else [], [], header, totals_of(self.rules.state)))

    def deposit(self, account: str, symbol: str, quantity: str) -> Movement:
        token = self.rules.state.tokens[symbol]
        return Movement(self.id(), token.chain, account, token.escrow, symbol, quantity, None)

    def action(self, signer: str, name: str, **payload: object) -> Action:
        return Action(self.id(), signer, True, name, payload)


class Chain:
    """All accounts exist, escrow accounts hold enough and have a k-of-3 authority; broadcasts are checked."""

    def __init__(self, needed: int = 2) -> None:
        self.time = 0
        self.needed = needed
        self.sent: list[SignedTransaction] = []

    def head_time(self) -> int:
        return self.time

    def accounts(self, names: Iterable[str]) -> dict[str, Account]:
        keys = dict.fromkeys(PUBLICS[:3], 1)
        return {
            name: Account(name, Authority(self.needed, keys, {}), {"HIVE": 10**9, "HBD": 10**9}, {})
            for name in names
        }

    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]:
        return {(account, symbol): "1000000000" for account in accounts for symbol in symbols}

    def execution(self, transaction_id: str) -> Execution | None:
        return None

    def restrictions(self, accounts: Iterable[str]) -> Restrictions:
        return Restrictions()

    def accepts(self, signed: SignedTransaction) -> bool:
        made = hive.Authority(self.needed, tuple((public, 1) for public in sorted(PUBLICS[:3])))
        try:
            hive.authorize(read_transaction(signed.to_json()), bytes.fromhex(CHAIN_ID), lambda *_: made)
        except DevnetError:
            return False
        return True

    def broadcast(self, signed: SignedTransaction) -> Outcome:
        if not self.accepts(signed):
            return Outcome("refused", "missing required active authority")
        self.sent.append(signed)
        return Outcome("sent")


class Operator:
    """One of the operators."""

    def __init__(self, folder: Path, key: PrivateKey, chain: Chain, policy: Policy | None = None) -> None:
        folder.mkdir()
        self.world = World(folder)
        self.chain = chain
        self.key = key
        self.reader, self.writer = open_reader(self.world.url), open_payout_log(self.world.url)
        wanted = [KeyVariable(escrow, escrow, "KEY") for escrow in ESCROWS]
        self.signers = KeyRing(wanted, {"KEY": key.wif}, CHAIN_ID)
        self.signers.check(chain)
        venue, agreed = parse_venue(VENUE), policy or Policy()
        self.collector = SignatureCollector(
            self.reader, self.writer, venue, agreed, self.signers.authorities, CHAIN_ID
        )
        self.runner = Runner(Dependencies(self.reader, self.writer, chain, self.signers), venue, agreed)
        self.runner.start(first_run=True)

    def records(self) -> list[PayoutRecord]:
        return self.collector.open_records()

    def proposals(self) -> list[Proposal]:
        return [self.collector.proposal(record) for record in self.records()]

    def close(self) -> None:
        for engine in (self.world.engine, self.reader, self.writer):
            engine.dispose()


class Group:
    """Three operators, and the blocks that they read."""

    def __init__(self, folder: Path, policies: Mapping[int, Policy] | None = None) -> None:
        self.chain = Chain()
        self.operators = [
            Operator(folder / f"operator{number}", KEYS[number], self.chain, (policies or {}).get(number))
            for number in range(3)
        ]

    @property
    def world(self) -> World:
        """The world that makes events."""
        return self.operators[0].world

    def block(self, *happened: Event, seconds: int = 3, only: Iterable[int] = range(3)) -> None:
        """One block, read by all or some of them."""
        for number in only:
            self.operators[number].world.apply(*happened, seconds=seconds)
        self.chain.time = max(operator.world.time for operator in self.operators)

    def round(self) -> None:
        """One round of each payouts process."""
        for operator in self.operators:
            operator.runner.round()

    def rich(self) -> None:
        world = self.world
        self.block(world.deposit("bob", "HBD", "1000.000"), world.deposit("alice", "PEK", "1000"))

    def withdraw(self, signer: str, symbol: str, quantity: str, **more: str) -> str:
        """A withdrawal, and time until it is due; returns its id."""
        action = self.world.action(signer, "withdraw", symbol=symbol, quantity=quantity, **more)
        self.block(action)
        self.block(seconds=15)
        return action.id

    def settle(
        self, signed: SignedTransaction, *, memo: str, quantity: str, to: str, symbol: str = "HBD"
    ) -> None:
        """The chain includes a payment, and all read it."""
        chain: events.Chain = HIVE if symbol == "HBD" else HIVE_ENGINE
        escrow = "peakedex.hbd" if symbol == "HBD" else "peakedex.pek"
        self.block(Movement(signed.id, chain, escrow, to, symbol, quantity, memo))

    def close(self) -> None:
        for operator in self.operators:
            operator.close()
