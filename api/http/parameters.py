"""Parameters of a request: declared once as a dataclass, each with the rule that its text must follow.

The same declaration reads a request and can be written out as a schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from typing import Annotated, Any, Final, get_type_hints

from werkzeug.datastructures import MultiDict

from api.http.errors import bad_input
from settlement.core.parsing.names import is_account, is_ref, is_symbol

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 100
MAX_BLOCK: Final = 2**32 - 1  # as many as fit into the first 4 bytes of a block's id
MAX_YEAR: Final = 9999
_LONGEST: Final = 128
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INTEGER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_CURSOR: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """How one parameter is read. `read` gives None for text that does not follow the rule.

    `schema` says the same for machines. `wanted` completes "must be …"."""

    wanted: str
    read: Callable[[str], object]
    schema: Mapping[str, object]
    longest: int = _LONGEST


def _text(wanted: str, valid: Callable[[str], object], **schema: object) -> Rule:
    return Rule(wanted, lambda text: text if valid(text) else None, {"type": "string", **schema})


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and date.fromisoformat(text).year < MAX_YEAR
    except ValueError:
        return False


def whole_number(low: int, high: int) -> Rule:
    """A whole number of `low … high`, in plain digits."""

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
        pattern="^[a-z][a-z0-9.-]{1,14}[a-z0-9]$",  # as far as machines need it
    ),
]
Id = Annotated[
    str,
    _text("the id of a transaction or of one of its intents", _ID.fullmatch, pattern=f"^{_ID.pattern}$"),
]
Ref = Annotated[
    str,
    _text("a reference that a trader gave, like my-1", is_ref, pattern="^[A-Za-z0-9_.-]{1,32}$"),
]
Limit = Annotated[int, whole_number(1, MAX_LIMIT)]
CursorText = Annotated[
    str, _text("the next_cursor of an earlier answer", _CURSOR.fullmatch, pattern=f"^{_CURSOR.pattern}$")
]
BlockNumber = Annotated[int, whole_number(0, MAX_BLOCK)]
Day = Annotated[
    str,
    _text("a day like 2026-01-31, in UTC", _is_day, pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", format="date"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoParameters:
    """A path that takes none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParameters:
    """What every list takes."""

    limit: Limit = DEFAULT_LIMIT
    cursor: CursorText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairParameters:
    """What everything about one pair takes."""

    base: Symbol
    quote: Symbol


class Reader:
    """Reads the parameters that a dataclass declares. Built once for each path."""

    def __init__(self, declaration: type[Any]) -> None:
        hints = get_type_hints(declaration, include_extras=True)
        self._declaration = declaration
        self.defaults = {_shown_name(field.name): field.default for field in fields(declaration)}
        self.rules: Mapping[str, Rule] = {
            _shown_name(field.name): _rule_of(hints[field.name]) for field in fields(declaration)
        }
        self.required = frozenset(name for name, default in self.defaults.items() if default is MISSING)
        self._fields = {_shown_name(field.name): field.name for field in fields(declaration)}

    def read(self, in_path: Mapping[str, str], query: MultiDict[str, str]) -> Any:
        """The parameters of one request. Raises ApiError (400) with the name, the reason and the cure."""
        values = {name: self._value(name, text) for name, text in in_path.items()}
        for name, texts in query.lists():
            if name not in self.rules or name in in_path:
                raise bad_input(f"{_shown(name)} is not a parameter here. {self._known(in_path)}")
            if len(texts) != 1:
                raise bad_input(f"{name} is given {len(texts)} times: give it once.")
            values[name] = self._value(name, texts[0])
        for name in self.rules:
            if name in self.required and name not in values:
                raise bad_input(f"{name} is missing: give {self.rules[name].wanted}.")
        return self._declaration(**{self._fields[name]: value for name, value in values.items()})

    def _value(self, name: str, text: str) -> object:
        rule = self.rules[name]
        value = rule.read(text) if len(text) <= rule.longest else None
        if value is None:
            raise bad_input(f"{name} must be {rule.wanted}.")
        return value

    def _known(self, in_path: Mapping[str, str]) -> str:
        names = [name for name in self.rules if name not in in_path]
        return f"Known ones: {', '.join(names)}." if names else "This address takes none."


def _rule_of(hint: Any) -> Rule:
    """The rule in `Annotated[str, rule]`, also where the whole may be None."""
    candidates = (hint, *getattr(hint, "__args__", ()))
    return next(
        rule for part in candidates for rule in getattr(part, "__metadata__", ()) if isinstance(rule, Rule)
    )


def _shown_name(field: str) -> str:
    """The parameter of a field: `from_` reads `from`, which Python keeps for itself."""
    return field.rstrip("_")


def _shown(name: str) -> str:
    """A stranger's text in a sentence: printable and short."""
    return ascii(name if len(name) <= 40 else f"{name[:40]}…")
