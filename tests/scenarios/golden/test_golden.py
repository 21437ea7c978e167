"""The rules still produce the golden journals."""

from __future__ import annotations

from functools import cache

import pytest

from tests.scenarios.golden.golden import BLOCKS, CURE, EVERY, SEEDS, Golden, make, read
from tests.system.store.chains import kinds


@cache
def today(seed: int) -> tuple[Golden, str]:
    return make(seed)


def first_difference(seed: int, part: str) -> str | None:
    """The first recorded block at which the hash differs."""
    written, found = read(seed)[0][part], today(seed)[0][part]
    assert list(written) == list(found), CURE
    return next((number for number in written if written[number] != found[number]), None)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_generated_chain_is_unchanged(seed: int) -> None:
    """If this fails, the generator or the venue file changed, not the rules."""
    assert today(seed)[0]["venue_hash"] == read(seed)[0]["venue_hash"], f"venues/example.toml changed; {CURE}"
    number = first_difference(seed, "chain")
    assert number is None, f"the generated blocks differ by block {number}; {CURE}"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_journal_is_unchanged(seed: int) -> None:
    """If only this fails, the rules changed."""
    written = read(seed)[1].splitlines()
    found = today(seed)[1].splitlines()
    for number, (was, now) in enumerate(zip(written, found, strict=False), 1):
        assert now == was, f"journal line {number} differs; {CURE}"
    assert len(found) == len(written), CURE
    differs = first_difference(seed, "journal")
    assert differs is None, f"the journal differs by block {differs}; {CURE}"
    assert today(seed)[0]["state"] == read(seed)[0]["state"], CURE


@pytest.mark.parametrize("seed", SEEDS)
def test_golden_journals_cover_the_rules(seed: int) -> None:
    golden, text = read(seed)
    assert list(golden["journal"]) == [str(number) for number in range(EVERY, BLOCKS + 1, EVERY)]
    assert len(set(golden["journal"].values())) == BLOCKS // EVERY
    found = kinds(text)
    often = ("accept", "order", "trade", "close", "stop", "grant", "withdraw", "reject")
    assert [kind for kind in often if found[kind] < 20] == []
    rare = (
        "trigger",
        "timer",
        "timeout",
        "revoke",
        "expire",
        "refund",
        "ignore",
        "paid",
        "returning",
        "pair",
    )
    assert [kind for kind in rare if not found[kind]] == []
