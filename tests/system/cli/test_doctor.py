"""`peakedex doctor`: findings without problems, and for each problem."""

from __future__ import annotations

import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer.devnet.hive.operations import Coin, Transfer
from indexer.devnet.traders.payloads import custom_json, token_transfer
from indexer.ops.doctor import Subject, examine, machine
from indexer.ops.doctor.escrow import ROUND_SECONDS
from indexer.ops.doctor.findings import Finding
from indexer.ops.doctor.ledger import HEARTBEAT_SECONDS
from settlement.store import database as store
from settlement.store.database import newest_revision, open_writer
from settlement.store.indexer_status import IndexerStatus, write_status
from settlement.store.lease import Lease
from tests.system.cli.command import FAILED, OK, peakedex
from tests.system.cli.world import World, world
from tests.system.store.chains import VENUE_TEXT

BLOCKS = 40


def fresh_world() -> Iterator[World]:
    """A chain whose newest block is of just now."""
    with world(genesis=int(time.time()) - 3 * BLOCKS, blocks=BLOCKS) as live:
        yield live


@pytest.fixture(scope="module")
def calm() -> Iterator[World]:
    """A chain that these tests leave as it is."""
    yield from fresh_world()


@pytest.fixture
def live() -> Iterator[World]:
    """A chain that a test may break."""
    yield from fresh_world()


