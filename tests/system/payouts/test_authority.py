"""Which keys count, their weights, and the smallest set of signatures that the chain accepts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.devnet.hive import authority as hive
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.block_methods import read_transaction
from indexer.devnet.server import NodeServer
from settlement.payouts.chain.nodes import ChainError, ChainNodes
from settlement.payouts.signing.authority import (
    OK,
    UNPAID,
    WARN,
    ActiveAuthority,
    Finding,
    KeyRing,
    KeyVariable,
    key_variable,
)
from settlement.payouts.signing.transactions import SignedTransaction, Transaction
from tests.support.examples import examples

KEYS = [PrivateKey(f"operator {number}") for number in range(5)]
PUBLICS = [key.public_key for key in KEYS]
WIFS = [key.wif for key in KEYS]


# -- the rule, against the devnet's reading of hived's ------------------------------------------------

weights = st.dictionaries(st.sampled_from(PUBLICS), st.integers(1, 3), max_size=5)
inner = st.tuples(st.integers(1, 3), weights.filter(bool))


def as_hive(made: ActiveAuthority) -> tuple[hive.Authority, hive.Lookup]:
    """The devnet's implementation of the same rule; accounts are named a, b, c."""
    others = {"abc"[at]: rule for at, (_, rule) in enumerate(made.accounts)}
    named = tuple(("abc"[at], weight) for at, (weight, _) in enumerate(made.accounts))
    whole = hive.Authority(made.threshold, tuple(sorted(made.keys.items())), named)
    return whole, lambda name, _: hive.Authority(others[name].threshold, tuple(others[name].keys.items()))


@examples(300)
@given(
    weights,
    st.lists(st.tuples(st.integers(1, 3), inner), max_size=3),
    st.integers(1, 6),
    st.sets(st.sampled_from(PUBLICS)),
)
def test_the_chosen_signatures_suffice_and_none_is_superfluous(
    keys: dict[str, int],
    accounts: list[tuple[int, tuple[int, dict[str, int]]]],
    threshold: int,
    signed: set[str],
) -> None:
    rule = ActiveAuthority(
        threshold, keys, tuple((weight, ActiveAuthority(most, own)) for weight, (most, own) in accounts)
    )
    whole, lookup = as_hive(rule)
    chosen = rule.sufficient({public: f"by {public}" for public in signed})
    accepted = hive.satisfied(whole, "active", sorted(signed), lookup, 0)
    assert (chosen is not None) == accepted == rule.is_met(signed)
    if chosen is not None:
        left = {text.removeprefix("by ") for text in chosen}
        assert hive.satisfied(whole, "active", sorted(left), lookup, 0)
        assert not any(rule.is_met(left - {one}) for one in left)


def test_unknown_and_superfluous_keys_are_left_out() -> None:
    rule = ActiveAuthority(2, {PUBLICS[0]: 1, PUBLICS[1]: 1, PUBLICS[2]: 1})
    held = {PUBLICS[3]: "unknown_key", PUBLICS[0]: "a", PUBLICS[1]: "b", PUBLICS[2]: "c"}
    assert len(rule.sufficient(held) or ()) == 2
    assert "unknown_key" not in (rule.sufficient(held) or ())
    assert rule.sufficient({PUBLICS[3]: "unknown_key", PUBLICS[0]: "a"}) is None
    assert not rule.counts(PUBLICS[3])


# -- at the start, against a node over HTTP -----------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[NodeServer]:
    node = DevNode(Chain(sign=False))
    for _ in range(6):
        node.tick()
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def nodes(server: NodeServer) -> ChainNodes:
    return ChainNodes([server.url], [server.engine_url])


def account(
    server: NodeServer,
    name: str,
    threshold: int,
    keys: dict[str, int],
    accounts: dict[str, int] | None = None,
) -> None:
    made = hive.Authority(threshold, tuple(sorted(keys.items())), tuple((accounts or {}).items()))
    server.node.faucet(name, authorities={"active": made})


def check(
    server: NodeServer, nodes: ChainNodes, wanted: list[tuple[str, str, str]], texts: dict[str, str]
) -> tuple[KeyRing, list[Finding]]:
    signers = KeyRing([KeyVariable(*one) for one in wanted], texts, server.node.chain.chain_id.hex())
    return signers, signers.check(nodes)


def transfer(server: NodeServer, sender: str) -> Transaction:
    chain = server.node.chain
    operation = ("transfer", {"from": sender, "to": "alice", "amount": "0.001 HIVE", "memo": ""})
    return Transaction.after(chain.id_of(chain.irreversible).hex(), chain.head_time + 60, operation)


def test_one_key_that_suffices(server: NodeServer, nodes: ChainNodes) -> None:
    account(server, "venue.one", 1, {PUBLICS[0]: 1})
    signers, [finding] = check(server, nodes, [("PEK", "venue.one", "PEK_KEY")], {"PEK_KEY": WIFS[0]})
    assert finding == Finding(OK, "venue.one", ("PEK",), "venue.one: our key suffices")
    assert signers.can_sign("venue.one")
    signed = signers.sign("venue.one", transfer(server, "venue.one"))
    assert list(signed) == [PUBLICS[0]]
    assert signers.weight("venue.one", signed) == (1, 1)


