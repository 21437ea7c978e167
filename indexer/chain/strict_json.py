"""JSON written by strangers: strict RFC 8259, any depth, and numbers by their literal text.

Whatever a stranger signs ends up here, so that the answer may depend on nothing but the text: not on the
interpreter's recursion limit, not on a float's rounding, not on a limit for long integers (protocol,
sections 1 and 3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring_ascii
from typing import Any, Final, NoReturn, cast

from settlement.core.events import JsonNumber

# Python's `\d` and `\s` take in the digits and spaces of every script; JSON knows ASCII only.
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[tuple[tuple[str, object], ...]] = (("true", True), ("false", False), ("null", None))


class ChainJsonError(ValueError):
    """The text is not JSON."""


def _refuse(constant: str) -> NoReturn:
    raise ChainJsonError(f"{constant} is not JSON")


def _decoder(number: Callable[[str], object]) -> json.JSONDecoder:
    # The hooks may give any type; only their annotation says float and int.
    return json.JSONDecoder(
        parse_int=cast(Callable[[str], int], number),
        parse_float=cast(Callable[[str], float], number),
        parse_constant=_refuse,
    )


_DECODER: Final = _decoder(JsonNumber)
_scan: Final[Callable[[str, int], tuple[object, int]]] = _DECODER.scan_once  # type: ignore[attr-defined]


def loads(text: str, number: Callable[[str], object] = JsonNumber) -> object:
    """Read one JSON text, whole.

    Objects become dict (of keys that occur twice the last counts), arrays list, numbers what `number` makes
    of their literal text. Escaped surrogates without a partner stay as they are in the str. Raises
    ChainJsonError for everything that RFC 8259 does not allow, a byte order mark included.
    """
    if number is JsonNumber:
        try:
            value, end = _scan(text, 0)
        except (RecursionError, StopIteration, json.JSONDecodeError):
            pass  # the way below says what is wrong
        else:
            if end == len(text):  # no white space around it: nearly always, and half the time
                return value
    try:
        value = (_DECODER if number is JsonNumber else _decoder(number)).decode(text)
    except RecursionError:
        return loads_deep(text, number)
    except json.JSONDecodeError as error:
        raise ChainJsonError(str(error)) from None
    return value


def loads_deep(text: str, number: Callable[[str], object] = JsonNumber) -> object:
    """`loads` with a stack of its own: slower, for any depth of nesting. The same values, the same errors."""
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
    """A scalar or an empty container; or, with True, a container to be filled."""
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
    """A key and its colon; gives the key and where its value begins."""
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
    """The compact JSON text of what `loads` gives, of any depth: ASCII, keys in their order, numbers literal.

    Raises TypeError for values that `loads` never gives.
    """
    out: list[str] = []
    todo: list[object] = [value]  # what is still to be written, next one last; punctuation as a tuple
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
