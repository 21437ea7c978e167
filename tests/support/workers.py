"""How many processes run the tests, and in which order.

xdist (`--dist worksteal`) gives each worker an equal share of the tests, in their order; a worker without tests takes from
the end of the longest queue. So each share begins with its part of what takes long, and short tests are what is left to
take at the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

LONG: Final[Mapping[tuple[str, ...], int]] = {
    ("tests/system/systemd/",): 430,
    (
        "tests/system/containers/test_image.py",
        "tests/system/compiled/",
    ): 300,  # the second takes what the first compiles
    ("tests/property/payouts/test_simulation.py",): 280,
    ("tests/system/test_docs.py::test_the_examples_run",): 200,
    ("tests/system/faults/test_crash.py",): 140,
    ("tests/system/follow/test_kill.py",): 60,
    ("tests/system/payouts/test_together.py",): 47,
    ("tests/system/cli/test_demo.py",): 45,
    ("tests/system/cli/test_go_live_walk.py",): 44,
    ("tests/system/notify/test_live.py",): 40,
    ("tests/system/api/test_stream_same.py",): 39,
    ("tests/system/payouts/test_hygiene.py",): 26,
    ("tests/system/payouts/test_checkpoints_live.py",): 25,
    ("tests/system/client/test_guide.py",): 24,
    ("tests/system/follow/test_wax.py",): 24,
}
"""How the names of long tests begin, one group after the other, with the seconds of a group in a run of three workers on
two cores."""

MOST: Final = 8
GIGABYTES_EACH: Final = 1.2
"""Memory of a worker with its exchange, database and browser."""


def number() -> int:
    """One more than the cores that may be used, as many tests wait for other processes; fewer where memory is short."""
    return max(2, min(cores() + 1, MOST, int(_memory() / 1e9 / GIGABYTES_EACH)))


def cores(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may use, by its affinity and by the quota of its control group."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    version_1 = _numbers(root / "cpu/cpu.cfs_quota_us") + _numbers(root / "cpu/cpu.cfs_period_us")
    for limit in (_numbers(root / "cpu.max"), version_1):
        if len(limit) == 2:
            allowed = min(allowed, max(1, -(-limit[0] // limit[1])))
    return allowed


def _memory() -> int:
    """Bytes of memory that this process may use."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *_numbers(Path("/sys/fs/cgroup/memory.max"))])


def _numbers(path: Path) -> list[int]:
    """The numbers in a file of a control group; without the words that stand for no limit."""
    try:
        return [int(word) for word in path.read_text().split() if word.isdigit()]
    except OSError:
        return []


def in_order(
    tests: Sequence[T],
    name: Callable[[T], str],
    workers: int,
    long: Mapping[tuple[str, ...], int] = LONG,
) -> list[T]:
    """The tests in the order in which so many workers are to get them."""
    groups: list[list[T]] = [
        [test for begin in begins for test in tests if name(test).startswith(begin)] for begins in long
    ]
    grouped = {name(test) for group in groups for test in group}
    short = [test for test in tests if name(test) not in grouped]
    shares: list[list[T]] = [[] for _ in range(workers)]
    seconds = [0] * workers
    for group, takes in zip(groups, long.values(), strict=True):
        if group:
            least = seconds.index(min(seconds))
            shares[least] += group
            seconds[least] += takes
    left = len(tests)
    for worker, share in enumerate(shares):
        more = max(0, left // (workers - worker) - len(share))  # as xdist divides them
        share += short[:more]
        del short[:more]
        left -= len(share)
    return [test for share in shares for test in share] + short
