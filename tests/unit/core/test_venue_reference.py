"""docs/venue-file.md: its tables name the fields that the parser has, with their limits, defaults and actions."""

from __future__ import annotations

import re
from dataclasses import fields as fields_of
from pathlib import Path
from typing import NamedTuple

import pytest

from indexer.intents.actions import ACTIONS
from settlement.core.venue import PairRules, TokenRules, Venue, VenueError, parse_venue
from tests.unit.core.test_venue import GOOD

TEXT = (Path(__file__).parents[3] / "docs" / "venue-file.md").read_text("utf-8")
TABLES = {"venue": Venue, "tokens": TokenRules, "pairs": PairRules}
NOT_IN_FILE = {"tokens", "pairs", "text", "symbol"}
BEFORE = {"name": "[venue]", "precision": '[tokens."PEK"]', "base": "[[pairs]]"}


class Row(NamedTuple):
    table: str
    field: str
    limits: str
    default: str
    later: str


def rows() -> list[Row]:
    found = []
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        table = re.sub(r"\W*(\w+).*", r"\1", part.splitlines()[0])
        for line in re.findall(r"^\| (`\w+` \|.*)\|$", part, re.MULTILINE):
            field, _, _, limits, default, later = [cell.strip() for cell in line.split("|")]
            found.append(Row(table, field.strip("`"), limits, default.strip("`"), later))
    return found


ROWS = rows()


def good(row: Row, value: str | None) -> str:
    """A valid file whose first table of the row's kind has this value for the field, or lacks it (None)."""
    head = {"venue": "[venue]", "tokens": '[tokens."PEK"]', "pairs": "[[pairs]]"}[row.table]
    start, _, rest = GOOD.partition(head)
    inside, split, after = re.sub(r"^\[", "\0[", rest, flags=re.MULTILINE).partition("\0")
    inside = re.sub(rf"^{row.field} = .*\n", "", inside, flags=re.MULTILINE)
    line = "" if value is None else f"\n{row.field} = {value}"
    return f"{start}{head}{line}{inside}{after.replace(chr(0), '') if split else ''}"


def mistakes(text: str) -> list[str]:
    try:
        parse_venue(text)
    except VenueError as error:
        return [mistake.field.rpartition(".")[2] for mistake in error.mistakes]
    return []


def reasons(text: str) -> str:
    try:
        parse_venue(text)
    except VenueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("table", TABLES)
def test_the_fields_are_those_of_the_parser(table: str) -> None:
    fields = {field.name for field in fields_of(TABLES[table])} - NOT_IN_FILE
    extra = {"protocol"} if table == "venue" else set()
    assert [row.field for row in ROWS if row.table == table and row.field not in fields | extra] == []
    assert fields | extra == {row.field for row in ROWS if row.table == table}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.field)
def test_a_field_is_required_or_has_the_default(row: Row) -> None:
    text = good(row, None)
    if row.default == "required":
        assert row.field in mistakes(text)
        return
    parsed = parse_venue(text)
    place = {"venue": parsed, "tokens": parsed.tokens[0], "pairs": parsed.pairs[0]}[row.table]
    value = getattr(place, row.field)
    expected = {"the operator": parsed.operator, "PEK_SYMBOL_KEY": None, "true": True}
    assert value == expected.get(row.default, int(row.default) if row.default.isdigit() else row.default)


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if re.match(r"-?\d+ to \d+(?! printable)", row.limits)],
    ids=lambda row: row.field,
)
def test_limits_of_numbers_are_inclusive(row: Row) -> None:
    found = re.match(r"(-?\d+) to (\d+)", row.limits)
    assert found
    low, high = int(found[1]), int(found[2])
    assert row.field in mistakes(good(row, str(low - 1)))
    assert row.field in mistakes(good(row, str(high + 1)))
    for value in (low, high):  # they may be invalid for another reason: decimals that do not fit together
        assert not re.search(rf"\b{row.field}: .*is not an integer", reasons(good(row, str(value))))


@pytest.mark.parametrize(
    "row", [row for row in ROWS if re.match(r"`\w+`,", row.limits)], ids=lambda row: row.field
)
def test_choices_are_all_possible_and_no_others(row: Row) -> None:
    for choice in re.findall(r"`(\w+)`", row.limits):
        assert mistakes(good(row, f'"{choice}"')) == []
    assert row.field in mistakes(good(row, '"other"'))


def test_what_the_operator_may_change_later_is_a_key_of_that_action() -> None:
    """And nothing else that an action can change is said to be fixed."""
    can_change = {
        (action, field.key)
        for action in ("updateVenue", "updatePair")
        for field in ACTIONS[action].fields
        if field.key not in ("symbol", "quote", "ref", "notAfter")
    }
    said = set()
    for row in ROWS:
        for action in re.findall(r"the operator: `(\w+)`", row.later):
            key = re.sub(r"_(\w)", lambda found: found[1].upper(), row.field)
            said.add((action, key))
    assert said == can_change
