"""The payout loop: what holds a payment back, what releases it, and which state is shown."""

from __future__ import annotations

import itertools
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from indexer.devnet.traders.payloads import custom_json, deposit, movement, token_transfer
from settlement.payouts.holds.eligibility import blocking_status, read_ledger_view
from settlement.payouts.holds.refusals import MAX_REFUSALS
from settlement.payouts.payout_log import (
    add_record,
    approve_claim,
    open_payout_log,
)
from settlement.payouts.plan import build, compose, expires, slot_after, slot_time
from settlement.payouts.policy import Policy, read_limits
from settlement.store import payout_schema
from settlement.store.lease import Lease, LeaseError
from settlement.store.payout_pause import BY_OPERATOR, RUNNING, set_pause
from settlement.store.read.payouts import (
    KINDS,
    REFUND,
    WITHDRAWAL,
    Payout,
    Reference,
    read_ledger,
    read_payouts,
)
from settlement.store.write.projector import make_read_indexes
from tests.system.cli.command import OK, peakedex
from tests.system.payouts.world import VENUE, VIEW, OneKey, World

SHORT = Policy(expires_in=60)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def payout(world: World, ident: str) -> Payout:
    """The payment state that is shown of a claim."""
    [claim] = [claim for claim in world.ledger.claims() if claim.id == ident]
    with world.ledger.engine.connect() as connection:
        return read_payouts(connection, claim.kind, [claim.n])[claim.n]


def approve(world: World, ident: str) -> None:
    [claim] = [claim for claim in world.ledger.claims() if claim.id == ident]
    with open_payout_log(world.ledger.url).begin() as connection:
        approve_claim(connection, claim.ref, world.node.chain.head_time)


def pause(world: World, how: int) -> None:
    with open_payout_log(world.ledger.url).begin() as connection:
        set_pause(connection, how)


def refuse(world: World, *names: str) -> None:
    """Make the sidechain refuse transfers to these accounts."""
    world.sidechain.refused_recipients = frozenset(names)


# ---------------------------------------------------------------- stages of a payment


def test_each_stage_is_shown(world: World) -> None:
    seen: list[str] = []
    ident = world.withdraw("alice", "HBD", "1")
    runner = world.runner(
        step=lambda name: seen.append(payout(world, ident).state) if name == "send" else None
    )
    world.tick(2)
    runner.round()
    told = payout(world, ident)
    assert told == Payout("queued", None, (), None, None, told.next_attempt)
    assert told.next_attempt is not None
    assert 0 < told.next_attempt - world.node.chain.head_time <= 15
    while not world.nodes.sent:
        world.tick()
        runner.round()
    sent = payout(world, ident)
    assert (sent.state, sent.reason, sent.weight, sent.needed) == ("sent", None, 1, 1)
    assert sent.transaction_ids == tuple(world.nodes.sent)
    world.run(runner, 12)
    assert payout(world, ident)[:3] == ("paid", None, sent.transaction_ids)
    assert world.ledger.rows(payout_schema.notes) == []
    assert seen == ["queued"]


def test_a_payment_that_lacks_signatures_is_not_sent(world: World) -> None:
    ident = world.withdraw("alice", "HBD", "1")
    world.run(world.runner(signing=OneKey(needed=2)), 60)
    told = payout(world, ident)
    assert (told.state, told.weight, told.needed) == ("signed", 1, 2)
    assert told.reason == "signatures have weight 1 of 2"
    assert not world.nodes.sent


def test_a_payment_is_sent_once_others_have_signed_it(world: World) -> None:
    """The collector records their signatures beside ours; the loop sends what is complete."""
    ident = world.withdraw("alice", "HBD", "1")
    runner = world.runner(signing=OneKey(needed=2))
    world.run(runner, 30)
    t = payout_schema.transactions
    with open_payout_log(world.ledger.url).begin() as connection:
        values = {"signatures": json.dumps({"STM-ours": "00", "STM-other": "01"}), "weight": 2}
        assert connection.execute(t.update().values(values)).rowcount == 1
    world.run(runner, 15)
    assert world.states() == {ident: "paid"}
    world.check()


