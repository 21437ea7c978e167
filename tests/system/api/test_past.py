"""Past blocks: responses for 50 of them and the newest one, compared with journal lines and state text of that block."""

from __future__ import annotations

import random
from collections.abc import Callable
from hashlib import sha256

import pytest

from settlement.core.journal.state_text import state_text
from tests.support.api_client import ApiClient
from tests.system.api.past_world import (
    NAMES,
    PRECISION,
    PRICE_DECIMALS,
    QUOTES,
    STRANGER,
    Journal,
    PastWorld,
    at,
    everything,
    lasting,
    show,
)
from tests.system.api.test_values import check_order
from tests.system.api.world import START_BLOCK, World


def newest_with_lines(journal: Journal, block: int) -> int | None:
    return max((number for number in journal.times if number <= block), default=None)


def test_much_happened(past_world: PastWorld, journal: Journal) -> None:
    """Else these tests would say little."""
    kinds = {fields[0] for _, fields in journal.lines}
    assert {"expire", "deposit", "refund", "order", "trade", "close", "withdraw", "paid", "return"} <= kinds
    assert {"stop", "trigger", "timer", "timeout", "grant", "returning", "ignore", "outflow"} <= kinds
    assert {"reject", "rules", "checkpoint"} <= kinds
    assert len(journal.trades) > 60
    assert len(past_world.states) - len(journal.times) > 20  # blocks without anything of ours


def test_every_answer_names_the_block_that_was_asked_for(
    past_world: PastWorld, reader: ApiClient, journal: Journal, moments: list[int | None]
) -> None:
    order = journal.placed[0]
    paths = (
        "/api/balances?user=bob",
        "/api/orderbook?base=PEK&quote=HBD",
        "/api/orders?user=bob",
        "/api/proof?user=bob",
    )
    for block in moments:
        number = past_world.world.block if block is None else block
        newest = newest_with_lines(journal, number)
        for path in paths if number < order.block else (*paths, f"/api/orders/{order.id}?"):
            body = reader.get(path + at(block)).json
            assert body["block"] == number
            if block is not None and block != past_world.world.block:
                assert body["ts"] == (None if newest is None else f"{journal.times[newest]}Z")


def test_balances(past_world: PastWorld, reader: ApiClient, moments: list[int | None]) -> None:
    for block in moments:
        state = past_world.state(block)
        for name in (*NAMES, "peakecoin.fees", STRANGER, "nobody"):
            expected = []
            for symbol, held in sorted(state.balances[name].items()):
                texts = [show(units, PRECISION[symbol]) for units in (*held, sum(held))]
                labels = ("available", "locked", "withdrawing", "total")
                expected.append({"symbol": symbol, **dict(zip(labels, texts, strict=True))})
            assert reader.get(f"/api/balances?user={name}{at(block)}").json["balances"] == expected


@pytest.mark.parametrize("quote", QUOTES)
def test_book(past_world: PastWorld, reader: ApiClient, moments: list[int | None], quote: str) -> None:
    for block in moments:
        body = reader.get(f"/api/orderbook?base=PEK&quote={quote}&depth=500{at(block)}").json
        state = past_world.state(block)
        for name, side in (("bids", "buy"), ("asks", "sell")):
            assert [(level["price"], level["amount"], level["orders"]) for level in body[name]] == [
                (show(price, PRICE_DECIMALS[quote]), show(remaining, 8), count)
                for price, remaining, count in state.book(f"PEK/{quote}", side)
            ]


def filters_of_lists() -> list[tuple[str, Callable[[list[str]], bool]]]:
    """Query parameters of lists of orders, and which lines of a state they select."""

    def of_account(name: str) -> Callable[[list[str]], bool]:
        return lambda order: order[2] == name

    return [
        ("", lambda _: True),
        ("&base=PEK&quote=HBD", lambda order: order[3] == "PEK/HBD"),
        *((f"&user={name}", of_account(name)) for name in NAMES),
    ]


def test_open_orders(past_world: PastWorld, reader: ApiClient, moments: list[int | None]) -> None:
    for block in moments:
        state = past_world.state(block)
        filters = filters_of_lists()
        filters += [("&user=bob&base=PEK&quote=HBD", lambda order: order[2:4] == ["bob", "PEK/HBD"])]
        for query, wanted in filters:
            shown = everything(reader, f"/api/orders?status=open{query}{at(block)}", "orders", 11)
            expected = [order for order in reversed(state.orders) if wanted(order)]
            assert [(row["seq"], row["id"], row["user"], row["side"]) for row in shown] == [
                (int(seq), id_, user, side) for seq, id_, user, _, side, *_ in expected
            ]
            for row, (*_, price, quantity, remaining, locked, received, released, _, _, _, _, _, _) in zip(
                shown, expected, strict=True
            ):
                gives, gets = PRECISION[row["gives"]], PRECISION[row["gets"]]
                assert row["price"] == show(int(price), PRICE_DECIMALS[row["quote"]])
                assert row["quantity"] == show(int(quantity), 8)
                assert row["remaining"] == show(int(remaining), 8)
                assert (row["locked"], row["released"]) == (
                    show(int(locked), gives),
                    show(int(released), gives),
                )
                assert row["received"] == show(int(received), gets)
                assert (row["closed_ts"], row["closed_block"]) == (None, None)


