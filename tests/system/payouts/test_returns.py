"""Returns of withdrawals and payments (protocol, sections 8 and 10): exactly one of both happens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from settlement.payouts.holds.eligibility import blocking_status, read_ledger_view
from settlement.payouts.policy import SLOT_SECONDS, Policy
from settlement.payouts.runner import Runner
from settlement.store import payout_schema
from settlement.store.read.payouts import HELD, RETURNING, SENT, WITHDRAWAL, Payout, read_payouts
from tests.system.payouts.world import VENUE, ChainNodes, OneKey, World

SHORT, LONG = Policy(expires_in=60), Policy(expires_in=3000)
RETURN_SECONDS = 3600
MAX_LIFETIME = 3000


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def payout(world: World, n: int = 1) -> Payout:
    with world.ledger.engine.connect() as connection:
        return read_payouts(connection, WITHDRAWAL, [n])[n]


def sign(world: World, runner: Runner) -> None:
    """Rounds until a payment is signed."""
    for _ in range(40):
        world.tick()
        runner.round()
        if world.ledger.rows(payout_schema.transactions):
            return
    raise AssertionError(f"nothing was signed: {world.ledger.rows(payout_schema.notes)}")


class Unsent(OneKey):
    """A key ring whose signatures do not suffice, as with operators who are away."""

    def __init__(self) -> None:
        super().__init__(needed=2)


@pytest.mark.parametrize("symbol", ["HBD", "PEK"])
def test_nothing_is_signed_for_a_withdrawal_that_is_returning(world: World, symbol: str) -> None:
    available = world.ledger.rules.state.accounts["alice"].balances[symbol].available
    claim = world.withdraw("alice", symbol, "0.01")
    world.cancel("alice", claim)
    world.run(world.runner(SHORT), 300)
    assert world.ledger.rows(payout_schema.transactions) == []
    state = payout(world)
    assert state.state == RETURNING
    assert "goes back to alice" in str(state.reason)
    world.skip(RETURN_SECONDS)
    world.tick(2)
    assert world.states() == {claim: "returned"}
    assert world.ledger.rules.state.accounts["alice"].balances[symbol].available == available
    world.check()


def test_the_operator_returns_a_withdrawal_whose_account_never_comes(world: World) -> None:
    claim = world.withdraw("alice", "HBD", "1", to="erin")
    runner = world.runner(SHORT)
    world.run(runner, 30)
    assert payout(world).state == "waiting_account"
    world.operate("returnWithdrawal", id=claim)
    world.tick(2)
    world.node.faucet("erin")
    world.run(runner, 120)
    assert payout(world).state == RETURNING
    assert not world.nodes.sent
    world.skip(RETURN_SECONDS)
    world.run(runner, 30)
    assert world.states() == {claim: "returned"}
    world.check()


def test_a_payment_that_was_signed_before_may_arrive_and_settles_it(world: World) -> None:
    """It was sent, and is included only after the return was asked for."""
    claim = world.withdraw("alice", "HBD", "1")
    runner = world.runner(LONG)
    held = HoldingNodes(world)
    sign(world, runner)
    world.cancel("alice", claim)
    world.run(runner, 60)
    assert payout(world).state == RETURNING
    world.skip(MAX_LIFETIME - 120)
    held.release()
    world.run(runner, 30)
    assert world.states() == {claim: "paid"}
    world.skip(RETURN_SECONDS)
    world.tick(2)
    assert world.states() == {claim: "paid"}
    world.check()


class HoldingNodes:
    """Holds back what is broadcast, and submits it when it is released."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.nodes.faults.extend(["dropped"] * 99)

    def release(self) -> None:
        """The nodes work again; what was signed is broadcast by hand."""
        nodes: ChainNodes = self._world.nodes
        nodes.faults.clear()
        from settlement.payouts.payout_log import read_records
        from settlement.payouts.signing.transactions import SignedTransaction

        with self._world.ledger.engine.connect() as connection:
            [record] = read_records(connection)
        signatures = tuple(record.signatures.values())
        assert nodes.broadcast(SignedTransaction(record.transaction, signatures)).status == "sent"


def test_a_payment_that_was_signed_before_and_not_sent_is_not_sent(world: World) -> None:
    claim = world.withdraw("alice", "HBD", "1")
    runner = world.runner(LONG, signing=Unsent())
    sign(world, runner)
    world.cancel("alice", claim)
    world.tick(2)
    world.run(world.runner(LONG), 60)
    assert payout(world).state == RETURNING
    world.skip(RETURN_SECONDS)
    world.run(world.runner(LONG), 30)
    assert world.states() == {claim: "returned"}
    assert not world.nodes.sent
    world.check()


def test_of_a_batch_with_a_returning_member_the_others_are_paid(world: World) -> None:
    """It was signed before the return was asked for: it settles all of its members."""
    claims = [world.withdraw(trader, "PEK", "0.01") for trader in ("alice", "bob", "carol")]
    world.nodes.faults.append("dropped")
    runner = world.runner(LONG)
    sign(world, runner)
    assert len(world.ledger.rows(payout_schema.transactions)) == 1
    world.cancel("bob", claims[1])
    world.run(runner, 120)
    assert world.states() == dict.fromkeys(claims, "paid")
    world.check()


