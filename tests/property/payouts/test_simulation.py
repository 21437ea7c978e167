"""Payouts under everything at once, from a seed; and that the simulation would notice a design that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Connection

from settlement.payouts import plan, returns
from settlement.payouts.holds import eligibility
from settlement.payouts.policy import SLOT_SECONDS, Policy
from settlement.store.read.payouts import PayoutClaim, Reference, read_reference
from tests.property.payouts.simulation import SimulationFailed, simulate

SEEDS = settings().max_examples  # 100, 10 in the profile `quick`, 1000 in `long`
SEEDS_PER_TEST = 5
Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_nobody_is_paid_twice_and_everybody_once(first: int) -> None:
    _simulate(range(first, first + SEEDS_PER_TEST))


def _simulate(seeds: Iterable[int]) -> None:
    for seed in seeds:
        simulate(seed)


def test_no_clock_and_no_order_of_hashes_matters() -> None:
    """The same seed gives the same course, with clocks that are wrong by an hour and with other hash seeds."""
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


# ---------------------------------------------------------------- designs that are wrong


def _overlapping_attempts(patch: pytest.MonkeyPatch) -> None:
    """The next attempt begins before the last one's transaction has expired."""
    patch.setattr(Policy, "period", property(lambda policy: policy.expires_in // SLOT_SECONDS - 1))


def _newest_reference(patch: pytest.MonkeyPatch) -> None:
    """Transactions refer to the newest block of now: who plans later gets other bytes."""
    read = read_reference

    def newest(connection: Connection, _before: int) -> Reference | None:
        return read(connection, 1 << 40)

    patch.setattr(plan, "read_reference", newest)


def _no_hold(patch: pytest.MonkeyPatch) -> None:
    """Another policy signs at once what the last one may have signed.

    Nor are real balances compared with the ledger's holdings: that comparison alone withholds most of it.
    """
    stopped = eligibility.claim_blocking_status

    def unheld(claim: PayoutClaim, view: eligibility.LedgerView, after: int) -> object:
        return stopped(claim, view._replace(settings=view.settings._replace(hold_until=0)), after)

    patch.setattr(eligibility, "claim_blocking_status", unheld)
    patch.setattr(eligibility, "read_holdings", lambda _: {})


def _no_wait(patch: pytest.MonkeyPatch) -> None:
    """What is stopped is given back at once, whatever was signed for it and forgotten."""
    patch.setattr(returns.PendingReturn, "is_safe", True)


MUTANTS = ((_overlapping_attempts, 37), (_newest_reference, 22), (_no_hold, 243), (_no_wait, 14))
MOST_SEEDS = 40


@pytest.mark.parametrize(("mutate", "first"), MUTANTS)
def test_a_design_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch, mutate: Patch, first: int) -> None:
    """`first` is a seed that has found it; if the simulation has changed since, one of the next will."""
    mutate(monkeypatch)
    with pytest.raises(SimulationFailed, match=r"no claim explains|payments for|insolvent"):
        _simulate(range(first, first + MOST_SEEDS))
