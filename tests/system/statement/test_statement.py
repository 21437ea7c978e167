"""Statements of a small market: the API, its file, the command, and what tax programs make of their files."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.routes.accounts.statement import one_at_a_time
from tests.support.api_client import ApiClient
from tests.system.api.world import World
from tests.system.cli.command import OK, peakedex

DAY = "2026-09-21"


@pytest.fixture(scope="module")
def world(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Alice buys twice, and sells more than she bought; the venue takes fees."""
    world = World(tmp_path_factory.mktemp("statement"))
    world.apply(
        world.deposit("alice", "SWAP.HIVE", "100"),
        world.deposit("bob", "PEK", "5000"),
        world.deposit("bob", "SWAP.HIVE", "500"),
    )
    world.apply(
        world.order("bob", "sell", "1000", "0.010000"), world.order("bob", "sell", "1000", "0.020000")
    )
    world.apply(world.order("alice", "buy", "1000", "0.010000"))
    world.apply(world.order("alice", "buy", "1000", "0.020000"))
    world.apply(world.deposit("alice", "PEK", "500"), seconds=86_400)
    world.apply(world.order("bob", "buy", "9000", "0.030000"))
    world.apply(world.order("alice", "sell", "1500", "0.030000"))
    world.apply(world.order("alice", "sell", "990", "0.030000"))
    withdrawal = world.action("alice", "withdraw", symbol="SWAP.HIVE", quantity="50")
    paid = world.deposit("alice", "SWAP.HIVE", "50")._replace(
        sender="peakedex.hive", recipient="alice", memo=f"peakedex:{withdrawal.id}"
    )
    world.apply(withdrawal, paid, seconds=86_400)
    yield world
    world.close()


@pytest.fixture(scope="module")
def client(world: World) -> ApiClient:
    return world.client()


def ask(client: ApiClient, address: str) -> dict[str, Any]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_profit_by_both_methods_as_counted_by_hand(client: ApiClient) -> None:
    """Bought 998 for 10 and 998 for 20 (fee 20 bps), 500 of unknown cost; sold 1500 and 990 at 0.03 for 44.91 and
    29.6406 (fee 20 bps)."""
    fifo, average = ask(client, "/api/statement/profit?user=alice")["profits"]
    (sales,) = fifo["sales"]
    # The first 998 cost 10, the next 998 cost 20, and of the 500 without cost 494 were sold.
    assert (sales["base"], sales["quote"], sales["sold"]) == ("PEK", "SWAP.HIVE", "1996.00000000")
    assert sales["cost"] == "30.00000000"
    first, second = Decimal("44.91"), Decimal("29.6406")
    proceeds = first + (second * 496 / 990).quantize(Decimal("1e-8"), "ROUND_DOWN")
    assert (sales["proceeds"], sales["unknown_sold"]) == (str(proceeds), "494.00000000")
    assert Decimal(sales["unknown_proceeds"]) == first + second - proceeds
    assert Decimal(sales["profit"]) == proceeds - 30
    assert [lot for lot in fifo["held"] if lot["symbol"] == "PEK"] == [
        {"symbol": "PEK", "amount": "6.00000000", "quote": None, "cost": None, "average_cost": None}
    ]

    (sales,) = average["sales"]
    # Of 2496 units 1996 have a cost, 0.01503… each: the same share of every sale.
    assert abs(Decimal(sales["sold"]) - Decimal(2490) * 1996 / 2496) < Decimal("1e-7")
    (known, unknown) = sorted(
        (lot for lot in average["held"] if lot["symbol"] == "PEK"), key=lambda lot: lot["quote"] is None
    )
    assert known["average_cost"].startswith("0.015030")
    assert Decimal(known["amount"]) + Decimal(unknown["amount"]) == 6
    assert Decimal(known["cost"]) + Decimal(sales["cost"]) == 30


