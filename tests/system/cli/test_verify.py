"""`peakedex verify`: identical targets, and every kind of difference with its place."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import zstandard

from indexer.audit.compare import TargetError, TargetUnavailable
from indexer.audit.targets import LIMITS, ApiTarget, DatabaseTarget
from indexer.devnet.traders.payloads import custom_json, intent
from settlement.store.database import open_writer
from settlement.store.write.initialise import initialise_from_state
from tests.support import postgres
from tests.support.doc_examples import answers
from tests.support.ports import free_port
from tests.system.cli.command import FAILED, MISUSED, OK, Run, peakedex
from tests.system.cli.world import running, world
from tests.system.store.chains import VENUE_TEXT, Chain, demo, journal, lively, replay

BLOCKS = 40
CHAIN = lively(blocks=BLOCKS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive, the database that it makes, and that one's journal."""
    folder = tmp_path_factory.mktemp("made")
    rules, database = replay(CHAIN.write(folder / "chain"), f"sqlite:///{folder / 'dex.db'}")
    (folder / "journal.txt").write_text(journal(database), newline="")
    (folder / "hash").write_text(rules.state.journal_hash)
    database.dispose()
    return folder


@pytest.fixture
def archive(made: Path) -> Path:
    return made / "chain"


@pytest.fixture
def theirs(here: Path, made: Path) -> Path:
    """A database to lie in."""
    return Path(shutil.copy(made / "dex.db", here / "theirs.db"))


def verify(venue: Path, against: object, *words: object) -> Run:
    return peakedex("verify", "--venue", venue, "--against", against, *words)


def change(database: Path, *statements: str) -> None:
    with sqlite3.connect(database) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement
    connection.close()


def difference(run: Run) -> dict[str, Any]:
    assert run.code == FAILED, run.err
    said: dict[str, Any] = run.json
    assert said.pop("result") == "differs"
    return said


# ---------------------------------------------------------------- the same


def test_a_database(venue: Path, archive: Path, made: Path) -> None:
    run = verify(venue, made / "dex.db", "--archive", archive, "--json")
    assert (run.code, run.err) == (OK, "")
    said = run.json
    assert said["result"] == "same"
    assert said["compared"] == ["journal", "state", "rows"]
    assert (said["last_block"], said["their_last_block"]) == (BLOCKS, BLOCKS)
    assert said["ended_because"] == "the database ended there when the comparison began"
    state = peakedex("state", "--db", made / "dex.db", "--json").json
    assert (said["journal_hash"], said["state_hash"]) == (state["journal_hash"], state["state_hash"])
    plain = dict(
        line.split(maxsplit=1) for line in verify(venue, made / "dex.db", "--archive", archive).lines
    )
    assert plain["result"] == "same"
    assert plain["journal_hash"] == said["journal_hash"]


def test_a_database_on_postgresql(venue: Path, archive: Path, made: Path) -> None:
    url = postgres.new_database()
    try:
        assert peakedex("replay", "--venue", venue, "--archive", archive, "--db", url).code == OK
        said = verify(venue, url, "--archive", archive, "--json").json
        assert (said["result"], said["compared"]) == ("same", ["journal", "state", "rows"])
        assert said["journal_hash"] == (made / "hash").read_text()
        for words in (("--roots", "--block", 17), ("trader-1",)):
            assert (
                peakedex("prove", *words, "--db", url).out
                == peakedex("prove", *words, "--db", made / "dex.db").out
            )
        postgres.execute(url, "UPDATE journal SET lines = replace(lines, 'order ', 'ordre ') WHERE block = 9")
        assert difference(verify(venue, url, "--archive", archive, "--json"))["block"] == 9
    finally:
        postgres.drop_database(url)


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("j", bytes),
        ("j.gz", gzip.compress),
        ("j.zst", zstandard.ZstdCompressor().compress),
    ],
)
def test_a_journal_s_file(
    name: str, pack: Callable[[bytes], bytes], here: Path, venue: Path, archive: Path, made: Path
) -> None:
    (here / name).write_bytes(pack((made / "journal.txt").read_bytes()))
    said = verify(venue, name, "--archive", archive, "--json").json
    assert (said["result"], said["compared"]) == ("same", ["journal"])
    assert said["journal_hash"] == (made / "hash").read_text()


