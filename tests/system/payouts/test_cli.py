"""`peakedex payouts …` as an operator meets it, on a ledger with claims in every state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.devnet.server import NodeServer
from settlement.core.journal.lines import iso_time
from settlement.payouts.policy import Policy, read_limits
from settlement.payouts.runner import Runner
from settlement.store import payout_schema
from tests.system.cli.command import FAILED, MISUSED, OK, Run, in_process, peakedex
from tests.system.payouts.world import VENUE_TEXT, World
from tests.system.sources.server import Node, forwarding, serve

LIMITED = Policy(expires_in=60, limits=read_limits(["HBD=5"]))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def runner(world: World) -> Runner:
    return world.runner(LIMITED)


@pytest.fixture
def server(world: World) -> Iterator[NodeServer]:
    server = NodeServer(world.node)
    server.start()
    yield server
    server.stop()


def status(world: World) -> dict[str, dict[str, object]]:
    found = peakedex("payouts", "status", "--db", world.ledger.url, "--json").json
    return {claim["id"]: claim for claim in found["claims"]}


def test_the_status_tells_of_every_claim(world: World, runner: Runner) -> None:
    idents = [
        world.withdraw("alice", "HBD", "5.001"),
        world.withdraw("bob", "PEK", "0.01", to="dave"),
    ]
    refund = world.refund("carol")
    world.run(runner, 15)
    found = status(world)
    assert list(found) == [*idents, refund]
    world.run(runner, 30)
    found = status(world)
    assert [found[ident]["state"] for ident in idents] == ["waiting_approval", "waiting_account"]
    first = found[idents[0]]
    assert {
        name: first[name] for name in ("kind", "account", "symbol", "amount", "to", "memo", "escrow")
    } == {
        "kind": "withdrawal",
        "account": "alice",
        "symbol": "HBD",
        "amount": "5.001",
        "to": "alice",
        "memo": f"peakedex:{idents[0]}",
        "escrow": "peakedex.hbd",
    }
    shown = peakedex("payouts", "status", "--db", world.ledger.url)
    assert shown.code == OK
    assert f"  {idents[1]}  0.01000000 PEK to dave  withdrawal  waiting account" in shown.lines
    assert "      there is no account dave on Hive" in shown.lines
    assert "process: none, start `peakedex payouts`" in shown.lines


def test_a_payment_without_a_claim_is_shown(world: World, runner: Runner) -> None:
    """Somebody else holds the key, or has paid by hand."""
    from indexer.devnet.hive.operations import Coin, Transfer

    ident = world.node.broadcast([Transfer("peakedex.hbd", "alice", Coin(1234, "HBD"), "a mistake")])
    world.tick(3)
    found = peakedex("payouts", "status", "--db", world.ledger.url, "--json").json
    assert [(row["id"], row["quantity"], row["to"]) for row in found["unmatched_outflows"]] == [
        (ident, "1.234", "alice")
    ]
    assert (
        "1 newest outflows that match no claim" in peakedex("payouts", "status", "--db", world.ledger.url).out
    )


def test_an_approval_lets_it_go(world: World, runner: Runner) -> None:
    ident = world.withdraw("alice", "HBD", "5.001")
    world.run(runner, 30)
    run = peakedex("payouts", "approve", ident, "--db", world.ledger.url)
    assert (run.code, run.out) == (OK, "Approved: 5.001 HBD to alice\n")
    world.run(runner, 60)
    assert world.states() == {ident: "paid"}
    run = peakedex("payouts", "approve", ident, "--db", world.ledger.url)
    assert run.code == FAILED
    assert run.complaint.startswith(f"Error: no pending withdrawal or refund has the id {ident}")


def test_pause_and_resume(world: World, runner: Runner) -> None:
    assert peakedex("payouts", "pause", "--db", world.ledger.url).code == OK
    ident = world.withdraw("alice", "HBD", "1")
    world.run(runner, 30)
    assert world.states() == {ident: "pending"}
    assert (
        "PAUSED: `peakedex payouts resume` ends it"
        in peakedex("payouts", "status", "--db", world.ledger.url).lines
    )
    assert peakedex("payouts", "resume", "--db", world.ledger.url).code == OK
    world.run(runner, 30)
    assert world.states() == {ident: "paid"}


def give_back(world: World, server: NodeServer | Node, ident: str) -> Run:
    where = ("--db", world.ledger.url, "--node", server.url, "--chain-id", "devnet")
    return peakedex("payouts", "return", ident, *where)


def test_a_withdrawal_to_nobody_is_given_back(world: World, runner: Runner, server: NodeServer) -> None:
    """What is printed is what the operator signs; the account may come into being meanwhile."""
    ident = world.withdraw("alice", "PEK", "0.01", to="dave")
    world.run(runner, 30)
    run = give_back(world, server, ident)
    safe = f"{iso_time(world.node.chain.head_time + 3600)}Z"
    assert run.code == FAILED
    assert f"until {safe}: run this again" in run.complaint
    assert (status(world)[ident]["return"], status(world)[ident]["return_from"]) == (None, safe)
    world.skip(3597)
    world.tick()
    assert give_back(world, server, ident).code == FAILED, "the stop that stands counts"
    world.tick()
    run = give_back(world, server, ident)
    assert run.code == OK
    name, value = operation = run.json
    assert name == "custom_json"
    assert json.loads(value["json"])["contractPayload"] == {"id": ident}
    assert status(world)[ident]["return"] == operation
    world.node.faucet("dave")
    world.node.broadcast([operation])
    world.run(runner, 120)
    assert world.states() == {ident: "returned"}
    assert not world.nodes.sent


def test_an_older_database_gives_back_nothing_that_its_lost_payment_may_pay(
    world: World, server: NodeServer
) -> None:
    """The payment lives for an hour, and the copy that is put back knows neither of it nor of the time."""
    runner = world.runner(Policy(expires_in=3600))
    world.nodes.faults.extend(["dropped"] * 9)
    ident = world.withdraw("alice", "HBD", "1")
    world.tick(2)
    older = world.ledger.backup()
    world.skip(600)
    while not world.nodes.sent:
        world.tick()
        runner.round()
    [lost] = world.ledger.rows(payout_schema.transactions)
    world.ledger.restore(older)
    assert world.ledger.rows(payout_schema.transactions) == []
    assert give_back(world, server, ident).code == FAILED
    while world.ledger.read().timestamp < lost.expires:
        world.skip(300)
        if world.ledger.read().timestamp < lost.expires:
            assert give_back(world, server, ident).code == FAILED
    world.skip(600)
    assert give_back(world, server, ident).code == OK


def test_an_approval_takes_a_stop_back(world: World, runner: Runner, server: NodeServer) -> None:
    ident = world.withdraw("alice", "HBD", "5.001")
    world.tick(3)
    assert give_back(world, server, ident).code == FAILED
    world.run(runner, 30)
    assert status(world)[ident]["state"] == "held"
    assert peakedex("payouts", "approve", ident, "--db", world.ledger.url).code == OK
    assert status(world)[ident]["return_from"] is None
    world.run(runner, 120)
    assert world.states() == {ident: "paid"}


def test_nothing_is_stopped_where_nobody_tells_the_time(world: World, runner: Runner) -> None:
    ident = world.withdraw("alice", "PEK", "0.01", to="dave")
    world.tick(3)
    run = peakedex("payouts", "return", ident, "--db", world.ledger.url, "--node", "http://127.0.0.1:9")
    assert run.code == FAILED
    assert run.complaint.startswith("Error: not stopped, because the chain time is unknown: ")
    assert status(world)[ident]["return_from"] is None


def test_the_indexer_writes_while_nodes_are_asked(world: World, server: NodeServer) -> None:
    """A node may take its time: the database is not held meanwhile."""
    ident = world.withdraw("alice", "PEK", "0.01", to="dave")
    world.tick(3)
    asked: list[str] = []

    def slowly(method: str) -> None:
        if not asked:
            world.tick()
        asked.append(method)

    block = world.ledger.read().block
    with serve(forwarding(server.url, slowly)) as slow:
        assert give_back(world, slow, ident).code == FAILED
    assert world.ledger.read().block == block + 1
    assert status(world)[ident]["return_from"] is not None


def test_a_refund_cannot_be_given_back(world: World, runner: Runner, server: NodeServer) -> None:
    ident = world.refund("carol")
    world.tick(3)
    run = give_back(world, server, ident)
    assert run.code == FAILED
    assert "is a refund" in run.complaint


def test_the_accounts_are_compared_with_the_ledger(world: World, server: NodeServer) -> None:
    where = ("--db", world.ledger.url, "--node", server.url, "--engine-node", server.engine_url)
    where += ("--chain-id", "devnet")
    world.node.faucet("peakedex.pek", "PEK", "7")
    run = peakedex("payouts", "reconcile", *where, "--json")
    assert run.code == OK
    rows = {row["symbol"]: row for row in run.json["balances"]}
    assert rows["PEK"]["surplus"] == "7.00000000"
    assert rows["HBD"]["surplus"] == "0.000"
    assert all(row["ok"] for row in rows.values())
    assert peakedex("payouts", "reconcile", *where).lines[0].split() == [
        *("escrow", "symbol", "ledger", "real", "surplus")
    ]


def test_less_than_the_ledger_says_is_a_failure(
    world: World, server: NodeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    looks: list[float] = []
    monkeypatch.setattr(time, "sleep", looks.append)
    world.node.chain.accounts.get("peakedex.hbd").balances["HBD"] -= 1
    where = ("--db", world.ledger.url, "--node", server.url, "--engine-node", server.engine_url)
    where += ("--chain-id", "devnet")
    run = peakedex("payouts", "reconcile", *where, "--json")
    assert run.code == FAILED
    assert run.error == "Error: 1 balances are below the ledger's holdings"
    assert [row["surplus"] for row in run.json["balances"] if not row["ok"]] == ["-0.001"]
    assert looks == [3.0, 3.0, 3.0]


# ---------------------------------------------------------------- the start


@pytest.fixture
def venue(tmp_path: Path) -> Path:
    path = tmp_path / "venue.toml"
    path.write_text(VENUE_TEXT, "utf-8")
    return path


def test_without_any_key_it_says_so_and_ends(world: World, venue: Path, server: NodeServer) -> None:
    run = in_process(
        *("payouts", "--venue", venue, "--db", world.ledger.url, "--chain-id", "devnet"),
        *("--node", server.url, "--engine-node", server.engine_url),
    )
    assert run.code == MISUSED
    assert run.error == "Error: no key can sign for any escrow account: nothing can be paid"
    assert "PEK_SWAP_HIVE_KEY is not set: SWAP.HIVE stays unpaid" in run.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--payout-limit", "PEK"), "'PEK' is not a limit: write SYMBOL=AMOUNT, for example PEK=1000"),
        (("--chain-id", "beef"), "--chain-id: the chain id must be 64 lower-case hex digits"),
        (
            ("--cosign-relay", "here"),
            "--cosign-relay: 'here' is not the URL of a relay: write http://HOST:PORT",
        ),
        (("--db", "nowhere.db"), "database nowhere.db does not exist"),
    ],
)
def test_what_is_set_wrongly_is_named(
    world: World, venue: Path, server: NodeServer, options: tuple[str, ...], complaint: str
) -> None:
    run = in_process(
        *(
            "payouts",
            "--venue",
            venue,
            "--db",
            world.ledger.url,
            "--node",
            server.url,
            "--chain-id",
            "devnet",
        ),
        *("--log-level", "error", *options),
    )
    assert run.code == MISUSED
    assert complaint in run.error


def test_a_database_of_another_venue_is_refused(world: World, venue: Path, server: NodeServer) -> None:
    venue.write_text(VENUE_TEXT.replace("max_open_orders = 200", "max_open_orders = 201"), "utf-8")
    run = in_process("payouts", "--venue", venue, "--db", world.ledger.url, "--node", server.url)
    assert run.code == MISUSED
    assert run.error == "Error: the database belongs to another venue: use that venue's file"
