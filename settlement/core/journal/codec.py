"""Line codec: NamedTuples to lines of text and back, for the journal and the state (protocol, section 11).

A line is a kind and its fields, separated by one space; an absent field is `-`. A kind is one NamedTuple
whose fields are `int`, `str` (a word, or percent-encoded text), or either of them or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, get_type_hints

L = TypeVar("L", bound=tuple[Any, ...])

ABSENT = "-"


class LineError(ValueError):
    """A line that no journal or state text has."""


def _optional_int(word: str) -> int | None:
    return None if word == ABSENT else int(word)


def _optional_str(word: str) -> str | None:
    return None if word == ABSENT else word


_CONVERTERS: dict[Any, Callable[[str], Any]] = {
    int: int,
    int | None: _optional_int,
    str | None: _optional_str,
}


def _encoder(word: str, hints: list[Any]) -> Callable[[Any], str]:
    """The function that writes lines of a kind: one f-string, made from the types of its fields.

    It takes half the time of formatting field by field, and every order writes three lines.
    """
    fields = [
        f"{{line[{n}]}}" if hint in (int, str) else f"{{'{ABSENT}' if line[{n}] is None else line[{n}]}}"
        for n, hint in enumerate(hints)
    ]
    encoder: Callable[[Any], str] = eval(f'lambda line: f"{" ".join([word, *fields])}\\n"')
    return encoder


class LineCodec(Generic[L]):
    """Encodes and parses the lines of one kind of text. `kinds` maps the first word of a line to its type."""

    def __init__(self, kinds: dict[str, type[L]]) -> None:
        self.kinds = kinds
        self.encoders: dict[type[L], Callable[[L], str]] = {}
        # Number of words in the line, and converters of those words that are not taken as they are.
        self._parsers: dict[str, tuple[type[L], int, list[tuple[int, Callable[[str], Any]]]]] = {}
        for word, kind in kinds.items():
            hints = list(get_type_hints(kind).values())
            self.encoders[kind] = _encoder(word, hints)
            converters = [(n, _CONVERTERS[hint]) for n, hint in enumerate(hints, 1) if hint is not str]
            self._parsers[word] = (kind, 1 + len(hints), converters)

    def encode(self, line: L) -> str:
        """The line's text with its LF."""
        return self.encoders[type(line)](line)

    def parse(self, text: str) -> L:
        """The line of that text, without LF. Raises LineError."""
        words: list[Any] = text.split(" ")
        parser = self._parsers.get(words[0])
        if parser is None:
            raise LineError(f"unknown kind of line: {text[:80]!r}")
        kind, length, converters = parser
        if len(words) != length:
            raise LineError(f"{words[0]} has {length - 1} fields: {text[:80]!r}")
        try:
            for n, convert in converters:
                words[n] = convert(words[n])
        except ValueError as error:
            raise LineError(f"{error}: {text[:80]!r}") from None
        del words[0]
        return tuple.__new__(kind, words)  # half the time of `kind(*words)`


def fields_of(kind: type[tuple[Any, ...]]) -> dict[str, str]:
    """Field names of a kind with their documentation, out of its docstring's `name: text` lines."""
    documented = {}
    for line in (kind.__doc__ or "").split("\n"):
        name, colon, text = line.strip().partition(": ")
        if colon and name in get_type_hints(kind):
            documented[name] = text
    return documented