def test_an_api_of_a_real_server(here: Path, venue: Path, archive: Path, made: Path) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running(here, "serve", "--db", made / "dex.db", "--port", port, "--workers", "1") as server:
        server.wait_until(lambda: answers(f"{url}/api/health"))
        for address in (url, f"{url}/api/"):
            said = verify(venue, address, "--archive", archive, "--json").json
            assert (said["result"], said["compared"]) == ("same", ["journal", "state"])
            assert said["last_block"] == BLOCKS
            assert said["journal_hash"] == (made / "hash").read_text()


def test_nodes_and_an_archive_of_theirs_against_an_indexer_that_goes_on(here: Path, venue: Path) -> None:
    """The indexer writes during the comparison: later blocks are compared, too."""
    with world(blocks=24) as chain:
        chain.follow(here / "dex.db")
        began = chain.irreversible
        said = verify(venue, "dex.db", *chain.nodes, "--json").json
        assert (said["last_block"], said["compared"]) == (began, ["journal", "state", "rows"])
        recorded = ("archive", "record", "--venue", venue, *chain.nodes, "--out", "recorded")
        assert peakedex(*recorded).code == OK
        chain.trade(6)
        chain.follow(here / "dex.db")
        ended = chain.irreversible
        assert ended > began
        said = verify(venue, "dex.db", "--archive", "recorded", "--json").json
        compared = ["journal", "state", "rows against its own journal"]
        assert (said["last_block"], said["compared"]) == (began, compared)
        assert said["ended_because"] == f"the source has no later block; the database continues to {ended}"

        rows = DatabaseTarget.rows
        moved: list[int] = []

        def rows_later(target: DatabaseTarget) -> Any:
            if not moved:
                chain.trade(3)
                chain.follow(here / "dex.db")
                moved.append(chain.irreversible)
            return rows(target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DatabaseTarget, "rows", rows_later)
            said = verify(venue, "dex.db", *chain.nodes, "--json").json
        assert moved[0] > ended
        assert (said["last_block"], said["their_last_block"]) == (moved[0], ended)
        assert said["compared"] == ["journal", "state", "rows"]


def test_the_state_after_blocks_in_which_nothing_happened(here: Path, venue: Path) -> None:
    """The database has gone on, without their ids. In them a grant ends, with its timer, without a line."""
    with world(blocks=12) as chain:
        grant = {"to": "bobby", "pairs": ["PEK/SWAP.HIVE"], "perDay": {"PEK": "1"}, "bandBps": 100}
        for name in ("alice", "bobby"):
            chain.node.faucet(name)
        until = chain.node.chain.head_time + 100
        for signer, action, payload in (
            ("alice", "grant", {**grant, "until": until}),
            ("bobby", "cancelAllAfter", {"seconds": 86_400, "for": "alice"}),
        ):
            chain.node.broadcast([custom_json(chain.venue, signer, intent(chain.venue, action, payload))])
            chain.node.tick()
        chain.idle(60)
        recorded = ("archive", "record", "--venue", venue, *chain.nodes, "--out", "recorded")
        assert peakedex(*recorded).code == OK
        last = chain.irreversible
        chain.idle(5)
        chain.follow(here / "dex.db")
        then = peakedex("state", "--db", "dex.db", "--block", last).out
        assert f"\nblock {last} " not in then
        assert "\ngrant alice bobby " in then
        assert "\ntimer alice bobby " in then
        said = verify(venue, "dex.db", "--archive", "recorded", "--json")
        assert said.code == OK, said.out
        assert said.json["last_block"] == last
        assert said.json["compared"] == ["journal", "state", "rows against its own journal"]
        change(here / "dex.db", "update balance_changes set available = available + 1")
        lied = difference(verify(venue, "dex.db", "--archive", "recorded", "--json"))
        assert lied["what"] == "state line"


def test_the_state_of_a_venue_in_which_nothing_has_happened_yet(here: Path, venue: Path) -> None:
    with world() as chain:
        chain.idle(5)
        assert peakedex("archive", "record", "--venue", venue, *chain.nodes, "--out", "recorded").code == OK
        chain.idle(5)
        chain.follow(here / "dex.db")
        said = verify(venue, "dex.db", "--archive", "recorded", "--json")
        assert said.code == OK, said.out


