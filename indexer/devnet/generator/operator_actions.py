"""The operator's actions of a generated chain, in a cycle."""

from __future__ import annotations

from random import Random
from typing import Final

from indexer.devnet.traders.payloads import Element
from indexer.devnet.venue import VenueView

NEW_TOKEN: Final = "BEE"
_CYCLE: Final = 16
_NOTICE_BLOCKS: Final = 200_000


def operator_actions(
    venue: VenueView, *, step: int, head: int, withdrawal: str, rng: Random
) -> list[tuple[str, Element]]:
    """All actions of a cycle. `withdrawal` is the id of one to return, `head` the last block's number."""
    pair = venue.pairs[step // _CYCLE % len(venue.pairs)]
    named: Element = {"symbol": pair.base, "quote": pair.quote}
    new: Element = {"symbol": NEW_TOKEN, "quote": "SWAP.HIVE"}
    listing: Element = {
        "symbol": NEW_TOKEN,
        "precision": 8,
        "escrow": venue.escrows[step // _CYCLE % len(venue.escrows)],
        "minWithdrawal": "0.5",
    }
    checkpoint: Element = {"block": max(1, head), "stateHash": "0" * 64, "journalHash": "f" * 64}
    upgrade: Element = {"protocol": 3, "text": "e" * 64}
    return [
        ("listToken", listing),
        ("listPair", new | {"priceDecimals": 6, "quantityDecimals": 2, "takerFeeBps": 10}),
        ("updatePair", named | {"makerFeeBps": 5, "takerFeeBps": 25}),
        ("updatePair", named | {"status": "paused"}),
        ("updatePair", named | {"status": "active", "selfTrade": "allow"}),
        ("returnWithdrawal", {"id": withdrawal}),
        ("updateVenue", {"maxOpenOrders": 5}),
        ("updateVenue", {"maxOpenOrders": 150}),
        ("checkpoint", checkpoint),
        ("upgrade", upgrade | {"block": head + _NOTICE_BLOCKS + 1_000_000}),
        ("updatePair", named | {"pricePolicy": rng.choice(("ask", "bid", "midpoint", "maker"))}),
        ("updatePair", named | {"selfTrade": rng.choice(("cancel_resting", "cancel_incoming"))}),
        ("updateVenue", {"feeAccount": venue.fee_account, "notAfter": 4_000_000_000}),
        ("upgrade", upgrade | {"block": 0}),
        ("updatePair", new | {"status": "closed"}),
        ("updatePair", named | {"takerFeeBps": 20, "for": venue.fee_account}),
    ]
