"""`peakedex replay`: rebuilds the state from an archive."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path

import click

from indexer import settings as config
from indexer.cli.support.archives import open_archive, open_evidence
from indexer.cli.support.common import json_option, require_venue, show
from indexer.cli.support.errors import ConfigurationError
from indexer.cli.support.progress import BlockProgress
from indexer.follow.batch_writer import BatchWriter
from indexer.follow.loop import BATCH_BLOCKS, Follower, Progress
from indexer.follow.memory import tune_gc
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
    help="Folder with recorded blocks, or of `peakedex fetch`.",
)
@click.option("--until", type=config.BLOCK_NUMBER, help="Stop after this block.")
@config.setting("db")
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=BATCH_BLOCKS,
    show_default=True,
    help="Maximum blocks in one transaction.",
)
@json_option
def replay(
    venue: Path | None, archive: Path, until: int | None, db: str | None, batch: int, as_json: bool
) -> None:
    """Rebuild the state from an archive.

    It is rebuilt in memory, or in a database, which is created or continued.

    Example: peakedex replay --venue venues/example.toml --archive recorded --db replayed.db
    """
    rules_venue = require_venue(venue)
    url = db or _IN_MEMORY
    with closing_writer(url) as engine, Lease(engine) if db else nullcontext() as lease:
        rules, projector = load_or_initialise(engine, rules_venue)
        _check_until(until, rules.next_block() - 1)
        trades_before = rules.state.last_trade
        evidence = open_evidence(archive, rules_venue.hash)
        source = open_archive(archive, evidence, rules.venue_filter)
        tune_gc()
        started = time.perf_counter()

        def taken(progress: Progress) -> None:
            if lease is not None:
                lease.check()
            bar.reached(progress.last_block, until)

        with (
            BlockProgress(rules.next_block() - 1, quiet=as_json) as bar,
            BatchWriter(engine, url, projector) as writer,
        ):
            follower = Follower(rules, writer, source, batch_blocks=batch, on_batch=taken)
            del projector  # the writer drops it once another process writes
            progress = follower.run(until)
        seconds = time.perf_counter() - started
        make_read_indexes(engine)
    state = rules.state
    if source.candidates_without_receipts and evidence is None:
        click.echo(
            f"note: the archive has no receipts of {source.candidates_without_receipts} blocks that mention "
            "an escrow account, so nothing was credited there",
            err=True,
        )
    show(
        {
            "last_block": rules.next_block() - 1,
            "block_id": state.header.block_id if state.header else None,
            "blocks": progress.blocks,
            "checked": source.checks,
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
            f"--until {until}: the database is already at block {last}; choose another one with --db"
        )


def _holds_something(account: Account) -> bool:
    return any(any(balance.buckets[:ESCROW]) for balance in account.balances.values())
