"""The escrow watch: payouts pause when something else acts on an escrow account."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from api.app import create_app
from api.settings import ApiSettings
from indexer.devnet.traders.payloads import custom_json, movement, token_transfer
from settlement.payouts.chain.accounts import Account, Authority
from settlement.payouts.chain.nodes import ChainError
from settlement.payouts.escrow_watch import EscrowWatch
from settlement.payouts.holds.pause import RestoreMark, pause_reason
from settlement.payouts.payout_log import open_payout_log
from settlement.payouts.policy import Policy
from settlement.store.database import open_reader
from settlement.store.payout_pause import AFTER_RESTORE, set_pause
from tests.support.api_client import ApiClient
from tests.system.cli.command import OK, peakedex
from tests.system.payouts.world import VIEW, ChainNodes, World

SHORT = Policy(expires_in=60)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def watch(world: World, nodes: ChainNodes | None = None) -> EscrowWatch:
    reader, writer = open_reader(world.ledger.url), open_payout_log(world.ledger.url)
    watch = EscrowWatch(reader, writer, nodes or world.nodes, VIEW.escrows)
    watch.look()
    return watch


def reason(world: World) -> str | None:
    with world.ledger.engine.connect() as connection:
        return pause_reason(connection)


def test_an_unmatched_outflow_pauses_within_two_blocks(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    watching, runner = watch(world), world.runner(SHORT)
    block = world.node.chain.head + 1
    theft = world.node.broadcast([movement(VIEW, VIEW.tokens["HBD"], "peakedex.hbd", "bob", 1000)])
    claim = world.withdraw("alice", "PEK", "0.01")
    for _ in range(2 + world.node.chain.lag):
        world.tick()
        watching.look()
    text = f"peakedex.hbd has sent HBD to bob for no claim: {theft} in block {block}"
    assert text in str(reason(world))
    assert f"ALARM: {text}" in caplog.text
    world.run(runner, 60)
    assert world.states() == {claim: "pending"}
    assert f"PAUSED: {text}" in peakedex("payouts", "status", "--db", world.ledger.url).out


def test_the_pause_is_an_alarm_of_the_api(world: World) -> None:
    client = ApiClient(create_app(ApiSettings(database_url=world.ledger.url)))
    watching = watch(world)
    assert client.get("/api/health").json["alarms"] == []
    theft = world.node.broadcast([movement(VIEW, VIEW.tokens["HBD"], "peakedex.hbd", "bob", 1)])
    block = world.node.chain.head + 1
    world.tick(3)
    watching.look()
    [alarm] = client.get("/api/health").json["alarms"]
    assert alarm == (
        f"Payouts are paused: peakedex.hbd has sent HBD to bob for no claim: {theft} in block {block}."
    )


def test_once_resumed_the_same_outflow_pauses_no_more(world: World) -> None:
    watch(world)
    world.node.broadcast([custom_json(VIEW, "peakedex.pek", token_transfer("PEK", "bob", "0.05"))])
    world.tick(3)
    again = watch(world)  # after a restart
    assert "has sent PEK to bob" in str(reason(world))
    assert peakedex("payouts", "resume", "--db", world.ledger.url).code == OK
    again.look()
    watch(world)
    assert reason(world) is None
    world.node.broadcast([custom_json(VIEW, "peakedex.pek", token_transfer("PEK", "carol", "0.05"))])
    world.tick(3)
    again.look()
    assert "has sent PEK to carol" in str(reason(world))
    assert "bob" not in str(reason(world))


def test_outflows_before_the_first_start_and_payments_do_not_pause(world: World) -> None:
    world.node.broadcast([movement(VIEW, VIEW.tokens["SWAP.HIVE"], "peakedex.hive", "bob", 1000)])
    world.tick(3)
    watching, runner = watch(world), world.runner(SHORT)
    claims = [
        world.withdraw("alice", "HBD", "1"),
        world.withdraw("alice", "PEK", "0.01"),
        world.refund("carol"),
    ]
    for _ in range(30):
        world.run(runner, 3)
        watching.look()
    assert world.states() == dict.fromkeys(claims, "paid")
    assert reason(world) is None


class ChangingNodes(ChainNodes):
    """Nodes that tell other authorities of one account once it is in `changed`."""

    changed: Account | None = None

    def accounts(self, names: Iterable[str]) -> dict[str, Account]:
        found = super().accounts(names)
        if self.changed is not None:
            found[self.changed.name] = self.changed
        return found


@pytest.mark.parametrize(
    ("active", "others", "owner"),
    [
        (Authority(1, {"STM-thief": 1}, {}), {}, ()),
        (Authority(1, {"STM-ours": 1}, {"thief": 1}), {}, ()),
        (Authority(2, {"STM-ours": 1}, {}), {}, ()),
        (Authority(1, {"STM-ours": 1}, {}), {"STM-thief": "owner"}, ()),
        (Authority(1, {"STM-ours": 1}, {}), {}, (Authority(1, {}, {"thief": 1}),)),
    ],
)
def test_a_change_of_authorities_pauses(
    world: World, active: Authority, others: dict[str, str], owner: tuple[Authority, ...]
) -> None:
    nodes = ChangingNodes(world.node)
    watching = watch(world, nodes)
    watching.look()
    assert reason(world) is None
    nodes.changed = Account("peakedex.pek", active, {}, others, owner)
    watching.look()
    assert str(reason(world)).startswith("the authorities of peakedex.pek have changed. If that was you")
    assert peakedex("payouts", "resume", "--db", world.ledger.url).code == OK
    watching.look()
    assert reason(world) is None


def test_a_database_from_before_the_pause_starts_paused(world: World) -> None:
    """The change of authorities cannot be seen again: it is the accounts' first look of the new process."""
    nodes, mark = ChangingNodes(world.node), RestoreMark.of_database(world.ledger.url)
    watching, runner = watch(world, nodes), world.runner(SHORT, mark=mark)
    runner.round()
    backup = world.ledger.backup()
    nodes.changed = Account("peakedex.pek", Authority(2, {"STM-ours": 1}, {}), {}, {})
    watching.look()
    runner.round()
    world.ledger.restore(backup)
    world.tick()
    world.runner(SHORT, mark=mark)
    assert "the database was restored" in str(reason(world))


def test_a_pause_after_a_restore_stays(world: World) -> None:
    watching = watch(world)
    with open_payout_log(world.ledger.url).begin() as connection:
        set_pause(connection, AFTER_RESTORE)
    world.node.broadcast([movement(VIEW, VIEW.tokens["HBD"], "peakedex.hbd", "bob", 1)])
    world.tick(3)
    watching.look()
    assert "the database was restored" in str(reason(world))


def test_nodes_that_are_away_are_logged_and_outflows_still_found(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    watching = watch(world)
    world.nodes.away = True
    world.node.broadcast([movement(VIEW, VIEW.tokens["HBD"], "peakedex.hbd", "bob", 1)])
    world.tick(3)
    watching.run_once()
    watching.run_once()
    assert caplog.text.count("the escrow accounts cannot be watched: no node answers") == 1
    assert "has sent HBD to bob" in str(reason(world))
    with pytest.raises(ChainError):
        watching.look()
