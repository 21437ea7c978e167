"""`peakedex statement`: statement of an account as CSV, for tax programs, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from indexer import settings as config
from indexer.cli.support.common import check_account, require_db
from indexer.cli.support.errors import CheckFailed
from indexer.cli.support.output import open_output, out_option
from indexer.cli.support.past_block import newest_block
from settlement.core.parsing.names import decode, encode
from settlement.store.database import open_reader
from settlement.store.read.statement.entries import find_holder, open_period
from settlement.store.read.statement.formats import FORMATS, csv_text
from settlement.store.read.statement.period import EXPECTED, blocks_between, read_end, read_start
from settlement.store.read.statement.statement import Statement, StatementError
from settlement.store.read.statement.view import (
    show_balances,
    show_blocks,
    show_line_with_profit,
    show_profits,
)

JSON = "json"


def _moment(read: Callable[[str], int | None]) -> Callable[..., int | None]:
    def parse(_context: object, _option: object, text: str | None) -> int | None:
        moment = None if text is None else read(text)
        if text is not None and moment is None:
            raise click.BadParameter(f"must be {EXPECTED}")
        return moment

    return parse


@click.command()
@click.argument("account", callback=check_account)
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, JSON]),
    default="csv",
    show_default=True,
    help="Our own CSV, the CSV that Koinly or CoinTracking imports, or JSON.",
)
@click.option(
    "--from",
    "start",
    callback=_moment(read_start),
    metavar="DAY",
    help="First day (UTC), or a time; everything by default.",
)
@click.option(
    "--to",
    "end",
    callback=_moment(read_end),
    metavar="DAY",
    help="Last day (UTC), included; or the time before which it ends.",
)
@out_option
@config.setting("db")
def statement(
    account: str, form: str, start: int | None, end: int | None, out: Path | None, db: str | None
) -> None:
    """Print the statement of an account: every deposit, withdrawal, trade, fee and refund, in order.

    With opening and closing balances that add up exactly, and cost and profit by FIFO and by average cost.
    The cost of deposits is unknown; it is never guessed. The indexer can run meanwhile.

    Example: peakedex statement alice --db peakedex.db --from 2026-01-01 --to 2026-12-31 --out alice.csv
    """
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--from is after --to: the period is empty")
    with open_reader(require_db(db)).connect() as connection:
        at = newest_block(connection)
        period = open_period(connection, blocks_between(connection, at, start, end))
        found = Statement(connection, find_holder(connection, encode(account)), period, at.block)
        text = _json_text(found) if form == JSON else csv_text(found, form, found.cost_bases())
        try:
            with open_output(out) as file:
                for part in text:
                    file.write(part.encode())
        except StatementError as error:
            raise CheckFailed(error) from error


def _json_text(found: Statement) -> Iterator[str]:
    """One JSON object with a line for each entry."""
    bases = found.cost_bases()
    head = {
        "user": decode(found.holder.name),
        **show_blocks(found.period),
        "opening": show_balances(found.opening),
    }
    yield f'{json.dumps(head)[:-1]}, "entries": ['
    separator = "\n"
    for line in found.lines(bases=bases):
        yield separator + json.dumps(show_line_with_profit(line))
        separator = ",\n"
    tail = {"closing": show_balances(found.closing), "profits": show_profits(found, bases)}
    yield f"\n], {json.dumps(tail)[1:]}\n"
