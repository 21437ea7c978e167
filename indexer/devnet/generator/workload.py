"""Workload of a generated chain: every intent, token movement and operator action, and malformed input.

It works on a `DevNode` directly and keeps no order book. It remembers the withdrawals and refunds it caused
and pays some of them, so that payments, refunds and unmatched outflows all occur.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from indexer.devnet.generator.hostile import bombs, odd_transfer
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import Coin, Operation, Transfer
from indexer.devnet.node import DevNode
from indexer.devnet.sidechain.actions import dump_json
from indexer.devnet.sidechain.chain import SPLITTER
from indexer.devnet.traders.order_flow import DEPOSIT_USD, OrderFlow, PlannedIntent, Trader, units_worth
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
from indexer.devnet.venue import VenueView
from settlement.core.venue import TokenRules

UNLISTED: Final = "DUST"
NEW_TOKEN: Final = "BEE"
WEALTH_USD: Final = 10**9
NEW_ESCROW: Final = "peakedex.bee"
MAX_PENDING: Final = 200
MAX_INTENTS: Final = 4

# Relative frequency of each kind of operation.
WEIGHTS: Final = {
    "flow": 800,
    "array": 50,
    "deposit": 40,
    "pay": 60,
    "refund": 4,
    "odd": 6,
    "split": 3,
    "memo": 4,
    "overdrawn": 2,
    "internal": 2,
    "outflow": 2,
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
        self._flow = OrderFlow(venue, self._rng, max_open=depth)
        self._traders = [Trader(f"trader-{number}") for number in range(1, accounts + 1)]
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
            "odd": self._odd,
            "split": self._split,
            "memo": self._memo,
            "overdrawn": self._overdrawn,
            "internal": self._internal,
            "outflow": self._outflow,
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
        self._node.faucet(NEW_ESCROW)
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
        active = all(each.active for each in planned) or bool(first)
        elements = [each.element for each in planned]
        operations = (*first, custom_json(self._venue, trader.name, *elements, active=active))
        transaction_id = self._send("transaction", *operations)
        if transaction_id is None:
            return
        ids = element_ids(transaction_id, operations, [*(1 for _ in first), len(planned)])[-1]
        for each, ident in zip(planned, ids, strict=True):
            self._flow.record_sent(trader, each, ident)
            self.counts[each.kind] += 1
            if each.kind == "withdraw" and each.units and active:
                self._record_withdrawal(trader, each, ident)

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
        """A deposit of an unlisted token, which the venue must refund."""
        escrow, quantity = self._rng.choice(self._venue.escrows), f"{self._rng.randint(1, 99)}.50"
        ident = self._elements("refund", trader.name, token_transfer(UNLISTED, escrow, quantity))
        if ident is not None:
            self._payments.append(Payment(ident, UNLISTED, quantity, trader.name, escrow=escrow))

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
        """A native transfer whose memo contains a sidechain action."""
        token = self._sidechain_token()
        element = token_transfer(
            token.symbol, token.escrow, decimal_text(self._units(token, 5), token.precision)
        )
        memo = dump_json({"id": self._venue.custom_json_id, "json": element})
        to = self._rng.choice((self._venue.operator, self._venue.tokens["HBD"].escrow))
        self._send("memo", Transfer(trader.name, to, Coin(self._rng.randint(1, 99), "HBD"), memo))

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
        actions = self._operator_actions()
        action, payload = actions[self._operator_step % len(actions)]
        element = intent(self._venue, action, payload)
        if self._rng.random() < 0.1:
            self._elements("usurped", trader.name, element)
            return
        self._operator_step += 1
        self._elements(f"operator {action}", self._venue.operator, element)

    def _operator_actions(self) -> list[tuple[str, Element]]:
        pair = self._venue.pairs[self._operator_step // 13 % len(self._venue.pairs)]
        named: Element = {"symbol": pair.base, "quote": pair.quote}
        new: Element = {"symbol": NEW_TOKEN, "quote": "SWAP.HIVE"}
        listing: Element = {
            "symbol": NEW_TOKEN,
            "precision": 8,
            "chain": "hive-engine",
            "escrow": NEW_ESCROW,
        }
        checkpoint: Element = {
            "block": max(1, self._node.chain.head),
            "stateHash": "0" * 64,
            "journalHash": "f" * 64,
        }
        returned = self._withdrawals.popleft() if self._withdrawals else "0" * 40
        return [
            ("listToken", listing),
            ("listPair", new | {"priceDecimals": 6, "quantityDecimals": 2, "takerFeeBps": 10}),
            ("updatePair", named | {"makerFeeBps": 5, "takerFeeBps": 25}),
            ("updatePair", named | {"status": "paused"}),
            ("updatePair", named | {"status": "active", "selfTrade": "allow"}),
            ("returnWithdrawal", {"id": returned}),
            ("updateVenue", {"maxOpenOrders": 5}),
            ("updateVenue", {"maxOpenOrders": 150}),
            ("checkpoint", checkpoint),
            ("updatePair", named | {"pricePolicy": self._rng.choice(("ask", "bid", "midpoint", "maker"))}),
            ("updatePair", named | {"selfTrade": self._rng.choice(("cancel_resting", "cancel_incoming"))}),
            ("updateVenue", {"feeAccount": self._venue.fee_account}),
            ("updatePair", new | {"status": "closed"}),
        ]
