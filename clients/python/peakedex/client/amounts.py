"""Exact amounts: decimals of callers as the venue's literal text. Floats are refused."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation, localcontext
from typing import Final

from peakedex.client.errors import InputError

Amount = Decimal | int | str
"""An amount or price of a caller."""

_DECIMAL: Final = re.compile(r"(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?")
_PAIR: Final = re.compile(r"([A-Z]{1,10}(?:\.[A-Z]{1,10})?)/([A-Z]{1,10}(?:\.[A-Z]{1,10})?)")


def decimal_of(value: Amount, field: str) -> Decimal:
    """The exact value. Raises InputError for floats and for what is no positive decimal."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        kind = type(value).__name__
        raise InputError(field, f"must be a Decimal, int or text such as '12.5', not a {kind}: it is exact")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise InputError(field, f"{str(value)[:40]!r} is not a decimal such as 12.5") from None
    if isinstance(value, str) and _DECIMAL.fullmatch(value) is None:
        raise InputError(field, f"{value[:40]!r} is not a decimal such as 12.5, without sign or exponent")
    if not number.is_finite() or number <= 0:
        raise InputError(field, f"{str(value)[:40]} must be above zero")
    if not -40 < number.adjusted() < 20 or len(number.as_tuple().digits) > 40:
        raise InputError(field, f"{str(value)[:40]} is out of range")
    return number


def literal(value: Amount, decimals: int, field: str) -> str:
    """The text that is signed: a multiple of 10^-`decimals`. Raises InputError; nothing is rounded."""
    number = decimal_of(value, field)
    with localcontext() as context:
        context.prec = 60
        steps = number.scaleb(decimals)
        if steps != steps.to_integral_value():
            step = Decimal(1).scaleb(-decimals)
            raise InputError(field, f"{number:f} is not a multiple of {step:f}: round it before")
        text = f"{number.normalize():f}"
    if _DECIMAL.fullmatch(text) is None:
        raise InputError(field, f"{text[:40]} is out of range")
    return text


def split_pair(pair: str) -> tuple[str, str]:
    """Base and quote of a name such as `PEK/SWAP.HIVE`. Raises InputError."""
    found = _PAIR.fullmatch(pair) if isinstance(pair, str) else None
    if found is None:
        raise InputError("pair", f"{str(pair)[:40]!r} is not a pair such as PEK/SWAP.HIVE")
    return found[1], found[2]
