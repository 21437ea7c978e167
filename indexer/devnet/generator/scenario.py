"""What happens on a generated chain: every intent, every movement, every operator action, and abuse.

Works on a `DevNode` directly. It keeps no book: it knows which orders, withdrawals and refunds it asked
for, and pays some of them, so that payments, refunds and unmatched outflows all occur.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from indexer.devnet.generator.hostile import bombs, odd_transfer
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.operations import Coin, Operation, Transfer
from indexer.devnet.node import DevNode
from indexer.devnet.sidechain.actions import dump_json
from indexer.devnet.sidechain.chain import SPLITTER
from indexer.devnet.traders.intents import (
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
from indexer.devnet.traders.order_flow import DEPOSIT_USD, Draft, Flow, Trader, usual_units
from indexer.devnet.venue import TokenView, VenueView

UNLISTED: Final = "DUST"
NEW_TOKEN: Final = "BEE"
WEALTH_USD: Final = 10**9
NEW_ESCROW: Final = "peakedex.bee"
MOST_PENDING: Final = 200
MOST_ELEMENTS: Final = 4

# How often which act happens, out of the sum; the rest of a block is order flow.
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
HOSTILE_ACTS: Final = ("odd", "bomb")


@dataclass(frozen=True, slots=True)
class Payment:
    """A pending withdrawal, or a refund due.

    `quantity` is decimal text. `memo` is the trader's, None where there is none. `escrow` is given for a
    refund, which is paid from the account where the deposit lies; else it is the token's.
    """

    id: str
    symbol: str
    quantity: str
    to: str
    memo: str | None = None
    escrow: str | None = None

    def full_memo(self) -> str:
        """The memo by which the venue recognises the payment."""
        return self.memo if self.memo is not None else f"peakedex:{self.id}"


class Scenario:
    """Fills blocks with operations. `counts` says how many of each kind went in."""

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
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._node = node
        self._venue = venue
        self._rng = Random(seed)
        self._flow = Flow(venue, self._rng, max_open=depth)
        self._traders = [Trader(f"trader-{number}") for number in range(1, accounts + 1)]
        self._to_fund = deque(self._traders)
        self._payments: deque[Payment] = deque(maxlen=MOST_PENDING)
        self._withdrawals: deque[str] = deque(maxlen=MOST_PENDING)
        self._operator_step = 0
        left_out = (() if hostile else HOSTILE_ACTS) + (() if operator else ("operator",))
        self._acts = [name for name in WEIGHTS if name not in left_out]
        self._weights = [WEIGHTS[name] for name in self._acts]
        self._do: dict[str, Callable[[Trader], None]] = {
            "flow": lambda trader: self._draw(trader, 1),
            "array": lambda trader: self._draw(trader, self._rng.randint(2, MOST_ELEMENTS)),
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
        """Accounts, tokens and wallets, beside the chain."""
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
                units = usual_units(symbol, precision, WEALTH_USD)
                self._node.faucet(name, symbol, decimal_text(units, precision))

    def fill(self, operations: int) -> None:
        """Put about so many operations into the next block; funding comes first."""
        used = 0
        while self._to_fund and used < operations:
            used += self._fund(self._to_fund.popleft())
        for act in self._rng.choices(self._acts, self._weights, k=max(0, operations - used)):
            self._do[act](self._rng.choice(self._traders))

    # -- sending ---------------------------------------------------------------------------------

    def _send(self, kind: str, *operations: Operation) -> str | None:
        """One transaction; its id, or None where the chain refused it."""
        try:
            transaction_id = self._node.submit(operations)
        except ChainError:
            self.counts["refused"] += 1
            return None
        self.counts[kind] += 1
        return transaction_id

    def _elements(self, kind: str, account: str, *elements: Element) -> str | None:
        return self._send(kind, custom_json(self._venue, account, *elements))

    def _token(self) -> TokenView:
        return self._venue.tokens[self._rng.choice(list(self._venue.tokens))]

    def _engine_token(self) -> TokenView:
        return self._rng.choice([token for token in self._venue.tokens.values() if token.chain != "hive"])

    def _units(self, token: TokenView, dollars: int) -> int:
        units = usual_units(token.symbol, token.precision, dollars)
        return units + self._rng.randint(0, units)

    # -- traders ---------------------------------------------------------------------------------

    def _fund(self, trader: Trader) -> int:
        """Deposits of every token in one transaction of several operations, one of them an array."""
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
        self._send_drafts(trader, [self._flow.draw(trader) for _ in range(count)])

    def _send_drafts(self, trader: Trader, drafts: Sequence[Draft], *first: Operation) -> None:
        active = all(draft.active for draft in drafts) or bool(first)
        elements = [draft.element for draft in drafts]
        operations = (*first, custom_json(self._venue, trader.name, *elements, active=active))
        transaction_id = self._send("transaction", *operations)
        if transaction_id is None:
            return
        ids = element_ids(transaction_id, operations, [*(1 for _ in first), len(drafts)])[-1]
        for draft, ident in zip(drafts, ids, strict=True):
            self._flow.placed(trader, draft, ident)
            self.counts[draft.kind] += 1
            if draft.kind == "withdraw" and draft.units and active:
                self._asked(trader, draft, ident)

    def _asked(self, trader: Trader, draft: Draft, ident: str) -> None:
        """Remember a withdrawal, to pay it later, or to let the operator return it."""
        payload = draft.element["contractPayload"]
        assert isinstance(payload, dict)
        if self._rng.random() < 0.1:
            self._withdrawals.append(ident)
            return
        quantity, memo = str(payload["quantity"]), payload.get("memo")
        assert memo is None or isinstance(memo, str)
        self._payments.append(Payment(ident, str(payload["symbol"]), quantity, trader.name, memo))

    def _mixed(self, trader: Trader) -> None:
        """A deposit and an order: as two operations, or as two elements of one array."""
        draft = self._flow.draw(trader, "quote")
        token = self._engine_token()
        units = self._units(token, 10)
        if self._rng.random() < 0.5:
            self._send_drafts(trader, [draft], movement(self._venue, token, trader.name, token.escrow, units))
        else:
            quantity = decimal_text(units, token.precision)
            move = token_transfer(token.symbol, token.escrow, quantity, "and buy")
            self._elements("mixed", trader.name, move, draft.element)
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
        """A token that is not listed comes in; it is due back."""
        escrow, quantity = self._rng.choice(self._venue.escrows), f"{self._rng.randint(1, 99)}.50"
        ident = self._elements("refund", trader.name, token_transfer(UNLISTED, escrow, quantity))
        if ident is not None:
            self._payments.append(Payment(ident, UNLISTED, quantity, trader.name, escrow=escrow))

    def _odd(self, trader: Trader) -> None:
        self._elements("odd", trader.name, odd_transfer(self._rng, self._venue, self._engine_token().symbol))

    def _split(self, trader: Trader) -> None:
        """Several transfers in one action, some to escrow accounts, some that fail."""
        token = self._engine_token()
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
        """A native transfer whose memo makes the sidechain act."""
        token = self._engine_token()
        element = token_transfer(
            token.symbol, token.escrow, decimal_text(self._units(token, 5), token.precision)
        )
        memo = dump_json({"id": self._venue.custom_json_id, "json": element})
        to = self._rng.choice((self._venue.operator, self._venue.tokens["HBD"].escrow))
        self._send("memo", Transfer(trader.name, to, Coin(self._rng.randint(1, 99), "HBD"), memo))

    def _overdrawn(self, trader: Trader) -> None:
        """A deposit that the sidechain refuses: Hive shows it all the same."""
        token = self._engine_token()
        element = token_transfer(token.symbol, token.escrow, "1e24" if self._rng.random() < 0.5 else "9" * 25)
        self._elements("overdrawn", trader.name, element)

    def _internal(self, trader: Trader) -> None:
        token = self._token()
        other = self._rng.choice([name for name in self._venue.escrows if name != token.escrow])
        self._send("internal", movement(self._venue, token, token.escrow, other, self._units(token, 1)))

    def _outflow(self, trader: Trader) -> None:
        """Money leaves an escrow account and nobody had asked for it."""
        token = self._token()
        memo = self._rng.choice((None, "mistake", f"peakedex:{'0' * 40}"))
        operation = movement(self._venue, token, token.escrow, trader.name, self._units(token, 1), memo)
        self._send("outflow", operation)

    # -- others ----------------------------------------------------------------------------------

    def _bomb(self, trader: Trader) -> None:
        text = self._rng.choice(bombs(self._venue, trader.name))
        active = self._rng.random() < 0.8
        self._send("bomb", raw_json(self._venue, trader.name, text, active=active))

    def _noise(self, trader: Trader) -> None:
        """What the rest of the world does: no business of ours."""
        other = self._rng.choice(self._traders).name
        if self._rng.random() < 0.5:
            coin = Coin(self._rng.randint(1, 10**6), self._rng.choice(("HIVE", "HBD")))
            self._send("noise", Transfer(trader.name, other, coin, "thanks"))
        else:
            self._elements("noise", trader.name, token_transfer("PEK", other, "1.5", "thanks"))

    def _operate(self, trader: Trader) -> None:
        """The operator's next action; now and then somebody else tries one."""
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
        claim: Element = {
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
            ("checkpoint", claim),
            ("updatePair", named | {"pricePolicy": self._rng.choice(("ask", "bid", "midpoint", "maker"))}),
            ("updatePair", named | {"selfTrade": self._rng.choice(("cancel_resting", "cancel_incoming"))}),
            ("updateVenue", {"feeAccount": self._venue.fee_account}),
            ("updatePair", new | {"status": "closed"}),
        ]
