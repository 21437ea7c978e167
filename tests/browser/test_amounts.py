"""js/lib/amounts.js and parse-amount.js: what is typed, signed and shown is the same number, digit for digit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from settlement.core.parsing.amounts import MAX_UNITS, read_decimal, show_units, to_units
from tests.browser.conftest import open_blank, open_context
from tests.support.examples import examples

FULL = str(MAX_UNITS)
SEPARATORS = (
    "Points and commas are mixed, or not in groups of three. Enter the number without thousands separators."
)


def call(page: Page, function: str, *arguments: Any) -> Any:
    """Call a function of these modules. Strings such as "5n" are passed and returned for a BigInt."""
    script = """async ([name, list]) => {
      const module = { ...await import("/js/lib/amounts.js"), ...await import("/js/lib/parse-amount.js") };
      const value = module[name](...list.map((one) => (typeof one === "string" && /^-?\\d+n$/.test(one) ? BigInt(one.slice(0, -1)) : one)));
      return JSON.stringify(value, (_, one) => (typeof one === "bigint" ? `${one}n` : one));
    }"""
    return json.loads(page.evaluate(script, [function, list(arguments)]))


@pytest.mark.parametrize(
    ("text", "decimals", "units"),
    [
        ("1", 2, 100),
        ("0.01", 2, 1),
        ("1.5000", 2, 150),
        (".5", 2, 50),
        ("5.", 2, 500),
        ("007", 0, 7),
        ("  42 ", 2, 4200),
        ("1 000", 2, 100_000),
        ("1\u00a0234\u202f567.25", 2, 123_456_725),
        ("1’000’000", 0, 1_000_000),
        ("1'000.5", 1, 10_005),
        ("1_000", 0, 1000),
        ("1,000,000", 2, 100_000_000),
        ("1,000.50", 2, 100_050),
        ("0,5", 2, 50),
        (",5", 2, 50),
        ("5,", 2, 500),
        ("0,500", 3, 500),
        ("1,25", 2, 125),
        ("12,3456", 4, 123_456),
        ("1234,567", 3, 1_234_567),
        ("1.234,5", 2, 123_450),
        ("1.234.567", 0, 1_234_567),
        ("1.234.567,89", 2, 123_456_789),
        ("1,234,567.89", 2, 123_456_789),
        ("1 234,5", 2, 123_450),
        ("1\u202f234,5", 2, 123_450),
        ("1’234,5", 2, 123_450),
        ("1.234", 3, 1234),
        ("25000", -3, 25),
        ("25 000", -3, 25),
        ("0", 8, 0),
        ("0.00000001", 8, 1),
        (FULL, 0, MAX_UNITS),
        ("92233720368.54775807", 8, MAX_UNITS),
        ("9223372036854775.807", 3, MAX_UNITS),
        ("9.223372036854775807", 18, MAX_UNITS),
    ],
)
def test_what_is_typed_is_read_exactly(modules: Page, text: str, decimals: int, units: int) -> None:
    assert call(modules, "parse", text, decimals) == {"units": f"{units}n"}


@pytest.mark.parametrize(
    ("text", "decimals", "problem"),
    [
        ("1,000", 2, "“1,000” is ambiguous: 1000 or 1.000? Enter it without the comma."),
        ("12,345", 3, "“12,345” is ambiguous: 12345 or 12.345? Enter it without the comma."),
        ("1,23,4", 2, SEPARATORS),
        ("1.5,5", 2, SEPARATORS),
        ("1,5.5", 2, SEPARATORS),
        ("1.000.00", 2, SEPARATORS),
        ("0,000,123", 8, SEPARATORS),
        ("0.000.123", 8, SEPARATORS),
        ("1,234,5", 2, SEPARATORS),
        ("1.234.567,8.9", 2, SEPARATORS),
        ("0 000 123", 2, "The digits are not in groups of three. Enter the number without spaces."),
        ("1 0000", 2, "The digits are not in groups of three. Enter the number without spaces."),
        ("12 34", 2, "The digits are not in groups of three. Enter the number without spaces."),
        ("-1", 2, "Enter the number without a sign."),
        ("−1", 2, "Enter the number without a sign."),
        ("+1", 2, "Enter the number without a sign."),
        ("1e5", 2, "Enter all digits, without an exponent."),
        ("0x10", 2, "Not a number. Example: 1250.5."),
        ("１", 2, "Use the digits 0 to 9."),
        ("٣", 2, "Use the digits 0 to 9."),
        ("1٬234٫5", 2, "Not a number. Example: 1250.5."),
        (",", 2, "Not a number. Example: 1250.5."),
        ("NaN", 2, "Not a number. Example: 1250.5."),
        ("12 PEK", 2, "Not a number. Example: 1250.5."),
        ("1.001", 2, "At most 2 decimals."),
        ("0.1", 0, "Whole numbers only."),
        ("1500", -3, "Must be a multiple of 1,000."),
        (str(MAX_UNITS + 1), 0, "Exceeds the maximum amount."),
        ("92233720368.54775808", 8, "Exceeds the maximum amount."),
        ("9" * 79, 0, "Exceeds the maximum amount."),
        ("9" * 81, 0, "Not a number. Example: 1250.5."),
    ],
)
def test_the_ambiguous_and_the_impossible_are_refused_with_a_reason(
    modules: Page, text: str, decimals: int, problem: str
) -> None:
    assert call(modules, "parse", text, decimals) == {"problem": problem}


@pytest.mark.parametrize(
    "locale", ["de-DE", "de-CH", "fr-FR", "sv-SE", "pt-BR", "en-US", "en-IN", "ru-RU", "ar-EG", "fa-IR"]
)
@pytest.mark.parametrize("value", [0.5, 12.25, 1234.5, 1234567.25])
def test_a_number_as_the_browser_s_locale_writes_it(browser: Browser, locale: str, value: float) -> None:
    """What a table in that language shows can be pasted, or is refused; it is never read as another number."""
    with open_context(browser, locale=locale) as context:
        page = open_blank(context)
        written = page.evaluate("(value) => value.toLocaleString()", value)
        found = call(page, "parse", written, 2)
    if locale in ("ar-EG", "fa-IR"):
        assert found == {"problem": "Use the digits 0 to 9."}, written
    elif written != "12,34,567.25":  # the groups of India
        assert found == {"units": f"{round(value * 100)}n"}, written
    else:
        assert found == {"problem": SEPARATORS}


def test_an_empty_input_has_no_error(modules: Page) -> None:
    assert call(modules, "parse", " \u00a0", 2) == {"problem": "", "empty": True}


@examples(40)
@given(units=st.integers(0, MAX_UNITS), decimals=st.integers(-6, 18))
def test_text_and_units_are_one_as_in_the_rules(modules: Page, units: int, decimals: int) -> None:
    """The page formats amounts as the rules do, and both parse the result."""
    text = call(modules, "plain", f"{units}n", decimals)
    assert text == show_units(units, decimals)
    value = read_decimal(text)
    if value is not None and decimals >= 0:
        assert to_units(value, decimals) == units
    if units * 10 ** max(0, -decimals) <= MAX_UNITS:
        assert call(modules, "units", text, decimals) == f"{units}n"
        assert call(modules, "parse", text, decimals) == {"units": f"{units}n"}
        shown = call(modules, "show", f"{units}n", decimals)
        assert shown.replace(",", "") == text
        if shown.count(",") != 1 or "." in shown:
            assert call(modules, "parse", shown, decimals) == {"units": f"{units}n"}


def test_shown_numbers_have_a_true_minus_and_groups(modules: Page) -> None:
    assert call(modules, "show", "-123456789n", 2) == "−1,234,567.89"
    assert call(modules, "grouped", "1234.5") == "1,234.5"
    assert call(modules, "grouped", "123") == "123"
    assert call(modules, "plain", "-5n", 2) == "-0.05"


VENUE = {
    "tokens": [{"symbol": "PEK", "precision": 8}, {"symbol": "SWAP.BTC", "precision": 8}],
    "pairs": [
        {
            "base": "PEK",
            "quote": "SWAP.BTC",
            "price_decimals": 12,
            "quantity_decimals": -4,
            "maker_fee_bps": 0,
            "taker_fee_bps": 20,
            "status": "active",
            "price_policy": "maker",
            "self_trade": "cancel_resting",
        }
    ],
}


def test_a_total_is_price_times_quantity_and_never_rounds(modules: Page) -> None:
    market = call(modules, "market", VENUE, "PEK", "SWAP.BTC")
    assert market["quantityDecimals"] == -4
    assert call(modules, "total", market, "800n", "3n") == "2400n"  # 0.000000000800 × 30,000 = 0.00002400
    assert call(modules, "baseUnits", market, "3n") == f"{3 * 10**12}n"
    assert call(modules, "lotsOf", market, f"{10**12 * 3 - 1}n") == "2n"
    assert call(modules, "mostLots", market, "2399n", "800n") == "2n"
    assert call(modules, "mostLots", market, "2400n", "800n") == "3n"
    assert call(modules, "mostLots", market, "2400n", "0n") == "0n"
    assert call(modules, "market", VENUE, "PEK", "HBD") is None


def test_fees_and_worst_prices_are_on_the_safe_side(modules: Page) -> None:
    assert call(modules, "fee", "4999n", 20) == "9n"
    assert call(modules, "worstPrice", "buy", "100n", 100) == "101n"
    assert call(modules, "worstPrice", "buy", "1n", 100) == "2n"
    assert call(modules, "worstPrice", "sell", "100n", 100) == "99n"
    assert call(modules, "worstPrice", "sell", "1n", 100) == "1n"
    assert call(modules, "share", "7n", 50) == "3n"
