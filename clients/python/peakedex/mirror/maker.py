"""The market maker: one transaction a round replaces its quotes and sets its dead man's switch again."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from peakedex.client import ApiError, ConnectionFailed, InputError, NodesFailed, State, Ticket, Trader
from peakedex.client.models import PairRules
from peakedex.mirror.references import ReadReference
from peakedex.mirror.strategy import Quote, Reference, Settings, is_leap, quotes

SWITCH_ROUNDS: Final = 4  # rounds without a sign of life after which all quotes are cancelled
SHORTEST_SWITCH_SECONDS: Final = 60


class Round(NamedTuple):
    """What a round did: the quotes with their states, or why there are none."""

    quotes: tuple[tuple[Quote, State], ...]
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        said = (f"{quote.side} {quote.size:f} at {quote.price:f} {state}" for quote, state in self.quotes)
        return ", ".join(said) or "within the limits there is nothing to quote"


class Maker:
    """Quotes a pair for the trader's account. `every` is how many seconds lie between rounds."""

    def __init__(
        self, trader: Trader, pair: str, read: ReadReference, settings: Settings, *, every: float
    ) -> None:
        self._trader = trader
        self._pair = pair
        self._read = read
        self._settings = settings
        self._switch_seconds = max(SHORTEST_SWITCH_SECONDS, int(SWITCH_ROUNDS * every))
        self._seen: Reference | None = None
        self._may_have_quotes = True  # of a process before this one

    def run(self, wait: Callable[[], bool], report: Callable[[Round], object]) -> None:
        """Quote until `wait`, the pause between rounds, says stop; then cancel all. Raises ClientError."""
        self._trader.wait_all()  # what a process before this one left on its way
        while True:
            report(self.round())
            if wait():
                break
        self.stop()

    def round(self) -> Round:
        """Read, decide, and replace the quotes. A server that does not answer costs a round."""
        try:
            reference = self._read()
        except (ConnectionFailed, ApiError) as error:
            return self._without(f"no reference: {error}")
        if reference is None:
            return self._without("the reference has no bid or no ask")
        seen, self._seen = self._seen, reference
        if is_leap(seen, reference, self._settings):
            return self._without(
                f"the reference leapt to {reference.bid:f} - {reference.ask:f}: it waits a round"
            )
        try:
            wanted = self._wanted(reference)
            tickets = self._replace(wanted)
        except (ConnectionFailed, ApiError, NodesFailed) as error:
            return Round((), f"nothing was sent: {error}")
        return Round(tuple((quote, ticket.state) for quote, ticket in zip(wanted, tickets, strict=True)))

    def stop(self) -> None:
        """Cancel the quotes, and know that it happened."""
        base, quote = self._pair.split("/")
        self._trader.wait(self._trader.place(self._trader.build.cancel_all(base=base, quote=quote)))

    def _without(self, problem: str) -> Round:
        """No quotes without a price to trust."""
        try:
            if self._may_have_quotes:
                self._replace([])
        except (ConnectionFailed, ApiError, NodesFailed) as error:
            return Round((), f"{problem}; {error}: the switch cancels its quotes")
        return Round((), problem)

    def _wanted(self, reference: Reference) -> list[Quote]:
        base, quote = self._pair.split("/")
        balances = self._trader.api.balances(self._trader.account)
        held = [balances[symbol].total if symbol in balances else Decimal(0) for symbol in (base, quote)]
        return quotes(reference, held[0], held[1], self._rules(), self._settings)

    def _replace(self, wanted: list[Quote]) -> list[Ticket]:
        build, (base, quote) = self._trader.build, self._pair.split("/")
        first = [build.cancel_all_after(self._switch_seconds), build.cancel_all(base=base, quote=quote)]
        orders = [
            build.limit(
                each.side,
                self._pair,
                each.size,
                each.price,
                post_only=True,
                lifetime=2 * self._switch_seconds,
            )
            for each in wanted
        ]
        tickets = self._trader.wait_all(self._trader.send(*first, *orders))
        self._may_have_quotes = bool(orders) or any(ticket.state != State.ACCEPTED for ticket in tickets)
        return tickets[2:]

    def _rules(self) -> PairRules:
        rules = self._trader.venue.pair(*self._pair.split("/"))
        if rules is None:
            raise InputError("pair", f"{self._pair} is not listed")
        return rules