def test_a_replica_that_began_with_a_state_text(here: Path, venue: Path) -> None:
    """Its journal is compared from there on, and its newest rows; before it there is nothing to compare."""
    with world(blocks=8) as chain:
        assert peakedex("archive", "record", "--venue", venue, *chain.nodes, "--out", "short").code == OK
        chain.trade(4)
        chain.follow(here / "dex.db")
        text = peakedex("state", "--db", "dex.db").out
        begins = chain.irreversible
        engine = open_writer("replica.db")
        initialise_from_state(engine, demo(), text, sha256(text.encode()).hexdigest())
        engine.dispose()
        for blocks in (0, 6):
            chain.trade(blocks)
            chain.idle(blocks)
            chain.follow(here / "replica.db")
            said = verify(venue, "replica.db", *chain.nodes, "--json")
            assert said.code == OK, said.out + said.err
            assert said.json["last_block"] == chain.irreversible
            assert said.json["compared"] == ["journal", "state", "current rows"]
        for words, complaint in (
            (("--archive", "short"), f"begins with the state of block {begins}: give a longer --archive"),
            ((*chain.nodes, "--until", begins - 1), f"begins with the state of block {begins}"),
        ):
            run = verify(venue, "replica.db", *words)
            assert run.code == MISUSED
            assert complaint in run.complaint
        url = f"http://127.0.0.1:{(port := free_port())}"
        with running(here, "serve", "--db", "replica.db", "--port", port, "--workers", "1") as server:
            server.wait_until(lambda: answers(f"{url}/api/health"))
            run = verify(venue, url, *chain.nodes)
            assert run.code == MISUSED
            assert (
                "history begins after block 1, with a state text: compare with its database" in run.complaint
            )
        change(here / "replica.db", "update journal set lines = replace(lines, 'accept ', 'acept ')")
        assert difference(verify(venue, "replica.db", *chain.nodes, "--json"))["what"] == "journal line"


def test_until(venue: Path, archive: Path, made: Path) -> None:
    said = verify(venue, made / "dex.db", "--archive", archive, "--until", 7, "--json").json
    assert (said["last_block"], said["ended_because"]) == (7, "--until")
    assert said["compared"] == ["journal", "state", "rows against its own journal"]
    then = peakedex("state", "--db", made / "dex.db", "--block", 7, "--json").json
    assert (said["journal_hash"], said["state_hash"]) == (then["journal_hash"], then["state_hash"])
    early = verify(venue, made / "dex.db", "--archive", archive, "--until", 100)
    assert early.code == OK
    assert "the database ended there" in early.out


def test_rows_are_compared_wherever_the_comparison_ends(venue: Path, archive: Path, theirs: Path) -> None:
    change(theirs, "update trades set price = price + 1 where n = 3")
    said = difference(verify(venue, theirs, "--archive", archive, "--until", 7, "--json"))
    assert said["what"] == "rows"
    assert said["theirs"].startswith("the row of trades with n 3 has price ")


# ---------------------------------------------------------------- what differs


def lie(made: Path, here: Path, old: str, new: str) -> tuple[Path, int, int]:
    """The journal with the first such text another; the block and the line of it."""
    text = (made / "journal.txt").read_text()
    at = text.index(old)
    part = text[: at + len(old.rstrip())]
    part = part[part.rindex("block ") :]
    block, line = int(part.split(" ")[1]), part.count("\n") + 1
    (here / "lie.txt").write_text(text.replace(old, new, 1), newline="")
    return here / "lie.txt", block, line


def line_of(made: Path, kind: str) -> str:
    return next(line for line in (made / "journal.txt").read_text().splitlines() if line.startswith(kind))


