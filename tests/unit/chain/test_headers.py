"""Header lines: what is written gives the same ids when it is read, and nothing else is accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from indexer.chain.blocks import NO_BLOCK, Block, BlockError
from indexer.chain.headers import HeaderReader, header_line
from tests.support.blocks import watch
from tests.system.store.chains import lively

BLOCKS = [Block(raw) for raw in lively(blocks=40).blocks]
"""With the versions and hardfork votes that some headers have."""


def reader() -> HeaderReader:
    return HeaderReader(0, NO_BLOCK, watch())


def lines() -> list[bytes]:
    times = [0, *(block.timestamp for block in BLOCKS)]
    return [header_line(block, before).encode() for block, before in zip(BLOCKS, times, strict=False)]


def test_the_same_headers_come_back() -> None:
    read = reader()
    for line, block in zip(lines(), BLOCKS, strict=True):
        header = read.read(line.removesuffix(b"\n"))
        assert header.header == block.header
        assert header.previous == block.previous
        assert header.transactions == []
    assert read.unverifiable == 0


def extended(extensions: Any) -> Block:
    """The first block with other extensions, and the id that they give where that is known."""
    fields = json.loads(BLOCKS[0].raw) | {"extensions": extensions}
    try:
        header_line(Block(json.dumps(fields).encode()), 0)
    except BlockError:
        read = reader()
        words = lines()[0].decode().split()[:4]
        text = json.dumps(extensions, separators=(",", ":")).replace(" ", "\\u0020")
        fields["block_id"] = read.read(" ".join([*words, text]).encode()).block_id
    return Block(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "extensions",
    [
        [{"type": "version", "value": "1.27.11"}],
        [["hardfork_version_vote", {"hf_version": "1.28.0", "hf_time": "2026-01-01T00:00:00"}]],
        [{"type": "version", "value": "0.0.1"}, {"type": "void_t", "value": {}}],
    ],
)
def test_headers_with_extensions(extensions: Any) -> None:
    block = extended(extensions)
    assert reader().read(header_line(block, 0).encode().removesuffix(b"\n")).block_id == block.block_id


def test_an_unknown_extension_keeps_the_id_that_the_line_says() -> None:
    fields = json.loads(BLOCKS[0].raw) | {"extensions": [{"type": "news", "value": "a b"}]}
    block = Block(json.dumps(fields).encode())
    read = reader()
    line = header_line(block, 0).encode().removesuffix(b"\n")
    assert read.read(line).block_id == block.block_id
    assert read.unverifiable == 1


def test_an_id_beside_a_header_that_gives_one_is_refused() -> None:
    block = extended([{"type": "version", "value": "1.27.11"}])
    line = header_line(block, 0).rstrip("\n") + f" {block.block_id}"
    with pytest.raises(BlockError, match="although it can be computed"):
        reader().read(line.encode())


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"3",
        b"x w - 00",
        b"3 w - " + b"0" * 128,
        b"3 w " + b"0" * 39 + b" " + b"0" * 130,
        b"3  - " + b"0" * 130,
        b"3 " + b"w" * 200 + b" - " + b"0" * 130,
        b"-1 w - " + b"0" * 130,
        b"99999999999 w - " + b"0" * 130,
        b"3 w - " + b"0" * 130 + b" {",
        b"3 w - " + b"0" * 130 + b" []" + b" x",
        b"3 w - " + b"0" * 130 + b" [[1]]",
        b"3 w - " + b"\xff" * 130,
    ],
)
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(BlockError):
        reader().read(line)
