"""Each claim is paid exactly once, whatever the network, the process, the database or a clock does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from settlement.payouts.dependencies import STEPS
from settlement.payouts.policy import Policy
from settlement.payouts.runner import Runner
from settlement.store import payout_schema
from tests.system.payouts.world import World

SHORT = Policy(expires_in=60)
A_PERIOD = 90  # seconds between two attempts under the short policy


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_coins_tokens_and_refunds_are_paid_once(world: World) -> None:
    before = world.balance("alice", "HBD")
    coins = world.withdraw("alice", "HBD", "1.5")
    tokens = [world.withdraw("alice", "PEK", "0.01"), world.withdraw("bob", "PEK", "0.02", memo="mine")]
    refund = world.refund("carol")
    world.run(world.runner(), 60)
    assert world.states() == dict.fromkeys([coins, *tokens, refund], "paid")
    assert world.balance("alice", "HBD") == before + 1500
    assert world.balance("carol", "SWAP.LTC") == 1000 * 10**8
    assert len(world.nodes.sent) == 3, "two token payments of one account and slot go together"
    assert set(world.nodes.sent.values()) == {1}
    world.check()


@pytest.mark.parametrize("fault", ["lost", "none", "dropped", "twice", "refused"])
def test_a_lost_or_wrong_answer_leads_to_no_second_payment(world: World, fault: str) -> None:
    """The same bytes are sent again; those that did not arrive then do."""
    claims = [world.withdraw("alice", "HBD", "1"), world.withdraw("alice", "PEK", "0.01")]
    world.nodes.faults.extend([fault] * 2)
    world.run(world.runner(), 120)
    assert world.states() == dict.fromkeys(claims, "paid")
    assert len(world.nodes.sent) == 2
    world.check()


def test_a_payment_that_never_arrives_is_replaced_after_its_expiry(world: World) -> None:
    claim = world.withdraw("alice", "PEK", "0.01")
    runner = world.runner(SHORT)
    world.nodes.faults.extend(["dropped"] * 2)
    world.run(runner, A_PERIOD + 60)
    assert world.states() == {claim: "paid"}
    first, second = world.nodes.sent
    records = {row.id: row for row in world.ledger.rows(payout_schema.transactions)}
    assert records[first].expires < records[second].slot * 15
    world.check()


def test_a_payment_that_the_sidechain_refuses_is_tried_again(world: World) -> None:
    """The receipt has errors: the escrow account lacks the tokens for a while."""
    claim = world.withdraw("alice", "PEK", "0.01")
    runner = world.runner(SHORT)
    token = world.node.sidechain.tokens["PEK"]
    held = token.balances["peakedex.pek"]
    while not world.nodes.sent:
        world.tick()
        runner.round()
    token.balances["peakedex.pek"] = 0  # just before it is executed
    world.run(runner, 15)
    assert world.node.chain.locate(next(iter(world.nodes.sent))) is not None
    token.balances["peakedex.pek"] = held
    world.run(runner, 30)
    assert world.states() == {claim: "pending"}, "the first has not expired yet"
    assert len(world.nodes.sent) == 1
    world.run(runner, 2 * A_PERIOD)
    assert world.states() == {claim: "paid"}, "in the turn after the next"
    assert len(world.nodes.sent) == 2
    world.check()


class _Crash(BaseException):
    pass


@pytest.mark.parametrize("at", [step for step in STEPS if step not in ("hold", "held")])
def test_a_crash_between_any_two_steps_leads_to_no_second_payment(world: World, at: str) -> None:
    """The process ends at the step, the first four times that it reaches it; the next process takes over."""
    claims = [
        *(world.withdraw("alice", "HBD", "1"), world.withdraw("bob", "HBD", "1")),
        *(world.withdraw("alice", "PEK", "0.01"), world.withdraw("bob", "PEK", "0.02", to="carol")),
    ]
    crashes = 0

    def step(name: str) -> None:
        nonlocal crashes
        if name == at and crashes < 4:
            crashes += 1
            raise _Crash

    runner: Runner | None = None
    for _ in range(60):
        world.tick()
        try:
            runner = runner or world.runner(SHORT, step=step)
            runner.round()
        except _Crash:
            runner = None
    assert crashes
    assert world.states() == dict.fromkeys(claims, "paid")
    assert len(world.nodes.sent) == 4
    world.check()


def test_two_processes_with_databases_of_their_own_send_the_same(world: World, tmp_path: Path) -> None:
    from tests.system.payouts.world import Ledgers

    other = Ledgers(world.node, tmp_path / "other.db")
    runners = [world.runner(), world.runner(ledger=other)]
    claims = [world.withdraw("alice", "HBD", "1"), world.withdraw("alice", "PEK", "0.01")]
    for at in range(40):
        world.tick()
        if at % 3 == 0:  # this one lags
            other.follow()
        for runner in runners:
            runner.round()
    assert world.states() == dict.fromkeys(claims, "paid")
    assert len(world.nodes.sent) == 2
    assert max(world.nodes.sent.values()) == 2, "the one that lags may find the other's payment executed"
    world.check()


def test_an_older_database_pays_nothing_twice(world: World) -> None:
    """It contains neither the withdrawals nor what was signed for them."""
    runner = world.runner()
    world.run(runner, 15)
    backup = world.ledger.backup()
    claims = [world.withdraw("alice", "HBD", "1"), world.withdraw("alice", "PEK", "0.01")]
    while not world.nodes.sent:
        world.tick()
        runner.round()
    world.ledger.restore(backup)
    runner = world.runner()
    runner.round()
    world.run(runner, 60)
    assert world.states() == dict.fromkeys(claims, "paid")
    assert len(world.nodes.sent) == 2
    world.check()


@pytest.mark.parametrize("apart", [-3600, 3600])
def test_a_clock_that_is_wrong_by_an_hour_changes_nothing(
    world: World, apart: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ids() -> list[str]:
        return [row.id for row in world.ledger.rows(payout_schema.transactions)]

    runner = world.runner()
    world.withdraw("alice", "HBD", "1")
    world.run(runner, 30)
    signed = ids()
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + apart)
    again = world.runner()
    world.withdraw("alice", "HBD", "1", memo="second")
    world.run(again, 60)
    assert set(world.states().values()) == {"paid"}
    assert len(ids()) == len(signed) + 1
    world.check()


def test_identical_withdrawals_are_paid_one_after_the_other(world: World) -> None:
    """Token, amount, recipient and memo are the same: the ledger cannot tell their payments apart."""
    claims = [world.withdraw("alice", "HBD", "1", memo="rent") for _ in range(3)]
    runner = world.runner(SHORT)
    world.run(runner, 60)
    assert list(world.states().values()) == ["paid", "pending", "pending"]
    world.run(runner, 5 * A_PERIOD)
    assert world.states() == dict.fromkeys(claims, "paid")
    assert len(world.nodes.sent) == 3
    world.check()


def test_nothing_new_is_signed_while_irreversibility_stalls(world: World) -> None:
    """A payment that was sent may be in a block that is not irreversible yet."""
    runner = world.runner(SHORT)
    claim = world.withdraw("alice", "HBD", "1")
    while not world.nodes.sent:
        world.tick()
        runner.round()
    world.node.chain.stalled = True
    for _ in range(20):
        world.skip(A_PERIOD // 2)
        runner.round()
    assert len(world.nodes.sent) == 1
    world.node.chain.stalled = False
    world.run(runner, 60)
    assert world.states() == {claim: "paid"}
    assert len(world.nodes.sent) == 1
    world.check()


def test_a_payment_that_a_fork_reverts_is_made_again(tmp_path: Path) -> None:
    world = World(tmp_path, lag=10)
    runner = world.runner(SHORT)
    claim = world.withdraw("alice", "HBD", "1")
    while not world.nodes.sent:
        world.tick()
        runner.round()
    world.tick()
    world.node.fork(5, forget=True)
    world.run(runner, 2 * A_PERIOD)
    assert world.states() == {claim: "paid"}
    world.check()
