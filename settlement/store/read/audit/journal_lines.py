"""The recorded journal, read back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, select

from settlement.store import schema


class JournalBlock(NamedTuple):
    """One block's part of the journal: its lines, each with its LF, and the journal hash after it."""

    number: int
    journal_hash: str
    lines: str


def read_journal(connection: Connection, first: int = 1, last: int | None = None) -> Iterator[JournalBlock]:
    """The blocks of `first … last` in which anything happened, in order, read as a stream."""
    number = schema.blocks.c.number
    query = (
        select(number, schema.blocks.c.journal_hash, schema.journal.c.lines)
        .join_from(schema.blocks, schema.journal, number == schema.journal.c.block)
        .where(number >= first)
        .order_by(number)
    )
    if last is not None:
        query = query.where(number <= last)
    for row in connection.execute(query.execution_options(yield_per=200)):
        yield JournalBlock(*row)
