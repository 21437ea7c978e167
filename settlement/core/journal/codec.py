"""Line codec: NamedTuples to lines of text and back, for the journal and the state (protocol, section 11).

A line is a kind and its fields, separated by one space; an absent field is `-`. A kind is one NamedTuple
whose fields are `int`, `str` (a word, or percent-encoded text), or either of them or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast, get_type_hints

P = ParamSpec("P")
L = TypeVar("L", bound=tuple[Any, ...])

ABSENT = "-"


class LineError(ValueError):
    """A line that no journal or state text has."""


_CONVERTERS: dict[Any, str] = {
    int: "int({0})",
    str: "{0}",
    int | None: f"None if {{0}} == '{ABSENT}' else int({{0}})",
    str | None: f"None if {{0}} == '{ABSENT}' else {{0}}",
}
"""Expressions of a field's value, by its type; `{0}` stands for its word."""


def _parse_function(kind: type[L], hints: dict[str, Any]) -> Callable[[list[str]], L]:
    """The function from the words of a line to the line: one tuple, made from the types of the fields.

    It takes a sixth less time than converting word by word.
    """
    fields = [_CONVERTERS[hint].format(f"words[{n}]") for n, hint in enumerate(hints.values(), 1)]
    names = {"new": tuple.__new__, "kind": kind}  # half the time of `kind(…)`
    parse: Callable[[list[str]], L] = eval(f"lambda words: new(kind, ({', '.join(fields)},))", names)
    return parse


def _text_function(word: str, hints: dict[str, Any]) -> Callable[..., str]:
    """The function from the fields of a kind to the text of its line: one f-string.

    It takes half the time of formatting field by field, and every order writes three lines.
    """
    fields = [
        f"{{{name}}}" if hint in (int, str) else f"{{'{ABSENT}' if {name} is None else {name}}}"
        for name, hint in hints.items()
    ]
    text: Callable[..., str] = eval(f'lambda {", ".join(hints)}: f"{" ".join([word, *fields])}\\n"')
    return text


class LineCodec(Generic[L]):
    """Encodes and parses the lines of one kind of text. `kinds` maps the first word of a line to its type."""

    def __init__(self, kinds: dict[str, type[L]]) -> None:
        self.kinds = kinds
        self._texts: dict[type[L], Callable[..., str]] = {}
        self._parsers: dict[str, tuple[int, Callable[[list[str]], L]]] = {}  # with the number of words
        for word, kind in kinds.items():
            hints = get_type_hints(kind)
            self._texts[kind] = _text_function(word, hints)
            self._parsers[word] = (1 + len(hints), _parse_function(kind, hints))

    def encode(self, line: L) -> str:
        """The line's text with its LF."""
        return self._texts[type(line)](*line)

    def writer(self, kind: Callable[P, L]) -> Callable[P, str]:
        """The text of a line of a kind out of its fields, without a line object: a third of the time."""
        text: Callable[P, str] = self._texts[cast(Any, kind)]
        return text

    def parse(self, text: str) -> L:
        """The line of that text, without LF. Raises LineError."""
        words = text.split(" ")
        parser = self._parsers.get(words[0])
        if parser is None:
            raise LineError(f"unknown kind of line: {text[:80]!r}")
        length, parse = parser
        if len(words) != length:
            raise LineError(f"{words[0]} has {length - 1} fields: {text[:80]!r}")
        try:
            return parse(words)
        except ValueError as error:
            raise LineError(f"{error}: {text[:80]!r}") from None
