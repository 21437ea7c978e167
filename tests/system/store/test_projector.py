"""After every batch, whatever its size, the tables agree with the state and the journal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import func, select

from settlement.core.accounts import BUCKETS, ESCROW
from settlement.core.events import BlockHeader
from settlement.core.journal.lines import JournalEntry, chain_hash
from settlement.core.journal.state_text import state_text
from settlement.core.state import InvariantError
from settlement.store import schema
from settlement.store.database import StoreError, open_writer
from settlement.store.read.payouts import WITHDRAWAL, read_ledger
from settlement.store.transaction_keys import transaction_key
from settlement.store.write.loader import load, load_or_initialise
from settlement.store.write.projector import Batch, Projector, Totals
from tests.support import databases
from tests.system.store.chains import dump, journal, lively, replay
from tests.system.store.random_chains import batch_of, projected, random_chain
from tests.system.store.tables import Tables

SEEDS = range(3)


@pytest.fixture(scope="module")
def done() -> list[tuple[Tables, str]]:
    """Tables and journals of some random chains."""
    databases_ = [projected(seed, 7)[1] for seed in SEEDS]
    return [(Tables(database), journal(database)) for database in databases_]


@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.parametrize("seed", SEEDS)
def test_after_each_batch_the_rows_hold_the_state(seed: int, size: int) -> None:
    venue, blocks = random_chain(seed)
    database = open_writer(databases.fresh())
    rules, projector = load_or_initialise(database, venue)
    text = ""
    for at in range(0, len(blocks), size):
        batch = batch_of(rules, blocks[at : at + size])
        projector.project(batch)
        text += "".join(entry.text for entry in batch.entries)
        assert state_text(load(database).state) == state_text(rules.state)
    assert journal(database) == text


def test_the_journal_can_be_reconstructed_from_the_tables(done: list[tuple[Tables, str]]) -> None:
    """What the API shows from the tables is what auditors read in the journal."""
    met = Counter[str]()
    for tables, text in done:
        for kind, lines in tables.lines().items():
            written = [line for line in text.splitlines() if line.startswith(f"{kind} ")]
            if kind == "timer":
                written = [line for line in written if not line.endswith(" -")]
            if kind in ("paid", "return", "returning", "expire", "reject"):  # not in the order of their keys
                lines, written = sorted(lines), sorted(written)
            assert lines == written, kind
            met[kind] += len(lines)
    assert min(met.values()) > 0, met


def test_orders_end_as_their_close_lines_say(done: list[tuple[Tables, str]]) -> None:
    for tables, text in done:
        closes = {(words[1], words[2]): int(words[3]) for words in _lines(text, "close")}
        ended = [row for row in tables.rows["orders"] if row["closed_block"] is not None]
        assert {(tables.order_id(row["seq"]), schema.ORDER_STATUSES[row["status"]]) for row in ended} == set(
            closes
        )
        for row in ended:
            assert row["locked"] == 0
            assert row["closed_block"] >= row["block"]
        fired = {words[1] for words in _lines(text, "trigger")}
        assert {
            tables.order_id(row["seq"])
            for row in tables.rows["orders"]
            if row["fired_seq"] is not None or row["fired_code"] is not None
        } == fired
        for row in tables.rows["orders"]:
            placed = tables.intent[row["intent"]]["seq"]
            assert placed == row["seq"] or tables.order[placed]["fired_seq"] == row["seq"]


def test_what_an_order_traded_is_the_sum_of_its_trades(done: list[tuple[Tables, str]]) -> None:
    for tables, _ in done:
        sums: dict[int, list[int]] = {row["seq"]: [0, 0, 0] for row in tables.rows["orders"]}
        for trade in tables.rows["trades"]:
            for side in ("taker", "maker"):
                order = tables.order[trade[side]]
                fee = trade["buyer_fee"] if order["is_buy"] else trade["seller_fee"]
                traded = sums[trade[side]]
                traded[:] = (
                    traded[0] + trade["quantity"],
                    traded[1] + trade["quote_amount"],
                    traded[2] + fee,
                )
        assert sums == {
            row["seq"]: [row["traded_base"], row["traded_quote"], row["fees"]]
            for row in tables.rows["orders"]
        }


def _lines(text: str, kind: str) -> list[list[str]]:
    return [line.split(" ") for line in text.splitlines() if line.startswith(f"{kind} ")]


def test_a_block_s_journal_hash_is_that_of_the_chain_of_texts(done: list[tuple[Tables, str]]) -> None:
    for seed, (tables, _) in zip(SEEDS, done, strict=True):
        journal_hash = random_chain(seed)[0].hash
        for block, written in zip(tables.rows["blocks"], tables.rows["journal"], strict=True):
            journal_hash = chain_hash(journal_hash, written["lines"])
            assert (block["number"], block["journal_hash"]) == (written["block"], journal_hash)
        assert tables.rows["cursor"][0]["journal_hash"] == journal_hash


def test_all_transfers_add_up_to_the_balances(done: list[tuple[Tables, str]]) -> None:
    """Double entry over the whole history, by account, token and bucket; `totals` are their sums."""
    for tables, _ in done:
        sums: Counter[tuple[int, int, int]] = Counter()
        for row in tables.rows["transfers"]:
            sums[row["debit_id"], row["token_id"], row["debit_bucket"]] -= row["amount"]
            sums[row["credit_id"], row["token_id"], row["credit_bucket"]] += row["amount"]
            assert row["amount"] > 0
        balances = {
            (row["account_id"], row["token_id"], bucket): row[name]
            for row in tables.rows["balances"]
            for bucket, name in enumerate(BUCKETS)
        }
        assert {key: units for key, units in sums.items() if units} == {
            key: units for key, units in balances.items() if units
        }
        for row in tables.rows["totals"]:
            for bucket, name in enumerate(BUCKETS[:ESCROW]):
                held = [
                    units
                    for (_, token, b), units in balances.items()
                    if (token, b) == (row["token_id"], bucket)
                ]
                assert row[name] == sum(held)


def test_balance_changes_follow_from_the_transfers(done: list[tuple[Tables, str]]) -> None:
    """The transfers up to a block add up to the balances after it."""
    for tables, _ in done:
        changes = {
            (row["block"], row["account_id"], row["token_id"]): [row[name] for name in BUCKETS[:ESCROW]]
            for row in tables.rows["balance_changes"]
        }
        held: dict[tuple[int, int], list[int]] = {}
        expected = {}
        for row in tables.rows["transfers"]:
            for side, sign in (("debit", -1), ("credit", 1)):
                key = row[f"{side}_id"], row["token_id"]
                buckets = held.setdefault(key, [0, 0, 0, 0])
                buckets[row[f"{side}_bucket"]] += sign * row["amount"]
                expected[row["block"], *key] = buckets[:ESCROW]
        assert changes == expected


def test_keys_are_consecutive(done: list[tuple[Tables, str]]) -> None:
    for tables, _ in done:
        for table in schema.metadata.sorted_tables:
            rows, key = tables.rows[table.name], [column.name for column in table.primary_key]
            if table.name == "deposits":  # arrivals of all kinds share their numbers
                numbers = [row["n"] for name in ("deposits", "ignored") for row in tables.rows[name]]
                numbers += [row["arrival"] for row in tables.rows["refunds"]]
                assert sorted(numbers) == list(range(1, len(numbers) + 1))
            elif key in (["n"], ["seq"], ["id"]) and table.name not in ("indexer_status", "ignored"):
                assert [row[key[0]] for row in rows] == list(range(1, len(rows) + 1)), table.name


def test_each_intent_is_found_by_its_transaction(done: list[tuple[Tables, str]]) -> None:
    for tables, _ in done:
        for row in tables.rows["intents"]:
            transaction = row["id"].split("-")[0]
            assert row["tx_key"] == transaction_key(transaction) == transaction_key(row["id"])


def test_pending_claims_are_read_as_decoded_text(tmp_path: Path) -> None:
    rules, database = replay(lively().write(tmp_path))
    with database.connect() as connection:
        ledger = read_ledger(connection, 10**9)
    assert ledger is not None
    claims = [claim for claim in ledger.claims if claim.closed is None]
    state = rules.state
    assert {claim.id for claim in claims} == {*state.withdrawals.by_id, *state.refunds.by_id}
    assert [claim.opened for claim in ledger.claims] == sorted(claim.opened for claim in ledger.claims)
    assert len(ledger.claims) > len(claims)
    for claim in claims:
        if claim.kind != WITHDRAWAL:
            assert claim.value == state.refunds.by_id[claim.id].value
            continue
        withdrawal = state.withdrawals.by_id[claim.id]
        token = state.tokens[claim.symbol]
        assert claim.quantity is not None
        assert claim.quantity.replace(".", "").lstrip("0") == str(withdrawal.amount)
        assert len(claim.quantity.split(".")[1]) == token.precision
        assert claim.escrow == token.escrow


# ---------------------------------------------------------------- batches


def test_a_block_without_lines_moves_only_the_cursor() -> None:
    rules, database = projected(1, 60)
    projector = Projector(database)
    before, header = dump(database), rules.state.header
    assert header is not None
    end = BlockHeader(header.number + 1, "ab" * 20, header.timestamp + 3)
    entry = rules.apply(end, [])
    assert entry.text == ""
    projector.project(Batch([], [], end, {}))
    after = dump(database)
    assert after.pop("cursor") != before.pop("cursor")
    assert after == before
    assert load(database).next_block() == end.number + 1


NO_ROOM = {
    "sqlite": ["CREATE TRIGGER full BEFORE UPDATE ON cursor BEGIN SELECT RAISE(ABORT, 'no room'); END"],
    "postgresql": [
        "CREATE FUNCTION no_room() RETURNS trigger AS "
        "'BEGIN RAISE EXCEPTION ''no room''; END' LANGUAGE plpgsql",
        "CREATE TRIGGER is_full BEFORE UPDATE ON cursor FOR EACH ROW EXECUTE FUNCTION no_room()",
    ],
}
ROOM = {"sqlite": "DROP TRIGGER full", "postgresql": "DROP TRIGGER is_full ON cursor"}


def test_a_batch_is_atomic() -> None:
    """If the last statement fails, nothing of the batch is written; a restart continues to the same rows."""
    venue, blocks = random_chain(2)
    database = open_writer(databases.fresh())
    rules, projector = load_or_initialise(database, venue)
    projector.project(batch_of(rules, blocks[:20]))
    before = dump(database)
    with database.begin() as connection:
        for statement in NO_ROOM[databases.kind()]:
            connection.exec_driver_sql(statement)
    with pytest.raises(Exception, match="no room"):
        projector.project(batch_of(rules, blocks[20:40]))
    assert dump(database) == before
    with database.begin() as connection:
        connection.exec_driver_sql(ROOM[databases.kind()])
    rules, projector = load_or_initialise(database, venue)
    projector.project(batch_of(rules, blocks[20:40]))
    projector.project(batch_of(rules, blocks[40:]))
    assert dump(database) == dump(projected(2, 60)[1])


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    """A second indexer on the same database fails before it writes anything; the first one continues."""
    venue, blocks = random_chain(1)
    url = databases.url(tmp_path / "dex.db")
    first_rules, first = load_or_initialise(open_writer(url), venue)
    second_rules, second = load_or_initialise(open_writer(url), venue)
    first.project(batch_of(first_rules, blocks[:10]))
    database = open_writer(url)
    before = dump(database)
    with pytest.raises(StoreError, match="another process"):
        second.project(batch_of(second_rules, blocks[:10]))
    with pytest.raises(
        StoreError, match="another process"
    ):  # would only have moved the cursor, and that back
        second.project(Batch([], [], blocks[0].header, {}))
    assert dump(database) == before
    first.project(batch_of(first_rules, blocks[10:]))
    with database.connect() as connection:
        last = connection.scalar(select(func.max(schema.blocks.c.number)))
    assert last == max(block["number"] for block in Tables(projected(1, 60)[1]).rows["blocks"])


# ---------------------------------------------------------------- two bookkeepers


def half_way() -> tuple[Database, Projector, Batch]:
    """A random chain up to its middle, and the batch that follows."""
    venue, blocks = random_chain(2)
    database = open_writer(databases.fresh())
    rules, projector = load_or_initialise(database, venue)
    projector.project(batch_of(rules, blocks[:30]))
    return database, projector, batch_of(rules, blocks[30:])


@pytest.mark.parametrize("change", [Totals(1, 0), Totals(0, 1)])
def test_a_wrong_total_stops_the_projector(change: Totals) -> None:
    database, projector, batch = half_way()
    before = dump(database)
    symbol, right = next(iter(batch.totals.items()))
    wrong = Totals(right.liabilities + change.liabilities, right.holdings + change.holdings)
    with pytest.raises(InvariantError, match=rf"{symbol}: the projector has .*, the rules have .*"):
        projector.project(batch._replace(totals={**batch.totals, symbol: wrong}, state_hash=None))
    assert dump(database) == before


def test_another_state_hash_stops_the_projector() -> None:
    database, projector, batch = half_way()
    before = dump(database)
    with pytest.raises(
        InvariantError, match=r"the projector's state hash is [0-9a-f]{64}, the rules' is 0000"
    ):
        projector.project(batch._replace(state_hash="0" * 64))
    assert dump(database) == before


def changed(entry: JournalEntry, previous: str, text: str) -> JournalEntry:
    return JournalEntry(entry.header, text, chain_hash(previous, text))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("paid 00ff-1 00ee", r"refers to '00ff-1', which is not there"),
        ("close 00ff filled 0", r"refers to '00ff', which is not there"),
        ("withdraw 00ff nobody PEK 5 nobody -", r"nobody lacks 5 units of PEK"),
        ("close 00ff", r"close has 3 fields"),
        ("trade x y", r"trade has 11 fields"),
        ("gift 00ff 5", r"unknown kind of line"),
        ("order 00ff seven alice PEK/HBD buy limit 1 1 1 0 0 venue - -", r"invalid literal for int"),
    ],
)
def test_a_line_that_does_not_follow_stops_the_projector(line: str, problem: str) -> None:
    database, projector, batch = half_way()
    before = dump(database)
    first = batch.entries[0]
    broken = changed(first, projector.ledger.journal_hash, f"{first.text}{line}\n")
    with pytest.raises(InvariantError, match=rf"^block {first.header.number}: .*{problem}"):
        projector.project(batch._replace(entries=[broken]))
    assert dump(database) == before


def test_a_journal_hash_that_does_not_continue_stops_the_projector() -> None:
    database, projector, batch = half_way()
    before = dump(database)
    with pytest.raises(InvariantError, match="its journal hash does not continue the one before"):
        projector.project(batch._replace(entries=batch.entries[1:]))
    assert dump(database) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET expiry = expiry + 1 WHERE status = 0",
        "UPDATE marks SET base = '1'",
        "UPDATE holdings SET units = '12'",
        "UPDATE grants SET band_bps = band_bps + 1",
    ],
)
def test_rows_that_are_not_the_compared_state_are_refused_at_start(statement: str) -> None:
    """Also where they violate no invariant."""
    _, database = projected(2, 30)
    with database.begin() as connection:
        assert connection.exec_driver_sql(statement).rowcount
    with pytest.raises(
        StoreError, match=r"the rows are not the state of block \d+: run `peakedex db rebuild`"
    ):
        load(database)
    with pytest.raises(StoreError, match=r"the rows are not the state of block"):
        load_or_initialise(database, random_chain(2)[0])
