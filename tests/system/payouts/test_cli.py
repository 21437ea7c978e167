"""`peakedex payouts …` on a ledger with claims in every state."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from indexer.devnet.server import NodeServer
from settlement.core.journal.lines import iso_time
from settlement.core.journal.state_text import state_text
from settlement.payouts.policy import Policy, read_limits
from settlement.payouts.runner import Runner
from settlement.store.database import open_writer
from settlement.store.write.initialise import initialise_from_state
from tests.system.cli.command import FAILED, MISUSED, OK, in_process, peakedex
from tests.system.payouts.world import TEXT, World

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


def test_the_status_lists_every_claim(world: World, runner: Runner) -> None:
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
    """Paid by hand, or by a thief."""
    from indexer.devnet.hive.operations import Coin, Transfer

    ident = world.node.broadcast([Transfer("peakedex.hbd", "alice", Coin(1234, "HBD"), "a mistake")])
    world.tick(3)
    found = peakedex("payouts", "status", "--db", world.ledger.url, "--json").json
    assert [(row["id"], row["amount"], row["to"]) for row in found["unmatched_outflows"]] == [
        (ident, "1.234", "alice")
    ]
    assert (
        "1 newest outflows that match no claim" in peakedex("payouts", "status", "--db", world.ledger.url).out
    )


def test_an_approval_releases_a_payment(world: World, runner: Runner) -> None:
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


def test_a_return_is_shown_with_its_time(world: World, runner: Runner) -> None:
    ident = world.withdraw("alice", "PEK", "0.01", to="dave")
    world.run(runner, 30)
    assert status(world)[ident]["return_due"] is None
    world.operate("returnWithdrawal", id=ident)
    world.run(runner, 15)
    [claim] = world.ledger.claims()
    assert claim.returning is not None
    due = iso_time(claim.returning + 3600)
    assert (status(world)[ident]["state"], status(world)[ident]["return_due"]) == ("returning", f"{due}Z")
    shown = peakedex("payouts", "status", "--db", world.ledger.url).lines
    assert f"  {ident}  0.01000000 PEK to dave  withdrawal  returning" in shown
    assert any(f"goes back to alice at {due}Z" in line for line in shown)


def test_the_accounts_are_compared_with_the_ledger(world: World, server: NodeServer) -> None:
    nodes = ("--node", server.url, "--engine-node", server.engine_url, "--chain-id", "devnet")
    where = ("--db", world.ledger.url, *nodes)
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


def test_less_than_the_ledger_counts_is_a_failure(
    world: World, server: NodeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    looks: list[float] = []
    monkeypatch.setattr(time, "sleep", looks.append)
    world.node.chain.accounts.get("peakedex.hbd").balances["HBD"] -= 1
    nodes = ("--node", server.url, "--engine-node", server.engine_url, "--chain-id", "devnet")
    where = ("--db", world.ledger.url, *nodes)
    run = peakedex("payouts", "reconcile", *where, "--json")
    assert run.code == FAILED
    assert run.error == "Error: 1 balances are below the ledger's holdings"
    assert [row["surplus"] for row in run.json["balances"] if not row["ok"]] == ["-0.001"]
    assert looks == [3.0, 3.0, 3.0]


# ---------------------------------------------------------------- the start


@pytest.fixture
def venue(tmp_path: Path) -> Path:
    path = tmp_path / "venue.toml"
    path.write_text(TEXT, "utf-8")
    return path


def test_without_any_key_it_ends_with_the_reason(world: World, venue: Path, server: NodeServer) -> None:
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
        (("--cosign-relay", "here"), "'here' is not a URL: write it like https://"),
        (("--db", "nowhere.db"), "database nowhere.db does not exist"),
    ],
)
def test_a_wrong_setting_is_named(
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
    venue.write_text(TEXT.replace("max_open_orders = 200", "max_open_orders = 201"), "utf-8")
    run = in_process("payouts", "--venue", venue, "--db", world.ledger.url, "--node", server.url)
    assert run.code == MISUSED
    assert run.error == "Error: the database belongs to another venue: use that venue's file"


def test_a_database_that_began_with_a_state_text_is_refused(
    world: World, venue: Path, server: NodeServer, tmp_path: Path
) -> None:
    """It does not know when older claims were opened: another process would sign other transactions for them."""
    world.withdraw("alice", "HBD", "1")
    world.tick(3)
    text = state_text(world.ledger.rules.state)
    url = f"sqlite:///{tmp_path / 'replica.db'}"
    replica = open_writer(url)
    initialise_from_state(replica, world.ledger.rules.state.venue, text, sha256(text.encode()).hexdigest())
    replica.dispose()
    run = in_process("payouts", "--venue", venue, "--db", url, "--node", server.url)
    assert run.code == MISUSED
    assert "the history of this database begins with a state text" in run.error