def test_waiting_stops(past_world: PastWorld, reader: ApiClient, moments: list[int | None]) -> None:
    found = 0
    for block in moments:
        state = past_world.state(block)
        for query, wanted in filters_of_lists():
            shown = everything(reader, f"/api/orders?status=waiting{query}{at(block)}", "orders", 3)
            expected = [stop for stop in reversed(state.stops) if wanted(stop)]
            assert [(row["seq"], row["id"], row["user"], row["side"]) for row in shown] == [
                (int(seq), id_, user, side) for seq, id_, user, _, side, *_ in expected
            ]
            for row, stop in zip(shown, expected, strict=True):
                locked, when, trigger, time_in_force = stop[8], *stop[11:14]
                assert row["locked"] == show(int(locked), PRECISION[row["gives"]])
                assert row["trigger_price"] == show(int(trigger), PRICE_DECIMALS[row["quote"]])
                assert (row["trigger_when"], row["time_in_force"]) == (when, time_in_force)
            found += len(shown)
    assert found > 20


def test_all_orders_with_their_status(
    past_world: PastWorld, reader: ApiClient, journal: Journal, moments: list[int | None]
) -> None:
    for block in moments[:15]:
        number = past_world.world.block if block is None else block
        placed = journal.until(number).placed[::-1]
        shown = everything(reader, f"/api/orders?{at(block, '')}", "orders")
        assert [(row["seq"], row["status"], row["fired"] is not None) for row in shown] == [
            (order.seq, order.status, order.fired is not None) for order in placed
        ]
        for status in ("filled", "cancelled", "expired"):
            some = everything(reader, f"/api/orders?user=bob&status={status}{at(block)}", "orders")
            assert some == [row for row in shown if row["status"] == status and row["user"] == "bob"]


def test_one_order_as_it_stood(
    past_world: PastWorld, reader: ApiClient, journal: Journal, moments: list[int | None]
) -> None:
    """What it had filled, its trades and its lines, up to that block; before it was placed there is none."""
    chance = random.Random(8)
    traded = sorted({trade.maker for trade in journal.trades})
    for block in moments:
        number = past_world.world.block if block is None else block
        for id_ in chance.sample(traded, 4):
            then = [order for order in journal.until(number).placed if order.id == id_]
            answer = reader.get(f"/api/orders/{id_}?limit=1000{at(block)}")
            if not then:
                assert (answer.status_code, answer.json["code"]) == (404, "E_NOT_FOUND")
                assert f"at the end of block {number}" in answer.json["error"]
                continue
            mine = [
                trade
                for trade in journal.trades
                if id_ in (trade.taker, trade.maker) and trade.block <= number
            ]
            assert [row["id"] for row in answer.json["trades"]] == [trade.n for trade in reversed(mine)]
            check_order(answer.json["order"], then[-1])
            assert (answer.json["stop"] is not None) == (len(then) > 1)
            if len(then) > 1:
                check_order(answer.json["stop"], then[0])
            assert all(line["block"] <= number for line in answer.json["journal"])


