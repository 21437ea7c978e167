"""Failures of a simulation: of databases, processes, nodes and chains."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, delete, select

from settlement.payouts.payout_log import approve_claim, read_approvals
from settlement.payouts.plan import ClaimRef
from settlement.store import payout_schema, schema
from settlement.store.payout_pause import (
    BY_OPERATOR,
    RUNNING,
    count_decision,
    pause_at_next_start,
    read_pause,
    set_pause,
)
from settlement.store.read.payouts import read_ledger
from tests.property.payouts.simulation_beginning import copy_of
from tests.property.payouts.simulation_relay import URLS
from tests.property.payouts.simulation_traders import LATE_COMERS, Traders
from tests.property.payouts.simulation_world import Backup, Replica


class Failures(Traders):
    """What fails."""

    def _fault(self) -> None:
        acts: tuple[tuple[Callable[[], object], int], ...] = (
            (self._copy, 20),
            (self._restore, 12),
            (self._lose_records, 8),
            (self._change_policy, 24),
            (self._freeze, 12),
            (self._stall, 8),
            (self._fork, 20),
            (self._engine, 12),
            (self._relay, 4),
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
        replica.backups.append(Backup(copy_of(replica.ledger), self.changes, replica.sent))

    def _restore(self) -> None:
        """Restore a copy, at any time; the operator starts with --hold if the policy has changed since.

        With `peakedex restore`, which pauses, or without: then the restore mark must tell.
        """
        replica = self.random.choice(self.replicas)
        if not replica.backups:
            return
        backup = self.random.choice(replica.backups)
        self._kill(replica, *replica.processes)
        replica.ledger.restore(backup.raw)
        replica.hold = backup.changes != self.changes
        self._has_lost(replica, backup.sent)
        if self._happens(0.5):
            replica.must_pause = True
            with replica.writing() as connection:
                pause_at_next_start(connection)
        self.say(f"{replica.name} is restored, hold {replica.hold}")

    def _lose_records(self) -> None:
        """Delete everything that payouts have written."""
        replica = self.random.choice(self.replicas)
        self._kill(replica, *replica.processes)
        self.say(f"{replica.name} loses its records")
        with replica.writing() as connection:
            for table in reversed(schema.metadata.sorted_tables):
                if table.name.startswith("payout_"):
                    connection.execute(delete(table))
        self._has_lost(replica, 0)

    def _has_lost(self, replica: Replica, sent: int) -> None:
        """Its database now knows of payments up to that number alone."""
        replica.must_pause = replica.must_pause or (replica.alone and sent < replica.sent)
        replica.sent = sent

    def _resume(self, replica: Replica) -> None:
        """The operator has checked what there is to check."""
        self.say(f"{replica.name} resumes")
        replica.must_pause = False
        with replica.writing() as connection:
            set_pause(connection, RUNNING)
            count_decision(connection)

    def _change_policy(self) -> None:
        """By all operators together, with all processes stopped."""
        for replica in self.replicas:
            self._kill(replica, *replica.processes)
        self.policy = self.random.choice([one for one in self.policies if one is not self.policy])
        self.changes += 1
        for replica in self.replicas:
            replica.first_run = False
        self.say(f"policy {self.policy}")

    def _freeze(self) -> None:
        """A process stops for long, at any point, and then continues."""
        processes = [(replica, process) for replica in self.replicas for process in replica.processes]
        if processes:
            replica, process = self.random.choice(processes)
            replica.frozen[process.name] = self.turn + self.random.randrange(5, 40)
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
        with_sidechain = self._happens(0.5)
        depth = self.random.randrange(1, depth + 1)
        dropped = self.node.fork(depth, forget=True, sidechain=with_sidechain)
        self.say(f"fork of {len(dropped)} blocks")
        if with_sidechain:
            self.say(f"Hive-Engine nodes {self.engines.follow_fork()} followed the branch")
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

    def _engine(self) -> None:
        self.say(self.engines.fail())

    def _relay(self) -> None:
        self.wire.relays.restart(self.random.choice(URLS))

    def _pause(self) -> None:
        replica = self.random.choice(self.replicas)
        with replica.writing() as connection:
            is_running = read_pause(connection) == RUNNING
            if is_running:
                set_pause(connection, BY_OPERATOR)
                count_decision(connection)
        if is_running:
            self.say(f"{replica.name} is paused")
        else:
            self._resume(replica)

    def _approve_some(self) -> None:
        replica = self.random.choice(self.replicas)
        self._approve(replica, lambda: self._happens(0.5))

    def _approve(self, replica: Replica, is_wanted: Callable[[], bool]) -> None:
        with replica.writing() as connection:
            self._record_approvals(connection, [ref for ref in _pending(connection) if is_wanted()])

    def _approve_rest(self, replica: Replica) -> None:
        """Approve what was not approved yet, and what was refused."""
        with replica.writing() as connection:
            r = payout_schema.refusals.c
            refused = {(kind, n) for kind, n in connection.execute(select(r.kind, r.claim))}
            done = read_approvals(connection).keys() - refused
            self._record_approvals(connection, [ref for ref in _pending(connection) if ref not in done])

    def _record_approvals(self, connection: Connection, claims: list[ClaimRef]) -> None:
        for claim in claims:
            approve_claim(connection, claim, self.node.chain.head_time)
        if claims:
            count_decision(connection)

    def _new_account(self) -> None:
        name = self.random.choice(LATE_COMERS)
        self.node.faucet(name)
        self.say(f"account {name}")


def _pending(connection: Connection) -> list[ClaimRef]:
    ledger = read_ledger(connection, 0)
    assert ledger is not None
    return [claim.ref for claim in ledger.claims if claim.closed is None]
