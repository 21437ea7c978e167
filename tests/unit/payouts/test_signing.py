"""Serialization, ids and signatures of payments, compared with the devnet's implementation."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace

import pytest
from beembase.signedtransactions import Signed_Transaction
from hypothesis import given
from hypothesis import strategies as st

from indexer.devnet.hive.keys import PrivateKey, recover_public_key
from indexer.devnet.rpc.block_methods import read_transaction
from settlement.core.journal.lines import iso_time
from settlement.net.chain_id import MAINNET
from settlement.net.hive_formats import format_wif
from settlement.payouts.signing import transactions as signing
from settlement.payouts.signing.transactions import (
    Key,
    Operation,
    SignedTransaction,
    SigningError,
    Transaction,
    signer,
    unix_time,
)
from tests.support.examples import examples

ONE = PrivateKey("one")
TRANSFER: Operation = ("transfer", {"from": "alice", "to": "bobby", "amount": "1.500 HBD", "memo": "Grüße"})
CUSTOM: Operation = (
    "custom_json",
    {
        "required_auths": ["alice"],
        "required_posting_auths": [],
        "id": "ssc-mainnet-hive",
        "json": '{"a":"東"}',
    },
)
MADE = Transaction((TRANSFER, CUSTOM), 17740, 572464355, 1_700_000_060)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
names = st.from_regex(r"[a-z][a-z0-9]{2,15}", fullmatch=True)
transfers = st.builds(
    lambda sender, to, mils, coin, memo: (
        "transfer",
        {"from": sender, "to": to, "amount": f"{mils // 1000}.{mils % 1000:03d} {coin}", "memo": memo},
    ),
    *(names, names, st.integers(1, 2**53), st.sampled_from(["HIVE", "HBD"]), texts),
)
jsons = st.builds(
    lambda account, ident, text: (
        "custom_json",
        {"required_auths": [account], "required_posting_auths": [], "id": ident, "json": text},
    ),
    *(names, names, texts.map(lambda text: json.dumps([text]))),
)
transactions = st.builds(
    Transaction,
    st.lists(transfers | jsons, min_size=1, max_size=3).map(tuple),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)


@examples(60)
@given(transactions)
def test_the_bytes_are_hives(made: Transaction) -> None:
    """Packing, id and digest as the devnet, which took them from recorded blocks, has them."""
    read = read_transaction(SignedTransaction(made, ()).to_json())
    assert made.packed == read.unsigned_bytes
    assert made.id == read.id
    assert made.digest(MAINNET) == read.digest(bytes.fromhex(MAINNET))
    assert Transaction.of_json(json.loads(json.dumps(made.to_json()))) == made


def test_beem_signs_these_bytes_and_the_key_is_recovered() -> None:
    for operations in ((TRANSFER,), (CUSTOM,), (TRANSFER, CUSTOM)):
        made = replace(MADE, operations=operations)
        signature = Key(ONE.wif).sign(made, MAINNET)
        assert signer(made, signature, MAINNET) == ONE.public_key == Key(ONE.wif).public
        assert recover_public_key(made.digest(MAINNET), bytes.fromhex(signature)) == ONE.public_key


def test_a_signature_is_for_one_chain_and_one_transaction() -> None:
    signature = Key(ONE.wif).sign(MADE, MAINNET)
    others = [
        (MADE, "00" * 32),
        (replace(MADE, expires=MADE.expires + 1), MAINNET),
        (replace(MADE, ref_block_num=1), MAINNET),
        (replace(MADE, operations=(TRANSFER,)), MAINNET),
    ]
    for made, chain_id in others:
        assert _recovered(made, signature, chain_id) != ONE.public_key


def _recovered(made: Transaction, signature: str, chain_id: str) -> str | None:
    try:
        return signer(made, signature, chain_id)
    except SigningError:
        return None


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_the_other_form_of_a_signature_is_refused_as_the_chain_refuses_it() -> None:
    """(r, order − s) recovers to the same key: combined into a transaction it would spoil all of it."""
    raw = bytes.fromhex(Key(ONE.wif).sign(MADE, MAINNET))
    turned = bytes((31 + ((raw[0] - 31) ^ 1),)) + raw[1:33]
    turned += (ORDER - int.from_bytes(raw[33:], "big")).to_bytes(32, "big")
    assert recover_public_key(MADE.digest(MAINNET), turned) == ONE.public_key
    with pytest.raises(SigningError, match="not canonical"):
        signer(MADE, turned.hex(), MAINNET)


def test_s_is_the_lower_half() -> None:
    """The two rules of the chain differ in the few numbers between half the order and 2^255."""
    half = ORDER // 2
    r = (1 << 254).to_bytes(32, "big")
    assert signing.is_canonical(r, half.to_bytes(32, "big"))
    assert not signing.is_canonical(r, (half + 1).to_bytes(32, "big"))
    assert (half + 1) >> 255 == 0


@pytest.mark.parametrize(
    "text", ["", "00", "zz" * 65, "1f" + "00" * 64, "1f" + "ff" * 64, "ff" * 65, "20" + "7f" * 64 + "00"]
)
def test_what_is_no_signature(text: str) -> None:
    with pytest.raises(SigningError):
        signer(MADE, text, MAINNET)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("9007199254740.993 HBD", "beem serializes the transaction differently"),
        ("9223372036854775.807 HBD", "beem cannot serialize"),
        ("92233720368547758.080 HBD", "cannot be serialized"),
        ("1.00 HBD", "cannot be serialized"),
        ("1.000 STEEM", "cannot be serialized"),
        ("-1.000 HBD", "cannot be serialized"),
        ("١.000 HBD", "cannot be serialized"),
    ],
)
def test_what_beem_would_sign_wrongly_is_not_signed(amount: str, words: str) -> None:
    """It rounds to a float: 9007199254740.993 becomes 9007199254740.992."""
    made = replace(MADE, operations=((TRANSFER[0], {**TRANSFER[1], "amount": amount}),))
    with pytest.raises(SigningError, match=words):
        Key(ONE.wif).sign(made, MAINNET)


def test_a_signature_of_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that signs with another key."""
    sign = Signed_Transaction.sign
    monkeypatch.setattr(
        Signed_Transaction,
        "sign",
        lambda made, _keys, chain: sign(made, [PrivateKey("two").wif], chain=chain),
    )
    with pytest.raises(SigningError, match="made by beem is not valid"):
        Key(ONE.wif).sign(MADE, MAINNET)