def test_the_trades_of_a_past_order_page_on(
    reader: ApiClient, journal: Journal, past_world: PastWorld
) -> None:
    counts = {order.id: 0 for order in journal.placed}
    for trade in journal.trades:
        counts[trade.taker] += 1
        counts[trade.maker] += 1
    id_ = max(counts, key=lambda each: counts[each])
    mine = [trade for trade in journal.trades if id_ in (trade.taker, trade.maker)]
    assert len(mine) > 2
    middle = mine[len(mine) // 2].block
    shown = everything(reader, f"/api/orders/{id_}?block={middle}", "trades", limit=1)
    assert [row["id"] for row in shown] == [trade.n for trade in reversed(mine) if trade.block <= middle]


def test_state(past_world: PastWorld, reader: ApiClient, journal: Journal, moments: list[int | None]) -> None:
    """The same text; where nothing happened, that of the newest block before in which something did."""
    for block in moments:
        answer = reader.get(f"/api/state{at(block, '?')}")
        number = past_world.world.block if block is None else block
        expected = past_world.states[number]
        if number != past_world.world.block:
            named = int(answer.text.split("\n")[2].split(" ")[1])
            assert answer.text == (past_world.states[named] if named else past_world.states[START_BLOCK - 1])
            assert (newest_with_lines(journal, number) or 0) == named
            assert lasting(answer.text) == lasting(expected)
        else:
            assert answer.text == expected
        assert answer.mimetype == "text/plain"
        assert answer.headers["X-State-Hash"] == sha256(answer.data).hexdigest()
        assert answer.headers["X-Journal-Hash"] == reader.get(f"/api/blocks/{number}").json["journal_hash"]
        held = reader.get(f"/api/state{at(block, '?')}", headers={"If-None-Match": answer.headers["ETag"]})
        assert (held.status_code, held.data) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/api/balances?user=bob&",
        "/api/orderbook?base=PEK&quote=HBD&",
        "/api/orders?",
        "/api/orders/{order}?",
        "/api/state?",
        "/api/proof?user=bob&",
    ],
)
def test_blocks_that_cannot_be_asked_for(
    past_world: PastWorld, reader: ApiClient, journal: Journal, path: str
) -> None:
    path = path.format(order=journal.placed[0].id)
    for block, sentence in (
        (0, f"Block 0 is before the recorded history: {START_BLOCK - 1} is the first available."),
        (
            START_BLOCK - 2,
            f"Block {START_BLOCK - 2} is before the recorded history: {START_BLOCK - 1} is the first available.",
        ),
        (
            past_world.world.block + 1,
            f"Block {past_world.world.block + 1} is not recorded yet: the newest is {past_world.world.block}.",
        ),
    ):
        answer = reader.get(f"{path}block={block}")
        assert (answer.status_code, answer.json["code"], answer.json["error"]) == (404, "E_BLOCK", sentence)
    for text in ("-1", "1e3", "tip", "", "4294967296"):
        answer = reader.get(f"{path}block={text}")
        assert (answer.status_code, answer.json["code"]) == (400, "E_INPUT")


def test_what_is_rejected_has_no_past(reader: ApiClient) -> None:
    answer = reader.get("/api/orders?user=bob&status=rejected&block=1005")
    assert (answer.status_code, answer.json["code"]) == (400, "E_INPUT")
    assert answer.json["error"].startswith("status=rejected does not take block")


def test_a_past_answer_stays_held_while_blocks_come(tmp_path_factory: pytest.TempPathFactory) -> None:
    past_world = PastWorld(tmp_path_factory.mktemp("more"), seed=9)
    client = past_world.world.client()
    path = "/api/orderbook?base=PEK&quote=HBD&block=1050"
    before = client.get(path)
    past_world.world.apply(past_world.world.order("alice", "sell", "1000", "0.3", quote="HBD"))
    after = client.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 304
    assert client.get(path).data == before.data
    past_world.world.close()


EMPTY = [
    ("/api/candles?base=PEK&quote=HBD", {"candles": [], "next_cursor": None}),
    ("/api/deposits?user=bob", {"deposits": [], "next_cursor": None}),
    ("/api/withdrawals", {"withdrawals": [], "next_cursor": None}),
    ("/api/withdrawals?user=bob&status=paid", {"withdrawals": [], "next_cursor": None}),
    ("/api/transfers?user=bob", {"transfers": [], "next_cursor": None}),
    ("/api/balances?user=bob&block={tip}", {"balances": []}),
    ("/api/orderbook?base=PEK&quote=HBD&block={tip}", {"bids": [], "asks": []}),
    ("/api/orders?block={tip}", {"orders": [], "next_cursor": None}),
    ("/api/orders?status=open&user=bob&block={tip}", {"orders": [], "next_cursor": None}),
    ("/api/blocks/{tip}", {"lines": [], "block_id": None, "ts": None}),
    ("/api/solvency", {"unmatched_outflows": [], "refunds_due": []}),
    ("/api/proof?user=bob", {"tokens": [], "root_block": 0, "root_block_id": "-"}),
]


@pytest.mark.parametrize(("path", "expected"), EMPTY)
def test_a_venue_in_which_nothing_happened(fresh: World, path: str, expected: dict[str, object]) -> None:
    """Before the first block, and after two quiet ones."""
    client = fresh.client()
    for _ in range(3):
        answer = client.get(path.format(tip=fresh.block))
        assert answer.status_code == 200, answer.text
        assert {name: answer.json[name] for name in expected} == expected
        assert answer.json["block"] == fresh.block
        fresh.apply()


def test_the_texts_of_a_venue_in_which_nothing_happened(fresh: World) -> None:
    client = fresh.client()
    for _ in range(3):
        journal, state = client.get("/api/journal"), client.get("/api/state")
        assert (journal.status_code, journal.text) == (200, "")
        assert journal.headers["X-Next-From"] == str(fresh.block + 1)
        assert journal.headers["X-Journal-Hash"] == fresh.rules.state.venue_hash
        assert state.text == state_text(fresh.rules.state)
        assert state.headers["X-Journal-Hash"] == fresh.rules.state.venue_hash
        fresh.apply()
