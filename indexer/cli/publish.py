"""`peakedex publish`: evidence for auditors in a folder or on a server."""

from __future__ import annotations

from pathlib import Path

import click

from indexer import settings as config
from indexer.chain.integrity.merkle import local_verifier
from indexer.cli.snapshot import cleanup_on_sigterm
from indexer.cli.support.common import is_given, json_option, require_db, show, start_logging
from indexer.cli.support.nodes import check_quorum, expected_chain, open_nodes
from indexer.cli.support.progress import BlockProgress
from indexer.cli.support.storage import storage_at
from indexer.ops.evidence.publish import PART_BLOCKS, Publisher
from indexer.sources.archive import ArchiveSource
from indexer.sources.hive import HiveSource
from settlement.core.events import VenueFilter
from settlement.net.backoff import Waiter
from settlement.net.chain_id import ExpectedChain
from settlement.store.database import open_reader

_VARIABLE = "PEAKEDEX_PUBLISH_TO"
"""Where the hourly service publishes (peakedex.env): the place if none is named."""


@click.command()
@config.setting("db")
@click.option(
    "--to",
    "url",
    metavar="PLACE",
    envvar=_VARIABLE,
    show_envvar=True,
    help="An existing folder, or ftp://, ftps://, sftp:// or s3://…, without password.",
)
@click.option(
    "--archive",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with recorded blocks; blocks from nodes by default.",
)
@config.setting("node")
@config.setting("quorum")
@config.setting("chain-id")
@config.setting("network")
@click.option(
    "--part-blocks",
    type=click.IntRange(1),
    default=PART_BLOCKS,
    show_default=True,
    help="Maximum blocks in one part.",
)
@config.setting("log-level", default="warning")
@json_option
def publish(
    db: str | None,
    url: str | None,
    archive: Path | None,
    node: tuple[str, ...],
    quorum: int | None,
    chain_id: str | None,
    network: str,
    part_blocks: int,
    log_level: str,
    as_json: bool,
) -> None:
    """Publish evidence for auditors: headers, our blocks, receipts, journal and state.

    State, journal and receipts come from the database, blocks from nodes or an archive. Each run adds what is
    new, while all processes run; a run that is killed leaves what was published before. Credentials are those
    of `peakedex backup`. Auditors read it with `peakedex fetch` and `peakedex verify`.

    Example: peakedex publish --db peakedex.db --to /var/www/evidence
    """
    start_logging(log_level)
    if url is None:
        raise click.UsageError(f"no place to publish to: use --to PLACE, or set {_VARIABLE}")
    if archive is not None and is_given("node"):
        raise click.UsageError("--archive and --node cannot be combined")
    check_quorum(quorum, node)
    chain = expected_chain(chain_id)
    engine = open_reader(require_db(db))
    with cleanup_on_sigterm(), storage_at(url) as storage:
        publisher = Publisher(engine, storage, network=network, part_blocks=part_blocks)
        source = _source(archive, node, quorum, chain, publisher.venue.filter)
        with BlockProgress(publisher.first - 1, quiet=as_json) as bar:
            done = publisher.run(source, bar.reached)
    engine.dispose()
    manifest = done.manifest
    show(
        {
            "first_block": manifest.first,
            "last_block": manifest.last,
            "blocks": done.blocks,
            "parts": len(manifest.parts),
            "uploaded_files": done.files,
            "uploaded_bytes": done.bytes,
            "total_bytes": sum(file.size for file in manifest.files),
            "journal_hash": manifest.journal_hash,
            "state_hash": manifest.state_hash,
        },
        as_json=as_json,
    )


def _source(
    archive: Path | None,
    nodes: tuple[str, ...],
    quorum: int | None,
    chain: ExpectedChain,
    venue_filter: VenueFilter,
) -> ArchiveSource | HiveSource:
    if archive is not None:
        return ArchiveSource(archive, venue_filter, verifier=local_verifier())
    return open_nodes(nodes, None, venue_filter, Waiter(), quorum, chain)
