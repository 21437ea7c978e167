"""`peakedex replay`, and auditors' commands on its database."""

from __future__ import annotations

import json
import random
import re
import shutil
import socket
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard

from tests.system.cli.command import FAILED, MISUSED, OK, Run, in_process, peakedex
from tests.system.store.chains import PACKERS, VENUE_TEXT, demo, lively

LAST = len(lively().blocks)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A database with the whole chain, and what the real process said that made it."""
    folder = tmp_path_factory.mktemp("replayed")
    (folder / "venue.toml").write_text(VENUE_TEXT, "utf-8")
    chain = lively().write(folder / "chain")
    words = ("--venue", folder / "venue.toml", "--archive", chain, "--db", folder / "dex.db")
    run = in_process("replay", *words, "--json")
    assert run.code == OK, run.err
    return folder / "dex.db", run


@pytest.fixture
def replayed(here: Path, real: tuple[Path, Run]) -> Run:
    """The whole chain in `dex.db`: a copy, which is all that SQLite leaves behind."""
    shutil.copy(real[0], here / "dex.db")
    return real[1]


# ---------------------------------------------------------------- what it says


def test_what_replay_says(replayed: Run, venue: Path, archive: Path) -> None:
    said = replayed.json
    assert list(said) == [
        *(
            "last_block",
            "block_id",
            "blocks",
            "checked",
            "intents",
            "rejected",
            "trades",
            "open_orders",
            "accounts",
        ),
        *("seconds", "blocks_per_second", "intents_per_second", "journal_hash", "state_hash"),
    ]
    assert (said["last_block"], said["blocks"]) == (LAST, LAST)
    assert said["intents"] > said["rejected"] > 0
    assert replayed.err == ""
    plain = peakedex("replay", "--venue", venue, "--archive", archive)
    shown = dict(line.split(maxsplit=1) for line in plain.lines)
    for name in ("last_block", "intents", "trades", "journal_hash", "state_hash"):
        assert shown[name] == str(said[name])


def test_without_a_database_nothing_is_left_behind(here: Path, venue: Path, archive: Path) -> None:
    before = sorted(here.rglob("*"))
    assert peakedex("replay", "--venue", venue, "--archive", archive).code == OK
    assert sorted(here.rglob("*")) == before


def test_replaying_what_is_done_already_does_nothing(replayed: Run, venue: Path, archive: Path) -> None:
    again = peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db", "--json").json
    assert (again["blocks"], again["intents"], again["trades"]) == (0, 0, 0)
    for name in ("last_block", "accounts", "journal_hash", "state_hash"):
        assert again[name] == replayed.json[name]


def test_until_and_on_is_the_same_as_in_one_go(replayed: Run, venue: Path, archive: Path) -> None:
    words = ("replay", "--venue", venue, "--archive", archive, "--db", "parts.db", "--json")
    trades = 0
    for until in (1, 40, 41):
        part = peakedex(*words, "--until", until, "--batch", 7).json
        assert part["last_block"] == until
        trades += part["trades"]
    back = peakedex(*words, "--until", 40)
    assert back.code == MISUSED
    assert "--until 40: the database is already at block 41" in back.err
    last = peakedex(*words).json
    assert trades + last["trades"] == replayed.json["trades"]
    for name in ("last_block", "open_orders", "journal_hash", "state_hash"):
        assert last[name] == replayed.json[name]
    assert peakedex("journal", "--db", "parts.db").out == peakedex("journal", "--db", "dex.db").out


def test_the_file_alone_is_the_database(replayed: Run, here: Path) -> None:
    """Nothing stays behind in SQLite's other files: it can be copied."""
    copy = here / "elsewhere.db"
    copy.write_bytes((here / "dex.db").read_bytes())
    assert peakedex("state", "--db", copy, "--json").json["state_hash"] == replayed.json["state_hash"]


def test_a_block_without_its_transactions_is_no_block(here: Path, venue: Path, archive: Path) -> None:
    for number, change in enumerate((None, "missing")):
        folder = here / f"headers{number}"
        folder.mkdir()
        lines = [json.loads(line) for line in (archive / "blocks.jsonl").read_text("utf-8").splitlines()]
        lines[2]["transactions"] = None
        if change:
            del lines[2]["transactions"]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "blocks.jsonl").write_text(text, "utf-8")
        run = peakedex("replay", "--venue", venue, "--archive", folder)
        assert run.code == FAILED
        assert "blocks.jsonl, line 3" in run.err


