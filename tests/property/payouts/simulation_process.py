"""A payouts process of the simulation: the real loop, forked, which waits before each of its effects.

At each step, query and turn it waits until the simulation lets it continue. So several processes are interleaved
as the seed says, and each ends where the seed says, by `os._exit`.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from indexer.devnet.hive.keys import PrivateKey
from settlement.payouts.chain.accounts import Account
from settlement.payouts.chain.nodes import ChainError, Execution, Outcome, Restrictions
from settlement.payouts.cosign.collector import SignatureCollector
from settlement.payouts.cosign.relay_client import RelayClient
from settlement.payouts.dependencies import Dependencies
from settlement.payouts.holds.pause import RestoreMark
from settlement.payouts.payout_log import open_payout_log
from settlement.payouts.policy import Policy
from settlement.payouts.runner import IDLE_SECONDS, Runner
from settlement.payouts.signing.authority import KeyRing, KeyVariable
from settlement.payouts.signing.transactions import SignedTransaction, Transaction
from settlement.store import payout_schema
from settlement.store.database import open_reader
from settlement.store.lease import Lease, LeaseError
from tests.property.payouts.simulation_relay import RelayHttp
from tests.system.payouts.world import VENUE, OneKey

ENDED_WELL, KILLED, BROKEN = 0, 9, 70


class Plan(NamedTuple):
    """Arguments of a process."""

    url: str
    policy: Policy
    longest: int  # the longest lifetime of a transaction under any policy of the run, in seconds
    first_run: bool
    hold: bool
    lease: bool
    clock: int  # by how many seconds its machine's clock is wrong
    keys: Mapping[str, PrivateKey]  # by escrow account; without any, signatures are placeholders
    chain_id: str
    relays: tuple[str, ...] = ()  # through which it exchanges signatures


class QuickKeys(KeyRing):
    """Key ring that signs with the devnet's keys: beem takes ten times as long."""

    def __init__(self, keys: Mapping[str, PrivateKey], chain_id: str) -> None:
        super().__init__(_variables(keys), {escrow: key.wif for escrow, key in keys.items()}, chain_id)
        self._quick = keys

    def sign(self, escrow: str, transaction: Transaction) -> dict[str, str]:
        key = self._quick[escrow]
        return {key.public_key: key.sign(transaction.digest(self.chain_id)).hex()}


def _variables(escrows: Iterable[str]) -> list[KeyVariable]:
    return [KeyVariable(escrow, escrow, escrow) for escrow in escrows]


class Message(NamedTuple):
    """What a process waits at: `step` and its name, `ask` and a query, `turn`, `accepted`, or `broken`."""

    kind: str
    what: str = ""
    arguments: tuple[Any, ...] = ()