def test_a_changed_line_is_named_with_both_versions_and_the_operation(
    here: Path, venue: Path, archive: Path, made: Path
) -> None:
    trade = line_of(made, "trade ")
    path, block, line = lie(made, here, trade, f"{trade}0")
    said = difference(verify(venue, path, "--archive", archive, "--json"))
    transaction = trade.split(" ")[2][:40]
    assert said == {
        "what": "journal line",
        "block": block,
        "line": line,
        "ours": trade,
        "theirs": f"{trade}0",
        "cause": said["cause"],
    }
    assert said["cause"].startswith(f"transaction {transaction}, operation ")
    assert "custom_json" in said["cause"]
    plain = verify(venue, path, "--archive", archive)
    assert plain.code == FAILED
    assert plain.lines[:3] == [
        f"DIFFERS in a journal line of block {block}, line {line}",
        f"derived  {trade}",
        f"theirs   {trade}0",
    ]


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("deposit ", '"transfer_operation"|custom_json'),
        ("expire ", "no operation: what is due at the block's time, "),
        ("close ", "contractAction"),
        ("reject ", "custom_json"),
        ("block ", "the block itself"),
    ],
)
def test_the_operation_that_caused_each_kind_of_line(
    kind: str, cause: str, here: Path, venue: Path, archive: Path, made: Path
) -> None:
    old = line_of(made, kind)
    path, block, _ = lie(made, here, f"{old}\n", f"{old}x\n")
    said = difference(verify(venue, path, "--archive", archive, "--json"))
    assert (said["block"], said["ours"]) == (block, old)
    assert any(word in said["cause"] for word in cause.split("|")), said["cause"]


def test_a_cancel_is_the_cause_of_the_close_of_an_older_order(
    here: Path, venue: Path, archive: Path, made: Path
) -> None:
    """The line names the order's transaction; another one, in this block, closed it."""
    blocks = (made / "journal.txt").read_text().split("block ")[1:]
    for block in blocks:
        lines = block.splitlines()
        here_placed = {line.split(" ")[1] for line in lines if line.startswith("order ")}
        for line in lines:
            words = line.split(" ")
            if words[0] == "close" and words[2] == "cancelled" and words[1] not in here_placed:
                path, number, _ = lie(made, here, f"{line}\n", "")
                said = difference(verify(venue, path, "--archive", archive, "--json"))
                assert (said["block"], said["ours"]) == (number, line)
                assert words[1][:40] not in said["cause"].split(":")[0]
                return
    pytest.fail("no order was cancelled later")


def test_a_block_that_one_side_does_not_have(here: Path, venue: Path, archive: Path, made: Path) -> None:
    blocks = (made / "journal.txt").read_text().split("block ")[1:]
    missing = here / "missing.txt"
    missing.write_text("".join(f"block {text}" for text in (*blocks[:4], *blocks[5:])), newline="")
    said = difference(verify(venue, missing, "--archive", archive, "--json"))
    assert (said["block"], said["line"], said["theirs"]) == (5, 2, None)
    assert said["ours"] == blocks[4].splitlines()[1]


def test_blocks_in_which_nothing_of_ours_happened(here: Path, venue: Path) -> None:
    """Any lines for them are false."""
    for text, line in (("block 3 00\nreject a b c E_INPUT\n", 2), ("block 3 00\n", 1)):
        (here / "extra.txt").write_text(text, newline="")
        said = difference(verify(venue, "extra.txt", "--archive", quiet(here), "--json"))
        assert (said["block"], said["line"], said["ours"]) == (3, line, None)
        assert said["theirs"] == text.splitlines()[line - 1]
        assert said["cause"] == "no relevant operation of this block"


def quiet(folder: Path) -> Path:
    """An archive of blocks without a transaction."""
    path = folder / "quiet"
    if not path.exists():
        blocks = [json.loads(text) | {"transactions": [], "transaction_ids": []} for text in CHAIN.blocks[:5]]
        Chain(tuple(json.dumps(block).encode() for block in blocks), ()).write(path)
    return path