def test_an_empty_archive_is_none(here: Path, venue: Path) -> None:
    (here / "nothing").mkdir()
    (here / "nothing" / "blocks.jsonl").write_text("")
    run = peakedex("replay", "--venue", venue, "--archive", here / "nothing")
    assert run.code == FAILED
    assert "empty" in run.err


# ---------------------------------------------------------------- the texts of section 9


def test_the_state_s_sha256_is_the_state_hash(replayed: Run) -> None:
    text = in_process("state", "--db", "dex.db").out
    assert sha256(text.encode()).hexdigest() == replayed.json["state_hash"]
    lines = text.splitlines()
    assert lines[:3] == [
        "peakedex-state 2",
        f"venue {demo().hash}",
        f"block {LAST} {replayed.json['block_id']} {(ts := lines[2].split()[3])}",
    ]
    assert ts == json.loads(lively().blocks[-1])["timestamp"]
    hashes = peakedex("state", "--db", "dex.db", "--json").json
    assert hashes == {
        "block": LAST,
        "block_id": replayed.json["block_id"],
        "ts": ts,
        "venue_hash": demo().hash,
        "journal_hash": replayed.json["journal_hash"],
        "state_hash": replayed.json["state_hash"],
    }


def test_the_journal_s_hash_chain_recomputed_by_hand(replayed: Run, venue: Path) -> None:
    """Ten lines that share no code with the program: the printed text and the venue's hash are enough."""
    journal = in_process("journal", "--db", "dex.db").out.encode()
    value = in_process("venue", "hash", venue).out.strip().encode()
    block = b""
    for line in [*journal.splitlines(keepends=True), b"block end"]:
        if line.startswith(b"block ") and block:
            value = sha256(value + b"\n" + block).hexdigest().encode()
            block = b""
        block += line
    assert value.decode() == replayed.json["journal_hash"]


def test_the_journal_in_parts_is_the_journal(replayed: Run) -> None:
    whole = peakedex("journal", "--db", "dex.db").out
    parts = [
        peakedex("journal", "--db", "dex.db", "--to", 30).out,
        peakedex("journal", "--db", "dex.db", "--from", 31, "--to", 31).out,
        peakedex("journal", "--db", "dex.db", "--from", 32).out,
    ]
    assert "".join(parts) == whole
    assert parts[1].startswith("block 31 ")
    assert peakedex("journal", "--db", "dex.db", "--from", LAST + 1).out == ""


def test_the_journal_as_json_is_one_object_a_block(replayed: Run) -> None:
    blocks = [json.loads(line) for line in peakedex("journal", "--db", "dex.db", "--json").lines]
    assert "".join(block["lines"] for block in blocks) == peakedex("journal", "--db", "dex.db").out
    assert blocks[-1]["journal_hash"] == replayed.json["journal_hash"]
    assert all(block["lines"].startswith(f"block {block['block']} ") for block in blocks)


@pytest.mark.parametrize("block", [1, 5, 41, *random.Random(8).sample(range(6, LAST), 3)])
def test_a_past_block_s_state_is_what_it_was_then(
    replayed: Run, venue: Path, archive: Path, block: int
) -> None:
    words = ("--venue", venue, "--archive", archive, "--db", "then.db", "--json")
    then = peakedex("replay", *words, "--until", block).json
    now = peakedex("state", "--db", "dex.db", "--block", block, "--json").json
    assert now == peakedex("state", "--db", "then.db", "--json").json
    assert (now["state_hash"], now["journal_hash"]) == (then["state_hash"], then["journal_hash"])
    text = peakedex("state", "--db", "dex.db", "--block", block).out
    assert text == peakedex("state", "--db", "then.db").out
    assert sha256(text.encode()).hexdigest() == now["state_hash"]


def test_the_last_block_s_state_is_the_same_by_its_number(replayed: Run) -> None:
    for words in ((), ("--json",)):
        assert (
            peakedex("state", "--db", "dex.db", *words).out
            == peakedex("state", "--db", "dex.db", "--block", LAST, *words).out
        )


def test_a_block_that_is_not_recorded_has_no_state(replayed: Run) -> None:
    run = peakedex("state", "--db", "dex.db", "--block", LAST + 1)
    assert run.code == MISUSED
    assert run.complaint == (f"Error: --block {LAST + 1} is not recorded yet: the newest block is {LAST}")


