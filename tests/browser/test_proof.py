"""js/audit/proof.js: the page accepts what settlement.core.liability_proof proves, and nothing that was touched."""

from __future__ import annotations

import copy
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from playwright.sync_api import Page

from settlement.core.liability_proof import Leaf, Tree

VENUE = "ab" * 32
BLOCK, BLOCK_ID = 1234, "000004d2" + "cd" * 16
NAMES = ["alice", "bob", "carol", "dave", "erin"]


def proof(account: str = "carol", holders: int = 5) -> dict[str, Any]:
    """A body of /api/proof, for a venue whose n-th account holds n units of each of two tokens."""
    tokens = []
    for symbol in ("HBD", "PEK"):
        tree = Tree(VENUE, symbol, [Leaf(name, n) for n, name in enumerate(NAMES[:holders], 1)])
        found = tree.prove(account, BLOCK, BLOCK_ID)
        assert found is not None
        path = [{"side": side, "units": str(node.total), "hash": node.hash} for side, node in found.path]
        root = {"units": str(found.root.total), "leaves": found.leaves, "hash": found.root.hash}
        tokens.append(
            {
                "symbol": symbol,
                "leaf": {"place": found.place, "account": account, "units": str(found.total)},
                "path": path,
                "root": root,
            }
        )
    return {"venue_hash": VENUE, "root_block": BLOCK, "root_block_id": BLOCK_ID, "tokens": tokens}


def check(page: Page, body: dict[str, Any], account: str = "carol") -> str:
    """The reason why the proof is invalid; empty if it is valid."""
    script = """async ([body, account]) => {
      const { verifyProof } = await import("/js/audit/proof.js");
      return verifyProof(body, account).then(() => "", (error) => error.message);
    }"""
    verdict: str = page.evaluate(script, [body, account])
    return verdict


@pytest.mark.parametrize("holders", [1, 2, 3, 4, 5])
def test_valid_proofs_of_every_leaf(modules: Page, holders: int) -> None:
    for account in NAMES[:holders]:
        assert check(modules, proof(account, holders), account) == ""


def put(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        place = body
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


TOKEN = ("tokens", 1)
MANIPULATIONS: dict[str, Callable[[dict[str, Any]], None]] = {
    "another venue": put("venue_hash", to="00" * 32),
    "another block": put("root_block", to=BLOCK + 1),
    "another block id": put("root_block_id", to="00" * 20),
    "more than there is": put(*TOKEN, "leaf", "units", to="4"),
    "nothing": put(*TOKEN, "leaf", "units", to="0"),
    "beyond 63 bits": put(*TOKEN, "leaf", "units", to=str(2**63)),
    "somebody else's leaf": put(*TOKEN, "leaf", "account", to="alice"),
    "another place": put(*TOKEN, "leaf", "place", to=3),
    "no such place": put(*TOKEN, "leaf", "place", to=5),
    "fewer leaves": put(*TOKEN, "root", "leaves", to=4),
    "more leaves": put(*TOKEN, "root", "leaves", to=6),
    "a smaller total": put(*TOKEN, "root", "units", to="14"),
    "another root": put(*TOKEN, "root", "hash", to="00" * 32),
    "a lighter neighbour": put(*TOKEN, "path", 0, "units", to="3"),
    "another neighbour": put(*TOKEN, "path", 1, "hash", to="00" * 32),
    "the other side": put(*TOKEN, "path", 0, "side", to="left"),
    "a step too few": put(*TOKEN, "path", to=[]),
    "another token": put(*TOKEN, "symbol", to="HIVE"),
}


@pytest.mark.parametrize("manipulation", MANIPULATIONS)
def test_a_manipulated_proof_is_invalid(modules: Page, manipulation: str) -> None:
    body = copy.deepcopy(proof())
    MANIPULATIONS[manipulation](body)
    assert check(modules, body) != ""


def test_the_proof_of_another_account_is_invalid(modules: Page) -> None:
    assert check(modules, proof("alice"), "carol") == "HBD: the leaf belongs to alice"


def test_the_journal_hash_is_that_of_the_protocol(modules: Page) -> None:
    blocks = ["block 1 aa 2026\ndeposit x alice block 5\n", "block 7 bb 2026\nreject y bob buy E_FUNDS\n"]
    expected = VENUE
    for block in blocks:
        expected = sha256(f"{expected}\n{block}".encode()).hexdigest()
    script = """async ([before, text]) => (await import("/js/audit/proof.js")).hashJournal(before, text)"""
    assert modules.evaluate(script, [VENUE, "".join(blocks)]) == {"hash": expected, "blocks": 2}
    assert modules.evaluate(script, [VENUE, ""]) == {"hash": VENUE, "blocks": 0}
