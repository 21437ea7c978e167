"""The world of a simulation: chains, nodes, operators with their databases, and payouts processes."""

from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import select

from indexer.devnet.hive.authority import Authority
from indexer.devnet.hive.errors import ChainError as DevnetError
from indexer.devnet.hive.serialization import Transaction
from settlement.payouts.policy import Policy
from settlement.store import payout_schema
from tests.property.payouts.simulation_beginning import REFUSED, first_database, prepared
from tests.property.payouts.simulation_chain import Mempool, WatchedSidechain, Wire
from tests.property.payouts.simulation_observer import Observer
from tests.property.payouts.simulation_process import Plan, Process
from tests.property.payouts.simulation_relay import URLS, Relays
from tests.property.payouts.simulation_sidechain import DeceivedBlocks, EngineNodes
from tests.system.payouts.world import VIEW, Ledgers

TURNS = (20, 40, 60)
LIFETIMES = {120: (60, 61, 74, 75, 89, 105, 120), 3000: (900, 2000, 2990, 3000)}
"""Lifetimes of transactions that a run chooses from, by the longest."""
SIGNED_EVERY = 20
OPERATORS_EVERY = 16
"""Of so many seeds one has three operators, of whom two must sign."""
KINDS = (
    "paid ",
    "withdraw ",
    "refund ",
    "returning ",
    "return ",
    " dies",
    "start of",
    "restored",
    "loses",
    "policy ",
    "fork of",
    "late answer",
    "followed the branch",
    "is deceived",
    "resumes",
)


class SimulationFailed(AssertionError):
    """The rule that was broken, where, and how to replay it."""


class Backup(NamedTuple):
    """A copy of a database."""

    raw: bytes
    changes: int  # how often the policy had changed by then
    sent: int  # number of the newest payment that had been sent


class Replica:
    """A database, the indexer that follows the chain into it, and the payouts processes on it."""

    def __init__(self, ledger: Ledgers, name: str) -> None:
        self.ledger = ledger
        self.name = name
        self.processes: list[Process] = []
        self.backups: list[Backup] = []
        self.first_run = True
        self.hold = False
        self.frozen: dict[str, int] = {}
        self.lag = 0  # Hive blocks by which its indexer trails, at most
        self.alone = True  # it never had two processes at a time
        self.sent = 0  # number of the newest payment that it has sent and recorded
        self.must_pause = False  # it lacks payments that were sent, until the operator resumes
        self.deceived = False  # its operator trusts a node that shows no receipts

    def writing(self) -> Any:
        """A transaction of the operator, on the indexer's connections, which are of this process."""
        return self.ledger.engine.begin()


