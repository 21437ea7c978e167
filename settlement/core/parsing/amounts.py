"""Amounts: from decimal text to integers of a token's smallest unit and back (protocol, section 1).

Nothing passes through a float or a locale, and nothing rounds except `units_at_least`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

MAX_UNITS: Final = 2**63 - 1
"""The largest single amount, and the largest total of one token: 63 bits."""

MAX_INTEGER: Final = 10**19 - 1
"""The largest JSON integer of the grammar (section 8); each field has a smaller range of its own."""

BPS: Final = 10_000
"""A fee of one basis point is 1/10000 of what is received."""

_DECIMAL: Final = re.compile(r"(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_QUANTITY: Final = re.compile(r"\+?(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?)0*([0-9]{1,2}))?")
# White space to the sidechain's number library: ECMAScript's \s.
_WHITE_SPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_MAX_EXPONENT: Final = 30
_POWERS: Final[tuple[int, ...]] = tuple(10**power for power in range(19))


@dataclass(slots=True)
class Decimal:
    """A non-negative decimal, `mantissa / 10**places`, without trailing zeros in its places."""

    mantissa: int
    places: int


def read_decimal(value: object) -> Decimal | None:
    """Parse an amount or price of an intent: text, or a JSON number by its literal text.

    None where it does not follow the grammar (`E_INPUT`).
    """
    if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
        return None
    whole, _, fraction = value.partition(".")
    fraction = fraction.rstrip("0")
    return Decimal(int(whole + fraction), len(fraction))


def read_integer(text: str) -> int | None:
    """Parse a JSON integer by its literal text (section 8): no fraction, no exponent, no `-0`."""
    if text == "-0" or _INTEGER.fullmatch(text) is None:
        return None
    return int(text)


def to_units(value: Decimal, precision: int) -> int | None:
    """`value` in units of `10**-precision`; None where it has more decimals (`E_PRECISION`)."""
    if value.places > precision:
        return None
    return value.mantissa * _POWERS[precision - value.places]


def show_units(units: int, precision: int) -> str:
    """An amount as decimal text with exactly `precision` decimals.

    With a negative precision (−3 for a lot of 1,000) units are multiplied.
    """
    if precision <= 0:
        return str(units * 10**-precision)
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**precision)
    return f"{sign}{whole}.{fraction:0{precision}d}"


class Quantity(NamedTuple):
    """The value of a movement's quantity, `digits × 10**exponent`, normalized: equal values compare equal.

    Digits are text because the sidechain accepts thousands of them. Zero is `("", 0)`.
    """

    digits: str  # without leading and trailing zeros
    exponent: int


def read_quantity(text: str) -> Quantity | None:
    """Parse a movement's quantity by value (section 3); None where it is no number in the accepted form."""
    match = _QUANTITY.fullmatch(text.strip(_WHITE_SPACE))
    if match is None:
        return None
    whole, fraction, only_fraction, sign, power = match.groups()
    exponent = int(power or 0)
    if exponent > _MAX_EXPONENT:
        return None
    fraction = only_fraction or fraction or ""
    digits = ((whole or "") + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return Quantity("", 0)
    exponent = -exponent if sign == "-" else exponent
    return Quantity(significant, exponent - len(fraction) + len(digits) - len(significant))


def quantity_units(quantity: Quantity, precision: int) -> int | None:
    """`quantity` in units of `10**-precision`; None where it is zero, too precise or beyond 63 bits."""
    shift = quantity.exponent + precision
    if not quantity.digits or shift < 0 or len(quantity.digits) + shift > 19:
        return None
    units = int(quantity.digits) * int(10**shift)
    return units if units <= MAX_UNITS else None


def units_at_least(quantity: Quantity, precision: int) -> int:
    """`quantity` in units of `10**-precision`, rounded up, so that an outflow is never counted too small.

    Capped at 10^40, because the text may have thousands of digits.
    """
    shift = quantity.exponent + precision
    if len(quantity.digits) + shift > 40:
        return 10**40
    if shift >= 0:
        return int(quantity.digits or "0") * int(10**shift)
    return int(quantity.digits[:shift] or "0") + 1
