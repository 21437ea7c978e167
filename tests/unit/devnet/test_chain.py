"""Simulated Hive chain: linked blocks, determinism, atomic transactions, forks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from indexer.devnet.hive.chain import MAX_EXPIRATION_SECONDS, Chain
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.keys import recover_public_key
from indexer.devnet.hive.operations import Coin, CustomJson, Transfer
from indexer.devnet.hive.serialization import block_id, merkle_root, pack_header, parse_time, reference


def chain_of(*, alice: int = 10_000, **options: Any) -> Chain:
    chain = Chain(sign=False, **options)
    for name in ("alice", "bobby", "carol"):
        chain.accounts.create(name, chain.head_time)
    chain.accounts.grant("alice", "HIVE", alice)
    return chain


def pay(mils: int, sender: str = "alice", to: str = "bobby", memo: str = "") -> Transfer:
    return Transfer(sender, to, Coin(mils, "HIVE"), memo)


def send(chain: Chain, *operations: object) -> str:
    return chain.push(chain.build(operations), authorized=True)


def hive(chain: Chain, *names: str) -> list[int]:
    return [chain.accounts.balance(name, "HIVE") for name in names]


def test_blocks_link_and_their_ids_recompute() -> None:
    chain = chain_of(seed=7)
    previous = chain.head_id
    for number in range(1, 12):
        for at in range(number % 4):
            send(chain, pay(1 + at), CustomJson(("alice",), (), "x", "{}"))
        block = chain.produce()
        raw = json.loads(chain.stored(number))
        header = pack_header(
            bytes.fromhex(raw["previous"]),
            parse_time(raw["timestamp"]),
            raw["witness"],
            bytes.fromhex(raw["transaction_merkle_root"]),
        )
        assert block.number == number == int(raw["block_id"][:8], 16)
        assert raw["previous"] == previous.hex()
        assert block_id(number, header, bytes.fromhex(raw["witness_signature"])).hex() == raw["block_id"]
        assert (
            merkle_root([tx.merkle_leaf() for tx in block.transactions]).hex()
            == (raw["transaction_merkle_root"])
        )
        assert raw["transaction_ids"] == [tx.id for tx in block.transactions]
        assert len(raw["transactions"]) == number % 4
        previous = block.id


def test_witnesses_sign_with_real_keys_by_default() -> None:
    chain = Chain(seed=3)
    for _ in range(5):
        block = chain.produce()
        header = pack_header(block.previous, block.timestamp, block.witness, block.merkle_root)
        assert recover_public_key(hashlib.sha256(header).digest(), block.signature) == block.signing_key
    assert len({chain.produce().witness for _ in range(4)}) == 4


def test_the_same_calls_give_the_same_bytes_and_another_seed_others() -> None:
    def run(seed: int) -> list[bytes]:
        chain = chain_of(seed=seed)
        for number in range(1, 6):
            send(chain, pay(number))
            chain.produce()
        return [chain.stored(number) for number in range(1, 6)]

    assert run(1) == run(1)
    assert run(1)[0] != run(2)[0]


def test_a_chain_may_begin_anywhere() -> None:
    chain = chain_of(first_block=101_000_000)
    block = chain.produce()
    assert block.number == chain.head == 101_000_000
    assert block.previous[:4] == (100_999_999).to_bytes(4, "big")
    assert not chain.has(100_999_999)
    with pytest.raises(KeyError):
        chain.stored(100_999_999)


def test_time_comes_from_outside_and_always_moves_on() -> None:
    chain = chain_of(block_time=3, genesis=1000)
    assert [chain.produce(now).timestamp for now in (1010, 1010, None, 500)] == [1010, 1011, 1014, 1015]


def test_a_transaction_applies_whole_or_not_at_all() -> None:
    chain = chain_of(alice=100)
    with pytest.raises(ChainError, match="sufficient funds"):
        send(chain, pay(60), pay(60))
    with pytest.raises(ChainError, match="unknown key"):
        send(chain, pay(60), CustomJson(("nobody",), (), "x", "{}"))
    assert hive(chain, "alice", "bobby") == [100, 0]
    send(chain, pay(60), pay(30, "bobby", "carol"), pay(40))
    assert hive(chain, "alice", "bobby", "carol") == [0, 70, 30]
    assert chain.produce().transactions[0].operations[1] == pay(30, "bobby", "carol")


def test_pending_money_cannot_be_spent_twice() -> None:
    chain = chain_of(alice=100)
    send(chain, pay(100))
    with pytest.raises(ChainError):
        send(chain, pay(1))


def test_equal_operations_get_ids_of_their_own_but_equal_transactions_are_duplicates() -> None:
    chain = chain_of()
    transaction = chain.build([pay(1)])
    assert chain.push(transaction, authorized=True) == transaction.id
    assert send(chain, pay(1)) != transaction.id
    with pytest.raises(ChainError, match="Duplicate transaction check failed"):
        chain.push(transaction, authorized=True)
    chain.produce()
    with pytest.raises(ChainError, match="Duplicate transaction check failed"):
        chain.push(transaction, authorized=True)
    assert chain.locate(transaction.id) == (1, 0)


def test_expiration_and_reference_block_are_checked() -> None:
    chain = chain_of()
    chain.produce()
    good = chain.build([pay(1)])
    for bad, text in (
        (replace(good, expiration=chain.head_time), "get_runtime_expiration"),
        (replace(good, expiration=chain.head_time + MAX_EXPIRATION_SECONDS + 1), "SIGNATURE_EXPIRATION"),
        (replace(good, ref_block_prefix=good.ref_block_prefix ^ 1), "tapos"),
        (replace(good, ref_block_num=good.ref_block_num + 1), "tapos"),
        (replace(good, operations=()), "at least one operation"),
    ):
        with pytest.raises(ChainError, match=text):
            chain.push(bad, authorized=True)
    for _ in range(300):
        chain.produce()
    late = replace(good, expiration=chain.head_time + 60)
    chain.push(late, authorized=True)  # refers to a block 300 below head


def test_what_expires_while_it_waits_falls_out_and_takes_its_followers_with_it() -> None:
    chain = chain_of(alice=100, max_block_bytes=1)
    first, second = send(chain, pay(50)), send(chain, pay(50, "bobby", "carol"))
    assert chain.is_pending(first)
    chain.produce(chain.head_time + MAX_EXPIRATION_SECONDS)
    assert not chain.is_pending(first)
    assert not chain.is_pending(second)
    assert hive(chain, "alice", "bobby", "carol") == [100, 0, 0]


def test_a_full_block_leaves_the_rest_for_the_next() -> None:
    chain = chain_of(max_block_bytes=200)
    ids = [send(chain, pay(1, memo="x" * 50)) for _ in range(5)]
    produced = [tx.id for _ in range(5) for tx in chain.produce().transactions]
    assert produced == ids
    assert all(chain.locate(ident) is not None for ident in ids)


def test_json_must_be_json_unless_told_otherwise() -> None:
    broken = CustomJson(("alice",), (), "x", "{")
    with pytest.raises(ChainError, match="not valid JSON"):
        send(chain_of(), broken)
    send(chain_of(check_json=False), broken)


def test_the_irreversible_block_lags_and_stalls_and_never_falls() -> None:
    chain = chain_of(lag=2)
    seen = []
    for number in range(1, 9):
        chain.stalled = number in (5, 6)
        chain.lag = 4 if number > 7 else 2
        chain.produce()
        seen.append(chain.irreversible)
    assert seen == [0, 0, 1, 2, 2, 2, 5, 5]


def test_a_fork_takes_back_balances_and_gives_the_transactions_another_block() -> None:
    chain = chain_of(alice=100, lag=10)
    chain.produce()
    kept = send(chain, pay(10))
    chain.produce()
    moved = send(chain, pay(20))
    old = chain.produce()
    waiting = send(chain, pay(5))
    dropped = chain.rewind(2)
    assert [block.number for block in dropped] == [3]
    assert chain.head == 2
    assert chain.locate(kept) == (2, 0)
    assert chain.locate(moved) is None
    assert chain.is_pending(moved)
    assert hive(chain, "alice", "bobby") == [65, 35]
    new = chain.produce()
    assert new.previous == old.previous
    assert new.id != old.id
    assert {tx.id for tx in new.transactions} == {moved, waiting}


def test_a_fork_may_lose_transactions_but_not_touch_the_irreversible() -> None:
    chain = chain_of(alice=100, lag=1)
    for _ in range(3):
        send(chain, pay(10))
        chain.produce()
    with pytest.raises(ValueError, match="irreversible 2"):
        chain.rewind(1)
    chain.rewind(2, forget=True)
    assert hive(chain, "alice", "bobby") == [80, 20]
    assert chain.pending_count == 0


def test_what_refers_to_a_dropped_block_falls_out() -> None:
    chain = chain_of(lag=10)
    chain.produce()
    chain.produce()
    number, prefix = reference(chain.head_id)
    refers = replace(chain.build([pay(1)]), ref_block_num=number, ref_block_prefix=prefix)
    chain.push(refers, authorized=True)
    chain.rewind(1)
    assert not chain.is_pending(refers.id)
    assert hive(chain, "bobby") == [0]
