"""Test ledger: a state machine for one small venue, driven by short calls.

One pair without fees, PEK/SWAP.HIVE: PEK in units of 10^-8 and lots of a hundredth, prices in ticks of
10^-4 SWAP.HIVE.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from settlement.core.events import Action, BlockHeader, Event, JsonNumber, Movement
from settlement.core.invariants import check_all
from settlement.core.journal import lines
from settlement.core.journal.lines import JournalEntry
from settlement.core.journal.state_text import state_text
from settlement.core.state_machine import StateMachine
from settlement.core.venue import PairRules, TokenRules, Venue

START = 1_700_000_000
OPERATOR = "operator"
TOKENS = (
    TokenRules("PEK", 8, "dex.pek", 1),
    TokenRules("SWAP.HIVE", 8, "dex.hive", 1),
    TokenRules("HBD", 3, "dex.hbd", 1),
)
PEK_HIVE = PairRules("PEK", "SWAP.HIVE", 4, 2)
PEK_HBD = PairRules("PEK", "HBD", 1, 2)


def venue(*pairs: PairRules, max_open_orders: int = 200, tokens: tuple[TokenRules, ...] = TOKENS) -> Venue:
    return Venue(
        name="Story",
        contract="peakedex",
        custom_json_id="ssc-mainnet-hive",
        start_block=1,
        operator=OPERATOR,
        checkpoint_account=f"{OPERATOR}.proof",
        fee_account="fees",
        max_open_orders=max_open_orders,
        order_lifetime=2_592_000,
        accept_flat_intents=True,
        tokens=tokens,
        pairs=pairs or (PEK_HIVE,),
    )


class Ledger:
    """A state machine with blocks three seconds apart; event ids are i1, i2 … in order."""

    def __init__(self, rules: Venue | None = None) -> None:
        self.machine = StateMachine(rules or venue())
        self.ids = 0

    @property
    def state(self) -> Any:
        return self.machine.state

    def id(self) -> str:
        self.ids += 1
        return f"i{self.ids}"

    def deposit(self, account: str, symbol: str, quantity: str) -> Movement:
        token = self.state.tokens[symbol]
        return Movement(self.id(), token.chain, account, token.escrow, symbol, quantity, None)

    def act(self, signer: str, name: object, payload: object = None, *, active: bool = True) -> Action:
        return Action(self.id(), signer, active, name, {} if payload is None else payload)

    def order(self, signer: str, side: str, quantity: str, price: str, **more: object) -> Action:
        payload = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": quantity, "price": price, **more}
        return self.act(signer, side, payload)

    def block(self, *events: Event, seconds: int = 3) -> JournalEntry:
        """Apply a block of these events and check all invariants."""
        number = self.machine.next_block()
        header = self.state.header
        time = START if header is None else header.timestamp + seconds
        done = self.machine.apply(BlockHeader(number, f"{number:08x}", time), events)
        check_all(self.machine.state)
        return done

    def lines(self, *events: Event, seconds: int = 3) -> list[str]:
        """The journal lines of a block, without its first and the `accept` lines."""
        text = self.block(*events, seconds=seconds).text
        return [line for line in text.splitlines()[1:] if not line.startswith("accept ")]

    def fund(self, accounts: Iterable[str], quantity: str = "1000000") -> None:
        self.block(*(self.deposit(a, t, quantity) for a in accounts for t in self.state.tokens))

    def code(self, event: Action) -> str | None:
        """The code with which one action is rejected, alone in a block."""
        for line in self.block(event).lines():
            if isinstance(line, lines.Reject) and line.id == event.id:
                return line.code
        return None

    def balance(self, account: str, symbol: str) -> tuple[int, ...]:
        return tuple(self.state.accounts[account].balances[symbol].buckets[:3])

    def text(self) -> str:
        return state_text(self.machine.state)


def number(text: str) -> JsonNumber:
    return JsonNumber(text)