@pytest.fixture(scope="module")
def followed(calm: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of an indexer that has followed the calm chain, and rests."""
    path = tmp_path_factory.mktemp("followed") / "dex.db"
    calm.follow(path)
    engine = open_writer(str(path))
    write_status(engine, IndexerStatus(int(time.time()), "following", calm.irreversible, None, None))
    engine.dispose()
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def database(followed: Path, here: Path) -> Path:
    return Path(shutil.copy(followed, here / "dex.db"))


def beat(database: Path | None) -> Callable[[float], object]:
    """Waits as long as nothing but the heartbeat is waited for, which it moves."""

    def wait(seconds: float) -> None:
        assert seconds == HEARTBEAT_SECONDS, "it waits for another reading of the balances"
        if database is not None:
            with closing(sqlite3.connect(database)) as plain, plain:
                plain.execute("UPDATE indexer_status SET updated = updated + 2")

    return wait


@contextmanager
def beating(database: Path) -> Iterator[None]:
    """An indexer's heartbeat, while it is entered."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(HEARTBEAT_SECONDS / 2):
            beat(database)(HEARTBEAT_SECONDS)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def look(
    live: World,
    venue: Path | None = None,
    database: Path | None = None,
    *,
    url: str | None = None,
    nodes: tuple[str, ...] | None = None,
    engine_nodes: tuple[str, ...] | None = None,
    quorum: int | None = None,
    now: float | None = None,
    wait: Callable[[float], object] | None = None,
) -> list[Finding]:
    """All findings, by a clock that agrees with the chain unless told otherwise."""
    subject = Subject(
        venue,
        url or (None if database is None else str(database)),
        (live.server.url,) if nodes is None else nodes,
        (live.server.engine_url,) if engine_nodes is None else engine_nodes,
        quorum,
        trust_single_node=True,
    )
    chain_now = live.node.chain.head_time + 1
    return list(
        examine(subject, clock=lambda: chain_now if now is None else now, wait=wait or beat(database))
    )


def wrong(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level != "ok"]


def the_one(findings: list[Finding], level: str, check: str) -> Finding:
    """The only finding of a check that is not well."""
    unwell = wrong(findings)
    (found,) = [each for each in unwell if each.check == check]
    assert found.level == level, found
    assert found.cure
    return found


# ---------------------------------------------------------------- all is well


def test_a_healthy_node_has_nothing_wrong(calm: World, venue: Path, database: Path) -> None:
    findings = look(calm, venue, database)
    assert wrong(findings) == []
    assert {finding.check for finding in findings} >= {
        *("python", "sqlite", "packages", "venue", "disk", "database", "migrations", "ledger", "indexer"),
        *("clock", "hive node", "sidechain node", "chain", "escrow", "solvency"),
    }


def test_a_database_on_postgresql(calm: World, venue: Path, postgresql: str) -> None:
    """The server in place of disk and file: its version, and whether a synchronous standby has each commit."""
    findings = {each.check: each for each in look(calm, venue, url=postgresql)}
    assert "disk" not in findings
    assert findings["database"].level == "ok"
    assert re.fullmatch(
        r"PostgreSQL \d+\.\d+.*, readable and writable, without a synchronous standby",
        findings["database"].text,
    )
    assert findings["migrations"].level == "ok"
    gone = postgresql.replace("peakedex_", "nowhere_")
    refused = next(each for each in look(calm, venue, url=gone) if each.check == "database")
    assert (refused.level, refused.cure) == (
        "fatal",
        "create it as described in docs/operator.md, or fix the URL",
    )


def test_the_command_prints_a_table_and_json(live: World, venue: Path, here: Path) -> None:
    """By the clock of this machine, so everything here is of just now."""
    while live.node.chain.head_time < time.time() + 10:  # it may be 15 seconds off, and the test takes some
        live.node.tick()
    live.follow(here / "dex.db")
    engine = open_writer(str(here / "dex.db"))
    write_status(engine, IndexerStatus(int(time.time()), "following", live.irreversible, None, None))
    words = ("doctor", "--venue", venue, "--db", here / "dex.db", *live.nodes)
    with beating(here / "dex.db"):
        run = peakedex(*words)
    assert run.code == OK, run.out
    assert any(line.startswith("ok     hive node") for line in run.lines)
    assert run.lines[-1].endswith(" ok, 0 warn, 0 fatal")
    as_json = peakedex(*words, "--json")
    assert (as_json.code, as_json.json["ok"]) == (OK, True)
    assert {tuple(finding) for finding in as_json.json["findings"]} == {("level", "check", "text", "cure")}


def test_a_fatal_finding_is_exit_code_1_with_its_cure(calm: World, venue: Path, database: Path) -> None:
    nodes = ("--node", "http://127.0.0.1:9", "--engine-node", calm.server.engine_url, "--trust-single-node")
    words = ("doctor", "--venue", venue, "--db", database, *nodes)
    run = peakedex(*words)
    assert run.code == FAILED
    (at,) = [at for at, line in enumerate(run.lines) if line.startswith("fatal  hive node ")]
    assert "http://127.0.0.1:9: no connection" in run.lines[at]
    assert run.lines[at + 1].strip() == "→ add another with --node, or wait"
    assert peakedex(*words, "--json").json["ok"] is False


def test_an_operator_who_signs_checkpoints_is_a_warning(calm: World, venue: Path) -> None:
    venue.write_text(venue.read_text("utf-8").replace('"peakecoin.proof"', '"peakecoin"'), "utf-8")
    assert "peakecoin signs checkpoints too" in the_one(look(calm, venue), "warn", "checkpoints").text


def test_an_account_that_signs_checkpoints_and_does_not_exist(calm: World, venue: Path) -> None:
    venue.write_text(venue.read_text("utf-8").replace('"peakecoin.proof"', '"peakecoin.prove"'), "utf-8")
    text = "the account peakecoin.prove does not exist on Hive"
    assert the_one(look(calm, venue), "warn", "checkpoints").text == text


def test_before_anything_is_set_up_it_says_what_is_missing(calm: World, here: Path) -> None:
    findings = look(calm)
    assert {(each.level, each.check) for each in wrong(findings)} == {("warn", "venue"), ("warn", "database")}
    missing = the_one(look(calm, database=here / "not-yet.db"), "warn", "database")
    assert "does not exist yet" in missing.text
    assert "create the folder" in the_one(look(calm, database=here / "no" / "x.db"), "fatal", "disk").cure


# ---------------------------------------------------------------- this machine


@pytest.mark.parametrize(
    ("seconds", "level", "text"),
    [
        (-600, "fatal", "the clock is 10 min behind"),
        (-40, "warn", "the clock is 40 s behind"),
        (60, "warn", "the chain's newest block is 60 s old"),
        (86_400 * 3, "fatal", "the chain's newest block is 3 days old"),
    ],
)
def test_a_clock_that_is_off(calm: World, seconds: int, level: str, text: str) -> None:
    found = the_one(look(calm, now=calm.node.chain.head_time + seconds), level, "clock")
    assert found.text.startswith(text)
    assert "NTP" in found.cure


def test_packages_are_compared_with_what_we_need(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["flask>=3.0,<4", "click>=99", "no-such-thing>=1", 'pytest>=999 ; extra == "dev"', "requests<2"]
    monkeypatch.setattr(metadata, "requires", lambda _: needed)
    texts = [finding.text for finding in machine.packages()]
    assert [text.split(" ")[0] for text in texts] == ["click", "no-such-thing", "requests"]
    assert texts[0].endswith("is installed, >=99 is required")
    assert texts[1] == "no-such-thing is not installed"


def test_a_disk_that_is_nearly_full(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=1 << 40, used=1, free=free))

    usage(1 << 30)
    assert machine.disk(here).level == "warn"
    usage(100 << 20)
    assert machine.disk(here).level == "fatal"


def test_an_old_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 22, 0))
    assert [each.check for each in machine.versions() if each.level == "fatal"] == ["sqlite"]


