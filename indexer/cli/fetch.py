"""`peakedex fetch`: copies published evidence to this machine."""

from __future__ import annotations

from pathlib import Path

import click

from indexer.cli.support.common import json_option, show
from indexer.cli.support.errors import CheckFailed
from indexer.cli.support.progress import row_progress
from indexer.ops.evidence.fetch import Fetcher
from indexer.ops.evidence.origin import open_origin
from indexer.sources.source import SourceError


@click.command()
@click.option(
    "--from",
    "place",
    required=True,
    metavar="URL",
    help="https:// or http:// address of the folder, or a folder.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the evidence; what is there already is not fetched again.",
)
@json_option
def fetch(place: str, out: Path, as_json: bool) -> None:
    """Fetch published evidence, for `peakedex verify`.

    Every file is compared with the manifest's hashes. Run it again after an interruption, or later for what
    is new.

    Example: peakedex fetch --from https://dex.example.org/evidence --out evidence
    """
    try:
        with row_progress(None, quiet=as_json, label="bytes") as on_bytes:
            done = Fetcher(open_origin(place), out, on_bytes=on_bytes).run()
    except SourceError as error:
        raise CheckFailed(error) from None
    manifest = done.manifest
    show(
        {
            "first_block": manifest.first,
            "last_block": manifest.last,
            "time": manifest.time,
            "network": manifest.network,
            "venue_hash": manifest.venue_hash,
            "venue_file": str(out / manifest.venue.name),
            "fetched_files": done.files,
            "fetched_bytes": done.bytes,
            "total_bytes": sum(file.size for file in manifest.files),
        },
        as_json=as_json,
    )
