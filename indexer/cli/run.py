"""`peakedex run`: the indexer and the API as one command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from indexer import settings as config
from indexer.cli.follow import INDEXER_SETTINGS, peer_urls
from indexer.cli.serve import API_SETTINGS
from indexer.cli.support.common import require_db, require_venue
from indexer.cli.support.nodes import check_engine_nodes, check_quorum, expected_chain
from indexer.cli.support.processes import ProcessGroup, peakedex, stop_event
from settlement.net.chain_id import DEVNET

_LOG_SETTINGS: Final = ("log-level", "log-format")


@click.command()
@config.settings(*INDEXER_SETTINGS, *API_SETTINGS, *_LOG_SETTINGS)
def run(**options: Any) -> None:
    """Run the indexer and the API on one machine, as two processes.

    When one of them ends, the other is stopped too.

    Example: peakedex run --venue venues/example.toml --db peakedex.db
    """
    require_venue(options["venue"])
    require_db(options["db"])
    check_quorum(options["quorum"], options["node"])
    check_engine_nodes(options["engine_node"], options["trust_single_node"])
    if options["network"] == DEVNET and options["chain_id"] is None:
        options["chain_id"] = DEVNET
    expected_chain(options["chain_id"])
    peer_urls(options["peer"])
    processes = ProcessGroup()
    stop = stop_event()
    processes.start(
        "follow", peakedex("follow", *_as_arguments(options, (*INDEXER_SETTINGS, *_LOG_SETTINGS)))
    )
    api = ("db", "node", *API_SETTINGS, *_LOG_SETTINGS)
    processes.start("serve", peakedex("serve", *_as_arguments(options, api)))
    raise SystemExit(processes.wait(stop))


def _as_arguments(options: Mapping[str, Any], settings: Sequence[str]) -> list[str]:
    """Settings as command-line arguments: a tuple as a repeated option, True as a flag, None omitted."""
    arguments: list[str] = []
    for name in settings:
        value = options[name.replace("-", "_")]
        for each in value if isinstance(value, tuple) else (value,):
            if each is True:
                arguments.append(f"--{name}")
            elif each is not None and each is not False:
                arguments += [f"--{name}", str(each)]
    return arguments
