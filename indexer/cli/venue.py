"""`peakedex venue`: validation and hash of a venue file."""

from __future__ import annotations

from pathlib import Path

import click

from indexer.cli.support.common import json_option, read_venue, show
from indexer.cli.support.errors import ConfigurationError
from settlement.core.venue import VenueError

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def venue() -> None:
    """Validate a venue file, or print its hash."""


@venue.command()
@_FILE
@json_option
def check(file: Path, as_json: bool) -> None:
    """Validate FILE, and print a summary, or all its mistakes with the cure of each.

    Example: peakedex venue check venues/example.toml
    """
    try:
        read = read_venue(file)
    except VenueError as error:
        for mistake in error.mistakes:
            click.echo(f"Error: venue file: {mistake}", err=True)
        raise SystemExit(ConfigurationError.exit_code) from error
    show(
        {
            "venue": read.name,
            "tokens": len(read.tokens),
            "pairs": len(read.pairs),
            "start_block": read.start_block,
            "venue_hash": read.hash,
        },
        as_json=as_json,
    )


@venue.command("hash")
@_FILE
@click.option("--text", is_flag=True, help="Print the canonical text, whose SHA-256 is the hash.")
def venue_hash(file: Path, text: bool) -> None:
    """Print the hash of FILE's consensus fields, which is the same for all replicas of a venue.

    Example: peakedex venue hash venues/example.toml
    """
    read = read_venue(file)
    click.echo(read.canonical() if text else read.hash, nl=not text)