class SimulatedWorld:
    """All of it. `clock`: by how many seconds the machines' clocks are wrong, which must change nothing."""

    needed = 2  # signatures of the three operators

    def __init__(self, seed: int, folder: Path, *, clock: int = 0, trace: bool = False) -> None:
        self.seed = seed
        self.steps = 0
        self.turn = 0
        self.lines: list[str] = []
        self.random = Random(seed)
        self._trace = trace
        self._clock = clock
        self.operators = 3 if seed % OPERATORS_EVERY == 6 else 1  # with keys of their own
        self._signed = seed % SIGNED_EVERY == 0 or self.operators > 1
        self.node = prepared()
        chain, sidechain = self.node.chain, self.node.sidechain
        assert isinstance(sidechain, WatchedSidechain)
        self.sidechain = sidechain
        chain.lag = self.random.choice((0, 1, 3, 8))
        sidechain.random = self.random
        self.mempool = Mempool(chain, self.random, authorized=not self._signed)
        self.wire = Wire(self.node, self.mempool, self.random, signed=self._signed)
        sidechain.refused_recipients = frozenset(REFUSED)
        self.wire.blacklist = frozenset(REFUSED[1:])
        self.engines = EngineNodes(self.node, self.random)
        self.wire.engines = self.engines.nodes
        self.engines.fail()
        self.wire.relays = Relays(lambda: chain.head_time)
        self.observer = Observer(self.node, sidechain)
        names = "abc" if self.operators > 1 else "ab"[: self.random.choice((1, 2, 2))]
        self.replicas = [self._replica(folder, name) for name in names]
        if self.operators > 1:
            self._share_accounts()
        self.lease = self.random.random() < 0.4
        self.longest = self.random.choice((120, 120, 3000))
        self.policies = [self._draw_policy() for _ in range(3)]
        self.policy = self.policies[0]
        self.changes = 0
        self._turns = self.random.choice(TURNS[:2] if self.operators > 1 else TURNS)
        self._many_twins = self.random.random() < 0.3
        if self._many_twins:
            self.mempool.weights = [1, 5, 2, 3]
        self._asked: list[tuple[str, dict[str, object]]] = []

    def _replica(self, folder: Path, name: str) -> Replica:
        (folder / f"{name}.db").write_bytes(first_database())
        replica = Replica(Ledgers(self.node, folder / f"{name}.db", self.engines.source), name)
        replica.lag = self.random.choice((0, 0, 2, 20)) if self.operators > 1 else 0
        return replica

    def _share_accounts(self) -> None:
        """Two of three operators must sign for each escrow account."""
        accounts = self.node.chain.accounts
        keys = [accounts.private_key(_account(one), "active").public_key for one in self.replicas]
        authority = Authority(self.needed, tuple((key, 1) for key in sorted(keys)))
        for escrow in VIEW.escrows:
            accounts.create(escrow, 0, {"active": authority})

    def _deceive(self) -> None:
        """The third operator trusts one node from now on, which shows him no receipts."""
        replica = self.replicas[-1]
        replica.deceived = True
        self.say(f"{replica.name} is deceived")
        replica.ledger.follow_from(lambda node, wanted: DeceivedBlocks(node, wanted, self.engines.nodes))

    def _draw_policy(self) -> Policy:
        limits = self.random.choice(({}, {"HBD": Fraction(2)}, {"HBD": Fraction(1), "PEK": Fraction(1)}))
        hourly = self.random.choice(({}, {}, {"PEK": Fraction(5, 2)}, {"HBD": Fraction(6)}))
        return Policy(self.random.choice(LIFETIMES[self.longest]), limits, hourly)

    def close(self) -> None:
        """End all processes."""
        for replica in self.replicas:
            for process in replica.processes:
                process.kill()
            replica.ledger.engine.dispose()

    def digest(self) -> str:
        """Hash of everything that happened."""
        return hashlib.sha256("\n".join([*self.lines, self.node.chain.head_id.hex()]).encode()).hexdigest()

    def say(self, text: str) -> None:
        """Record an event of the run."""
        self.lines.append(f"{self.steps}: {text}")
        if self._trace:
            head = self.node.chain.head_time
            print(f"{self.steps:6} head {self.node.chain.head} {head} ({head % 15}): {text}")

    def counts(self) -> Counter[str]:
        """Number of events by kind."""
        said = [line.split(": ", 1)[1] for line in self.lines]
        counts = Counter({kind: sum(kind in text for text in said) for kind in KINDS})
        return counts + Counter(steps=self.steps, transactions=len(self.wire.sent))

    def _happens(self, probability: float) -> bool:
        return self.random.random() < probability

    def _block(self, seconds: int | None = None) -> None:
        """The next block: mostly soon, sometimes after a long gap."""
        chain = self.node.chain
        if seconds is None:
            gaps = (3, 6, 15, 40, self.random.randrange(60, 400))
            seconds = self.random.choices(gaps, (70, 15, 8, 4, 3))[0]
        timestamp = chain.head_time + seconds
        taken = self.mempool.offer(timestamp)
        self.node.tick(timestamp)
        self.say(f"block after {seconds}s{''.join(f' [{ident[:8]}]' for ident in taken)}")
        for entry in self.observer.follow():
            for line in entry.text.splitlines()[1:]:
                self.say(line)

    def _follow(self, replica: Replica) -> None:
        """Follow to the end, or less far: the indexer may be behind."""
        until = self.node.chain.irreversible - replica.lag
        if self._happens(0.3):
            until -= self.random.randrange(1, 12)
        replica.ledger.follow(until)

    def _submit(self, *operations: object) -> str | None:
        try:
            return self.node.broadcast(operations)
        except DevnetError:
            return None  # insufficient funds

    def _push(self, transaction: Transaction) -> None:
        try:
            self.node.chain.push(transaction, authorized=True)
        except DevnetError:
            return

    def _start(self, replica: Replica) -> None:
        if len(replica.processes) > 1:
            return
        for one in self.replicas:  # a forked process must not inherit connections
            one.ledger.engine.dispose()
        keys = {}
        if self._signed:
            accounts = self.node.chain.accounts
            owners = {escrow: _account(replica) if self.operators > 1 else escrow for escrow in VIEW.escrows}
            keys = {escrow: accounts.private_key(owner, "active") for escrow, owner in owners.items()}
        plan = Plan(
            *(replica.ledger.url, self.policy, self.longest, replica.first_run, replica.hold, self.lease),
            *(self._clock, keys, self.node.chain.chain_id.hex(), URLS if self.operators > 1 else ()),
        )
        process = Process(plan, f"{replica.name}{self.steps}")
        self.say(f"start of {process.name}: {plan.policy} first {plan.first_run} hold {plan.hold}")
        if process.message is not None:
            replica.processes.append(process)
        replica.alone = replica.alone and len(replica.processes) <= 1

    def _advance(self, replica: Replica, process: Process) -> None:
        """Let a process continue: by a step, or to the end of its round."""
        if self._happens(0.3):
            self._go(replica, process)
            return
        while self._go(replica, process):
            pass

    def _go(self, replica: Replica, process: Process) -> bool:
        """One step; returns whether there is another one in this round."""
        message = process.message
        if message is None:  # it has been killed
            return False
        self.steps += 1
        reply = None
        dies = self.wire.faults > 0 and self._happens(0.008)
        if process.late:
            reply = process.late.pop()
        elif message.kind == "ask" and (not dies or self._happens(0.5)):
            reply = self.wire.answer(message.what, *message.arguments, starting=process.starting)
            if message.what == "broadcast":
                self.say(f"{process.name} sends {message.arguments[0].id[:8]}: {reply}")
                self._note_sent(replica, message.arguments[0].id)
            if not dies and self.wire.faults and self._happens(0.01):
                self.say(f"{process.name} gets a late answer to {message.what}")
                process.late.append(reply)
                replica.frozen[process.name] = self.turn + self.random.randrange(1, 30)
                return False
        if dies:
            self.say(f"{process.name} dies at {message.kind} {message.what}")
            self._kill(replica, process)
            return False
        process.go(reply)
        if message.kind == "step" and message.what == "held":
            replica.first_run = replica.hold = False  # as the operator would start it next time
        if process.message is None:
            replica.processes.remove(process)
            self.say(f"{process.name} has lost its lease")
            return False
        return process.message.kind != "turn"

    def _note_sent(self, replica: Replica, ident: str) -> None:
        """Remember the number of a payment. Raises AssertionError for a restored database that is not paused."""
        assert not replica.must_pause, f"{replica.name} sends although its database was restored"
        t = payout_schema.transactions
        with replica.ledger.engine.connect() as connection:
            n = connection.scalar(select(t.c.n).where(t.c.id == ident))
        replica.sent = max(replica.sent, n or 0)

    def _kill(self, replica: Replica, *processes: Process) -> None:
        for process in processes:
            process.kill()
            replica.processes.remove(process)


def _account(replica: Replica) -> str:
    """Whose key an operator signs with where the accounts are shared."""
    return f"op-{replica.name}"
