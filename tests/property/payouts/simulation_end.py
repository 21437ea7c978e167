"""The end of a simulation: without failures everything is paid or returned, once, and nobody waits for others."""

from __future__ import annotations

from indexer.devnet.hive.chain import Chain
from indexer.devnet.traders.payloads import custom_json, intent
from settlement.core.invariants import check_all
from settlement.payouts.payout_log import read_settings
from settlement.payouts.policy import HOUR_SECONDS
from settlement.store.payout_pause import RUNNING, read_pause
from tests.property.payouts.simulation_beginning import NEWCOMER, REFUSED
from tests.property.payouts.simulation_chain import Outgo
from tests.property.payouts.simulation_faults import Failures
from tests.property.payouts.simulation_traders import JSON_MEMO, LATE_COMERS, MAX_GAP_SECONDS
from tests.system.payouts.world import TRADERS, VIEW

CALM_SECONDS = {120: 45, 3000: 600}
"""From block to block at the end, by the longest lifetime: shorter than the shortest."""
FLOOD = 9
"""Withdrawals of each other account, most of them a payment of its own, that must not delay one's."""
ROUND_SECONDS = 40
"""Chain time of a round: the slot, the payments of the other accounts, and the exchange of signatures."""


class Ending(Failures):
    """What must be true at the end."""

    def _race_returns(self) -> None:
        """Returns are asked for around the time of signing, and everything that was sent arrives as late as it can.

        Then nobody works until a time shortly before the withdrawals go back.
        """
        self.say("returns race payments")
        self.mempool.weights = [0, 1, 0, 0]
        for replica in self.replicas:
            if not replica.processes:
                self._start(replica)
        for _ in range(4):
            self._withdraw()
            self._block(self.random.choice((3, 15)))
            if self._happens(0.5):
                self._work()
            self._cancel()
            self._block(3)
        dues = [claim.due for claim in self.observer.pending.values() if claim.due is not None]
        if dues:
            self._wait_until(max(dues) - self.random.choice((1500, 600, 300, 60)))
            for _ in range(2):
                self._work()
                self._block(3)
            self._wait_until(max(dues) + self.longest + HOUR_SECONDS)

    def _race_policies(self) -> None:
        """The policy changes between signing and a block, and everything that was sent arrives as late as it can."""
        self.say("policies race")
        self.mempool.weights = [0, 1, 0, 0]
        for _ in range(2):
            for replica in self.replicas:
                if not replica.processes:
                    self._start(replica)
            for _ in range(3):
                self._withdraw()
                self._block(15)
                self._work()
            self._change_policy()
        self._wait_until(self.node.chain.head_time + self.longest)

    def _wait_until(self, time: int) -> None:
        while self.node.chain.head_time < time:
            self._block(min(MAX_GAP_SECONDS, time - self.node.chain.head_time))

    def _finish(self) -> None:
        """Without failures everything that can be paid is paid, the rest is returned, and the books add up."""
        chain = self.node.chain
        self.say("no failures from here on")
        self.wire.faults, self.sidechain.refusing = 0.0, 0.0
        chain.stalled, chain.lag, self.node.behind, self.lease = False, 0, 0, True
        self.mempool.calm()
        self.engines.calm()
        self.sidechain.heartbeat = 1  # else the ledgers would be a block behind, and blocks are far apart
        for name in LATE_COMERS:
            self.node.faucet(name)
        for replica in self.replicas:
            replica.lag = 0
            self._kill(replica, *replica.processes[1:])
            if not replica.processes:
                self._start(replica)
        if self.operators > 1 or self._happens(0.3):
            self._check_fairness(*((1, 3) if self.operators > 1 else (len(TRADERS), FLOOD)))
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
        is_waiting = all(claim.due is not None for claim in self.observer.pending.values())
        step = MAX_GAP_SECONDS if is_waiting else CALM_SECONDS[self.longest]  # nothing else is due meanwhile
        wait = max(max(holds) + 1 - chain.head_time, step)
        while wait > 0:
            self._block(min(wait, MAX_GAP_SECONDS))
            wait -= MAX_GAP_SECONDS
        self._work()

    def _work(self) -> None:
        """A round of each process. Where signatures are exchanged, another one sends what they complete."""
        for replica in self.replicas:
            replica.ledger.follow()
            with replica.ledger.engine.connect() as connection:
                is_paused = read_pause(connection) != RUNNING
            if is_paused:
                self._resume(replica)
            self._approve_rest(replica)
        for replica in self.replicas * (2 if self.operators > 1 else 1):
            for process in tuple(replica.processes):
                while self._go(replica, process):
                    pass

    def _check_fairness(self, accounts: int, flood: int) -> None:
        """Some accounts open many withdrawals, most of which are refused; another account's is paid at once."""
        for _ in range(3):  # restored databases are resumed, and signatures exchanged
            self._calm_round(self.node.chain)
        symbol = self.random.choice(("PEK", "SWAP.HIVE"))
        for flooder in self.random.sample(TRADERS, accounts):
            for at in range(flood):
                to = self.random.choice((REFUSED[0], REFUSED[0], "alice", "bob"))
                payload = {"symbol": symbol, "quantity": f"0.0{at + 10}", "to": to}
                self._submit(custom_json(VIEW, flooder, intent(VIEW, "withdraw", payload)))
        payload = {"symbol": symbol, "quantity": "0.5", "to": "bob"}
        ident = self._submit(custom_json(VIEW, NEWCOMER, intent(VIEW, "withdraw", payload)))
        self._block(3)
        opened = self.node.chain.head_time
        assert ident in self.observer.pending, "the newcomer's withdrawal was rejected"
        while ident in self.observer.pending:
            waited = self.node.chain.head_time - opened
            assert waited <= ROUND_SECONDS, (
                f"an ordinary withdrawal is delayed by another account's: {waited} s"
            )
            self._work()
            self._block(3)
        self.say(f"the newcomer has waited {self.node.chain.head_time - opened} s")

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
            if replica.deceived:
                continue
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
