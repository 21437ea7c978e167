"""A simulation of payouts with everything going wrong, from a seed; the same seed gives the same course.

    python -m tests.property.payouts.simulation --seed 17 --trace     # replay one, telling all that happens
    python -m tests.property.payouts.simulation --seeds 0..2000       # a long run, on two cores

Real are the indexer, the rules, the database files and the payouts processes (forked, each with connections of
its own). Simulated are the two chains and the wire. One seed in ten signs with beem, and its chain checks the
signatures; the others leave a placeholder, with the same transactions and so the same ids.
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

from indexer.chain.decode import decode
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError as DevnetError
from indexer.devnet.hive.serialization import Transaction
from indexer.devnet.node import DevNode
from indexer.devnet.traders.payloads import custom_json, deposit, intent, token_transfer
from indexer.sources.source import Cursor
from settlement.core.invariants import check_all
from settlement.core.journal.entries import (
    BlockResult,
    Outflow,
    Paid,
    RefundOpened,
    WithdrawalOpened,
    WithdrawalReturned,
)
from settlement.core.parsing.names import decode as text_of
from settlement.core.payments import Refund, Withdrawal
from settlement.core.state_machine import StateMachine
from settlement.payouts import returns
from settlement.payouts.payout_log import (
    APPROVED,
    read_settings,
    record_decision,
    write_settings,
)
from settlement.payouts.policy import Policy
from settlement.store import schema
from settlement.store.read.payouts import WITHDRAWAL, PayoutClaim
from tests.property.payouts.simulation_chain import LateChain, Mempool, Outgo, WatchedSidechain, Wire
from tests.property.payouts.simulation_process import LIFETIMES, LONGEST, Plan, Process
from tests.system.payouts.world import TRADERS, VENUE, VIEW, Blocks, Ledgers

TURNS = (20, 40, 80)
SYMBOLS = {"HBD": ("1", "1.5", "2.5"), "PEK": ("0.01", "2", "0.5"), "SWAP.HIVE": ("1", "0.25")}
CALM_SECONDS = 45
"""From block to block at the end: the shortest transactions live for 15 seconds more."""
LATE_COMERS = ("dave", "erin", "frank")
REFUSED = ("gate", "vault")
"""Accounts that the sidechain sends nothing to; its nodes tell of the second one alone."""
SIGNED_EVERY = 10
KINDS = (
    "paid ",
    "withdraw ",
    "refund ",
    "return ",
    " dies",
    "start of",
    "restored",
    "loses",
    "policy ",
    "fork of",
)


class SimulationFailed(AssertionError):
    """Which rule was broken, where, and how to see it again."""


class Backup(NamedTuple):
    """A copy of a database, and how often the policy had changed by then."""

    raw: bytes
    changes: int


class Replica:
    """One database: the indexer that follows the chain into it, and the payouts processes on it."""

    def __init__(self, ledger: Ledgers, name: str) -> None:
        self.ledger = ledger
        self.name = name
        self.processes: list[Process] = []
        self.backups: list[Backup] = []
        self.first_run = True
        self.hold = False
        self.frozen: dict[str, int] = {}


class Observer:
    """The rules alone, over the whole chain: what was asked for, and whether more was paid than that."""

    def __init__(self, node: DevNode, sidechain: WatchedSidechain) -> None:
        self.rules = StateMachine(VENUE)
        self.pending: dict[str, Outgo] = {}
        self.claims: Counter[Outgo] = Counter()
        self._sidechain = sidechain
        self._source = Blocks(node, self.rules.venue_filter)

    def follow(self) -> list[BlockResult]:
        """Read all that is irreversible. Raises AssertionError where more left than was asked for."""
        header = self.rules.state.header
        after = Cursor(self.rules.next_block() - 1, None if header is None else header.block_id)
        read = [
            self.rules.apply(block.header, decode(block, self.rules.venue_filter, receipts))
            for block, receipts in self._source.blocks(after)
        ]
        for block in read:
            for effect in block.entries:
                self._note(effect)
        for outgo, times in self._sidechain.outgoes.items():
            assert times <= self.claims[outgo], f"{times} payments for {self.claims[outgo]} claims: {outgo}"
        state = self.rules.state
        for token in state.tokens.values():
            holdings = state.holdings.get((token.escrow, token.symbol), 0)
            assert holdings >= token.liabilities_units, f"insolvent in {token.symbol}: {holdings}"
        return read

    def _note(self, effect: object) -> None:
        if isinstance(effect, Outflow):
            raise AssertionError(f"an outflow that no claim explains: {effect.line().strip()}")
        if isinstance(effect, WithdrawalOpened):
            self._open(effect.withdrawal.id, self._withdrawal(effect.withdrawal))
        elif isinstance(effect, RefundOpened):
            self._open(effect.refund.id, self._refund(effect.refund))
        elif isinstance(effect, Paid):
            del self.pending[effect.payment.id]
        elif isinstance(effect, WithdrawalReturned):
            del self.pending[effect.withdrawal.id]

    def _open(self, ident: str, outgo: Outgo) -> None:
        self.pending[ident] = outgo
        self.claims[outgo] += 1

    def _withdrawal(self, claim: Withdrawal) -> Outgo:
        symbol = claim.balance.symbol
        memo = f"peakedex:{claim.id}" if claim.memo is None else text_of(claim.memo)
        escrow = self.rules.state.tokens[symbol].escrow
        return escrow, symbol, str(claim.amount), text_of(claim.to), memo

    def _refund(self, claim: Refund) -> Outgo:
        units = Fraction(text_of(claim.quantity)) * 10 ** self._sidechain.tokens[claim.symbol].precision
        return claim.escrow, claim.symbol, str(units), claim.account, f"peakedex:{claim.id}"


class Simulation:
    """One course of things. `clock` is how wrong the clocks are: it must change nothing."""

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
        self.policies = [self._draw_policy() for _ in range(3)]
        self.policy = self.policies[0]
        self.changes = 0
        self._turns = self.random.choice(TURNS)
        self._many_twins = self.random.random() < 0.3
        if self._many_twins:
            self.mempool.weights = [1, 5, 2, 3]
        self.stopped: dict[str, None] = {}
        self.returning: dict[str, None] = {}
        self._asked: list[tuple[str, dict[str, object]]] = []
        self._announced: list[Transaction] = []

    def _replica(self, folder: Path, database: bytes, name: str) -> Replica:
        (folder / f"{name}.db").write_bytes(database)
        return Replica(Ledgers(self.node, folder / f"{name}.db"), name)

    def _draw_policy(self) -> Policy:
        limits = self.random.choice(({}, {"HBD": Fraction(2)}, {"HBD": Fraction(1), "PEK": Fraction(1)}))
        hourly = self.random.choice(({}, {}, {"PEK": Fraction(5, 2)}, {"HBD": Fraction(6)}))
        return Policy(self.random.choice(LIFETIMES), limits, hourly)

    # -- the course ------------------------------------------------------------------------------

    def run(self) -> None:
        """All of it. Raises SimulationFailed."""
        try:
            for turn in range(self._turns):
                self._turn(turn)
            self._finish()
        except Exception as error:
            words = f"python -m tests.property.payouts.simulation --seed {self.seed} --trace"
            raise SimulationFailed(
                f"seed {self.seed}, step {self.steps}: {type(error).__name__}: {error}\nreplay: {words}"
            ) from error
        finally:
            self.close()

    def close(self) -> None:
        """End what is still running."""
        for replica in self.replicas:
            for process in replica.processes:
                process.kill()
            replica.ledger.engine.dispose()

    def digest(self) -> str:
        """What happened, in 64 hex digits: the same seed gives the same."""
        return hashlib.sha256("\n".join([*self.lines, self.node.chain.head_id.hex()]).encode()).hexdigest()

    def say(self, text: str) -> None:
        """Something happened."""
        self.lines.append(f"{self.steps}: {text}")
        if self._trace:
            head = self.node.chain.head_time
            print(f"{self.steps:6} head {self.node.chain.head} {head} ({head % 15}): {text}")

    def counts(self) -> Counter[str]:
        """How often what happened."""
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
        if self.stopped and self._happens(0.25):
            acts.append(self._give_back)
        if self._happens(0.16):
            acts.append(lambda: self._fault(turn))
        self.random.shuffle(acts)
        for act in acts:
            act()

    def _happens(self, probability: float) -> bool:
        return self.random.random() < probability

    # -- the chain -------------------------------------------------------------------------------

    def _block(self, seconds: int | None = None) -> None:
        """The next block, often soon, now and then after a long time without any."""
        chain = self.node.chain
        if seconds is None:
            gaps = (3, 6, 15, 40, self.random.randrange(60, 400))
            seconds = self.random.choices(gaps, (70, 15, 8, 4, 3))[0]
        timestamp = chain.head_time + seconds
        taken = self.mempool.offer(timestamp)
        self.node.tick(timestamp)
        self.say(f"block after {seconds}s{''.join(f' [{ident[:8]}]' for ident in taken)}")
        for block in self.observer.follow():
            for effect in block.entries:
                self.say(effect.line().strip())

    def _follow(self, replica: Replica) -> None:
        """Most often to the end; sometimes the indexer is behind."""
        until = None
        if self._happens(0.3):
            until = self.node.chain.irreversible - self.random.randrange(1, 12)
        replica.ledger.follow(until)

    def _submit(self, *operations: object) -> str | None:
        try:
            return self.node.broadcast(operations)
        except DevnetError:
            return None  # too little money

    # -- traders and the operator ----------------------------------------------------------------

    def _user(self) -> None:
        acts = (self._withdraw, self._twin, self._announce, self._deposit, self._refund, self._give_back)
        self.random.choices(acts, (60, 200 if self._many_twins else 10, 5, 5, 10, 20))[0]()
        if self._announced and self._happens(0.3):
            self._push(self._announced.pop())

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
            payload["memo"] = self.random.choice(("rent", "rent", "peakedex:1", "é", "x" * 250, '{"a":1}'))
        for _ in range(self.random.choice((1, 1, 1, 1, 2, 3))):
            self._ask(trader, payload)

    def _twin(self) -> None:
        """What was asked for before, once more: with a memo the chain cannot tell the twins apart."""
        if self._asked:
            trader, payload = self.random.choice(self._asked[:1] if self._many_twins else self._asked[-6:])
            self._ask(trader, {"memo": "rent", **payload})

    def _ask(self, trader: str, payload: dict[str, object]) -> None:
        self._asked.append((trader, payload))
        ident = self._submit(custom_json(VIEW, trader, intent(VIEW, "withdraw", payload)))
        self.say(f"{trader} withdraws {payload} {str(ident)[:8]}")

    def _announce(self) -> None:
        """A memo that is the id of a withdrawal that comes later: a trader can know it."""
        trader = self.random.choice(TRADERS)
        payload: dict[str, object] = {"symbol": "HBD", "quantity": "1"}
        later = self.node.chain.build([custom_json(VIEW, trader, intent(VIEW, "withdraw", payload))], 3000)
        self._announced.append(later)
        self._ask(trader, {**payload, "memo": f"peakedex:{later.id}"})

    def _deposit(self) -> None:
        self._submit(deposit(VIEW, self.random.choice(list(SYMBOLS)), self.random.choice(TRADERS), 10**5))

    def _refund(self) -> None:
        quantity = self.random.choice(("2.5", "0.10", "7"))
        escrow = self.random.choice(VIEW.escrows[:3])
        self._submit(custom_json(VIEW, self.random.choice(TRADERS), token_transfer("DUST", escrow, quantity)))

    def _give_back(self) -> None:
        """`payouts return` on every replica, again and again; once each has printed it, the operator signs."""
        pending = [ident for ident in self.observer.pending if ident not in self.returning]
        if not pending:
            return
        stopped = [ident for ident in self.stopped if ident in pending]
        ident = self.random.choice(stopped if stopped and self._happens(0.7) else pending)
        found = [(replica, self._claim(replica, ident)) for replica in self.replicas]
        if any(claim is None or claim.kind != WITHDRAWAL for _, claim in found):
            return
        self.stopped[ident] = None
        self.say(f"the operator stops {ident[:8]}")
        if not all(self._returns(replica, claim) for replica, claim in found if claim is not None):
            return
        self.returning[ident] = None
        self.say(f"the operator gives {ident[:8]} back")
        self._operate("returnWithdrawal", id=ident)

    def _returns(self, replica: Replica, claim: PayoutClaim) -> bool:
        """As `payouts return` does: whether it prints what the operator signs."""
        with _writing(replica) as connection:
            returns.start_return(connection, claim, self.node.chain.head_time)
            return returns.pending_returns(connection, LONGEST)[claim.ref].is_safe

    def _operate(self, action: str, **payload: object) -> None:
        self._submit(custom_json(VIEW, VIEW.operator, intent(VIEW, action, payload)))

    def _claim(self, replica: Replica, ident: str) -> PayoutClaim | None:
        claims = replica.ledger.claims()
        return next((claim for claim in claims if claim.id == ident and claim.closed is None), None)

    # -- processes -------------------------------------------------------------------------------

    def _start(self, replica: Replica) -> None:
        if len(replica.processes) > 1:
            return
        for one in self.replicas:  # nothing is open in this process when another is made of it
            one.ledger.engine.dispose()
        keys = {}
        if self._signed:
            accounts = self.node.chain.accounts
            keys = {escrow: accounts.private_key(escrow, "active").wif for escrow in VIEW.escrows}
        plan = Plan(
            *(replica.ledger.url, self.policy, replica.first_run, replica.hold, self.lease),
            *(self._clock, keys, self.node.chain.chain_id.hex()),
        )
        process = Process(plan, f"{replica.name}{self.steps}")
        self.say(f"start of {process.name}: {plan.policy} first {plan.first_run} hold {plan.hold}")
        if process.message is not None:
            replica.processes.append(process)

    def _advance(self, replica: Replica, process: Process) -> None:
        """Let a process go on: by a step, or to the end of its round."""
        if self._happens(0.3):
            self._go(replica, process)
            return
        while self._go(replica, process):
            pass

    def _go(self, replica: Replica, process: Process) -> bool:
        """One step. Whether there is another one in this round."""
        message = process.message
        if message is None:  # it was ended meanwhile
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
            replica.first_run = replica.hold = False  # the operator sees that it is paying
        if process.message is None:
            replica.processes.remove(process)
            self.say(f"{process.name} finds another process at work")
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
        """The operator stops what works on it, puts the copy there, and knows whether the policy is another."""
        replica = self.random.choice(self.replicas)
        if not replica.backups or self._is_returning():
            return
        backup = self.random.choice(replica.backups)
        self._kill(replica, *replica.processes)
        replica.ledger.restore(backup.raw)
        replica.hold = backup.changes != self.changes
        self.say(f"{replica.name} is restored, hold {replica.hold}")

    def _lose_records(self) -> None:
        """All that payouts have ever written."""
        replica = self.random.choice(self.replicas)
        if self._is_returning():
            return
        self._kill(replica, *replica.processes)
        self.say(f"{replica.name} loses its records")
        with _writing(replica) as connection:
            for table in reversed(schema.metadata.sorted_tables):
                if table.name.startswith("payout_"):
                    connection.execute(delete(table))

    def _is_returning(self) -> bool:
        """Whether a decision to give back counts: to lose that is to pay what is given back."""
        return any(ident in self.observer.pending for ident in self.returning)

    def _change_policy(self) -> None:
        """All operators together, and with all processes stopped."""
        for replica in self.replicas:
            self._kill(replica, *replica.processes)
        self.policy = self.random.choice([one for one in self.policies if one is not self.policy])
        self.changes += 1
        for replica in self.replicas:
            replica.first_run = False
        self.say(f"policy {self.policy}")

    def _freeze(self, turn: int) -> None:
        """A process stands still for long, wherever it is, and then goes on."""
        processes = [(replica, process) for replica in self.replicas for process in replica.processes]
        if processes:
            replica, process = self.random.choice(processes)
            replica.frozen[process.name] = turn + self.random.randrange(5, 40)
            self.say(f"{process.name} stands still at {process.message}")

    def _stall(self) -> None:
        self.node.chain.stalled = not self.node.chain.stalled
        self.say(f"irreversibility stalled: {self.node.chain.stalled}")

    def _fork(self) -> None:
        """Traders' transactions come again; what payouts sent is as free as before."""
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
            settings = read_settings(connection)
            write_settings(connection, settings._replace(paused=not settings.paused))
        self.say(f"{replica.name} paused: {not settings.paused}")

    def _approve_some(self) -> None:
        replica = self.random.choice(self.replicas)
        self._approve(replica, lambda: self._happens(0.5))

    def _approve(self, replica: Replica, is_wanted: Callable[[], bool]) -> None:
        claims = [claim for claim in replica.ledger.claims() if claim.closed is None]
        chosen = [claim for claim in claims if claim.id not in self.returning and is_wanted()]
        with _writing(replica) as connection:
            for claim in chosen:
                record_decision(connection, claim.ref, APPROVED, since=self.node.chain.head_time)

    def _new_account(self) -> None:
        name = self.random.choice(LATE_COMERS)
        self.node.faucet(name)
        self.say(f"account {name}")

    # -- the end ---------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Nothing fails any more: everything that can be paid is paid, and then the books add up."""
        chain = self.node.chain
        self.say("from here on nothing fails")
        self.wire.faults, self.sidechain.refusing = 0.0, 0.0
        chain.stalled, chain.lag, self.node.behind, self.lease = False, 0, 0, True
        self.mempool.calm()
        for name in LATE_COMERS:
            self.node.faucet(name)
        for replica in self.replicas:
            self._kill(replica, *replica.processes[1:])
            with _writing(replica) as connection:
                write_settings(connection, read_settings(connection)._replace(paused=False))
            if not replica.processes:
                self._start(replica)
        for ident in self.returning:
            self._operate("returnWithdrawal", id=ident)
        rounds = 0
        while self._unpaid() and rounds < 30 + 22 * max(self.observer.claims.values(), default=0):
            rounds += 1
            self._calm_round(chain)
        unpaid = self._unpaid()
        assert not unpaid, f"never paid: {list(unpaid.items())[:2]} and so on, {len(unpaid)}"
        self._check_books()

    def _calm_round(self, chain: Chain) -> None:
        holds = []
        for replica in self.replicas:
            with replica.ledger.engine.connect() as connection:
                holds.append(read_settings(connection).hold_until)
        wait = max(holds) + 1 - chain.head_time
        self._block(max(wait, CALM_SECONDS))
        for replica in self.replicas:
            replica.ledger.follow()
            self._approve(replica, lambda: True)
            for process in tuple(replica.processes):
                while self._go(replica, process):
                    pass

    def _unpaid(self) -> dict[str, Outgo]:
        """Pending claims that can be paid, and are not being given back."""
        return {
            ident: outgo
            for ident, outgo in self.observer.pending.items()
            if ident not in self.returning and not _is_unpayable(outgo)
        }

    def _check_books(self) -> None:
        for _ in range(12):
            self._block(3)
        state = self.observer.rules.state
        check_all(state)
        assert not any(_is_unpayable(outgo) for outgo in self.sidechain.outgoes)
        assert not any(ident in self.observer.pending for ident in self.returning), "never given back"
        for (escrow, symbol), units in state.holdings.items():
            real = self._real(escrow, symbol)
            assert real == units, f"{escrow} has {real} {symbol}, its ledger says {units}"
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
    """The sidechain refuses the recipient, or would run the memo as an action of the escrow account."""
    _, symbol, _, to, memo = outgo
    return memo.startswith("{") if symbol == "HBD" else to in REFUSED


