"""Archives: blocks with their receipts, or an error with file, line and block."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from indexer.chain.blocks import Block, BlockError
from indexer.chain.integrity.merkle import merkle_root
from indexer.chain.receipts import Receipts
from indexer.devnet.generator.generate import generate
from indexer.devnet.rpc.block_methods import read_transaction
from indexer.sources.archive import ArchiveSource
from indexer.sources.archive_writer import ArchiveWriter
from indexer.sources.source import Cursor, Source, SourceError
from settlement.core.events import VenueFilter
from tests.support import blocks as chain
from tests.support import recorded_blocks as recorded
from tests.support.blocks import ESCROW, action, custom_json, moved, watch

CHAIN = chain.chain(10, *([[("vote", {"voter": "alice"})]] for _ in range(12)))
PAY = [custom_json(action("transfer", {"to": ESCROW}, "tokens"))]


REAL_NODES = Path(__file__).parents[2] / "data" / "real_nodes"
PAYMENTS = chain.chain(10, [PAY], [PAY], [PAY])
BEFORE = Cursor(9)


def receipts_of(hive_number: int, blocks: list[bytes] = PAYMENTS, number: int | None = None) -> bytes:
    """Receipts without transactions of one of the blocks, or of one that is not among them."""
    ids = {block.number: block.block_id for block in map(Block, blocks)}
    return chain.receipts(hive_number, {}, number, hive_id=ids.get(hive_number))


def write(path: Path, lines: list[bytes]) -> None:
    """A file of JSON lines, packed as its name says."""
    text = b"".join(line + b"\n" for line in lines)
    pack: Callable[[bytes], bytes] = {
        ".gz": gzip.compress,
        ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    }.get(path.suffix, bytes)
    path.write_bytes(pack(text))


def read(
    folder: Path, after: Cursor = BEFORE, looking: VenueFilter | None = None
) -> list[tuple[Block, Receipts | None]]:
    source: Source = ArchiveSource(folder, looking or watch())
    return list(source.blocks(after))


def numbers(found: list[tuple[Block, Receipts | None]]) -> list[int]:
    return [block.number for block, _ in found]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_files_are_read_in_name_order_whatever_their_packing(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"blocks-2{suffix}", CHAIN[5:])
    write(tmp_path / "blocks-1.jsonl", CHAIN[:5])
    write(tmp_path / "notes.txt", [b"no block"])
    assert numbers(read(tmp_path)) == list(range(10, 22))


def test_the_recorded_thousands_are_read_and_linked(tmp_path: Path) -> None:
    for name, first in (("hive_block_range_1-1000", 1), ("hive_block_range_1000000-1000999", 1_000_000)):
        folder = tmp_path / str(first)
        with ArchiveWriter(folder, first) as writer:
            for value in recorded.load(name):
                writer.write(chain.as_text(value))
        assert numbers(read(folder, Cursor(first - 1))) == list(range(first, first + 1000))


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    blocks = chain.chain(10, [PAY], [], [PAY])
    logs = {chain.transaction_id(10, 0): [moved("alice", ESCROW, "1")]}
    with ArchiveWriter(tmp_path, 10) as writer:
        spread_out = json.dumps(json.loads(blocks[0]), indent=2).encode()
        writer.write(spread_out, chain.receipts(10, logs, hive_id=Block(blocks[0]).block_id))
        writer.write(blocks[1])
        writer.write(blocks[2], chain.receipts(12, {}, hive_id=Block(blocks[2]).block_id))
    found = read(tmp_path)
    assert [(block.number, held and held.hive_number) for block, held in found] == [
        (10, 10),
        (11, None),
        (12, 12),
    ]
    assert found[0][1] is not None
    assert len(found[0][1].logs_of(chain.transaction_id(10, 0))) == 1
    with pytest.raises(FileExistsError):
        ArchiveWriter(tmp_path, 10)


def test_blocks_before_the_cursor_are_skipped(tmp_path: Path) -> None:
    write(tmp_path / "blocks.jsonl", CHAIN)
    assert numbers(read(tmp_path, Cursor(15))) == list(range(16, 22))
    assert numbers(read(tmp_path, Cursor(15, Block(CHAIN[5]).block_id))) == list(range(16, 22))
    assert numbers(read(tmp_path, Cursor(21, Block(CHAIN[11]).block_id))) == []


def test_an_archive_that_ends_before_the_cursor_is_not_that_of_this_database(tmp_path: Path) -> None:
    write(tmp_path / "blocks.jsonl", CHAIN)
    with pytest.raises(SourceError, match="ends at block 21, before block 30"):
        read(tmp_path, Cursor(30))


def test_an_archive_that_begins_too_late_has_a_gap(tmp_path: Path) -> None:
    write(tmp_path / "blocks.jsonl", CHAIN)
    with pytest.raises(SourceError, match=r"blocks.jsonl, line 1: block 10 follows block 4: a gap"):
        read(tmp_path, Cursor(4))


@pytest.mark.parametrize("number", [15, 16])
def test_another_chain_than_that_of_the_cursor_is_a_conflict(tmp_path: Path, number: int) -> None:
    """Whether the archive holds the cursor's own block, or only what comes after it."""
    write(tmp_path / "blocks.jsonl", CHAIN[number - 10 :])
    other = Block(CHAIN[5]).block_id[:8] + "00" * 16
    with pytest.raises(SourceError, match=rf"blocks.jsonl, line 1: block {number} .*{other}"):
        read(tmp_path, Cursor(15, other))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([*CHAIN[:3], *CHAIN[4:]], "line 4: block 14 follows block 12: a gap"),
        ([*CHAIN[:3], CHAIN[2]], "line 4: block 12 follows block 12"),
        ([*CHAIN[:3], CHAIN[1]], "line 4: block 11 follows block 12"),
        ([*CHAIN[:3], chain.block(13)], "line 4: block 13 does not link"),
        ([*CHAIN[:3], CHAIN[3][:-30]], "line 4: block 13 cannot be read: malformed"),
        ([*CHAIN[:3], CHAIN[3][:200], CHAIN[3][200:]], "line 4: block 13 cannot be read"),
        ([*CHAIN[:3], CHAIN[3].replace(b'"alice"', b'"alice')], "line 4: block 13 cannot be read"),
        ([*CHAIN[:3], b"", CHAIN[3]], "line 4: block 13 cannot be read"),
        ([*CHAIN[:3], b"{}", CHAIN[3]], "line 4: block 13 cannot be read: .*block_id"),
        ([b"what is this"], "line 1: the first block cannot be read"),
        (
            [chain.as_text({**chain.block_value(10, [PAY]), "transaction_ids": []})],
            "line 1: .*block 10: 0 transaction",
        ),
    ],
)
def test_a_broken_line_stops_the_read_with_its_place(
    tmp_path: Path, lines: list[bytes], problem: str
) -> None:
    write(tmp_path / "blocks.jsonl", lines)
    with pytest.raises(SourceError, match=rf"blocks.jsonl, {problem}"):
        read(tmp_path)