# ---------------------------------------------------------------- what can be wrong


@pytest.mark.parametrize(
    "words", [("state",), ("journal",), ("db", "upgrade"), ("db", "rebuild"), ("serve",)]
)
def test_a_command_without_a_database_says_how_to_name_one(words: tuple[str, ...]) -> None:
    run = peakedex(*words)
    assert run.code == MISUSED
    assert run.error == "Error: no database: use --db URL, or set PEAKEDEX_DB"


def test_a_command_without_a_venue_says_how_to_name_one(archive: Path) -> None:
    for words in (("replay", "--archive", archive), ("follow",), ("run",)):
        run = peakedex(*words)
        assert (run.code, run.error) == (
            MISUSED,
            "Error: no venue: use --venue FILE, or set PEAKEDEX_VENUE",
        )


@pytest.mark.parametrize("words", [("state",), ("journal",)])
def test_a_reader_s_database_that_is_missing_is_named(words: tuple[str, ...]) -> None:
    run = peakedex(*words, "--db", "nowhere.db")
    assert run.code == MISUSED
    assert run.complaint == ("Error: database nowhere.db does not exist: run `peakedex follow` or fix --db")


def test_serve_names_a_database_or_a_port_that_it_cannot_have() -> None:
    run = peakedex("serve", "--db", "mysql://me@host/dex")
    assert run.code == MISUSED
    assert run.complaint.startswith("Error: unsupported database 'mysql': use sqlite:///peakedex.db")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = peakedex("serve", "--db", "dex.db", "--port", port)
    assert run.code == MISUSED
    assert run.complaint.startswith(f"Error: cannot listen on 127.0.0.1 port {port}: Address already in use")
    assert "choose another --port" in run.complaint


def test_a_database_without_a_venue_is_named() -> None:
    assert peakedex("db", "upgrade", "--db", "new.db").code == OK
    run = peakedex("state", "--db", "new.db")
    assert run.code == MISUSED
    assert run.complaint == "Error: the database has no venue yet: give its file with --venue"


def test_the_database_of_another_venue_is_refused(replayed: Run, here: Path, archive: Path) -> None:
    (here / "other.toml").write_text(VENUE_TEXT.replace("taker_fee_bps = 20", "taker_fee_bps = 21", 1))
    before = peakedex("state", "--db", "dex.db").out
    run = peakedex("replay", "--venue", "other.toml", "--archive", archive, "--db", "dex.db")
    assert run.code == MISUSED
    assert run.complaint.startswith("Error: the database belongs to another venue (")
    assert run.complaint.endswith("use its own venue file, or another --db")
    assert peakedex("state", "--db", "dex.db").out == before


def test_a_bad_venue_file_is_refused_before_anything_is_made(here: Path, archive: Path) -> None:
    (here / "bad.toml").write_text(VENUE_TEXT.replace("protocol = 2", "protocol = 1"), "utf-8")
    run = peakedex("replay", "--venue", "bad.toml", "--archive", archive, "--db", "new.db")
    assert run.code == MISUSED
    assert run.complaint.startswith("Error: venue file: venue.protocol: ")
    assert not (here / "new.db").exists()


def test_an_archive_that_is_none_is_named(here: Path, venue: Path) -> None:
    (here / "empty").mkdir()
    run = peakedex("replay", "--venue", venue, "--archive", "empty")
    assert run.code == FAILED
    assert run.complaint == "Error: stopped: empty holds no blocks*.jsonl, .jsonl.gz or .jsonl.zst"
    run = peakedex("replay", "--venue", venue, "--archive", "nowhere")
    assert run.code == MISUSED
    assert run.error == "Error: Invalid value for '--archive': Directory 'nowhere' does not exist."
    assert peakedex("replay", "--venue", venue).error == "Error: Missing option '--archive'."


