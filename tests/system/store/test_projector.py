"""After every batch, whatever its size, the tables agree with the state and the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import func, select

from indexer.chain.decode import decode
from indexer.sources.archive import ArchiveSource
from indexer.sources.source import Cursor
from settlement.core.accounts import BUCKETS, ESCROW
from settlement.core.journal.entries import BlockResult
from settlement.core.journal.lines import chain_hash, iso_time
from settlement.core.state import State
from settlement.core.state_machine import StateMachine
from settlement.store import schema
from settlement.store.database import StoreError, open_writer
from settlement.store.read.payouts import WITHDRAWAL, read_ledger
from settlement.store.transaction_keys import transaction_key
from settlement.store.write.loader import load_or_initialise
from tests.support import databases
from tests.system.store.chains import demo, dump, journal, lively, replay

Rows = dict[str, list[dict[str, Any]]]


def rows_of(database: Database) -> Rows:
    """All tables: rows by column name, in the order of the key."""
    with database.connect() as connection:
        return {
            table.name: [
                dict(row)
                for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for table in schema.metadata.sorted_tables
        }


class Tables:
    """A database's rows with the numbers of accounts, tokens and pairs replaced by names."""

    def __init__(self, database: Database) -> None:
        self.rows = rows_of(database)
        self.account = {row["id"]: row["name"] for row in self.rows["accounts"]}
        self.symbol = {row["id"]: row["symbol"] for row in self.rows["tokens"]}
        self.pair = {row["id"]: f"{row['base']}/{row['quote']}" for row in self.rows["pairs"]}
        self.intent = {row["n"]: row for row in self.rows["intents"]}

    def order_id(self, seq: int) -> str:
        return str(self.intent[self.rows["orders"][seq - 1]["intent"]]["id"])


def in_batches(
    folder: Path, database: Database, size: int
) -> Iterator[tuple[list[BlockResult], StateMachine]]:
    """Apply and project an archive in batches; yields the blocks and the state machine after each."""
    rules, projector = load_or_initialise(database, demo())
    batch: list[BlockResult] = []
    for block, receipts in ArchiveSource(folder, rules.venue_filter).blocks(Cursor(0)):
        batch.append(rules.apply(block.header, decode(block, rules.venue_filter, receipts)))
        if len(batch) == size:
            projector.record(batch)
            yield batch, rules
            batch = []
    projector.record(batch)
    yield batch, rules


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, str]:
    """The tables and the journal at the end of the lively chain."""
    _, database = replay(lively().write(tmp_path_factory.mktemp("chain")), batch=7)
    return Tables(database), journal(database)


@pytest.mark.parametrize("size", [1, 7, 50])
def test_after_each_batch_the_tables_agree_with_the_state(tmp_path: Path, size: int) -> None:
    database = open_writer(databases.fresh())
    text = ""
    batches = 0
    for batch, rules in in_batches(lively().write(tmp_path), database, size):
        tables = Tables(database)
        text += "".join(block.text for block in batch)
        batches += 1
        assert_cursor(tables, rules.state)
        assert_rules(tables, rules.state)
        assert_money(tables, rules.state)
        assert_orders(tables, rules.state)
        assert_claims(tables, rules.state)
        assert "".join(row["lines"] for row in tables.rows["journal"]) == text
    assert batches == len(lively().blocks) // size + 1


def assert_cursor(tables: Tables, state: State) -> None:
    (cursor,) = tables.rows["cursor"]
    header = state.header
    assert header is not None
    assert (cursor["block"], cursor["block_id"], cursor["timestamp"]) == header
    assert cursor["venue_hash"] == state.venue_hash
    assert cursor["venue_text"] == state.venue.text
    assert cursor["journal_hash"] == state.journal_hash
    assert (cursor["last_seq"], cursor["last_trade"]) == (state.last_seq, state.last_trade)
    assert (cursor["last_withdrawal"], cursor["last_refund"]) == (state.last_withdrawal, state.last_refund)
    assert (cursor["max_open_orders"], cursor["fee_account"]) == (
        state.max_open_orders,
        state.fee_account.name,
    )
    for table, last in (
        ("orders", state.last_seq),
        ("trades", state.last_trade),
        ("withdrawals", state.last_withdrawal),
        ("refunds", state.last_refund),
    ):
        key = "seq" if table == "orders" else "n"
        assert [row[key] for row in tables.rows[table]] == list(range(1, last + 1)), table


