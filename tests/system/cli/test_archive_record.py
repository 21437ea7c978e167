"""`peakedex archive record`: what it records replays to the hashes of the live run, however it was cut off."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from indexer.sources.archive import ArchiveSource
from indexer.sources.archive_writer import RecordError, Recording, plan_for
from indexer.sources.source import Cursor
from settlement.core.venue import parse_venue
from tests.system.cli.command import FAILED, MISUSED, OK, Run, in_process, peakedex
from tests.system.cli.world import LATE_TOKEN, World, running, world
from tests.system.store.chains import VENUE_TEXT

BLOCKS = 60


@pytest.fixture(scope="module")
def live() -> Iterator[World]:
    """Trading, and in the middle of it a token of which the venue file knows nothing."""
    with world(blocks=BLOCKS // 2) as here:
        here.list_late()
        here.trade(BLOCKS // 2)
        yield here


@pytest.fixture(scope="module")
def hashes(live: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state that `peakedex follow` reached, as a process of its own."""
    home = tmp_path_factory.mktemp("live")
    (home / "venue.toml").write_text(VENUE_TEXT, "utf-8")
    database = home / "dex.db"
    with running(home, "follow", "--venue", "venue.toml", "--db", database, *live.nodes) as follow:
        follow.wait_until(lambda: cursor(database) == live.irreversible)
        follow.end()
    state: dict[str, Any] = peakedex("state", "--db", database, "--json").json
    assert LATE_TOKEN in peakedex("state", "--db", database).out
    return state


def cursor(database: Path) -> int:
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database)) as plain:
        try:
            row = plain.execute("SELECT block FROM cursor").fetchone()
        except sqlite3.OperationalError:
            return 0
    return int(row[0]) if row else 0


def record(live: World, *more: object) -> Run:
    return peakedex("archive", "record", *live.nodes, "--out", "recorded", "--json", *more)


def replayed(venue: Path) -> dict[str, Any]:
    run = peakedex("replay", "--venue", venue, "--archive", "recorded", "--json")
    assert run.code == OK, run.err
    return {name: run.json[name] for name in ("block_id", "journal_hash", "state_hash")}


def wanted(hashes: dict[str, Any]) -> dict[str, Any]:
    return {name: hashes[name] for name in ("block_id", "journal_hash", "state_hash")}


# ---------------------------------------------------------------- the same hashes


@pytest.mark.parametrize("mode", ["of a venue", "of all"])
def test_a_replay_gives_the_hashes_of_the_live_run(
    live: World, hashes: dict[str, Any], venue: Path, mode: str
) -> None:
    asked = ("--venue", venue) if mode == "of a venue" else ("--from", 1)
    run = record(live, *asked)
    assert run.code == OK, run.err
    assert run.json["first_block"] == 1
    assert run.json["last_block"] == run.json["blocks"] == live.irreversible
    assert run.json["complete"] is True
    assert 0 < run.json["receipts"] <= live.irreversible
    assert replayed(venue) == wanted(hashes)


def test_a_venue_needs_fewer_receipts_than_there_are(live: World, venue: Path) -> None:
    of_venue = record(live, "--venue", venue).json["receipts"]
    of_all = peakedex("archive", "record", *live.nodes, "--from", 1, "--out", "all", "--json").json[
        "receipts"
    ]
    assert of_venue <= of_all
    assert len(list(Path("all").glob("receipts-*.jsonl.zst"))) == 1


def test_the_folder_says_what_it_holds(live: World, venue: Path) -> None:
    record(live, "--venue", venue)
    plan = json.loads(Path("recorded/recording.json").read_text())
    assert plan == {"first": 1, "venue_hash": parse_venue(venue.read_text()).hash}


def test_files_end_where_the_numbers_say(live: World, hashes: dict[str, Any], venue: Path) -> None:
    assert record(live, "--venue", venue, "--file-blocks", 25).code == OK
    firsts = [path.name for path in sorted(Path("recorded").glob("blocks-*"))]
    assert firsts == [f"blocks-{first:010d}.jsonl.zst" for first in (1, 25, 50)]
    assert [path.name for path in sorted(Path("recorded").glob("receipts-*"))] == [
        name.replace("blocks", "receipts") for name in firsts
    ]
    assert not Path("recorded/recording.part").exists()
    assert replayed(venue) == wanted(hashes)


