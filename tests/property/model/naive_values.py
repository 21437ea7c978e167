"""Naive values: text, numbers and payloads as the protocol's text defines them (sections 1, 4, 5 and 11).

Part of the naive model; shares nothing with `settlement.core` but the events.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from settlement.core.events import JsonNumber

LARGEST = 2**63 - 1
UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")
SMALL_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# White space of ECMAScript.
WHITE = {9, 10, 11, 12, 13, 32, 160, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
WHITE.add(0xFEFF)


class Reject(Exception):
    """The action is rejected with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def require(condition: bool, code: str) -> None:
    if not condition:
        raise Reject(code)


# ---------------------------------------------------------------- text


def encoded(text: str) -> str:
    """Free text, percent-encoded."""
    if text == "":
        return "%"
    if text == "-":
        return "%2D"
    letters = []
    for letter in text:
        if letter in UNRESERVED:
            letters.append(letter)
        else:
            letters += [f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass")]
    return "".join(letters)


def or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def is_account(text: str) -> bool:
    if not 3 <= len(text) <= 16:
        return False
    for segment in text.split("."):
        if len(segment) < 3 or segment[-1] == "-" or segment[0] not in SMALL_LETTERS:
            return False
        if any(letter not in SMALL_LETTERS + "0123456789-" for letter in segment):
            return False
    return True


def is_symbol(text: str) -> bool:
    parts = text.split(".")
    return len(parts) <= 2 and all(
        1 <= len(part) <= 10 and all("A" <= letter <= "Z" for letter in part) for part in parts
    )


def is_memo(text: str) -> bool:
    return (
        1 <= len(text) <= 256
        and all(ord(letter) >= 32 and ord(letter) != 127 for letter in text)
        and not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)
        and not text.startswith("peakedex:")
        and not text.startswith("#")
    )


def may_be_run_by_the_sidechain(memo: str) -> bool:
    """Whether the first character that is not a space is `{` or `[`."""
    for letter in memo:
        if letter != " ":
            return letter in "{["
    return False


# ---------------------------------------------------------------- numbers


def decimal(value: Any) -> Fraction:
    """Parse a decimal above zero: text, or a JSON number by its literal text."""
    if not isinstance(value, str) or not re.fullmatch(r"(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?", value):
        raise Reject("E_INPUT")
    if Fraction(value) == 0:
        raise Reject("E_INPUT")
    return Fraction(value)


def whole(value: Fraction, precision: int) -> int:
    """A decimal in units of 10^-precision."""
    units = value * Fraction(10) ** precision
    require(units.denominator == 1, "E_PRECISION")
    return int(units)


def digits_of(number: int) -> str:
    """Decimal digits of an integer of any length."""
    if number < 0:
        return "-" + digits_of(-number)
    limit = 10**4000
    if number < limit:
        return str(number)
    return digits_of(number // limit) + f"{number % limit:04000d}"


def number_of(digits: str, base: int) -> int:
    """The integer of a text of digits of any length."""
    number = 0
    for digit in digits.lower():
        number = number * base + "0123456789abcdef".index(digit)
    return number


def quantity_of(literal: str) -> Fraction | None:
    """Parse a movement's quantity by value; None where it is no number in the accepted form."""
    letters = list(literal)
    while letters and ord(letters[0]) in WHITE:
        letters.pop(0)
    while letters and ord(letters[-1]) in WHITE:
        letters.pop()
    text = "".join(letters).removeprefix("+")
    for mark, base in (("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)):
        if text.startswith(mark):
            while text.startswith(mark):
                text = text.removeprefix(mark)
            return based_quantity(text, base)
    mantissa, mark, power = text.replace("E", "e").partition("e")
    before, _, after = mantissa.partition(".")
    if not all(letter in "0123456789" for letter in before + after) or not before + after:
        return None
    exponent = 0
    if mark:
        digits = power[1:] if power[:1] in ("+", "-") else power
        if not digits or not all(letter in "0123456789" for letter in digits):
            return None
        if len(digits.lstrip("0")) > 4:
            return None
        exponent = int(digits.lstrip("0") or "0")
        if power.startswith("-"):
            exponent = -exponent
    value: Fraction = Fraction(number_of(before + after, 10)) / 10 ** len(after) * Fraction(10) ** exponent
    return value


def based_quantity(text: str, base: int) -> Fraction | None:
    """Digits of a base, one at least before the only point; letters all of one case."""
    before, _, after = text.partition(".")
    allowed = "0123456789abcdef"[:base]
    digits = before + after
    if not before or not all(letter in allowed for letter in digits.lower()) or not digits.isascii():
        return None
    if digits not in (digits.lower(), digits.upper()):
        return None
    return Fraction(number_of(digits, base), base ** len(after))


def credit_of(value: Fraction | None, precision: int) -> int | None:
    """Units of a quantity that can be credited: whole, from 1 to 2^63-1."""
    if value is None:
        return None
    units = value * Fraction(10) ** precision
    return int(units) if units.denominator == 1 and 1 <= units <= LARGEST else None


# ---------------------------------------------------------------- payloads


def is_ref(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_.\-]{1,32}", text) is not None and text != "-"


def is_plain_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, JsonNumber)


class Payload:
    """Payload reader: a bad field raises E_INPUT at once."""

    def __init__(self, payload: Any) -> None:
        self.payload = payload if isinstance(payload, dict) else {}
        ref: Any = self.payload.get("ref")
        self.ref = ref if is_plain_text(ref) and is_ref(ref) else None

    def check(self, payload: Any) -> None:
        """The fields that every action may have."""
        self.need(isinstance(payload, dict))
        self.need("ref" not in self or self.ref is not None)
        self.not_after = self.integer("notAfter", 0, 10**19 - 1) if "notAfter" in self else None

    def __contains__(self, key: str) -> bool:
        return key in self.payload

    def need(self, condition: bool) -> None:
        require(condition, "E_INPUT")

    def text(self, key: str, rule: Callable[[str], bool] = lambda _: True) -> str:
        value: Any = self.payload.get(key)
        self.need(is_plain_text(value) and rule(value))
        return str(value)

    def optional_text(self, key: str, rule: Callable[[str], bool]) -> str | None:
        return self.text(key, rule) if key in self else None

    def one_of(self, key: str, *choices: str, default: str | None = None) -> str | None:
        return self.text(key, lambda text: text in choices) if key in self else default

    def integer(self, key: str, low: int, high: int) -> int:
        value: Any = self.payload.get(key)
        self.need(isinstance(value, JsonNumber) and value != "-0")
        self.need(re.fullmatch(r"-?(0|[1-9][0-9]{0,18})", value) is not None)
        self.need(low <= int(value) <= high)
        return int(value)

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        return self.integer(key, low, high) if key in self else None

    def flag(self, key: str) -> bool:
        value = self.payload.get(key, False)
        self.need(isinstance(value, bool))
        return value is True

    def amount(self, key: str) -> Fraction:
        return decimal(self.payload.get(key))

    def optional_amount(self, key: str) -> Fraction | None:
        return self.amount(key) if key in self else None
