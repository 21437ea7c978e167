"""StateMachine.apply over a flow of orders, as a ratio to the bare matching loop U over the same flow."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count, islice

from bench.bare import ACCOUNTS, Bare, Op, flow, wall
from indexer.follow.memory import tune_gc
from indexer.rules_build import name_of_build
from settlement.core.events import Action, BlockHeader, Event, Movement
from settlement.core.state_machine import StateMachine
from settlement.core.venue import PairRules, TokenRules, Venue

OPERATIONS = 100_000
A_BLOCK = 50
FUNDED_A_BLOCK = 1_000
OPEN_ORDERS = (1_000, 10_000, 100_000)
EMPTY_BLOCKS = 50_000
START = 1_700_000_000
VENUE = Venue(
    name="Bench",
    contract="peakedex",
    custom_json_id="ssc-mainnet-hive",
    start_block=1,
    operator="operator",
    checkpoint_account="operator",
    fee_account="fees",
    max_open_orders=10_000,
    order_lifetime=2_592_000,
    accept_flat_intents=True,
    tokens=(
        TokenRules("PEK", 8, "bench.pek", 1),
        TokenRules("SWAP.HIVE", 8, "bench.hive", 1),
    ),
    pairs=(PairRules("PEK", "SWAP.HIVE", 6, 2, 10, 20, self_trade="allow"),),
)
Block = tuple[BlockHeader, list[Event]]


def main() -> None:
    """Print operations a second of U and of the rules by resting orders, and the cost of an empty block."""
    ops = flow(OPERATIONS)
    orders = sum(1 for op in ops if op.price)
    print(
        f"rules ({name_of_build()}): {OPERATIONS} operations, {orders} orders, the rest cancels "
        "(goal: ratio to U >= 0.10)"
    )
    for resting in OPEN_ORDERS:
        bare = Bare()
        bare.run(wall(resting, OPERATIONS + 1))
        bare_seconds = timed(partial(bare.run, ops))
        machine = funded_machine(wall(resting, OPERATIONS + 1))
        blocks = list(blocks_of(machine, ops))
        trades = [0]
        seconds = timed(partial(apply_all, machine, blocks, trades))
        state = machine.state
        assert (trades[0], len(state.orders)) == (len(bare.trades), len(bare.open)), "they must do the same"
        print(
            f"  {resting:>7} resting: U {OPERATIONS / bare_seconds:>9,.0f}/s, rules {OPERATIONS / seconds:>8,.0f}/s, "
            f"ratio {bare_seconds / seconds:.3f}; {trades[0]} trades, {len(state.orders) - resting} more left open; "
            f"empty block {empty_block(machine) * 1e6:.2f} µs"
        )


def funded_machine(resting: Iterable[Op], accounts: int = ACCOUNTS) -> StateMachine:
    """A state machine with funded accounts and these resting orders."""
    machine = StateMachine(VENUE)
    for first in range(0, accounts, FUNDED_A_BLOCK):
        number = machine.next_block()
        deposits: list[Event] = [
            Movement(f"d{i}.{n}", "hive-engine", f"trader{i}", token.escrow, token.symbol, "10000", None)
            for i in range(first, min(first + FUNDED_A_BLOCK, accounts))
            for n, token in enumerate(VENUE.tokens)
        ]
        machine.apply(BlockHeader(number, f"{number:040x}", START + 3 * number), deposits)
    for header, events in blocks_of(machine, resting):
        machine.apply(header, events)
    return machine


def blocks_of(machine: StateMachine, ops: Iterable[Op]) -> Iterator[Block]:
    """The operations as decoded events, in blocks three seconds apart."""
    left = iter(ops)
    for number in count(machine.next_block()):
        events = [_event(op) for op in islice(left, A_BLOCK)]
        if not events:
            return
        yield BlockHeader(number, f"{number:040x}", START + 3 * number), events


def _event(op: Op) -> Event:
    signer = f"trader{op.account}"
    if not op.price:
        return Action(f"{op.id:040x}", signer, True, "cancel", {"id": f"{op.target:040x}"})
    payload = {
        "symbol": "PEK",
        "quote": "SWAP.HIVE",
        "quantity": f"{op.quantity // 100}.{op.quantity % 100:02d}",
        "price": f"0.{op.price:06d}",
    }
    return Action(f"{op.id:040x}", signer, True, "buy" if op.is_buy else "sell", payload)


def apply_all(machine: StateMachine, blocks: list[Block], trades: list[int]) -> None:
    """Apply all blocks and drop the results, as the indexer does after writing them."""
    before = machine.state.last_trade
    for header, events in blocks:
        machine.apply(header, events)
    trades[0] = machine.state.last_trade - before


def empty_block(machine: StateMachine) -> float:
    """Seconds for a block without events, excluding the construction of its header."""
    first, now = machine.next_block(), machine.state.header
    assert now is not None
    headers = [BlockHeader(first + i, "00", now.timestamp) for i in range(EMPTY_BLOCKS)]

    def run() -> None:
        for header in headers:
            machine.apply(header)

    return timed(run) / EMPTY_BLOCKS


def timed(work: Callable[[], object]) -> float:
    """Processor seconds, which other load on the computer affects least. Existing objects are not garbage collected."""
    tune_gc()
    started = time.process_time()
    work()
    seconds = time.process_time() - started
    gc.unfreeze()
    return seconds


if __name__ == "__main__":
    main()
