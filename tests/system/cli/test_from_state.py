"""`peakedex follow --from-state`: a replica without history; and an indexer that the chain has outgrown."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from settlement.store.database import StoreError, open_reader
from settlement.store.indexer_status import IndexerStatus, read_status
from settlement.store.indexes import READ_INDEXES
from tests.system.cli.command import FAILED, MISUSED, OK, Run, peakedex
from tests.system.cli.world import Process, World, running, world
from tests.system.store.chains import VENUE_TEXT

START = 30
"""Blocks before the state text."""


@pytest.fixture(scope="module")
def live() -> Iterator[World]:
    with world(blocks=START) as here:
        yield here


@pytest.fixture
def text(live: World, here: Path) -> str:
    """A state of the chain, from another replica."""
    live.follow(here / "other.db")
    return peakedex("state", "--db", "other.db").out


def words(text: str, live: World, *more: object) -> tuple[object, ...]:
    """The command's arguments, with the text in a file."""
    Path("state.txt").write_text(text, newline="")
    expected = sha256(text.encode()).hexdigest()
    state = ("--from-state", "state.txt", "--state-hash", expected)
    return ("follow", "--venue", "venue.toml", "--db", "dex.db", *state, *live.nodes, *more)


def cursor() -> int:
    if not Path("dex.db").exists():
        return -1
    with closing(sqlite3.connect("dex.db")) as plain:
        try:
            row = plain.execute("SELECT block FROM cursor").fetchone()
        except sqlite3.OperationalError:
            return -1
    return int(row[0]) if row else -1


def is_updated(after: float) -> bool:
    """Whether the status was written after that time."""
    now = status()
    return now is not None and now.updated > after


def status() -> IndexerStatus | None:
    try:
        with open_reader("dex.db").connect() as connection:
            return read_status(connection)
    except StoreError:
        return None


def until(process: Process, block: int) -> None:
    process.wait_until(lambda: cursor() >= block)


@pytest.mark.usefixtures("venue")
def test_it_goes_on_as_if_it_had_read_everything(live: World, here: Path, text: str) -> None:
    first = live.irreversible
    live.trade(10)
    with running(here, *words(text, live)) as process:
        until(process, live.irreversible)
        process.end()
        assert process.run.returncode == OK, process.said
    live.trade(5)
    with running(here, *words(text, live)) as process:  # the same command again: it goes on
        until(process, live.irreversible)
        process.end()
    live.follow(here / "other.db")
    assert peakedex("state", "--db", "dex.db").out == peakedex("state", "--db", "other.db").out
    after = ("--from", first + 1)
    assert peakedex("journal", "--db", "dex.db").out == peakedex("journal", "--db", "other.db", *after).out
    assert peakedex("journal", "--db", "dex.db").out != ""


# ---------------------------------------------------------------- what it refuses


def refused(text: str, live: World, *more: object) -> Run:
    run = peakedex(*words(text, live), *more)
    assert cursor() == -1, "nothing was written"
    return run


@pytest.mark.usefixtures("venue")
def test_the_text_must_have_the_published_hash(live: World, text: str) -> None:
    run = refused(text, live, "--state-hash", "0" * 64)
    assert (run.code, "its hash is " in run.complaint) == (FAILED, True)
    for wrong in ("0" * 63, "A" * 64, "x"):
        run = refused(text, live, "--state-hash", wrong)
        assert (run.code, run.error) == (
            MISUSED,
            "Error: --state-hash must be 64 hexadecimal digits in lower case",
        )


@pytest.mark.usefixtures("venue")
def test_text_and_hash_need_each_other(live: World, text: str) -> None:
    Path("state.txt").write_text(text, newline="")
    for alone in (("--from-state", "state.txt"), ("--state-hash", "0" * 64)):
        run = peakedex("follow", "--venue", "venue.toml", "--db", "dex.db", *live.nodes, *alone)
        assert (run.code, run.error) == (MISUSED, "Error: --from-state and --state-hash need each other")


