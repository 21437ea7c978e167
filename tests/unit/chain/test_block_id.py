"""Block ids recomputed from headers, which detects altered headers."""

from __future__ import annotations

import hashlib
import struct
from itertools import pairwise
from typing import Any

import pytest

from indexer.chain.blocks import Block, BlockError, HeaderFields
from indexer.chain.integrity.block_id import block_id_of, header_digest, pack_header
from tests.support import blocks as chain
from tests.support import recorded_blocks as recorded

HEADER = HeaderFields(
    block_id="00000002" + "00" * 16,
    previous="00000001" + "11" * 16,
    timestamp="2016-03-24T16:05:36",
    witness="initminer",
    transaction_merkle_root="22" * 20,
    witness_signature="1f" + "33" * 64,
)


def with_extensions(*extensions: Any) -> HeaderFields:
    return HeaderFields(
        **{
            **{name: getattr(HEADER, name) for name in HEADER.__struct_fields__},
            "extensions": list(extensions),
        }
    )


@pytest.mark.parametrize("name", recorded.BLOCK_FILES)
def test_every_recorded_block_has_the_id_that_its_header_gives(name: str) -> None:
    blocks = [Block(chain.as_text(value)) for value in recorded.load(name)]
    assert blocks
    for block in blocks:
        assert block_id_of(block) == block.block_id
    for before, block in pairwise(blocks):
        assert block.previous == before.block_id or block.number != before.number + 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("witness", "mallory"),
        ("timestamp", "2016-04-29T04:12:01"),
        ("previous", "000f423f" + "00" * 16),
        ("transaction_merkle_root", "01" + "00" * 19),
        ("witness_signature", "20" + "00" * 64),
        ("extensions", [{"type": "version", "value": "0.1.0"}]),
    ],
)
def test_whatever_is_changed_in_a_header_shows_in_its_id(field: str, value: object) -> None:
    block = recorded.load("hive_block_range_1000000-1000999")[0]
    altered = Block(chain.as_text({**block, field: value}))
    assert block_id_of(altered) != altered.block_id


def test_a_header_is_packed_as_hived_does() -> None:
    assert pack_header(HEADER) == b"".join(
        [
            bytes.fromhex(HEADER.previous),
            struct.pack("<I", 1458835536),
            b"\x09initminer",
            b"\x22" * 20,
            b"\x00",
        ]
    )
    assert header_digest(HEADER) == hashlib.sha256(pack_header(HEADER)).digest()


@pytest.mark.parametrize(
    ("forms", "packed"),
    [
        (
            [{"type": "version", "value": "1.27.5"}, ["version", "1.27.5"], [1, "1.27.5"]],
            b"\x01\x05\x00\x1b\x01",
        ),
        (
            [
                {
                    "type": "hardfork_version_vote",
                    "value": {"hf_version": "0.14.0", "hf_time": "2016-09-20T15:00:00"},
                },
                [2, {"hf_version": "0.14.0", "hf_time": "2016-09-20T15:00:00"}],
            ],
            b"\x02\x00\x00\x0e\x00" + struct.pack("<I", 1474383600),
        ),
        ([[0, {}], {"type": "void_t", "value": {}}], b"\x00"),
    ],
)
def test_each_form_of_an_extension_is_packed_alike(forms: list[object], packed: bytes) -> None:
    for form in forms:
        assert pack_header(with_extensions(form)) == pack_header(HEADER)[:-1] + b"\x01" + packed
    assert pack_header(with_extensions(*forms[:2])) == pack_header(HEADER)[:-1] + b"\x02" + 2 * packed


@pytest.mark.parametrize(
    "extension",
    [
        *(5, [], [1], {"type": "version"}, [9, {}], ["nonsense", "1.0.0"], [True, 1], [1, 5]),
        *([1, "1.0"], [1, "01.0.0"], [1, "1.256.0"], [1, "1.0.65536"], [2, {"hf_version": "1.0.0"}]),
        [2, {"hf_version": "1.0.0", "hf_time": "soon"}],
    ],
)
def test_an_extension_that_hived_does_not_know_is_refused(extension: object) -> None:
    with pytest.raises(BlockError):
        pack_header(with_extensions(extension))


@pytest.mark.parametrize("field", ["witness", "transaction_merkle_root", "witness_signature"])
def test_a_header_that_lacks_a_field_has_no_id(field: str) -> None:
    value = chain.block_value(5)
    del value[field]
    with pytest.raises(BlockError, match=field):
        block_id_of(Block(chain.as_text(value)))


def test_a_field_of_the_wrong_length_is_refused() -> None:
    block = Block(chain.as_text({**chain.block_value(5), "witness_signature": "1f 00"}))
    with pytest.raises(BlockError, match="witness_signature must be 130"):
        block_id_of(block)
