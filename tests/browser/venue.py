"""A body of /api/venue, for tests without a server."""

from __future__ import annotations

from typing import Any

TOKENS = {
    "PEK": (8, "hive-engine", "peakedex.pek"),
    "SWAP.HIVE": (8, "hive-engine", "peakedex.hive"),
    "BIG": (0, "hive-engine", "peakedex.big"),
    "HBD": (3, "hive", "peakedex.hbd"),
    "HIVE": (3, "hive", "peakedex.coin"),
}
PAIRS = {("PEK", "SWAP.HIVE"): (6, 2), ("PEK", "BIG"): (0, 0), ("PEK", "HBD"): (3, 0), ("BIG", "HBD"): (3, 0)}


def venue(**changes: Any) -> dict[str, Any]:
    """A venue whose pairs include one in whole units and a paused one."""
    return {
        "name": "Peake DEX",
        "network": "hive",
        "protocol": 2,
        "contract": "peakedex",
        "custom_json_id": "ssc-mainnet-hive",
        "start_block": 1,
        "operator": "peakedex",
        "checkpoint_account": "peakedex",
        "escrows": sorted(escrow for _, _, escrow in TOKENS.values()),
        "fee_account": "peakedex.fees",
        "accept_flat_intents": False,
        "order_lifetime": 2_592_000,
        "max_open_orders": 200,
        "tokens": [
            {
                "symbol": symbol,
                "precision": precision,
                "chain": chain,
                "escrow": escrow,
                "min_withdrawal": f"0.{'1'.zfill(precision)}" if precision else "1",
            }
            for symbol, (precision, chain, escrow) in TOKENS.items()
        ],
        "pairs": [
            {
                "base": base,
                "quote": quote,
                "price_decimals": price,
                "quantity_decimals": quantity,
                "maker_fee_bps": 0,
                "taker_fee_bps": 20,
                "price_policy": "maker",
                "self_trade": "cancel_resting",
                "status": "paused" if (base, quote) == ("BIG", "HBD") else "active",
            }
            for (base, quote), (price, quantity) in PAIRS.items()
        ],
        **changes,
    }
