"""Parser of token quantities, as the sidechain's contracts read them."""

from __future__ import annotations

import pytest

from indexer.devnet.sidechain.quantity import parse_quantity, units_text


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("1", 10**8),
        ("1.0", 10**8),
        ("0.00000001", 1),
        ("+2", 2 * 10**8),
        (" 3 ", 3 * 10**8),
        ("\t+4\n", 4 * 10**8),
        ("5.", 5 * 10**8),
        (".5", 5 * 10**7),
        ("00012", 12 * 10**8),
        ("25E-1", 250_000_000),
        ("1e2", 10**10),
        ("1.230e1", 1_230_000_000),
        ("0x10", 16 * 10**8),
        ("0b11", 3 * 10**8),
        ("0o17", 15 * 10**8),
        ("0", 0),
        ("0.000", 0),
        ("0e99", 0),
        ("-1", -(10**8)),
        ("1.10000000000", 110_000_000),
        ("0x1.8", 150_000_000),
        ("0X1F", 31 * 10**8),
        ("0x0x10", 16 * 10**8),
        ("0b1.01", 125_000_000),
        ("-0o0.4", -50_000_000),
    ],
)
def test_what_counts_as_a_number(text: str, units: int) -> None:
    quantity = parse_quantity(text)
    assert quantity is not None
    assert not quantity.infinite
    assert quantity.decimals <= 8
    assert quantity.units(8) == units


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "+",
        "-",
        "e5",
        "1e",
        "1,5",
        "1 2",
        "++1",
        "+-1",
        "NaN",
        "abc",
        "0b2",
        "１",
        "1_0",
        "0x1Ff",
        "0x",
        "0x0o1",
    ],
)
def test_what_does_not(text: str) -> None:
    assert parse_quantity(text) is None


def test_too_fine_and_too_large() -> None:
    fine = parse_quantity("0.000000001")
    assert fine is not None
    assert fine.decimals == 9
    for text in ("Infinity", "1e400", "1e999999999"):
        huge = parse_quantity(text)
        assert huge is not None
        assert huge.infinite
        assert huge.digits > 0
    tiny = parse_quantity("1e-400")
    assert tiny is not None
    assert tiny.decimals > 8
    long = parse_quantity("9" * 5000)
    assert long is not None
    assert long.infinite


def test_units_are_written_with_all_decimals() -> None:
    assert [units_text(*args) for args in ((0, 0), (7, 0), (7, 3), (12345, 3), (10**8, 8))] == [
        "0",
        "7",
        "0.007",
        "12.345",
        "1.00000000",
    ]
