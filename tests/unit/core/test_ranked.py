"""Ranked against a sorted dictionary: the same answers, and what is discarded does not pile up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from settlement.core.ordered_map import Ranked
from tests.unit.core.counting import Counted, comparisons

SLACK = 64  # dead keys that are tolerated whatever the number of the living
KEYS = st.integers(-20, 20)
STEPS = st.lists(
    st.tuples(st.sampled_from(("put", "put", "discard", "first", "walk")), KEYS, st.integers(1, 9))
)


def dead_keys(ranked: Ranked[int, str]) -> int:
    return len(ranked._heap) - len(ranked)


@given(STEPS)
def test_it_answers_as_a_sorted_dictionary_does(steps: list[tuple[str, int, int]]) -> None:
    ranked: Ranked[int, str] = Ranked()
    plain: dict[int, str] = {}
    for step, key, count in steps:
        if step == "put" and key not in plain:
            plain[key] = f"{key}#{count}"
            ranked.put(key, plain[key])
        elif step == "discard" and key in plain:
            del plain[key]
            ranked.discard(key)
        elif step == "walk":
            walk = ranked.ascending()
            assert [value for value, _ in zip(walk, range(count), strict=False)] == [
                plain[k] for k in sorted(plain)[:count]
            ]
        ordered = sorted(plain)
        assert ranked.first() == (plain[ordered[0]] if ordered else None)
        assert ranked.first_key() == (ordered[0] if ordered else None)
        assert len(ranked) == len(plain)
        assert ranked.items == plain
    assert list(ranked.ascending()) == [plain[k] for k in sorted(plain)]


@given(st.lists(KEYS, unique=True))
def test_walking_changes_nothing(keys: list[int]) -> None:
    ranked: Ranked[int, str] = Ranked()
    for key in keys:
        ranked.put(key, str(key))
    for key in keys[::2]:
        ranked.discard(key)
    assert list(ranked.ascending()) == list(ranked.ascending()) == [str(key) for key in sorted(keys[1::2])]


def test_a_key_that_comes_back_is_there_once() -> None:
    ranked: Ranked[int, str] = Ranked()
    for turn in range(3):
        ranked.put(1, f"turn {turn}")
        ranked.put(2, "other")
        ranked.discard(2)
        assert list(ranked.ascending()) == [f"turn {turn}"]
        ranked.discard(1)
    assert ranked.first() is None
    assert list(ranked.ascending()) == []


def test_dead_keys_never_outnumber_the_living_by_much() -> None:
    """One good price stays while 10,000 worse ones come and go: each is dead at once, none reaches the top."""
    ranked: Ranked[int, str] = Ranked()
    ranked.put(0, "best")
    most = 0
    for key in range(1, 10_000):
        ranked.put(key, "worse")
        ranked.discard(key)
        most = max(most, dead_keys(ranked))
    assert most <= SLACK + 3
    assert ranked.first() == "best"


def test_dead_keys_at_the_top_are_dropped_when_met() -> None:
    ranked: Ranked[int, str] = Ranked()
    for key in range(1000):
        ranked.put(key, str(key))
    for key in range(999):
        ranked.discard(key)
    assert ranked.first() == "999"
    assert dead_keys(ranked) == 0


def test_the_first_few_of_many_cost_little() -> None:
    """FOK looks at the best levels only: not one comparison for each of 10,000 that stand behind."""
    ranked: Ranked[Counted, str] = Ranked()  # type: ignore[type-var]
    for key in range(10_000):
        ranked.put(Counted(key), str(key))

    def look() -> None:
        walk = ranked.ascending()
        assert [next(walk) for _ in range(10)] == [str(key) for key in range(10)]

    assert comparisons(look) < 300