def assert_rules(tables: Tables, state: State) -> None:
    assert [
        (row["symbol"], row["precision"], row["chain"], row["escrow"]) for row in tables.rows["tokens"]
    ] == [(t.symbol, t.precision, t.chain, t.escrow) for t in state.tokens.values()]
    names = ("price_decimals", "quantity_decimals", "maker_fee_bps", "taker_fee_bps")
    words = ("price_policy", "self_trade", "status")
    assert [
        (tables.pair[row["id"]], *(row[name] for name in (*names, *words))) for row in tables.rows["pairs"]
    ] == [(p.name, *(getattr(p, name) for name in (*names, *words))) for p in state.pairs.values()]


def assert_money(tables: Tables, state: State) -> None:
    recorded = {
        (tables.account[row["account_id"]], tables.symbol[row["token_id"]]): [row[name] for name in BUCKETS]
        for row in tables.rows["balances"]
    }
    held = {
        (name, symbol): wallet.buckets
        for name, account in state.accounts.items()
        for symbol, wallet in account.balances.items()
    }
    assert {key: value for key, value in recorded.items() if any(value)} == {
        key: value for key, value in held.items() if any(value)
    }
    assert {
        (row["escrow"], row["symbol"]): int(row["units"]) for row in tables.rows["holdings"]
    } == state.holdings


def assert_orders(tables: Tables, state: State) -> None:
    open_rows = [row for row in tables.rows["orders"] if row["status"] == schema.OPEN]
    assert [tables.order_id(row["seq"]) for row in open_rows] == [
        order.id for order in sorted(state.orders.values(), key=lambda order: order.seq)
    ]
    for row in open_rows:
        order = state.orders[tables.order_id(row["seq"])]
        assert (row["seq"], tables.account[row["account_id"]]) == (order.seq, order.account.name)
        assert (tables.pair[row["pair_id"]], row["is_buy"], row["market"]) == (
            order.pair.name,
            order.is_buy,
            order.market,
        )
        for name in (*("price", "quantity", "remaining", "locked"), *("received", "released", "expiry")):
            assert row[name] == getattr(order, name), name
        assert row["to_wallet"] == order.to_wallet
        assert row["closed_block"] is None
    for row in tables.rows["orders"]:
        assert tables.intent[row["intent"]]["seq"] == row["seq"]
        if row["status"] != schema.OPEN:
            assert row["locked"] == 0
            assert row["closed_block"] >= row["block"]


def assert_claims(tables: Tables, state: State) -> None:
    pending = [row for row in tables.rows["withdrawals"] if row["status"] == schema.PENDING]
    assert [
        (
            *(row["n"], row["id"], tables.account[row["account_id"]], tables.symbol[row["token_id"]]),
            *(row["amount"], row["to"], row["memo"]),
        )
        for row in pending
    ] == [
        (w.n, w.id, w.balance.account, w.balance.symbol, w.amount, w.to, w.memo)
        for w in state.withdrawals.by_id.values()
    ]
    names = ("n", "id", "account", "chain", "symbol", "quantity", "value", "escrow")
    due = [row for row in tables.rows["refunds"] if row["status"] == schema.PENDING]
    assert [tuple(row[name] for name in names) for row in due] == [
        tuple(getattr(refund, name) for name in names) for refund in state.refunds.by_id.values()
    ]
    for table in ("withdrawals", "refunds"):
        for row in tables.rows[table]:
            is_paid, is_pending = row["status"] == schema.PAID, row["status"] == schema.PENDING
            assert (row["paid_by"] is not None, row["closed_block"] is None) == (is_paid, is_pending)


# ---------------------------------------------------------------- the journal from the tables


