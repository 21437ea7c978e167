"""State text of past blocks where the journal's lines say less than usual (protocol, sections 5, 6 and 11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from settlement.core.events import Event
from settlement.core.journal.state_text import state_text
from settlement.store.read.audit.state_at_block import read_state_text
from tests.system.api.world import World


class Told:
    """A world that keeps the rules' state text of every block with lines."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.texts: dict[int, str] = {}

    def apply(self, *events: Event, seconds: int = 3) -> None:
        world = self.world
        entry = world.decide(events, seconds)
        world.project([entry], live=True)
        if entry.text:
            self.texts[world.block] = state_text(world.rules.state)

    def check(self) -> None:
        with self.world.engine.connect() as connection:
            for number, text in self.texts.items():
                if number != self.world.block:
                    assert read_state_text(connection, number) == text
            assert read_state_text(connection, self.world.block) == state_text(self.world.rules.state)

    def lines(self, kind: str) -> Iterable[str]:
        return [line for text in self.texts.values() for line in text.splitlines() if line.startswith(kind)]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    told = Told(tmp_path)
    told.apply(
        told.world.deposit("alice", "PEK", "1000"),
        told.world.deposit("bob", "SWAP.HIVE", "1000"),
        told.world.deposit("bob", "PEK", "1000"),
    )
    yield told
    told.world.close()


def test_a_replaced_order_takes_over_what_it_received(told: Told) -> None:
    """It is unfilled under its new id, but has received something (`settle` `wallet`)."""
    world = told.world
    old = world.order("alice", "sell", "10", "0.01", settle="wallet")
    told.apply(old)
    told.apply(world.order("bob", "buy", "4", "0.01"))
    new = world.action("alice", "replace", id=old.id, price="0.02")
    told.apply(new)
    replaced = world.block
    told.apply(world.order("bob", "buy", "1", "0.02"))
    told.apply(world.order("bob", "buy", "5", "0.02"))
    [line] = [line for line in told.texts[replaced].splitlines() if line.startswith("order ")]
    assert line.split(" ")[8] == line.split(" ")[7] == "600000000"  # quantity and what remains
    assert int(line.split(" ")[10]) > 0  # received
    told.check()


def test_grants_and_timers_that_end_between_lines(told: Told) -> None:
    world = told.world

    def grant(seconds: int) -> Event:
        return world.action(
            *("alice", "grant"),
            to="posting",
            pairs=["PEK/SWAP.HIVE"],
            perDay={"PEK": "100"},
            bandBps=10_000,
            until=world.time + seconds,
        )

    told.apply(world.order("alice", "sell", "1", "0.01"), world.order("bob", "buy", "1", "0.01"))
    told.apply(grant(60))
    told.apply(
        world.order("alice", "sell", "3", "0.01", active=False),
        world.action("alice", "cancelAllAfter", active=False, seconds=5_000),
        world.action("alice", "cancelAllAfter", seconds=4_000),
    )
    told.apply(seconds=100)  # nothing of ours: the grant and its timer have ended
    told.check()
    told.apply(world.deposit("bob", "PEK", "1"))
    told.check()
    told.apply(grant(60_000))  # a new grant does not bring back the old timer
    told.apply(grant(50_000))  # replaces it
    told.apply(world.action("alice", "cancelAllAfter", active=False, seconds=900))
    told.apply(world.action("alice", "revoke", to="posting"))
    told.apply(seconds=4_000)
    told.apply(world.deposit("bob", "PEK", "1"))
    told.check()
    assert len(set(told.lines("grant "))) >= 4  # unused, used, new, replaced
    assert len(set(told.lines("timer "))) == 3


def test_a_returning_withdrawal_before_and_after_it_was_asked_for(told: Told) -> None:
    world = told.world
    paid, returned = (world.action("alice", "withdraw", symbol="PEK", quantity=text) for text in ("4", "5"))
    told.apply(paid, returned)
    told.apply(world.action("alice", "cancelWithdrawal", id=returned.id))
    told.apply(world.action("alice", "cancelWithdrawal", id=paid.id))
    payment = world.deposit("alice", "PEK", "4")._replace(
        sender="peakedex.pek", recipient="alice", memo=f"peakedex:{paid.id}"
    )
    told.apply(payment)
    told.apply(seconds=3_600)
    told.check()
    assert {line.rsplit(" ", 1)[1] == "-" for line in told.lines("withdrawal ")} == {True, False}
