"""A map with a fast smallest key, used for price levels, expiries and payment queues."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", int, tuple[int, int], tuple[int, str, str])
V = TypeVar("V")

_SLACK: Final = 64


class HeapMap(Generic[K, V]):
    """Dictionary plus a binary heap of its keys, with lazy deletion.

    `put` and `first` cost O(log n) amortised, `discard` O(1). A discarded key stays in the heap until it
    reaches the top, the discarded keys outnumber the others, or iterations have met as many as a rebuild
    costs; then the heap is rebuilt, so memory stays O(n).
    """

    __slots__ = ("_heap", "_met", "items")

    def __init__(self) -> None:
        self.items: dict[K, V] = {}
        self._heap: list[Any] = []
        self._met = 0  # discarded keys that iterations have met since the heap was rebuilt

    def __len__(self) -> int:
        return len(self.items)

    @property
    def heap_size(self) -> int:
        """Keys in the heap, discarded ones included."""
        return len(self._heap)

    def put(self, key: K, value: V) -> None:
        """Add a key that is not in the map."""
        self.items[key] = value
        heappush(self._heap, key)

    def discard(self, key: K) -> None:
        """Remove a key that is in the map."""
        del self.items[key]
        if len(self._heap) > 2 * len(self.items) + _SLACK:
            self._rebuild()

    def _rebuild(self) -> None:
        self._heap[:] = self.items
        heapify(self._heap)
        self._met = 0

    def first(self) -> V | None:
        """The value of the smallest key, or None."""
        heap, items = self._heap, self.items
        while heap:
            value = items.get(heap[0])
            if value is not None:
                return value
            heappop(heap)
        return None

    def first_key(self) -> K | None:
        """The smallest key, or None."""
        heap, items = self._heap, self.items
        while heap:
            key: K = heap[0]
            if key in items:
                return key
            heappop(heap)
        return None

    def up_to(self, most: K) -> list[V]:
        """Values whose key is at most `most`, in no particular order.

        Costs O(k) for k such keys, discarded ones included, and O(1) where there is none.
        """
        if self.first() is None:
            return []
        heap = self._heap
        found: dict[K, None] = {}  # a key that was discarded and put again stands in the heap twice
        to_visit = [0]
        while to_visit:
            index = to_visit.pop()
            if 4 * len(found) > len(self.items) + _SLACK:  # then all keys in turn are faster than the heap
                return [value for key, value in self.items.items() if key <= most]
            if index < len(heap) and heap[index] <= most:  # no key below an entry of the heap is smaller
                found[heap[index]] = None
                to_visit += (2 * index + 1, 2 * index + 2)
        return [self.items[key] for key in found if key in self.items]

    def ascending(self) -> Iterator[V]:
        """Values by rising key, lazily; the map must not change during the iteration.

        The first k values cost O(k log k). Discarded keys count in k, but they are not met again and again:
        otherwise whoever placed and cancelled many orders could make every preview of the book slow.
        """
        if 4 * self._met > len(self.items) + _SLACK:
            self._rebuild()
        self.first()
        heap, items = self._heap, self.items
        frontier: list[tuple[Any, int]] = [(heap[0], 0)] if heap else []
        last = None
        while frontier:
            key, index = heappop(frontier)
            for child in (2 * index + 1, 2 * index + 2):
                if child < len(heap):
                    heappush(frontier, (heap[child], child))
            if key not in items:
                self._met += 1
            elif key != last:
                yield items[key]
            last = key