# ---------------------------------------------------------------- the nodes


def test_a_node_that_is_down_beside_one_that_works(calm: World, venue: Path) -> None:
    nodes = ("http://127.0.0.1:9", calm.server.url)
    assert "no connection" in the_one(look(calm, venue, nodes=nodes, quorum=1), "warn", "hive node").text
    quorum = the_one(look(calm, venue, nodes=nodes), "fatal", "hive nodes")
    assert quorum.text == "1 of 2 are usable; 2 must agree on the last irreversible block"


def test_a_quorum_that_cannot_be(calm: World, venue: Path) -> None:
    assert "1 are given" in the_one(look(calm, venue, quorum=3), "fatal", "quorum").text


@pytest.mark.parametrize(
    ("fault", "value", "text"),
    [
        ("stale", 25, "25 blocks behind the others"),
        ("short_ranges", 5, "range reads fail: 20 blocks requested, 5 returned"),
        ("too_many", 9, "HTTP status 429"),
        ("html_errors", 9, "HTTP status 502"),
        ("bad_json", 9, "not JSON"),
        ("lock_errors", 9, "Unable to acquire database lock"),
        ("lie", "order", "follows block"),
    ],
)
def test_a_node_with_a_fault(calm: World, fault: str, value: object, text: str) -> None:
    faulty = calm.another_node()
    faulty.faults.set({fault: value})
    found = the_one(look(calm, nodes=(calm.server.url, faulty.url), quorum=1), "warn", "hive node")
    assert found.text.startswith(f"{faulty.url}: ")
    assert text in found.text


def test_irreversibility_that_lags(live: World) -> None:
    live.node.chain.stalled = True
    for _ in range(35):
        live.node.tick()
    assert "irreversibility lags 35 blocks" in the_one(look(live), "warn", "hive node").text


def test_nodes_of_different_chains(calm: World) -> None:
    with world(genesis=int(time.time()) - 400, blocks=BLOCKS) as other:
        found = the_one(look(calm, nodes=(calm.server.url, other.server.url)), "fatal", "hive nodes")
    assert "they disagree about block 40: " in found.text


def test_a_database_of_another_chain(live: World, venue: Path, database: Path) -> None:
    with world(genesis=int(time.time()) - 400, blocks=BLOCKS) as other:
        findings = look(other, venue, database, wait=lambda _: None)
    assert f"is {block_id(database)} in the database" in the_one(findings, "fatal", "chain").text


