"""Payload reader: shape and grammar, the first check of every action (protocol, sections 1, 5 and 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from settlement.core.events import JsonNumber
from settlement.core.parsing.amounts import MAX_INTEGER, Decimal, read_decimal, read_integer
from settlement.core.parsing.names import is_account, is_ref, is_symbol

_ZERO: Final[Decimal] = (0, 0)


class PayloadReader:
    """Reads a payload field by field.

    A missing or bad value sets `invalid` (`E_INPUT`) and yields a placeholder of the right type, so that all
    fields can be read before the flag is checked.
    """

    __slots__ = ("_payload", "invalid")

    def __init__(self, payload: object) -> None:
        self.invalid = not isinstance(payload, dict)
        self._payload: dict[str, object] = payload if isinstance(payload, dict) else {}

    def has(self, key: str) -> bool:
        return key in self._payload

    def has_any(self, keys: frozenset[str]) -> bool:
        return not keys.isdisjoint(self._payload)

    def raw(self, key: str) -> object:
        """The value as decoded from JSON; None, which no field accepts, where it is absent."""
        return self._payload.get(key)

    def amount(self, key: str) -> Decimal:
        """A decimal above zero."""
        return self.positive(self._payload.get(key))

    def positive(self, value: object) -> Decimal:
        """A JSON value that must be a decimal above zero."""
        number = read_decimal(value)
        if number is not None and number[0]:
            return number
        self.invalid = True
        return _ZERO

    def optional_amount(self, key: str) -> Decimal | None:
        return self.amount(key) if key in self._payload else None

    def integer(self, key: str, low: int, high: int) -> int:
        """A JSON integer from `low` to `high`."""
        value = self._payload.get(key)
        number = read_integer(value) if isinstance(value, JsonNumber) else None
        if number is None or not low <= number <= high:
            self.invalid = True
            return low
        return number

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        return self.integer(key, low, high) if key in self._payload else None

    def text(self, key: str, valid: Callable[[str], bool]) -> str:
        """Text that `valid` accepts. A JSON number is not text."""
        value = self._payload.get(key)
        if type(value) is str and valid(value):
            return value
        self.invalid = True
        return ""

    def optional_text(self, key: str, valid: Callable[[str], bool]) -> str | None:
        return self.text(key, valid) if key in self._payload else None

    def symbol(self, key: str) -> str:
        value = self._payload.get(key)
        if type(value) is str and is_symbol(value):
            return value
        self.invalid = True
        return ""

    def optional_symbol(self, key: str) -> str | None:
        return self.symbol(key) if key in self._payload else None

    def account(self, key: str) -> str:
        return self.text(key, is_account)

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of `choices`; `default` where the key is absent."""
        if default is not None and key not in self._payload:
            return default
        value = self._payload.get(key)
        if type(value) is str and value in choices:
            return value
        self.invalid = True
        return choices[0]

    def optional_choice(self, key: str, choices: tuple[str, ...]) -> str | None:
        return self.choice(key, choices) if key in self._payload else None

    def boolean(self, key: str) -> bool:
        """True or false; false where the key is absent."""
        if key not in self._payload:
            return False
        value = self._payload[key]
        if type(value) is bool:
            return value
        self.invalid = True
        return False

    def ref(self) -> str | None:
        """The trader's own reference, which every action may carry (section 5)."""
        return self.text("ref", is_ref) if "ref" in self._payload else None

    def not_after(self) -> int | None:
        """The deadline that every action may carry, in Unix seconds (section 5)."""
        return self.integer("notAfter", 0, MAX_INTEGER) if "notAfter" in self._payload else None
