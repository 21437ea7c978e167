"""JSON parser for untrusted on-chain text: strict RFC 8259, any depth, numbers as literal text.

The result must depend on the text alone, not on the interpreter's recursion limit, float rounding or limit
for long integers (protocol, sections 1 and 3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring_ascii
from typing import Any, Final, NoReturn, cast

from settlement.core.events import JsonNumber

# Python's `\d` and `\s` match digits and spaces of every script; JSON allows ASCII only.
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[tuple[tuple[str, object], ...]] = (("true", True), ("false", False), ("null", None))


class ChainJsonError(ValueError):
    """The text is not JSON."""


def _refuse(constant: str) -> NoReturn:
    raise ChainJsonError(f"{constant} is not JSON")


def _decoder(number: Callable[[str], object]) -> json.JSONDecoder:
    # The hooks may return any type; only their annotations say float and int.
    return json.JSONDecoder(
        parse_int=cast(Callable[[str], int], number),
        parse_float=cast(Callable[[str], float], number),
        parse_constant=_refuse,
    )


_DECODER: Final = _decoder(JsonNumber)
_scan: Final[Callable[[str, int], tuple[object, int]]] = _DECODER.scan_once  # type: ignore[attr-defined]


def loads(text: str, number: Callable[[str], object] = JsonNumber) -> object:
    """Parse one JSON text.

    Objects become dict (the last of duplicate keys wins), arrays list, numbers `number(literal text)`. Lone
    escaped surrogates stay in the str. Raises ChainJsonError for everything that RFC 8259 does not allow,
    including a byte order mark.
    """
    if number is JsonNumber:
        try:
            value, end = _scan(text, 0)
        except (RecursionError, StopIteration, json.JSONDecodeError):
            pass  # parsed again below, with an error message
        else:
            if end == len(text):  # no white space around it: the usual case, twice as fast
                return value
    try:
        value = (_DECODER if number is JsonNumber else _decoder(number)).decode(text)
    except RecursionError:
        return loads_deep(text, number)
    except json.JSONDecodeError as error:
        raise ChainJsonError(str(error)) from None
    return value


def loads_deep(text: str, number: Callable[[str], object] = JsonNumber) -> object:
    """`loads` with an explicit stack, for any depth of nesting: the same values and errors, slower."""
    open_containers: list[dict[str, object] | list[object]] = []
    open_keys: list[str] = []  # of each open object, the key whose value is being read
    position = _skip(text, 0)
    while True:
        value, position, opened = _read_opening(text, position, number)
        if opened:
            open_containers.append(value)
            if isinstance(value, dict):
                key, position = _read_key(text, position)
                open_keys.append(key)
            continue
        while open_containers:
            container = open_containers[-1]
            position = _skip(text, position)
            goes_on = text.startswith(",", position)
            if isinstance(container, list):
                container.append(value)
            else:
                container[open_keys.pop()] = value
            if goes_on:
                position = _skip(text, position + 1)
                if isinstance(container, dict):
                    key, position = _read_key(text, position)
                    open_keys.append(key)
                break
            if not text.startswith("]" if isinstance(container, list) else "}", position):
                _malformed("expecting a comma or the end of the array or object", position)
            value = open_containers.pop()
            position += 1
        else:
            if _skip(text, position) != len(text):
                _malformed("more text after the end", position)
            return value


def _read_opening(text: str, position: int, number: Callable[[str], object]) -> tuple[Any, int, bool]:
    """A scalar or an empty container; with True, a container whose content follows."""
    for opening, closing, make in (("{", "}", dict), ("[", "]", list)):
        if text.startswith(opening, position):
            position = _skip(text, position + 1)
            is_empty = text.startswith(closing, position)
            return make(), position + is_empty, not is_empty
    value, position = _read_scalar(text, position, number)
    return value, position, False


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _read_key(text: str, position: int) -> tuple[str, int]:
    """A key and its colon; returns the key and the position of its value."""
    if text[position : position + 1] != '"':
        _malformed("expecting a key in double quotes", position)
    key, position = _read_string(text, position)
    position = _skip(text, position)
    if text[position : position + 1] != ":":
        _malformed("expecting a colon", position)
    return key, _skip(text, position + 1)


def _read_string(text: str, position: int) -> tuple[str, int]:
    try:
        value, end = scanstring(text, position + 1, True)
    except json.JSONDecodeError as error:
        raise ChainJsonError(str(error)) from None
    return str(value), int(end)


def _read_scalar(text: str, position: int, number: Callable[[str], object]) -> tuple[object, int]:
    if text[position : position + 1] == '"':
        return _read_string(text, position)
    digits = _NUMBER.match(text, position)
    if digits:
        return number(digits.group()), digits.end()
    for word, value in _WORDS:
        if text.startswith(word, position):
            return value, position + len(word)
    _malformed("expecting a value", position)


def _malformed(problem: str, position: int) -> NoReturn:
    raise ChainJsonError(f"{problem}: char {position}")


def dumps(value: object) -> str:
    """The compact JSON text of a value from `loads`, of any depth: ASCII, keys in order, numbers literal.

    Raises TypeError for values that `loads` never returns.
    """
    out: list[str] = []
    todo: list[object] = [value]  # a stack of values to write; punctuation is a tuple
    while todo:
        item = todo.pop()
        write = _WRITERS.get(type(item))
        if write is not None:
            out.append(write(item))
        elif isinstance(item, tuple):
            out.append(item[0])
        elif isinstance(item, list):
            out.append("[")
            todo.append(_END_OF_ARRAY)
            for held in reversed(item):
                todo += (held, _COMMA)
            if item:
                todo.pop()
        elif isinstance(item, dict):
            out.append("{")
            todo.append(_END_OF_OBJECT)
            for key, held in reversed(item.items()):
                todo += (held, (f"{encode_basestring_ascii(key)}:",), _COMMA)
            if item:
                todo.pop()
        else:
            raise TypeError(f"not a JSON value: {type(item).__name__}")
    return "".join(out)


_COMMA: Final = (",",)
_END_OF_ARRAY: Final = ("]",)
_END_OF_OBJECT: Final = ("}",)
_WRITERS: Final[dict[type, Callable[..., str]]] = {
    str: encode_basestring_ascii,
    JsonNumber: str,
    bool: lambda flag: "true" if flag else "false",
    type(None): lambda _: "null",
}