@pytest.mark.parametrize(
    ("statements", "what", "word"),
    [
        (
            ("update journal set lines = replace(lines, 'order ', 'ordre ') where block = 9",),
            "journal line",
            "ordre",
        ),
        (
            ("update blocks set journal_hash = replace(journal_hash, '0', '1') where number = 9",),
            "journal hash",
            "",
        ),
        (("delete from journal where block = 9",), "journal line", None),
        (("update balances set available = available + 1 where account_id = 1",), "rows", ""),
        (
            (
                "update balances set available = available + 1 where token_id = 1 and account_id ="
                " (select min(account_id) from balances where token_id = 1 and available > 0)",
                "update balances set available = available - 1 where token_id = 1 and account_id ="
                " (select max(account_id) from balances where token_id = 1 and available > 0)",
            ),
            "rows",
            "the rows are not the state of block",
        ),
        (
            ("update balance_changes set available = available + 7 where block = 40",),
            "state line",
            "balance ",
        ),
        (("update withdrawals set memo = 'me' where status = 0",), "state line", "withdrawal "),
        (("delete from trades where n = 3",), "rows", "the row of trades with n 3 is missing"),
        (
            ("delete from trades where n = (select max(n) from trades)",),
            "rows",
            "the row of trades with n ",
        ),
        (
            ("update trades set price = 7 where n = 3",),
            "rows",
            "the row of trades with n 3 has price 7, by the journal price ",
        ),
        (
            ("update orders set price = 7 where seq = 1 and status <> 0",),
            "rows",
            "the row of orders with seq 1 has price 7, by the journal price ",
        ),
        (
            ("update intents set code = 'E_FUNDS' where n = 3 and code = 'E_NO_LIQUIDITY'",),
            "rows",
            "the row of intents with n 3 has code 'E_FUNDS', by the journal code 'E_NO_LIQUIDITY'",
        ),
        (
            ("update totals set available = 7 where token_id = 1",),
            "rows",
            "the row of totals with token_id 1 has available 7, by the journal available ",
        ),
    ],
    ids=[
        *("a line", "a stored hash", "a block", "money made", "money moved", "the past", "a memo"),
        *("a trade less", "the last trade less", "a trade's price", "a closed order's price"),
        *("a code", "totals"),
    ],
)
def test_a_database_that_lies(
    statements: tuple[str, ...], what: str, word: str | None, venue: Path, archive: Path, theirs: Path
) -> None:
    change(theirs, *statements)
    said = difference(verify(venue, theirs, "--archive", archive, "--json"))
    assert said["what"] == what
    if word is None:
        assert said["theirs"] is None
    else:
        assert word in said["theirs"]
    assert said["block"] == (9 if "journal" in what else BLOCKS)


@pytest.mark.parametrize(
    ("statement", "block", "ours", "theirs"),
    [
        ("update receipts set text = replace(text, 'block', 'blick') where block = 9", 9, "block", "blick"),
        ("delete from receipts where block = (select max(block) from receipts)", None, "receipts: ", None),
        (
            "insert into receipts (block, text) values (12345, '{}')",
            BLOCKS,
            None,
            "a row of receipts is of block 12345, after the newest one of the database",
        ),
        (
            "insert into escrow_operations values (1, 9, 2, 'ab', 0, 'claim_account', 'peakedex.hive', '{}')",
            9,
            None,
            "escrow_operations: True, 9, 2, 'ab', 0, 'claim_account', 'peakedex.hive', '{}'",
        ),
    ],
    ids=["other receipts", "receipts less", "of a later block", "an operation on an escrow account"],
)
def test_rows_of_the_chain_that_no_journal_line_says(
    statement: str,
    block: int | None,
    ours: str | None,
    theirs: str | None,
    venue: Path,
    archive: Path,
    made: Path,
    here: Path,
) -> None:
    """Receipts and operations on escrow accounts, which the API shows: compared with the chain at any block."""
    database = Path(shutil.copy(made / "dex.db", here / "theirs.db"))
    change(database, statement)
    said = difference(verify(venue, database, "--archive", archive, "--json"))
    assert said["what"] == "rows"
    assert block in (None, said["block"])
    for wanted, shown in ((ours, said["ours"]), (theirs, said["theirs"])):
        assert wanted in shown if wanted is not None else shown is None
    words = (venue, database, "--archive", archive, "--json", "--until")
    if "12345" not in statement:
        assert verify(*words, said["block"] - 1).code == OK
    assert difference(verify(*words, said["block"])) == said


def test_a_lie_about_the_past_is_found_also_by_asking_for_the_past(
    venue: Path, archive: Path, theirs: Path
) -> None:
    change(
        theirs,
        "update balance_changes set available = available + 7 where block = 20 and exists (select 1 from "
        "balance_changes later where later.account_id = balance_changes.account_id and "
        "later.token_id = balance_changes.token_id and later.block > 20)",
    )
    words = (venue, theirs, "--archive", archive, "--json")
    said = difference(verify(*words))  # though no later block depends on it
    assert (said["what"], said["block"]) == ("rows", BLOCKS)
    assert said["theirs"].startswith("the row of balance_changes with ")
    said = difference(verify(*words, "--until", 20))
    assert (said["what"], said["block"]) == ("state line", 20)


