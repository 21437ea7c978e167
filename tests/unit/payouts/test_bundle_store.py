"""The relay's store: numbered, bounded in count, size of a page, and time."""

from __future__ import annotations

from settlement.payouts.cosign import MAX_PAGE_BYTES
from settlement.payouts.cosign.relay import BundleStore, Limits


def test_bundles_are_numbered_in_order_of_arrival_and_kept_once() -> None:
    store = BundleStore(Limits())
    assert [store.add(text) for text in (b"a", b"b", b"a", b"c")] == [1, 2, 1, 3]
    assert store.after(0) == (3, [b"a", b"b", b"c"])
    assert store.after(2) == (3, [b"c"])
    assert store.after(3) == (3, [])
    assert store.after(10**6) == (10**6, [])


def test_the_oldest_makes_room_and_may_come_again() -> None:
    store = BundleStore(Limits(max_bundles=2))
    for text in (b"a", b"b", b"c"):
        store.add(text)
    assert store.after(0) == (3, [b"b", b"c"])
    assert store.add(b"a") == 4
    assert store.after(0) == (4, [b"c", b"a"])


def test_bundles_expire() -> None:
    now = [0.0]
    store = BundleStore(Limits(keep_seconds=60.0), lambda: now[0])
    store.add(b"a")
    now[0] = 30.0
    store.add(b"b")
    now[0] = 61.0
    assert store.after(0) == (2, [b"b"])
    now[0] = 91.0
    assert store.after(0) == (0, [])


def test_a_page_is_bounded_and_the_next_one_goes_on() -> None:
    store = BundleStore(Limits())
    large = [bytes([65 + number]) * (MAX_PAGE_BYTES // 3) for number in range(5)]
    for text in large:
        store.add(text)
    last, page = store.after(0)
    assert (last, page) == (2, large[:2])
    assert store.after(last) == (4, large[2:4])
    assert store.after(4) == (5, large[4:])


def test_a_restarted_relay_has_another_id() -> None:
    assert BundleStore(Limits()).id != BundleStore(Limits()).id
