"""Seeded random grants, and orders signed under them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from indexer.devnet.traders.payloads import Element, decimal_text, intent
from indexer.devnet.traders.planned import PlannedIntent, Trader
from indexer.devnet.traders.prices import DEPOSIT_USD, units_worth
from indexer.devnet.venue import VenueView

POSTING: Final = "posting"
MAX_GRANTS: Final = 3  # of a trader; the rules allow 10
_PLAIN: Final = frozenset(
    ("symbol", "quote", "quantity", "price", "expiration", "timeInForce", "postOnly", "ref", "maxFeeBps")
)
"""Keys of orders that a grant allows."""


class Delegation:
    """Draws grants, revocations, and intents under a grant.

    `traders` are those who may get a grant; `now` is the chain's time.
    """

    def __init__(
        self, venue: VenueView, traders: Sequence[Trader], rng: Random, now: Callable[[], int]
    ) -> None:
        self._venue = venue
        self._traders = traders
        self._rng = rng
        self._now = now

    def grant(self, trader: Trader, to: str | None = None) -> PlannedIntent:
        """A grant to the trader's own posting key or to another trader."""
        others = [other for other in self._traders if other is not trader]
        grantee = None
        if to is None and others and self._rng.random() < 0.6:
            grantee = self._rng.choice(others)
        to = to or (grantee.name if grantee else POSTING)
        if to not in trader.grantees:
            if len(trader.grantees) >= MAX_GRANTS:
                return self.revoke(trader)
            trader.grantees.append(to)
            if grantee is not None:
                grantee.principals.append(trader)
        pairs = self._rng.sample(self._venue.pairs, min(len(self._venue.pairs), self._rng.randint(3, 20)))
        symbols = sorted({symbol for pair in pairs for symbol in (pair.base, pair.quote)})
        allowance = {
            symbol: decimal_text(
                units_worth(symbol, self._venue.tokens[symbol].precision, DEPOSIT_USD),
                self._venue.tokens[symbol].precision,
            )
            for symbol in symbols[:20]
        }
        payload: Element = {
            "to": to,
            "pairs": [pair.name for pair in pairs],
            "perDay": allowance,
            "bandBps": self._rng.choice((0, 200, 500, 2000)),
            "until": self._now() + self._rng.choice((120, 3600, 86_400, 7_000_000)),
        }
        return PlannedIntent("grant", intent(self._venue, "grant", payload))

    def revoke(self, trader: Trader) -> PlannedIntent:
        """The end of the trader's oldest grant, or a new grant where there is none."""
        if not trader.grantees:
            return self.grant(trader)
        to = trader.grantees.pop(0)
        for other in self._traders:
            if other.name == to and trader in other.principals:
                other.principals.remove(trader)
        return PlannedIntent("revoke", intent(self._venue, "revoke", {"to": to}))

    def by_posting(self, trader: Trader, planned: PlannedIntent) -> PlannedIntent:
        """The intent, signed with the posting key; a grant where there is none."""
        if POSTING not in trader.grantees:
            return self.grant(trader, to=POSTING)
        return PlannedIntent("by_posting", _plain(planned.element), rests=planned.rests, active=False)

    def principal_of(self, trader: Trader) -> Trader | None:
        """A trader who has given it a grant, or None."""
        return self._rng.choice(trader.principals) if trader.principals else None

    def for_another(self, principal: Trader, planned: PlannedIntent) -> PlannedIntent:
        """The intent, for another trader who has granted it."""
        return PlannedIntent(
            "for_another", _plain(planned.element, principal), rests=planned.rests, owner=principal
        )


def _plain(element: Element, principal: Trader | None = None) -> Element:
    """An element of the same action with the fields that a grant allows, for the account that it names."""
    payload = element["contractPayload"]
    assert isinstance(payload, dict)
    plain = {key: value for key, value in payload.items() if key in _PLAIN or key in ("id", "seconds")}
    return element | {"contractPayload": plain | ({"for": principal.name} if principal else {})}
