"""The order of the tests and the number of processes that `make test` gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.workers import LONG, MOST, cores, in_order, number

ROOT = Path(__file__).parents[2]
SHORT = [f"tests/unit/test_{letter}" for letter in "abcdefghij"]


def test_each_share_begins_with_its_part_of_what_takes_long() -> None:
    long = {("tests/c",): 50, ("tests/b/y", "tests/b/x"): 40, ("tests/a",): 20}
    tests = ["tests/a/1", "tests/b/x", "tests/b/y", "tests/c/1", "tests/c/2", *SHORT]
    ordered = in_order(tests, str, 2, long)
    assert (ordered[:2], ordered[2:7]) == (["tests/c/1", "tests/c/2"], SHORT[:5])
    assert (ordered[7:10], ordered[10:]) == (["tests/b/y", "tests/b/x", "tests/a/1"], SHORT[5:])


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 8, 100])
def test_every_test_is_run_once(workers: int) -> None:
    tests = ["tests/system/systemd/1", *SHORT, "tests/system/compiled/1"]
    assert sorted(in_order(tests, str, workers)) == sorted(tests)


def test_the_long_tests_are_there() -> None:
    for begins in LONG:
        for begin in begins:
            assert (ROOT / begin.split("::")[0]).exists(), begin


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 10_000),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 10_000),
        ({}, 10_000),
    ],
)
def test_a_container_s_share_of_the_processors_counts(
    tmp_path: Path, files: dict[str, str], most: int
) -> None:
    unlimited = cores(tmp_path)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores(tmp_path) == min(unlimited, most)
    assert 2 <= number() <= MOST
