"""Trading bots on a node in this process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
import pytest

from indexer.chain.blocks import Block
from indexer.chain.decode import decode
from indexer.chain.receipts import Receipts
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.node import DevNode
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.traders.bots import Bots
from indexer.devnet.traders.order_flow import KINDS
from indexer.devnet.traders.payloads import decimal_text
from indexer.devnet.venue import EXAMPLE, VenueView, demo_venue, read_venue
from indexer.intents.actions import ACTIONS as ACTION_SPECS
from settlement.core.journal.lines import KINDS as KINDS_OF_LINES
from settlement.core.journal.lines import Accept, Close, Line
from settlement.core.operator_actions import OPERATOR_ACTIONS
from settlement.core.state_machine import StateMachine
from settlement.core.venue import parse_venue

VENUE = read_venue(EXAMPLE.read_text())
ACTIONS = set(ACTION_SPECS) - OPERATOR_ACTIONS


def node_of(venue: VenueView = VENUE) -> DevNode:
    node = DevNode(Chain(sign=False), Sidechain(heartbeat=0))
    node.prepare(venue)
    return node


def rows(node: DevNode) -> Iterator[dict[str, str]]:
    """All executed actions of the sidechain."""
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
    assert set(bots.sent) == {*KINDS, "cancel_withdrawal", "deposit", "misdirected"}
    assert bots.refused == Counter()
    assert node.chain.pending_count == 0
    seen: Counter[str] = Counter(row["action"] for row in rows(node) if row["contract"] == VENUE.contract)
    assert set(seen) >= ACTIONS
    payloads = [json.loads(row["payload"]) for row in rows(node) if row["contract"] == VENUE.contract]
    keys = {field.key for action in ACTIONS for field in ACTION_SPECS[action].fields}
    for key in keys - {"to"} | {"for"}:
        assert any(key in payload for payload in payloads), key
    assert {payload.get("quote") for payload in payloads} >= {pair.quote for pair in VENUE.pairs}
    assert any("-" in row["transactionId"] for row in rows(node))
    assert max(len(trader.orders) for trader in bots.traders) <= 24 + 3
    # No deposit fails: every token event that a bot meant for an escrow account is there.
    errors = Counter(error for row in rows(node) for error in json.loads(row["logs"]).get("errors", ()))
    assert set(errors) == {"contract doesn't exist"}


def test_what_the_bots_do_makes_every_kind_of_line_that_needs_no_operator() -> None:
    """Stops fire, timers run out, grants are used; deposits in a wrong account are refunded or ignored."""
    node = node_of()
    machine = StateMachine(parse_venue(demo_venue(EXAMPLE.read_text())))
    bots = Bots(node, VENUE, seed=2, traders=12, acts=8)
    bots.start()
    bots.quote_all()
    lines: list[Line] = []
    for _ in range(240):  # refunds and ignored arrivals are rare
        bots.step()
        block = node.tick()
        assert block is not None
        raw = node.sidechain.block_of_hive(block.number)
        read = Block(msgspec.json.encode(block.block_api()))
        events = decode(read, machine.venue_filter, None if raw is None else Receipts(raw))
        lines += machine.apply(read.header, events).lines()
    kinds = {type(line).__name__ for line in lines}
    by_operator_or_payouts = {
        "Token",
        "Pair",
        "Rules",
        "Checkpoint",
        "Upgrade",
        "Paid",
        "Outflow",
        "Internal",
    }
    an_hour_later = {"Return"}
    everything = {kind.__name__ for kind in KINDS_OF_LINES.values()}
    assert kinds == everything - by_operator_or_payouts - an_hour_later
    signed = {line.by for line in lines if isinstance(line, Accept)}
    assert {"active", "posting"} < signed
    assert {line.status for line in lines if isinstance(line, Close)} >= {"filled", "cancelled", "triggered"}
    assert machine.state.grants
    assert machine.state.timers
    assert machine.state.stops


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
    class RejectingNode(DevNode):
        def broadcast(self, operations: Iterable[object], expires_in: int = 60) -> str:
            raise ChainError("no")

    node = RejectingNode()
    node.prepare(VENUE)
    bots = Bots(node, VENUE, seed=1)
    for _ in range(120):
        bots.step()
    assert sum(bots.refused.values()) >= 120
    assert {"deposit", "misdirected"} < set(bots.refused)
    assert not bots.sent


def test_there_are_only_so_many_names() -> None:
    with pytest.raises(ValueError, match="must be 1 to 12"):
        Bots(node_of(), VENUE, traders=13)


@pytest.mark.parametrize(
    ("count", "decimals", "text"),
    [(7, 0, "7"), (7, -3, "7000"), (1200, 3, "1.2"), (5, 8, "0.00000005"), (10**8, 8, "1"), (0, 3, "0")],
)
def test_amounts_are_written_without_floats(count: int, decimals: int, text: str) -> None:
    assert decimal_text(count, decimals) == text