def test_a_batch_that_was_not_signed_before_is_paid_without_the_returning_member(world: World) -> None:
    """The return is asked for in the block with which the slot begins: nothing is signed in this slot."""
    block_time, chain = world.node.chain.block_time, world.node.chain
    while chain.head_time % SLOT_SECONDS > block_time:
        world.tick()
    claims = [world.withdraw(trader, "PEK", "0.01") for trader in ("alice", "bob", "carol")]
    while chain.head_time % SLOT_SECONDS + block_time < SLOT_SECONDS:
        world.tick()
    world.cancel("bob", claims[1])
    world.tick(2)
    assert [claim.returning is not None for claim in world.ledger.claims()] == [False, True, False]
    runner = world.runner(SHORT)
    runner.round()
    assert world.ledger.rows(payout_schema.transactions) == []
    world.run(runner, 180)
    states = world.states()
    assert (states[claims[0]], states[claims[1]], states[claims[2]]) == ("paid", "pending", "paid")
    world.check()


def test_a_return_is_paid_out_again_only_by_a_new_withdrawal(world: World) -> None:
    """Cancel and withdraw in turn, an hour apart: each withdrawal is paid or returned, and none twice."""
    runner = world.runner(SHORT)
    before = world.balance("alice", "HBD")
    claims = []
    for at in range(4):
        claims.append(world.withdraw("alice", "HBD", "1", memo="rent"))
        if at % 2 == 0:
            world.cancel("alice", claims[-1])
        world.run(runner, 180)
        world.skip(RETURN_SECONDS)
        world.run(runner, 180)
    assert [world.states()[claim] for claim in claims] == ["returned", "paid", "returned", "paid"]
    assert world.balance("alice", "HBD") == before + 2000
    world.check()


def test_an_identical_newer_withdrawal_does_not_undo_a_return(world: World) -> None:
    older = world.withdraw("alice", "HBD", "1", memo="rent")
    world.cancel("alice", older)
    world.tick()
    newer = world.withdraw("alice", "HBD", "1", memo="rent")
    runner = world.runner(SHORT)
    world.run(runner, 240)
    assert world.states() == {older: "pending", newer: "pending"}
    assert not world.nodes.sent
    world.skip(RETURN_SECONDS)
    world.run(runner, 300)
    assert world.states() == {older: "returned", newer: "paid"}
    world.check()


@pytest.mark.parametrize("lie", [-86_400, -3600, 3600, 86_400])
def test_the_expiration_follows_the_ledger_whatever_the_nodes_clock_says(world: World, lie: int) -> None:
    """The node's head time is no input of a transaction."""
    world.nodes.ahead = lie
    runner = world.runner(LONG)
    world.withdraw("alice", "HBD", "1")
    for _ in range(40):
        world.tick()
        seen = world.ledger.read().timestamp
        before = len(world.ledger.rows(payout_schema.transactions))
        runner.round()
        for row in world.ledger.rows(payout_schema.transactions)[before:]:
            assert row.expires <= seen + MAX_LIFETIME
    world.nodes.ahead = 0
    world.run(world.runner(LONG), 60)
    assert set(world.states().values()) == {"paid"}
    world.check()


def test_a_lagging_ledger_signs_nothing_that_outlives_the_return(world: World) -> None:
    """Its database has not read the return: what it signs has expired before the withdrawal goes back."""
    claim = world.withdraw("alice", "HBD", "1")
    world.node.tick()
    world.node.tick()
    world.ledger.follow(world.node.chain.irreversible)
    while world.ledger.read().timestamp // 15 == world.ledger.claims()[0].opened // 15:
        world.tick()
    backup = world.ledger.backup()
    world.cancel("alice", claim)
    world.tick(2)
    due = world.ledger.claims()[0].return_due
    assert due is not None
    world.ledger.restore(backup)
    held = HoldingNodes(world)
    world.runner(LONG).round()
    [row] = world.ledger.rows(payout_schema.transactions)
    assert row.expires <= due - 600
    held.release()
    world.tick(3)
    assert world.states() == {claim: "paid"}
    world.check()


def test_a_returning_withdrawal_is_neither_held_nor_sent_in_the_report(world: World) -> None:
    claim = world.withdraw("alice", "HBD", "1", memo="x" * 200)
    world.cancel("alice", claim)
    world.tick(3)
    assert payout(world).state == RETURNING, "without any payouts process"
    world.run(world.runner(SHORT), 30)
    assert payout(world).state not in (HELD, SENT)
    assert payout(world).next_attempt is None


@pytest.mark.parametrize(("seconds", "is_signed"), [(3000, True), (3001, False)])
def test_a_transaction_that_lives_too_long_is_not_signed_whatever_planned_it(
    world: World, seconds: int, is_signed: bool
) -> None:
    """Protocol, section 10: the last check before the signature does not rely on the plan."""
    world.withdraw("alice", "HBD", "1")
    world.tick(8)
    with world.ledger.engine.connect() as connection:
        view = read_ledger_view(connection, VENUE, Policy())
    assert view is not None
    [payment] = view.payments
    expires = view.ledger.timestamp + seconds
    changed = replace(payment, transaction=replace(payment.transaction, expires=expires))
    assert blocking_status(payment, view, Policy()) is None
    status = blocking_status(changed, view, Policy())
    assert (status is None) == is_signed
    assert status is None or status[:2] == ("held", "its transaction would live for too long")
