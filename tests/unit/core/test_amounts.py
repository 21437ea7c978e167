"""Amounts: grammar, exact conversion, quantities by value (protocol, sections 1 and 4)."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.core.events import JsonNumber
from settlement.core.parsing.amounts import (
    MAX_UNITS,
    Quantity,
    integer_text,
    quantity_units,
    read_decimal,
    read_integer,
    read_integer_text,
    read_quantity,
    show_units,
    to_units,
    units_at_least,
    units_at_most,
)

# ---------------------------------------------------------------- amounts of intents


@pytest.mark.parametrize(
    ("text", "mantissa", "places"),
    [
        ("0", 0, 0),
        ("0.0", 0, 0),
        ("1", 1, 0),
        ("10", 10, 0),
        ("1.50", 15, 1),
        ("1.000000000000000000", 1, 0),
        ("0.000000000000000001", 1, 18),
        ("9999999999999999999", 10**19 - 1, 0),
        ("9999999999999999999.999999999999999999", 10**37 - 1, 18),
        (JsonNumber("0.10"), 1, 1),
    ],
)
def test_a_plain_decimal_is_read_exactly(text: str, mantissa: int, places: int) -> None:
    assert read_decimal(text) == (mantissa, places)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            " 1",
            "1 ",
            "1\n",
            "+1",
            "-1",
            "-0",
            "01",
            "00",
            ".5",
            "5.",
            "1.2.3",
            "1,5",
            "1_000",
            "1e3",
        ),
        *("1E3", "0x10", "NaN", "Infinity", "١", "１", "1٠", "²", "1.٥", "½", "\x001", "1\u200b"),
        *("10000000000000000000", "1.0000000000000000000"),  # a digit too many before and after the point
        *("9" * 5000, "0." + "0" * 5000, "1" + "0" * 5000),
        *(None, True, False, 1, 1.5, b"1", [], ["1"], {}, {"$gt": ""}),
        *(JsonNumber("1e3"), JsonNumber("-1"), JsonNumber("1E999999999"), JsonNumber("9" * 5000)),
    ],
)
def test_other_text_is_not_an_amount(value: object) -> None:
    assert read_decimal(value) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("7", 7),
        ("-7", -7),
        ("9999999999999999999", 10**19 - 1),
        ("-9999999999999999999", 1 - 10**19),
    ],
)
def test_an_integer_is_read_by_its_text(text: str, value: int) -> None:
    assert read_integer(text) == value


@pytest.mark.parametrize(
    "text", ["-0", "", "-", "+1", "01", "-01", "1.0", "1e0", " 1", "1 ", "1\n", "١", "10000000000000000000"]
)
def test_other_text_is_not_an_integer(text: str) -> None:
    assert read_integer(text) is None


def test_too_many_decimals_are_rejected_except_trailing_zeros() -> None:
    assert to_units(read_decimal("1.230") or (0, 0), 2) == 123
    assert to_units((123, 2), 2) == 123
    assert to_units((123, 2), 8) == 123_000_000
    assert to_units((123, 2), 1) is None


@given(
    st.from_regex(r"\A[0-9]{0,20}\.?[0-9]{0,19}\Z")
    | st.text(st.sampled_from("0019.²٣+- \n"), max_size=6)
    | st.text(max_size=4)
)
def test_a_decimal_is_what_the_grammar_of_the_protocol_says(text: str) -> None:
    is_decimal = re.fullmatch(r"(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?", text) is not None
    read = read_decimal(text)
    assert (read is not None) == is_decimal
    if read is not None:
        mantissa, places = read
        assert Fraction(mantissa, 10**places) == Fraction(text)
        assert places == 0 or mantissa % 10


@given(st.integers(0, 10**19 - 1), st.integers(0, 18))
def test_parsing_a_shown_amount_returns_the_same_units(units: int, precision: int) -> None:
    shown = show_units(units, precision)
    value = read_decimal(shown)
    assert value is not None
    assert to_units(value, precision) == units
    assert len(shown.partition(".")[2]) == precision


@given(st.integers(-(2**70), 2**70), st.integers(-12, 18))
def test_shown_text_has_the_same_value(units: int, precision: int) -> None:
    shown = show_units(units, precision)
    assert Fraction(shown) == Fraction(units) / Fraction(10) ** precision
    assert "e" not in shown


# ---------------------------------------------------------------- quantities of movements

WHITE = "\t\n\v\f\r \u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        ("1.50", "1.5"),
        ("007", "7"),
        ("5.", "5"),
        (".5", "0.5"),
        ("+.5", "0.5"),
        ("1e3", "1000"),
        ("1E+3", "1000"),
        ("1.5e-3", "0.0015"),
        ("1e030", "1000000000000000000000000000000"),
        ("1e-30", "0.000000000000000000000000000001"),
        ("1e-00000000000000000000030", "0.000000000000000000000000000001"),
        (f"{WHITE}+2.5{WHITE}", "2.5"),
        ("0", "0"),
        ("0.000e5", "0"),
        ("0x10", "16"),
        ("0X1F.8", "31.5"),
        ("0xab.C", None),
        ("+0o17", "15"),
        ("0o0o17.4", "15.5"),
        ("0O0O1", "1"),
        ("0b101.", "5"),
        ("0B.1", None),
        ("0x0x0xff", "255"),
        ("0x0X1", None),
        ("0b0b1.01", "1.25"),
        ("0x0b1", "177"),
        ("0b2", None),
        ("0o8", None),
        ("0x", None),
        ("0x1.2.3", None),
        ("0x1p4", None),
        ("-0x1", None),
        ("0x1e3", "483"),
    ],
)
def test_a_quantity_is_read_by_value(text: str, value: str | None) -> None:
    quantity = read_quantity(text)
    assert (quantity is None) == (value is None)
    if quantity is None or value is None:
        return
    assert Fraction(int(quantity.digits or "0")) * Fraction(10) ** quantity.exponent == Fraction(value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            ".",
            "+",
            "e3",
            ".e3",
            "1e",
            "1e+",
            "1e10000",
            "1e-10000",
            "1e999999999",
            "-1",
            "++1",
            "+ 1",
            "1 2",
        ),
        *(
            "0y10",
            "1_0",
            "1,0",
            "NaN",
            "Infinity",
            "١",
            "１",
            "1e١",
            "1.5.5",
            "1\x00",
            "\x1c1",
            "\x851",
        ),
        "\u200b1",  # not white space to the sidechain, nor to us
    ],
)
def test_other_quantities_cannot_be_credited(text: str) -> None:
    assert read_quantity(text) is None


@given(st.from_regex(r"\A[0-9]{0,12}(\.[0-9]{0,12})?([eE][+-]?[0-9]{1,2})?\Z"))
def test_equal_quantities_compare_equal(text: str) -> None:
    """Quantities compare by value, whatever their notation."""
    quantity = read_quantity(text)
    mantissa, _, power = text.lower().partition("e")
    readable = any(letter.isdigit() for letter in mantissa)
    assert (quantity is not None) == readable
    if quantity is not None:
        exact = Fraction(f"0{mantissa}0" if "." in mantissa else mantissa) * Fraction(10) ** int(power or 0)
        assert Fraction(int(quantity.digits or "0")) * Fraction(10) ** quantity.exponent == exact
        assert not quantity.digits.startswith("0")
        assert not quantity.digits.endswith("0")
        assert quantity.digits or quantity == Quantity("", 0)


@pytest.mark.parametrize(
    ("text", "precision", "units"),
    [
        ("1", 8, 10**8),
        ("0.00000001", 8, 1),
        ("1e-8", 8, 1),
        ("9223372036854775807", 0, MAX_UNITS),
        ("92233720368.54775807", 8, MAX_UNITS),
        ("1" + "0" * 30 + "e-30", 0, 1),
        ("0", 8, None),
        ("0.000000001", 8, None),
        ("1.5", 0, None),
        ("9223372036854775808", 0, None),
        ("92233720368.54775808", 8, None),
        ("1e30", 0, None),
        ("9" * 5000, 0, None),
        ("0." + "0" * 5000 + "1", 8, None),
    ],
)
def test_only_whole_units_of_63_bits_are_credited(text: str, precision: int, units: int | None) -> None:
    quantity = read_quantity(text)
    assert quantity is not None
    assert quantity_units(quantity, precision) == units


@given(st.from_regex(r"\A[0-9]{1,12}\.[0-9]{1,12}\Z"), st.integers(0, 8))
def test_an_outflow_is_rounded_up_to_a_unit(text: str, precision: int) -> None:
    quantity = read_quantity(text)
    assert quantity is not None
    exact = Fraction(text) * 10**precision
    assert 0 <= units_at_least(quantity, precision) - exact < 1
    assert 0 <= exact - units_at_most(quantity, precision) < 1


@pytest.mark.parametrize("text", ["9" * 5000, "1." + "3" * 5000, "." + "0" * 4999 + "1", "1" + "0" * 5000])
def test_thousands_of_digits(text: str) -> None:
    quantity = read_quantity(text)
    assert quantity is not None
    assert units_at_least(quantity, 8) >= 1


@pytest.mark.parametrize("length", [1, 3999, 4000, 4001, 4300, 4301, 12_345])
def test_integers_of_any_length(length: int) -> None:
    """Python itself refuses to convert more than 4,300 digits."""
    for text in ("7" * length, "1" + "0" * (length - 1), f"-{'9' * length}"):
        assert integer_text(read_integer_text(text)) == text


def test_quantities_of_other_bases_may_be_long() -> None:
    quantity = read_quantity("0x" + "f" * 8000)
    assert quantity is not None
    assert read_integer_text(quantity.digits) * 10**quantity.exponent == 16**8000 - 1


def test_parsing_long_digits_is_linear() -> None:
    """An operation holds up to 8,000 digits: parsing must be linear, without regular expression backtracking."""
    assert read_quantity("9" * 200_000 + "x") is None
    assert read_quantity("1" + "0" * 200_000 + "e-200000") is None
