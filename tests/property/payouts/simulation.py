"""Simulation of payouts under failures of every kind, from a seed. The same seed gives the same run.

    python -m tests.property.payouts.simulation --seed 17 --trace     # replay one seed, and print what happens
    python -m tests.property.payouts.simulation --seeds 0..2000       # many seeds, on two cores

The indexer, the rules, the database files and the payouts processes are real (each process is forked and has its
own connections). The two chains and the network are simulated. One seed in ten signs with beem, and its chain
checks the signatures; the others use a placeholder, with the same transactions and so the same ids.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import delete

from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError as DevnetError
from indexer.devnet.hive.operations import Coin, Transfer
from indexer.devnet.hive.serialization import Transaction
from indexer.devnet.node import DevNode
from indexer.devnet.traders.payloads import custom_json, deposit, intent, token_transfer
from settlement.core.invariants import check_all
from settlement.payouts.payout_log import approve_claim, read_settings
from settlement.payouts.policy import Policy
from settlement.store import schema
from settlement.store.payout_pause import BY_OPERATOR, RUNNING, read_pause, set_pause
from tests.property.payouts.simulation_chain import LateChain, Mempool, Outgo, WatchedSidechain, Wire
from tests.property.payouts.simulation_observer import Observer
from tests.property.payouts.simulation_process import Plan, Process
from tests.system.payouts.world import TRADERS, VIEW, Ledgers

TURNS = (20, 40, 80)
SYMBOLS = {"HBD": ("1", "1.5", "2.5"), "PEK": ("0.01", "2", "0.5"), "SWAP.HIVE": ("1", "0.25")}
LIFETIMES = {120: (60, 61, 74, 75, 89, 105, 120), 3000: (900, 2000, 2990, 3000)}
"""Lifetimes of transactions that a run chooses from, by the longest."""
CALM_SECONDS = {120: 45, 3000: 600}
"""From block to block at the end, by the longest lifetime: shorter than the shortest."""
MAX_GAP_SECONDS = 600
LATE_COMERS = ("dave", "erin", "frank")
REFUSED = ("gate", "vault")
"""Accounts to which the sidechain refuses transfers; the nodes' blacklist has only the second."""
SIGNED_EVERY = 10
JSON_MEMO = '\u00a0{"a":1}'
"""A memo that the rules accept, and payouts hold where a coin is withdrawn."""
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
)


class SimulationFailed(AssertionError):
    """The rule that was broken, where, and how to replay it."""


class Backup(NamedTuple):
    """A copy of a database, and how often the policy had changed by then."""

    raw: bytes
    changes: int


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


