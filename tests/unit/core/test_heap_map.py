"""HeapMap against a sorted dictionary; discarded keys do not accumulate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from settlement.core.heap_map import HeapMap
from tests.unit.core.counting import Counted, comparisons

SLACK = 64  # discarded keys that are tolerated at any size
KEYS = st.integers(-20, 20)
STEPS = st.lists(
    st.tuples(st.sampled_from(("put", "put", "discard", "first", "walk", "up to")), KEYS, st.integers(1, 9))
)


def discarded_keys(heap_map: HeapMap[int, str]) -> int:
    return heap_map.heap_size - len(heap_map)


@given(STEPS)
def test_it_answers_as_a_sorted_dictionary_does(steps: list[tuple[str, int, int]]) -> None:
    heap_map: HeapMap[int, str] = HeapMap()
    plain: dict[int, str] = {}
    for step, key, count in steps:
        if step == "put" and key not in plain:
            plain[key] = f"{key}#{count}"
            heap_map.put(key, plain[key])
        elif step == "discard" and key in plain:
            del plain[key]
            heap_map.discard(key)
        elif step == "walk":
            walk = heap_map.ascending()
            assert [value for value, _ in zip(walk, range(count), strict=False)] == [
                plain[k] for k in sorted(plain)[:count]
            ]
        elif step == "up to":
            expected = [plain[k] for k in sorted(plain) if k <= key]
            assert sorted(heap_map.up_to(key)) == sorted(expected)
        ordered = sorted(plain)
        assert heap_map.first() == (plain[ordered[0]] if ordered else None)
        assert heap_map.first_key() == (ordered[0] if ordered else None)
        assert len(heap_map) == len(plain)
        assert heap_map.items == plain
    assert list(heap_map.ascending()) == [plain[k] for k in sorted(plain)]


@given(st.lists(KEYS, unique=True))
def test_iterating_changes_nothing(keys: list[int]) -> None:
    heap_map: HeapMap[int, str] = HeapMap()
    for key in keys:
        heap_map.put(key, str(key))
    for key in keys[::2]:
        heap_map.discard(key)
    assert (
        list(heap_map.ascending()) == list(heap_map.ascending()) == [str(key) for key in sorted(keys[1::2])]
    )


def test_a_key_that_is_added_again_occurs_once() -> None:
    heap_map: HeapMap[int, str] = HeapMap()
    for turn in range(3):
        heap_map.put(1, f"turn {turn}")
        heap_map.put(2, "other")
        heap_map.discard(2)
        assert list(heap_map.ascending()) == [f"turn {turn}"]
        heap_map.discard(1)
    assert heap_map.first() is None
    assert list(heap_map.ascending()) == []


def test_discarded_keys_are_bounded() -> None:
    """One best price stays while 10,000 worse ones are added and discarded: none of them reaches the top."""
    heap_map: HeapMap[int, str] = HeapMap()
    heap_map.put(0, "best")
    most = 0
    for key in range(1, 10_000):
        heap_map.put(key, "worse")
        heap_map.discard(key)
        most = max(most, discarded_keys(heap_map))
    assert most <= SLACK + 3
    assert heap_map.first() == "best"


def test_discarded_keys_at_the_top_are_dropped() -> None:
    heap_map: HeapMap[int, str] = HeapMap()
    for key in range(1000):
        heap_map.put(key, str(key))
    for key in range(999):
        heap_map.discard(key)
    assert heap_map.first() == "999"
    assert discarded_keys(heap_map) == 0


def test_none_of_many_costs_next_to_nothing() -> None:
    """Asking for keys up to one that none has reached compares one key, up to the tenth about ten."""
    heap_map: HeapMap[int, str] = HeapMap()  # whose keys are `Counted`
    for key in range(10_000):
        heap_map.put(Counted(key), str(key))
    assert comparisons(lambda: heap_map.up_to(Counted(-1))) < 10
    assert comparisons(lambda: heap_map.up_to(Counted(9))) < 100
    assert len(heap_map.up_to(Counted(9))) == 10


def test_the_first_few_of_many_cost_little() -> None:
    """Reading the first 10 of 10,000 keys does not compare the other keys."""
    heap_map: HeapMap[int, str] = HeapMap()  # whose keys are `Counted`
    for key in range(10_000):
        heap_map.put(Counted(key), str(key))

    def look() -> None:
        walk = heap_map.ascending()
        assert [next(walk) for _ in range(10)] == [str(key) for key in range(10)]

    assert comparisons(look) < 300


def test_discarded_keys_between_others_are_not_met_again_and_again() -> None:
    """Whoever placed and cancelled 1,000 orders behind the best price does not make each preview slow."""
    heap_map: HeapMap[int, str] = HeapMap()  # whose keys are `Counted`
    keys = [Counted(key) for key in range(4000)]
    for key in keys:
        heap_map.put(key, "order")
    for key in keys[1:1001]:
        heap_map.discard(key)

    def look() -> None:
        assert [value for value, _ in zip(heap_map.ascending(), range(2), strict=False)] == ["order"] * 2

    comparisons(look)
    assert comparisons(look) < 10_000 + 4000  # once more, or the heap is rebuilt
    assert comparisons(look) < 100


def test_most_of_many_cost_no_more_than_all_keys_in_turn() -> None:
    heap_map: HeapMap[int, str] = HeapMap()  # whose keys are `Counted`
    for key in range(1000):
        heap_map.put(Counted(key), str(key))
    limit = Counted(899)
    assert comparisons(lambda: heap_map.up_to(limit)) < 2000
    assert len(heap_map.up_to(limit)) == 900