def test_a_missing_or_wrong_key_names_variable_and_tokens(server: NodeServer, nodes: ChainNodes) -> None:
    server.node.faucet("venue.default")  # keys of every role, by the devnet's own rule
    posting = server.node.chain.accounts.private_key("venue.default", "posting").wif
    account(server, "venue.two", 1, {PUBLICS[1]: 1})
    wanted = [
        ("A", "venue.two", "A_KEY"),
        ("B", "venue.none", "B_KEY"),
        ("C", "venue.default", "C_KEY"),
        ("C.TWO", "venue.default", "C_KEY"),
    ]
    texts = {"A_KEY": WIFS[1], "B_KEY": WIFS[1]}
    cases = [
        ({}, "C_KEY is not set"),
        ({"C_KEY": "5Kgarbage"}, "C_KEY holds no key: not a private key in wallet import format"),
        ({"C_KEY": WIFS[0]}, "C_KEY holds a key that is not in the active authority of venue.default"),
        ({"C_KEY": posting}, "C_KEY holds the posting key of venue.default, not an active one"),
    ]
    for more, words in cases:
        signers, findings = check(server, nodes, wanted, texts | more)
        by_escrow = {finding.escrow: finding for finding in findings}
        assert by_escrow["venue.default"].level == UNPAID
        assert by_escrow["venue.default"].text.startswith(words)
        assert by_escrow["venue.default"].text.endswith(": C, C.TWO stay unpaid")
        assert by_escrow["venue.default"].symbols == ("C", "C.TWO")
        assert by_escrow["venue.none"].text == "there is no account venue.none: B stays unpaid"
        assert by_escrow["venue.two"].level == OK
        assert [signers.can_sign(name) for name in ("venue.two", "venue.none", "venue.default")] == [
            *(True, False, False)
        ]
        assert signers.sign("venue.default", transfer(server, "venue.default")) == {}
        for text in (repr(findings), repr(signers), str(signers.__dict__)):
            assert not any(wif in text for wif in (*WIFS, posting, "5Kgarbage"))


def test_a_wrong_key_beside_a_right_one_is_a_warning(server: NodeServer, nodes: ChainNodes) -> None:
    account(server, "venue.both", 1, {PUBLICS[0]: 1})
    wanted = [("A", "venue.both", "A_KEY"), ("B", "venue.both", "B_KEY")]
    signers, findings = check(server, nodes, wanted, {"A_KEY": WIFS[0], "B_KEY": WIFS[3]})
    assert [finding.level for finding in findings] == [OK, WARN]
    assert list(signers.sign("venue.both", transfer(server, "venue.both"))) == [PUBLICS[0]]


@pytest.mark.parametrize("through_accounts", [False, True])
def test_two_of_three(server: NodeServer, nodes: ChainNodes, through_accounts: bool) -> None:
    """Keys, or the operators' own accounts: any two suffice, and of three only two are used."""
    name = f"venue.multi{int(through_accounts)}"
    keys = dict.fromkeys(PUBLICS[:3], 1)
    operators = [f"operator{number}" for number in range(3)]
    for number, operator in enumerate(operators):
        account(server, operator, 1, {PUBLICS[number]: 1})
    if through_accounts:
        account(server, name, 2, {}, dict.fromkeys(operators, 1))
    else:
        account(server, name, 2, keys)
    server.node.faucet(name, "HIVE", "1")
    server.node.faucet("alice")
    made = transfer(server, name)
    signatures: dict[str, str] = {}
    for number in range(3):
        signers, [finding] = check(server, nodes, [("HIVE", name, "K")], {"K": WIFS[number]})
        assert finding.text == f"{name}: our keys have weight 1 of 2; the other operators must sign too"
        signatures |= signers.sign(name, made)
    for some in itertools.combinations(signatures.items(), 1):
        assert signers.sufficient(name, dict(some)) is None
    for chosen in [dict(pair) for pair in itertools.combinations(signatures.items(), 2)] + [signatures]:
        enough = signers.sufficient(name, chosen)
        assert enough is not None
        assert len(enough) == 2
        read = read_transaction(SignedTransaction(made, enough).to_json())
        hive.authorize(read, server.node.chain.chain_id, server.node.chain.accounts.authority)
    all_three = read_transaction(SignedTransaction(made, tuple(signatures.values())).to_json())
    hive.authorize(all_three, server.node.chain.chain_id, server.node.chain.accounts.authority)


def test_an_operator_with_two_keys_signs_with_both(server: NodeServer, nodes: ChainNodes) -> None:
    account(server, "venue.pair", 2, dict.fromkeys(PUBLICS[:2], 1))
    wanted = [("A", "venue.pair", "A_KEY"), ("B", "venue.pair", "B_KEY")]
    signers, [finding] = check(server, nodes, wanted, {"A_KEY": WIFS[0], "B_KEY": WIFS[1]})
    assert finding.text == "venue.pair: our key suffices"
    signed = signers.sign("venue.pair", transfer(server, "venue.pair"))
    assert len(signers.sufficient("venue.pair", signed) or ()) == 2


def test_a_changed_authority_is_noticed_and_an_absent_node_changes_nothing(
    server: NodeServer, nodes: ChainNodes
) -> None:
    account(server, "venue.moved", 1, {PUBLICS[0]: 1})
    signers, _ = check(server, nodes, [("A", "venue.moved", "K")], {"K": WIFS[0]})
    server.faults.set({"refuses": True})
    try:
        with pytest.raises(ChainError, match="HTTP status 503"):
            signers.check(nodes)
    finally:
        server.faults.set({"refuses": False})
    assert signers.can_sign("venue.moved")
    account(server, "venue.moved", 1, {PUBLICS[2]: 1})
    [finding] = signers.check(nodes)
    assert finding.level == UNPAID
    assert not signers.can_sign("venue.moved")


def test_the_variable_of_a_token() -> None:
    assert key_variable("SWAP.HIVE", None) == "PEK_SWAP_HIVE_KEY"
    assert key_variable("PEK", None) == "PEK_PEK_KEY"
    assert key_variable("PEK", "MINE") == "MINE"
