"""`peakedex doctor --go-live`: a venue made ready step by step, and each fault alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from indexer.cli.support.nodes import open_nodes
from indexer.devnet.hive.authority import Authority, Role
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.hive.operations import Coin, Operation, Transfer
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.traders.payloads import custom_json, intent, movement, token_transfer
from indexer.devnet.venue import read_venue
from indexer.follow.loop import Follower
from indexer.ops.doctor import Subject
from indexer.ops.doctor.golive import TITLES, GoLive, Point, examine_go_live
from settlement.core.venue import parse_venue
from settlement.net.backoff import Waiter
from settlement.net.chain_id import ExpectedChain
from settlement.payouts.payout_log import open_payout_log, write_policy
from settlement.store import payout_schema
from settlement.store.database import open_writer
from settlement.store.indexer_status import IndexerStatus, write_status
from settlement.store.lease import Lease
from settlement.store.payout_pause import BY_OPERATOR, RUNNING, set_pause
from settlement.store.write.loader import load, load_or_initialise
from tests.system.cli.command import FAILED, peakedex

VENUE = """\
[venue]
name = "Ready"
protocol = 2
contract = "peakedex"
custom_json_id = "ssc-mainnet-hive"
start_block = 4
operator = "ready.boss"
checkpoint_account = "ready.proof"
fee_account = "ready.fees"

[tokens.HBD]
precision = 3
escrow = "ready.hbd"
min_withdrawal = "0.001"

[tokens.PEK]
precision = 8
escrow = "ready.pek"
min_withdrawal = "0.001"