class Simulation:
    """One run. `clock`: by how many seconds the machines' clocks are wrong, which must change nothing."""

    def __init__(self, seed: int, folder: Path, *, clock: int = 0, trace: bool = False) -> None:
        self.seed = seed
        self.steps = 0
        self.lines: list[str] = []
        self.random = Random(seed)
        self._trace = trace
        self._clock = clock
        self._signed = seed % SIGNED_EVERY == 0
        chain, sidechain, database = _beginning()
        self.node = DevNode(chain, sidechain, cautious=True)
        self.sidechain = sidechain
        chain.lag = self.random.choice((0, 1, 3, 8))
        sidechain.random = self.random
        self.mempool = Mempool(chain, self.random, authorized=not self._signed)
        self.wire = Wire(self.node, self.mempool, self.random, signed=self._signed)
        sidechain.refused_recipients = frozenset(REFUSED)
        self.wire.blacklist = frozenset(REFUSED[1:])
        self.observer = Observer(self.node, sidechain)
        self.replicas = [
            self._replica(folder, database, name) for name in "ab"[: self.random.choice((1, 2, 2))]
        ]
        self.lease = self.random.random() < 0.4
        self.longest = self.random.choice((120, 120, 3000))
        self.policies = [self._draw_policy() for _ in range(3)]
        self.policy = self.policies[0]
        self.changes = 0
        self._turns = self.random.choice(TURNS)
        self._many_twins = self.random.random() < 0.3
        if self._many_twins:
            self.mempool.weights = [1, 5, 2, 3]
        self._asked: list[tuple[str, dict[str, object]]] = []

    def _replica(self, folder: Path, database: bytes, name: str) -> Replica:
        (folder / f"{name}.db").write_bytes(database)
        return Replica(Ledgers(self.node, folder / f"{name}.db"), name)

    def _draw_policy(self) -> Policy:
        limits = self.random.choice(({}, {"HBD": Fraction(2)}, {"HBD": Fraction(1), "PEK": Fraction(1)}))
        hourly = self.random.choice(({}, {}, {"PEK": Fraction(5, 2)}, {"HBD": Fraction(6)}))
        return Policy(self.random.choice(LIFETIMES[self.longest]), limits, hourly)

    # -- the run ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Run it. Raises SimulationFailed."""
        try:
            for turn in range(self._turns):
                self._turn(turn)
            self._finish()
        except Exception as error:
            command = f"python -m tests.property.payouts.simulation --seed {self.seed} --trace"
            raise SimulationFailed(
                f"seed {self.seed}, step {self.steps}: {type(error).__name__}: {error}\nreplay: {command}"
            ) from error
        finally:
            self.close()

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

    def _turn(self, turn: int) -> None:
        acts: list[Callable[[], object]] = [self._block]
        for replica in self.replicas:
            if self._happens(0.8):
                acts.append(lambda replica=replica: self._follow(replica))  # type: ignore[misc]
            for process in replica.processes:
                if replica.frozen.get(process.name, 0) <= turn:
                    acts.append(lambda one=replica, other=process: self._advance(one, other))  # type: ignore[misc]
            if not replica.processes or self._happens(0.01 if self.lease else 0.03):
                acts.append(lambda replica=replica: self._start(replica))  # type: ignore[misc]
        if turn < self._turns * 3 // 4 and self._happens(0.35):
            acts.append(self._user)
        if self._happens(0.1):
            acts.append(self._cancel)
        if self._happens(0.08):
            acts.append(self._pass_time)
        if self._happens(0.16):
            acts.append(lambda: self._fault(turn))
        self.random.shuffle(acts)
        for act in acts:
            act()

    def _happens(self, probability: float) -> bool:
        return self.random.random() < probability

    # -- the chain -------------------------------------------------------------------------------

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
        until = None
        if self._happens(0.3):
            until = self.node.chain.irreversible - self.random.randrange(1, 12)
        replica.ledger.follow(until)

    def _submit(self, *operations: object) -> str | None:
        try:
            return self.node.broadcast(operations)
        except DevnetError:
            return None  # insufficient funds

    # -- traders and the operator ----------------------------------------------------------------

    def _user(self) -> None:
        acts = (self._withdraw, self._twin, self._deposit, self._refund, self._cancel)
        self.random.choices(acts, (60, 200 if self._many_twins else 10, 5, 12, 10))[0]()

    def _push(self, transaction: Transaction) -> None:
        try:
            self.node.chain.push(transaction, authorized=True)
        except DevnetError:
            return

    def _withdraw(self) -> None:
        trader, symbol = self.random.choice(TRADERS), self.random.choice(list(SYMBOLS))
        payload: dict[str, object] = {"symbol": symbol, "quantity": self.random.choice(SYMBOLS[symbol])}
        if self._happens(0.25):
            payload["to"] = self.random.choice((*TRADERS, *LATE_COMERS, *REFUSED))
        if self._happens(0.4):
            payload["memo"] = self.random.choice(("rent", "rent", "rent", "é", "x" * 250, JSON_MEMO))
        for _ in range(self.random.choice((1, 1, 1, 1, 2, 3))):
            self._ask(trader, payload)

    def _twin(self) -> None:
        """An earlier withdrawal once more: with a memo the ledger cannot tell their payments apart."""
        if self._asked:
            trader, payload = self.random.choice(self._asked[:1] if self._many_twins else self._asked[-6:])
            self._ask(trader, {"memo": "rent", **payload})

    def _ask(self, trader: str, payload: dict[str, object]) -> None:
        self._asked.append((trader, payload))
        ident = self._submit(custom_json(VIEW, trader, intent(VIEW, "withdraw", payload)))
        self.say(f"{trader} withdraws {payload} {str(ident)[:8]}")
        if ident is not None and self._happens(0.06):  # in the same block
            self._submit(custom_json(VIEW, trader, intent(VIEW, "cancelWithdrawal", {"id": ident})))

    def _deposit(self) -> None:
        self._submit(deposit(VIEW, self.random.choice(list(SYMBOLS)), self.random.choice(TRADERS), 10**5))

    def _refund(self) -> None:
        """A deposit into another token's escrow account."""
        trader, escrow = self.random.choice(TRADERS), self.random.choice(VIEW.escrows[:3])
        if self._happens(0.3):
            self._submit(Transfer(trader, escrow, Coin(self.random.choice((500, 2500)), "HBD"), ""))
            return
        quantity = self.random.choice(("2.5", "0.10", "7"))
        self._submit(custom_json(VIEW, trader, token_transfer("SWAP.LTC", escrow, quantity)))

    def _cancel(self) -> None:
        """The trader, or the operator, asks for the return of a pending withdrawal."""
        pending = [
            ident
            for ident, claim in self.observer.pending.items()
            if claim.is_withdrawal and claim.due is None
        ]
        if pending:
            self._ask_return(self.random.choice(pending))

    def _ask_return(self, ident: str) -> None:
        claim = self.observer.pending[ident]
        if self._happens(0.3):
            self._operate("returnWithdrawal", id=ident)
        else:
            element = intent(VIEW, "cancelWithdrawal", {"id": ident})
            self._submit(custom_json(VIEW, claim.account, element))
        self.say(f"cancel of {ident[:8]}")

    def _pass_time(self) -> None:
        """Go to a time near that at which a withdrawal goes back, or at which its last payment expires.

        The rules' margin is 600 seconds: no longer gap is possible without a halt of the chain.
        """
        dues = [claim.due for claim in self.observer.pending.values() if claim.due is not None]
        if not dues:
            return
        before = self.random.choice((self.longest + 30, self.longest, 630, 600, 90, 30, 3, 0, -3))
        target = self.random.choice(dues) - before
        while self.node.chain.head_time < target:
            self._block(min(MAX_GAP_SECONDS, target - self.node.chain.head_time))
            for replica in self.replicas:
                if self._happens(0.5):
                    self._follow(replica)
                for process in tuple(replica.processes):
                    if self._happens(0.3):
                        self._advance(replica, process)

    def _operate(self, action: str, **payload: object) -> None:
        self._submit(custom_json(VIEW, VIEW.operator, intent(VIEW, action, payload)))

    # -- processes -------------------------------------------------------------------------------

    def _start(self, replica: Replica) -> None:
        if len(replica.processes) > 1:
            return
        for one in self.replicas:  # a forked process must not inherit connections
            one.ledger.engine.dispose()
        keys = {}
        if self._signed:
            accounts = self.node.chain.accounts
            keys = {escrow: accounts.private_key(escrow, "active").wif for escrow in VIEW.escrows}
        plan = Plan(
            *(replica.ledger.url, self.policy, self.longest, replica.first_run, replica.hold, self.lease),
            *(self._clock, keys, self.node.chain.chain_id.hex()),
        )
        process = Process(plan, f"{replica.name}{self.steps}")
        self.say(f"start of {process.name}: {plan.policy} first {plan.first_run} hold {plan.hold}")
        if process.message is not None:
            replica.processes.append(process)

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
        if message.kind == "ask" and (not dies or self._happens(0.5)):
            reply = self.wire.answer(message.what, *message.arguments, starting=process.starting)
            if message.what == "broadcast":
                self.say(f"{process.name} sends {message.arguments[0].id[:8]}: {reply}")
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

    def _kill(self, replica: Replica, *processes: Process) -> None:
        for process in processes:
            process.kill()
            replica.processes.remove(process)

    # -- faults ----------------------------------------------------------------------------------

    def _fault(self, turn: int) -> None:
        acts: tuple[tuple[Callable[[], object], int], ...] = (
            (self._copy, 20),
            (self._restore, 12),
            (self._lose_records, 8),
            (self._change_policy, 24),
            (lambda: self._freeze(turn), 12),
            (self._stall, 8),
            (self._fork, 8),
            (self._refuse, 8),
            (self._hold_back_sidechain, 4),
            (self._pause, 6),
            (self._approve_some, 12),
            (self._new_account, 6),
        )
        self.random.choices([act for act, _ in acts], [weight for _, weight in acts])[0]()

    def _copy(self) -> None:
        replica = self.random.choice(self.replicas)
        self.say(f"copy of {replica.name}")
        replica.backups.append(Backup(_copy(replica.ledger), self.changes))

    def _restore(self) -> None:
        """Restore a copy, at any time; the operator starts with --hold if the policy has changed since."""
        replica = self.random.choice(self.replicas)
        if not replica.backups:
            return
        backup = self.random.choice(replica.backups)
        self._kill(replica, *replica.processes)
        replica.ledger.restore(backup.raw)
        replica.hold = backup.changes != self.changes
        self.say(f"{replica.name} is restored, hold {replica.hold}")

    def _lose_records(self) -> None:
        """Delete everything that payouts have written."""
        replica = self.random.choice(self.replicas)
        self._kill(replica, *replica.processes)
        self.say(f"{replica.name} loses its records")
        with _writing(replica) as connection:
            for table in reversed(schema.metadata.sorted_tables):
                if table.name.startswith("payout_"):
                    connection.execute(delete(table))

    def _change_policy(self) -> None:
        """By all operators together, with all processes stopped."""
        for replica in self.replicas:
            self._kill(replica, *replica.processes)
        self.policy = self.random.choice([one for one in self.policies if one is not self.policy])
        self.changes += 1
        for replica in self.replicas:
            replica.first_run = False
        self.say(f"policy {self.policy}")

    def _freeze(self, turn: int) -> None:
        """A process stops for long, at any point, and then continues."""
        processes = [(replica, process) for replica in self.replicas for process in replica.processes]
        if processes:
            replica, process = self.random.choice(processes)
            replica.frozen[process.name] = turn + self.random.randrange(5, 40)
            self.say(f"{process.name} freezes at {process.message}")

    def _stall(self) -> None:
        self.node.chain.stalled = not self.node.chain.stalled
        self.say(f"irreversibility stalled: {self.node.chain.stalled}")

    def _fork(self) -> None:
        """Traders' transactions are submitted again; those of payouts may be included again or not."""
        chain = self.node.chain
        depth = min(chain.head - max(chain.irreversible, self.sidechain.last_hive_block), 12)
        if depth < 1:
            return
        dropped = self.node.fork(self.random.randrange(1, depth + 1), forget=True)
        self.say(f"fork of {len(dropped)} blocks")
        for block in dropped:
            for transaction in block.transactions:
                if transaction.id not in self.mempool:
                    self._push(transaction)

    def _refuse(self) -> None:
        self.sidechain.refusing = self.random.choice((0.0, 0.3, 1.0))
        self.say(f"the sidechain refuses {self.sidechain.refusing}")

    def _hold_back_sidechain(self) -> None:
        self.node.behind = self.random.choice((0, 0, 5))
        self.node.advance()

    def _pause(self) -> None:
        replica = self.random.choice(self.replicas)
        with _writing(replica) as connection:
            pause = BY_OPERATOR if read_pause(connection) == RUNNING else RUNNING
            set_pause(connection, pause)
        self.say(f"{replica.name} paused: {pause != RUNNING}")

    def _approve_some(self) -> None:
        replica = self.random.choice(self.replicas)
        self._approve(replica, lambda: self._happens(0.5))

    def _approve(self, replica: Replica, is_wanted: Callable[[], bool]) -> None:
        claims = [claim for claim in replica.ledger.claims() if claim.closed is None]
        chosen = [claim for claim in claims if is_wanted()]
        with _writing(replica) as connection:
            for claim in chosen:
                approve_claim(connection, claim.ref, self.node.chain.head_time)

    def _new_account(self) -> None:
        name = self.random.choice(LATE_COMERS)
        self.node.faucet(name)
        self.say(f"account {name}")

    # -- the end ---------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Without failures everything that can be paid is paid, the rest is returned, and the books add up."""
        chain = self.node.chain
        self.say("no failures from here on")
        self.wire.faults, self.sidechain.refusing = 0.0, 0.0
        chain.stalled, chain.lag, self.node.behind, self.lease = False, 0, 0, True
        self.mempool.calm()
        for name in LATE_COMERS:
            self.node.faucet(name)
        for replica in self.replicas:
            self._kill(replica, *replica.processes[1:])
            with _writing(replica) as connection:
                set_pause(connection, RUNNING)
            if not replica.processes:
                self._start(replica)
        rounds = 0
        while self.observer.pending and rounds < 120 + 22 * max(self.observer.claims.values(), default=0):
            rounds += 1
            for ident, claim in self.observer.pending.items():
                if claim.due is None and _is_unpayable(claim.outgo):
                    self._operate("returnWithdrawal", id=ident)
            self._calm_round(chain)
        left = self.observer.pending
        assert not left, f"neither paid nor returned: {list(left.items())[:2]} and so on, {len(left)}"
        self._check_books()

    def _calm_round(self, chain: Chain) -> None:
        holds = []
        for replica in self.replicas:
            with replica.ledger.engine.connect() as connection:
                holds.append(read_settings(connection).hold_until)
        wait = max(max(holds) + 1 - chain.head_time, CALM_SECONDS[self.longest])
        while wait > 0:
            self._block(min(wait, MAX_GAP_SECONDS))
            wait -= MAX_GAP_SECONDS
        for replica in self.replicas:
            replica.ledger.follow()
            self._approve(replica, lambda: True)
            for process in tuple(replica.processes):
                while self._go(replica, process):
                    pass

    def _check_books(self) -> None:
        for _ in range(12):
            self._block(3)
        state = self.observer.rules.state
        check_all(state)
        assert not any(_is_unpayable(outgo) for outgo in self.sidechain.outgoes)
        for symbol, token in state.tokens.items():
            real = self._real(token.escrow, symbol)
            assert real == token.holdings, (
                f"{token.escrow} has {real} {symbol}, the ledger counts {token.holdings}"
            )
        for replica in self.replicas:
            replica.ledger.follow()
            assert replica.ledger.rules.state.journal_hash == state.journal_hash, (
                f"{replica.name} has another ledger"
            )

    def _real(self, account: str, symbol: str) -> int:
        if VIEW.tokens[symbol].chain == "hive":
            return self.node.chain.accounts.balance(account, symbol)
        return self.sidechain.balance(account, symbol)


