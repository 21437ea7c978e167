"""docs/verify/verify_journal.py derives the same state as the rules from every journal, and finds forged lines."""

from __future__ import annotations

import ast
import gzip
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest

from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from settlement.core.journal import lines, state_lines
from settlement.core.journal.lines import chain_hash, iso_time
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue
from tests.scenarios.chain import write_archive
from tests.scenarios.golden.golden import SEEDS, read
from tests.scenarios.scenario import HERE, read_scenarios
from tests.system.store.chains import VENUE_TEXT, demo, lively
from tests.system.verify.checker import CHECKER, FILE, Replay, check, replay

JournalError = CHECKER.JournalError
GUIDE = FILE.parents[1] / "auditor.md"


@pytest.fixture(scope="module")
def lively_replay(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return replay(lively().write(tmp_path_factory.mktemp("lively")), demo())


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return replay(lively(blocks=14).write(tmp_path_factory.mktemp("short")), demo())


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
    assert imports.isdisjoint({"zoneinfo", "graphlib"})  # newer than 3.8; tomllib is optional
    methods = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert methods.isdisjoint({"removeprefix", "removesuffix", "bit_count", "fromisoformat"})


def test_it_runs_alone(lively_replay: Replay, tmp_path: Path) -> None:
    """In an empty folder, by an isolated Python; from the canonical text and from the venue file."""
    (tmp_path / "venue.txt").write_text(demo().canonical())
    (tmp_path / "venue.toml").write_text(VENUE_TEXT)

    def run(
        *more: str, venue: str = "venue.txt", text: str = lively_replay.journal
    ) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-I", str(FILE), "-", venue, "--block", lively_replay.block, *more]
        return subprocess.run(words, cwd=tmp_path, input=text, capture_output=True, text=True, check=False)

    hashes = ["--journal-hash", lively_replay.machine.state.journal_hash]
    hashes += ["--state-hash", lively_replay.state_hash, "--venue-hash", demo().hash]
    for venue in ("venue.txt", "venue.toml"):
        done = run(*hashes, venue=venue)
        assert (done.returncode, done.stderr) == (0, "")
    found = done.stdout.splitlines()
    count = lively_replay.journal.count("\n")
    assert found[0].startswith(f"OK: {len(lively_replay.texts)} blocks, {count} lines, up to block ")
    assert found[1:4] == [
        f"venue_hash   {demo().hash}",
        f"journal_hash {lively_replay.machine.state.journal_hash}",
        f"state_hash   {lively_replay.state_hash}",
    ]
    assert run("--print-state").stdout == lively_replay.state
    bad = run(text=lively_replay.journal.replace("\ntrade 1 ", "\ntrade 2 ", 1))
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "its number must be 1" in bad.stderr
    assert run("--state", "nowhere").returncode == 2


def test_it_knows_the_fields_of_every_kind_of_line() -> None:
    known = {kind: fields.split(" ") for kind, fields in CHECKER.KINDS.items()}
    assert known == {word: list(get_type_hints(kind)) for word, kind in lines.KINDS.items()}


def test_the_guide_explains_every_kind_of_line() -> None:
    """docs/auditor.md names each kind with its fields and the first sentence of its documentation."""
    rows = re.findall(r"^\| `([a-z]+)((?: <[a-z_]+>)+)` \| (.+) \|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    found = [(kind, re.findall("<([a-z_]+)>", fields), text) for kind, fields, text in rows[1:]]
    settings = ("rules", "upgrade", "token", "pair")
    wanted: list[tuple[str, type[tuple[object, ...]]]] = [
        *lines.KINDS.items(),
        *((word, kind) for word, kind in state_lines.KINDS.items() if word not in settings),
    ]
    assert rows[0][0] == "block"
    assert found == [
        (word, list(get_type_hints(kind)), (kind.__doc__ or "").split("\n")[0]) for word, kind in wanted
    ]


# ---------------------------------------------------------------- it agrees with ours


def agree(found: Replay, folder: Path) -> None:
    """The derived state is ours: text and hash, at the last block."""
    said = check(
        folder,
        found.journal,
        found.venue,
        venue_hash=found.venue.hash,
        journal_hash=found.machine.state.journal_hash,
        state=found.state,
        state_hash=found.state_hash,
    )
    assert said[3] == f"state_hash   {found.state_hash}"


def test_the_lively_chain(lively_replay: Replay, tmp_path: Path) -> None:
    agree(lively_replay, tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
def test_golden_journals(seed: int, tmp_path: Path) -> None:
    _, text = read(seed)
    value = demo().hash
    for block in re.split(r"(?m)^(?=block )", text)[1:]:
        value = chain_hash(value, block)
    assert check(tmp_path, text, demo(), journal_hash=value)[2] == f"journal_hash {value}"


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_every_scenario_gives_the_same_state(path: Path, tmp_path: Path) -> None:
    for number, case in enumerate(read_scenarios(path)):
        found = replay(write_archive(tmp_path / str(number), case.blocks, "block_api"), case.venue())
        agree(found, tmp_path)
        before = ""
        for at, text in enumerate(found.texts[:-1]):  # and from the state after each block
            before += text
            printed = check(tmp_path, before, found.venue, print_state=True)[0] + "\n"
            rest = "".join(found.texts[at + 1 :])
            check(tmp_path, rest, found.venue, from_state=printed, state=found.state)


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
    found = text.splitlines()
    made = []
    for at in random_.sample(range(len(found) - 1), count):
        line = found[at]
        versions = {
            "changed": [*found[:at], changed(line, random_), *found[at + 1 :]],
            "dropped": [*found[:at], *found[at + 1 :]],
            "doubled": [*found[: at + 1], *found[at:]],
            "swapped": [*found[:at], found[at + 1], line, *found[at + 2 :]],
        }
        made += [
            (how, line, "".join(f"{each}\n" for each in version))
            for how, version in versions.items()
            if version != found
        ]
    return made


def refused(folder: Path, text: str, venue: Venue, **known: str) -> str | None:
    """Why a forged journal is refused, or None."""
    try:
        check(folder, text, venue, **known)
    except (JournalError, ValueError, KeyError) as error:
        return str(error)
    return None


def test_every_changed_dropped_doubled_or_swapped_line_is_found_by_the_hash(
    short: Replay, tmp_path: Path
) -> None:
    wanted = short.machine.state.journal_hash
    check(tmp_path, short.journal, demo(), journal_hash=wanted)
    unseen = [
        (how, line)
        for how, line, forgery in forgeries(short.journal, 1, 30)
        if refused(tmp_path, forgery, demo(), journal_hash=wanted) is None
    ]
    assert unseen == []


UNSEEN = {"reject", "checkpoint", "ignore", "internal", "outflow", "token", "rules", "pair", "upgrade"}
"""Kinds of which a line less can be possible."""


def test_without_hashes_lines_that_cannot_follow_are_refused_with_block_and_line(tmp_path: Path) -> None:
    """Every line of the stories about orders, money, stops and grants, dropped and doubled."""
    unseen, places = [], 0
    for name in ("07-stops", "07-protective-stops", "07-wallet", "06-grants", "05-timers", "08-returns"):
        for number, case in enumerate(read_scenarios(HERE / f"{name}.txt")):
            found = replay(
                write_archive(tmp_path / f"{name}{number}", case.blocks, "block_api"), case.venue()
            )
            all_lines = found.journal.splitlines()
            for at, line in enumerate(all_lines):
                for how, version in (
                    ("dropped", [*all_lines[:at], *all_lines[at + 1 :]]),
                    ("doubled", [*all_lines[: at + 1], *all_lines[at:]]),
                ):
                    text = "".join(f"{each}\n" for each in version)
                    why = refused(tmp_path, text, found.venue, state=found.state)
                    if why is None and (how == "doubled" or line.split(" ")[0] not in UNSEEN):
                        unseen.append((how, line))
                    places += bool(why and re.match(r"block [0-9]+, line [0-9]+: ", why))
    assert unseen == []
    assert places > 300


def test_without_hashes_forged_balances_are_found(short: Replay, tmp_path: Path) -> None:
    """Forged lines about balances are found by the ledger and the state."""
    check(tmp_path, short.journal, demo(), state=short.state)
    money = ("deposit", "order", "trade", "close", "expire", "paid", "return", "stop", "trigger", "withdraw")
    unseen = [
        (how, line)
        for how, line, forgery in forgeries(short.journal, 2, 40)
        if how in ("dropped", "doubled") and line.split(" ")[0] in money
        if refused(tmp_path, forgery, demo(), state=short.state) is None
    ]
    assert unseen == []


@pytest.mark.parametrize(
    ("story", "before", "after", "reason"),
    [
        (
            "07-matching",
            "TKN/SWAP.HIVE 100 100 10000 0 0",
            "TKN/SWAP.HIVE 101 100 10100 0 0",
            "the price must be",
        ),
        ("07-matching", " 100 100 10000 0 0", " 100 99 9900 0 0", "the quantity must be 100"),
        ("07-policies", " 333 25641 3 76", " 333 25641 3 75", "the fees must be 3, 76"),
        (
            "07-wallet",
            "withdraw {4}#TKN bob TKN 200",
            "withdraw {4}#TKN bob TKN 199",
            "expected here: withdraw",
        ),
        ("07-stops", "trigger {4}\n", "trigger {5}\n", "is next to fire"),
        ("06-grant-limits", " buy limit 1 ", " buy limit 106 ", "the price is above the grant's band"),
        ("05-timers", "timeout alice active", "timeout bob active", "the next timer is"),
        ("08-returns", "returning {2} 1767229203", "returning {2} 1767229202", "it is due at 1767229203"),
    ],
)
def test_what_contradicts_the_rules_is_refused(
    story: str, before: str, after: str, reason: str, tmp_path: Path
) -> None:
    before, after = (re.sub(r"\{(\d+)\}", lambda n: f"{int(n[1]):08x}" * 5, text) for text in (before, after))
    for number, case in enumerate(read_scenarios(HERE / f"{story}.txt")):
        found = replay(write_archive(tmp_path / str(number), case.blocks, "block_api"), case.venue())
        if before in found.journal:
            break
    forged = found.journal.replace(before, after, 1)
    with pytest.raises(JournalError, match=reason) as error:
        check(tmp_path, forged, found.venue)
    assert re.match(r"block [0-9]+, line [0-9]+: ", str(error.value))


def test_hashes_in_a_journal_locate_the_error(short: Replay, tmp_path: Path) -> None:
    """`peakedex journal --json` has each block's hash: any change is located."""
    value, texts = demo().hash, []
    for text in short.texts:
        value = chain_hash(value, text)
        number = int(text.split(" ")[1])
        texts.append(json.dumps({"block": number, "journal_hash": value, "lines": text}))
    assert check(tmp_path, "\n".join(texts) + "\n", demo())[2] == f"journal_hash {value}"
    at = next(n for n, text in enumerate(short.texts) if "reject" in text)
    number = int(short.texts[at].split(" ")[1])
    texts[at] = texts[at].replace("reject ", "reject x", 1)
    with pytest.raises(JournalError, match=f"^block {number}, line 1: the journal hash is "):
        check(tmp_path, "\n".join(texts) + "\n", demo())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:-1], "the text is truncated"),
        (lambda text: text.split("\n", 1)[1], "not a block line"),
        (lambda text: text + "block 9 00\n", "not a block line"),
        (lambda text: text.replace("\nreject ", "\nrejoice ", 1), "unknown kind of line"),
        (lambda text: text.replace("\ndeposit ", "\ndeposit x ", 1), "deposit needs 5 fields"),
        (lambda text: text.replace("\ndeposit ", "\ndeposit  ", 1), "deposit needs 5 fields"),
    ],
)
def test_malformed_journals(change: Callable[[str], str], reason: str, short: Replay, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=reason):
        check(tmp_path, change(short.journal), demo())