[[pairs]]
base = "PEK"
quote = "HBD"
price_decimals = 3
quantity_decimals = 0
"""
VIEW = read_venue(VENUE)
POLICY = "ab" * 32
MEMBERS = ("op-one", "op-two", "op-three")
TWO_OF_THREE = Authority(2, account_auths=tuple((name, 1) for name in sorted(MEMBERS)))
READY = GoLive(POLICY, frozenset(("HBD", "PEK")), lambda: datetime.now(UTC))
STRANGER = PrivateKey("a stranger").public_key


class Launch:
    """A chain with three nodes, a venue file and a database; nothing is ready."""

    def __init__(self, folder: Path) -> None:
        self.venue_file = folder / "venue.toml"
        self.database = folder / "dex.db"
        self.node = DevNode(Chain(seed=3, genesis=int(time.time()) - 400), Sidechain())
        self.node.tick()
        self.servers = [NodeServer(self.node) for _ in range(3)]
        for server in self.servers:
            server.start()
        self.nodes = self.servers
        self.wanted = GoLive()

    def close(self) -> None:
        for server in self.servers:
            server.stop()

    # -- the chain -------------------------------------------------------------------------------

    def tick(self, *operations: Operation) -> str:
        """Each operation in a transaction of its own, all in one block; the id of the last."""
        ident = ""
        for operation in operations:
            ident = self.node.broadcast([operation])
        self.node.tick()
        return ident

    def act(self, account: str, action: str, **payload: object) -> str:
        return self.tick(custom_json(VIEW, account, intent(VIEW, action, payload)))

    def authority(self, *names: str, active: Authority, owner: Authority | None = None) -> None:
        for name in names:
            self.node.faucet(name, authorities={"active": active, "owner": owner or active})

    def follow(self) -> None:
        """Index up to the last irreversible block, as an indexer that goes on."""
        self.node.tick()
        self.node.tick()
        engine = open_writer(str(self.database))
        rules, projector = load_or_initialise(engine, parse_venue(self.venue_file.read_text("utf-8")))
        urls, engine_urls = (self.servers[0].url,), (self.servers[0].engine_url,)
        source = open_nodes(urls, engine_urls, rules.venue_filter, Waiter(), None)
        Follower(rules, projector, source).run(self.node.chain.irreversible)
        write_status(
            engine, IndexerStatus(int(time.time()), "following", self.node.chain.irreversible, None, None)
        )
        engine.dispose()

    @contextmanager
    def written(self) -> Iterator[Any]:
        """A connection that writes to the database."""
        engine = open_payout_log(str(self.database))
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    # -- looking ---------------------------------------------------------------------------------

    def beat(self, _: float) -> None:
        """The heartbeats of the indexer and of payouts, in place of waiting."""
        if self.database.exists():
            with self.written() as connection:
                connection.exec_driver_sql("UPDATE indexer_status SET updated = updated + 2")
                connection.exec_driver_sql("UPDATE payout_lease SET heartbeat = heartbeat + 2")

    def look(self, **changes: Any) -> list[Point]:
        subject = Subject(
            changes.pop("venue_file", self.venue_file),
            str(self.database),
            [server.url for server in self.nodes],
            [server.engine_url for server in self.nodes[:2]],
            chain=ExpectedChain(self.node.chain.chain_id.hex()),
        )
        now = changes.pop("now", self.node.chain.head_time + 1)
        wait = changes.pop("wait", self.beat)
        return list(examine_go_live(subject, self.wanted, clock=lambda: now, wait=wait, **changes))

    def open_points(self) -> dict[int, list[Point]]:
        """The points that are not OK."""
        found: dict[int, list[Point]] = {}
        for point in self.look():
            assert point.title == TITLES[point.number - 1]
            if point.status != "OK":
                assert point.text, point
                assert point.cure, point
                found.setdefault(point.number, []).append(point)
        return found


# ---------------------------------------------------------------- step by step


def name_nodes(launch: Launch) -> None:
    launch.nodes = launch.servers


def write_venue(launch: Launch) -> None:
    launch.venue_file.write_text(VENUE, "utf-8")


def register(launch: Launch) -> None:
    """The accounts and the token of the venue, before its first block."""
    launch.node.prepare(VIEW)
    for name in (*MEMBERS, "alice", "bobby"):
        launch.node.faucet(name)


def set_authorities(launch: Launch) -> None:
    launch.authority("ready.hbd", "ready.pek", active=TWO_OF_THREE)


def power_up(launch: Launch) -> None:
    launch.node.chain.without_rc = frozenset()


def reach_start(launch: Launch) -> None:
    for _ in range(6):
        launch.node.tick()


def start_indexer(launch: Launch) -> None:
    launch.follow()


def start_payouts(launch: Launch) -> None:
    launch.wanted = GoLive(POLICY, READY.limited)
    with launch.written() as connection:
        write_policy(connection, POLICY, 0, 0)


def back_up(launch: Launch) -> None:
    launch.wanted = READY


def deposit(launch: Launch) -> None:
    for name in ("alice", "bobby"):
        launch.node.faucet(name, "HBD", "10")
        launch.node.faucet(name, "PEK", "10")
    launch.tick(
        movement(VIEW, VIEW.tokens["HBD"], "alice", "ready.hbd", 1000),
        movement(VIEW, VIEW.tokens["PEK"], "bobby", "ready.pek", 10**8),
    )
    launch.follow()


def trade(launch: Launch) -> None:
    launch.act("bobby", "sell", symbol="PEK", quote="HBD", quantity="1", price="0.001")
    launch.act("alice", "buy", symbol="PEK", quote="HBD", quantity="1", price="0.001")
    launch.follow()


def withdraw(launch: Launch) -> None:
    ident = launch.act("alice", "withdraw", symbol="HBD", quantity="0.001")
    launch.tick(Transfer("ready.hbd", "alice", Coin(1, "HBD"), f"peakedex:{ident}"))
    launch.follow()


def refund(launch: Launch) -> None:
    ident = launch.tick(custom_json(VIEW, "alice", token_transfer("PEK", "ready.hbd", "0.001")))
    memo = f"peakedex:{ident}"
    launch.tick(custom_json(VIEW, "ready.hbd", token_transfer("PEK", "alice", "0.001", memo)))
    launch.follow()


def checkpoint(launch: Launch) -> None:
    engine = open_writer(str(launch.database))
    state = load(engine).state
    engine.dispose()
    assert state.header is not None
    claim = {"block": state.header.number, "stateHash": "0" * 64, "journalHash": state.journal_hash}
    launch.act("ready.proof", "checkpoint", **claim)
    launch.follow()


STEPS = [
    (name_nodes, {2}),
    (write_venue, {3}),
    (register, {4, 6, 8}),
    (set_authorities, {5}),
    (power_up, {7}),
    (reach_start, {9}),
    (start_indexer, {10, 18}),
    (start_payouts, {11}),
    (back_up, {13}),
    (deposit, {14}),
    (trade, {15}),
    (withdraw, {16}),
    (refund, {17}),
    (checkpoint, {12}),
]


@contextmanager
def payouts_lease(launch: Launch) -> Iterator[None]:
    """A payouts process, as its lease shows it."""
    engine = open_payout_log(str(launch.database))
    with Lease(engine, table=payout_schema.lease, role="payouts process"):
        yield
    engine.dispose()


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """A venue on which every point is OK."""
    launch = Launch(tmp_path_factory.mktemp("ready"))
    for step, _ in STEPS:
        step(launch)
    with payouts_lease(launch):
        yield launch
    launch.close()


@pytest.fixture
def ready(launched: Launch) -> Iterator[Launch]:
    """The same; what a test changes of it is changed back."""
    sidechain = launched.node.sidechain
    blacklist = sidechain.blacklist
    yield launched
    launched.nodes, launched.wanted = launched.servers, READY
    launched.node.chain.without_rc = sidechain.denied = frozenset()
    sidechain.blacklist = blacklist
    launched.servers[1].faults.engine_refuses = False
    launched.venue_file.write_text(VENUE, "utf-8")
    with launched.written() as connection:
        set_pause(connection, RUNNING)


def test_each_step_makes_its_points_ok_until_all_are(tmp_path: Path) -> None:
    launch = Launch(tmp_path)
    launch.nodes = launch.servers[:1]
    launch.node.chain.without_rc = frozenset(("ready.boss", "ready.proof", "ready.hbd", "ready.pek"))
    lease = None
    left = set(range(2, len(TITLES) + 1))
    assert set(launch.open_points()) == left
    for step, solved in STEPS:
        step(launch)
        if step is start_payouts:
            lease = payouts_lease(launch)
            lease.__enter__()
        left -= solved
        assert set(launch.open_points()) == left, step.__name__
    assert left == set()
    assert lease is not None
    lease.__exit__(None, None, None)
    launch.close()


# ---------------------------------------------------------------- each fault alone


def only(launch: Launch, number: int, *texts: str, beside: Set[int] = frozenset()) -> None:
    """The one point that is not OK (`beside` others that follow from it) has a line with each text."""
    found = launch.open_points()
    assert set(found) - beside == {number}, found
    for text in texts:
        assert any(text in point.text for point in found[number]), (text, found[number])


@contextmanager
def authorities(
    launch: Launch, name: str, *, active: Authority | None = None, owner: Authority | None = None
) -> Iterator[None]:
    accounts = launch.node.chain.accounts
    given: dict[Role, Authority | None] = {"active": active, "owner": owner}
    changed = {role: authority for role, authority in given.items() if authority is not None}
    before = {role: accounts.authority(name, role) for role in changed}
    launch.node.faucet(name, authorities=changed)
    yield
    launch.node.faucet(name, authorities=before)


def test_a_venue_that_is_ready_has_every_point_once(ready: Launch) -> None:
    points = ready.look()
    assert [(point.number, point.status) for point in points] == [
        (number, "OK") for number in range(1, len(TITLES) + 1)
    ]
    by_title = {point.title: point.text for point in points}
    assert "ready.hbd 2 of 3, ready.pek 2 of 3" in by_title["Authorities"]
    assert by_title["First withdrawal"].split(": ")[1].startswith("0.001 HBD to alice")
    assert by_title["First refund"].split(": ")[1].startswith("0.001 PEK to alice")


@pytest.mark.parametrize(
    ("authority", "text"),
    [
        (Authority.of_key(STRANGER), "one key suffices, STM"),
        (Authority(1, account_auths=(("op-one", 1), ("op-two", 1))), "one key suffices, STM"),
        (
            Authority(2, ((STRANGER, 2),), (("op-one", 1), ("op-two", 1))),
            f"one key suffices, {STRANGER[:11]}",
        ),
        (Authority(3, account_auths=(("op-one", 1), ("op-two", 1))), "no keys reach its threshold 3"),
    ],
    ids=["one-key", "one-of-two", "one-that-weighs-two", "out-of-reach"],
)
def test_an_authority_that_is_not_k_of_n(ready: Launch, authority: Authority, text: str) -> None:
    with authorities(ready, "ready.pek", active=authority):
        only(ready, 5, f"ready.pek, active authority: {text}")
    with authorities(ready, "ready.pek", owner=Authority.of_key(STRANGER)):
        only(ready, 5, "ready.pek, owner authority: one key suffices")


def test_an_account_that_can_sign_for_two_members_undoes_2_of_3(ready: Launch) -> None:
    """As applications do that a member has once allowed to act for him."""
    ready.node.faucet("some.app")
    for_app = Authority(1, ((PrivateKey("member").public_key, 1),), (("some.app", 1),))
    with authorities(ready, "op-one", active=for_app):
        only(ready, 5, "some.app can sign for its member op-one")
        with authorities(ready, "op-two", active=for_app):
            only(ready, 5, "one key suffices, STM", "of op-one of some.app")


def test_one_key_can_be_accepted_and_then_must_be_the_only_one(ready: Launch) -> None:
    alone = Authority.of_key(STRANGER)
    ready.wanted = GoLive(READY.policy_hash, READY.limited, READY.newest_backup, is_single_signer=True)
    with authorities(ready, "ready.pek", active=alone, owner=alone):
        assert ready.open_points() == {}
        with authorities(ready, "ready.pek", active=Authority(1, ((STRANGER, 1),), (("op-one", 1),))):
            only(ready, 5, "one key suffices")


def test_a_checkpoint_account_that_needs_two(ready: Launch) -> None:
    with authorities(ready, "ready.proof", active=TWO_OF_THREE):
        only(ready, 5, "ready.proof needs several signatures")


@pytest.mark.parametrize("holder", ["ready.boss", "ready.proof", "ready.fees"])
def test_a_key_of_escrow_that_another_account_has_too(ready: Launch, holder: str) -> None:
    member = ready.node.chain.accounts.authority("op-two", "active")
    with authorities(ready, holder, active=member):
        only(ready, 6, f"of {holder} also counts for ready.hbd, owner authority")


def test_a_memo_key_that_signs(ready: Launch) -> None:
    accounts = ready.node.chain.accounts
    before = accounts.memo_key("ready.pek")
    [(key, _)] = accounts.authority("op-two", "active").key_auths
    accounts.create("ready.pek", 0, memo_key=key)
    only(ready, 6, "the memo key of ready.pek also signs for ready.hbd, owner authority")
    accounts.create("ready.pek", 0, memo_key=before)


@pytest.mark.parametrize("name", ["ready.boss", "ready.proof", "ready.hbd", "ready.pek"])
def test_an_account_without_resource_credits(ready: Launch, name: str) -> None:
    ready.node.chain.without_rc = frozenset((name,))
    only(ready, 7, f"{name} has at most 0 RC and needs ")
    assert "HIVE to it" in ready.open_points()[7][0].cure


def test_tokens_that_the_sidechain_does_not_pay(ready: Launch) -> None:
    sidechain = ready.node.sidechain
    sidechain.denied = frozenset(("ready.pek",))
    only(ready, 8, "has restricted ready.pek to one action a day", beside={18})
    sidechain.denied = frozenset()
    sidechain.blacklist = ("ready.pek",)
    only(ready, 8, "ready.pek is on Hive-Engine's blacklist", beside={18})


@contextmanager
def venue(launch: Launch, old: str, new: str) -> Iterator[None]:
    """Another venue file: the database belongs to the venue of before."""
    assert old in VENUE
    launch.venue_file.write_text(VENUE.replace(old, new), "utf-8")
    yield
    launch.venue_file.write_text(VENUE, "utf-8")


def test_what_a_venue_file_can_have_wrong(ready: Launch) -> None:
    with venue(ready, "precision = 8", "precision = 7"):
        only(ready, 8, "PEK has 8 decimals on the sidechain, 7 in the venue", beside={10})
    with venue(ready, '"ready.fees"', '"ready.rich"'):
        only(ready, 4, "fee account ready.rich does not exist", beside={6, 10})
    with venue(ready, '"ready.proof"', '"ready.boss"'):
        only(ready, 12, "ready.boss signs checkpoints too", beside={10})
    with venue(ready, "start_block = 4", "start_block = 4000000"):
        only(ready, 9, "start_block is 4000000, the last irreversible block", beside={10})
    with venue(ready, "[tokens.HBD]", "[tokens.HBD]\nicon = 1"):
        only(ready, 3, 'tokens."HBD".icon', beside=set(range(4, 20)))


def test_all_mistakes_of_a_venue_file_are_lines_of_point_3(ready: Launch) -> None:
    bad = VENUE.replace('"ready.boss"', '"Ready Boss"').replace("precision = 3", "precision = 4")
    ready.venue_file.write_text(bad, "utf-8")
    lines = ready.open_points()[3]
    assert len(lines) == 2
    assert all(any(name in line.text for line in lines) for name in ("venue.operator", "precision"))


def test_a_start_block_before_its_accounts_or_after_deposits(ready: Launch) -> None:
    ready.node.faucet("ready.late", "HBD", "1")
    with venue(ready, '"ready.hbd"', '"ready.late"'):
        only(ready, 9, "start_block 4 is before ready.late was created", beside={5, 10})
    with venue(ready, "start_block = 4", f"start_block = {ready.node.chain.irreversible}"):
        only(ready, 9, "ready.hbd has 2 transfers before start_block", beside={10})


@pytest.mark.parametrize(
    ("change", "number", "text"),
    [
        ({"limited": frozenset(("HBD",))}, 11, "no payout-limit for PEK"),
        ({"policy_hash": "cd" * 32}, 11, "payouts run with other limits"),
        ({"newest_backup": None}, 13, "no backup storage given"),
        ({"newest_backup": lambda: None}, 13, "there is no backup of this venue yet"),
        ({"newest_backup": lambda: datetime.now(UTC) - timedelta(days=4)}, 13, "days old"),
    ],
    ids=["limit", "policy", "storage", "no-backup", "old-backup"],
)
def test_settings_that_are_not_enough(
    ready: Launch, change: Mapping[str, Any], number: int, text: str
) -> None:
    wanted = {"policy_hash": POLICY, "limited": READY.limited, "newest_backup": READY.newest_backup}
    ready.wanted = GoLive(**{**wanted, **change})
    only(ready, number, text)


def test_payouts_that_are_paused_or_silent(ready: Launch) -> None:
    with ready.written() as connection:
        set_pause(connection, BY_OPERATOR)
    only(ready, 11, "payouts are paused")
    with ready.written() as connection:
        set_pause(connection, RUNNING)
    silent = [point for point in ready.look(wait=lambda _: None) if point.status != "OK"]
    assert {point.number for point in silent} <= {10, 11}
    assert any("no heartbeat" in point.text for point in silent)


def test_nodes_that_do_not_suffice(ready: Launch) -> None:
    ready.nodes = ready.servers[:2]
    only(ready, 2, "2 of 2 Hive nodes are usable")
    ready.nodes = ready.servers
    ready.servers[1].faults.engine_refuses = True
    only(ready, 2, "1 of 2 Hive-Engine nodes are usable")


def test_a_node_of_another_chain(ready: Launch) -> None:
    other = DevNode(Chain(seed=4, genesis=int(time.time()) - 400), Sidechain())
    other.tick()
    server = NodeServer(other)
    server.start()
    ready.nodes = [*ready.servers[:2], server]
    only(ready, 2, "is a node of another chain", "2 of 3 Hive nodes are usable")
    server.stop()


def test_funds_that_are_missing_on_the_chain(ready: Launch) -> None:
    ready.tick(Transfer("ready.hbd", "alice", Coin(500, "HBD"), "mine"))
    only(ready, 18, "ready.hbd holds 0.500 HBD less than the ledger says")
    stopped = [point for point in ready.look(wait=lambda _: None) if point.number == 18]
    assert [point.status for point in stopped] == ["cannot tell"], stopped
    ready.tick(Transfer("alice", "ready.hbd", Coin(500, "HBD"), "yours"))
    assert ready.open_points() == {}


# ---------------------------------------------------------------- the command


def test_the_command_prints_each_point_and_json(ready: Launch, here: Path) -> None:
    """Without a database, whose heartbeats it would wait for."""
    nodes = [word for server in ready.servers for word in ("--node", server.url)]
    engines = [word for server in ready.servers[:2] for word in ("--engine-node", server.engine_url)]
    words = ("doctor", "--go-live", "--venue", ready.venue_file, *nodes, *engines, "--chain-id", "devnet")
    run = peakedex(*words)
    assert run.code == FAILED
    assert any(line.startswith(" 2 OK          Nodes  ") for line in run.lines)
    [at] = [at for at, line in enumerate(run.lines) if line.startswith("13 cannot tell Backups")]
    assert run.lines[at + 1].strip().startswith("→ name it with --backups URL")
    assert run.lines[-1].endswith(" cannot tell")
    (here / "status.json").write_text(json.dumps({"succeeded": int(time.time()), "failed": 1}))
    data = json.loads(peakedex(*words, "--backup-status", "status.json", "--json").out)
    assert {p["status"] for p in data["points"] if p["title"] == "Backups"} == {"OK"}
    assert data["ready"] is False
    assert {tuple(point) for point in data["points"]} == {("number", "title", "status", "text", "cure")}


@pytest.mark.parametrize("option", [("--backups", "backups"), ("--single-signer",)])
def test_options_of_the_checklist_need_it(option: tuple[str, ...]) -> None:
    run = peakedex("doctor", *option)
    assert (run.code, run.error) == (2, "Error: --backups and --single-signer need --go-live")


def test_a_wrong_limit_is_one_line(here: Path) -> None:
    run = peakedex("doctor", "--go-live", "--payout-limit", "HBD", "--node", "http://127.0.0.1:9")
    assert run.code == 2
    assert "write SYMBOL=AMOUNT" in run.complaint