def _is_unpayable(outgo: Outgo) -> bool:
    """Whether the sidechain refuses the recipient, or could run the memo."""
    _, symbol, _, to, memo = outgo
    return memo == JSON_MEMO if symbol == "HBD" else to in REFUSED


def _copy(ledger: Ledgers) -> bytes:
    """The database file. No connection stays open: a forked process must not inherit SQLite's locks."""
    ledger.engine.dispose()
    with closing(sqlite3.connect(ledger.path)) as live, closing(sqlite3.connect(":memory:")) as copy:
        live.backup(copy)
        return copy.serialize()


def _writing(replica: Replica) -> Any:
    """A transaction of the operator, on the indexer's connections, which are of this process."""
    return replica.ledger.engine.begin()


def _beginning() -> tuple[LateChain, WatchedSidechain, bytes]:
    """A chain on which traders have deposits, and the database that an indexer makes of it."""
    node = _prepared()
    return node.chain, node.sidechain, _first_database()  # type: ignore[return-value]


def _prepared() -> DevNode:
    sidechain = WatchedSidechain(Random())
    node = DevNode(LateChain(sign=False), sidechain, cautious=True)
    node.prepare(VIEW)
    for name in REFUSED:
        node.faucet(name)
    for trader in TRADERS:
        node.faucet(trader, "SWAP.LTC", "1000")
        for symbol in SYMBOLS:
            node.faucet(trader, symbol, "100000")
            node.broadcast([deposit(VIEW, symbol, trader, 10**6 if symbol == "HBD" else 10**10)])
    for _ in range(3):
        node.tick()
    return node