def _copy(ledger: Ledgers) -> bytes:
    """The database file. Nothing stays open: a fork must not inherit SQLite's idea of its locks."""
    ledger.engine.dispose()
    with closing(sqlite3.connect(ledger.path)) as live, closing(sqlite3.connect(":memory:")) as copy:
        live.backup(copy)
        return copy.serialize()


def _writing(replica: Replica) -> Any:
    """A transaction of the operator's. The connections are those of the indexer, which is in this process."""
    return replica.ledger.engine.begin()


def _beginning() -> tuple[LateChain, WatchedSidechain, bytes]:
    """A chain on which traders have deposits, and the database that an indexer has made of it."""
    node = _prepared()
    return node.chain, node.sidechain, _first_database()  # type: ignore[return-value]


def _prepared() -> DevNode:
    sidechain = WatchedSidechain(Random())
    node = DevNode(LateChain(sign=False), sidechain, cautious=True)
    node.prepare(VIEW)
    sidechain.create_token("DUST", 8)
    for name in REFUSED:
        node.faucet(name)
    for trader in TRADERS:
        node.faucet(trader, "DUST", "1000")
        for symbol in SYMBOLS:
            node.faucet(trader, symbol, "100000")
            node.broadcast([deposit(VIEW, symbol, trader, 10**6 if symbol == "HBD" else 10**10)])
    for _ in range(3):
        node.tick()
    return node


@cache
def _first_database() -> bytes:
    """The prepared chain is the same each time, so one database fits all."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        ledger = Ledgers(_prepared(), Path(folder) / "first.db")
        ledger.follow()
        return _copy(ledger)


@cache
def scratch() -> str:
    """Where the databases lie: in memory where there is such a folder."""
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) else tempfile.gettempdir()


def simulate(seed: int, *, clock: int = 0, trace: bool = False) -> Simulation:
    """Run one. Raises SimulationFailed."""
    with tempfile.TemporaryDirectory(prefix="payouts", dir=scratch()) as folder:
        simulation = Simulation(seed, Path(folder), clock=clock, trace=trace)
        simulation.run()
        return simulation


def attempt(seed: int) -> tuple[int, str | None, Counter[str]]:
    """A seed, how it failed if it did, and what happened how often."""
    try:
        simulation = simulate(seed)
    except SimulationFailed as error:
        return seed, str(error), Counter()
    return seed, None, simulation.counts()


def main() -> int:
    """The command line; the exit code is 1 if a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.payouts.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay one")
    parser.add_argument("--seeds", help="run many: FIRST..LAST, the last one not included")
    parser.add_argument("--trace", action="store_true", help="tell all that happens (with --seed)")
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
