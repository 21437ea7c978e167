"""The observer of the simulation: the rules alone, over the whole chain, and what may leave the escrow accounts."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import NamedTuple

from indexer.chain.decode import decode
from indexer.devnet.node import DevNode
from indexer.sources.source import Cursor
from settlement.core.journal import lines
from settlement.core.journal.lines import JournalEntry, Line
from settlement.core.parsing.names import decode as text_of
from settlement.core.state_machine import StateMachine
from tests.property.payouts.simulation_chain import Outgo, WatchedSidechain
from tests.system.payouts.world import VENUE, Blocks


class PendingClaim(NamedTuple):
    """A withdrawal or refund that the rules know to be due."""

    account: str
    outgo: Outgo  # the payment that settles it
    is_withdrawal: bool
    due: int | None = None  # when it is returned, seconds since 1970


class Observer:
    """Follows the chain, and fails where more left an escrow account than was due and not returned."""

    def __init__(self, node: DevNode, sidechain: WatchedSidechain) -> None:
        self.rules = StateMachine(VENUE)
        self.pending: dict[str, PendingClaim] = {}
        self.claims: Counter[Outgo] = Counter()  # all that were not returned, by payment
        self._sidechain = sidechain
        self._source = Blocks(node, self.rules.venue_filter)

    def follow(self) -> list[JournalEntry]:
        """Read all that is irreversible. Raises AssertionError where more left than was due."""
        header = self.rules.state.header
        after = Cursor(self.rules.next_block() - 1, None if header is None else header.block_id)
        entries = [
            self.rules.apply(block.header, decode(block, self.rules.venue_filter, receipts))
            for block, receipts in self._source.blocks(after)
        ]
        for entry in entries:
            for line in entry.lines() if entry.text else ():
                self._note(line)
        for outgo, times in self._sidechain.outgoes.items():
            assert times <= self.claims[outgo], f"{times} payments for {self.claims[outgo]} claims: {outgo}"
        for token in self.rules.state.tokens.values():
            assert token.holdings >= token.liabilities_units, f"insolvent in {token.symbol}: {token.holdings}"
        return entries

    def _note(self, line: Line) -> None:
        match line:
            case lines.Outflow():
                raise AssertionError(f"an unmatched outflow: {line}")
            case lines.Withdraw():
                self._open(line.id, PendingClaim(line.account, self._withdrawal(line), True))
            case lines.Refund():
                self._open(line.id, PendingClaim(line.account, self._refund(line), False))
            case lines.Returning():
                self.pending[line.id] = self.pending[line.id]._replace(due=line.due)
            case lines.Paid():
                del self.pending[line.id]
            case lines.Return():
                self.claims[self.pending.pop(line.id).outgo] -= 1
            case _:
                pass

    def _open(self, ident: str, claim: PendingClaim) -> None:
        self.pending[ident] = claim
        self.claims[claim.outgo] += 1

    def _withdrawal(self, line: lines.Withdraw) -> Outgo:
        memo = f"peakedex:{line.id}" if line.memo is None else text_of(line.memo)
        escrow = self.rules.state.tokens[line.symbol].escrow
        return escrow, line.symbol, str(line.amount), text_of(line.to), memo

    def _refund(self, line: lines.Refund) -> Outgo:
        units = Fraction(text_of(line.quantity)) * 10 ** self.rules.state.tokens[line.symbol].precision
        return line.escrow, line.symbol, str(units), text_of(line.account), f"peakedex:{line.id}"
