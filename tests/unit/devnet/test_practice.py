"""Practice accounts: funded on both chains and at the venue; no access to other accounts' keys."""

from __future__ import annotations

import re
from typing import Any

import pytest

from indexer.devnet.faults import Faults
from indexer.devnet.hive.authority import Role
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.dev_methods import DevMethods
from indexer.devnet.traders.practice_accounts import practice_account
from indexer.devnet.venue import EXAMPLE, read_venue

VENUE = read_venue(EXAMPLE.read_text())


@pytest.fixture
def node() -> DevNode:
    node = DevNode(Chain(sign=False, lag=1))
    node.prepare(VENUE)
    for _ in range(6):
        node.tick()
    return node


def balances(node: DevNode, account: str) -> dict[str, str]:
    method = DevMethods(node, Faults()).method("balances")
    assert method is not None
    found: Any = method({"account": account})
    return dict(found)


def test_a_new_account_has_money_in_its_wallet_and_as_much_at_the_venue(node: DevNode) -> None:
    found = practice_account(node, VENUE)
    name = str(found["account"])
    assert re.fullmatch("practice-[0-9a-f]{6}", name)
    for _ in range(3):
        node.tick()
    held = balances(node, name)
    assert set(held) == set(VENUE.tokens) | {"HIVE", "HBD"}
    assert (held["PEK"], held["HBD"], held["SWAP.BTC"]) == ("1000000.00000000", "200.000", "0.01000000")
    for symbol, token in VENUE.tokens.items():
        assert float(balances(node, token.escrow)[symbol]) == float(held[symbol])


@pytest.mark.parametrize("role", ["active", "posting"])
def test_its_keys_are_the_account_s_own_under_this_chain_s_id(node: DevNode, role: Role) -> None:
    found = practice_account(node, VENUE)
    key = node.chain.accounts.private_key(str(found["account"]), role)
    assert isinstance(key, PrivateKey)
    assert found[role] == {"wif": key.wif, "public_key": key.public_key}
    assert key.public_key.startswith("STM")
    assert found["chain_id"] == node.chain.chain_id.hex()


def test_the_same_name_is_the_same_account_also_on_a_chain_that_forgot_it(node: DevNode) -> None:
    first = practice_account(node, VENUE)
    again = practice_account(node, VENUE, str(first["account"]))
    assert again == first
    assert balances(node, str(first["account"]))["HIVE"] == "500.000"  # given once
    other = DevNode(Chain(sign=False, lag=1))
    other.prepare(VENUE)
    assert practice_account(other, VENUE, str(first["account"])) == first


@pytest.mark.parametrize(
    "name", ["alice", "peakecoin", "peakedex.pek", "practice-", "practice-xyzxyz", "practice-1234567"]
)
def test_no_other_account_s_key_is_told(node: DevNode, name: str) -> None:
    with pytest.raises(ChainError, match="is not a practice account"):
        practice_account(node, VENUE, name)


def test_a_chain_without_a_venue_gives_coins_alone() -> None:
    node = DevNode(Chain(sign=False, lag=1))
    node.tick()
    name = str(practice_account(node, None)["account"])
    assert balances(node, name) == {"HIVE": "500.000", "HBD": "200.000"}
