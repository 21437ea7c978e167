"""Table reader: the fields of one table of a venue file, with every mistake (protocol, section 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from settlement.core.parsing.amounts import MAX_UNITS, read_decimal, to_units


class Mistake(Exception):
    """One mistake in a venue file."""

    def __init__(self, field_name: str, reason: str) -> None:
        super().__init__(f"{field_name}: {reason}")
        self.field = field_name
        self.reason = reason


def is_word(value: str) -> bool:
    """Whether it is one word of printable ASCII that fits a custom_json's id (32 bytes)."""
    return 0 < len(value) <= 32 and all("!" <= letter <= "~" for letter in value)


class TableReader:
    """Reads one table of the file field by field.

    A missing or bad field is noted in `mistakes` and yields a placeholder of the right type.
    """

    def __init__(self, where: str, value: object, mistakes: list[Mistake]) -> None:
        self._where = where
        self._mistakes = mistakes
        self._left: dict[str, Any] = {}
        self._known: list[str] = []
        if isinstance(value, Mapping):
            self._left = dict(value)
        else:
            self._note(where or "file", "must be a table; write it as one")

    def _note(self, name: str, reason: str) -> None:
        self._mistakes.append(Mistake(name, reason))

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def _take(self, key: str, default: object) -> Any:
        self._known.append(key)
        value = self._left.pop(key, default)
        if value is None:
            self._note(self._name(key), "is missing; add it")
        return value

    def table(self, key: str) -> Mapping[str, object]:
        value = self._take(key, None)
        if isinstance(value, Mapping):
            return value
        if value is not None:
            self._note(self._name(key), "must be a table; write it as one")
        return {}

    def tables(self, key: str) -> list[object]:
        value = self._take(key, [])
        if isinstance(value, list):
            return value
        self._note(self._name(key), "must be an array of tables: [[pairs]]")
        return []

    def text(self, key: str, default: str | None, valid: Callable[[str], bool], wanted: str) -> str:
        value = self._take(key, default)
        if value is None or (value == "" and default == ""):  # noted already
            return ""
        if not isinstance(value, str) or not valid(value):
            self._note(self._name(key), f"{_shown(value)} is not valid; write {wanted}")
            return ""
        return value

    def optional_text(self, key: str) -> str | None:
        self._known.append(key)
        return None if key not in self._left else self.text(key, None, is_word, "the name of a variable")

    def amount(self, key: str, precision: int) -> int:
        value = self._take(key, None)
        if value is None:
            return 1
        number = read_decimal(value)
        units = None if number is None else to_units(number, precision)
        if units is None or not 0 < units <= MAX_UNITS:
            self._note(
                self._name(key),
                f"{_shown(value)} is not an amount above zero with at most {precision} decimals; "
                'write text such as "0.1"',
            )
            return 1
        return units

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        value = self._take(key, default)
        if value not in choices:
            self._note(self._name(key), f"{_shown(value)} is not valid; write one of {', '.join(choices)}")
            return default
        return str(value)

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self._take(key, default)
        if type(value) is not int or not low <= value <= high:
            if value is not None:
                self._note(
                    self._name(key), f"{_shown(value)} is not an integer from {low} to {high}; write one"
                )
            return low
        return value

    def boolean(self, key: str, *, default: bool) -> bool:
        value = self._take(key, default)
        if type(value) is not bool:
            self._note(self._name(key), f"{_shown(value)} is not a boolean; write true or false")
            return default
        return value

    def done(self) -> None:
        """Note the fields that were not read, with the one that may be meant."""
        for key in self._left:
            similar = get_close_matches(key, self._known, 1)
            meant = f": {similar[0]}?" if similar else ""
            self._note(
                self._name(key), f"is not a field of a venue file; remove it or correct its name{meant}"
            )


def _shown(value: object) -> str:
    """A bad value for a message; Python does not print integers of more than 4,300 digits."""
    try:
        text = repr(value)
    except ValueError:
        return "this number"
    return text if len(text) <= 100 else f"{text[:100]}…"