def test_nonsense_is_refused_and_never_a_crash(short: Replay, tmp_path: Path) -> None:
    """Words out of place: whatever is wrong is named with its line, or changes nothing that the journal shows."""
    random_ = random.Random(3)
    odd = ["-", "x", "0", "-1", "a/b", "a/b/c", "%", "=", "=1", "9" * 20, "all", "posting", *lines.KINDS]
    found = short.journal.splitlines()
    for _ in range(150):
        forged = list(found)
        at = random_.randrange(len(forged))
        words = forged[at].split(" ")
        for _ in range(random_.choice((1, 1, 2, 3))):
            words[random_.randrange(len(words))] = random_.choice(odd)
        forged[at] = " ".join(words)
        refused(tmp_path, "".join(f"{line}\n" for line in forged), demo())


def test_another_venue_is_refused(short: Replay, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="the venue hash is "):
        check(tmp_path, short.journal, demo(), venue_hash="ab" * 32)


def test_a_state_at_a_later_block_has_what_ended_meanwhile(short: Replay, tmp_path: Path) -> None:
    """A block at which an order should have expired must have lines of its own."""
    later = "999999999," + f"{999999999:08x}" + "0" * 32 + ",2099-01-01T00:00:00"
    with pytest.raises(JournalError, match=r"^at block 999999999: .* should have expired"):
        check(tmp_path, short.journal, demo(), block=later)