def test_the_archive_is_checked_block_by_block(live: World, venue: Path) -> None:
    record(live, "--venue", venue)
    source = ArchiveSource(Path("recorded"), parse_venue(venue.read_text()).filter)
    assert [block.number for block, _ in source.blocks(Cursor(0))] == list(range(1, live.irreversible + 1))


# ---------------------------------------------------------------- going on


def test_it_goes_on_where_it_ended(live: World, hashes: dict[str, Any], venue: Path) -> None:
    first = record(live, "--venue", venue, "--to", 33)
    assert (first.json["last_block"], first.json["complete"]) == (33, True)
    again = record(live, "--venue", venue, "--to", 33)
    assert (again.json["blocks"], again.json["last_block"], again.json["complete"]) == (0, 33, True)
    rest = record(live, "--venue", venue, "--from", 1)
    assert rest.json["blocks"] == live.irreversible - 33
    assert replayed(venue) == wanted(hashes)


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_torn_end_is_dropped_and_fetched_again(
    live: World, hashes: dict[str, Any], venue: Path, cut: int
) -> None:
    """As a kill leaves it: whole blocks, and then a piece of one."""
    record(live, "--venue", venue, "--to", 20)
    part, torn = Path("recorded/recording.part"), part_of(live, 21, 45)
    part.write_bytes(torn[:-cut])
    run = record(live, "--venue", venue)
    assert run.code == OK, run.err
    assert run.json["last_block"] == live.irreversible
    assert run.json["blocks"] < live.irreversible - 20
    assert replayed(venue) == wanted(hashes)


def part_of(live: World, first: int, last: int) -> bytes:
    """What stands in the file under way after these blocks."""
    lines = []
    for number in range(first, last + 1):
        receipts = live.node.sidechain.block_of_hive(number)
        if receipts is not None:
            lines.append(b"R" + receipts + b"\n")
        asked = {"starting_block_num": number, "count": 1}
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": "block_api.get_block_range", "params": asked}
        (block,) = requests.post(live.server.url, json=body, timeout=60).json()["result"]["blocks"]
        lines.append(b"B" + json.dumps(block).encode() + b"\n")
    return b"".join(lines)


def test_a_run_that_died_while_it_finished_a_file_is_mended(
    live: World, hashes: dict[str, Any], venue: Path
) -> None:
    """The file stands already, and what it was made of as well."""
    record(live, "--venue", venue, "--to", 40)
    Path("recorded/recording.part").write_bytes(part_of(live, 1, 40))
    Path("recorded/recording.tmp").mkdir()
    Path("recorded/recording.tmp/blocks-0000000001.jsonl.zst").write_bytes(b"half")
    assert record(live, "--venue", venue).json["blocks"] == live.irreversible - 40
    assert replayed(venue) == wanted(hashes)


def test_another_chain_is_refused_by_its_link(live: World, venue: Path) -> None:
    record(live, "--venue", venue, "--to", 30)
    with world(genesis=1_600_000_000, blocks=40) as other:
        run = record(other, "--venue", venue)
    assert run.code == FAILED
    assert "block 31 does not link to the block before" in run.error


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_ended_goes_on(
    live: World, hashes: dict[str, Any], venue: Path, here: Path, sent: signal.Signals
) -> None:
    slow = live.another_node()
    slow.faults.short_ranges = 4
    slow.faults.delay_ms = 60
    words = ("archive", "record", "--venue", venue, "--out", "recorded", "--json", "--file-blocks", 20)
    nodes = ("--node", slow.url, "--engine-node", slow.engine_url, "--trust-single-node")
    with running(here, *words, *nodes, "--chain-id", "devnet") as run:
        part = here / "recorded" / "recording.part"
        run.wait_until(lambda: part.exists() and part.stat().st_size > 0)
        took = run.end(sent)
        if sent == signal.SIGKILL:
            assert run.run.returncode == -sent
        else:
            assert (run.run.returncode, took < 5) == (0, True), run.said
            said = json.loads(run.said)
            assert said["complete"] is False
            assert said["last_block"] == said["blocks"] < live.irreversible
            assert not part.exists()
    assert record(live, "--venue", venue).code == OK
    assert replayed(venue) == wanted(hashes)