def spoil(archive: Path, number: int, how: str) -> None:
    """Break an archive at the line of one block."""
    lines = (archive / "blocks.jsonl").read_bytes().splitlines(keepends=True)
    index = number - 1
    if how == "gap":
        del lines[index]
    elif how == "truncated":
        lines = [*lines[:index], lines[index][: len(lines[index]) // 2]]
    elif how == "malformed":
        lines[index] = lines[index].replace(b'"previous":', b'"previous"', 1)
    elif how == "broken link":
        other = lively(2).blocks[index]
        lines[index] = other + b"\n"
    elif how == "twice":
        lines.insert(index, lines[index - 1])
    else:
        lines[index] = lines[index].replace(b'"timestamp":"', b'"timestamp":"x', 1)
    (archive / "blocks.jsonl").write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ("gap", r"line 60: block 61 follows block 59: a gap"),
        ("truncated", r"line 60: block 60 cannot be read: .+"),
        ("malformed", r"line 60: block 60 cannot be read: .+"),
        ("broken link", r"line 60: block 60 does not link to the block before: .+"),
        ("twice", r"line 60: block 59 follows block 59: a gap"),
        ("timestamp", r"line 60: block 60 cannot be read: .*timestamp.*"),
    ],
)
def test_an_archive_with_a_fault_stops_before_it(
    venue: Path, archive: Path, how: str, complaint: str
) -> None:
    """File, line and block are named; every block before is recorded, nothing of the one that is wrong."""
    good = peakedex("replay", "--venue", venue, "--archive", archive, "--until", 59, "--json").json
    spoil(archive, 60, how)
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db", "--json")
    assert run.code == FAILED
    assert re.fullmatch(rf"Error: stopped: blocks\.jsonl, {complaint}", run.complaint), run.complaint
    state = peakedex("state", "--db", "dex.db", "--json").json
    assert state["block"] == 59
    assert (state["journal_hash"], state["state_hash"]) == (good["journal_hash"], good["state_hash"])
    lively().write(archive)
    mended = peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db", "--json").json
    assert (
        mended["state_hash"]
        == (peakedex("replay", "--venue", venue, "--archive", archive, "--json").json["state_hash"])
    )


@pytest.mark.parametrize("packing", [".jsonl.gz", ".jsonl.zst"])
def test_a_packed_file_that_is_cut_off_is_named(here: Path, venue: Path, packing: str) -> None:
    """Whatever was whole in it is recorded; the cut is not taken for the end."""
    archive = lively().write(here / "chain", packing)
    path = archive / f"blocks{packing}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db")
    assert run.code == FAILED
    found = re.fullmatch(
        rf"Error: stopped: blocks{re.escape(packing)}, line (\d+): cannot be read: .+", run.complaint
    )
    assert found, run.complaint
    assert 1 <= int(found[1]) <= LAST
    assert peakedex("state", "--db", "dex.db", "--json").json["block"] == int(found[1]) - 1


def test_receipts_that_are_cut_off_are_named(here: Path, venue: Path, archive: Path) -> None:
    """A deposit must not get lost because the file of receipts ends early."""
    text = PACKERS[".jsonl"](b"".join(line + b"\n" for line in lively().receipts))
    packed = zstandard.ZstdCompressor().compress(text)
    (archive / "receipts.jsonl").unlink()
    (archive / "receipts.jsonl.zst").write_bytes(packed[: len(packed) * 3 // 4])
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db")
    assert run.code == FAILED
    assert re.fullmatch(r"Error: stopped: receipts\.jsonl\.zst, line \d+: cannot be read: .+", run.complaint)


def test_an_archive_without_receipts_is_worth_a_note(venue: Path, archive: Path) -> None:
    (archive / "receipts.jsonl").unlink()
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--json")
    assert run.code == OK
    assert re.fullmatch(
        r"note: the archive has no receipts of \d+ blocks that mention an escrow account, so .+", run.error
    )


def test_the_archive_of_another_chain_does_not_fit(here: Path, replayed: Run, venue: Path) -> None:
    other = lively(2).write(here / "other")
    run = peakedex("replay", "--venue", venue, "--archive", other, "--db", "dex.db")
    assert run.code == FAILED
    assert re.fullmatch(
        rf"Error: stopped: blocks\.jsonl, line {LAST}: block {LAST} is .{{40}}, but .{{40}} was applied",
        run.complaint,
    )


def test_an_unwanted_number_is_misuse(venue: Path, archive: Path) -> None:
    for option, value in (("--until", "0"), ("--until", "x"), ("--batch", "0")):
        run = peakedex("replay", "--venue", venue, "--archive", archive, option, value)
        assert run.code == MISUSED
        assert f"Invalid value for '{option}'" in run.error