def test_a_journal_that_begins_later_is_checked_from_its_state(short: Replay, tmp_path: Path) -> None:
    machine = StateMachine(demo())
    source = ArchiveSource(lively(blocks=14).write(tmp_path / "blocks"), machine.venue_filter)
    first = Replay(machine)
    Follower(machine, first, source, batch_blocks=1).run(until=demo().start_block + 6)
    rest = short.journal[len(first.journal) :]
    known = {"state": short.state, "journal_hash": short.machine.state.journal_hash}
    assert check(tmp_path, rest, demo(), from_state=first.state, **known)[0].startswith("OK: ")
    assert refused(tmp_path, rest, demo(), **known)
    assert refused(tmp_path, rest, demo(), from_state=first.state.replace(" sell ", " buy ", 1), **known)
    assert refused(tmp_path, rest, demo(), from_state=first.state[: first.state.index("balance")], **known)


def test_a_gzipped_journal(short: Replay, tmp_path: Path) -> None:
    (tmp_path / "journal.gz").write_bytes(gzip.compress(short.journal.encode()))
    blocks = CHECKER.Journal(str(tmp_path / "journal.gz")).blocks()
    assert "".join(text for text, _ in blocks) == short.journal


@pytest.mark.parametrize(
    "time", ["1970-01-01T00:00:00", "2000-02-29T23:59:59", "2026-12-31T12:00:01", "2100-03-01T00:00:00"]
)
def test_times_are_read_as_ours(time: str) -> None:
    assert iso_time(CHECKER.seconds_of(time)) == time