def test_without_a_key_of_one_account_the_others_are_paid(world: World) -> None:
    stays, goes = world.withdraw("alice", "HBD", "1"), world.withdraw("alice", "PEK", "0.01")
    world.run(world.runner(signing=OneKey(without=["peakedex.hbd"])), 60)
    assert world.states() == {stays: "pending", goes: "paid"}
    assert payout(world, stays).reason == "this process has no key for peakedex.hbd"


# ---------------------------------------------------------------- holds


def test_a_payout_above_a_limit_waits_for_an_approval(world: World, caplog: pytest.LogCaptureFixture) -> None:
    policy = Policy(expires_in=60, limits=read_limits(["HBD=2"]), hour_limits=read_limits(["PEK=0.025"]))
    runner = world.runner(policy)
    large = world.withdraw("alice", "HBD", "2.001")
    tokens = [world.withdraw(name, "PEK", "0.02") for name in ("alice", "bob")]
    world.run(runner, 200)
    assert [world.states()[ident] for ident in (large, *tokens)] == ["pending", "paid", "pending"]
    assert payout(world, large)[:2] == ("waiting_approval", "above the limit for one payout")
    assert payout(world, tokens[1])[:2] == ("waiting_approval", "above the limit for an hour")
    assert "is not paid: above the limit for one payout" in caplog.text
    approve(world, large)
    world.run(runner, 30)
    assert world.states()[large] == "paid"
    world.skip(3600)
    world.run(runner, 120)
    assert world.states()[tokens[1]] == "paid", "the hour is over"
    world.check()


def test_a_withdrawal_to_a_missing_account_waits_until_it_exists(world: World) -> None:
    ident = world.withdraw("alice", "PEK", "0.01", to="dave")
    runner = world.runner()
    world.run(runner, 60)
    assert payout(world, ident)[:2] == ("waiting_account", "there is no account dave on Hive")
    assert not world.nodes.sent
    world.node.faucet("dave")
    world.run(runner, 90)
    assert world.states() == {ident: "paid"}
    assert world.balance("dave", "PEK") == 10**6
    world.check()


def test_a_missing_account_is_shown_between_tries_and_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    ident = world.withdraw("alice", "PEK", "0.01", to="dave")
    runner = world.runner(SHORT)
    world.run(runner, 30)
    states = set()
    for _ in range(100):  # three turns and all that is between them
        world.tick()
        runner.round()
        states.add(payout(world, ident).state)
    assert states == {"waiting_account"}
    assert caplog.text.count("there is no account dave on Hive") == 1


def test_nothing_is_paid_from_an_account_that_holds_less_than_the_ledger_counts(world: World) -> None:
    """Coins have left without a journal line: nothing more is paid until that is explained."""
    accounts = world.node.chain.accounts
    held = accounts.get("peakedex.hbd").balances["HBD"]
    accounts.get("peakedex.hbd").balances["HBD"] = held - 1
    claims = [world.withdraw("alice", "HBD", "1"), world.withdraw("bob", "PEK", "0.01")]
    runner = world.runner()
    world.run(runner, 60)
    assert world.states() == {claims[0]: "pending", claims[1]: "paid"}
    reason = "peakedex.hbd holds 29999.999 HBD, the ledger counts 30000"
    assert payout(world, claims[0])[:2] == ("waiting_funds", reason)
    accounts.get("peakedex.hbd").balances["HBD"] += 1
    world.run(runner, 30)
    assert world.states() == dict.fromkeys(claims, "paid")
    world.check()


