"""Generator of a market with thousands of accounts, by the rules and the projector directly.

Each account has a short random life: deposits, orders that trade, some with itself, wrong deposits with and without
refund, withdrawals that are paid or return. The fee account trades too, and changes halfway.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from settlement.core.events import Event
from settlement.store.write.projector import make_read_indexes
from tests.system.api.world import World

PAIRS: Final = (("SWAP.HIVE", 6), ("HBD", 3))
LIFE: Final = (1, 4)  # actions of an account
BLOCK_EVENTS: Final = 400


class Crowd:
    """A world, and the withdrawals and refunds that may be paid in it."""

    def __init__(self, folder: Path, accounts: int, seed: int) -> None:
        self.random = Random(seed)
        self.world = World(folder)
        self.names = [f"user-{n}" for n in range(accounts)] + ["peakecoin.fees", "fees-2"]
        self.owed: list[Event] = []

    def fill(self) -> None:
        """Play all lives, some hundred events a block, and make the indexes of readers."""
        world, random = self.world, self.random
        world.apply(
            *(
                world.action(
                    "peakecoin", "updatePair", symbol="PEK", quote=quote, makerFeeBps=30, takerFeeBps=70
                )
                for quote, _ in PAIRS
            ),
            world.action("peakecoin", "updatePair", symbol="PEK", quote="HBD", selfTrade="allow"),
        )
        lives = [name for name in self.names for _ in range(random.randint(*LIFE))]
        random.shuffle(lives)
        queue: list[Event] = [event for name in self.names for event in self._deposits(name)]
        random.shuffle(queue)
        queue += [event for name in lives for event in self._act(name)]
        half = len(queue) // 2
        queue.insert(half, world.action("peakecoin", "updateVenue", feeAccount="fees-2"))
        blocks = [queue[at : at + BLOCK_EVENTS] for at in range(0, len(queue), BLOCK_EVENTS)]
        world.apply_all([*blocks, *([[]] * 1300)])  # withdrawals that were cancelled return after an hour
        make_read_indexes(world.engine)

    def _deposits(self, name: str) -> list[Event]:
        world, random = self.world, self.random
        return [
            world.deposit(name, "PEK", f"{random.randint(1, 10**6)}.{random.randint(0, 99_999_999):08}"),
            world.deposit(
                name, "SWAP.HIVE", f"{random.randint(1, 10**6)}.{random.randint(0, 99_999_999):08}"
            ),
            world.deposit(name, "HBD", f"{random.randint(1, 10**6)}.{random.randint(0, 999):03}"),
        ]

    def _act(self, name: str) -> Sequence[Event]:
        world, random = self.world, self.random
        kind = random.choices(("order", "market", "withdraw", "wrong", "cancel"), (70, 10, 12, 4, 4))[0]
        quote, decimals = random.choice(PAIRS)
        price = f"0.{random.randint(90, 110) * 10 ** (decimals - 3):0{decimals}}"
        side = random.choice(("buy", "sell"))
        if kind == "order":
            return [world.order(name, side, str(random.randint(1, 200_000)), price, quote)]
        if kind == "market":
            amount = str(random.randint(1, 9_000))
            return [world.action(name, f"market{side.title()}", symbol="PEK", quote=quote, quantity=amount)]
        if kind == "cancel":
            return [world.action(name, "cancelAll")]
        if kind == "wrong":
            sent = world.deposit(name, "PEK", "3.123456789")._replace(recipient="peakedex.hive")
            paid = sent._replace(
                id=world.id(), sender="peakedex.hive", recipient=name, memo=f"peakedex:{sent.id}"
            )
            return [sent, paid][: random.randint(1, 2)]
        amount = str(random.randint(1, 90_000))
        withdrawal = world.action(name, "withdraw", symbol="PEK", quantity=amount)
        payment = world.deposit(name, "PEK", amount)._replace(
            sender="peakedex.pek", recipient=name, memo=f"peakedex:{withdrawal.id}"
        )
        cancel = world.action(name, "cancelWithdrawal", id=withdrawal.id)
        endings: list[list[Event]] = [[], [payment], [cancel]]
        return [withdrawal, *random.choice(endings)]
