"""The example market maker: what it quotes, what it believes, and what its simulation counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from peakedex.client import ConnectionFailed, InputError
from peakedex.client.models import PairRules, Side, Trade
from peakedex.mirror.references import sidechain_market
from peakedex.mirror.simulation import simulate
from peakedex.mirror.strategy import Reference, Settings, is_leap, quotes
from tests.support.answering import Answer, answering

RULES = PairRules(
    base="PEK",
    quote="SWAP.HIVE",
    status="active",
    price_decimals=6,
    quantity_decimals=2,
    maker_fee_bps=10,
    taker_fee_bps=20,
    price_policy="maker",
    self_trade="cancel_resting",
)
SETTINGS = Settings(size=Decimal(100), target=Decimal(1000), limit=Decimal(500))


def both(
    held: str, quote_held: str = "1000000", reference: Reference | None = None
) -> dict[str, tuple[str, str]]:
    around = reference or Reference(Decimal("0.99"), Decimal("1.01"))
    made = quotes(around, Decimal(held), Decimal(quote_held), RULES, SETTINGS)
    return {quote.side: (f"{quote.price.normalize():f}", f"{quote.size.normalize():f}") for quote in made}


def test_at_the_target_it_quotes_evenly() -> None:
    assert both("1000") == {"buy": ("0.99", "100"), "sell": ("1.01", "100")}
    wide = Reference(Decimal("0.9"), Decimal("1.1"))
    assert both("1000", reference=wide) == {"buy": ("0.9", "100"), "sell": ("1.1", "100")}


def test_with_too_much_it_sells_cheaper_and_buys_less() -> None:
    assert both("1250") == {"buy": ("0.985", "100"), "sell": ("1.005", "100")}
    assert both("1450") == {"buy": ("0.981", "50"), "sell": ("1.001", "100")}
    assert both("1500") == {"sell": ("1", "100")}
    assert both("500") == {"buy": ("1", "100")}
    assert both("1000", "9.9")["buy"] == ("0.99", "10")
    assert set(both("1000", "0")) == {"sell"}


def test_it_stays_within_its_limits_whatever_the_reference() -> None:
    rng = Random(1)
    for _ in range(300):
        bid = Decimal(rng.randint(1, 10**6)).scaleb(-6)
        reference = Reference(bid, bid + Decimal(rng.randint(1, 10**5)).scaleb(-6))
        held, funds = Decimal(rng.randint(0, 2000)), Decimal(rng.randint(0, 2000))
        made = {quote.side: quote for quote in quotes(reference, held, funds, RULES, SETTINGS)}
        for side, quote in made.items():
            assert quote.price > 0
            assert quote.price % RULES.tick == 0
            assert quote.size % RULES.lot == 0
            after = held + quote.size if side == "buy" else held - quote.size
            assert after <= 1500 if side == "buy" else after >= 500
            assert side == "sell" or quote.price * quote.size <= funds
        if len(made) == 2:
            assert made["buy"].price < made["sell"].price


def test_a_reference_is_not_believed_at_once() -> None:
    calm, far = Reference(Decimal(1), Decimal("1.02")), Reference(Decimal("1.2"), Decimal("1.22"))
    assert not is_leap(None, calm, SETTINGS)
    assert not is_leap(calm, calm, SETTINGS)
    assert is_leap(calm, far, SETTINGS)
    assert not is_leap(far, far, SETTINGS)
    assert is_leap(None, Reference(Decimal(2), Decimal(1)), SETTINGS)


@pytest.mark.parametrize(
    "wrong", [{"size": Decimal(0)}, {"spread_bps": 0}, {"skew_bps": 3000}, {"max_move_bps": 0}]
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"size": Decimal(1), "target": Decimal(1), "limit": Decimal(1), **wrong}
    with pytest.raises(InputError):
        Settings(**given)


def trade(second: int, side: Side, price: str, amount: str) -> Trade:
    return Trade(
        id=second,
        ts=datetime.fromtimestamp(1_790_000_000 + second, UTC),
        block=second,
        price=Decimal(price),
        amount=Decimal(amount),
        quote_amount=Decimal(price) * Decimal(amount),
        taker_side=side,
        taker_order="",
        maker_order="",
        buyer_fee=Decimal(0),
        seller_fee=Decimal(0),
    )


def test_a_simulation_counts_what_takers_would_have_done() -> None:
    trades = [
        trade(0, "buy", "1", "5"),  # the first price: nothing is quoted yet
        trade(30, "sell", "0.98", "40"),  # our bid of 0.99 is better
        trade(31, "sell", "0.995", "40"),  # and this taker had a better one
        trade(32, "sell", "0.97", "90"),  # only 60 are left of our bid
        trade(60, "buy", "1.2", "30"),
    ]
    result = simulate(trades, RULES, SETTINGS, quote=Decimal(1000), every=15)
    bought = Decimal(100) * Decimal("0.999")
    assert (result.trades, result.fills) == (5, 3)
    assert result.most_base == 1000 + bought
    assert result.base == 1000 + bought - 30
    # By then the reference is 0.97, and it holds a fifth of its limit too much.
    centre = Decimal("0.97") * (1 - bought / 500 / 100)
    ask = (centre + Decimal("0.0097")).quantize(RULES.tick, "ROUND_CEILING")
    assert result.quote == 1000 - 99 + 30 * ask * Decimal("0.999")
    assert result.value == result.base * Decimal("1.2") + result.quote
    assert result.profit == result.value - 1000 * Decimal("1.2") - 1000
    assert result.worst <= 0 <= result.volume


def test_the_sidechain_s_market_is_read() -> None:
    def rows(*prices: str) -> Answer:
        return 200, {}, json.dumps({"id": 1, "result": [{"price": price} for price in prices]}).encode()

    null: Answer = (200, {}, b'{"id": 1, "result": null}')
    with answering(rows("0.31"), rows("0.33"), rows(), rows("0.33"), null, null, (502, {}, b"<html>")) as url:
        read = sidechain_market(url, "PEK/SWAP.HIVE")
        assert read() == Reference(Decimal("0.31"), Decimal("0.33"))
        assert read() is None
        assert read() is None
        with pytest.raises(ConnectionFailed, match="502, and no order book"):
            read()
    with pytest.raises(InputError, match="no PEK/HBD"):
        sidechain_market("http://127.0.0.1:1", "PEK/HBD")