def test_funds_of_signed_payments_are_not_spent_twice(world: World) -> None:
    """Two payments of one round, beside one of an earlier round that is not settled."""
    world.nodes.faults.append("dropped")
    runner = world.runner()
    idents = [world.refund("alice", "2.5")]
    while not world.nodes.sent:
        world.tick()
        runner.round()
    world.node.sidechain.tokens["SWAP.LTC"].balances["peakedex.btc"] = 10**8
    idents += [world.refund("bob", "2"), world.refund("carol", "2.25")]
    while len(world.nodes.sent) < 2:
        world.tick()
        runner.round()
    assert [payout(world, ident).state for ident in idents] == ["sent", "sent", "waiting_funds"]
    assert payout(world, idents[2]).reason == "peakedex.btc holds too little SWAP.LTC now"


def test_nothing_is_paid_of_a_token_with_more_liabilities_than_holdings(world: World) -> None:
    """A thief has the escrow account's key: the ledger reads an unmatched outflow."""
    world.node.broadcast([movement(VIEW, VIEW.tokens["HBD"], "peakedex.hbd", "bob", 1000)])
    claim = world.withdraw("alice", "HBD", "1")
    world.run(world.runner(SHORT), 120)
    assert world.states() == {claim: "pending"}
    assert payout(world, claim)[:2] == ("waiting_funds", "the ledger holds 29999.000 HBD and owes 30000.000")
    assert not world.nodes.sent


def test_a_token_that_is_listed_later_waits_for_an_approval(world: World) -> None:
    world.node.sidechain.create_token("NEW", 4)
    world.node.faucet("alice", "NEW", "10")
    world.operate("listToken", symbol="NEW", precision=4, escrow="peakedex.pimp", minWithdrawal="1")
    world.tick(2)
    world.node.broadcast([custom_json(VIEW, "alice", token_transfer("NEW", "peakedex.pimp", "5"))])
    world.tick(2)
    other, claim = world.withdraw("alice", "PEK", "0.01"), world.withdraw("alice", "NEW", "5")
    runner = world.runner(SHORT)
    world.run(runner, 120)
    assert world.states() == {other: "paid", claim: "pending"}
    state, reason = payout(world, claim)[:2]
    assert state == "waiting_approval"
    assert reason == "NEW was listed later, in the escrow account peakedex.pimp: approve the token"
    assert peakedex("payouts", "approve", "NEW", "--db", world.ledger.url).code == OK
    world.run(runner, 120)
    assert world.states()[claim] == "paid"
    world.check()


# ---------------------------------------------------------------- refusals


