"""/api/statement: statement of an account for a period, as JSON or as a CSV file, with cost and profit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from api.database import Snapshot
from api.http.errors import ApiError, bad_input
from api.http.paging import Cursors
from api.http.parameters import PageParameters, Rule, User, one_of
from api.http.resource import PLAIN, Resource
from api.http.shapes import Amount, Answer, Block, NextCursor, Part, Price, Text, Time, choice
from api.routes.accounts.balances import Balance, show_balance
from settlement.core.parsing.names import encode
from settlement.store.read.statement.cost_basis import METHODS, CostBasis
from settlement.store.read.statement.entries import KINDS, find_holder, open_period
from settlement.store.read.statement.formats import FORMATS, ROWS_OF_PART, csv_text
from settlement.store.read.statement.period import EXPECTED, PATTERN, blocks_between, read_end, read_start
from settlement.store.read.statement.statement import Statement, TooLong
from settlement.store.read.statement.view import show_line, show_profits

MAX_ENTRIES: Final = 20_000
"""Of a file, and of the history from which cost is computed: more would occupy a thread for seconds."""
WAIT_SECONDS: Final = 2.0
_LARGER: Final = "use `peakedex statement` on a node of your own"

_SCHEMA: Final = {"type": "string", "pattern": f"^{PATTERN}$"}
Start = Annotated[int, Rule(EXPECTED, read_start, _SCHEMA)]
End = Annotated[int, Rule(EXPECTED, read_end, _SCHEMA)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementParameters(PageParameters):
    user: User
    from_: Start | None = None
    to: End | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitParameters:
    user: User
    from_: Start | None = None
    to: End | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileParameters(ProfitParameters):
    format: Annotated[str, one_of(*FORMATS)] = "csv"


class Change(Part, kw_only=True):
    """A change of what the account holds of a token: available, locked and withdrawing together."""

    symbol: str
    amount: Annotated[Amount, Meta(description="Negative where it went out.")]
    balance: Annotated[Amount, Meta(description="Held after it.")]


class Fill(Part, kw_only=True):
    """The account's side of a trade. The fee is taken from what it received."""

    base: str
    quote: str
    role: Annotated[str, choice("taker", "maker")]
    price: Price
    amount: Amount
    quote_amount: Amount
    fee: Amount
    fee_symbol: str
    order: str


class RefundOf(Part, kw_only=True):
    """What was sent and could not be credited."""

    symbol: str
    quantity: Annotated[str, Meta(description="As on the chain.")]


class Entry(Part, kw_only=True):
    """An entry. A trade with itself has two; a refund changes no balance."""

    block: Block
    ts: Time
    type: Annotated[str, choice(*KINDS)]
    id: Annotated[str, Meta(description="Of the movement, withdrawal or refund; the number of a trade.")]
    changes: list[Change]
    fill: Fill | None
    refund: RefundOf | None
    paid_by: Annotated[str | None, Meta(description="Transaction that paid a withdrawal or refund.")]
    to: Annotated[str | None, Meta(description="Recipient of a withdrawal.")]


class StatementPage(Answer, kw_only=True):
    """Entries from the oldest on; the balances are those of the whole period."""

    user: str
    first_block: Block
    last_block: Annotated[Block, Meta(description="Smaller than `first_block` if the period is empty.")]
    opening: list[Balance]
    closing: list[Balance]
    entries: list[Entry]
    next_cursor: NextCursor


class Sales(Part, kw_only=True):
    """Sales of a pair in the period: of units whose cost is known in the quote token, and of the others."""

    base: str
    quote: str
    sold: Amount
    proceeds: Amount
    cost: Amount
    profit: Amount
    unknown_sold: Annotated[Amount, Meta(description="Sold units of unknown cost; it is not guessed.")]
    unknown_proceeds: Amount


class Held(Part, kw_only=True):
    """Units held at the end of the period, and what they cost; null where that is unknown."""

    symbol: str
    amount: Amount
    quote: str | None
    cost: Amount | None
    average_cost: Annotated[Amount | None, Meta(description="Of one token, rounded to 12 decimals.")]


class Profit(Part, kw_only=True):
    method: Annotated[str, choice(*METHODS)]
    sales: list[Sales]
    held: list[Held]


