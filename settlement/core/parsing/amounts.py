"""Amounts: from decimal text to integers of a token's smallest unit and back (protocol, section 1).

Nothing passes through a float or a locale, and nothing rounds except `units_at_least`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, TypeAlias

MAX_UNITS: Final = 2**63 - 1
"""The largest single amount, and the largest total of one token: 63 bits."""

MAX_INTEGER: Final = 10**19 - 1
"""The largest JSON integer of the grammar; each field has a smaller range of its own."""

BPS: Final = 10_000
"""A fee of one basis point is 1/10000 of what is received."""

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_QUANTITY: Final = re.compile(r"(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?)0*([0-9]{1,4}))?")
_PREFIXED: Final = re.compile(
    r"(?:(?:(?:0x)+|(?:0X)+)(?P<x>(?:[0-9a-f]+(?:\.[0-9a-f]*)?|[0-9A-F]+(?:\.[0-9A-F]*)?))"
    r"|(?:(?:0o)+|(?:0O)+)(?P<o>[0-7]+(?:\.[0-7]*)?)"
    r"|(?:(?:0b)+|(?:0B)+)(?P<b>[01]+(?:\.[01]*)?))"
)
_BITS: Final = {"x": 4, "o": 3, "b": 1}
# White space to the sidechain's number library: ECMAScript's \s.
_WHITE_SPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_CHUNK: Final = 4000
"""Digits converted at once: Python refuses more than 4,300 in `int` and `str`."""
_CHUNK_POWER: Final = 10**_CHUNK
_POWERS: Final[tuple[int, ...]] = tuple(10**power for power in range(19))


Decimal: TypeAlias = tuple[int, int]
"""A non-negative decimal `mantissa / 10**places`: mantissa and places, which have no trailing zeros."""

_WHOLE_DIGITS: Final = 19
_PLACES: Final = 18
"""The most digits of an intent's decimal before and after its point."""


def read_decimal(value: object) -> Decimal | None:
    """Parse an amount or price of an intent: text, or a JSON number by its literal text.

    None where it does not follow the grammar (`E_INPUT`).
    """
    if not isinstance(value, str):
        return None
    whole, point, fraction = value.partition(".")
    digits = whole + fraction  # no regular expression: every order has two decimals
    if not (digits.isdigit() and digits.isascii()) or len(whole) > _WHOLE_DIGITS or len(fraction) > _PLACES:
        return None
    if not whole or (point and not fraction) or (whole != "0" and whole.startswith("0")):
        return None
    fraction = fraction.rstrip("0")
    return int(whole + fraction), len(fraction)


def read_integer(text: str) -> int | None:
    """Parse a JSON integer by its literal text: no fraction, no exponent, no `-0`."""
    if text == "-0" or _INTEGER.fullmatch(text) is None:
        return None
    return int(text)


def to_units(value: Decimal, precision: int) -> int | None:
    """`value` in units of `10**-precision`; None where it has more decimals (`E_PRECISION`)."""
    mantissa, places = value
    return None if places > precision else mantissa * _POWERS[precision - places]


def show_units(units: int, precision: int) -> str:
    """An amount as decimal text with exactly `precision` decimals.

    With a negative precision (−3 for a lot of 1,000) units are multiplied.
    """
    if precision <= 0:
        return str(units * 10**-precision)
    digits = str(units).zfill(precision + (2 if units < 0 else 1))
    return f"{digits[:-precision]}.{digits[-precision:]}"


class Quantity(NamedTuple):
    """The value of a movement's quantity, `digits × 10**exponent`, normalized: equal values compare equal.

    `digits` has neither leading nor trailing zeros; zero is `("", 0)`. Kept as text, because the sidechain
    accepts thousands of digits.
    """

    digits: str
    exponent: int


def read_quantity(text: str) -> Quantity | None:
    """Parse a movement's quantity by value (section 4); None where it is no number in the accepted form."""
    text = text.strip(_WHITE_SPACE)
    text = text[1:] if text.startswith("+") else text
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return _read_prefixed(text)
    whole, fraction, only_fraction, sign, power = match.groups()
    exponent = int(power or 0)
    fraction = only_fraction or fraction or ""
    return _normal((whole or "") + fraction, (-exponent if sign == "-" else exponent) - len(fraction))


def _read_prefixed(text: str) -> Quantity | None:
    """A hexadecimal, octal or binary quantity; fractions are exact, because 2 divides 10."""
    match = _PREFIXED.fullmatch(text)
    if match is None:
        return None
    kind = str(match.lastgroup)
    whole, _, fraction = match[kind].partition(".")
    places = len(fraction) * _BITS[kind]
    numerator = int(whole + fraction, 1 << _BITS[kind]) * int(5**places)
    return _normal(integer_text(numerator), -places)


def _normal(digits: str, exponent: int) -> Quantity:
    digits = digits.lstrip("0")
    significant = digits.rstrip("0")
    return (
        Quantity(significant, exponent + len(digits) - len(significant)) if significant else Quantity("", 0)
    )


def quantity_units(quantity: Quantity, precision: int) -> int | None:
    """`quantity` in units of `10**-precision`; None where zero, too precise, or above 63 bits."""
    shift = quantity.exponent + precision
    if not quantity.digits or shift < 0 or len(quantity.digits) + shift > 19:
        return None
    units = int(quantity.digits) * int(10**shift)
    return units if units <= MAX_UNITS else None


def units_at_most(quantity: Quantity, precision: int) -> int:
    """`quantity` in units of `10**-precision`, rounded down. Without limit."""
    shift = quantity.exponent + precision
    if shift >= 0:
        return read_integer_text(quantity.digits or "0") * int(10**shift)
    return read_integer_text(quantity.digits[:shift] or "0")


def units_at_least(quantity: Quantity, precision: int) -> int:
    """`quantity` in units of `10**-precision`, rounded up: no outflow counts too little. Without limit."""
    is_whole = quantity.exponent + precision >= 0 or not quantity.digits
    return units_at_most(quantity, precision) + (not is_whole)


def integer_text(value: int) -> str:
    """Decimal text of an integer of any length."""
    if -_CHUNK_POWER < value < _CHUNK_POWER:
        return str(value)
    sign, value = ("-", -value) if value < 0 else ("", value)
    chunks = []
    while value >= _CHUNK_POWER:
        value, rest = divmod(value, _CHUNK_POWER)
        chunks.append(f"{rest:0{_CHUNK}d}")
    return sign + str(value) + "".join(reversed(chunks))


def read_integer_text(text: str) -> int:
    """The integer of a decimal text of any length. Raises ValueError."""
    if len(text) <= _CHUNK:
        return int(text)
    if text.startswith("-"):
        return -read_integer_text(text[1:])
    value = 0
    first = len(text) % _CHUNK
    for start in range(first - _CHUNK if first else 0, len(text), _CHUNK):
        chunk = text[max(start, 0) : start + _CHUNK]
        value = value * _CHUNK_POWER + int(chunk)
    return value
