"""Intents that the rules must reject: each field of the protocol with a value that is not possible."""

from __future__ import annotations

from indexer.devnet.traders.payloads import Element
from indexer.devnet.traders.planned import Trader
from indexer.devnet.venue import VenueView
from settlement.core.venue import PairRules


def invalid_intents(
    venue: VenueView, pair: PairRules, trader: Trader, order: Element, foreign: str, now: int
) -> list[tuple[str, Element]]:
    """Actions and payloads. `order` is a valid limit order, `foreign` the id of another trader's order."""
    trigger: Element = {"triggerPrice": "1", "triggerWhen": "above"}
    stop: Element = {"stopPrice": "1", "stopLimit": "1"}
    grant: Element = {
        "to": "posting",
        "pairs": [pair.name],
        "perDay": {pair.base: "1"},
        "bandBps": 100,
        "until": now + 3600,
    }
    return [
        ("buy", order | {"price": "0"}),
        ("sell", order | {"quantity": "-1"}),
        ("buy", order | {"price": "1e-3"}),
        ("sell", order | {"quantity": f"1.{'0' * 17}1"}),
        ("buy", order | {"symbol": "NOSUCH"}),
        ("sell", order | {"quantity": "9223372036854775807"}),
        ("buy", order | {"timeInForce": "GTD"}),
        ("sell", order | {"postOnly": "yes"}),
        ("buy", order | {"quantity": None}),
        ("buy", order | {"quantity": "400000000000"}),
        ("buy", order | {"maxFeeBps": 1001}),
        ("buy", order | {"maxFeeBps": 0}),
        ("sell", order | {"notAfter": now - 100}),
        ("sell", order | {"notAfter": "soon"}),
        ("buy", order | {"triggerPrice": "1"}),
        ("buy", order | trigger | {"settle": "wallet"}),
        ("sell", order | trigger | stop),
        ("sell", order | stop | {"timeInForce": "IOC"}),
        ("sell", order | stop | {"stopLimit": "0"}),
        ("buy", order | {"for": trader.name}),
        ("buy", order | {"for": venue.operator}),
        ("marketSell", {"symbol": pair.base, "quote": pair.quote, "quantity": "1000000", **trigger}),
        ("cancel", {"id": foreign}),
        ("cancel", {"id": 7}),
        ("replace", {"id": foreign, "price": "1"}),
        ("replace", {"id": foreign}),
        ("cancelAllAfter", {"seconds": 14}),
        ("cancelAllAfter", {"seconds": "60"}),
        ("withdraw", {"symbol": "NOSUCH", "quantity": "1"}),
        ("withdraw", {"symbol": pair.base, "quantity": "90000000000"}),
        ("withdraw", {"symbol": pair.base, "quantity": "0.00000001"}),
        ("withdraw", {"symbol": pair.base, "quantity": "1", "to": venue.escrows[0]}),
        ("withdraw", {"symbol": "HIVE", "quantity": "1", "memo": ' {"id":"ssc-mainnet-hive"}'}),
        ("withdraw", {"symbol": pair.base, "quantity": "100", "memo": f"peakedex:{foreign}"}),
        ("cancelWithdrawal", {"id": foreign}),
        ("grant", grant | {"to": trader.name}),
        ("grant", grant | {"to": "active"}),
        ("grant", grant | {"pairs": [pair.name, pair.name]}),
        ("grant", grant | {"pairs": ["NO/SUCH"]}),
        ("grant", grant | {"perDay": {}}),
        ("grant", grant | {"until": now + 7_776_000 * 2}),
        ("revoke", {"to": "nobody.here"}),
        ("selfDestruct", {}),
        ("listToken", {"symbol": "MINE", "precision": 8, "escrow": trader.name, "minWithdrawal": "1"}),
        ("upgrade", {"protocol": 3, "text": "0" * 64, "block": 0}),
    ]
