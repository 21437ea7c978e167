"""docs/verify/verify_journal.py agrees with the rules on every journal, and finds forged lines."""

from __future__ import annotations

import ast
import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from settlement.core.journal.lines import chain_hash
from settlement.core.journal.state_text import state_hash
from tests.scenarios.chain import write_archive
from tests.scenarios.golden.golden import SEEDS, read
from tests.scenarios.scenario import HERE, read_scenarios
from tests.system.store.chains import JOURNAL_KINDS, demo, kinds, lively
from tests.system.verify.checker import CHECKER, FILE, Replay, check, replay

JournalError = CHECKER.JournalError


@pytest.fixture(scope="module")
def lively_replay(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return replay(lively().write(tmp_path_factory.mktemp("lively")), demo())


# ---------------------------------------------------------------- what it is


def test_it_is_one_file_for_python_3_8_with_standard_library_imports() -> None:
    tree = ast.parse(FILE.read_text("utf-8"), feature_version=(3, 8))
    imports = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imports <= sys.stdlib_module_names
    assert imports.isdisjoint({"tomllib", "zoneinfo", "graphlib"})  # newer than 3.8
    methods = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert methods.isdisjoint({"removeprefix", "removesuffix", "bit_count", "fromisoformat"})


def test_it_runs_alone(lively_replay: Replay, tmp_path: Path) -> None:
    """In an empty folder, by an isolated Python."""
    (tmp_path / "venue.txt").write_text(demo().canonical())
    words = [sys.executable, "-I", str(FILE), "-", demo().hash, "--venue", "venue.txt"]

    def run(*more: str, text: str = lively_replay.journal) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, *more], cwd=tmp_path, input=text, capture_output=True, text=True, check=False
        )

    done = run(
        "--journal-hash", lively_replay.machine.state.journal_hash, "--state-hash", lively_replay.state_hash
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(
        f"OK: {len(lively_replay.texts)} blocks, {lively_replay.journal.count(chr(10))} lines, up to "
    )
    assert lines[1:3] == [
        f"journal_hash {lively_replay.machine.state.journal_hash}",
        f"state_hash   {lively_replay.state_hash}",
    ]
    assert run("--print-state").stdout == lively_replay.state
    bad = run(text=lively_replay.journal.replace("\ntrade 1 ", "\ntrade 2 ", 1))
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "its number must be 1" in bad.stderr
    assert run("--state", "nowhere").returncode == 2


# ---------------------------------------------------------------- it agrees with ours


def test_the_lively_chain_in_full(lively_replay: Replay, tmp_path: Path) -> None:
    assert set(kinds(lively_replay.journal)) == set(JOURNAL_KINDS)
    lines = check(
        *(tmp_path, lively_replay.journal, demo().hash),
        venue=demo().canonical(),
        state=lively_replay.state,
        journal_hash=lively_replay.machine.state.journal_hash,
        state_hash=lively_replay.state_hash,
    )
    assert [line for line in lines if line.startswith("not covered")] == []


def test_without_facts_it_reports_what_is_not_covered(lively_replay: Replay, tmp_path: Path) -> None:
    lines = check(tmp_path, lively_replay.journal, demo().hash)
    missing = [line for line in lines if line.startswith("not covered: ")]
    assert any("fee account" in line for line in missing)
    assert any("escrow PEK: outflows" in line for line in missing)
    assert not any(line.startswith("state_hash") for line in lines)
    with pytest.raises(JournalError, match="the state hash cannot be computed"):
        check(tmp_path, lively_replay.journal, demo().hash, state_hash=lively_replay.state_hash)


def test_with_a_state_it_finds_the_fee_account(lively_replay: Replay, tmp_path: Path) -> None:
    lines = check(tmp_path, lively_replay.journal, demo().hash, state=lively_replay.state)
    assert any(f"{demo().fee_account} is assumed to be the fee account" in line for line in lines)
    other = lively_replay.state.replace(f"balance {demo().fee_account} PEK ", "balance somebody PEK ", 1)
    with pytest.raises(JournalError, match="the state differs"):
        check(tmp_path, lively_replay.journal, demo().hash, state=other)


@pytest.mark.parametrize("seed", SEEDS)
def test_golden_journals(seed: int, tmp_path: Path) -> None:
    golden, text = read(seed)
    (tmp_path / "golden").write_text(text, newline="")
    value = golden["venue_hash"]
    for block, _ in CHECKER.Journal(str(tmp_path / "golden")).blocks():
        value = chain_hash(value, block)
    lines = check(tmp_path, text, golden["venue_hash"], venue=demo().canonical(), journal_hash=value)
    assert lines[1] == f"journal_hash {value}"
    assert lines[2].startswith("state_hash")


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_every_scenario_gives_the_same_state(path: Path, tmp_path: Path) -> None:
    for number, case in enumerate(read_scenarios(path)):
        venue = case.venue()
        lively_replay = replay(write_archive(tmp_path / str(number), case.blocks, "block_api"), venue)
        if not lively_replay.texts:
            continue
        state = lively_replay.machine.state
        listed = {token.symbol for token in venue.tokens}
        lines = check(
            *(tmp_path, lively_replay.journal, venue.hash),
            venue=venue.canonical(),
            journal_hash=state.journal_hash,
            state=lively_replay.state,
            state_hash=state_hash(state),
            precision=[f"{t.symbol}={t.precision}" for t in state.tokens.values() if t.symbol not in listed],
            fee_account=lively_replay.fee_accounts,
        )
        assert any(line.startswith("state_hash") for line in lines), case.name
        check(tmp_path, lively_replay.journal, venue.hash, block=lively_replay.block)  # without further facts


# ---------------------------------------------------------------- it finds lies


def changed(line: str, random_: random.Random) -> str:
    """The line with one word changed: a number plus one, or another last character."""
    words = line.split(" ")
    place = random_.randrange(1, len(words))
    word = words[place]
    words[place] = str(int(word) + 1) if word.isdigit() else word[:-1] + ("0" if word[-1:] != "0" else "1")
    return " ".join(words)


def forgeries(text: str, seed: int, count: int) -> list[tuple[str, str, str]]:
    """Texts with one line changed, dropped, doubled or swapped with the next: (how, line, text)."""
    random_ = random.Random(seed)
    lines = text.splitlines()
    made = []
    for at in random_.sample(range(len(lines) - 1), count):
        line = lines[at]
        versions = {
            "changed": [*lines[:at], changed(line, random_), *lines[at + 1 :]],
            "dropped": [*lines[:at], *lines[at + 1 :]],
            "doubled": [*lines[: at + 1], *lines[at:]],
            "swapped": [*lines[:at], lines[at + 1], line, *lines[at + 2 :]],
        }
        made += [
            (how, line, "".join(f"{each}\n" for each in version))
            for how, version in versions.items()
            if version != lines
        ]
    return made


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return replay(lively(blocks=14).write(tmp_path_factory.mktemp("short")), demo())


def test_every_changed_dropped_doubled_or_swapped_line_is_found_by_the_hash(
    short: Replay, tmp_path: Path
) -> None:
    wanted = short.machine.state.journal_hash
    check(tmp_path, short.journal, demo().hash, journal_hash=wanted)
    for how, line, forgery in forgeries(short.journal, 1, 30):
        try:
            check(tmp_path, forgery, demo().hash, journal_hash=wanted)
        except (JournalError, ValueError, KeyError):
            continue
        pytest.fail(f"{how}, and not found: {line}")


MONEY = ("deposit", "order", "trade", "close", "expire", "paid", "return")


def test_without_hashes_forged_balances_are_found(short: Replay, tmp_path: Path) -> None:
    """Without hashes, forged lines about balances are found by the ledger and the state."""
    known = {"venue": demo().canonical(), "state": short.state}
    check(tmp_path, short.journal, demo().hash, **known)
    unseen = []
    for how, line, forgery in forgeries(short.journal, 2, 30):
        kind = line.split(" ")[0]
        try:
            check(tmp_path, forgery, demo().hash, **known)
        except (JournalError, ValueError, KeyError):
            continue
        if how in ("dropped", "doubled") and kind in MONEY:
            unseen.append((how, line))
    assert unseen == []


def test_hashes_in_a_journal_locate_the_error(short: Replay, tmp_path: Path) -> None:
    """`peakedex journal --json` has each block's hash: any change is located."""
    value, lines = demo().hash, []
    for text in short.texts:
        value = chain_hash(value, text)
        number = int(text.split(" ")[1])
        lines.append(json.dumps({"block": number, "journal_hash": value, "lines": text}))
    journal = "\n".join(lines) + "\n"
    assert check(tmp_path, journal, demo().hash)[1] == f"journal_hash {value}"
    at = next(n for n, text in enumerate(short.texts) if "reject" in text)
    number = int(short.texts[at].split(" ")[1])
    lines[at] = lines[at].replace("reject ", "reject x", 1)
    with pytest.raises(JournalError, match=f"^block {number}: the journal hash is "):
        check(tmp_path, "\n".join(lines) + "\n", demo().hash)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:-1], "the text is truncated"),
        (lambda text: text.split("\n", 1)[1], "not a block line"),
        (lambda text: text + "block 9 00\n", "not a block line"),
        (lambda text: text.replace("\nreject ", "\nrejoice ", 1), "unknown kind of line"),
        (lambda text: text.replace("\ndeposit ", "\ndeposit x ", 1), "deposit needs 5 fields"),
    ],
)
def test_malformed_journals(change, reason: str, short: Replay, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=reason):
        check(tmp_path, change(short.journal), demo().hash)


def test_the_text_of_another_venue_is_rejected(short: Replay, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="of another venue"):
        check(tmp_path, short.journal, "ab" * 32, venue=demo().canonical())


def test_a_gzipped_journal(short: Replay, tmp_path: Path) -> None:
    (tmp_path / "journal.gz").write_bytes(gzip.compress(short.journal.encode()))
    assert (
        "".join(text for text, _ in CHECKER.Journal(str(tmp_path / "journal.gz")).blocks()) == short.journal
    )


@pytest.mark.parametrize(
    "time", ["1970-01-01T00:00:00", "2000-02-29T23:59:59", "2026-12-31T12:00:01", "2100-03-01T00:00:00"]
)
def test_times_are_parsed_as_ours(time: str) -> None:
    from indexer.chain.blocks import seconds_of

    assert CHECKER.seconds_of(time) == seconds_of(time)