def test_other_operations_cannot_be_made() -> None:
    made = replace(MADE, operations=(("account_update", {"account": "alice"}),))
    with pytest.raises(SigningError, match="cannot be serialized"):
        Key(ONE.wif).sign(made, MAINNET)


def deep(levels: int) -> list[object]:
    """Lists in lists, as deep as JSON can be read."""
    made: list[object] = []
    for _ in range(levels):
        made = [made]
    return made


@pytest.mark.parametrize(
    "change",
    [
        {"extensions": [1]},
        {"signatures": []},
        {"ref_block_num": "17740"},
        {"ref_block_prefix": 1 << 33},
        {"expiration": "2023-11-14T22:14:20Z"},
        {"operations": [["vote", {}]]},
        {"operations": [["transfer", {"from": "alice"}]]},
        {"operations": [["transfer", {**TRANSFER[1], "memo": 5}]]},
        {"operations": "transfer"},
        {"operations": [["transfer", {**TRANSFER[1], "fee": "0"}]]},
        {"operations": [["custom_json", {**TRANSFER[1]}]]},
        {"ref_block_num": float("inf")},
        {"ref_block_num": float("nan")},
        {"operations": [["transfer", {**TRANSFER[1], "memo": deep(900)}]]},
    ],
)
def test_only_exactly_a_transaction_is_read(change: dict[str, object]) -> None:
    with pytest.raises(SigningError, match="not a transaction of transfers and custom_json"):
        Transaction.of_json({**MADE.to_json(), **change})
    others: list[object] = [None, [], "x", {}]
    for other in others:
        with pytest.raises(SigningError):
            Transaction.of_json(other)


def test_it_refers_to_a_block_by_its_id() -> None:
    made = Transaction.after("0554454c" + "a3c41f22" + "00" * 12, 60, TRANSFER)
    assert (made.ref_block_num, made.ref_block_prefix) == (0x454C, 0x221FC4A3)
    with pytest.raises(SigningError, match="is not a block id"):
        Transaction.after("05", 60, TRANSFER)


def test_times() -> None:
    assert iso_time(1_700_000_060) == "2023-11-14T22:14:20"
    assert unix_time("2023-11-14T22:14:20") == 1_700_000_060


# -- keys show nothing ----------------------------------------------------------------------------


def test_no_text_of_a_key_holds_it() -> None:
    key = Key(ONE.wif)
    for shown in (repr(key), str(key), f"{key}", repr([key]), repr({"key": key})):
        assert ONE.wif not in shown
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(key)


# A key of zero, and one beyond the curve's order: the checksums are right.
def wif_of(number: int) -> str:
    return format_wif(number.to_bytes(32, "big"))


@pytest.mark.parametrize(
    "text",
    [ONE.wif[:-1] + "1", ONE.wif[1:], f"{ONE.wif}x", "", "5" + "K" * 50, wif_of(0), wif_of(ORDER)],
)
def test_what_is_no_key_is_not_repeated(text: str) -> None:
    with pytest.raises(SigningError) as caught:
        Key(text)
    error: BaseException | None = caught.value
    while error is not None:
        assert not text or text not in repr(error) + str(error)
        error = error.__cause__ or error.__context__
