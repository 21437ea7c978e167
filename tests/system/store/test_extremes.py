"""Extreme values: the largest amounts, sums beyond 64 bits, and text of all kinds."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from settlement.core.journal.state_text import state_text
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.core.parsing.names import encode
from settlement.core.state_machine import StateMachine
from settlement.store import schema
from settlement.store.database import open_reader
from settlement.store.read.payouts import read_ledger
from settlement.store.write.loader import load
from tests.support import databases
from tests.support.blocks import Operation, custom_json, moved, transfer
from tests.system.store.chains import Chain, journal, picture, replay
from tests.system.store.short_chain import paid_as, sent, token, venue, written

MOST = "9223372036854775.807"
ODD = ("A\x00B", "\ud800", "x y\nz", "%00", "-", "'; DROP TABLE cursor; --", "é☃𐍈", "")


def recorded(tmp_path: Path, chain: Chain) -> tuple[StateMachine, str]:
    """Replay into a database with a restart after each block; returns state machine and journal."""
    url = databases.url(tmp_path / "dex.db")
    folder = chain.write(tmp_path / "chain")
    for until in range(1, len(chain.blocks) + 1):
        rules, database = replay(folder, url, venue=venue(), until=until)
        assert picture(load(open_reader(url)).state) == picture(rules.state)
    return rules, journal(database)


def test_the_largest_amount_is_held_locked_traded_and_paid_out(tmp_path: Path) -> None:
    contents: list[list[Operation]] = [
        [transfer("alice", "dex.hive", f"{MOST} HIVE"), transfer("bob", "dex.hbd", f"{MOST} HBD")],
        [transfer("carol", "dex.hive", "0.001 HIVE")],  # one unit too many: due back
        [sent("alice", "sell", symbol="HIVE", quote="HBD", quantity="9223372036854775.8", price="1")],
        [sent("bob", "buy", symbol="HIVE", quote="HBD", quantity="9223372036854775.8", price="1")],
        [
            sent("bob", "withdraw", symbol="HBD", quantity="all"),
            sent("alice", "withdraw", symbol="HBD", quantity="all"),
        ],
    ]
    rules, text = recorded(tmp_path, written(contents, {}))
    lines = [line.split() for line in text.splitlines()]
    assert [line[4] for line in lines if line[0] == "deposit"] == [str(MAX_UNITS)] * 2
    assert [line[4] for line in lines if line[0] == "refund"] == ["0.001"]
    assert [line[7:10] for line in lines if line[0] == "trade"] == [
        ["100", str(MAX_UNITS - 7), str(MAX_UNITS - 7)]
    ]
    fee = (MAX_UNITS - 7) * 5 // 10_000
    withdrawn = [int(line[4]) for line in lines if line[0] == "withdraw"]
    assert withdrawn == [7, MAX_UNITS - 7 - fee]
    assert "escrow HBD 9223372036854775807\n" in state_text(rules.state)


def test_holdings_can_exceed_64_bits(tmp_path: Path) -> None:
    """A dishonest token contract can send more than exists: the holdings become negative."""
    huge = "9" * 30
    contents = [
        [token("carol", "dex.pek", "PEK", "5")],
        [token("dex.pek", "mallory", "PEK", huge), token("dex.pek", "mallory", "PEK", "1e-30")],
        [token("dex.pek", "dex.hive", "PEK", "3")],
    ]
    moves = {
        (1, 0): [moved("carol", "dex.pek", "5", "PEK")],
        (2, 0): [moved("dex.pek", "mallory", huge, "PEK")],
        (2, 1): [moved("dex.pek", "mallory", "1e-30", "PEK")],
        (3, 0): [moved("dex.pek", "dex.hive", "3", "PEK")],
    }
    rules, _ = recorded(tmp_path, written(contents, moves))
    held = 5 * 10**8 - int(huge) * 10**8 - 1 - 3 * 10**8
    assert f"escrow PEK {held}\n" in state_text(rules.state)
    with open_reader(databases.url(tmp_path / "dex.db")).connect() as connection:
        rows = connection.execute(select(schema.holdings).where(schema.holdings.c.symbol == "PEK")).all()
    assert [int(row.units) for row in rows] == [held]


def test_holdings_can_have_thousands_of_digits(tmp_path: Path) -> None:
    """More than Python converts without a limit of its own."""
    contents = [
        [token("carol", "dex.pek", "PEK", "5")],
        [token("dex.pek", "mallory", "PEK", "1e5000")],
        [token("dex.hive", "dex.pek", "PEK", "2e6000")],
    ]
    moves = {
        (1, 0): [moved("carol", "dex.pek", "5", "PEK")],
        (2, 0): [moved("dex.pek", "mallory", "1e5000", "PEK")],
        (3, 0): [moved("dex.hive", "dex.pek", "2e6000", "PEK")],
    }
    rules, text = recorded(tmp_path, written(contents, moves))
    assert f" PEK 1{'0' * 5008} mallory\n" in text
    assert f" PEK 2{'0' * 6008}\n" in text
    held = f"1{'9' * 1000}{'0' * 4999}5{'0' * 8}"
    assert f"escrow PEK {held}\n" in state_text(rules.state)
    with open_reader(databases.url(tmp_path / "dex.db")).connect() as connection:
        assert (
            connection.scalar(select(schema.holdings.c.units).where(schema.holdings.c.symbol == "PEK"))
            == held
        )
        units = connection.scalars(
            select(schema.holding_changes.c.units).order_by(schema.holding_changes.c.block)
        )
        assert [len(each) for each in units] == [9, 5009, 6009]


def test_text_that_databases_reject_is_stored_encoded(tmp_path: Path) -> None:
    """Symbols, quantities, names and memos with NUL, lone surrogates, quotes, line ends, or empty."""
    contents: list[list[Operation]] = [
        [token("dave", "dex.pek", "DUST", "1") for _ in ODD],
        [token("dex.pek", "dave", "DUST", "1") for _ in ODD],
        [transfer("alice", "dex.hive", "1.000 HIVE", memo) for memo in ODD],
        [transfer("dex.hive", "nobody", "0.001 HIVE", memo) for memo in ODD],
        [sent("alice", "withdraw", symbol="HIVE", quantity="0.1", memo=memo) for memo in ODD],
        [custom_json({"contractName": "peakedex", "contractAction": name}, "eve") for name in ODD],
    ]
    moves = {
        **{(1, i): [moved(f"d{text}", "dex.pek", text, f"S{text}")] for i, text in enumerate(ODD)},
        **{(2, i): [moved("dex.pek", f"d{text}", text, f"T{text}")] for i, text in enumerate(ODD)},
    }
    _, text = recorded(tmp_path, written(contents, moves))
    assert text.isascii()
    assert "\x00" not in text
    lines = [line.split(" ") for line in text.splitlines()]
    assert [line[2:6] for line in lines if line[0] == "ignore"] == [
        [encode(f"d{odd}"), "hive-engine", encode(f"S{odd}"), encode(odd)] for odd in ODD
    ]
    assert [line[4:] for line in lines if line[0] == "outflow"][: len(ODD)] == [
        [encode(f"T{odd}"), f"={encode(odd)}", encode(f"d{odd}")] for odd in ODD
    ]
    kept = [
        odd for odd in ODD if odd and all(" " <= c != "\x7f" and not "\ud800" <= c <= "\udfff" for c in odd)
    ]
    assert [line[6] for line in lines if line[0] == "withdraw"] == [encode(memo) for memo in kept]
    assert len(kept) == 4
    assert [line[3] for line in lines if line[0] == "reject" and line[2] == "eve"] == ["-"] * len(ODD)
    with open_reader(databases.url(tmp_path / "dex.db")).connect() as connection:
        ledger = read_ledger(connection, 0)
    assert ledger is not None
    assert [claim.memo for claim in ledger.claims if claim.symbol == "HIVE"] == kept


def test_a_refund_with_odd_text_is_paid(tmp_path: Path) -> None:
    """Sent to another token's escrow account, by a name and in a spelling of the chain's own."""
    name, spelled = "D\ud800\x00", " +0x10.8\n"
    contents = [
        [token("dave", "dex.hive", "PEK", "1")],
        [token("dex.hive", "dave", "PEK", "1", paid_as(1, 0))],
    ]
    moves = {
        (1, 0): [moved(name, "dex.hive", spelled, "PEK")],
        (2, 0): [moved("dex.hive", name, "16.500", "PEK")],
    }
    rules, text = recorded(tmp_path, written(contents, moves))
    assert [line.split()[0] for line in text.splitlines()] == ["block", "refund", "block", "paid"]
    assert f" {encode(name)} PEK {encode(spelled)} dex.hive\n" in text
    assert not rules.state.refunds.by_id


def test_many_inactive_blocks_cost_one_row(tmp_path: Path) -> None:
    chain = written([[] for _ in range(300)], {})
    rules, database = replay(chain.write(tmp_path), venue=venue(), batch=7)
    assert rules.next_block() == 301
    with database.connect() as connection:
        assert connection.execute(select(schema.blocks)).all() == []
        assert connection.execute(select(schema.cursor.c.block)).scalar_one() == 300
    assert load(database).next_block() == 301
