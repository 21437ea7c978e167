"""js/data/order-book.js: changes lead to the book of a new snapshot, and grouping loses nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page

from tests.browser.venue import venue
from tests.support.examples import examples

SCRIPT = """async ([venue, snapshot, changes, step, most]) => {
  const { market } = await import("/js/lib/amounts.js");
  const { OrderBook, groupingSteps } = await import("/js/data/order-book.js");
  const book = new OrderBook(market(venue, "PEK", "SWAP.HIVE"));
  book.load(snapshot);
  for (const change of changes) book.change(change);
  const text = (_, one) => (typeof one === "bigint" ? Number(one) : one);
  const side = (name) => ({ levels: book.levels(name), rows: book.rows(name, BigInt(step), most) });
  return JSON.stringify({
    bids: side("bids"), asks: side("asks"), spread: book.spread(), middle: book.middle(), depth: book.depth(2),
    steps: groupingSteps(book.best("bids")),
  }, text);
}"""

prices = st.integers(min_value=1, max_value=60)
amounts = st.integers(min_value=0, max_value=10**6)
Side = dict[int, int]
sides = st.dictionaries(prices, amounts, max_size=12)


def level(ticks: int, lots: int) -> dict[str, Any]:
    """A level as the API returns it: six price decimals and eight amount decimals, of which two are used."""
    return {
        "price": f"{ticks / 10**6:.6f}",
        "amount": f"{lots // 100}.{lots % 100:02}000000",
        "orders": min(lots, 1),
    }


def written(bids: Side, asks: Side) -> dict[str, Any]:
    return {
        "bids": [level(*item) for item in bids.items()],
        "asks": [level(60 + ticks, lots) for ticks, lots in asks.items()],
    }


def run(page: Page, *arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.evaluate(SCRIPT, [venue(), *arguments]))
    return found


@examples(40)
@given(first=st.tuples(sides, sides), later=st.lists(st.tuples(sides, sides), max_size=4))
def test_changes_give_the_same_book_as_a_snapshot(
    modules: Page, first: tuple[Side, Side], later: list[tuple[Side, Side]]
) -> None:
    found = run(modules, written(*first), [written(*change) for change in later], 1, 1000)
    for at, name in enumerate(("bids", "asks")):
        expected: Side = {}
        for change in (first, *later):
            expected |= change[at]
        offset = 60 * at
        kept = sorted(
            ((ticks + offset, lots) for ticks, lots in expected.items() if lots), reverse=name == "bids"
        )
        assert [(one["ticks"], one["lots"]) for one in found[name]["levels"]] == kept


@examples(40)
@given(bids=sides, asks=sides, step=st.sampled_from([1, 7, 10, 100]))
def test_grouping_shows_no_better_price_and_loses_no_lot(
    modules: Page, bids: Side, asks: Side, step: int
) -> None:
    found = run(modules, written(bids, asks), [], step, 1000)
    for name, sign in (("bids", 1), ("asks", -1)):
        levels, rows = found[name]["levels"], found[name]["rows"]
        assert sum(row["lots"] for row in rows) == sum(one["lots"] for one in levels)
        assert all(row["ticks"] % step == 0 for row in rows)
        for row in rows:  # the levels within one step that are at least as good as the row says
            members = [one for one in levels if 0 <= sign * (one["ticks"] - row["ticks"]) < step]
            assert row["lots"] == sum(one["lots"] for one in members)
            assert row["orders"] == len(members)
        sums = [sum(row["lots"] for row in rows[: at + 1]) for at in range(len(rows))]
        assert [row["sum"] for row in rows] == sums


def test_rows_are_limited_to_whole_groups(modules: Page) -> None:
    found = run(modules, written({1: 5, 2: 6, 11: 7, 25: 8, 26: 9}, {}), [], 10, 2)
    assert [(row["ticks"], row["lots"], row["sum"]) for row in found["bids"]["rows"]] == [
        (20, 17, 17),
        (10, 7, 24),
    ]


def test_spread_middle_and_depth(modules: Page) -> None:
    found = run(modules, written({59: 100, 40: 1000}, {1: 100, 40: 1000}), [], 1, 10)
    assert (found["spread"], found["middle"]) == (2, 120)
    assert found["depth"] == 100 * 59 + 100 * 61  # within 2 % of 60 ticks; one lot times one tick is one unit
    empty = run(modules, written({}, {1: 100}), [], 1, 10)
    assert (empty["spread"], empty["middle"], empty["depth"]) == (None, None, None)


def test_grouping_steps_are_at_most_a_tenth_of_the_price(modules: Page) -> None:
    assert run(modules, written({1: 1}, {}), [], 1, 1)["steps"] == [1]
    big = {"bids": [level(1, 1) | {"price": "12.345678"}], "asks": []}
    assert run(modules, big, [], 1, 1)["steps"] == [1, 10, 100, 1000, 10_000]