def block_id(database: Path) -> str:
    with closing(sqlite3.connect(database)) as plain:
        return str(plain.execute("SELECT block_id FROM cursor").fetchone()[0])


def test_a_sidechain_that_is_behind(live: World) -> None:
    live.node.behind = 60
    live.trade(30)
    assert "30 blocks behind Hive" in the_one(look(live), "warn", "sidechain node").text


def test_a_sidechain_that_followed_a_fork(live: World) -> None:
    live.node.chain.lag = 8
    live.trade(12)
    live.node.fork(6, forget=True, sidechain=True)
    live.trade(12)
    live.server.faults.engine_forked = True
    found = the_one(look(live), "fatal", "sidechain node")
    assert "this Hive-Engine node followed a fork" in found.text
    assert "it must be replayed" in found.cure


def test_a_sidechain_that_refuses(calm: World, venue: Path, database: Path) -> None:
    refusing = calm.another_node()
    refusing.faults.engine_refuses = True
    found = the_one(look(calm, venue, engine_nodes=(refusing.engine_url,)), "fatal", "sidechain node")
    assert "HTTP status 503" in found.text
    both = (refusing.engine_url, calm.server.engine_url)
    assert the_one(look(calm, venue, database, engine_nodes=both), "warn", "sidechain node")


def test_sidechains_that_disagree(calm: World) -> None:
    with world(genesis=int(time.time()) - 400, blocks=BLOCKS) as other:
        engines = (calm.server.engine_url, other.server.engine_url)
        found = the_one(look(calm, engine_nodes=engines), "fatal", "sidechain nodes")
    assert "they disagree about their block" in found.text


# ---------------------------------------------------------------- the database


def test_another_venue(calm: World, venue: Path, database: Path) -> None:
    venue.write_text(VENUE_TEXT.replace("max_open_orders = 200", "max_open_orders = 100"))
    found = the_one(look(calm, venue, database), "fatal", "venue")
    assert "the database belongs to venue " in found.text


def test_a_venue_file_that_is_not_valid(calm: World, venue: Path) -> None:
    venue.write_text(VENUE_TEXT.replace("protocol = 2", "protocol = 9"))
    assert "protocol" in the_one(look(calm, venue), "fatal", "venue").text


def test_an_old_schema(calm: World, venue: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    current = newest_revision()
    monkeypatch.setattr(store, "_known_revisions", lambda: ("9999", frozenset({current, "9999"})))
    found = the_one(look(calm, venue, database), "fatal", "migrations")
    assert found.cure == "run `peakedex db upgrade`"


def test_a_schema_of_a_newer_program(calm: World, venue: Path, database: Path) -> None:
    with closing(sqlite3.connect(database)) as plain, plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
    assert the_one(look(calm, venue, database), "fatal", "migrations").cure == "upgrade peakedex"


@pytest.mark.parametrize(
    ("content", "text"), [(b"Dear reader, " * 500, "cannot read"), (b"", "not those of Peake DEX")]
)
def test_a_file_that_is_no_database(calm: World, here: Path, content: bytes, text: str) -> None:
    path = here / "letter.txt"
    path.write_bytes(content)
    assert text in " ".join(the_one(look(calm, database=path), "fatal", "database"))


def test_books_that_do_not_add_up(calm: World, venue: Path, database: Path) -> None:
    with closing(sqlite3.connect(database)) as plain, plain:
        plain.execute("UPDATE balances SET available = available + 1 WHERE available > 0")
    assert "the books do not add up" in the_one(look(calm, venue, database), "fatal", "ledger").text


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (("stopped", None), "stopped at 2023-11-14 22:13:20 UTC by its clock"),
        (
            ("stopped", "the disk is full"),
            "stopped at 2023-11-14 22:13:20 UTC by its clock: the disk is full",
        ),
        (("following", None), "no heartbeat within 10 seconds"),
    ],
)
def test_an_indexer_that_does_not_run(
    calm: World, venue: Path, database: Path, status: tuple[str, str | None], text: str
) -> None:
    engine = open_writer(str(database))
    write_status(engine, IndexerStatus(1_700_000_000, status[0], calm.irreversible, status[1], None))
    assert the_one(look(calm, venue, database, wait=lambda _: None), "warn", "indexer").text == text


