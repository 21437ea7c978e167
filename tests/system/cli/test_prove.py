"""`peakedex prove`: proofs from a database, checks without one, and published roots."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from settlement.core.liability_proof import check_proof, read_proof
from settlement.store.database import open_reader
from settlement.store.read.audit.liabilities import is_day_over, read_last_block
from settlement.store.read.position import read_active_block, read_position
from tests.system.cli.command import FAILED, MISUSED, OK, in_process, peakedex
from tests.system.store.chains import demo, lively, replay

BLOCKS = 40
GUIDE = (Path(__file__).parents[3] / "docs" / "proof.md").read_text("utf-8")
CHECKER, ROOTS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    _, engine = replay(lively(blocks=BLOCKS).write(folder / "chain"), f"sqlite:///{folder / 'dex.db'}")
    engine.dispose()
    return folder / "dex.db"


def run(program: str, folder: Path, text: str) -> str:
    (folder / "program.py").write_text(program)
    (folder / "input.txt").write_text(text, newline="")
    words = [sys.executable, "-I", "program.py", "input.txt"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_the_checker_in_the_documentation_has_at_most_50_lines() -> None:
    assert len(CHECKER.splitlines()) <= 50
    assert set(re.findall(r"^(?:import|from) (\w+)", CHECKER, re.MULTILINE)) == {"sys", "hashlib"}


def test_a_proof_is_made_and_checked_by_us_and_by_a_stranger(database: Path, here: Path) -> None:
    made = peakedex("prove", "trader-1", "--db", database)
    assert made.code == OK
    (here / "proof.txt").write_text(made.out)
    checked = in_process("prove", "--check", "proof.txt")  # where there is neither database nor setting
    assert (checked.code, checked.err) == (OK, "")
    assert run(CHECKER, here, made.out) == checked.out
    assert [line.split(" ")[0] for line in checked.lines] == ["trader-1"] * len(checked.lines)
    balances = [
        line.split(" ")
        for line in peakedex("state", "--db", database).lines
        if line.startswith("balance trader-1 ")
    ]
    held = {words[2]: sum(map(int, words[3:])) for words in balances}
    told = peakedex("prove", "--check", "proof.txt", "--json").json
    assert {token["symbol"]: token["total"] for token in told["tokens"]} == held
    assert told["holds"] is True
    roots = peakedex("prove", "--roots", "--db", database, "--json").json
    of = {token["symbol"]: (token["total"], token["root"]) for token in roots["tokens"]}
    assert {token["symbol"]: (token["owed"], token["root"]) for token in told["tokens"]} == of


def test_one_token_and_a_past_block(database: Path, here: Path) -> None:
    made = peakedex("prove", "trader-2", "--db", database, "--token", "PEK", "--block", 20)
    proof = read_proof(made.out)
    check_proof(proof)
    assert ([token.symbol for token in proof.tokens], proof.block) == (["PEK"], 20)
    asked = peakedex("prove", "trader-2", "--db", database, "--token", "PEK", "--block", 20, "--json").json
    assert asked["text"] == made.out
    nothing = peakedex("prove", "nobody-here", "--db", database)
    assert nothing.code == FAILED
    assert "has no balance at the end of block 40" in nothing.complaint


@pytest.mark.parametrize("block", [1, 17, BLOCKS])
def test_the_roots_follow_from_the_state_s_text_alone(database: Path, here: Path, block: int) -> None:
    """The state hash of a checkpoint covers the state text, so the operator has published the roots."""
    told = run(ROOTS, here, peakedex("state", "--db", database, "--block", block).out)
    roots = peakedex("prove", "--roots", "--db", database, "--block", block)
    lines = [line.split(" ") for line in roots.lines]
    assert lines[:2] == [["peakedex-roots", "1"], ["venue", demo().hash]]
    assert [" ".join((symbol, total, root)) for _, symbol, _, total, root in lines[3:]] == told.splitlines()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("leaf 1 ", "leaf 0 ", 1), "the path of leaf 0"),
        (lambda text: re.sub(r"(leaf \d+ )\d+", r"\g<1>5", text, count=1), "add up to"),
        (lambda text: re.sub(r"(leaf \d+ )\d+", r"\g<1>-5", text, count=1), "a whole line `leaf`"),
        (lambda text: text.replace("account trader-1", "account trader-2", 1), "does not lead to the root"),
        (lambda text: text[:-1], "a whole line"),
        (lambda text: "", "a whole line"),
        (lambda text: "\x00\x1b[2J", "a whole line"),
    ],
)
def test_what_proves_nothing_is_refused(
    change: Callable[[str], str], reason: str, database: Path, here: Path
) -> None:
    text = peakedex("prove", "trader-1", "--db", database, "--token", "PEK").out
    (here / "lie.txt").write_text(change(text))
    refused = peakedex("prove", "--check", "lie.txt")
    assert refused.code == FAILED
    assert reason in refused.complaint
    assert "\x1b" not in refused.err


def test_usage(database: Path, here: Path) -> None:
    (here / "proof.txt").write_text("")
    for words, complaint in (
        ((), "use exactly one of ACCOUNT, --roots and --check FILE"),
        (("bob", "--roots"), "use exactly one of"),
        (("bob", "--db", database, "--day", "2026-01-01"), "--day requires --roots"),
        (("--roots", "--day", "2026-01-01", "--block", 5, "--db", database), "--day requires --roots"),
        (("--check", "proof.txt", "--token", "PEK"), "--check cannot be combined with --token"),
        (("B O B", "--db", database), "is not a Hive account name"),
        (("bob",), "no database: use --db URL"),
        (("--roots", "--db", database, "--block", BLOCKS + 1), "the newest block is 40"),
        (
            ("--roots", "--db", database, "--day", "2999-01-01"),
            "the chain has not reached the end of that day",
        ),
    ):
        refused = peakedex("prove", *words)
        assert refused.code == MISUSED, words
        assert complaint in refused.error


# ---------------------------------------------------------------- the end of a day

DAY = 86_400


@pytest.fixture(scope="module")
def days(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same blocks over a week: ten blocks on each of four days, with two days without blocks."""
    path = Path(shutil.copy(database, tmp_path_factory.mktemp("days") / "days.db"))
    first = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
    with sqlite3.connect(path) as connection:
        for number in range(1, BLOCKS + 1):
            day, place = divmod(number - 1, 10)
            seconds = first + (day if day < 2 else day + 2) * DAY + (place * 3 if place < 9 else DAY - 1)
            connection.execute("update blocks set timestamp = ? where number = ?", (seconds, number))
        connection.execute("update cursor set timestamp = ?", (seconds,))
    connection.close()
    return path


@pytest.mark.parametrize(
    ("day", "block"),
    [
        ("2026-02-28", 0),  # before the venue's first block
        ("2026-03-01", 10),
        ("2026-03-02", 20),
        ("2026-03-03", 20),  # nothing happened
        ("2026-03-04", 20),
        ("2026-03-05", 30),
        ("2026-03-06", None),  # its last second is there, the next day's first is not
        ("2026-03-07", None),
    ],
)
def test_the_last_block_of_a_day(days: Path, day: str, block: int | None) -> None:
    wanted = date.fromisoformat(day)
    with open_reader(str(days)).connect() as connection:
        at = read_position(connection)
        assert at is not None
        assert is_day_over(at, wanted) is (block is not None)
        if block is None:
            return
        assert read_last_block(connection, at, wanted) == block
        past = read_active_block(connection, block)
    told = peakedex("prove", "--roots", "--db", days, "--day", day, "--json").json
    assert (told["block"], told["block_id"]) == ((0, "-") if past is None else (past.number, past.block_id))
    if block:
        assert told == peakedex("prove", "--roots", "--db", days, "--block", block, "--json").json
