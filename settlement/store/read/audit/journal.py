"""The stored journal: whole, a range of blocks, or the lines about one order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.store import schema
from settlement.store.read.position import read_active_block


class JournalBlock(NamedTuple):
    """One block's part of the journal."""

    number: int
    journal_hash: str  # after the block
    lines: str  # each ends with LF


class OrderLine(NamedTuple):
    """A journal line about an order or stop."""

    block: int
    text: str  # without LF


# Fields of a line that can hold an order id. Other fields can hold text chosen by users.
_ID_FIELDS: Final[Mapping[str, tuple[int, ...]]] = {
    **dict.fromkeys(("accept", "reject", "order", "stop", "trigger", "close", "expire", "withdraw"), (1,)),
    "trade": (2, 3),
}
_b, _j = schema.blocks.c, schema.journal.c
_BLOCKS = (
    select(_b.number, _b.journal_hash, _j.lines)
    .join_from(schema.blocks, schema.journal, _j.block == _b.number)
    .where(_b.number >= bindparam("first"))
    .order_by(_b.number)
)
_UP_TO_LAST = _BLOCKS.where(_b.number <= bindparam("last"))
_RANGE = _UP_TO_LAST.limit(bindparam("rows"))
_LINES = (
    select(_j.block, _j.lines).where(_j.block.in_(bindparam("blocks", expanding=True))).order_by(_j.block)
)
_VENUE_HASH = select(schema.cursor.c.venue_hash)


def read_journal(connection: Connection, first: int = 1, last: int | None = None) -> Iterator[JournalBlock]:
    """Stream the blocks with journal lines from `first` to `last`, in order."""
    query = _BLOCKS if last is None else _UP_TO_LAST
    values = {"first": first} if last is None else {"first": first, "last": last}
    for row in connection.execute(query.execution_options(yield_per=200), values):
        yield JournalBlock(*row)


def read_range(
    connection: Connection, first: int, last: int, max_blocks: int, max_chars: int
) -> list[JournalBlock]:
    """The blocks with journal lines from `first` to `last`, in order.

    At most `max_blocks`; the block with which the lines reach `max_chars` is the last one.
    """
    blocks, chars = [], 0
    values = {"first": first, "last": last, "rows": max_blocks}
    with connection.execution_options(yield_per=100).execute(_RANGE, values) as rows:
        for row in rows:
            blocks.append(JournalBlock(*row))
            chars += len(row.lines)
            if chars >= max_chars:
                break
    return blocks


def hash_before(connection: Connection, number: int) -> str:
    """The journal hash before a block: the venue's hash before the first active block."""
    block = read_active_block(connection, number - 1)
    return str(connection.execute(_VENUE_HASH).scalar_one()) if block is None else block.journal_hash


def read_order_lines(connection: Connection, order_id: str, blocks: Collection[int]) -> list[OrderLine]:
    """The lines about an order or stop in the given blocks: placement, firing, trades, close, withdrawals,
    rejection.
    """
    return [
        OrderLine(row.block, line)
        for row in connection.execute(_LINES, {"blocks": sorted(set(blocks))})
        if order_id in row.lines
        for line in row.lines.splitlines()
        if _is_about(line, order_id)
    ]


def _is_about(line: str, order_id: str) -> bool:
    fields = line.split(" ")
    if fields[0] == "reject" and fields[1] == f"{order_id}~stop":  # what its protective stop fired
        return True
    return any(fields[at].split("#", maxsplit=1)[0] == order_id for at in _ID_FIELDS.get(fields[0], ()))
