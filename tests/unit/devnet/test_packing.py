"""Ids, merkle roots and signatures, verified with recorded blocks of the public chain."""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from beem.amount import Amount  # noqa: F401  (importing beem's base alone leaves its objects half made)
from beembase.operations import Account_update as BeemAccountUpdate
from beembase.operations import Custom_json as BeemCustomJson
from beembase.operations import Transfer as BeemTransfer
from beembase.signedtransactions import Signed_Transaction

from indexer.devnet.hive.account_update import AccountUpdate, AuthorityValue
from indexer.devnet.hive.keys import PlaceholderSigner, PrivateKey, SignatureError, recover_public_key
from indexer.devnet.hive.operations import (
    Coin,
    CustomJson,
    Operation,
    OperationError,
    Transfer,
    block_api_operation,
    condenser_operation,
    parse_operation,
)
from indexer.devnet.hive.serialization import (
    EMPTY_MERKLE_ROOT,
    Transaction,
    block_id,
    iso_time,
    merkle_root,
    pack_header,
    pack_operation,
    pack_varint,
    parse_time,
    reference,
)
from settlement.core.parsing.names import is_account

RECORDED = Path(__file__).parents[2] / "data" / "hive_blocks"
RANGE = "hive_block_range_1000000-1000999.json.gz"
OLD = "haf_blocks_3286849_5771683_6531076.json.gz"
YOUNG = "hafah_blocks_4999981-5000000.json.gz"
MIRROR = "workerbee_mirrornet_blocks_97477292-97477298.json.gz"
KNOWN = {"transfer_operation", "custom_json_operation"}


def recorded_blocks(name: str = RANGE) -> list[dict[str, Any]]:
    loaded = json.loads(gzip.decompress((RECORDED / name).read_bytes()))
    blocks = loaded["blocks"] if isinstance(loaded, dict) else loaded
    return [block.get("block", block) for block in blocks]


def transaction_of(raw: dict[str, Any]) -> Transaction:
    return Transaction(
        raw["ref_block_num"],
        raw["ref_block_prefix"],
        parse_time(raw["expiration"]),
        tuple(parse_operation(operation) for operation in raw["operations"]),
        tuple(bytes.fromhex(signature) for signature in raw["signatures"]),
    )


def test_block_ids_recompute_from_recorded_headers() -> None:
    for block in recorded_blocks():
        header = pack_header(
            bytes.fromhex(block["previous"]),
            parse_time(block["timestamp"]),
            block["witness"],
            bytes.fromhex(block["transaction_merkle_root"]),
        )
        number = int(block["block_id"][:8], 16)
        assert block_id(number, header, bytes.fromhex(block["witness_signature"])).hex() == block["block_id"]


def test_witness_keys_recover_from_recorded_signatures() -> None:
    for block in recorded_blocks()[:5]:
        header = pack_header(
            bytes.fromhex(block["previous"]),
            parse_time(block["timestamp"]),
            block["witness"],
            bytes.fromhex(block["transaction_merkle_root"]),
        )
        key = recover_public_key(hashlib.sha256(header).digest(), bytes.fromhex(block["witness_signature"]))
        assert key == block["signing_key"]


def test_transaction_ids_recompute_where_both_operations_are_known() -> None:
    ids = 0
    for block in [*recorded_blocks(MIRROR), *recorded_blocks(OLD), *recorded_blocks()]:
        for raw, ident in zip(block["transactions"], block["transaction_ids"], strict=True):
            if {operation["type"] for operation in raw["operations"]} <= KNOWN:
                assert transaction_of(raw).id == ident
                ids += 1
    assert ids >= 60