def test_a_refused_payment_is_tried_less_and_less_often_then_held(world: World) -> None:
    """The recipient is on the sidechain's blacklist, and the node's answer does not contain it."""
    world.node.faucet("gate")
    refuse(world, "gate")
    runner = world.runner(SHORT)
    claim = world.withdraw("alice", "PEK", "0.01", to="gate")
    world.run(runner, 60)
    told = payout(world, claim)
    assert told[:2] == ("queued", "refused once: not allowed to send to gate")
    world.run(runner, SHORT.period * 15)
    assert len(world.nodes.sent) == 1, "not in its next turn"
    for times in range(2, MAX_REFUSALS + 1):
        assert payout(world, claim).state == "queued"
        world.skip(max(3, (payout(world, claim).next_attempt or 0) - world.node.chain.head_time))
        world.run(runner, 75)
        assert f"refused {times} times" in str(payout(world, claim).reason)
    assert len(world.nodes.sent) == MAX_REFUSALS
    told = payout(world, claim)
    assert told[:2] == ("held", f"refused {MAX_REFUSALS} times, last: not allowed to send to gate")
    slots = [row.slot for row in world.ledger.rows(payout_schema.transactions)]
    gaps = [(later - slot) // SHORT.period for slot, later in itertools.pairwise(slots)]
    assert gaps[:6] == [2, 2, 4, 8, 16, 32]
    assert 43_200 < gaps[-1] * SHORT.period * 15 <= 86_400, "at last about once a day"
    assert set(world.nodes.sent.values()) == {1}, "what has been executed is not sent again"
    world.sidechain.refused_recipients = frozenset()
    assert peakedex("payouts", "approve", claim, "--db", world.ledger.url).code == OK
    world.run(runner, 120)
    assert world.states() == {claim: "paid"}
    world.check()


@pytest.mark.parametrize("to", ["gate", "constructor"])
def test_a_recipient_on_the_blacklist_is_held_at_once(world: World, to: str) -> None:
    """So is one whose name each JavaScript object has: the sidechain finds it in its blacklist."""
    world.node.faucet(to)
    world.nodes.blacklist.add("gate")
    claims = [world.withdraw("alice", symbol, "0.1", to=to) for symbol in ("PEK", "HBD")]
    world.run(world.runner(SHORT), 120)
    assert world.states() == {claims[0]: "pending", claims[1]: "paid"}, "coins do not pass the sidechain"
    reason = f"Hive-Engine refuses transfers to {to}: the account is on its blacklist"
    assert payout(world, claims[0])[:2] == ("held", reason)


def test_a_restricted_escrow_account_pays_no_tokens(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.nodes.denied.add("peakedex.pek")
    runner = world.runner(SHORT)
    claims = [world.withdraw("alice", symbol, "0.1") for symbol in ("PEK", "SWAP.HIVE")]
    world.run(runner, 60)
    assert world.states() == {claims[0]: "pending", claims[1]: "paid"}
    assert "one action a day" in str(payout(world, claims[0]).reason)
    assert "Hive-Engine has restricted peakedex.pek to one action a day" in caplog.text
    world.nodes.denied.clear()
    world.skip(300)
    world.run(runner, 120)
    assert world.states()[claims[0]] == "paid"


def test_an_ordinary_withdrawal_is_paid_within_a_round_beside_200_refused_ones(world: World) -> None:
    """Ten accounts have 20 each, as many as may be pending."""
    world.node.faucet("gate")
    refuse(world, "gate")
    runner = world.runner(SHORT)
    names = [f"dust{n}" for n in range(10)]
    for name in names:
        world.node.faucet(name, "PEK", "1")
        world.node.broadcast([deposit(VIEW, "PEK", name, 10**8)])
    for n in range(20):
        world.tick()
        for name in names:
            world.withdraw(name, "PEK", "0.0001", to="gate", memo=f"dust {n}")
    world.run(runner, 90)
    for seconds in (3, 300):  # in the first turns of the dust, and among its retries
        claim = world.withdraw("bob", "PEK", "0.01")
        refund = world.refund("carol")
        world.run(runner, SHORT.expires_in)
        assert world.states()[claim] == "paid"
        world.run(runner, seconds)
        assert world.states()[refund] == "paid"
    most = Counter(
        row.last_sent // 9 for row in world.ledger.rows(payout_schema.transactions) if row.last_sent
    )
    assert max(most.values()) <= 8, "the sidechain's limits hold"
    world.check()


def test_a_pause_stops_signing_and_sending(world: World) -> None:
    runner = world.runner()
    pause(world, BY_OPERATOR)
    ident = world.withdraw("alice", "HBD", "1")
    world.run(runner, 60)
    assert not world.nodes.sent
    assert payout(world, ident).reason == "payouts are paused"
    pause(world, RUNNING)
    world.run(runner, 30)
    assert world.states() == {ident: "paid"}


@pytest.mark.parametrize(("step", "sent"), [("selected", 0), ("sent", 1)])
def test_a_pause_holds_within_a_round(world: World, step: str, sent: int) -> None:
    """With slow nodes a round takes minutes: what it was about to do is not done any more."""
    claims = [world.withdraw(trader, "HBD", "1") for trader in ("alice", "bob", "carol")]
    world.tick(8)
    runner = world.runner(step=lambda name: pause(world, BY_OPERATOR) if name == step else None)
    runner.round()
    assert sum(world.nodes.sent.values()) == sent
    pause(world, RUNNING)
    world.run(world.runner(), 60)
    assert world.states() == dict.fromkeys(claims, "paid")


def test_a_signed_payment_is_not_sent_again_while_paused(world: World) -> None:
    world.nodes.faults.extend(["dropped"] * 9)
    runner = world.runner()
    world.withdraw("alice", "HBD", "1")
    while not world.nodes.sent:
        world.tick()
        runner.round()
    pause(world, BY_OPERATOR)
    world.run(runner, 120)
    assert sum(world.nodes.sent.values()) == 1


def test_a_memo_that_a_sidechain_could_run_is_held(world: World) -> None:
    """The rules refuse a memo that begins with a brace; behind other white space payouts do."""
    world.node.faucet("peakedex.hbd", "PEK", "1000")
    world.node.faucet("mallory")
    payload = {"symbol": "PEK", "to": "mallory", "quantity": "1000"}
    action = {"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload}
    memo = "\u00a0" + json.dumps({"id": "ssc-mainnet-hive", "json": action})
    ident = world.withdraw("alice", "HBD", "1", memo=memo)
    world.run(world.runner(SHORT), 200)
    assert world.states() == {ident: "pending"}
    assert world.balance("mallory", "PEK") == 0
    assert payout(world, ident).state == "held"
    assert "sidechain" in (payout(world, ident).reason or "")


# ---------------------------------------------------------------- another policy


def test_after_a_change_of_policy_older_claims_wait_until_all_has_expired(world: World) -> None:
    """The record of what was signed under the old one is lost, and its transaction may still be executed."""
    world.nodes.faults.append("dropped")
    older = world.withdraw("alice", "HBD", "1")
    runner = world.runner(Policy(expires_in=600))
    while not world.nodes.sent:
        world.tick()
        runner.round()
    [lost] = world.ledger.rows(payout_schema.transactions)
    with open_payout_log(world.ledger.url).begin() as connection:
        connection.execute(payout_schema.members.delete())
        connection.execute(payout_schema.transactions.delete())
    runner = world.runner(Policy(expires_in=60), first_run=False)
    changed = world.node.chain.head_time
    world.tick()
    newer, own = world.withdraw("bob", "HBD", "1"), world.withdraw("carol", "HBD", "1", memo="own")
    world.run(runner, 60)
    assert world.states() == {older: "pending", newer: "paid", own: "pending"}
    assert "another policy" in (payout(world, own).reason or "")
    assert (payout(world, older).next_attempt or 0) >= lost.expires
    world.skip(540)
    runner.round()
    assert len(world.nodes.sent) == 2, "a third policy, in between, may have made one that lives longer"
    world.skip(3000)
    world.run(runner, 150)
    assert set(world.states().values()) == {"paid"}
    late = [row for row in world.ledger.rows(payout_schema.transactions) if row.first_sent > changed + 60]
    assert len(late) == 2
    assert min(row.first_sent for row in late) > lost.expires
    world.check()


def test_a_start_without_records_holds_older_claims_unless_it_is_the_first_run(world: World) -> None:
    older = world.withdraw("alice", "HBD", "1")
    world.tick(3)
    runner = world.runner(SHORT, first_run=False)
    newer = world.withdraw("bob", "HBD", "1")
    world.run(runner, 120)
    assert world.states() == {older: "pending", newer: "paid"}
    [settings] = world.ledger.rows(payout_schema.settings)
    assert settings.hold_until - settings.hold_from == 3000
    world.runner(SHORT, first_run=True)
    assert world.ledger.rows(payout_schema.settings) == [settings], "it is not the first any more"
    world.runner(SHORT, hold=True)
    [held] = world.ledger.rows(payout_schema.settings)
    assert held.hold_from > settings.hold_from


def test_the_same_policy_holds_nothing(world: World) -> None:
    world.runner(SHORT)
    before = world.ledger.rows(payout_schema.settings)
    world.runner(SHORT, first_run=False)
    assert world.ledger.rows(payout_schema.settings) == before


# ---------------------------------------------------------------- limits of sending


def test_no_more_actions_are_sent_than_the_sidechain_executes_in_a_block(world: World) -> None:
    """20 actions of an account in a block: those beyond fail, and would wait for their next turn."""
    for _ in range(20):
        world.withdraw("alice", "PEK", "0.0001")
        world.withdraw("bob", "PEK", "0.0002", to="carol")
    world.run(world.runner(), 330)
    assert set(world.states().values()) == {"paid"}
    assert max(world.nodes.sent.values()) == 1
    world.check()


def test_many_payments_are_signed_in_portions(world: World) -> None:
    for n in range(20):
        for trader in ("alice", "bob"):
            world.withdraw(trader, "HBD", "0.001", memo=f"{n}")
    runner = world.runner()
    world.tick(8)
    runner.round()
    assert len(world.ledger.rows(payout_schema.transactions)) == 10
    world.run(runner, 60)
    assert set(world.states().values()) == {"paid"}


# ---------------------------------------------------------------- failures


def test_the_loop_waits_for_nodes(world: World) -> None:
    import threading

    runner = world.runner()
    world.withdraw("alice", "HBD", "1")
    world.tick(6)
    world.nodes.away = True
    stop = threading.Event()
    rounds = 0

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal rounds
            rounds += 1
            if rounds == 3:
                world.nodes.away = False
            world.tick()
            return rounds > 9

    stop = Stop()
    runner.run(stop)
    assert set(world.states().values()) == {"paid"}


def test_one_payouts_process_a_database(world: World) -> None:
    writer = open_payout_log(world.ledger.url)
    lost: list[bool] = []
    with Lease(writer, lambda: lost.append(True), table=payout_schema.lease, role="payouts process") as first:
        with Lease(writer, table=payout_schema.lease, role="payouts process"):
            assert not first.renew()
            with pytest.raises(LeaseError, match="another payouts process took over"):
                first.check()
        with Lease(writer):
            pass  # the indexer's is another


def test_a_process_that_has_lost_its_lease_signs_nothing(world: World) -> None:
    def lost() -> None:
        raise LeaseError("another payouts process took over")

    runner = world.runner(guard=lost)
    world.withdraw("alice", "HBD", "1")
    with pytest.raises(LeaseError):
        world.run(runner, 60)
    assert not world.nodes.sent


def test_a_reason_is_logged_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world.withdraw("alice", "PEK", "0.01", to="dave")
    world.run(world.runner(), 120)
    assert caplog.text.count("there is no account dave") == 1


def test_kinds_have_their_names() -> None:
    assert (KINDS[WITHDRAWAL], KINDS[REFUND]) == ("withdrawal", "refund")


def test_no_round_scans_the_history(world: World) -> None:
    """A venue may have paid a million withdrawals: checked by SQLite's query plans."""
    seen: list[tuple[str, Any]] = []

    def note(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: Any
    ) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    make_read_indexes(world.ledger.engine)
    world.withdraw("alice", "PEK", "0.01")
    runner = world.runner()
    event.listen(Engine, "before_cursor_execute", note)
    try:
        world.run(runner, 30)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    with world.ledger.engine.connect() as connection:
        steps = [
            row[3]
            for statement, parameters in dict.fromkeys(seen)
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    tables = ("withdrawals", "refunds", "payout_transactions", "payout_members", "accounts")
    scans = [step for step in steps if step.startswith("SCAN ") and step.split()[1] in tables]
    assert [step for step in scans if not step.endswith("_open")] == []
    assert any("withdrawals_closed" in step for step in steps)


def test_a_slot_is_planned_from_its_start_to_its_expiry(world: World) -> None:
    """Before its start the ledger may lack rows: another one would plan something else."""
    world.withdraw("alice", "HBD", "1")
    world.tick(2)
    [claim] = world.ledger.claims()
    slot = slot_after(claim.opened)

    def planned() -> list[str]:
        with world.ledger.engine.connect() as connection:
            assert build(connection, VENUE, SHORT, "peakedex.pek", slot) == []
            return [payment.id for payment in build(connection, VENUE, SHORT, "peakedex.hbd", slot)]

    assert claim.opened <= world.ledger.read().timestamp < slot_time(slot)
    assert planned() == []
    while world.ledger.read().timestamp < slot_time(slot):
        world.tick()
    [ident] = planned()
    while world.ledger.read().timestamp < expires(slot, SHORT):
        assert planned() == [ident]
        world.tick()
    assert planned() == []


def test_a_claim_in_another_unexpired_transaction_is_not_signed(world: World) -> None:
    """The second safeguard. Here another composition has signed it, and is recorded."""
    ident = world.withdraw("alice", "HBD", "1")
    runner = world.runner(SHORT)
    world.tick(3)
    [claim] = world.ledger.claims()
    with world.ledger.engine.connect() as connection:
        ledger = read_ledger(connection, 0)
    assert ledger is not None
    reference = Reference(ledger.block, world.node.chain.id_of(ledger.block).hex())
    [other] = compose(ledger.claims, reference, VENUE, Policy(expires_in=200), slot_after(claim.opened))
    with open_payout_log(world.ledger.url).begin() as connection:
        add_record(connection, other, {"STM-other": "00"}, 0, 1)
    world.run(runner, 150)
    assert not world.nodes.sent
    assert world.ledger.rows(payout_schema.transactions)[0].id == other.id
    world.run(runner, 150)
    assert world.states() == {ident: "paid"}
    assert other.id not in world.nodes.sent
    world.check()


def test_a_batch_with_a_settled_member_is_not_sent_again(world: World) -> None:
    """The operator has paid one of them by hand, while no node took the batch."""
    world.nodes.faults.extend(["dropped"] * 9)
    given, other = (world.withdraw(name, "PEK", "0.01") for name in ("alice", "bob"))
    runner = world.runner()
    while not world.nodes.sent:
        world.tick()
        runner.round()
    [batch] = world.nodes.sent
    by_hand = token_transfer("PEK", "alice", "0.01", f"peakedex:{given}")
    world.node.broadcast([custom_json(VIEW, "peakedex.pek", by_hand)])
    world.tick(4)
    sent = world.nodes.sent[batch]
    world.nodes.faults.clear()
    world.run(runner, 200)
    assert world.nodes.sent[batch] == sent
    assert world.states() == {given: "paid", other: "pending"}
    world.skip(400)
    world.run(runner, 120)
    assert world.states() == {given: "paid", other: "paid"}
    world.check()


def test_a_payment_that_refers_to_too_old_a_block_waits(world: World) -> None:
    """After two quiet days the chain accepts no transaction that refers so far back."""
    world.withdraw("alice", "HBD", "1", to="dave")
    world.tick(8)
    with world.ledger.engine.connect() as connection:
        view = read_ledger_view(connection, VENUE, Policy())
    assert view is not None
    [payment] = view.payments
    for later, waits in ((65_000, False), (65_001, True)):
        block = payment.reference + later
        note = blocking_status(payment, view._replace(ledger=view.ledger._replace(block=block)), Policy())
        assert (note is not None) == waits


def test_a_head_time_that_was_wrong_for_a_moment_delays_nothing_later(world: World) -> None:
    """One of two nodes was ahead while eight payments were sent, and their broadcasts got lost."""
    runner = world.runner()
    early = [world.withdraw("alice", "PEK", f"0.00{at}", to="bob") for at in range(11, 19)]
    world.nodes.faults.extend(["dropped"] * len(early))
    world.tick(3)
    world.nodes.ahead = 500
    world.run(runner, 27)
    assert world.nodes.sent.total() == len(early)
    world.nodes.ahead = 0
    late = world.withdraw("carol", "PEK", "0.05")
    world.run(runner, 60)
    assert {world.states()[claim] for claim in (late, *early)} == {"paid"}
    world.check()