@pytest.mark.usefixtures("venue")
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text[:-1], "the text is cut off"),
        (lambda text: text.replace("\n", "\r\n"), "does not begin with"),
        (lambda text: text.replace("peakedex-state 2", "peakedex-state 1"), "does not begin with"),
        (lambda text: text + "left NO/PAIR\n", "not in the form in which a state is written"),
        (lambda text: text.replace("balance ", "balance  ", 1), "not a state text"),
        (lambda _: "", "the text is cut off"),
    ],
)
def test_it_must_be_a_state_text(live: World, text: str, change: object, problem: str) -> None:
    assert callable(change)
    run = refused(change(text), live)
    assert run.code == MISUSED
    assert "--from-state state.txt: " in run.complaint
    assert problem in run.complaint


def test_of_another_venue(live: World, venue: Path, text: str) -> None:
    venue.write_text(VENUE_TEXT.replace("max_open_orders = 200", "max_open_orders = 199"))
    run = refused(text, live)
    assert (run.code, "of another venue" in run.complaint) == (MISUSED, True)


@pytest.mark.usefixtures("venue")
def test_of_another_chain(live: World, text: str) -> None:
    _, number, block_id, _ = text.splitlines()[2].split()
    forged = block_id[:-4] + ("0000" if block_id[-4:] != "0000" else "1111")
    run = refused(text.replace(block_id, forged), live)
    assert run.code == FAILED
    assert f"another chain: its block {number} is {forged}, and the nodes have {block_id}" in run.complaint


@pytest.mark.usefixtures("venue")
def test_of_a_block_that_is_not_irreversible_yet(live: World, text: str) -> None:
    _, number, block_id, _ = text.splitlines()[2].split()
    later = int(number) + 1000
    run = refused(
        text.replace(f"block {number} {block_id}", f"block {later} {later:08x}{block_id[8:]}"), live
    )
    assert (run.code, f"block {later} is not irreversible at any --node" in run.complaint) == (FAILED, True)


@pytest.mark.usefixtures("venue")
def test_the_database_must_be_empty(live: World, here: Path, text: str) -> None:
    live.follow(here / "dex.db")
    before = cursor()
    run = peakedex(*words(text, live))
    assert run.code == MISUSED
    assert f"the database is not empty, it is at block {before}" in run.complaint
    assert cursor() == before


# ---------------------------------------------------------------- a protocol that it does not know


@pytest.mark.usefixtures("venue")
def test_an_outdated_program_stops_before_the_block_and_stays(live: World, here: Path, text: str) -> None:
    """An upgrade is announced for five blocks after the state."""
    number = int(text.splitlines()[2].split()[1])
    upgrade = number + 6
    rules = next(line for line in text.splitlines() if line.startswith("rules "))
    announced = text.replace(f"{rules}\n", f"{rules}\nupgrade 3 {'ab' * 32} {upgrade}\n")
    live.trade(10)
    for _ in range(2):  # a restart stops there again
        with running(here, *words(announced, live)) as process:
            process.wait_until(lambda: (now := status()) is not None and now.mode == "outdated")
            assert cursor() == upgrade - 1
            now = status()
            assert now is not None
            assert now.waiting_for == (
                f"a newer version of Peake DEX: block {upgrade} is the first under protocol 3, and this program "
                "runs protocol 2: install a newer version"
            )
            process.wait_until(partial(is_updated, now.updated + 2))
            assert process.said.count("newer version") == 2, "one line, in which it stands twice"
            assert process.end() < 10
            assert process.run.returncode == OK
    state = peakedex("state", "--db", "dex.db").out
    assert f"upgrade 3 {'ab' * 32} {upgrade}" in state.splitlines()
    assert peakedex("journal", "--db", "dex.db").code == OK
    with closing(sqlite3.connect("dex.db")) as plain:
        indexes = {name for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert {index.name for index in READ_INDEXES} <= indexes, "the API goes on answering, as fast as before"