def vote_leaf(raw: dict[str, Any]) -> bytes:
    """The merkle leaf of a transaction of votes, packed by hand."""
    packed = struct.pack("<HII", raw["ref_block_num"], raw["ref_block_prefix"], parse_time(raw["expiration"]))
    packed += pack_varint(len(raw["operations"]))
    for operation in raw["operations"]:
        value = operation["value"]
        packed += b"\0"
        for text in (value["voter"], value["author"], value["permlink"]):
            packed += pack_varint(len(text.encode())) + text.encode()
        packed += struct.pack("<h", value["weight"])
    signatures = [bytes.fromhex(signature) for signature in raw["signatures"]]
    return hashlib.sha256(packed + b"\0" + pack_varint(len(signatures)) + b"".join(signatures)).digest()


def test_merkle_roots_recompute_from_recorded_blocks() -> None:
    sizes = []
    for block in [*recorded_blocks(YOUNG), *recorded_blocks()]:
        kinds = [{op["type"] for op in raw["operations"]} for raw in block["transactions"]]
        if not kinds or any(kind != {"vote_operation"} and not kind <= KNOWN for kind in kinds):
            continue
        leaves = [
            transaction_of(raw).merkle_leaf() if kind <= KNOWN else vote_leaf(raw)
            for raw, kind in zip(block["transactions"], kinds, strict=True)
        ]
        assert merkle_root(leaves).hex() == block["transaction_merkle_root"]
        sizes.append(len(leaves))
    assert len(sizes) >= 5
    assert max(sizes) >= 2


def test_merkle_root_of_nothing_is_zeros_and_an_odd_leaf_is_carried_up() -> None:
    one, two, three = (hashlib.sha256(bytes([number])).digest() for number in (1, 2, 3))
    pair = hashlib.sha256(one + two).digest()
    top = hashlib.sha256(pair + three).digest()
    assert merkle_root([]) == EMPTY_MERKLE_ROOT
    assert merkle_root([one, two, three]) == hashlib.new("ripemd160", top).digest()