def test_a_period_has_the_profit_of_its_sales_and_the_cost_of_before(client: ApiClient) -> None:
    """The second day has no purchase; its sales know the cost of the first day's."""
    (before, _) = ask(client, f"/api/statement/profit?user=alice&to={DAY}")["profits"]
    assert before["sales"] == []
    assert [lot["cost"] for lot in before["held"] if lot["quote"]] == ["30.00000000"]
    whole = ask(client, "/api/statement/profit?user=alice")["profits"]
    after = ask(client, "/api/statement/profit?user=alice&from=2026-09-22")["profits"]
    assert [method["sales"] for method in after] == [method["sales"] for method in whole]


def test_pages_and_periods_of_the_api_add_up(client: ApiClient) -> None:
    whole = ask(client, "/api/statement?user=alice")
    assert whole["opening"] == []
    assert [entry["type"] for entry in whole["entries"]] == [
        *("deposit", "buy", "buy", "deposit", "sell", "sell", "withdrawal"),
    ]
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for entry in whole["entries"]:
        for change in entry["changes"]:
            sums[change["symbol"]] += Decimal(change["amount"])
            assert Decimal(change["balance"]) == sums[change["symbol"]]
    assert {row["symbol"]: Decimal(row["total"]) for row in whole["closing"]} == sums
    assert whole["closing"] == ask(client, "/api/balances?user=alice")["balances"]

    first = ask(client, f"/api/statement?user=alice&to={DAY}")
    second = ask(client, "/api/statement?user=alice&from=2026-09-22")
    assert first["closing"] == second["opening"]
    assert first["entries"] + second["entries"] == whole["entries"]

    paged, cursor = [], ""
    while cursor is not None:
        page = ask(client, f"/api/statement?user=alice&limit=2{cursor and f'&cursor={cursor}'}")
        paged += page["entries"]
        cursor = page["next_cursor"]
    assert paged == whole["entries"]


def test_a_time_ends_a_period_before_it_and_an_empty_one_keeps_its_balances(client: ApiClient) -> None:
    entries = ask(client, "/api/statement?user=alice")["entries"]
    bought = entries[1]["ts"]
    assert ask(client, f"/api/statement?user=alice&to={bought}")["entries"] == entries[:1]
    assert ask(client, f"/api/statement?user=alice&from={bought}")["entries"] == entries[1:]
    later = ask(client, "/api/statement?user=alice&from=2027-01-01")
    assert (later["entries"], later["opening"]) == ([], later["closing"])
    assert ask(client, "/api/statement?user=nobody")["entries"] == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=2026-02-30", "from must be a day like 2026-01-31"),
        ("from=2026-09-22&to=2026-09-21", "from is after to"),
        ("to=yesterday", "to must be a day like"),
        ("cursor=AAAA", "cursor belongs to another list"),
    ],
)
def test_wrong_parameters_are_named(client: ApiClient, query: str, sentence: str) -> None:
    answer = client.get(f"/api/statement?user=alice&{query}")
    assert answer.status_code == 400
    assert answer.get_json()["error"].startswith(sentence)


def test_the_file_is_what_the_command_writes(world: World, client: ApiClient, tmp_path: Path) -> None:
    for form in ("csv", "koinly", "cointracking"):
        answer = client.get(f"/api/statement/file?user=alice&format={form}&from={DAY}")
        named = f'attachment; filename="peakedex-alice-{form}.csv"'
        assert answer.headers["Content-Disposition"] == named
        out = tmp_path / f"{form}.csv"
        run = peakedex(
            *("statement", "alice", "--db", world.url, "--format", form, "--from", DAY, "--out", out)
        )
        assert (run.code, run.err) == (OK, "")
        assert out.read_text("utf-8") == answer.text


def test_expensive_requests_take_turns(client: ApiClient) -> None:
    """What costs little is answered meanwhile."""
    addresses = (
        "/api/statement/profit?user=bob&from=2026-09-21",
        "/api/statement/file?user=bob&from=2026-09-21",
    )
    with one_at_a_time():
        for address in addresses:
            answer = client.get(address)
            assert (answer.status_code, answer.get_json()["code"]) == (503, "E_BUSY")
            assert int(answer.headers["Retry-After"]) > 0
        ask(client, "/api/statement?user=bob&from=2026-09-21")
    assert [client.get(address).status_code for address in addresses] == [200, 200]