@cache
def _first_database() -> bytes:
    """The prepared chain is the same each time, and so is its database."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        ledger = Ledgers(_prepared(), Path(folder) / "first.db")
        ledger.follow()
        return _copy(ledger)


@cache
def scratch() -> str:
    """Folder of the databases, in memory where there is one."""
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) else tempfile.gettempdir()


def simulate(seed: int, *, clock: int = 0, trace: bool = False) -> Simulation:
    """Run one seed. Raises SimulationFailed."""
    with tempfile.TemporaryDirectory(prefix="payouts", dir=scratch()) as folder:
        simulation = Simulation(seed, Path(folder), clock=clock, trace=trace)
        simulation.run()
        return simulation


def attempt(seed: int) -> tuple[int, str | None, Counter[str]]:
    """A seed, its failure if there was one, and the number of events by kind."""
    try:
        simulation = simulate(seed)
    except SimulationFailed as error:
        return seed, str(error), Counter()
    return seed, None, simulation.counts()


def main() -> int:
    """The command line; the exit code is 1 if a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.payouts.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay one seed")
    parser.add_argument("--seeds", help="run seeds FIRST..LAST, the last one not included")
    parser.add_argument("--trace", action="store_true", help="print what happens (with --seed)")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if options.seed is not None:
        simulation = simulate(options.seed, trace=options.trace)
        print(f"seed {options.seed}: {simulation.steps} steps, {dict(simulation.counts())}")
        return 0
    first, last = (int(part) for part in (options.seeds or "0..100").split(".."))
    began, failed = time.monotonic(), 0
    total: Counter[str] = Counter()
    with multiprocessing.Pool(options.jobs) as pool:
        for seed, error, counts in pool.imap_unordered(attempt, range(first, last)):
            total += counts
            if error is not None:
                failed += 1
                print(error, flush=True)
            if (seed + 1) % 50 == 0:
                print(f"about {seed + 1 - first} seeds, {failed} failed", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    print(f"{last - first} seeds in {seconds:.0f} s, {failed} failed; {dict(total.most_common())}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