def test_a_block_whose_id_is_not_that_of_its_header_is_refused(tmp_path: Path) -> None:
    altered = CHAIN[3].replace(b'"witness":"initminer"', b'"witness":"mallory.x"')
    write(tmp_path / "blocks.jsonl", [*CHAIN[:3], altered, *CHAIN[4:]])
    with pytest.raises(
        SourceError, match=r"blocks.jsonl, line 4: block 13 .*: the id .* does not match its header"
    ):
        read(tmp_path)
    write(tmp_path / "blocks.jsonl", CHAIN)
    assert len(read(tmp_path)) == len(CHAIN)


class DevnetVerifier:
    """A verifier that serializes what the devnet's operations need, in place of hiveio-wax."""

    def can_check(self, block: Block) -> bool:
        return not isinstance(json.loads(block.raw)["transactions"][0]["operations"][0], list)

    def check(self, block: Block) -> None:
        signed = [read_transaction(raw) for raw in json.loads(block.raw)["transactions"]]
        if merkle_root([row.merkle_leaf() for row in signed]) != block.fields.transaction_merkle_root:
            raise BlockError("its transactions do not match its merkle root")


def test_with_a_verifier_a_changed_operation_is_refused_and_without_one_that_is_said(tmp_path: Path) -> None:
    blocks = [chain.as_text(block) for block in generate(seed=3, blocks=8, ops_per_block=5).blocks]
    folder = tmp_path / "whole"
    folder.mkdir()
    write(folder / "blocks.jsonl", blocks)
    source = ArchiveSource(folder, watch(), verifier=DevnetVerifier())
    assert len(list(source.blocks(Cursor(0)))) == 8
    assert source.checks == "block ids, links and merkle roots"
    forged = next(line for line, text in enumerate(blocks) if b'quantity\\":\\"1' in text)
    blocks[forged] = blocks[forged].replace(b'quantity\\":\\"1', b'quantity\\":\\"2', 1)
    write(folder / "blocks.jsonl", blocks)
    with pytest.raises(SourceError, match=f"line {forged + 1}: .* do not match its merkle root"):
        list(ArchiveSource(folder, watch(), verifier=DevnetVerifier()).blocks(Cursor(0)))
    source = ArchiveSource(folder, watch())
    assert len(list(source.blocks(Cursor(0)))) == 8
    assert source.checks == "block ids and links; not that the transactions are those of the block"


