"""`peakedex replay`: rebuild the state from recorded blocks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import click

from indexer import settings as config
from indexer.cli.support.common import json_option, require_venue, show, tune_gc
from indexer.cli.support.errors import ConfigurationError
from indexer.follow.loop import BATCH_BLOCKS, Follower, Progress
from indexer.sources.archive import ArchiveSource
from settlement.core.accounts import ESCROW, Account
from settlement.core.journal.state_text import state_hash
from settlement.store.database import closing_writer
from settlement.store.lease import Lease
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes

_IN_MEMORY = "sqlite://"


@click.command()
@config.setting("venue")
@click.option(
    "--archive",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of blocks*.jsonl and receipts*.jsonl, plain, .gz or .zst.",
)
@click.option("--until", type=click.IntRange(1), help="Stop after this block.")
@config.setting("db")
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=BATCH_BLOCKS,
    show_default=True,
    help="The most blocks in one transaction.",
)
@json_option
def replay(
    venue: Path | None, archive: Path, until: int | None, db: str | None, batch: int, as_json: bool
) -> None:
    """Rebuild the state from recorded blocks, in memory or into a database, which is continued.

    Example: peakedex replay --venue venues/example.toml --archive recorded --db replayed.db
    """
    rules_venue = require_venue(venue)
    with closing_writer(db or _IN_MEMORY) as engine, Lease(engine) if db else nullcontext() as lease:
        rules, recorder = load_or_initialise(engine, rules_venue)
        _check_until(until, rules.next_block() - 1)
        trades_before = rules.state.last_trade
        source = ArchiveSource(archive, rules.venue_filter)
        tune_gc()
        started = time.perf_counter()
        with _progress_bar(until, rules.next_block(), as_json) as bar:
            on_commit = _committed(bar, rules.next_block() - 1, lease)
            progress = Follower(rules, recorder, source, batch_blocks=batch, on_commit=on_commit).run(until)
        seconds = time.perf_counter() - started
        make_read_indexes(engine)
    state = rules.state
    if source.candidates_without_receipts:
        click.echo(
            f"note: {source.candidates_without_receipts} blocks name an escrow account, and the archive has "
            "no receipts for them: nothing was credited there",
            err=True,
        )
    show(
        {
            "last_block": rules.next_block() - 1,
            "block_id": state.header.block_id if state.header else None,
            "blocks": progress.blocks,
            "intents": progress.intents,
            "rejected": progress.rejected,
            "trades": state.last_trade - trades_before,
            "open_orders": len(state.orders),
            "accounts": sum(map(_holds_something, state.accounts.values())),
            "seconds": round(seconds, 3),
            "blocks_per_second": round(progress.blocks / seconds),
            "intents_per_second": round(progress.intents / seconds),
            "journal_hash": state.journal_hash,
            "state_hash": state_hash(state),
        },
        as_json=as_json,
    )


def _check_until(until: int | None, last: int) -> None:
    if until is not None and until < last:
        raise ConfigurationError(
            f"--until {until}: the database stands at block {last} already; name another with --db"
        )


def _holds_something(account: Account) -> bool:
    return any(any(balance.buckets[:ESCROW]) for balance in account.balances.values())


def _progress_bar(until: int | None, first: int, as_json: bool) -> AbstractContextManager[Any]:
    """A bar on a terminal; an archive's end is not known beforehand, so without --until it only counts."""
    if as_json or not sys.stderr.isatty():
        return nullcontext()
    blocks = range(first, until + 1) if until is not None else None
    if blocks is None:
        return click.progressbar(count(), label="blocks", file=sys.stderr, show_pos=True)
    return click.progressbar(blocks, label="blocks", file=sys.stderr, show_pos=True)


def _committed(bar: Any, last: int, lease: Lease | None) -> Callable[[Progress], None]:
    def committed(progress: Progress) -> None:
        nonlocal last
        if lease is not None:
            lease.check()
        if bar is not None:
            bar.update(progress.last_block - last)
            last = progress.last_block

    return committed
