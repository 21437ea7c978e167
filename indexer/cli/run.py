"""`peakedex run`: the indexer and the API as one command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from indexer import settings as config
from indexer.cli.follow import peer_urls
from indexer.cli.serve import api_settings
from indexer.cli.support.common import require_db, require_venue
from indexer.cli.support.nodes import check_quorum
from indexer.cli.support.processes import ProcessGroup, peakedex, stop_event


@click.command()
@config.setting("venue")
@config.setting("db")
@config.setting("node")
@config.setting("engine-node")
@config.setting("quorum")
@config.setting("peer")
@config.setting("checkpoint-every")
@api_settings
@config.setting("log-level")
@config.setting("log-format")
def run(
    venue: Path | None,
    db: str | None,
    node: tuple[str, ...],
    engine_node: tuple[str, ...],
    quorum: int | None,
    peer: tuple[str, ...],
    checkpoint_every: int,
    log_level: str,
    log_format: str,
    **api: Any,
) -> None:
    """Run the indexer and the API on one machine, as two processes.

    When one of them ends, the other is stopped too.

    Example: peakedex run --venue venues/example.toml --db peakedex.db
    """
    require_venue(venue)
    url = require_db(db)
    check_quorum(quorum, node)
    processes = ProcessGroup()
    stop = stop_event()
    shared = {"db": url, "node": node, "log_level": log_level, "log_format": log_format}
    follow = {**shared, "venue": str(venue), "engine_node": engine_node, "quorum": quorum}
    follow |= {"peer": peer_urls(peer), "checkpoint_every": checkpoint_every}
    processes.start(peakedex("follow", *as_options(follow)))
    processes.start(peakedex("serve", *as_options({**shared, **api})))
    raise SystemExit(processes.wait(stop))


def as_options(values: Mapping[str, Any]) -> list[str]:
    """Parameters as command-line options: a tuple as a repeated option, None omitted."""
    options: list[str] = []
    for name, value in values.items():
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None:
                options += [f"--{name.replace('_', '-')}", str(each)]
    return options
