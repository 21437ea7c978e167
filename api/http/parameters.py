"""Request parameters, declared as dataclasses whose fields carry validation rules.

The same declaration parses a request and describes it in OpenAPI.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from typing import Annotated, Any, Final, get_type_hints

from werkzeug.datastructures import MultiDict

from api.http.errors import bad_input
from settlement.core.parsing.names import (
    ACCOUNT_PATTERN,
    MAX_ACCOUNT_LENGTH,
    MIN_ACCOUNT_LENGTH,
    is_account,
    is_ref,
    is_symbol,
)
from settlement.core.venue import MAX_BLOCK

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 100
MAX_YEAR: Final = 9999
_MAX_LENGTH: Final = 128
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INTEGER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_ORDER_ID: Final = re.compile(_ID.pattern + "(~stop)?")
_CURSOR: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Validation of one parameter."""

    expected: str  # completes "must be …"
    read: Callable[[str], object]  # the parsed value; None for invalid text
    schema: Mapping[str, object]  # the same as JSON Schema
    max_length: int = _MAX_LENGTH


def _text(expected: str, valid: Callable[[str], object], **schema: object) -> Rule:
    return Rule(expected, lambda text: text if valid(text) else None, {"type": "string", **schema})


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and date.fromisoformat(text).year < MAX_YEAR
    except ValueError:
        return False


def whole_number(low: int, high: int) -> Rule:
    """An integer from `low` to `high`, in decimal digits."""

    def read(text: str) -> int | None:
        number = int(text) if _INTEGER.fullmatch(text) else -1
        return number if low <= number <= high else None

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Rule(f"a whole number from {low} to {high}", read, schema)


def one_of(*choices: str) -> Rule:
    return _text(f"one of {', '.join(choices)}", choices.__contains__, enum=list(choices))


Symbol = Annotated[
    str,
    _text(
        "the symbol of a token, like PEK or SWAP.HIVE",
        is_symbol,
        pattern=r"^[A-Z]{1,10}(\.[A-Z]{1,10})?$",
    ),
]
User = Annotated[
    str,
    _text(
        "the name of a Hive account, like alice",
        is_account,
        pattern=f"^{ACCOUNT_PATTERN}$",
        minLength=MIN_ACCOUNT_LENGTH,
        maxLength=MAX_ACCOUNT_LENGTH,
    ),
]
Id = Annotated[
    str,
    _text("the id of a transaction or of one of its intents", _ID.fullmatch, pattern=f"^{_ID.pattern}$"),
]
OrderId = Annotated[
    str,
    _text("the id of an order or stop", _ORDER_ID.fullmatch, pattern=f"^{_ORDER_ID.pattern}$"),
]
Ref = Annotated[
    str,
    _text("a client reference, like my-1", is_ref, pattern="^[A-Za-z0-9_.-]{1,32}$"),
]
Limit = Annotated[int, whole_number(1, MAX_LIMIT)]
CursorText = Annotated[
    str, _text("the next_cursor of an earlier response", _CURSOR.fullmatch, pattern=f"^{_CURSOR.pattern}$")
]
BlockNumber = Annotated[int, whole_number(0, MAX_BLOCK)]
Day = Annotated[
    str,
    _text("a day like 2026-01-31, in UTC", _is_day, pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", format="date"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoParameters:
    """For endpoints without parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParameters:
    """Parameters of every list."""

    limit: Limit = DEFAULT_LIMIT
    cursor: CursorText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairParameters:
    """Parameters of every endpoint about one pair."""

    base: Symbol
    quote: Symbol


class ParameterReader:
    """Parses the parameters that a dataclass declares. Created once for each endpoint."""

    def __init__(self, declaration: type[Any]) -> None:
        hints = get_type_hints(declaration, include_extras=True)
        self._declaration = declaration
        self.defaults = {_parameter_name(field.name): field.default for field in fields(declaration)}
        self.rules: Mapping[str, Rule] = {
            _parameter_name(field.name): _rule_of(hints[field.name]) for field in fields(declaration)
        }
        self.required = frozenset(name for name, default in self.defaults.items() if default is MISSING)
        self._fields = {_parameter_name(field.name): field.name for field in fields(declaration)}

    def read(self, path_values: Mapping[str, str], query: MultiDict[str, str]) -> Any:
        """The parameters of one request. Raises ApiError (400) with the name, the reason and the cure."""
        values = {name: self._value(name, text) for name, text in path_values.items()}
        for name, texts in query.lists():
            if name not in self.rules or name in path_values:
                raise bad_input(
                    f"{_printable(name)} is not a parameter of this address. {self._known(path_values)}"
                )
            if len(texts) != 1:
                raise bad_input(f"{name} is given {len(texts)} times: give it once.")
            values[name] = self._value(name, texts[0])
        for name in self.rules:
            if name in self.required and name not in values:
                raise bad_input(f"{name} is missing: give {self.rules[name].expected}.")
        return self._declaration(**{self._fields[name]: value for name, value in values.items()})

    def _value(self, name: str, text: str) -> object:
        rule = self.rules[name]
        value = rule.read(text) if len(text) <= rule.max_length else None
        if value is None:
            raise bad_input(f"{name} must be {rule.expected}.")
        return value

    def _known(self, path_values: Mapping[str, str]) -> str:
        names = [name for name in self.rules if name not in path_values]
        return f"It takes {', '.join(names)}." if names else "It takes none."


def _rule_of(hint: Any) -> Rule:
    """The rule in `Annotated[str, rule]` or `Annotated[str, rule] | None`."""
    candidates = (hint, *getattr(hint, "__args__", ()))
    return next(
        rule for part in candidates for rule in getattr(part, "__metadata__", ()) if isinstance(rule, Rule)
    )


def _parameter_name(field: str) -> str:
    """The parameter of a field: `from_` is the parameter `from`, a reserved word in Python."""
    return field.rstrip("_")


def _printable(name: str) -> str:
    """Untrusted text for an error message: ASCII and at most 40 characters."""
    return ascii(name if len(name) <= 40 else f"{name[:40]}…")
