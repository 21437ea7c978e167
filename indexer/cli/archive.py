"""`peakedex archive record`: records blocks and receipts from nodes into an archive."""

from __future__ import annotations

import time
from pathlib import Path

import click

from indexer import settings as config
from indexer.cli.support.common import json_option, read_venue, show, start_logging
from indexer.cli.support.errors import ConfigurationError
from indexer.cli.support.nodes import check_engine_nodes, check_quorum, expected_chain, open_nodes
from indexer.cli.support.processes import interruptible_stop
from indexer.cli.support.progress import BlockProgress
from indexer.sources.archive_writer import FILE_BLOCKS, RecordError, Recording, plan_for, record
from settlement.net.backoff import Waiter


@click.group()
def archive() -> None:
    """Record blocks into archives, for `replay` and `verify`."""


@archive.command("record")
@config.setting("node")
@config.setting("engine-node")
@config.setting("quorum")
@config.setting("trust-single-node")
@config.setting("chain-id")
@config.setting("venue", help="Fetch only the receipts that this venue needs; of every block by default.")
@click.option(
    "--from", "first", type=config.BLOCK_NUMBER, help="First block; the venue's start_block by default."
)
@click.option(
    "--to", "last", type=config.BLOCK_NUMBER, help="Last block; the last irreversible one by default."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Archive folder; an existing archive is continued.",
)
@click.option(
    "--file-blocks",
    type=click.IntRange(1),
    default=FILE_BLOCKS,
    show_default=True,
    help="Maximum blocks in one file.",
)
@config.setting("log-level", default="warning")
@json_option
def record_command(
    node: tuple[str, ...],
    engine_node: tuple[str, ...],
    quorum: int | None,
    trust_single_node: bool,
    chain_id: str | None,
    venue: Path | None,
    first: int | None,
    last: int | None,
    out: Path,
    file_blocks: int,
    log_level: str,
    as_json: bool,
) -> None:
    """Record irreversible blocks, verified and linked, and their sidechain receipts.

    Ctrl-C stops it safely; run the same command again to continue.

    Example: peakedex archive record --venue venues/example.toml --out recorded
    """
    start_logging(log_level)
    check_quorum(quorum, node)
    check_engine_nodes(engine_node, trust_single_node)
    chain = expected_chain(chain_id)
    rules_venue = None if venue is None else read_venue(venue)
    started = time.perf_counter()
    aim = last
    try:
        plan = plan_for(out, rules_venue, first)
    except RecordError as error:
        raise ConfigurationError(error) from error
    with (
        Recording(out, plan, rules_venue, file_blocks=file_blocks) as recording,
        interruptible_stop() as stop,
    ):
        source = open_nodes(node, engine_node, recording.venue_filter, Waiter(stop), quorum, chain)
        receipts_of = source.receipts if rules_venue is None else None
        with BlockProgress(recording.cursor.number, quiet=as_json) as bar:
            aim = record(source, recording, last, receipts_of, bar.reached)
    seconds = time.perf_counter() - started
    show(
        {
            "first_block": recording.plan.first,
            "last_block": recording.cursor.number,
            "block_id": recording.cursor.block_id,
            "blocks": recording.blocks,
            "receipts": recording.receipts,
            "complete": aim is not None and recording.cursor.number >= aim,
            "seconds": round(seconds, 3),
            "blocks_per_second": round(recording.blocks / seconds),
        },
        as_json=as_json,
    )
