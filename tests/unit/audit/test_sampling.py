"""Random samples: every block is as likely as any other, and the odds are those of the distribution."""

from __future__ import annotations

import random
from collections import Counter
from math import comb

import pytest

from indexer.audit.sampling import BlockSampler, HeaderSample, Reservoir, chance, detectable


@pytest.mark.parametrize(("total", "size"), [(3, 5), (5, 5), (40, 1), (40, 7), (41, 40)])
def test_every_item_is_as_likely_as_any_other(total: int, size: int) -> None:
    drawn: Counter[int] = Counter()
    rounds = 4_000
    for seed in range(rounds):
        reservoir: Reservoir[int] = Reservoir(size, random.Random(seed))
        for item in range(total):
            reservoir.offer(item)
        assert len(set(reservoir.items)) == len(reservoir.items) == min(total, size)
        assert reservoir.seen == total
        drawn.update(reservoir.items)
    expected = rounds * min(total, size) / total
    spread = 5 * (expected * (1 - min(total, size) / total)) ** 0.5
    assert all(abs(drawn[item] - expected) <= spread for item in range(total))


def test_the_choice_is_fresh_unless_a_seed_is_given() -> None:
    def chosen(seed: int | None) -> list[HeaderSample]:
        sampler = BlockSampler(20, seed)
        for number in range(10_000):
            sampler.headers.offer(HeaderSample(number, f"{number:040x}"))
        return sampler.headers.items

    assert chosen(1) == chosen(1)
    assert chosen(None) != chosen(None)


@pytest.mark.parametrize(
    ("total", "sample", "hidden"), [(50, 5, 3), (1_000, 100, 20), (30, 30, 1), (10, 6, 5)]
)
def test_the_chance_is_hypergeometric(total: int, sample: int, hidden: int) -> None:
    exact = 1 - comb(total - hidden, sample) / comb(total, sample)
    assert chance(total, sample, hidden) == pytest.approx(exact, abs=1e-9)


def test_what_a_thousand_of_a_year_finds() -> None:
    """As docs/auditor.md says."""
    year = 10_500_000
    assert chance(year, 1_000, 1) == pytest.approx(1_000 / year, rel=1e-3)
    for wanted, share in ((0.95, 0.0030), (0.99, 0.0046)):
        fewest = detectable(year, 1_000, wanted)
        assert fewest / year == pytest.approx(share, abs=0.00005)
        assert chance(year, 1_000, fewest) >= wanted > chance(year, 1_000, fewest - 100)
