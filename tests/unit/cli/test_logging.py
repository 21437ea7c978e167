"""JSON log lines."""

from __future__ import annotations

import json
import logging
import sys

from indexer.cli.support.common import JsonLines


def record(message: str, *values: object, **fields: object) -> logging.LogRecord:
    logger = logging.getLogger("peakedex.test")
    made = logger.makeRecord(logger.name, logging.WARNING, __file__, 1, message, values, None, extra=fields)
    made.created = 1_790_000_000.25
    return made


def test_a_record_is_one_object_with_its_fields() -> None:
    line = JsonLines().format(record("block %s\nand é", 7, request="abc", ms=1.5))
    assert "\n" not in line
    assert json.loads(line) == {
        "ts": "2026-09-21T14:13:20.250+00:00",
        "level": "warning",
        "logger": "peakedex.test",
        "message": "block 7\nand é",
        "request": "abc",
        "ms": 1.5,
    }


def test_a_traceback_stays_on_the_line() -> None:
    made = record("it broke", odd=object())
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        made.exc_info = sys.exc_info()
    line = JsonLines().format(made)
    assert "\n" not in line
    assert json.loads(line)["error"].endswith("ZeroDivisionError: by zero")
