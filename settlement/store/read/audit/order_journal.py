"""Lines of the journal that speak of one order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.store import schema


class JournalLine(NamedTuple):
    block: int
    text: str


# Where in a line the id of an order can stand. Elsewhere it could be a stranger's text.
_ID_FIELDS: Final[Mapping[str, tuple[int, ...]]] = {
    "expire": (1,),
    "order": (1,),
    "trade": (2, 3),
    "close": (1,),
    "withdraw": (1,),
    "reject": (1,),
}
_j = schema.journal.c
_JOURNAL = (
    select(_j.block, _j.lines).where(_j.block.in_(bindparam("blocks", expanding=True))).order_by(_j.block)
)


def read_order_lines(connection: Connection, order_id: str, blocks: Collection[int]) -> list[JournalLine]:
    """The lines about an order in those blocks: as it was placed, traded, closed, settled or rejected."""
    return [
        JournalLine(block, line)
        for block, text in connection.execute(_JOURNAL, {"blocks": sorted(set(blocks))})
        if order_id in text
        for line in text.splitlines()
        if _speaks_of(line, order_id)
    ]


def _speaks_of(line: str, order_id: str) -> bool:
    fields = line.split(" ")
    return any(fields[place].split("#", maxsplit=1)[0] == order_id for place in _ID_FIELDS.get(fields[0], ()))