def journal_from_tables(tables: Tables) -> dict[str, list[str]]:
    """The journal lines reconstructed from the other tables, by kind, in the order of the keys."""
    t, rows = tables, tables.rows
    told: dict[str, Callable[[dict[str, Any]], str]] = {
        "block": lambda r: f"{r['number']} {r['block_id']} {iso_time(r['timestamp'])}",
        "deposit": lambda r: (
            f"{r['id']} {t.account[r['account_id']]} {t.symbol[r['token_id']]} {r['amount']} {r['escrow']}"
        ),
        "refund": lambda r: f"{r['id']} {r['account']} {r['symbol']} {r['quantity']} {r['escrow']}",
        "order": lambda r: (
            f"{t.order_id(r['seq'])} {r['seq']} {t.account[r['account_id']]} {t.pair[r['pair_id']]} "
            f"{'buy' if r['is_buy'] else 'sell'} {'market' if r['market'] else 'limit'} "
            f"{'-' if r['price'] is None else r['price']} {r['quantity']} "
            f"{'-' if r['expiry'] is None else r['expiry']}"
        ),
        "trade": lambda r: trade_line(t, r),
        "withdraw": lambda r: (
            f"{r['id']} {t.account[r['account_id']]} {t.symbol[r['token_id']]} {r['amount']} {r['to']} "
            f"{r['memo'] or '-'}"
        ),
        "outflow": lambda r: f"{r['id']} {r['escrow']} {r['symbol']} {r['quantity']} {r['to']}",
        "internal": lambda r: f"{r['id']} {r['sender']} {r['recipient']} {r['symbol']} {r['amount']}",
        "reject": lambda r: f"{r['id']} {t.account[r['account_id']]} {r['action']} {r['code']}",
    }
    table_of = {
        "block": "blocks",
        "reject": "intents",
        "internal": "internal_moves",
        "withdraw": "withdrawals",
        **{kind: f"{kind}s" for kind in ("deposit", "refund", "order", "trade", "outflow")},
    }
    lines = {
        kind: [
            f"{kind} {line(row)}"
            for row in rows[table_of[kind]]
            if kind != "reject" or row["code"] is not None
        ]
        for kind, line in told.items()
    }
    lines["paid"] = [
        f"paid {row['id']} {row['paid_by']}"
        for table in ("withdrawals", "refunds")
        for row in rows[table]
        if row["status"] == schema.PAID
    ]
    lines["return"] = [
        f"return {row['id']}" for row in rows["withdrawals"] if row["status"] == schema.RETURNED
    ]
    lines["expire"] = [
        f"expire {t.order_id(row['seq'])}" for row in rows["orders"] if row["status"] == schema.EXPIRED
    ]
    return lines


def trade_line(t: Tables, row: dict[str, Any]) -> str:
    owner = {seq: t.account[t.rows["orders"][seq - 1]["account_id"]] for seq in (row["taker"], row["maker"])}
    sides = (row["taker"], row["maker"]) if row["taker_is_buy"] else (row["maker"], row["taker"])
    return (
        f"{row['n']} {t.order_id(row['taker'])} {t.order_id(row['maker'])} "
        f"{owner[sides[0]]} {owner[sides[1]]} {t.pair[row['pair_id']]} {row['price']} {row['quantity']} "
        f"{row['quote_amount']} {row['buyer_fee']} {row['seller_fee']}"
    )


def test_the_journal_can_be_reconstructed_from_the_tables(done: tuple[Tables, str]) -> None:
    """What the API shows from the tables is what auditors read in the journal."""
    tables, text = done
    told = journal_from_tables(tables)
    for kind, lines in told.items():
        written = [line for line in text.splitlines() if line.startswith(f"{kind} ")]
        if kind in ("paid", "return", "expire"):  # in order of what they close, not of when
            lines, written = sorted(lines), sorted(written)
        assert lines == written, kind
        assert lines, kind
    statuses = {True: Counter[str](), False: Counter[str]()}
    for row in tables.rows["orders"]:
        statuses[row["market"]][schema.ORDER_STATUSES[row["status"]]] += 1
    closes = Counter(line.split()[2] for line in text.splitlines() if line.startswith("close "))
    assert sum(statuses.values(), Counter()) - Counter(open=statuses[False]["open"]) == closes
    assert statuses[True]["open"] == 0
    assert len(statuses[True]) > 1


def test_a_block_s_journal_hash_is_that_of_the_chain_of_texts(done: tuple[Tables, str]) -> None:
    tables, _ = done
    journal_hash = demo().hash
    for block, written in zip(tables.rows["blocks"], tables.rows["journal"], strict=True):
        journal_hash = chain_hash(journal_hash, written["lines"])
        assert (block["number"], block["journal_hash"]) == (written["block"], journal_hash)
    assert tables.rows["cursor"][0]["journal_hash"] == journal_hash


def test_all_transfers_add_up_to_the_balances(done: tuple[Tables, str]) -> None:
    """Double entry over the whole history, by account, token and bucket."""
    tables, _ = done
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
    for token in tables.symbol:
        assert sum(units for (_, held, _), units in balances.items() if held == token) == 0
    assert {bucket for *_, bucket in sums} == set(range(ESCROW + 1))