class Process:
    """A forked process, seen from the simulation. `message` is what it waits at; None once it has ended."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan = plan
        self.name = name
        self.starting = True
        self.late: list[object] = []  # an answer that it has not got yet
        here, there = Pipe()
        self._pipe = here
        self._pid = os.fork()
        if not self._pid:
            here.close()
            _be(there, plan)
        there.close()
        self.message: Message | None = None
        self._read()

    def go(self, reply: object = None) -> None:
        """Let it continue, with an answer to its message."""
        if self.message is not None and self.message.what == "read":
            self.starting = False
        self._pipe.send(reply)
        self._read()

    def kill(self) -> None:
        """End it at this point, by `os._exit`: nothing is written, closed or released."""
        if self.message is not None:
            self._pipe.send(SystemExit())
            self._end()

    def _read(self) -> None:
        try:
            self.message = self._pipe.recv()
        except EOFError:
            self._end()
            raise AssertionError(f"process {self.name} ended by itself") from None
        if self.message is not None and self.message.kind == "accepted":
            self._end()
        elif self.message is not None and self.message.kind == "broken":
            text = self.message.what
            self._end()
            raise AssertionError(f"process {self.name} failed:\n{text}")

    def _end(self) -> None:
        self._pipe.close()
        os.waitpid(self._pid, 0)
        self.message = None


class _Talk:
    """The process's end of the pipe. Stands in for `ChainNodes`, and waits at each step."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._relays: list[RelayClient] = []

    def exchange(self, collector: SignatureCollector, relays: Iterable[str]) -> None:
        """Exchange signatures through these relays before each turn."""
        http: Any = RelayHttp(lambda *question: self.say("ask", *question))
        self._relays = [RelayClient(url, collector, http=http) for url in relays]

    def say(self, kind: str, what: str = "", *arguments: object) -> Any:
        """Wait for an answer; end at once if it says so, or if the simulation has ended."""
        try:
            self._pipe.send(Message(kind, what, arguments))
            answer = self._pipe.recv()
        except (EOFError, OSError):
            os._exit(KILLED)
        if isinstance(answer, SystemExit):
            os._exit(KILLED)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def step(self, name: str) -> None:
        self.say("step", name)

    def wait(self) -> None:
        """Wait for the next turn."""
        for relay in self._relays:
            relay.run_once()
        self.say("turn")

    def head_time(self) -> int:
        return int(self.say("ask", "head_time"))

    def accounts(self, names: Iterable[str]) -> dict[str, Account]:
        found: dict[str, Account] = self.say("ask", "accounts", sorted(names))
        return found

    def balances(self, accounts: Iterable[str], symbols: Iterable[str]) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = self.say("ask", "balances", sorted(accounts), sorted(symbols))
        return found

    def execution(self, transaction_id: str) -> Execution | None:
        found: Execution | None = self.say("ask", "execution", transaction_id)
        return found

    def restrictions(self, accounts: Iterable[str]) -> Restrictions:
        found: Restrictions = self.say("ask", "restrictions", sorted(accounts))
        return found

    def broadcast(self, signed: SignedTransaction) -> Outcome:
        outcome: Outcome = self.say("ask", "broadcast", signed)
        return outcome


class _Turns(threading.Event):
    """The loop's stop event, at which it waits for its turn."""

    def __init__(self, talk: _Talk) -> None:
        super().__init__()
        self._talk = talk

    def wait(self, timeout: float | None = None) -> bool:
        self._talk.wait()
        return False


def _be(pipe: Connection, plan: Plan) -> None:
    """The forked process, from beginning to end."""
    gc.freeze()  # the parent's connections are never closed here
    logging.disable(logging.CRITICAL)
    talk = _Talk(pipe)
    try:
        _wrong_clock(plan.clock)
        _pay(talk, plan)
    except LeaseError:
        pipe.send(Message("accepted"))
        os._exit(ENDED_WELL)
    except BaseException:
        pipe.send(Message("broken", traceback.format_exc()))
        os._exit(BROKEN)


def _pay(talk: _Talk, plan: Plan) -> None:
    """As `peakedex payouts` does."""
    reader, writer = open_reader(plan.url), open_payout_log(plan.url)
    signing: KeyRing = OneKey()
    refresh: Callable[[], object] = lambda: None  # noqa: E731
    mark = RestoreMark.of_database(plan.url)
    if plan.keys:
        if plan.relays:
            signing = QuickKeys(plan.keys, plan.chain_id)
        else:
            texts = {escrow: key.wif for escrow, key in plan.keys.items()}
            signing = KeyRing(_variables(plan.keys), texts, plan.chain_id)
        refresh = partial(signing.check, talk)
        parties = (VENUE, plan.policy, signing.authorities, plan.chain_id)
        talk.exchange(SignatureCollector(reader, writer, *parties), plan.relays)
    lease = Lease(writer, table=payout_schema.lease) if plan.lease else nullcontext()
    with lease:
        guard = lease.check if isinstance(lease, Lease) else lambda: None
        parts = Dependencies(reader, writer, talk, signing, guard, refresh, talk.step, mark)
        runner = Runner(parts, VENUE, plan.policy)
        while True:
            try:
                refresh()
                runner.start(first_run=plan.first_run, hold=plan.hold, max_lifetime=plan.longest)
                break
            except ChainError:
                talk.wait()
        runner.run(_Turns(talk), IDLE_SECONDS)


def _wrong_clock(seconds: int) -> None:
    right = time.time
    time.time = lambda: right() + seconds
    time.monotonic = lambda: 1000.0  # relays that restart get everything again; nothing else may depend on it