@pytest.mark.parametrize("apart", [-86_400, 86_400])
def test_an_indexer_whose_hosts_clock_is_wrong(calm: World, venue: Path, database: Path, apart: int) -> None:
    """Its heartbeat moves: that is all that counts."""
    engine = open_writer(str(database))
    write_status(engine, IndexerStatus(int(time.time()) + apart, "following", calm.irreversible, None, None))
    assert wrong(look(calm, venue, database)) == []


def test_an_indexer_that_does_not_know_the_protocol(calm: World, venue: Path, database: Path) -> None:
    engine = open_writer(str(database))
    reason = "protocol 3 from block 900 on"
    write_status(engine, IndexerStatus(1, "outdated", calm.irreversible, reason, None))
    assert the_one(look(calm, venue, database), "fatal", "indexer").text == f"outdated: {reason}"


def test_an_indexer_that_waits_and_one_that_works(calm: World, venue: Path, database: Path) -> None:
    now = calm.node.chain.head_time + 1
    engine = open_writer(str(database))
    with Lease(engine):
        write_status(engine, IndexerStatus(now, "following", calm.irreversible, None, None))
        (working,) = [each for each in look(calm, venue, database) if each.check == "indexer"]
        assert working.level == "ok"
        assert working.text.startswith("following: process ")
    write_status(engine, IndexerStatus(now, "following", 1, "receipts of block 7", 1_700_000_000))
    text = the_one(look(calm, venue, database), "warn", "indexer").text
    assert text == "following, waiting for receipts of block 7 since 2023-11-14 22:13:20 UTC"


# ---------------------------------------------------------------- the money


def test_an_unmatched_outflow_leaves_less_than_is_owed(live: World, venue: Path, here: Path) -> None:
    live.node.faucet("mallory")
    live.node.broadcast(
        [custom_json(live.venue, "peakedex.pek", token_transfer("PEK", "mallory", "1.25", "thanks"))]
    )
    live.node.broadcast([Transfer("peakedex.hbd", "mallory", Coin(7, "HBD"), "")])
    live.node.tick()
    live.follow(here / "dex.db")
    findings = look(live, venue, here / "dex.db")
    short = [each.text for each in findings if (each.level, each.check) == ("fatal", "solvency")]
    assert [text.split(":")[0] for text in short] == ["HBD is short of 0.007", "PEK is short of 1.25000000"]
    assert the_one(findings, "warn", "indexer")


@pytest.mark.parametrize("symbol", ["PEK", "HBD"])
def test_money_that_left_unseen(live: World, venue: Path, here: Path, symbol: str) -> None:
    """By a way that is no transfer: the ledger cannot know, only the comparison shows it."""
    live.follow(here / "dex.db")
    take(live, symbol, 5)
    waited: list[float] = []
    found = the_one(look(live, venue, here / "dex.db", wait=waited.append), "fatal", "escrow")
    amount = {"PEK": "0.00000005 PEK", "HBD": "0.005 HBD"}[symbol]
    escrow = live.venue.tokens[symbol].escrow
    assert found.text == f"{escrow} holds {amount} less than the ledger says"
    assert waited.count(ROUND_SECONDS) == 3


def take(live: World, symbol: str, units: int) -> None:
    """Let units vanish from the token's escrow account, or appear there."""
    escrow = live.venue.tokens[symbol].escrow
    if symbol == "HBD":
        live.node.chain.accounts.get(escrow).balances["HBD"] -= units
    else:
        live.node.sidechain.tokens[symbol].balances[escrow] -= units


