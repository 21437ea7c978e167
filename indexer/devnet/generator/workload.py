"""Workload of a generated chain: every intent, token movement and operator action, and malformed input.

It works on a `DevNode` directly and keeps no order book. It remembers the withdrawals and refunds it caused
and pays some of them, so that payments, refunds and unmatched outflows all occur.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Final

from indexer.devnet.generator.hostile import bombs, escaped, odd_transfer
from indexer.devnet.generator.operator_actions import NEW_TOKEN, operator_actions
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import Coin, Operation, Transfer
from indexer.devnet.node import DevNode
from indexer.devnet.sidechain.actions import dump_json
from indexer.devnet.sidechain.chain import SPLITTER
from indexer.devnet.traders.order_flow import OrderFlow
from indexer.devnet.traders.payloads import (
    Element,
    custom_json,
    decimal_text,
    deposit,
    element_ids,
    intent,
    movement,
    raw_json,
    token_transfer,
)
from indexer.devnet.traders.planned import PlannedIntent, Trader, operations_of
from indexer.devnet.traders.prices import DEPOSIT_USD, units_worth
from indexer.devnet.venue import VenueView
from settlement.core.venue import TokenRules

UNLISTED: Final = "DUST"
WEALTH_USD: Final = 10**9
MAX_PENDING: Final = 200
MAX_INTENTS: Final = 4

# Relative frequency of each kind of operation.
WEIGHTS: Final = {
    "flow": 800,
    "array": 50,
    "deposit": 40,
    "pay": 60,
    "refund": 4,
    "ignore": 3,
    "odd": 6,
    "split": 3,
    "memo": 4,
    "overdrawn": 2,
    "internal": 2,
    "outflow": 2,
    "locked": 2,
    "escaped": 3,
    "mixed": 8,
    "bomb": 8,
    "operator": 6,
    "noise": 10,
}
HOSTILE: Final = ("odd", "bomb")


@dataclass(frozen=True, slots=True)
class Payment:
    """A pending withdrawal, or a refund due."""

    id: str
    symbol: str
    quantity: str  # decimal text
    to: str
    memo: str | None = None  # the trader's
    escrow: str | None = None  # of a refund: the account that received the deposit; else the token's

    def full_memo(self) -> str:
        """The memo by which the venue matches the payment."""
        return self.memo if self.memo is not None else f"peakedex:{self.id}"


class Workload:
    """Fills blocks with operations and counts them by kind in `counts`."""

    def __init__(
        self,
        node: DevNode,
        venue: VenueView,
        *,
        seed: int,
        accounts: int,
        hostile: bool,
        operator: bool,
        depth: int,
        weights: Mapping[str, int] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._node = node
        self._venue = venue
        self._rng = Random(seed)
        self._traders = [Trader(f"trader-{number}") for number in range(1, accounts + 1)]
        self._flow = OrderFlow(
            venue, self._traders, self._rng, now=lambda: node.chain.head_time, max_open=depth
        )
        self._to_fund = deque(self._traders)
        self._payments: deque[Payment] = deque(maxlen=MAX_PENDING)
        self._withdrawals: deque[str] = deque(maxlen=MAX_PENDING)
        self._operator_step = 0
        excluded = (() if hostile else HOSTILE) + (() if operator else ("operator",))
        chosen = {
            name: weight for name, weight in {**WEIGHTS, **(weights or {})}.items() if name not in excluded
        }
        self._kinds, self._weights = list(chosen), list(chosen.values())
        self._send_kind: dict[str, Callable[[Trader], None]] = {
            "flow": lambda trader: self._draw(trader, 1),
            "array": lambda trader: self._draw(trader, self._rng.randint(2, MAX_INTENTS)),
            "deposit": self._deposit,
            "pay": self._pay,
            "refund": self._refund,
            "ignore": self._ignore,
            "odd": self._odd,
            "split": self._split,
            "memo": self._memo,
            "overdrawn": self._overdrawn,
            "internal": self._internal,
            "outflow": self._outflow,
            "locked": self._locked,
            "escaped": self._escaped,
            "mixed": self._mixed,
            "bomb": self._bomb,
            "operator": self._operate,
            "noise": self._noise,
        }
        self._prepare()

    def _prepare(self) -> None:
        """Create accounts and tokens and fund the wallets, without operations on the chain."""
        self._node.prepare(self._venue)
        sidechain = self._node.sidechain
        for symbol in (UNLISTED, NEW_TOKEN):
            if symbol not in sidechain.tokens:
                sidechain.create_token(symbol, 8, self._venue.operator)
        rich = [trader.name for trader in self._traders] + list(self._venue.escrows)
        for name in rich:
            for symbol in (*self._venue.tokens, UNLISTED, NEW_TOKEN):
                listed = self._venue.tokens.get(symbol)
                precision = listed.precision if listed else 8
                units = units_worth(symbol, precision, WEALTH_USD)
                self._node.faucet(name, symbol, decimal_text(units, precision))

    def fill(self, operations: int) -> None:
        """Broadcast about `operations` operations for the next block, deposits of new traders first."""
        used = 0
        while self._to_fund and used < operations:
            used += self._fund(self._to_fund.popleft())
        for kind in self._rng.choices(self._kinds, self._weights, k=max(0, operations - used)):
            self._send_kind[kind](self._rng.choice(self._traders))

    # -- sending ---------------------------------------------------------------------------------

    def _send(self, kind: str, *operations: Operation) -> str | None:
        """Broadcast one transaction; its id, or None if the node rejected it."""
        try:
            transaction_id = self._node.broadcast(operations)
        except ChainError:
            self.counts["refused"] += 1
            return None
        self.counts[kind] += 1
        return transaction_id

    def _elements(self, kind: str, account: str, *elements: Element) -> str | None:
        return self._send(kind, custom_json(self._venue, account, *elements))

    def _token(self) -> TokenRules:
        return self._venue.tokens[self._rng.choice(list(self._venue.tokens))]

    def _sidechain_token(self) -> TokenRules:
        return self._rng.choice([token for token in self._venue.tokens.values() if token.chain != "hive"])

    def _units(self, token: TokenRules, dollars: int) -> int:
        units = units_worth(token.symbol, token.precision, dollars)
        return units + self._rng.randint(0, units)

    # -- traders ---------------------------------------------------------------------------------

    def _fund(self, trader: Trader) -> int:
        """Deposit every token in one transaction of several operations, one of them an array."""
        coins = [token for token in self._venue.tokens.values() if token.chain == "hive"]
        elements = [
            token_transfer(
                token.symbol, token.escrow, decimal_text(self._units(token, DEPOSIT_USD), token.precision)
            )
            for token in self._venue.tokens.values()
            if token.chain != "hive"
        ]
        operations: list[Operation] = [
            deposit(self._venue, token.symbol, trader.name, self._units(token, DEPOSIT_USD))
            for token in coins
        ]
        self._send("fund", *operations, custom_json(self._venue, trader.name, *elements))
        return len(operations) + 1

    def _draw(self, trader: Trader, count: int) -> None:
        self._send_planned(trader, [self._flow.draw(trader) for _ in range(count)])

    def _send_planned(self, trader: Trader, planned: Sequence[PlannedIntent], *first: Operation) -> None:
        signed, counts = operations_of(self._venue, trader.name, planned)
        operations = (*first, *signed)
        transaction_id = self._send("transaction", *operations)
        if transaction_id is None:
            return
        ids = element_ids(transaction_id, operations, [*(1 for _ in first), *counts])[len(first) :]
        for each, ident in zip(planned, chain.from_iterable(ids), strict=True):
            self._flow.record_sent(trader, each, ident)
            self.counts[each.kind] += 1
            if each.kind == "withdraw" and each.units:
                self._record_withdrawal(trader, each, ident)
            if each.follow_up is not None:
                self._send_planned(trader, [self._flow.draw(trader, each.follow_up)])

    def _record_withdrawal(self, trader: Trader, planned: PlannedIntent, ident: str) -> None:
        """Remember a withdrawal, to pay it later or to let the operator return it."""
        payload = planned.element["contractPayload"]
        assert isinstance(payload, dict)
        if self._rng.random() < 0.1:
            self._withdrawals.append(ident)
            return
        quantity, memo = str(payload["quantity"]), payload.get("memo")
        assert memo is None or isinstance(memo, str)
        self._payments.append(Payment(ident, str(payload["symbol"]), quantity, trader.name, memo))

    def _mixed(self, trader: Trader) -> None:
        """A deposit and an order: as two operations, or as two elements of one array."""
        order = self._flow.draw(trader, "quote")
        token = self._sidechain_token()
        units = self._units(token, 10)
        if self._rng.random() < 0.5:
            self._send_planned(
                trader, [order], movement(self._venue, token, trader.name, token.escrow, units)
            )
        else:
            quantity = decimal_text(units, token.precision)
            move = token_transfer(token.symbol, token.escrow, quantity, "and buy")
            self._elements("mixed", trader.name, move, order.element)
        self.counts["deposit"] += 1

    # -- movements -------------------------------------------------------------------------------

    def _deposit(self, trader: Trader) -> None:
        token = self._token()
        self._send("deposit", deposit(self._venue, token.symbol, trader.name, self._units(token, 200)))

    def _pay(self, trader: Trader) -> None:
        if not self._payments:
            self._draw(trader, 1)
            return
        payment = self._payments.popleft()
        token = self._venue.tokens.get(payment.symbol)
        if token is None or token.chain != "hive":
            escrow = payment.escrow or (token.escrow if token else self._venue.escrows[0])
            element = token_transfer(payment.symbol, payment.to, payment.quantity, payment.full_memo())
            self._elements("pay", escrow, element)
        else:
            whole, _, fraction = payment.quantity.partition(".")
            coin = Coin(int(whole) * 1000 + int(fraction.ljust(3, "0")), payment.symbol)
            self._send("pay", Transfer(token.escrow, payment.to, coin, payment.full_memo()))

    def _refund(self, trader: Trader) -> None:
        """A deposit in the escrow account of another token, or too fine for the token: a refund is due."""
        token = self._token()
        other = self._rng.choice([name for name in self._venue.escrows if name != token.escrow])
        units = token.min_withdrawal + self._rng.randint(0, 99)
        ident = self._send("refund", movement(self._venue, token, trader.name, other, units))
        if ident is not None:
            quantity = decimal_text(units, token.precision)
            self._payments.append(Payment(ident, token.symbol, quantity, trader.name, escrow=other))

    def _ignore(self, trader: Trader) -> None:
        """An arrival for which nothing is due: a token that is not listed, or dust in a wrong account."""
        token = self._token()
        other = self._rng.choice([name for name in self._venue.escrows if name != token.escrow])
        dust = movement(self._venue, token, trader.name, other, max(1, token.min_withdrawal - 1))
        unlisted = custom_json(self._venue, trader.name, token_transfer(UNLISTED, other, "1.50"))
        self._send("ignore", self._rng.choice((dust, unlisted)))

    def _odd(self, trader: Trader) -> None:
        self._elements(
            "odd", trader.name, odd_transfer(self._rng, self._venue, self._sidechain_token().symbol)
        )

    def _split(self, trader: Trader) -> None:
        """Several transfers in one action, some to escrow accounts, some that fail."""
        token = self._sidechain_token()
        rows = [
            [self._rng.choice((token.escrow, trader.name, *self._venue.escrows)), f"{number}.5"]
            for number in range(1, self._rng.randint(3, 6))
        ]
        payload: Element = {"symbol": token.symbol, "list": rows}
        self._elements(
            "split",
            trader.name,
            {"contractName": SPLITTER, "contractAction": "send", "contractPayload": payload},
        )

    def _memo(self, trader: Trader) -> None:
        """A native transfer whose memo holds a sidechain action, with escapes, or of an escrow account."""
        token = self._sidechain_token()
        to, sender = token.escrow, trader.name
        if self._rng.random() < 0.2:
            to, sender = trader.name, token.escrow
        element = token_transfer(token.symbol, to, decimal_text(self._units(token, 5), token.precision))
        content: object = [element] if self._rng.random() < 0.3 else element
        memo = dump_json({"id": self._venue.custom_json_id, "json": content})
        if self._rng.random() < 0.4:
            memo = escaped(self._rng, memo)
        recipient = self._rng.choice((self._venue.operator, self._venue.tokens["HBD"].escrow))
        if recipient != sender:
            self._send("memo", Transfer(sender, recipient, Coin(self._rng.randint(1, 99), "HBD"), memo))

    def _escaped(self, trader: Trader) -> None:
        """A deposit whose JSON spells the escrow account's name with escapes."""
        token = self._sidechain_token()
        element = token_transfer(
            token.symbol, token.escrow, decimal_text(self._units(token, 5), token.precision)
        )
        text = escaped(self._rng, dump_json(element))
        self._send("escaped", raw_json(self._venue, trader.name, text))

    def _overdrawn(self, trader: Trader) -> None:
        """A deposit that the sidechain rejects, although the operation is in a Hive block."""
        token = self._sidechain_token()
        element = token_transfer(token.symbol, token.escrow, "1e24" if self._rng.random() < 0.5 else "9" * 25)
        self._elements("overdrawn", trader.name, element)

    def _internal(self, trader: Trader) -> None:
        token = self._token()
        other = self._rng.choice([name for name in self._venue.escrows if name != token.escrow])
        self._send("internal", movement(self._venue, token, token.escrow, other, self._units(token, 1)))

    def _outflow(self, trader: Trader) -> None:
        """A transfer out of an escrow account that matches no withdrawal."""
        token = self._token()
        memo = self._rng.choice((None, "mistake", f"peakedex:{'0' * 40}"))
        operation = movement(self._venue, token, token.escrow, trader.name, self._units(token, 1), memo)
        self._send("outflow", operation)

    def _locked(self, trader: Trader) -> None:
        """Tokens that an escrow account stakes or sends to a contract: outflows that settle nothing."""
        token = self._sidechain_token()
        quantity = self._rng.choice(("0x10", "1e0", "2.50", "0b11"))
        name, to = self._rng.choice(
            (("stake", trader.name), ("stake", None), ("transferToContract", "market"))
        )
        payload: Element = {"symbol": token.symbol, "quantity": quantity}
        if to is not None:
            payload["to"] = to
        element: Element = {"contractName": "tokens", "contractAction": name, "contractPayload": payload}
        self._elements("locked", token.escrow, element)

    # -- other operations ------------------------------------------------------------------------

    def _bomb(self, trader: Trader) -> None:
        text = self._rng.choice(bombs(self._venue, trader.name))
        active = self._rng.random() < 0.8
        self._send("bomb", raw_json(self._venue, trader.name, text, active=active))

    def _noise(self, trader: Trader) -> None:
        """Operations that do not concern the venue."""
        other = self._rng.choice(self._traders).name
        if self._rng.random() < 0.5:
            coin = Coin(self._rng.randint(1, 10**6), self._rng.choice(("HIVE", "HBD")))
            self._send("noise", Transfer(trader.name, other, coin, "thanks"))
        else:
            self._elements("noise", trader.name, token_transfer("PEK", other, "1.5", "thanks"))

    def _operate(self, trader: Trader) -> None:
        """The operator's next action, or sometimes an attempt by another account."""
        actions = operator_actions(
            self._venue,
            step=self._operator_step,
            head=self._node.chain.head,
            withdrawal=self._withdrawals.popleft() if self._withdrawals else "0" * 40,
            rng=self._rng,
        )
        action, payload = actions[self._operator_step % len(actions)]
        element = intent(self._venue, action, payload)
        if self._rng.random() < 0.1:
            self._elements("usurped", trader.name, element)
            return
        self._operator_step += 1
        by_checkpoint_account = action == "checkpoint" and self._rng.random() < 0.5
        signer = self._venue.checkpoint_account if by_checkpoint_account else self._venue.operator
        self._elements(f"operator {action}", signer, element)