def test_blocks_that_the_verifier_cannot_serialize_are_counted(tmp_path: Path) -> None:
    """Blocks in condenser_api's shape."""
    blocks = [chain.as_text(block) for block in generate(seed=3, blocks=8, ops_per_block=5).blocks]
    value = json.loads(blocks[2])
    for transaction in value["transactions"]:
        transaction["operations"] = [
            [row["type"].removesuffix("_operation"), row["value"]] for row in transaction["operations"]
        ]
    blocks[2] = chain.as_text(value)
    write(tmp_path / "blocks.jsonl", blocks)
    source = ArchiveSource(tmp_path, watch(), verifier=DevnetVerifier())
    assert len(list(source.blocks(Cursor(0)))) == 8
    assert source.checks == "block ids, links and merkle roots of 7 of 8 blocks"


def test_what_stands_before_a_broken_line_was_read(tmp_path: Path) -> None:
    write(tmp_path / "blocks.jsonl", [*CHAIN[:3], b"{"])
    blocks = ArchiveSource(tmp_path, watch()).blocks(Cursor(9))
    found = [next(blocks)[0].number for _ in range(3)]
    with pytest.raises(SourceError):
        next(blocks)
    assert found == [10, 11, 12]


def test_a_line_end_may_be_missing_at_the_end_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "blocks-1.jsonl").write_bytes(b"\n".join(CHAIN[:3]))
    (tmp_path / "blocks-2.jsonl").write_bytes(b"\r\n".join(CHAIN[3:]))
    assert numbers(read(tmp_path)) == list(range(10, 22))


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "nothing"])
def test_a_damaged_file_stops_the_read(tmp_path: Path, suffix: str, damage: str) -> None:
    path = tmp_path / f"blocks{suffix}"
    write(path, CHAIN)
    packed = path.read_bytes()
    if damage == "cut":
        path.write_bytes(packed[:-10])
    elif damage == "flipped":
        path.write_bytes(packed[:60] + bytes([packed[60] ^ 0xFF]) + packed[61:])
    else:
        path.write_bytes(b"this was never packed")
    with pytest.raises(SourceError, match=rf"blocks{suffix}, line \d+: "):
        read(tmp_path)


def test_a_file_may_be_packed_in_several_frames(tmp_path: Path) -> None:
    packed = [zstandard.ZstdCompressor().compress(line + b"\n") for line in CHAIN]
    (tmp_path / "blocks.jsonl.zst").write_bytes(b"".join(packed))
    assert numbers(read(tmp_path)) == list(range(10, 22))
    (tmp_path / "blocks.jsonl.zst").write_bytes(b"".join(packed)[:-5])
    with pytest.raises(SourceError, match="line 12: cannot be read: the zstd frame is truncated"):
        read(tmp_path)


def test_lines_longer_than_a_chunk_are_joined(tmp_path: Path) -> None:
    long = chain.chain(10, *([[("comment", {"body": "x" * 200_000})]] for _ in range(3)))
    write(tmp_path / "blocks.jsonl", long)
    assert [block.raw for block, _ in read(tmp_path)] == long


def test_a_folder_without_blocks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no blocks"):
        ArchiveSource(tmp_path, watch())
    with pytest.raises(SourceError, match="No such file"):
        ArchiveSource(tmp_path / "nowhere", watch())