def test_a_payment_on_its_way_is_no_shortage(live: World, venue: Path, here: Path) -> None:
    live.follow(here / "dex.db")
    take(live, "PEK", 5)

    def wait(seconds: float) -> None:
        if seconds == ROUND_SECONDS:
            take(live, "PEK", -5)

    findings = look(live, venue, here / "dex.db", wait=wait)
    assert {each.check for each in wrong(findings)} == {"indexer"}


def test_a_ledger_that_is_behind_cannot_be_compared(live: World, venue: Path, here: Path) -> None:
    live.follow(here / "dex.db")
    take(live, "PEK", 10**12)
    for _ in range(50):
        live.node.tick()
    found = the_one(look(live, venue, here / "dex.db"), "warn", "escrow")
    assert "which is 50 blocks behind" in found.text


def test_a_payment_since_the_indexer_stopped_is_no_shortage(live: World, venue: Path, here: Path) -> None:
    """The ledger is a few blocks behind, which an indexer would soon catch up."""
    live.follow(here / "dex.db")
    take(live, "PEK", 5)
    for _ in range(3):
        live.node.tick()
    found = the_one(look(live, venue, here / "dex.db"), "warn", "escrow")
    assert "which is 3 blocks behind" in found.text


def test_a_surplus_is_named(live: World, venue: Path, here: Path) -> None:
    live.node.sidechain.create_token("DUST", 3)
    live.node.faucet("peakedex.pek", "DUST", "2.5")
    live.node.faucet("peakedex.pek", "PEK", "0.5")
    live.node.faucet("peakedex.coin", "HBD", "1")
    live.follow(here / "dex.db")
    findings = look(live, venue, here / "dex.db")
    assert {each.check for each in wrong(findings)} == {"indexer"}
    surplus = [each.text for each in findings if each.check == "surplus"]
    assert [text for text in surplus if "0.00000001" not in text] == [  # what the bots deposit wrongly
        "peakedex.coin holds 1.000 HBD that the ledger does not count",
        "peakedex.pek holds 2.500 DUST that the ledger does not count",
        "peakedex.pek holds 0.50000000 PEK that the ledger does not count",
    ]


def test_an_escrow_account_that_the_sidechain_restricts(calm: World, venue: Path) -> None:
    sidechain = calm.node.sidechain
    [name] = {token.escrow for token in calm.venue.tokens.values() if token.symbol == "PEK"}
    sidechain.denied = frozenset({name})
    found = the_one(look(calm, venue), "fatal", "escrow")
    assert found.text == f"Hive-Engine has restricted {name} to one action a day: its tokens are not paid"
    before = sidechain.blacklist
    sidechain.denied, sidechain.blacklist = frozenset(), (name,)
    found = the_one(look(calm, venue), "fatal", "escrow")
    sidechain.blacklist = before
    assert found.text == f"{name} is on Hive-Engine's blacklist: deposits of tokens are refused"


def test_an_escrow_account_that_nobody_registered(calm: World, venue: Path) -> None:
    venue.write_text(VENUE_TEXT.replace('"peakedex.btc"', '"peakedex.nobody"'))
    found = the_one(look(calm, venue), "fatal", "escrow")
    assert found.text == "the account peakedex.nobody (for SWAP.BTC) does not exist on Hive"


def test_tokens_that_the_sidechain_has_otherwise(live: World, venue: Path) -> None:
    tokens = live.node.sidechain.tokens
    del tokens["PIMP"]
    text = venue.read_text().replace(
        '[tokens."SWAP.DOGE"]\nprecision = 8', '[tokens."SWAP.DOGE"]\nprecision = 7'
    )
    venue.write_text(
        text.replace("price_decimals = 6\nquantity_decimals = 2", "price_decimals = 5\nquantity_decimals = 2")
    )
    levels = {each.text.split(" ")[0]: each.level for each in look(live, venue) if each.check == "token"}
    assert levels == {"PIMP": "fatal", "SWAP.DOGE": "warn"}
