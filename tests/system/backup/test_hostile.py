"""Damaged and malicious snapshots: a one-line error, and no remaining files."""

from __future__ import annotations

import io
import json
import shutil
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zstandard

from indexer.ops.backup.restore import RestoreChecks
from indexer.ops.backup.restore import restore as restore_snapshot
from settlement.store.database import StoreError, open_reader
from settlement.store.write.snapshot import SnapshotError
from tests.system.backup.archives import Members, files, lie, load, members, rows_of, write
from tests.system.cli.command import FAILED, peakedex


def refused(path: Path, url: str = "new.db") -> str:
    """The error of a restore, which must leave no file."""
    before = files(Path.cwd())
    with pytest.raises(SnapshotError) as told:
        load(path, url)
    assert files(Path.cwd()) == before
    text = str(told.value)
    assert len(text) < 400
    return text


def test_wherever_it_is_cut_off_it_is_refused(snapshot: Path) -> None:
    whole = snapshot.read_bytes()
    for size in sorted(
        {0, 1, 511, 512, 513, len(whole) - 1025, *Random(1).sample(range(len(whole) - 1024), 12)}
    ):
        snapshot.write_bytes(whole[:size])
        assert refused(snapshot).startswith("peakedex.snapshot: ")


def test_whatever_is_damaged_is_noticed(snapshot: Path, made: Path, here: Path) -> None:
    """A flipped bit in compressed rows, a header or the manifest; the padding of members is not checked."""
    whole = snapshot.read_bytes()
    random = Random(2)
    with tarfile.open(snapshot) as tar:
        spans = [(info.offset_data, info.size) for info in tar] + [(info.offset, 100) for info in tar]
    for start, size in random.sample(spans, 10):
        at = start + random.randrange(size)
        damaged = bytearray(whole)
        damaged[at] ^= 1 << random.randrange(8)
        snapshot.write_bytes(damaged)
        refused(snapshot)


def frame(size: int, window: int = 0x88) -> bytes:
    """A zstd frame that declares a wrong size."""
    return struct.pack("<IBBQ", 0xFD2FB528, 0xC0, window, size) + b"\x01\x00\x00"


BAD_FRAMES = {
    "a bomb that tells its size": frame(1 << 40),
    "a bomb that lies": zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 28)),
    "a size that is not true": frame(1 << 20),
    "two frames": zstandard.compress(b"[1]\n") + zstandard.compress(b"[1]\n"),
    "no frame": b"hello",
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_what_unpacks_to_anything_else_is_not_unpacked(name: str, snapshot: Path) -> None:
    contents = members(snapshot)
    contents["tokens/000001.jsonl.zst"] = BAD_FRAMES[name]
    assert "tokens/000001.jsonl.zst" in refused(write(snapshot, contents))


def special(kind: bytes, name: str) -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)

    return add


def plain(name: str, content: bytes) -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))

    return add


@pytest.mark.parametrize(
    "member",
    [
        special(tarfile.SYMTYPE, "accounts/000001.jsonl.zst"),
        special(tarfile.DIRTYPE, "accounts"),
        special(tarfile.FIFOTYPE, "pipe"),
        plain("../../outside", b"x"),
        plain("/tmp/outside", b"x"),
        plain("accounts/000002.jsonl.zst", b"x"),
        plain("manifest.json", b"{}"),
        plain("long" * 60, b"x"),
    ],
)
def test_members_that_no_snapshot_has_are_refused(
    member: Callable[[tarfile.TarFile], None], snapshot: Path, here: Path
) -> None:
    whole = members(snapshot)
    manifest = whole.pop("manifest.json")
    with tarfile.open(here / "evil", "w") as tar:
        member(tar)
        for name, content in {**whole, "manifest.json": manifest}.items():
            plain(name, content)(tar)
    refused(here / "evil")