KEY = PrivateKey("a key").public_key
OPERATIONS: list[Operation] = [
    Transfer("alice", "bobby", Coin(1234, "HIVE"), "Grüße, 東京"),
    Transfer("alice", "bobby", Coin(1, "HBD"), ""),
    CustomJson(("alice",), (), "ssc-mainnet-hive", '{"a":"' + "x" * 300 + '"}'),
    CustomJson((), ("alice", "bobby"), "x", "[]"),
    AccountUpdate(
        *("alice", AuthorityValue(2, (("bobby", 1), ("carol", 1)), ()), AuthorityValue(1, (), ((KEY, 1),))),
        *(None, KEY, ""),
    ),
]
MAKERS = {
    "transfer": BeemTransfer,
    "custom_json": BeemCustomJson,
    "account_update": BeemAccountUpdate,
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_legacy_packing_is_that_of_beem(operation: Operation) -> None:
    transaction = Transaction(17740, 572464355, 1_700_000_000, (operation,))
    name, value = condenser_operation(operation)
    assert isinstance(value, dict)
    theirs = Signed_Transaction(
        ref_block_num=17740,
        ref_block_prefix=572464355,
        expiration=iso_time(1_700_000_000),
        operations=[MAKERS[str(name)]({**value, "prefix": "STM"})],
    )
    theirs.data["signatures"].data = []
    packed = bytes(theirs)[:-1]  # without the empty list of signatures
    assert transaction.unsigned_bytes == packed


def test_the_new_packing_writes_an_amount_by_its_number() -> None:
    packed = pack_operation(Transfer("alice", "bobby", Coin(1234, "HIVE"), ""), "nai")
    assert packed.endswith((1234).to_bytes(8, "little") + bytes.fromhex("2320bcbe") + b"\0")
    packed = pack_operation(Transfer("alice", "bobby", Coin(1234, "HBD"), ""), "nai")
    assert packed.endswith((1234).to_bytes(8, "little") + bytes.fromhex("0320bcbe") + b"\0")


def test_varints_grow_by_seven_bits() -> None:
    assert [pack_varint(number).hex() for number in (0, 127, 128, 300, 16384)] == [
        "00",
        "7f",
        "8001",
        "ac02",
        "808001",
    ]


def test_both_shapes_are_read_back() -> None:
    for operation in OPERATIONS:
        assert parse_operation(block_api_operation(operation)) == operation
        assert parse_operation(condenser_operation(operation)) == operation


@pytest.mark.parametrize(
    "raw",
    [
        None,
        7,
        [],
        ["transfer"],
        ["vote", {}],
        ["transfer", {"from": "alice", "to": "bobby", "amount": "1.0 HIVE"}],
        ["transfer", {"from": "alice", "to": "bobby", "amount": "1.000 VESTS"}],
        ["transfer", {"from": "alice", "to": "bobby", "amount": "-1.000 HIVE"}],
        ["transfer", {"from": "alice", "to": "bobby", "amount": "0.000 HIVE"}],
        ["transfer", {"from": "alice", "to": "Bobby", "amount": "1.000 HIVE"}],
        ["transfer", {"from": "alice", "to": "bobby", "amount": "1.000 HIVE", "memo": "x" * 2048}],
        ["transfer", {"from": "alice", "to": "bobby", "amount": "1.000 HIVE", "memo": "\ud800"}],
        {"type": "transfer_operation", "value": {"from": "alice", "to": "bobby", "amount": {"amount": "1"}}},
        ["custom_json", {"required_auths": [], "required_posting_auths": [], "id": "x", "json": "{}"}],
        ["custom_json", {"required_auths": ["alice"], "id": "x" * 33, "json": "{}"}],
        ["custom_json", {"required_auths": ["alice"], "id": "x", "json": "x" * 8193}],
        ["custom_json", {"required_auths": ["alice"], "id": "x", "json": {}}],
        ["custom_json", {"required_auths": "alice", "id": "x", "json": "{}"}],
    ],
)
def test_what_no_node_takes_is_refused(raw: object) -> None:
    with pytest.raises(OperationError):
        parse_operation(raw)


def test_accounts_that_sign_are_sorted_as_the_chain_sorts_them() -> None:
    operation = parse_operation(
        ["custom_json", {"required_auths": ["zed", "alice", "zed"], "id": "x", "json": "{}"}]
    )
    assert isinstance(operation, CustomJson)
    assert operation.required_auths == ("alice", "zed")


def test_account_names() -> None:
    good = ["abc", "peakedex.hive", "a-b-c", "x12", "abcdefghijklmnop", "abc.def.ghi", "ab--c"]
    bad = ["ab", "abcdefghijklmnopq", "Abc", "1bc", "abc-", "abc.de", "abc..def", "", "abc\n", "ábc"]
    assert [name for name in good if not is_account(name)] == []
    assert [name for name in bad if is_account(name)] == []


def test_a_key_signs_canonically_and_is_recovered() -> None:
    key = PrivateKey("seed")
    for number in range(8):
        digest = hashlib.sha256(bytes([number])).digest()
        signature = key.sign(digest)
        assert signature == key.sign(digest)
        assert len(signature) == 65
        assert not signature[1] & 0x80
        assert not signature[33] & 0x80
        assert recover_public_key(digest, signature) == key.public_key
        assert recover_public_key(hashlib.sha256(digest).digest(), signature) != key.public_key


def test_no_key_comes_out_of_bad_signatures() -> None:
    digest = bytes(32)
    for signature in (b"", bytes(65), b"\x1f" + bytes(64), b"\x1f" + b"\xff" * 64, b"\x30" + b"\x01" * 64):
        with pytest.raises(SignatureError):
            recover_public_key(digest, signature)


def test_the_placeholder_looks_like_a_signature() -> None:
    signer = PlaceholderSigner("x")
    assert signer.sign(b"1") == signer.sign(b"1") != signer.sign(b"2")
    assert len(signer.sign(b"1")) == 65
    assert signer.public_key.startswith("STM")


def test_a_reference_is_out_of_the_block_id() -> None:
    ident = bytes.fromhex("000f454ce31c1f22ddbddde9f409995fdd35c38c")
    assert reference(ident) == (0x454C, 0x221F1CE3)