# ---------------------------------------------------------------- what it refuses


def test_where_to_begin_must_be_known(live: World) -> None:
    run = record(live)
    assert (run.code, run.complaint) == (
        MISUSED,
        "Error: no first block: give --from or --venue",
    )


def test_a_recording_may_begin_after_the_venue(
    live: World, hashes: dict[str, Any], venue: Path, tmp_path: Path
) -> None:
    """The escrow accounts are those of the venue file: no earlier block says which receipts count."""
    assert record(live, "--venue", venue, "--to", 4).code == OK
    Path("recorded").rename("earlier")
    run = record(live, "--venue", venue, "--from", 5)
    assert (run.code, run.json["first_block"]) == (OK, 5)
    refused = peakedex("replay", "--venue", venue, "--archive", "recorded")
    assert refused.code == FAILED
    assert "block 5 follows block 0: a gap" in refused.error
    database = ("--venue", venue, "--db", tmp_path / "dex.db", "--json")
    assert peakedex("replay", *database, "--archive", "earlier").code == OK
    later = peakedex("replay", *database, "--archive", "recorded")
    assert later.json["state_hash"] == hashes["state_hash"]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--from", 1), "started with another venue's receipts"),
        (("--venue", "venue.toml", "--from", 2), "begins at block 1: omit --from"),
    ],
)
def test_a_folder_is_gone_on_with_as_it_was_begun(
    live: World, venue: Path, more: tuple[object, ...], complaint: str
) -> None:
    record(live, "--venue", venue, "--to", 10)
    before = sorted(path.name for path in Path("recorded").iterdir())
    run = record(live, *more)
    assert run.code == MISUSED
    assert complaint in run.complaint
    assert sorted(path.name for path in Path("recorded").iterdir()) == before


def test_another_beginning_is_refused(live: World) -> None:
    record(live, "--from", 3, "--to", 10)
    run = record(live, "--from", 2)
    assert (run.code, run.complaint) == (MISUSED, "Error: recorded begins at block 3: omit --from")


def test_a_folder_of_other_blocks_is_left_alone(live: World, venue: Path, archive: Path) -> None:
    run = peakedex("archive", "record", *live.nodes, "--venue", venue, "--out", archive)
    assert run.code == MISUSED
    assert "holds blocks but no recording" in run.complaint
    assert not (archive / "recording.json").exists()


def test_two_do_not_record_into_one_folder(live: World, venue: Path) -> None:
    folder, rules = Path("recorded"), parse_venue(venue.read_text())
    with (
        Recording(folder, plan_for(folder, rules, None), rules),
        pytest.raises(RecordError, match="another process records into recorded"),
    ):
        Recording(folder, plan_for(folder, rules, None), rules)
    assert record(live, "--venue", venue).code == OK


def test_a_folder_that_cannot_be_made_is_named(live: World, venue: Path) -> None:
    Path("recorded").write_text("a file stands here")
    run = peakedex("archive", "record", *live.nodes, "--venue", venue, "--out", "recorded/in")
    assert run.code == MISUSED
    assert "recorded/in" in run.complaint


def test_a_full_disk_is_named_and_room_is_all_it_takes(
    live: World, hashes: dict[str, Any], venue: Path
) -> None:
    """Files may not grow beyond 150,000 bytes: a real refusal by the system, in the middle of a block."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    words = ("archive", "record", *live.nodes, "--venue", venue, "--out", "recorded")
    run = in_process(*words, preexec_fn=limit)
    assert run.code == FAILED
    assert "cannot be written" in run.complaint
    assert "free disk space" in run.complaint
    assert Path("recorded/recording.part").stat().st_size == 150_000
    assert not list(Path("recorded").glob("blocks*"))
    rest = record(live, "--venue", venue)
    assert 0 < rest.json["blocks"] < live.irreversible
    assert replayed(venue) == wanted(hashes)
