"""Proof of liabilities: valid proofs check, and every known forgery fails (docs/proof.md)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.core.journal.state_text import state_text
from settlement.core.liability_proof import (
    EMPTY_TOP,
    Inclusion,
    Leaf,
    Node,
    Proof,
    ProofError,
    Step,
    Tree,
    check_proof,
    node_hash,
    proof_text,
    read_proof,
    root_hash,
)
from settlement.core.parsing.amounts import MAX_UNITS
from tests.unit.core.ledger import Ledger

VENUE = "ab" * 32
BLOCK, BLOCK_ID = 1010, "000003f2" + "cd" * 16
GUIDE = (Path(__file__).parents[3] / "docs" / "proof.md").read_text("utf-8")
CHECKER, ROOTS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
HOLDERS = [Leaf("alice", 5), Leaf("bob", 7), Leaf("carol", 11), Leaf("dave", 1), Leaf("erin", 30)]


def tree(leaves: list[Leaf] = HOLDERS, symbol: str = "PEK") -> Tree:
    return Tree(VENUE, symbol, leaves)


def proof_of(account: str, *trees: Tree) -> Proof:
    found = (one.prove(account, BLOCK, BLOCK_ID) for one in trees or (tree(),))
    return Proof(VENUE, BLOCK, BLOCK_ID, account, tuple(token for token in found if token))


def sha(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def run(program: str, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(program)
    (folder / "input.txt").write_text(text, newline="")
    return subprocess.run(
        [sys.executable, "program.py", "input.txt"], cwd=folder, capture_output=True, text=True, check=False
    )


# ---------------------------------------------------------------- honest proofs


def test_the_tree_by_hand() -> None:
    """Five leaves: two pairs, and one leaf that is promoted twice."""
    leaves = [sha(f"peakedex-leaf 1 {VENUE} PEK {name} {total}\n") for name, total in HOLDERS]
    first = sha(f"peakedex-node 1 5 {leaves[0]} 7 {leaves[1]}\n")
    second = sha(f"peakedex-node 1 11 {leaves[2]} 1 {leaves[3]}\n")
    third = sha(f"peakedex-node 1 12 {first} 12 {second}\n")
    top = sha(f"peakedex-node 1 24 {third} 30 {leaves[4]}\n")
    root = sha(f"peakedex-root 1 {VENUE} {BLOCK} {BLOCK_ID} PEK 5 54 {top}\n")
    assert tree().top == Node(54, top)
    assert tree().root(BLOCK, BLOCK_ID) == Node(54, root)
    erin = tree().prove("erin", BLOCK, BLOCK_ID)
    assert erin == Inclusion("PEK", 5, 4, 30, (Step("left", Node(24, third)),), Node(54, root))
    carol = tree().prove("carol", BLOCK, BLOCK_ID)
    assert carol is not None
    assert carol.path == (
        Step("right", Node(1, leaves[3])),
        Step("left", Node(12, first)),
        Step("right", Node(30, leaves[4])),
    )


def test_trees_without_leaves_and_with_one_leaf() -> None:
    empty = tree([])
    assert empty.top == Node(0, EMPTY_TOP)
    assert empty.root(BLOCK, BLOCK_ID) == Node(0, root_hash(VENUE, BLOCK, BLOCK_ID, "PEK", 0, empty.top))
    assert empty.prove("alice", BLOCK, BLOCK_ID) is None
    alone = tree([Leaf("bob", MAX_UNITS)])
    proof = proof_of("bob", alone)
    assert proof.tokens[0].path == ()
    check_proof(proof)


NAMES = st.text("abcdefg", min_size=1, max_size=4)
BALANCES = st.dictionaries(NAMES, st.integers(1, MAX_UNITS // 40), max_size=40)


@given(BALANCES, NAMES)
def test_exactly_accounts_with_a_balance_have_a_proof(balances: dict[str, int], other_account: str) -> None:
    one = tree([Leaf(name, balances[name]) for name in sorted(balances)])
    assert one.top.total == sum(balances.values())
    for name, total in balances.items():
        proof = proof_of(name, one)
        assert (proof.tokens[0].total, proof.tokens[0].root) == (total, one.root(BLOCK, BLOCK_ID))
        check_proof(proof)
        assert read_proof(proof_text(proof)) == proof
    if other_account not in balances:
        assert one.prove(other_account, BLOCK, BLOCK_ID) is None


@given(BALANCES.filter(len), st.data())
def test_every_number_of_a_proof_is_bound(balances: dict[str, int], data: st.DataObject) -> None:
    """Changing any one word makes the text unreadable, the check fail, or the statement another one."""
    one = tree([Leaf(name, balances[name]) for name in sorted(balances)])
    text = proof_text(proof_of(data.draw(st.sampled_from(sorted(balances))), one))
    words = re.split(r"([ \n])", text)
    place = data.draw(st.sampled_from([n for n in range(0, len(words), 2) if words[n]]))
    word = words[place]
    other = (
        f"{(int(word[0], 16) + 1) % 16:x}{word[1:]}"
        if len(word) == 64
        else str(int(word) + data.draw(st.sampled_from((1, -1, 2**32, -(2**63), 2**64))))
        if word.isdigit()
        else word + "x"
    )
    words[place] = other
    with pytest.raises(ProofError):
        check_proof(read_proof("".join(words)))


# ---------------------------------------------------------------- ways to cheat


def test_an_account_cannot_be_split_or_come_twice() -> None:
    with pytest.raises(ProofError, match="not sorted by account: bob, then bob"):
        tree([Leaf("alice", 5), Leaf("bob", 3), Leaf("bob", 4)])


def test_leaves_out_of_order_are_refused() -> None:
    with pytest.raises(ProofError, match="not sorted by account: bob, then alice"):
        tree([Leaf("bob", 5), Leaf("alice", 3)])


@pytest.mark.parametrize("total", [0, -1, -(2**63), 2**63])
def test_a_leaf_cannot_lower_the_sum(total: int) -> None:
    """Negative balances, which would make the sum look smaller, are rejected."""
    with pytest.raises(ProofError, match="a total must be from 1 to"):
        tree([Leaf("alice", 5), Leaf("nobody", total)])


def test_a_sum_beyond_63_bits_is_refused() -> None:
    with pytest.raises(ProofError, match="a total must be from 1 to"):
        tree([Leaf("alice", MAX_UNITS), Leaf("bob", 1)])


def forged(leaf_total: int, beside: Node, *, owed: int | None = None, account: str = "alice") -> Proof:
    """A forged proof over a tree of two leaves, with matching hashes."""
    own = Node(leaf_total, sha(f"peakedex-leaf 1 {VENUE} PEK {account} {leaf_total}\n"))
    top = Node(own.total + beside.total, node_hash(own, beside))
    shown = top.total if owed is None else owed
    hash_ = root_hash(VENUE, BLOCK, BLOCK_ID, "PEK", 2, Node(shown, top.hash))
    token = Inclusion("PEK", 2, 0, leaf_total, (Step("right", beside),), Node(shown, hash_))
    return Proof(VENUE, BLOCK, BLOCK_ID, account, (token,))


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        (forged(10, Node(-9, "0" * 64)), "a total must be from 1 to"),
        (forged(10, Node(0, "0" * 64)), "a total must be from 1 to"),
        (forged(MAX_UNITS, Node(1, "0" * 64)), "a total must be from 1 to"),
        (forged(-5, Node(50, "0" * 64)), "a total must be from 1 to"),
        (forged(10, Node(90, "0" * 64), owed=50), "add up to 100, but the root says 50"),
    ],
    ids=["negative beside", "zero beside", "overflow", "negative leaf", "a smaller root"],
)
def test_a_made_up_node_does_not_check(proof: Proof, reason: str) -> None:
    with pytest.raises(ProofError, match=f"^PEK: .*{reason}"):
        check_proof(proof)


def test_a_node_cannot_show_one_total_here_and_another_there() -> None:
    """The flaw of early Merkle sum trees: if a node commits only to the sum, a sibling can be shown smaller."""
    token = proof_of("alice").tokens[0]
    near, far, last = token.path
    shifted = (
        Step(near.side, Node(near.node.total - 6, near.node.hash)),
        Step(far.side, Node(far.node.total + 6, far.node.hash)),
        last,
    )
    with pytest.raises(ProofError, match="does not lead to the root"):
        check_proof(Proof(VENUE, BLOCK, BLOCK_ID, "alice", (token._replace(path=shifted),)))


def test_two_accounts_cannot_share_a_leaf() -> None:
    """A path cannot be reused for another account with the same total: the leaf names its account."""
    twins = tree([Leaf("alice", 5), Leaf("bob", 5)])
    alice = proof_of("alice", twins)
    with pytest.raises(ProofError, match="does not lead to the root"):
        check_proof(alice._replace(account="bob"))


def test_a_node_cannot_pass_for_a_leaf_nor_a_subtree_for_the_tree() -> None:
    """A shortened path from an inner node, with the number of leaves that it would need."""
    token = proof_of("alice").tokens[0]
    below = token.path[:1]
    hash_ = root_hash(VENUE, BLOCK, BLOCK_ID, "PEK", 2, tree(HOLDERS[:2]).top)
    subtree = token._replace(leaves=2, path=below, root=Node(12, hash_))
    check_proof(Proof(VENUE, BLOCK, BLOCK_ID, "alice", (subtree,)))  # sound, but of another root
    assert subtree.root != token.root
    for leaves in (1, 2, 3, 4, 6, 8, 9):
        with pytest.raises(ProofError):
            check_proof(Proof(VENUE, BLOCK, BLOCK_ID, "alice", (token._replace(leaves=leaves),)))


@pytest.mark.parametrize("place", [-1, 1, 2, 4, 5, 2**70])
def test_a_leaf_cannot_be_moved(place: int) -> None:
    token = proof_of("alice").tokens[0]._replace(place=place)
    with pytest.raises(ProofError):
        check_proof(Proof(VENUE, BLOCK, BLOCK_ID, "alice", (token,)))


CHANGES: list[Callable[[Proof], Proof]] = [
    lambda proof: proof._replace(venue_hash="cd" * 32),
    lambda proof: proof._replace(block=BLOCK + 1),
    lambda proof: proof._replace(block_id="000003f2" + "ce" * 16),
    lambda proof: proof._replace(tokens=(proof.tokens[0]._replace(symbol="HBD"),)),
    lambda proof: proof._replace(tokens=(proof.tokens[0]._replace(total=6),)),
    lambda proof: proof._replace(tokens=(proof.tokens[0]._replace(path=proof.tokens[0].path[:-1]),)),
    lambda proof: proof._replace(tokens=(proof.tokens[0]._replace(path=proof.tokens[0].path[::-1]),)),
    lambda proof: proof._replace(tokens=(proof.tokens[0]._replace(path=proof.tokens[0].path * 2),)),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_proof_is_of_this_venue_block_token_and_total(change: Callable[[Proof], Proof]) -> None:
    proof = proof_of("alice")
    check_proof(proof)
    with pytest.raises(ProofError):
        check_proof(change(proof))


def test_a_token_comes_once() -> None:
    proof = proof_of("alice")
    with pytest.raises(ProofError, match="tokens are not sorted"):
        check_proof(proof._replace(tokens=proof.tokens * 2))


# ---------------------------------------------------------------- the text


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("peakedex-proof 1", "peakedex-proof 2", "line 1 must be"),
        ("venue ab", "venue AB", "line 2 must be"),
        ("block 1010", "block 01010", "line 3 must be"),
        ("account alice", "account alice smith", "line 4 must be"),
        ("token PEK 5", "token PEK five", "line 5 must be"),
        ("leaf 0 5", "leaf 0 -5", "line 6 must be"),
        ("leaf 0 5", "leaf 0 +5", "line 6 must be"),
        ("leaf 0 5", "leaf 0 ٥", "line 6 must be"),
        ("right 7", "left  7", "line 7 must be"),
        ("root 54", "root 54.0", "line 10 must be"),
        ("account alice\n", "account alice\r\n", "line 4 must be"),
    ],
)
def test_a_malformed_proof_is_rejected_with_its_line(old: str, new: str, reason: str) -> None:
    text = proof_text(proof_of("alice"))
    assert old in text
    with pytest.raises(ProofError, match=f"^{reason}"):
        read_proof(text.replace(old, new))


def test_a_truncated_proof_is_rejected() -> None:
    text = proof_text(proof_of("alice"))
    before_tokens = text.index("token ")
    for end in range(len(text)):
        if end != before_tokens:  # there it is whole: the proof of an account that holds nothing
            with pytest.raises(ProofError, match=r"^line \d+ must be"):
                read_proof(text[:end])
    assert read_proof(text[:before_tokens]).tokens == ()
    with pytest.raises(ProofError, match=r"^line 11 must be"):
        read_proof(f"{text}more\n")


# ---------------------------------------------------------------- the programs of docs/proof.md


def sample_ledger() -> Ledger:
    ledger = Ledger()
    ledger.fund(("alice", "bob", "carol", "dave", "erin"), "1000")
    ledger.block(
        ledger.order("alice", "buy", "10.00", "0.5000"),
        ledger.order("bob", "sell", "4.00", "0.5000"),
        ledger.act("carol", "withdraw", {"symbol": "PEK", "quantity": "7"}),
    )
    return ledger


def trees_of(ledger: Ledger) -> dict[str, Tree]:
    """The trees of a state by symbol."""
    state = ledger.machine.state

    def leaves(symbol: str) -> list[Leaf]:
        accounts = sorted(state.accounts.items())
        held = [(name, one.balances[symbol].buckets[:3]) for name, one in accounts if symbol in one.balances]
        return [Leaf(name, sum(buckets)) for name, buckets in held if sum(buckets)]

    return {symbol: Tree(state.venue_hash, symbol, leaves(symbol)) for symbol in sorted(state.tokens)}


def test_the_guide_s_checker_and_the_module_agree(tmp_path: Path) -> None:
    assert len(CHECKER.splitlines()) <= 50
    ledger = sample_ledger()
    state = ledger.machine.state
    assert state.header is not None
    trees = trees_of(ledger)
    found = [one.prove("bob", state.header.number, state.header.block_id) for one in trees.values()]
    tokens = tuple(token for token in found if token)
    proof = Proof(state.venue_hash, state.header.number, state.header.block_id, "bob", tokens)
    check_proof(proof)
    assert len(tokens) == 3
    text = proof_text(proof)
    run_result = run(CHECKER, tmp_path, text)
    assert run_result.returncode == 0, run_result.stderr
    for line, token in zip(run_result.stdout.splitlines(), tokens, strict=True):
        owed = trees[token.symbol].top.total
        assert line == (
            f"bob has {token.total} of {owed} {token.symbol} at block {proof.block}, root {token.root.hash}"
        )
    roots = run(ROOTS, tmp_path, state_text(state))
    assert roots.returncode == 0, roots.stderr
    shown = [one.root(proof.block, proof.block_id) for one in trees.values() if one.leaves]
    symbols = [symbol for symbol, one in trees.items() if one.leaves]
    assert roots.stdout.splitlines() == [
        f"{symbol} {root.total} {root.hash}" for symbol, root in zip(symbols, shown, strict=True)
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("leaf 0 5", "leaf 0 6"),
        ("leaf 0 5", "leaf 1 5"),
        ("leaf 0 5", "leaf 0 -5"),
        ("root 54", "root 53"),
        ("token PEK 5", "token PEK 4"),
        ("account alice", "account bob"),
        ("block 1010", "block 1011"),
        ("right 7", "left 7"),
    ],
)
def test_the_guide_s_checker_refuses_what_the_module_refuses(tmp_path: Path, old: str, new: str) -> None:
    text = proof_text(proof_of("alice"))
    assert run(CHECKER, tmp_path, text).returncode == 0
    run_result = run(CHECKER, tmp_path, text.replace(old, new))
    assert run_result.returncode != 0
    with pytest.raises(ProofError):
        check_proof(read_proof(text.replace(old, new)))


def test_the_guide_shows_every_kind_of_line() -> None:
    for kind in ("venue", "block", "account", "token", "leaf", "left", "right", "root"):
        assert f"\n{kind} <" in GUIDE
    for kind in ("peakedex-leaf 1", "peakedex-node 1", "peakedex-root 1"):
        assert f"| `{kind} <" in GUIDE
