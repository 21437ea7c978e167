"""Amounts: decimal text in, integers of the smallest unit inside (protocol, section 1).

Nothing here rounds, and nothing here goes through a float or a locale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

MAX_UNITS: Final = 2**63 - 1
"""The largest single amount, and the largest total of one token: 63 bits."""

MAX_INTEGER: Final = 10**19 - 1
"""The largest JSON integer that the grammar admits (section 8); what it may mean is bounded elsewhere."""

BPS: Final = 10_000
"""A fee of one basis point is 1/10000 of what is received."""

_DECIMAL: Final = re.compile(r"(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_QUANTITY: Final = re.compile(r"\+?(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?)0*([0-9]{1,2}))?")
# What the sidechain's number library takes for white space (ECMAScript's \s).
_WHITE_SPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_MAX_EXPONENT: Final = 30
_POWERS: Final[tuple[int, ...]] = tuple(10**power for power in range(19))


@dataclass(slots=True, init=False)
class Decimal:
    """A non-negative decimal: `mantissa / 10**places`, with no trailing zero in its places."""

    mantissa: int
    places: int

    def __init__(self, mantissa: int, places: int) -> None:
        self.mantissa = mantissa
        self.places = places


def read_decimal(value: object) -> Decimal | None:
    """Read an amount or price out of an intent: text, or a JSON number by its literal text.

    None where it does not follow the grammar (`E_INPUT`); zero is returned as zero.
    """
    if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
        return None
    whole, _, fraction = value.partition(".")
    fraction = fraction.rstrip("0")
    return Decimal(int(whole + fraction), len(fraction))


def read_integer(text: str) -> int | None:
    """Read a JSON integer by its literal text (section 8): no fraction, no exponent, no `-0`."""
    if text == "-0" or _INTEGER.fullmatch(text) is None:
        return None
    return int(text)


def to_units(value: Decimal, precision: int) -> int | None:
    """`value` in units of `10**-precision`; None where it has more decimals than that (`E_PRECISION`)."""
    if value.places > precision:
        return None
    return value.mantissa * _POWERS[precision - value.places]


def show_units(units: int, precision: int) -> str:
    """Display text of an amount: always `precision` decimals, never an exponent.

    A negative precision (a lot of 1,000 is −3) multiplies.
    """
    if precision <= 0:
        return str(units * 10**-precision)
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**precision)
    return f"{sign}{whole}.{fraction:0{precision}d}"


class Quantity(NamedTuple):
    """The value of a movement's quantity, `digits × 10**exponent`, in one normal form.

    `digits` has neither leading nor trailing zeros; zero is `("", 0)`. Kept as text: the sidechain
    accepts thousands of digits, and comparing is all that we do with those.
    """

    digits: str
    exponent: int


def read_quantity(text: str) -> Quantity | None:
    """Read a movement's quantity by value (section 3); None where it is not a number we can credit."""
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
    """`quantity` in units of `10**-precision`, rounded up, so that no outflow is counted too small.

    Bounded by 10^40, which no chain can hold, because the text may have thousands of digits.
    """
    shift = quantity.exponent + precision
    if len(quantity.digits) + shift > 40:
        return 10**40
    if shift >= 0:
        return int(quantity.digits or "0") * int(10**shift)
    return int(quantity.digits[:shift] or "0") + 1