def test_every_change_of_a_balance_is_a_transfer_of_its_block(tmp_path: Path) -> None:
    """The transfers up to a block add up to the balances at its end."""
    database = open_writer(databases.fresh())
    for batch, rules in in_batches(lively().write(tmp_path), database, 1):
        if not batch or batch[0].header.number % 20:
            continue
        tables = Tables(database)
        sums: Counter[tuple[str, str, int]] = Counter()
        for row in tables.rows["transfers"]:
            assert row["block"] <= batch[0].header.number
            symbol = tables.symbol[row["token_id"]]
            sums[tables.account[row["debit_id"]], symbol, row["debit_bucket"]] -= row["amount"]
            sums[tables.account[row["credit_id"]], symbol, row["credit_bucket"]] += row["amount"]
        assert {key: units for key, units in sums.items() if units} == {
            (name, symbol, bucket): units
            for name, account in rules.state.accounts.items()
            for symbol, wallet in account.balances.items()
            for bucket, units in enumerate(wallet.buckets)
            if units
        }


def test_keys_are_consecutive(done: tuple[Tables, str]) -> None:
    tables, _ = done
    for table in schema.metadata.sorted_tables:
        key = [column.name for column in table.primary_key]
        if table.name == "deposits":  # what was not credited has its place among them
            arrivals = [row["arrival"] for row in tables.rows["refunds"]]
            numbers = sorted([row["n"] for row in tables.rows["deposits"]] + arrivals)
            assert numbers == list(range(1, len(numbers) + 1))
            assert arrivals == sorted(arrivals)
        elif key in (["n"], ["seq"], ["id"]) and table.name != "indexer_status":
            count = len(tables.rows[table.name])
            assert [row[key[0]] for row in tables.rows[table.name]] == list(range(1, count + 1)), table.name


def test_each_intent_is_found_by_its_transaction(done: tuple[Tables, str]) -> None:
    tables, _ = done
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


def test_an_inactive_block_moves_only_the_cursor(tmp_path: Path) -> None:
    folder = lively().write(tmp_path)
    rules, database = replay(folder, until=1)
    _, projector = load_or_initialise(database, demo())
    before = dump(database)
    assert rules.state.header is not None
    projector.record([])
    assert dump(database) == before


NO_ROOM = {
    "sqlite": ["CREATE TRIGGER full BEFORE UPDATE ON cursor BEGIN SELECT RAISE(ABORT, 'no room'); END"],
    "postgresql": [
        "CREATE FUNCTION no_room() RETURNS trigger AS "
        "'BEGIN RAISE EXCEPTION ''no room''; END' LANGUAGE plpgsql",
        "CREATE TRIGGER is_full BEFORE UPDATE ON cursor FOR EACH ROW EXECUTE FUNCTION no_room()",
    ],
}


def test_a_batch_is_atomic(tmp_path: Path) -> None:
    """If the last statement fails, nothing of the batch is written."""
    folder = lively().write(tmp_path)
    _, database = replay(folder, databases.url(tmp_path / "dex.db"), until=10)
    before = dump(database)
    with database.begin() as connection:
        for statement in NO_ROOM[databases.kind()]:
            connection.exec_driver_sql(statement)
    with pytest.raises(Exception, match="no room"):
        replay(folder, databases.url(tmp_path / "dex.db"))
    assert dump(database) == before


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    """A second indexer on the same database fails before it writes anything; the first one continues."""
    folder, url = lively().write(tmp_path), databases.url(tmp_path / "dex.db")
    replay(folder, url, until=10)
    slow, its_projector = load_or_initialise(open_writer(url), demo())
    replay(folder, url, until=20)
    database = open_writer(url)
    before = dump(database)
    block, receipts = next(ArchiveSource(folder, slow.venue_filter).blocks(Cursor(10)))
    effects = slow.apply(block.header, decode(block, slow.venue_filter, receipts))
    with pytest.raises(StoreError, match="another process"):
        its_projector.record([effects])
    with pytest.raises(StoreError, match="another process"):
        its_projector.record([])  # a quiet block would only have moved the cursor, and that back
    assert dump(database) == before
    replay(folder, url)
    with database.connect() as connection:
        last = connection.scalar(select(func.max(schema.blocks.c.number)))
    assert last == len(lively().blocks)
