"""Traders and the operator of a simulation: what they ask for, and when."""

from __future__ import annotations

from indexer.devnet.hive.operations import Coin, Transfer
from indexer.devnet.traders.payloads import custom_json, deposit, intent, token_transfer
from tests.property.payouts.simulation_beginning import REFUSED, SYMBOLS
from tests.property.payouts.simulation_world import SimulatedWorld
from tests.system.payouts.world import TRADERS, VIEW

MAX_GAP_SECONDS = 600
LATE_COMERS = ("dave", "erin", "frank")
JSON_MEMO = '\u00a0{"a":1}'
"""A memo that the rules accept, and payouts hold where a coin is withdrawn."""


class Traders(SimulatedWorld):
    """What people do."""

    def _user(self) -> None:
        acts = (self._withdraw, self._twin, self._deposit, self._refund, self._cancel)
        self.random.choices(acts, (60, 200 if self._many_twins else 10, 5, 12, 10))[0]()

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