class Profits(Answer, kw_only=True):
    user: str
    first_block: Block
    last_block: Block
    profits: list[Profit]


def _open(snapshot: Snapshot, user: str, start: int | None, end: int | None) -> Statement:
    if start is not None and end is not None and start >= end:
        raise bad_input("from is after to: the period is empty.")
    connection = snapshot.connection
    blocks = blocks_between(connection, snapshot.at, start, end)
    return Statement(
        connection, find_holder(connection, encode(user)), open_period(connection, blocks), snapshot.at.block
    )


def _view(snapshot: Snapshot, params: StatementParameters) -> StatementPage:
    cursors = Cursors("statement", params.user, params.from_, params.to)
    found = _open(snapshot, params.user, params.from_, params.to)
    lines = found.lines(cursors.read(params.cursor) or 0, rows=params.limit + 1)
    page = list(islice(lines, params.limit + 1))
    following = page[params.limit].place if len(page) > params.limit else None
    return StatementPage(
        *snapshot.stamp,
        user=params.user,
        first_block=found.period.blocks.first,
        last_block=found.period.blocks.last,
        opening=[show_balance(row) for row in found.opening],
        closing=[show_balance(row) for row in found.closing],
        entries=[msgspec.convert(show_line(line), Entry) for line in page[: params.limit]],
        next_cursor=cursors.write(following),
    )


_expensive = threading.BoundedSemaphore()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Admits one expensive request at a time in a process, so that the other threads go on answering.

    Raises ApiError (503) after `WAIT_SECONDS`.
    """
    if not _expensive.acquire(timeout=WAIT_SECONDS):
        raise ApiError("E_BUSY", "Another statement is being computed. Try again in a moment.")
    try:
        yield
    finally:
        _expensive.release()


def _cost_bases(found: Statement, user: str) -> tuple[CostBasis, ...]:
    try:
        return found.cost_bases(MAX_ENTRIES)
    except TooLong as error:
        raise bad_input(
            f"user {user} has more than {MAX_ENTRIES} entries before this period: {_LARGER}."
        ) from error


def _profit(snapshot: Snapshot, params: ProfitParameters) -> Profits:
    found = _open(snapshot, params.user, params.from_, params.to)
    with one_at_a_time():
        bases = _cost_bases(found, params.user)
        for number, _ in enumerate(found.lines(bases=bases), start=1):
            _check_length(number)
    return Profits(
        *snapshot.stamp,
        user=params.user,
        first_block=found.period.blocks.first,
        last_block=found.period.blocks.last,
        profits=msgspec.convert(show_profits(found, bases), list[Profit]),
    )


def _file(snapshot: Snapshot, params: FileParameters) -> Text:
    found = _open(snapshot, params.user, params.from_, params.to)
    bases: tuple[CostBasis, ...] = ()
    parts = []
    with one_at_a_time():
        if FORMATS[params.format].is_whole:
            bases = _cost_bases(found, params.user)
        for number, part in enumerate(csv_text(found, params.format, bases)):
            _check_length(number * ROWS_OF_PART // 2)  # an entry has at most two rows
            parts.append(part)
    name = f"peakedex-{params.user}-{params.format}.csv"
    return Text("".join(parts), {"Content-Disposition": f'attachment; filename="{name}"'})


def _check_length(entries: int) -> None:
    if entries > MAX_ENTRIES:
        raise bad_input(
            f"the period has more than {MAX_ENTRIES} entries: choose a shorter one, or {_LARGER}."
        )


resource = Resource(
    "/api/statement",
    StatementParameters,
    StatementPage,
    "Everything that changed an account's balances in a period, oldest first.",
    _view,
    group="Account",
)
profit_resource = Resource(
    "/api/statement/profit",
    ProfitParameters,
    Profits,
    "Realised profit of a period, and cost of what is held, by FIFO and by average cost.",
    _profit,
    group="Account",
)
file_resource = Resource(
    "/api/statement/file",
    FileParameters,
    Text,
    "The statement as a CSV file, also for Koinly and CoinTracking.",
    _file,
    headers={"Content-Disposition": "The name of the file."},
    group="Account",
    media=PLAIN,
)
