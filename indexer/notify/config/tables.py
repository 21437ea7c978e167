"""Reads tables of a TOML file field by field, and notes every mistake: field, reason, cure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

_SHOWN: Final = 80


class Table:
    """One table. A missing or bad field is noted in `mistakes` and gives the default, or a placeholder."""

    def __init__(self, where: str, value: object, mistakes: list[str]) -> None:
        self.where = where
        self._mistakes = mistakes
        self._left: dict[str, Any] = {}
        if isinstance(value, Mapping):
            self._left = dict(value)
        else:
            self.note("", "must be a table")

    def note(self, key: str, reason: str) -> None:
        name = f"{self.where}.{key}" if self.where and key else self.where or key
        self._mistakes.append(f"{name}: {reason}")

    def has(self, key: str) -> bool:
        return key in self._left

    def keys(self) -> tuple[str, ...]:
        """The fields that were not read yet."""
        return tuple(self._left)

    def inner(self, key: str, value: object) -> Table:
        """A table inside this one."""
        return Table(f"{self.where}.{key}" if self.where else key, value, self._mistakes)

    def take(self, key: str, default: object = None) -> Any:
        """A field as it is."""
        return self._left.pop(key, default)

    def text(
        self,
        key: str,
        valid: Callable[[str], object] = bool,
        wanted: str = "text",
        default: str | None = None,
    ) -> str:
        value = self._left.pop(key, default)
        if isinstance(value, str) and valid(value):
            return value
        if value is None:
            self.note(key, f"is missing: write {wanted}")
        else:
            self.note(key, f"{shown(value)} is not valid: write {wanted}")
        return ""

    def optional(self, key: str, valid: Callable[[str], object] = bool, wanted: str = "text") -> str | None:
        return self.text(key, valid, wanted) if key in self._left else None

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        return self.text(key, choices.__contains__, f"one of {', '.join(choices)}", default)

    def integer(self, key: str, low: int, high: int, default: int) -> int:
        value = self._left.pop(key, default)
        if type(value) is int and low <= value <= high:
            return value
        self.note(key, f"{shown(value)} is not valid: write a whole number from {low} to {high}")
        return default

    def decimal(self, key: str, default: str | None = None) -> Decimal:
        """A number above zero: text such as "0.012" (so that no digit is lost), or an integer."""
        value = self._left.pop(key, default)
        try:
            number = Decimal(value) if type(value) in (str, int) else Decimal(0)
        except ArithmeticError:
            number = Decimal(0)
        if number.is_finite() and number > 0:
            return number
        if value is None:
            self.note(key, 'is missing: write a number above zero in quotes, like "0.012"')
        else:
            self.note(key, f'{shown(value)} is not valid: write a number above zero in quotes, like "0.012"')
        return Decimal(1)

    def names(self, key: str, valid: Callable[[str], object], wanted: str) -> tuple[str, ...]:
        """A list of texts with at least one item; a single text counts as one."""
        value = self._left.pop(key, None)
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not items:
            self.note(key, f"is missing: write a list of {wanted}")
            return ()
        for item in items:
            if not isinstance(item, str) or not valid(item):
                self.note(key, f"{shown(item)} is not one of: {wanted}")
        return tuple(item for item in items if isinstance(item, str))

    def number(self, key: str) -> float | None:
        """A number, None if there is none."""
        value = self._left.pop(key, None)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return None if value is None else float(value)
        self.note(key, f"{shown(value)} is not valid: write a number")
        return None

    def tables(self, key: str) -> list[object]:
        """An array of tables, possibly empty."""
        value = self._left.pop(key, [])
        if isinstance(value, list):
            return value
        self.note(key, f"must be an array of tables: [[{key}]]")
        return []

    def done(self, known: str) -> None:
        """Note the fields that were not read."""
        for key in self._left:
            self.note(key, f"is not known: remove it, or correct its name ({known})")


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
