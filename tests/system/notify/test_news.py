"""What is new in the API's lists, whatever was missed; and when a price is news."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from indexer.notify.accounts import read_account
from indexer.notify.api_client import FIRST_ROWS, Api, ApiError, Trade
from indexer.notify.config.model import ChangeRule, PriceRule
from indexer.notify.prices import PairNews, judge_changes, judge_levels, read_pair
from indexer.notify.state import AccountMarks, Mark

TS = "2026-09-21T14:13:53Z"


class Lists(Api):
    """An API whose lists a test changes."""

    def __init__(self) -> None:
        super().__init__("http://api.test", threading.Event())
        self.block = 10
        self.rows: dict[str, list[dict[str, Any]]] = {
            "/api/history": [],
            "/api/deposits": [],
            "/api/withdrawals": [],
        }
        self.others: dict[str, Any] = {}
        self.asked: list[str] = []

    def get(self, path: str, type_: Any, **parameters: Any) -> Any:
        self.asked.append(path)
        if path in self.others:
            return self.others[path]
        start, limit = int(parameters.get("cursor") or 0), parameters["limit"]
        rows = self.rows[path][::-1]
        more = str(start + limit) if start + limit < len(rows) else None
        return {"block": self.block, "rows": rows[start : start + limit], "next_cursor": more}

    def trade(self, price: str, **more: Any) -> None:
        n = len(self.rows["/api/history"]) + 1
        row = {
            "id": n,
            "ts": TS,
            "block": self.block,
            "price": price,
            "amount": "1.50",
            "quote_amount": "3.00",
        }
        row |= {"taker_order": "t", "maker_order": "m", "buyer_fee": "0.01", "seller_fee": "0.02"}
        row |= {"base": "PEK", "quote": "HBD", "side": "sell", "role": "maker"}
        self.rows["/api/history"].append({**row, **more})

    def withdrawal(self, id_: str, status: str) -> None:
        row: dict[str, object] = {
            "id": id_,
            "user": "alice",
            "symbol": "PEK",
            "amount": "1.0",
            "to": "alice",
            "memo": None,
            "ts": TS,
        }
        row |= {"status": status, "block": 1, "payout": None}
        row |= {
            "paid_by": None if status == "pending" else "tx",
            "closed_ts": None if status == "pending" else TS,
        }
        kept = [each for each in self.rows["/api/withdrawals"] if each["id"] != id_]
        at = next((n for n, each in enumerate(self.rows["/api/withdrawals"]) if each["id"] == id_), len(kept))
        self.rows["/api/withdrawals"] = [*kept[:at], row, *kept[at:]]


@pytest.fixture
def lists() -> Lists:
    return Lists()


def look(lists: Lists, marks: AccountMarks | None) -> tuple[list[str], AccountMarks]:
    news = read_account(lists, "alice", marks, 0)
    return [message.id for _, message in news.notifications], news.marks


def test_nothing_from_before_is_news_and_each_thing_is_news_once(lists: Lists) -> None:
    lists.trade("2")
    lists.withdrawal("w1", "pending")
    lists.withdrawal("w2", "paid")
    found, marks = look(lists, None)
    assert found == []
    lists.withdrawal("w1", "paid")
    lists.withdrawal("w3", "paid")
    lists.trade("2", block=11)
    found, marks = look(lists, marks)
    assert sorted(found) == [
        "fill/alice/m/11",
        *("withdrawal/w1/paid", "withdrawal/w3/paid", "withdrawal/w3/pending"),
    ]
    assert look(lists, marks)[0] == []


def test_more_news_than_a_page_is_read_and_the_first_of_an_empty_list(lists: Lists) -> None:
    _, marks = look(lists, None)
    for n in range(2 * FIRST_ROWS + 5):
        lists.trade("2", block=n)
    found, marks = look(lists, marks)
    assert len(found) == 2 * FIRST_ROWS + 5
    for n in range(3 * FIRST_ROWS):
        lists.trade("2", block=1000 + n)
    assert len(look(lists, marks)[0]) == 3 * FIRST_ROWS


def test_the_trades_of_an_order_in_a_block_are_one_message_with_exact_sums(lists: Lists) -> None:
    _, marks = look(lists, None)
    lists.trade("2.00", amount="0.1", quote_amount="0.20")
    lists.trade("2.05", amount="0.2", quote_amount="0.41")
    [(_, message)] = read_account(lists, "alice", marks, 0).notifications
    assert message.title == "alice sold 0.3 PEK for 0.61 HBD"
    assert (message.fields["price"], message.fields["fee"]) == ("2.00 to 2.05", "0.04 HBD")


def test_a_server_that_is_behind_is_not_believed_and_another_history_begins_anew(lists: Lists) -> None:
    for _ in range(3):
        lists.trade("2")
    _, marks = look(lists, None)
    trades = lists.rows["/api/history"]
    lists.rows["/api/history"], lists.block = trades[:2], 9
    with pytest.raises(ApiError, match="it is behind"):
        look(lists, marks)
    lists.block = 20  # a later block without the trade that was there: another journal
    found, marks = look(lists, marks)
    assert found == []
    lists.trade("2", block=21)
    assert look(lists, marks)[0] == ["fill/alice/m/21"]


# ---------------------------------------------------------------- prices


def pair_news(prices: Iterable[str], last: str | None = None, **opening: str) -> PairNews:
    trades = [Trade(n, TS, n, price, "1", "1", "t", "m", "0", "0") for n, price in enumerate(prices, 1)]
    first = {window.removeprefix("w"): Decimal(price) for window, price in opening.items()}
    return PairNews("PEK/HBD", trades, Mark(), first, None if last is None else Decimal(last))


def rule(*, is_above: bool = True, level: str = "1.0", rearm: str = "10") -> PriceRule:
    return PriceRule("PEK/HBD", is_above, Decimal(level), Decimal(rearm), ("it",))


def fired(rule: PriceRule, armed: dict[str, bool], *prices: str, last: str | None = None) -> list[str]:
    found = judge_levels([rule], pair_news(prices, last), armed)
    return [each.notification.fields["price"] for each in found]


def test_a_level_is_told_when_it_is_crossed_and_again_after_the_price_was_back() -> None:
    armed: dict[str, bool] = {}
    assert fired(rule(), armed, last="0.5") == []
    assert fired(rule(), armed, "0.99", "1.00", "1.20", "0.95", "1.10") == ["1.00"]
    assert fired(rule(), armed, "0.90", "0.99", "1.01") == ["1.01"]
    below = rule(is_above=False)
    assert fired(below, armed, "1.05", "1.00", "1.09", "0.5", "1.10", "1") == ["1.00", "1"]


def test_where_the_price_stands_at_the_start_is_no_news() -> None:
    armed: dict[str, bool] = {}
    assert fired(rule(), armed, last="2") == []
    assert fired(rule(), armed, "2.1") == []
    assert fired(rule(), armed, "0.8", "1.0") == ["1.0"]
    assert fired(rule(level="3"), {}, "3") == []  # it is not known where it was before
    assert fired(rule(level="3"), {f"{rule(level='3').key}": True}, "3") == ["3"]


def test_a_change_is_told_once_until_it_has_halved() -> None:
    change = ChangeRule("PEK/HBD", Decimal(10), "1h", ("it",))

    def told(price: str, opening: str, armed: dict[str, bool]) -> list[str]:
        found = judge_changes([change], pair_news([price], w1h=opening), armed)
        return [each.notification.fields["change"] for each in found]

    armed: dict[str, bool] = {}
    assert told("1.09", "1.00", armed) == []
    assert told("0.90", "1.00", armed) == ["-10.00 %"]
    assert told("0.80", "1.00", armed) == []
    assert told("0.96", "1.00", armed) == []
    assert told("1.20", "1.00", armed) == ["+20.00 %"]


def test_the_first_price_of_a_window_is_the_oldest_candle_s(lists: Lists) -> None:
    lists.others["/api/candles"] = {"candles": [{"open": "1.5"}, {"open": "2.5"}]}
    lists.others["/api/price"] = {"last": "2.0"}
    lists.trade("2")
    first = read_pair(lists, "PEK/HBD", None, ["1h"], 0, is_first=True)
    assert (first.trades, first.last) == ([], Decimal("2.0"))
    lists.trade("3")
    assert read_pair(lists, "PEK/HBD", first.mark, ["1h"], 0, is_first=False).opening == {
        "1h": Decimal("1.5")
    }
