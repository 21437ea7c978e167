"""What importing the client brings along, and that it builds what the protocol has."""

from __future__ import annotations

import inspect
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from indexer.intents.actions import TRADERS, ActionSpec
from peakedex.client import InputError, Intents, ProtectiveStop, Trigger
from peakedex.client.amounts import literal
from peakedex.client.models import PairRules, Token, Venue

SERVER = ("api", "indexer", "settlement", "flask", "sqlalchemy", "alembic", "werkzeug", "click", "gunicorn")


def test_importing_it_loads_no_server() -> None:
    program = "import sys, peakedex.client; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=240
    )
    assert {"peakedex", "requests"} <= set(run.stdout.split())
    assert set(run.stdout.split()) & set(SERVER) == set()


def venue() -> Venue:
    token: dict[str, Any] = {"chain": "hive-engine", "escrow": "a-dex", "min_withdrawal": Decimal("0.001")}
    pair: dict[str, Any] = {"status": "active", "price_policy": "maker", "self_trade": "allow"}
    texts = dict.fromkeys(("network", "name", "contract", "operator", "fee_account", "venue_hash"), "x")
    numbers = dict.fromkeys(("block", "protocol", "max_open_orders", "order_lifetime"), 1)
    fields: dict[str, Any] = {**texts, **numbers}
    return Venue(
        **fields,
        custom_json_id="ssc-mainnet-hive",
        escrows=["a-dex"],
        tokens=[Token(symbol=symbol, precision=8, **token) for symbol in ("PEK", "SWAP.HIVE")],
        pairs=[
            PairRules(
                **pair,
                base="PEK",
                quote="SWAP.HIVE",
                price_decimals=6,
                quantity_decimals=2,
                maker_fee_bps=0,
                taker_fee_bps=20,
            )
        ],
    )


PAIR = "PEK/SWAP.HIVE"
TRIGGER = Trigger("0.2", "above")
PROTECT = ProtectiveStop("0.1", "0.09")
MARKET: dict[str, Any] = {
    "worst_price": 1,
    "settle": "venue",
    "max_fee_bps": 5,
    "trigger": TRIGGER,
    "lifetime": 60,
}
LIMIT: dict[str, Any] = {
    **{key: value for key, value in MARKET.items() if key != "worst_price"},
    "time_in_force": "GTC",
    "post_only": True,
    "protect": PROTECT,
}
COMPLETE: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    # By action: the method with all that it takes.
    "buy": ("limit", ("buy", PAIR, 1, 1), LIMIT),
    "sell": ("limit", ("sell", PAIR, 1, 1), LIMIT),
    "marketBuy": ("market_buy", (PAIR, 1), MARKET),
    "marketSell": ("market_sell", (PAIR, 1), MARKET),
    "cancel": ("cancel", ("0" * 40,), {}),
    "cancelAll": ("cancel_all", (), {"base": "PEK", "quote": "SWAP.HIVE"}),
    "replace": (
        "replace",
        ("0" * 40, PAIR),
        {"quantity": 1, "price": 1, "protect": PROTECT, "max_fee_bps": 5},
    ),
    "cancelAllAfter": ("cancel_all_after", (60,), {}),
    "withdraw": ("withdraw", ("PEK", "all"), {"to": "alice", "memo": "rent"}),
    "cancelWithdrawal": ("cancel_withdrawal", ("0" * 40,), {}),
    "grant": ("grant", ("alice",), {"pairs": [PAIR], "per_day": {"PEK": 1}, "band_bps": 1, "until": 9}),
    "revoke": ("revoke", ("alice",), {}),
}


@pytest.mark.parametrize("spec", TRADERS, ids=lambda spec: spec.name)
def test_every_key_of_every_action_can_be_built(spec: ActionSpec) -> None:
    """The protocol's own table of actions is the measure."""
    method, values, options = COMPLETE[spec.name]
    principal = {"acting_for": "alice"} if spec.by_grant else {}
    build = getattr(Intents(venue(), **principal), method)
    made = build(*values, **options, ref="r", not_after=9)
    assert made.action == spec.name
    assert set(made.payload) == {field.key for field in spec.fields}
    # Nothing that it takes is left out above.
    assert set(inspect.signature(build).parameters) - set(options) - {"ref", "not_after"} <= {
        *(
            "side",
            "pair",
            "quantity",
            "price",
            "budget",
            "order_id",
            "seconds",
            "symbol",
            "withdrawal_id",
            "to",
        ),
    }


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        ("12.50", 2, "12.5"),
        (Decimal("1E+3"), 0, "1000"),
        (Decimal("0.00000001"), 8, "0.00000001"),
        (3000, -3, "3000"),
        ("9223372036854775807", 0, "9223372036854775807"),
    ],
)
def test_amounts_are_signed_exactly(value: Any, decimals: int, text: str) -> None:
    assert literal(value, decimals, "quantity") == text


@pytest.mark.parametrize(
    "value", [1.0, True, None, "1_0", " 1", "+1", "٣", "NaN", Decimal("NaN"), Decimal("1E+99")]
)
def test_what_is_no_exact_amount_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="quantity: "):
        literal(value, 8, "quantity")


def test_lots_may_be_thousands() -> None:
    with pytest.raises(InputError, match="quantity: 1500 is not a multiple of 1000"):
        literal(1500, -3, "quantity")