def test_no_member_may_be_missing_or_stand_elsewhere(snapshot: Path, here: Path) -> None:
    contents = members(snapshot)
    for name in ("accounts/000001.jsonl.zst", "journal/000001.jsonl.zst", "manifest.json"):
        refused(write(here / "short", {key: value for key, value in contents.items() if key != name}))
    refused(write(here / "turned", dict(reversed(contents.items()))))
    swapped = {**contents, "orders/000001.jsonl.zst": contents["trades/000001.jsonl.zst"]}
    assert "orders" in refused(write(here / "swapped", swapped))


BAD_MANIFESTS: dict[str, Callable[[Any], Any]] = {
    "no object": lambda _: [],
    "deep": lambda _: json.loads("[" * 900 + "]" * 900),
    "another format": lambda m: {**m, "format": "peakedex-snapshot-2"},
    "another schema": lambda m: {**m, "schema": "9999"},
    "one field more": lambda m: {**m, "more": 1},
    "one field less": lambda m: {key: value for key, value in m.items() if key != "state_hash"},
    "a negative block": lambda m: {**m, "block": -1},
    "a huge block": lambda m: {**m, "block": 10**30},
    "a fraction": lambda m: {**m, "block": 1.5},
    "no hash": lambda m: {**m, "state_hash": "zz"},
    "another state": lambda m: {**m, "state_hash": "0" * 64},
    "another journal": lambda m: {**m, "journal_hash": "0" * 64},
    "another block": lambda m: {**m, "block": m["block"] + 1},
    "another block id": lambda m: {**m, "block_id": "0" * 40},
    "another venue": lambda m: {**m, "venue_hash": "0" * 64},
    "a table more": lambda m: {
        **m,
        "tables": {**m["tables"], "lease": {"rows": 0, "bytes": 0, "sha256": "0" * 64}},
    },
    "a table less": lambda m: {**m, "tables": {k: v for k, v in m["tables"].items() if k != "trades"}},
    "no rows": lambda m: {
        **m,
        "tables": {**m["tables"], "trades": {"rows": 0, "bytes": 0, "sha256": "0" * 64}},
    },
}


@pytest.mark.parametrize("name", BAD_MANIFESTS)
def test_a_manifest_that_does_not_fit_is_refused(name: str, snapshot: Path) -> None:
    contents = members(snapshot)
    manifest = json.loads(contents["manifest.json"])
    contents["manifest.json"] = json.dumps(BAD_MANIFESTS[name](manifest)).encode()
    refused(write(snapshot, contents))


def test_a_manifest_that_is_not_json_is_refused(snapshot: Path) -> None:
    contents = members(snapshot)
    for text in (b"", b"\xff", b"{" * 100_000, b" " * (2 << 20), b"NaN"):
        refused(write(snapshot, {**contents, "manifest.json": text or b" "}))


def changed(rows: list[Any], at: int, column: int, value: Any) -> list[Any]:
    rows[at][column] = value
    return rows


BAD_VALUES = {
    "text for a number": ("trades", 5, "1"),
    "a number for text": ("accounts", 1, 5),
    "a fraction": ("trades", 5, 1.5),
    "beyond 64 bits": ("trades", 5, 2**63),
    "far beyond": ("trades", 5, 10**400),
    "beyond 16 bits": ("tokens", 2, 2**15),
    "null": ("trades", 5, None),
    "a number for a truth": ("orders", 5, 1),
    "too long": ("intents", 6, "x" * 33),
    "a list": ("trades", 5, []),
    "broken text": ("accounts", 1, "\ud800"),
}


@pytest.mark.parametrize("name", BAD_VALUES)
def test_rows_with_values_that_a_column_cannot_hold_are_refused(name: str, snapshot: Path) -> None:
    table, column, value = BAD_VALUES[name]
    rows = changed(rows_of(members(snapshot), table), 0, column, value)
    assert f"{table}/000001.jsonl.zst" in refused(lie(snapshot, {table: rows}))


