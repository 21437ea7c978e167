"""Payouts under all failures at once, from a seed; and wrong designs, which the simulation must find."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Connection

from indexer.chain.receipts import Receipts
from indexer.sources import sidechain_client
from settlement.payouts import plan
from settlement.payouts.holds import eligibility
from settlement.payouts.holds.pause import RestoreMark
from settlement.payouts.policy import MAX_LIFETIME_SECONDS, SLOT_SECONDS, Policy
from settlement.store.read.payouts import PayoutClaim, Reference, read_reference
from tests.property.payouts.simulation import simulate
from tests.property.payouts.simulation_world import SimulatedWorld, SimulationFailed

SEEDS = settings().max_examples  # 100, 10 in the profile `quick`, 1000 in `long`
SEEDS_PER_TEST = 5
Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_each_claim_is_paid_or_returned_once(first: int) -> None:
    _simulate(range(first, first + SEEDS_PER_TEST))


def _simulate(seeds: Iterable[int]) -> None:
    for seed in seeds:
        simulate(seed)


def test_neither_clocks_nor_hash_seeds_matter() -> None:
    """The same seed gives the same run, with clocks that are wrong by an hour and with another hash seed."""
    digests = {simulate(4, clock=seconds).digest() for seconds in (0, 3600, -3600)}
    program = "from tests.property.payouts.simulation import simulate; print(simulate(4).digest())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert digests == {done.stdout.strip()}


# ---------------------------------------------------------------- wrong designs


def _overlapping_attempts(patch: pytest.MonkeyPatch) -> None:
    """The next attempt begins before the transaction of the last one has expired."""
    patch.setattr(Policy, "period", property(lambda policy: policy.expires_in // SLOT_SECONDS - 1))


def _newest_reference(patch: pytest.MonkeyPatch) -> None:
    """Transactions refer to the newest block: a process that plans later gets other bytes."""
    read = read_reference

    def newest(connection: Connection, _before: int) -> Reference | None:
        return read(connection, 1 << 40)

    patch.setattr(plan, "read_reference", newest)


def _no_hold(patch: pytest.MonkeyPatch) -> None:
    """Another policy signs at once what the last one may have signed.

    Real balances are not compared with the ledger's holdings either: that comparison withholds most of it.
    """
    stopped = eligibility.claim_blocking_status

    def unheld(claim: PayoutClaim, view: eligibility.LedgerView, after: int) -> object:
        return stopped(claim, view._replace(settings=view.settings._replace(hold_until=0)), after)

    patch.setattr(eligibility, "claim_blocking_status", unheld)
    patch.setattr(eligibility, "read_holdings", lambda _: {})


def _long_lived(patch: pytest.MonkeyPatch) -> None:
    """Transactions outlive the hour of a return: each lives for an hour longer than the policy says."""
    lifetime, period = plan.expires, Policy.period
    patch.setattr(plan, "expires", lambda slot, policy: lifetime(slot, policy) + HOUR)
    patch.setattr(
        Policy,
        "period",
        property(lambda policy: period.fget(policy) + HOUR // SLOT_SECONDS),  # type: ignore[attr-defined]
    )
    patch.setattr(eligibility, "MAX_LIFETIME_SECONDS", MAX_LIFETIME_SECONDS + HOUR)


def _believe_fetched(patch: pytest.MonkeyPatch) -> None:
    """A Hive-Engine node's "nothing" counts as soon as it has fetched the block."""
    patch.setattr(sidechain_client, "UNEXECUTED_BLOCKS", -1000)


def _believe_orphans(patch: pytest.MonkeyPatch) -> None:
    """Receipts count whatever branch of Hive the node has followed."""
    patch.setattr(Receipts, "check_hive_id", lambda _receipts, _block_id: None)
    patch.setattr(sidechain_client.ReceiptsAnswer, "counts", lambda answer, _ids: answer.is_final)


def _no_mark(patch: pytest.MonkeyPatch) -> None:
    """Nothing outside the database remembers how far it had come."""
    patch.setattr(RestoreMark, "is_behind", lambda _self, _mark: False)


def _one_suffices(patch: pytest.MonkeyPatch) -> None:
    """One of three operators can pay, also the one whose node shows him nothing.

    His real balances are not compared with his ledger's holdings: that comparison withholds most of it.
    """
    patch.setattr(SimulatedWorld, "needed", 1)
    patch.setattr(eligibility, "read_holdings", lambda _: {})


HOUR = 3600
MUTANTS = (
    (_overlapping_attempts, 57),
    (_newest_reference, 49),
    (_no_hold, 58),
    (_long_lived, 1),
    (_believe_fetched, 21),
    (_believe_orphans, 24),
    (_no_mark, 34),
    (_one_suffices, 6),
)
MOST_SEEDS = 40
FOUND = (
    r"unmatched outflow|payments for|insolvent|another ledger|neither paid nor returned"
    r"|although its database was restored|delayed by another"
)


@pytest.mark.parametrize(("mutate", "first"), MUTANTS)
def test_a_wrong_design_is_found(monkeypatch: pytest.MonkeyPatch, mutate: Patch, first: int) -> None:
    """`first` is a seed that found it; if the simulation has changed since, one of the next finds it."""
    mutate(monkeypatch)
    with pytest.raises(SimulationFailed, match=FOUND):
        _simulate(range(first, first + MOST_SEEDS))
