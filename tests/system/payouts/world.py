"""A chain, a ledger that follows it, and payouts, all in this process. Only a test moves time.

The chain is the devnet's, without HTTP and without signatures; the indexer and the payouts are the real ones.
`ChainNodes` stands for the nodes between them, with the failures of a network.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from indexer.chain.blocks import Block
from indexer.chain.prefilter import Prefilter, read_block
from indexer.chain.receipts import Receipts
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError as DevnetError
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.block_methods import read_transaction
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.sidechain.tokens_contract import Logs
from indexer.devnet.traders.payloads import custom_json, deposit, intent, token_transfer
from indexer.devnet.venue import read_venue
from indexer.follow.loop import Follower
from indexer.sources.source import Cursor
from settlement.core.events import VenueFilter
from settlement.core.venue import parse_venue
from settlement.payouts.chain.accounts import Account, Authority
from settlement.payouts.chain.nodes import ChainError, Execution, Outcome, Restrictions
from settlement.payouts.dependencies import Dependencies
from settlement.payouts.holds.pause import RestoreMark
from settlement.payouts.payout_log import open_payout_log
from settlement.payouts.policy import Policy
from settlement.payouts.runner import Runner
from settlement.payouts.signing.authority import KeyRing
from settlement.payouts.signing.transactions import SignedTransaction, Transaction
from settlement.store import schema
from settlement.store.database import open_reader, open_writer
from settlement.store.read.payouts import Ledger, PayoutClaim, read_ledger
from settlement.store.write.loader import load_or_initialise
from tests.support import databases
from tests.system.store.chains import VENUE_TEXT

# The example venue with small minimums: 0.001 of the coins, 0.0001 of the tokens.
TEXT = re.sub(r'(?<=min_withdrawal = )"[^"]+"', '"0.0001"', VENUE_TEXT.replace('"0.010"', '"0.001"'))
TEXT = re.sub(r'(\[tokens\.(?:HBD|HIVE)\][^[]*min_withdrawal = )"0\.0001"', r'\1"0.001"', TEXT)
VIEW = read_venue(TEXT)
VENUE = parse_venue(TEXT)
PUBLIC, SIGNATURE = "STM-ours", "1f" + "00" * 64
DEPOSIT = 10**12  # units
TRADERS = ("alice", "bob", "carol")


class Blocks:
    """Source of the blocks that are irreversible and executed."""

    def __init__(self, node: DevNode, venue_filter: VenueFilter) -> None:
        self._node = node
        self._venue_filter = venue_filter
        self.catching_up = False
        self.where = "the chain"
        self.waiting = None

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        chain, sidechain = self._node.chain, self._node.sidechain
        for number in range(after.number + 1, min(chain.irreversible, sidechain.last_hive_block) + 1):
            receipts = sidechain.block_of_hive(number)
            block = read_block(chain.stored(number), Prefilter(self._venue_filter))
            yield block, None if receipts is None else Receipts(receipts)


class ChainNodes:
    """The nodes as payouts see them. `faults` are failures of the next broadcasts, one each:

    `lost`: it arrives, the answer is lost; `dropped`: it does not arrive either; `twice`: the node answers that it
    has it already; `refused`: a node that is behind refuses it; `none`: it arrives, the answer is empty.
    `away` fails all queries.
    """

    def __init__(self, node: DevNode) -> None:
        self.node = node
        self.faults: deque[str] = deque()
        self.away = False
        self.ahead = 0  # seconds by which their head time is wrong
        self.sent: Counter[str] = Counter()
        self.bytes: dict[str, set[bytes]] = {}
        self.hidden: set[str] = set()
        self.blacklist: set[str] = set()  # of the node's answers; the sidechain has its own
        self.denied: set[str] = set()

    def _ask(self) -> None:
        if self.away:
            raise ChainError("no node answers")

    def head_time(self) -> int:
        self._ask()
        return self.node.chain.head_time + self.ahead

    def accounts(self, names: Iterable[str]) -> dict[str, Account]:
        self._ask()
        accounts = self.node.chain.accounts
        return {
            name: Account(name, Authority(1, {PUBLIC: 1}, {}), dict(accounts.get(name).balances), {})
            for name in names
            if name in accounts and name not in self.hidden
        }

    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]:
        self._ask()
        wanted, names = set(symbols), set(accounts)
        return {
            (name, symbol): token.text(token.balances[name])
            for symbol, token in self.node.sidechain.tokens.items()
            for name in names
            if symbol in wanted and name in token.balances
        }

    def execution(self, transaction_id: str) -> Execution | None:
        self._ask()
        return execution(self.node.sidechain.transaction(transaction_id))

    def restrictions(self, accounts: Iterable[str]) -> Restrictions:
        self._ask()
        return Restrictions(frozenset(self.blacklist), frozenset(self.denied) & frozenset(accounts))

    def broadcast(self, signed: SignedTransaction) -> Outcome:
        self.sent[signed.id] += 1
        self.bytes.setdefault(signed.id, set()).add(repr(signed.to_json()).encode())
        fault = self.faults.popleft() if self.faults else ""
        if fault == "dropped":
            return Outcome("unknown", "no answer")
        if fault == "refused":
            return Outcome("refused", "Assert Exception: this node is behind")
        try:
            self.node.chain.push(read_transaction(signed.to_json()), authorized=True)
        except DevnetError as error:
            text = str(error)
            return Outcome("sent" if "Duplicate" in text else "refused", text)
        if fault in ("lost", "none"):
            return Outcome("unknown", "answered nothing" if fault == "none" else "no answer")
        if fault == "twice":
            return Outcome("sent", "the node had it already")
        return Outcome("sent")


def execution(found: Any) -> Execution | None:
    """How the sidechain has executed a transaction, as payouts read it, from its rows."""
    rows = found if isinstance(found, list) else [found]
    if found is None or not rows:
        return None
    logs = [json.loads(row["logs"]) for row in rows]
    errors = tuple("" if log.get("events") else "; ".join(log.get("errors", ())) for log in logs)
    return Execution(rows[0]["refHiveBlockNumber"], errors)


class RefusingSidechain(Sidechain):
    """Refuses transfers to `refused_recipients`, as to accounts on the blacklist."""

    refused_recipients: frozenset[str] = frozenset()

    def transfer(self, sender: str, payload: dict[str, object], logs: Logs) -> None:
        if payload.get("to") in self.refused_recipients:
            logs.errors.append(f"not allowed to send to {payload['to']}")
        else:
            super().transfer(sender, payload, logs)


class OneKey(KeyRing):
    """Key ring that signs for every escrow account except `without`; `needed` signatures suffice."""

    def __init__(self, needed: int = 1, without: Iterable[str] = ()) -> None:
        super().__init__((), {}, "")
        self.needed = needed
        self.without = set(without)

    def can_sign(self, escrow: str) -> bool:
        return escrow not in self.without

    def sign(self, escrow: str, transaction: Transaction) -> dict[str, str]:
        assert transaction.packed
        return {PUBLIC: SIGNATURE}

    def sufficient(self, escrow: str, signatures: Mapping[str, str]) -> tuple[str, ...] | None:
        return tuple(signatures.values()) if len(signatures) >= self.needed else None

    def weight(self, escrow: str, publics: Collection[str]) -> tuple[int, int]:
        return len(publics), self.needed


class World:
    """A chain and one ledger. Amounts in units."""

    def __init__(self, folder: Path, *, lag: int = 1, name: str = "dex.db") -> None:
        self.folder = folder
        self.sidechain = RefusingSidechain(heartbeat=0)
        self.node = DevNode(Chain(sign=False, lag=lag), self.sidechain, cautious=True)
        self.node.prepare(VIEW)
        self.nodes = ChainNodes(self.node)
        self.ledger = Ledgers(self.node, folder / name)
        for trader in TRADERS:
            for symbol in ("HBD", "PEK", "SWAP.HIVE"):
                self.node.faucet(trader, symbol, "100000")
                self.node.broadcast([deposit(VIEW, symbol, trader, 10**7)])
        self.tick(3)

    # -- the chain -------------------------------------------------------------------------------

    def tick(self, blocks: int = 1) -> None:
        """Produce blocks; the ledger follows."""
        for _ in range(blocks):
            self.node.tick()
        self.ledger.follow()

    def wait(self, seconds: int) -> None:
        """Produce blocks for that time."""
        self.tick(-(-seconds // self.node.chain.block_time))

    def skip(self, seconds: int) -> None:
        """One block after a gap of that many seconds."""
        self.node.tick(self.node.chain.head_time + seconds)
        self.ledger.follow()

    def withdraw(self, trader: str, symbol: str, quantity: str, **more: str) -> str:
        """A withdrawal in the next block; returns its id."""
        payload = {"symbol": symbol, "quantity": quantity, **more}
        return self.node.broadcast([custom_json(VIEW, trader, intent(VIEW, "withdraw", payload))])

    def cancel(self, trader: str, withdrawal: str) -> str:
        """Ask for a withdrawal's return, in the next block; returns the id of the intent."""
        return self.node.broadcast(
            [custom_json(VIEW, trader, intent(VIEW, "cancelWithdrawal", {"id": withdrawal}))]
        )

    def refund(self, trader: str, quantity: str = "2.50", symbol: str = "SWAP.LTC") -> str:
        """A deposit into another token's escrow account, which is due back; returns its id."""
        self.node.faucet(trader, symbol, "1000")
        return self.node.broadcast(
            [custom_json(VIEW, trader, token_transfer(symbol, "peakedex.btc", quantity))]
        )

    def operate(self, action: str, **payload: object) -> None:
        """An operator action, in the next block."""
        self.node.broadcast([custom_json(VIEW, VIEW.operator, intent(VIEW, action, payload))])

    # -- payouts ---------------------------------------------------------------------------------

    def runner(
        self,
        policy: Policy | None = None,
        *,
        step: Callable[[str], object] = lambda _: None,
        guard: Callable[[], object] = lambda: None,
        ledger: Ledgers | None = None,
        signing: OneKey | None = None,
        start: bool = True,
        mark: RestoreMark | None = None,
        **options: bool,
    ) -> Runner:
        """A payouts process on a ledger."""
        ledger = ledger or self.ledger
        parts = Dependencies(
            open_reader(ledger.url),
            open_payout_log(ledger.url),
            self.nodes,
            signing or OneKey(),
            step=step,
            guard=guard,
            mark=mark,
        )
        runner = Runner(parts, VENUE, policy or Policy())
        if start:
            runner.start(**{"first_run": True, **options})
        return runner

    def run(self, runner: Runner, seconds: int) -> None:
        """A round after each block, for that many seconds of chain time."""
        for _ in range(-(-seconds // self.node.chain.block_time)):
            self.tick()
            runner.round()

    # -- results ---------------------------------------------------------------------------------

    def balance(self, account: str, symbol: str) -> int:
        """Real balance of an account, in units."""
        if symbol in ("HIVE", "HBD"):
            return self.node.chain.accounts.balance(account, symbol)
        return self.node.sidechain.balance(account, symbol)

    def check(self) -> None:
        """Nothing was paid twice: no unmatched outflow, and the accounts hold what the ledger counts."""
        self.ledger.follow()
        with self.ledger.engine.connect() as connection:
            assert connection.execute(select(schema.outflows)).all() == []
            for symbol, units in connection.execute(select(schema.holdings)):
                escrow = self.ledger.rules.state.tokens[symbol].escrow
                assert self.balance(escrow, symbol) == int(units), (escrow, symbol)
        for ident, versions in self.nodes.bytes.items():
            assert len(versions) == 1, f"{ident} was sent with other bytes"

    def states(self) -> dict[str, str]:
        """Status of each claim in the ledger, by id."""
        return self.ledger.states()


class Ledgers:
    """A database, and the indexer that follows the chain into it."""

    def __init__(
        self, node: DevNode, path: Path, source: Callable[[DevNode, VenueFilter], Blocks] = Blocks
    ) -> None:
        self.path = path
        self.url = databases.url(path)
        self._node = node
        self._source = source
        self._open()

    def _open(self) -> None:
        self.engine: Engine = open_writer(self.url)
        self.rules, self._projector = load_or_initialise(self.engine, VENUE)

    def follow(self, until: int | None = None) -> None:
        """Follow to the last irreversible block, or to an earlier one."""
        source = self._source(self._node, self.rules.venue_filter)
        Follower(self.rules, self._projector, source).run(until)

    def follow_from(self, source: Callable[[DevNode, VenueFilter], Blocks]) -> None:
        """Follow another source from now on."""
        self._source = source

    def backup(self) -> bytes:
        """A copy of the database."""
        with sqlite3.connect(self.path) as live, sqlite3.connect(":memory:") as copy:
            live.backup(copy)
            return copy.serialize()

    def restore(self, backup: bytes) -> None:
        """Replace it by an older copy; engines open on it must not be used any more."""
        self.engine.dispose()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        self.path.write_bytes(backup)
        self._open()

    def read(self) -> Ledger:
        with self.engine.connect() as connection:
            found = read_ledger(connection, 10**9)
        assert found is not None
        return found

    def claims(self) -> tuple[PayoutClaim, ...]:
        return self.read().claims

    def states(self) -> dict[str, str]:
        with self.engine.connect() as connection:
            return {
                ident: schema.CLAIM_STATUSES[status]
                for table in (schema.withdrawals, schema.refunds)
                for ident, status in connection.execute(select(table.c.id, table.c.status))
            }

    def rows(self, table: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(table)).all())