@pytest.mark.parametrize(
    "text", [b"[1]\n", b"[1,2,3,4,5,6,7,8,9]\n", b"{}\n", b"nonsense\n", b"[" * 5_000 + b"\n"]
)
def test_lines_that_are_no_rows_are_refused(text: bytes, snapshot: Path) -> None:
    assert "tokens/000001.jsonl.zst" in refused(lie(snapshot, {"tokens": text}))


def more(table: str, column: int, by: int) -> Callable[[Members], dict[str, list[Any]]]:
    def change(contents: Members) -> dict[str, list[Any]]:
        rows = rows_of(contents, table)
        return {table: changed(rows, -1, column, rows[-1][column] + by)}

    return change


def without(table: str) -> Callable[[Members], dict[str, list[Any]]]:
    return lambda contents: {table: rows_of(contents, table)[:-1]}


def twice(table: str) -> Callable[[Members], dict[str, list[Any]]]:
    return lambda contents: {table: [*rows_of(contents, table), rows_of(contents, table)[-1]]}


def _rewritten(contents: Members) -> dict[str, list[Any]]:
    rows = rows_of(contents, "journal")
    rows[3][1] = rows[3][1].replace("\n", " \n", 1)
    return {"journal": rows}


def _emptied(contents: Members) -> dict[str, list[Any]]:
    return {"cursor": []}


def _broken_holdings(contents: Members) -> dict[str, list[Any]]:
    return {"holdings": changed(rows_of(contents, "holdings"), 0, 1, "nine")}


def _unlisted(contents: Members) -> dict[str, list[Any]]:
    return {"pairs": changed(rows_of(contents, "pairs"), 0, 1, "NONE")}


LIES: dict[str, tuple[Callable[[Members], dict[str, list[Any]]], str]] = {
    "somebody has more": (more("balances", 2, 1), "not a valid ledger"),
    "orders are counted on from elsewhere": (more("cursor", 7, 1), "state_hash is"),
    "a line of the journal is another": (_rewritten, "the journal of block .* is damaged"),
    "a block is missing": (without("blocks"), "hash chain breaks"),
    "the journal's end is missing": (without("journal"), "the journal has"),
    "no cursor": (_emptied, "has no venue"),
    "holdings that are no number": (_broken_holdings, "not a valid ledger"),
    "a pair of tokens that are not listed": (_unlisted, "the rows of pairs differ from the journal"),
}


@pytest.mark.parametrize("name", LIES)
def test_rows_that_fit_their_manifest_and_not_each_other_are_refused(name: str, snapshot: Path) -> None:
    change, says = LIES[name]
    contents = members(snapshot)
    with pytest.raises(SnapshotError, match=says):
        load(lie(snapshot, change(contents)), "new.db")
    assert files(Path.cwd()) == ["peakedex.snapshot"]


@pytest.mark.parametrize("table", ["accounts", "trades", "payout_notes"])
def test_a_key_that_comes_twice_is_refused_in_one_line(
    table: str, snapshot: Path, made: Path, here: Path
) -> None:
    if table.startswith("payout"):
        from tests.system.backup.archives import create

        create(str(made / "peakedex.db"), snapshot, payouts=True)
    run = peakedex(
        "snapshot", "restore", "--from", lie(snapshot, twice(table)(members(snapshot))), "--db", "new.db"
    )
    assert run.code == FAILED
    assert "UNIQUE" in run.complaint
    assert files(here) == ["peakedex.snapshot"]


def test_postgresql_is_left_as_empty_as_it_was(snapshot: Path, postgresql: str) -> None:
    with pytest.raises(SnapshotError, match=r"the journal of block .* is damaged"):
        load(lie(snapshot, _rewritten(members(snapshot))), postgresql)
    engine = open_reader(postgresql)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM accounts").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM cursor").scalar() == 0
    engine.dispose()


def test_what_the_disk_has_no_room_for_is_not_begun(
    snapshot: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(here)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1 << 20))
    with pytest.raises(StoreError, match="has 1 MB free, but"):
        restore_snapshot(snapshot, "new.db", RestoreChecks())
    assert files(here) == ["peakedex.snapshot"]
