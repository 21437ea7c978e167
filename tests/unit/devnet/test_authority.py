"""Verification of signatures: required authorities, packings and weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from indexer.devnet.hive.account_update import AccountUpdate, AuthorityValue
from indexer.devnet.hive.authority import Authority
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.hive.operations import Coin, CustomJson, Operation, Transfer
from indexer.devnet.hive.serialization import Packing, Transaction

KEYS = {name: PrivateKey(name) for name in ("k1", "k2", "k3")}
PAY = Transfer("alice", "bobby", Coin(5, "HIVE"), "")


def chain_of() -> Chain:
    chain = Chain(sign=False)
    for name in ("alice", "bobby", "carol"):
        chain.accounts.create(name, 0)
    chain.accounts.grant("alice", "HIVE", 1000)
    chain.produce()
    return chain


def signed(
    chain: Chain, operations: list[Operation], *keys: PrivateKey, packing: Packing = "legacy"
) -> Transaction:
    transaction = replace(chain.build(operations), packing=packing)
    digest = transaction.digest(chain.chain_id)
    # As broadcast: the JSON does not tell which packing was signed.
    return replace(transaction, signatures=tuple(key.sign(digest) for key in keys), packing="legacy")


def key(chain: Chain, name: str, role: str) -> PrivateKey:
    return chain.accounts.private_key(name, role)


def test_the_active_key_moves_money_and_no_other() -> None:
    """The owner key neither, since hardfork 28."""
    chain = chain_of()
    chain.push(signed(chain, [PAY], key(chain, "alice", "active")))
    assert chain.accounts.balance("bobby", "HIVE") == 5
    chain = chain_of()
    others = (key(chain, "alice", "posting"), key(chain, "alice", "owner"), key(chain, "bobby", "active"))
    for wrong in (*others, KEYS["k1"]):
        with pytest.raises(ChainError, match="Missing Active Authority alice"):
            chain.push(signed(chain, [PAY], wrong))
    with pytest.raises(ChainError, match="Missing Active Authority alice"):
        chain.push(signed(chain, [PAY]))
    assert chain.accounts.balance("bobby", "HIVE") == 0


def test_a_transaction_keeps_the_id_of_the_packing_that_was_signed() -> None:
    chain = chain_of()
    transaction = signed(chain, [PAY], key(chain, "alice", "active"), packing="nai")
    assert chain.push(transaction) == replace(transaction, packing="nai").id != transaction.id


def test_a_posting_custom_json_takes_the_posting_key_alone() -> None:
    operation = CustomJson((), ("alice",), "x", "{}")
    chain = chain_of()
    chain.push(signed(chain, [operation], key(chain, "alice", "posting")))
    for name, role in (("alice", "active"), ("alice", "owner"), ("bobby", "posting")):
        chain = chain_of()
        with pytest.raises(ChainError, match="Missing Posting Authority alice"):
            chain.push(signed(chain, [operation], key(chain, name, role)))


def test_active_and_posting_mix_where_both_keys_sign() -> None:
    chain = chain_of()
    operations: list[Operation] = [PAY, CustomJson((), ("alice",), "x", "{}")]
    with pytest.raises(ChainError, match="Missing Posting Authority alice"):
        chain.push(signed(chain, operations, key(chain, "alice", "active")))
    chain.push(signed(chain, operations, key(chain, "alice", "active"), key(chain, "alice", "posting")))


def test_two_of_three_keys() -> None:
    weights = tuple((private.public_key, 1) for private in KEYS.values())
    chain = chain_of()
    chain.accounts.create("alice", 0, {"active": Authority(2, weights)})
    with pytest.raises(ChainError, match="Missing Active Authority"):
        chain.push(signed(chain, [PAY], KEYS["k2"]))
    chain.push(signed(chain, [PAY], KEYS["k3"], KEYS["k1"]))
    assert chain.accounts.balance("bobby", "HIVE") == 5


def test_an_account_may_sign_for_another() -> None:
    chain = chain_of()
    chain.accounts.create("alice", 0, {"active": Authority(1, (), (("carol", 1),))})
    chain.push(signed(chain, [PAY], key(chain, "carol", "active")))
    with pytest.raises(ChainError, match="Missing Active Authority"):
        chain.push(signed(chain, [PAY], key(chain, "carol", "posting")))


def test_double_signatures_are_refused_and_needless_ones_are_not() -> None:
    chain = chain_of()
    mine = key(chain, "alice", "active")
    chain.push(signed(chain, [PAY], mine, KEYS["k1"]))
    with pytest.raises(ChainError, match="Duplicate signature"):
        chain.push(signed(chain, [PAY], mine, mine))
    with pytest.raises(ChainError, match="not canonical"):
        chain.push(replace(chain.build([PAY]), signatures=(bytes(65),)))


def test_a_signature_of_another_chain_or_transaction_does_not_count() -> None:
    chain, other = chain_of(), Chain(seed=1, sign=False)
    transaction = signed(chain, [PAY], key(chain, "alice", "active"))
    digest = transaction.digest(other.chain_id)
    with pytest.raises(ChainError, match="Missing Active"):
        chain.push(replace(transaction, signatures=(key(chain, "alice", "active").sign(digest),)))
    with pytest.raises(ChainError, match="Missing Active"):
        chain.push(replace(transaction, expiration=transaction.expiration + 1))


def test_an_unknown_signer_is_an_unknown_key() -> None:
    chain = chain_of()
    with pytest.raises(ChainError, match="unknown key"):
        chain.push(signed(chain, [CustomJson(("nobody",), (), "x", "{}")], KEYS["k1"]))


def test_an_account_update_changes_authorities_and_a_fork_takes_it_back() -> None:
    chain = chain_of()
    chain.stalled = True
    two_of_two = AuthorityValue(2, (("bobby", 1), ("carol", 1)), ())
    kept: dict[str, Any] = {"posting": None, "memo_key": KEYS["k3"].public_key, "json_metadata": ""}
    both = AccountUpdate("alice", owner=two_of_two, active=two_of_two, **kept)
    with pytest.raises(ChainError, match="Missing Owner Authority alice"):
        chain.push(signed(chain, [both], key(chain, "alice", "active")))
    stranger = AuthorityValue(1, (("nobody", 1),), ())
    unknown = AccountUpdate("alice", owner=None, active=stranger, **kept)
    with pytest.raises(ChainError, match="nobody"):
        chain.push(signed(chain, [unknown], key(chain, "alice", "active")))
    chain.push(signed(chain, [both], key(chain, "alice", "owner")))
    chain.produce()
    assert chain.accounts.authority("alice", "active") == Authority(2, (), two_of_two.account_auths)
    assert chain.accounts.memo_key("alice") == KEYS["k3"].public_key
    with pytest.raises(ChainError, match="Missing Active Authority alice"):
        chain.push(signed(chain, [PAY], key(chain, "alice", "active")))
    chain.push(signed(chain, [PAY], key(chain, "bobby", "active"), key(chain, "carol", "active")))
    mine = AccountUpdate("alice", AuthorityValue(1, (), ((KEYS["k1"].public_key, 1),)), None, **kept)
    with pytest.raises(ChainError, match="Missing Owner Authority alice"):
        chain.push(signed(chain, [mine], key(chain, "bobby", "owner"), key(chain, "carol", "owner")))
    chain.push(signed(chain, [mine], key(chain, "bobby", "active"), key(chain, "carol", "active")))
    chain.rewind(chain.head - 1, forget=True)
    assert chain.accounts.authority("alice", "active") == Authority.of_key(
        key(chain, "alice", "active").public_key
    )
