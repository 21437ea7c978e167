"""Hive-Engine's market contract and the rules agree wherever both are exact (docs/vectors.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.core.peer_vectors import FILES, cases, decimals, document, left_out, ours, theirs

COUNTS = {"peer-test": (32, 22), "random": (300, 88)}
ALL = {origin: cases(origin) for origin in FILES}
COMPARED = [case for origin in FILES for case in ALL[origin] if left_out(case) is None]


def test_how_many_cases_are_compared() -> None:
    found = {
        origin: (len(ALL[origin]), sum(left_out(case) is None for case in ALL[origin])) for origin in FILES
    }
    assert found == COUNTS


@pytest.mark.parametrize("case", COMPARED, ids=lambda case: case["name"].replace(" ", "-"))
def test_same_trades_books_and_totals_as_the_peer(case: dict[str, object]) -> None:
    got, expected = ours(case), theirs(case)
    assert got.trades == expected.trades
    assert got.bids == expected.bids
    assert got.asks == expected.asks
    assert got.totals == expected.totals
    assert got.orders == expected.orders


def test_the_compared_cases_cover_the_market() -> None:
    """They include many trades, resting orders and expiries, and pairs of several decimals."""
    expected = [theirs(case) for case in COMPARED]
    assert sum(len(outcome.trades) for outcome in expected) > 1500
    assert sum(len(outcome.bids) + len(outcome.asks) for outcome in expected) > 500
    assert len({decimals(case) for case in COMPARED}) >= 5
    assert sum("expect_eager" in case for case in COMPARED) >= 5
    kinds = {action["action"] for case in COMPARED for action in case["actions"]}
    assert kinds == {"buy", "sell", "marketBuy", "marketSell", "cancel"}


def test_the_page_about_the_vectors_is_up_to_date() -> None:
    """To regenerate it: python -m tests.unit.core.peer_vectors"""
    page = Path(__file__).parents[3] / "docs" / "vectors.md"
    assert page.read_text() == document()