def test_whoever_rewrites_hashes_too_is_found_by_the_lines(venue: Path, archive: Path, theirs: Path) -> None:
    """A forger can recompute the whole hash chain; the lines still differ."""
    from settlement.core.journal.lines import chain_hash

    change(theirs, "update journal set lines = replace(lines, ' E_FUNDS', ' E_INPUT') where block > 5")
    value = demo().hash
    with sqlite3.connect(theirs) as connection:
        rows = connection.execute("select block, lines from journal order by block").fetchall()
        for block, lines in rows:
            value = chain_hash(value, lines)
            connection.execute("update blocks set journal_hash = ? where number = ?", (value, block))
        connection.execute("update cursor set journal_hash = ?", (value,))
    connection.close()
    said = difference(verify(venue, theirs, "--archive", archive, "--json"))
    assert (said["what"], said["theirs"].split()[-1]) == ("journal line", "E_INPUT")


def test_a_file_that_is_cut_off(here: Path, venue: Path, archive: Path, made: Path) -> None:
    text = (made / "journal.txt").read_text()
    (here / "cut.txt").write_text(text[: len(text) // 2], newline="")
    said = difference(verify(venue, "cut.txt", "--archive", archive, "--json"))
    assert said["theirs"] is None or "cut off" in said["theirs"]


# ---------------------------------------------------------------- usage


def test_usage(here: Path, venue: Path, archive: Path, made: Path) -> None:
    for words, complaint in (
        (("--against", "dex.db"), "no venue"),
        (("--venue", venue), "nothing to compare with: use --against"),
        (("--venue", venue, "--against", "nowhere"), "--against nowhere: No such file"),
        (
            ("--venue", venue, "--against", "x", "--archive", archive, "--sample", 5),
            "--sample is for evidence of `peakedex fetch`",
        ),
        (
            ("--venue", venue, "--against", "http://127.0.0.1:1/?x=1", "--archive", archive),
            "is not a replica's URL",
        ),
        (("--venue", venue, "--against", made / "dex.db", "--archive", archive, "--until", 0), "--until"),
    ):
        run = peakedex("verify", *words)
        assert run.code == MISUSED, run.out
        assert complaint in run.error
    other = here / "other.toml"
    other.write_text(VENUE_TEXT.replace("max_open_orders = ", "max_open_orders = 1"), "utf-8")
    run = verify(other, made / "dex.db", "--archive", archive)
    assert run.code == MISUSED
    assert "another venue" in run.error
    (here / "empty.txt").write_text("")
    assert verify(venue, "empty.txt", "--archive", archive).code == FAILED


def test_missing_receipts_are_no_fault_of_the_exchange(here: Path, venue: Path, made: Path) -> None:
    shutil.copytree(made / "chain", here / "chain")
    for path in (here / "chain").glob("receipts*"):
        path.unlink()
    run = verify(venue, made / "dex.db", "--archive", "chain", "--json")
    assert run.code == FAILED
    found = run.json
    assert found["result"] == "incomplete"
    deposit = found["theirs"].split(" ")[1]
    assert f" {deposit} " in peakedex("journal", "--db", made / "dex.db").out
    transaction = deposit.partition("-")[0]
    assert found["cause"].startswith(f"transaction {transaction}, operation ")
    assert '"contractName\\":\\"tokens' in found["cause"]
    plain = verify(venue, made / "dex.db", "--archive", "chain")
    assert plain.lines[0] == f"INCOMPLETE: the archive has no receipts of block {found['block']}"
    assert plain.lines[1].split(maxsplit=2)[:2] == ["needed", "by"]
    assert found["cause"] in plain.lines[1]
    assert "DIFFERS" not in plain.out


@pytest.mark.parametrize(
    ("field", "forged"),
    [("timestamp", "2025-10-09T08:53:24"), ("witness_signature", "20" + "11" * 64), ("witness", "mallory")],
)
def test_a_forged_header_is_named(here: Path, venue: Path, made: Path, field: str, forged: str) -> None:
    blocks = [json.loads(text) for text in CHAIN.blocks]
    blocks[6][field] = forged
    Chain(tuple(json.dumps(block).encode() for block in blocks), CHAIN.receipts).write(here / "chain")
    run = verify(venue, made / "dex.db", "--archive", "chain")
    assert run.code == FAILED
    assert "line 7: block 7 cannot be read: block 7: the id " in run.error
    assert "does not match its header" in run.error


def test_an_archive_that_breaks_off_is_named(here: Path, venue: Path, made: Path) -> None:
    broken = CHAIN.write(here / "broken")
    lines = (broken / "blocks.jsonl").read_bytes().splitlines(keepends=True)
    (broken / "blocks.jsonl").write_bytes(b"".join(lines[:5] + lines[6:]))
    run = verify(venue, made / "dex.db", "--archive", broken)
    assert run.code == FAILED
    assert "blocks.jsonl, line 6" in run.complaint


def test_a_signal_ends_it(here: Path, venue: Path) -> None:
    """While it waits for a node that never answers."""
    text = "block 1 00000001be7831e2efd270b65c5c7b49c8b1fa00 2026-01-01T00:00:00\nreject a b c E_INPUT\n"
    (here / "lie.txt").write_text(text)
    with (
        silent() as url,
        running(
            here,
            "verify",
            "--venue",
            venue,
            "--against",
            here / "lie.txt",
            "--node",
            url,
            "--engine-node",
            url,
            "--trust-single-node",
        ) as process,
    ):
        process.wait_until(lambda: url in asked)
        process.end(signal.SIGINT)
        assert process.run.returncode == FAILED
        assert "stopped at block 0 without differences so far" in process.said


# ---------------------------------------------------------------- a hostile API

asked: set[str] = set()


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes a request and never answers."""
    release = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.add(f"http://127.0.0.1:{self.connection.getsockname()[1]}")
            release.wait(600)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        yield url
        release.set()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


Answer = tuple[int, dict[str, str], bytes]
HEALTH = json.dumps({"block": 5, "venue_hash": demo().hash, "more": 1}).encode()


@contextmanager
def api(paths: Mapping[str, Answer | list[Answer]]) -> Iterator[str]:
    """An API that answers so, by the beginning of the path; the last of several answers stays."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = next(answer for path, answer in paths.items() if self.path.startswith(path))
            if isinstance(given, list):
                given = given.pop(0) if len(given) > 1 else given[0]
            status, headers, body = given
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        yield url


def page(made: Path, last: int = 5) -> Answer:
    blocks = (made / "journal.txt").read_text().split("block ")[1 : last + 1]
    text = "".join(f"block {block}" for block in blocks)
    return 200, {"X-Next-From": str(last + 1)}, text.encode()


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "no JSON": ({"/api/health": (200, {}, b"<html>")}, "not an answer of this API"),
    "deep JSON": ({"/api/health": (200, {}, b"[" * 100_000)}, "not an answer of this API"),
    "a list": ({"/api/health": (200, {}, b"[]")}, "not an answer of this API"),
    "a block of 2^70": (
        {"/api/health": (200, {}, HEALTH.replace(b"5", str(2**70).encode(), 1))},
        "not an answer of this API",
    ),
    "elsewhere": ({"/api/health": (302, {"Location": "http://127.0.0.1:1/"}, b"")}, "HTTP status 302"),
    "no next": ({"/api/journal": (200, {}, b"")}, "X-Next-From must be above"),
    "the same again": ({"/api/journal": (200, {"X-Next-From": "1"}, b"")}, "X-Next-From must be above 1"),
    "far ahead": ({"/api/journal": (200, {"X-Next-From": "9" * 5000}, b"")}, "X-Next-From must be above"),
    "other digits": (
        {"/api/journal": (200, {"X-Next-From": "\u0663".encode().decode("latin-1")}, b"")},
        "X-Next",
    ),
    "no text": ({"/api/journal": (200, {"X-Next-From": "6"}, b"\xff\xfe")}, "not UTF-8"),
    "no journal": ({"/api/journal": (200, {"X-Next-From": "6"}, b"hello\n")}, "it begins with 'hello"),
    "blocks of the past": (
        {"/api/journal": (200, {"X-Next-From": "6"}, b"block 3 aa\nblock 2 bb\n")},
        "block 2 follows block 3",
    ),
    "blocks not asked for": (
        {"/api/journal": (200, {"X-Next-From": "4"}, b"block 4 aa\n")},
        "blocks that were not requested",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_hostile_api_is_named_and_cannot_crash_it(name: str, venue: Path, archive: Path) -> None:
    paths, reason = LIES[name]
    with api({"/api/health": (200, {}, HEALTH), **paths}) as url:
        run = verify(venue, url, "--archive", archive)
    assert run.code == FAILED
    assert reason in run.complaint


def test_an_api_s_last_hash_must_be_that_of_its_lines(venue: Path, archive: Path, made: Path) -> None:
    status, headers, body = page(made)
    answer = (status, {**headers, "X-Journal-Hash": "ab" * 32}, body)
    with api({"/api/health": (200, {}, HEALTH), "/api/journal": answer}) as url:
        said = difference(verify(venue, url, "--archive", archive, "--json"))
    assert (said["what"], said["block"], said["theirs"]) == ("journal hash", 5, "ab" * 32)


def test_terminal_codes_of_a_stranger_are_not_printed(venue: Path, archive: Path, made: Path) -> None:
    status, headers, body = page(made)
    evil = body.replace(b"\nreject ", "\n\x1b[2Jreject\u202e ".encode(), 1)
    with api({"/api/health": (200, {}, HEALTH), "/api/journal": (status, headers, evil)}) as url:
        run = verify(venue, url, "--archive", archive)
    assert run.code == FAILED
    assert "\\x1b[2Jreject\\u202e" in run.out
    assert "\x1b" not in run.out


def test_an_answer_that_is_too_long_is_refused() -> None:
    paths = {"/api/health": (200, {}, HEALTH), "/api/journal": (200, {"X-Next-From": "6"}, b"x" * 5000)}
    with api(paths) as url:
        target = ApiTarget(url, demo().hash, limits=LIMITS._replace(max_bytes=4096))
        with pytest.raises(TargetError, match="longer than 4096 bytes"):
            list(target.blocks(1, 5))


def test_a_busy_api_is_asked_again_with_growing_pauses(made: Path) -> None:
    pauses: list[float] = []
    busy: Answer = (429, {"Retry-After": "7"}, b"")
    paths: dict[str, Any] = {
        "/api/health": (200, {}, HEALTH),
        "/api/journal": [busy, (503, {}, b""), page(made)],
    }
    with api(paths) as url:
        target = ApiTarget(url, demo().hash, sleep=pauses.append)
        assert [block.number for block in target.blocks(1, 5)] == [1, 2, 3, 4, 5]
    assert pauses == [7.0, 1.0]
    with api({"/api/health": busy}) as url, pytest.raises(TargetUnavailable, match="HTTP status 429"):
        ApiTarget(url, demo().hash, sleep=pauses.append)
    with pytest.raises(TargetUnavailable, match="no connection"):
        ApiTarget("http://127.0.0.1:1", demo().hash, sleep=pauses.append)


def test_an_api_with_the_same_journal_and_state_agrees(venue: Path, archive: Path, made: Path) -> None:
    said = peakedex("journal", "--db", made / "dex.db", "--json", "--to", 5).lines[-1]
    status, headers, body = page(made)
    headers = {**headers, "X-Journal-Hash": json.loads(said)["journal_hash"]}
    state = peakedex("state", "--db", made / "dex.db", "--block", 5).out.encode()
    paths: dict[str, Any] = {
        "/api/health": (200, {}, HEALTH),
        "/api/journal": (status, headers, body),
        "/api/state": (200, {}, state),
    }
    with api(paths) as url:
        run = verify(venue, url, "--archive", archive, "--json")
        assert run.code == OK, run.err


def test_an_api_without_blocks_gives_no_result(venue: Path, archive: Path) -> None:
    empty = json.dumps({"block": None, "venue_hash": None}).encode()
    with api({"/api/health": (200, {}, empty)}) as url:
        run = verify(venue, url, "--archive", archive)
    assert run.code == MISUSED
    assert "its database is still empty" in run.complaint
