"""Parser of token quantities as the sidechain's contracts read them: the texts that BigNumber.js accepts."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_DECIMAL: Final = re.compile(r"(-?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?", re.ASCII)
_BASED: Final = re.compile(
    r"(-?)((?:0x)+|(?:0X)+|(?:0b)+|(?:0B)+|(?:0o)+|(?:0O)+)"
    r"(?:([0-9a-f]+)(?:\.([0-9a-f]*))?|([0-9A-F]+)(?:\.([0-9A-F]*))?)",
    re.ASCII,
)
_INFINITE: Final = re.compile(r"-?Infinity")
_BITS: Final = {"x": 4, "b": 1, "o": 3}  # of a digit, by prefix
_WHITE: Final = " \t\n\r\v\f\u00a0\ufeff\u2028\u2029"

# Larger exponents are not expanded: such a number exceeds every balance.
MAX_EXPONENT: Final = 64


class Quantity(NamedTuple):
    """A decimal number `digits × 10^-decimals` without trailing zeros."""

    digits: int
    decimals: int  # at least 0
    infinite: bool = False  # larger than every balance

    def units(self, precision: int) -> int:
        """The quantity in units of `10^-precision`, which must be at least `decimals`."""
        return int(self.digits * 10 ** (precision - self.decimals))


def parse_quantity(text: str) -> Quantity | None:
    """Parse a quantity as the contracts do; None if it is NaN in JavaScript."""
    trimmed = text.strip(_WHITE)
    if trimmed.startswith("+") and trimmed[1:2] not in ("-", "+"):
        trimmed = trimmed[1:]
    if _INFINITE.fullmatch(trimmed):
        return Quantity(-1 if trimmed.startswith("-") else 1, 0, infinite=True)
    if match := _BASED.fullmatch(trimmed):
        bits, fraction = _BITS[match[2][1].lower()], match[4] or match[6] or ""
        try:
            number = int((match[3] or match[5]) + fraction, 1 << bits)
        except ValueError:
            return None
        decimals = bits * len(fraction)  # a half is 5 tenths: each bit of the fraction is a decimal
        digits = str(number * 5**decimals).zfill(decimals + 1)
        return _decimal(bool(match[1]), digits[: len(digits) - decimals], digits[len(digits) - decimals :], 0)
    match = _DECIMAL.fullmatch(trimmed)
    if match is None or not (match[2] or match[3]):
        return None
    return _decimal(match[1] == "-", match[2], match[3] or "", int(match[4] or 0))


def _decimal(negative: bool, whole: str, fraction: str, exponent: int) -> Quantity:
    significant = (whole + fraction).lstrip("0")
    stripped = significant.rstrip("0")
    if not stripped:
        return Quantity(0, 0)
    sign = -1 if negative else 1
    decimals = len(fraction) - exponent - (len(significant) - len(stripped))
    if decimals > MAX_EXPONENT or len(stripped) > 2 * MAX_EXPONENT:
        # Too precise or too long for any token, so the digits do not matter.
        return Quantity(sign, MAX_EXPONENT + 1, infinite=decimals <= 0)
    if decimals < -MAX_EXPONENT:
        return Quantity(sign, 0, infinite=True)
    if decimals < 0:
        return Quantity(sign * int(stripped) * 10**-decimals, 0)
    return Quantity(sign * int(stripped), decimals)


def units_text(units: int, precision: int) -> str:
    """Units as decimal text with `precision` decimals, as the sidechain stores balances."""
    if precision == 0:
        return str(units)
    whole, rest = divmod(units, 10**precision)
    return f"{whole}.{rest:0{precision}d}"