def test_changes_of_the_csv_add_up_between_its_balances(client: ApiClient) -> None:
    found = rows(client.get("/api/statement/file?user=alice&from=2026-09-22").text)
    held = {row["symbol"]: Decimal(row["balance"]) for row in found if row["type"] == "opening_balance"}
    assert held
    for row in found:
        if row["change"]:
            held[row["symbol"]] += Decimal(row["change"])
            assert held[row["symbol"]] == Decimal(row["balance"])
    closing = {row["symbol"]: Decimal(row["balance"]) for row in found if row["type"] == "closing_balance"}
    assert held == closing
    (fifo, _) = ask(client, "/api/statement/profit?user=alice&from=2026-09-22")["profits"]
    profits = [Decimal(row["fifo_profit"]) for row in found if row["fifo_profit"]]
    assert sum(profits) == Decimal(fifo["sales"][0]["profit"])
    assert len(profits) == 2


def balances_by_koinly(text: str) -> dict[str, Decimal]:
    """Received less sent less fee."""
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows(text):
        for sign, side in ((1, "Received"), (-1, "Sent"), (-1, "Fee")):
            if row[f"{side} Amount"]:
                held[row[f"{side} Currency"]] += sign * Decimal(row[f"{side} Amount"])
    return dict(held)


def balances_by_cointracking(text: str) -> dict[str, Decimal]:
    """Bought less sold; the fee is included in both."""
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows(text):
        for sign, side in ((1, "Buy"), (-1, "Sell")):
            if row[f"{side} Amount"]:
                held[row[f"{side} Currency"]] += sign * Decimal(row[f"{side} Amount"])
    return dict(held)


@pytest.mark.parametrize("user", ["alice", "bob", "peakecoin.fees"])
def test_tax_programs_reach_the_same_balances(client: ApiClient, user: str) -> None:
    closing = ask(client, f"/api/statement?user={user}")["closing"]
    expected = {row["symbol"]: Decimal(row["total"]) for row in closing}
    assert expected
    for form, balances in (("koinly", balances_by_koinly), ("cointracking", balances_by_cointracking)):
        found = balances(client.get(f"/api/statement/file?user={user}&format={form}").text)
        assert {symbol: held for symbol, held in found.items() if held} == expected


def test_the_columns_are_those_of_the_imports(client: ApiClient) -> None:
    def head(form: str) -> str:
        return client.get(f"/api/statement/file?user=alice&format={form}").text.partition("\n")[0]

    assert head("koinly") == (
        "Date,Sent Amount,Sent Currency,Received Amount,Received Currency,Fee Amount,Fee Currency,"
        "Net Worth Amount,Net Worth Currency,Label,Description,TxHash"
    )
    assert head("cointracking") == (
        "Type,Buy Amount,Buy Currency,Sell Amount,Sell Currency,Fee,Fee Currency,Exchange,Trade-Group,"
        "Comment,Date,Tx-ID"
    )


def test_the_command_s_json_has_the_api_s_entries_and_profit(world: World, client: ApiClient) -> None:
    run = peakedex("statement", "alice", "--db", world.url, "--format", "json")
    assert run.code == OK
    shown = json.loads(run.out)
    whole = ask(client, "/api/statement?user=alice")
    realised = [entry.pop("realised", None) for entry in shown["entries"]]
    assert shown["entries"] == whole["entries"]
    assert [found is not None for found in realised] == [e["type"] == "sell" for e in whole["entries"]]
    assert (shown["opening"], shown["closing"]) == (whole["opening"], whole["closing"])
    assert shown["profits"] == ask(client, "/api/statement/profit?user=alice")["profits"]


def test_wrong_options_are_one_line(world: World) -> None:
    for words, sentence in (
        (("alice", "--from", "2026-13-01"), "must be a day like 2026-01-31"),
        (("Alice",), "must be a Hive account name"),
        (("alice", "--from", "2026-09-22", "--to", DAY), "--from is after --to"),
    ):
        run = peakedex("statement", *words, "--db", world.url)
        assert run.code == 2
        assert sentence in run.err
        assert "Traceback" not in run.err