# ------------------------------------------------------------------ receipts


def test_receipts_come_with_their_blocks(tmp_path: Path) -> None:
    write(tmp_path / "blocks.jsonl", CHAIN)
    write(tmp_path / "receipts-1.jsonl.gz", [receipts_of(number, CHAIN) for number in (3, 9, 10, 13)])
    write(tmp_path / "receipts-2.jsonl.zst", [receipts_of(number, CHAIN) for number in (14, 21, 25)])
    found = read(tmp_path, Cursor(11))
    assert [block.number for block, receipts in found if receipts] == [13, 14, 21]
    assert all(receipts.hive_number == block.number for block, receipts in found if receipts)


def test_candidates_for_which_nothing_was_recorded_are_counted(tmp_path: Path) -> None:
    """The recording is complete, so that nothing means nothing; but many of them are worth a warning."""
    blocks = chain.chain(10, [PAY], [], [PAY], [PAY])
    write(tmp_path / "blocks.jsonl", blocks)
    write(tmp_path / "receipts.jsonl", [receipts_of(12, blocks)])
    source = ArchiveSource(tmp_path, watch())
    assert len(list(source.blocks(Cursor(9)))) == 4
    assert source.candidates_without_receipts == 2
    assert source.catching_up
    assert source.waiting is None


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([receipts_of(11), receipts_of(11, number=12)], "line 2: the receipts of Hive block 11 "),
        ([receipts_of(12), receipts_of(12, number=13)], "line 2: the receipts of Hive block 12 "),
        ([receipts_of(12), receipts_of(11, number=13)], "line 2: the receipts of Hive block 11 "),
        ([receipts_of(11, number=8), receipts_of(12, number=8)], "line 2: .*sidechain block 8"),
        ([receipts_of(11), b"{"], "line 2: .*after Hive block 11"),
        ([receipts_of(11)[:-9]], "line 1: "),
        (
            [receipts_of(11).replace(b'"transactions"', b'"others"')],
            "line 1: receipts of Hive block 11: .*transactions",
        ),
        (
            [receipts_of(10), chain.receipts(12, {}, hive_id="0000000c" + "ee" * 16)],
            "line 2: the receipts of Hive block 12 are of 0000000cee.*, and Hive's block is 0000000c",
        ),
        (
            [b'{"blockNumber":1,"refHiveBlockNumber":11,"transactions":[]}'],
            "line 1: the receipts of Hive block 11 have no refHiveBlockId",
        ),
    ],
)
def test_broken_receipts_stop_the_read_with_their_place(
    tmp_path: Path, lines: list[bytes], problem: str
) -> None:
    write(tmp_path / "blocks.jsonl", PAYMENTS)
    write(tmp_path / "receipts.jsonl", lines)
    with pytest.raises(SourceError, match=rf"receipts.jsonl, {problem}"):
        read(tmp_path)


def test_receipts_of_a_dropped_hive_block_stop_the_read_although_no_candidate_needs_them(
    tmp_path: Path,
) -> None:
    write(tmp_path / "blocks.jsonl", CHAIN)
    write(tmp_path / "receipts.jsonl", [receipts_of(11, CHAIN), chain.receipts(15, {}, hive_id="f" * 40)])
    with pytest.raises(
        SourceError, match=r"receipts.jsonl, line 2: the receipts of Hive block 15 are of fff"
    ):
        read(tmp_path)


def test_a_header_extension_of_an_unknown_kind_makes_the_id_unverifiable_and_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As recorded from hived's source for the next hardfork."""
    stamped = json.loads((REAL_NODES / "hf29_state_stamp.json").read_text())
    block_id = stamped["block_id"]
    later = [json.loads(text) for text in chain.chain(43, [], [])]
    blocks = [stamped, {**later[0], "previous": block_id, "extensions": stamped["extensions"]}]
    write(tmp_path / "blocks.jsonl", list(map(chain.as_text, blocks)))
    source = ArchiveSource(tmp_path, watch())
    assert numbers(list(source.blocks(Cursor(41)))) == [42, 43]
    (record,) = [record for record in caplog.records if "extension" in record.getMessage()]
    assert "blocks.jsonl, line 1: block 42" in record.getMessage()
    assert "Update Peake DEX" in record.getMessage()
