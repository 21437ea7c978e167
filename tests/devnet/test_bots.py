"""Bots and the paymaster, on a node in this process and over HTTP."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from indexer.devnet.accounts import ChainError
from indexer.devnet.bots import Bots, run_bots
from indexer.devnet.chain import Chain
from indexer.devnet.flow import KINDS
from indexer.devnet.intents import decimal_text
from indexer.devnet.node import DevNode
from indexer.devnet.operations import CustomJson, Operation, Transfer
from indexer.devnet.paymaster import MOST_ACTIONS, Paymaster, Payment
from indexer.devnet.server import NodeServer
from indexer.devnet.sidechain import Sidechain
from indexer.devnet.submit import HttpSubmit, Submit
from indexer.devnet.venue import EXAMPLE, VenueView, read_venue

VENUE = read_venue(EXAMPLE.read_text())
ACTIONS = {"buy", "sell", "marketBuy", "marketSell", "cancel", "cancelAll", "replace", "withdraw"}


def node_of(venue: VenueView = VENUE) -> DevNode:
    node = DevNode(Chain(sign=False), Sidechain(heartbeat=0))
    node.prepare(venue)
    return node


def rows(node: DevNode) -> Iterator[dict[str, str]]:
    """All actions that the sidechain saw."""
    for number in range(1, node.sidechain.block_number + 1):
        yield from json.loads(node.sidechain.block(number) or b"")["transactions"]


def test_two_hundred_blocks_touch_every_intent() -> None:
    node = node_of()
    bots = Bots(node, VENUE, seed=1, traders=8, acts=5)
    bots.start()
    bots.quote_all()
    for _ in range(200):
        bots.step()
        node.tick()
    assert set(bots.sent) == {*KINDS, "deposit"}
    assert bots.refused == Counter()
    assert node.chain.pending_count == 0
    seen: Counter[str] = Counter(row["action"] for row in rows(node) if row["contract"] == VENUE.contract)
    assert set(seen) >= ACTIONS
    payloads = [json.loads(row["payload"]) for row in rows(node) if row["contract"] == VENUE.contract]
    for key in ("ref", "postOnly", "timeInForce", "settle", "expiration", "price", "memo"):
        assert any(key in payload for payload in payloads), key
    assert {payload.get("quote") for payload in payloads} >= {pair.quote for pair in VENUE.pairs}
    assert any("-" in row["transactionId"] for row in rows(node))
    assert max(len(trader.orders) for trader in bots.traders) <= 24 + 3
    # No deposit fails: every token event that a bot meant for an escrow account is there.
    errors = Counter(error for row in rows(node) for error in json.loads(row["logs"]).get("errors", ()))
    assert set(errors) == {"contract doesn't exist"}


def test_a_seed_makes_a_run_repeatable() -> None:
    def run(seed: int) -> list[bytes]:
        node = node_of()
        bots = Bots(node, VENUE, seed=seed, traders=3)
        bots.start()
        for _ in range(20):
            bots.step()
            node.tick()
        return [node.chain.id_of(number) for number in range(1, 21)]

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_what_the_chain_refuses_does_not_stop_a_bot() -> None:
    class Stubborn:
        def broadcast(self, operations: Sequence[Operation]) -> str:
            raise ChainError("no")

        def faucet(self, account: str, symbol: str | None = None, quantity: str | None = None) -> None:
            pass

    bots = Bots(Stubborn(), VENUE, seed=1)
    for _ in range(30):
        bots.step()
    assert sum(bots.refused.values()) >= 30
    assert set(bots.sent) <= {"deposit"}


def test_there_are_only_so_many_names() -> None:
    with pytest.raises(ValueError, match="names for 1 to 12"):
        Bots(node_of(), VENUE, traders=13)


def test_bots_trade_over_http_until_they_are_stopped() -> None:
    node = node_of()
    server = NodeServer(node)
    server.start()
    bots = Bots(HttpSubmit(server.url), VENUE, seed=2, traders=2)
    stop = threading.Event()
    thread = threading.Thread(target=run_bots, args=(bots, stop, 0.01))
    thread.start()
    try:
        for _ in range(200):
            node.tick()
            if bots.sent["quote"] >= 20:
                break
            stop.wait(0.02)
    finally:
        stop.set()
        thread.join(timeout=10)
        server.stop()
    assert not thread.is_alive()
    assert bots.sent["quote"] >= 20
    with pytest.raises(ConnectionError):
        bots.submit.broadcast([])


def test_bots_end_quietly_when_the_chain_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    server = NodeServer(node_of())
    server.start()
    submit = HttpSubmit(server.url, timeout=2)
    submit.faucet("alice")
    with pytest.raises(ChainError, match="invalid"):
        submit.faucet("Alice")
    submit.close()
    server.stop()
    run_bots(Bots(submit, VENUE), threading.Event(), 0)
    assert "the bots stop" in caplog.text


def test_an_address_must_be_http() -> None:
    with pytest.raises(ValueError, match="not an http address"):
        HttpSubmit("ftp://example.org")


@pytest.mark.parametrize(
    ("count", "decimals", "text"),
    [(7, 0, "7"), (7, -3, "7000"), (1200, 3, "1.2"), (5, 8, "0.00000005"), (10**8, 8, "1"), (0, 3, "0")],
)
def test_amounts_are_written_without_floats(count: int, decimals: int, text: str) -> None:
    assert decimal_text(count, decimals) == text


# -- the paymaster --------------------------------------------------------------------------------


class Recorder:
    """A `Submit` that notes what goes through it."""

    def __init__(self, node: DevNode) -> None:
        self.node = node
        self.sent: list[Operation] = []

    def broadcast(self, operations: Sequence[Operation]) -> str:
        self.sent.extend(operations)
        return self.node.broadcast(operations)

    def faucet(self, account: str, symbol: str | None = None, quantity: str | None = None) -> None:
        self.node.faucet(account, symbol, quantity)


def paymaster(pending: list[Payment]) -> tuple[DevNode, Recorder, Paymaster]:
    node = node_of()
    node.faucet("alice")
    for token in VENUE.tokens.values():
        node.faucet(token.escrow, token.symbol, "1000")
    recorder = Recorder(node)
    submit: Submit = recorder
    return node, recorder, Paymaster(submit, VENUE, lambda: pending)


def test_coins_and_tokens_are_paid_once_with_the_memo_that_the_venue_looks_for() -> None:
    pending = [
        Payment("a1", "HBD", "1.5", "alice"),
        Payment("b2", "PEK", "2.25", "alice", memo="my memo"),
        Payment("c3#SWAP.HIVE", "SWAP.HIVE", "3", "alice"),
    ]
    node, recorder, master = paymaster(pending)
    assert master.step() == 3
    assert master.step() == 0
    node.tick()
    assert node.chain.accounts.balance("alice", "HBD") == 1500
    assert node.sidechain.balance("alice", "PEK") == 225_000_000
    assert node.sidechain.balance("alice", "SWAP.HIVE") == 300_000_000
    memos = {
        operation.memo
        if isinstance(operation, Transfer)
        else json.loads(operation.json)["contractPayload"]["memo"]
        for operation in recorder.sent
    }
    assert memos == {"peakedex:a1", "my memo", "peakedex:c3#SWAP.HIVE"}


def test_a_token_payment_is_signed_by_the_tokens_escrow_account() -> None:
    _, recorder, master = paymaster([Payment("a1", "PEK", "1", "alice")])
    master.step()
    [operation] = recorder.sent
    assert not isinstance(operation, Transfer)
    assert operation.required_auths == ("peakedex.pek",)


def test_many_payments_keep_to_the_limits_of_the_chain() -> None:
    pending = [Payment(f"{number:040d}", "PEK", "1", "alice", memo="東" * 256) for number in range(25)]
    node, recorder, master = paymaster(pending)
    assert [master.step() for _ in range(4)] == [MOST_ACTIONS, MOST_ACTIONS, 5, 0]
    assert all(
        len(operation.json.encode()) <= 8192
        for operation in recorder.sent
        if isinstance(operation, CustomJson)
    )
    for _ in range(4):
        node.tick()
    assert node.sidechain.balance("alice", "PEK") == 20 * 10**8  # 25 in one block: the sidechain takes 20


def test_a_refund_is_paid_from_where_the_deposit_lies() -> None:
    node, _, master = paymaster([Payment("a1", "DUST", "1.50", "alice", escrow="peakedex.btc")])
    node.sidechain.create_token("DUST", 8)
    node.faucet("peakedex.btc", "DUST", "2")
    assert master.step() == 1
    node.tick()
    assert node.sidechain.balance("alice", "DUST") == 150_000_000


def test_what_cannot_be_paid_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    pending = [Payment("a1", "HBD", "1", "nobody.here"), Payment("b2", "HBD", "1", "alice")]
    _, recorder, master = paymaster(pending)
    assert master.step() == 1
    assert master.step() == 0
    assert "cannot pay a1" in caplog.text
    assert len(recorder.sent) == 2
    pending.clear()
    master.step()
    pending.append(Payment("a1", "HBD", "1", "alice"))
    assert master.step() == 1
