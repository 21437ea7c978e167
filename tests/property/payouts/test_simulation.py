"""Payouts under all failures at once, from a seed; and wrong designs, which the simulation must find."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from sqlalchemy import Connection

from indexer.chain.receipts import Receipts
from indexer.sources import sidechain_client
from settlement.payouts import payment_sender, plan
from settlement.payouts.holds import eligibility, send_limits
from settlement.payouts.holds.pause import RestoreMark
from settlement.payouts.policy import MAX_LIFETIME_SECONDS, SLOT_SECONDS, Policy
from settlement.store.read.payouts import Ledger, PayoutClaim, Reference, read_ledger, read_reference
from tests.property.payouts.simulation import attempt, simulate
from tests.property.payouts.simulation_world import SimulatedWorld

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
    """Another policy signs at once what the last one may have signed."""
    stopped = eligibility.claim_blocking_status

    def unheld(claim: PayoutClaim, view: eligibility.LedgerView, after: int) -> object:
        return stopped(claim, view._replace(settings=view.settings._replace(hold_until=0)), after)

    patch.setattr(eligibility, "claim_blocking_status", unheld)


def _long_lived(patch: pytest.MonkeyPatch) -> None:
    """Transactions outlive the hour of a return: each lives for an hour longer than the policy says."""
    lifetime: Callable[[int, Policy], int] = plan.expires
    period: Any = Policy.period
    patch.setattr(plan, "expires", lambda slot, policy: lifetime(slot, policy) + HOUR)
    patch.setattr(
        Policy,
        "period",
        property(lambda policy: period.fget(policy) + HOUR // SLOT_SECONDS),
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
    """One of three operators can pay, also the one whose node shows him nothing."""
    patch.setattr(SimulatedWorld, "needed", 1)


def _sign_returning(patch: pytest.MonkeyPatch) -> None:
    """Payments of withdrawals that are returning are planned, signed and sent."""
    blocking, reading = eligibility.claim_blocking_status, read_ledger

    def unblocked(claim: PayoutClaim, view: eligibility.LedgerView, after: int) -> object:
        return blocking(claim._replace(returning=None), view, after)

    def forgetful(connection: Connection, seconds: int) -> Ledger | None:
        ledger = reading(connection, seconds)
        claims = () if ledger is None else tuple(claim._replace(returning=None) for claim in ledger.claims)
        return None if ledger is None else ledger._replace(claims=claims)

    patch.setattr(eligibility, "claim_blocking_status", unblocked)
    patch.setattr(eligibility, "read_ledger", forgetful)


def _first_come_first_served(patch: pytest.MonkeyPatch) -> None:
    """Payments are signed and sent in the order of age, whosever they are."""

    def by_age(claims: Iterable[PayoutClaim]) -> list[PayoutClaim]:
        return sorted(claims, key=lambda claim: (claim.opened, claim.kind, claim.n))

    for module in (plan, payment_sender):
        patch.setattr(module, "in_rotation", by_age)
    patch.setattr(send_limits, "SHARE", 1)


class Mutant(NamedTuple):
    """A wrong design, and how it is found."""

    mutate: Patch
    first: int  # a seed that finds it; if the simulation has changed since, one of the next does
    finds: str  # pattern of the assertion that must fail


TOO_MUCH = r"\d payments for \d claims|an unmatched outflow|insolvent in"
"""More has left an escrow account than was due."""
HOUR = 3600
MUTANTS = (
    Mutant(_overlapping_attempts, 3, TOO_MUCH),
    Mutant(_newest_reference, 7, TOO_MUCH),
    Mutant(_no_hold, 2, TOO_MUCH),
    Mutant(_sign_returning, 31, TOO_MUCH),
    Mutant(_long_lived, 12, TOO_MUCH),
    Mutant(_believe_fetched, 21, "another ledger"),
    Mutant(_believe_orphans, 24, "another ledger|neither paid nor returned"),
    Mutant(_no_mark, 34, "although its database was restored"),
    Mutant(_one_suffices, 6, TOO_MUCH),
    Mutant(_first_come_first_served, 5, "an ordinary withdrawal is delayed by another account's"),
)
MOST_SEEDS = 40


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.mutate.__name__)
def test_a_wrong_design_is_found(monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    """Where too much is paid, the second safeguards are off, which withhold most of it: the comparison of real
    balances with the ledger's holdings, and what the records say."""
    mutant.mutate(monkeypatch)
    if mutant.finds == TOO_MUCH:
        monkeypatch.setattr(eligibility, "read_holdings", lambda *_: {})
        monkeypatch.setattr(eligibility.LedgerView, "live_records", lambda _: iter(()))
    failures = (attempt(seed)[1] for seed in range(mutant.first, mutant.first + MOST_SEEDS))
    assert any(failure and re.search(mutant.finds, failure) for failure in failures)
