"""`peakedex devnet`: a local Hive and Hive-Engine node."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from indexer import settings as config
from indexer.cli.devnet.calls import CALLS
from indexer.cli.support.common import read_venue_text, start_logging
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.processes import stop_event
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer, start_devnet
from indexer.devnet.traders.market import Market
from indexer.devnet.traders.market_history import MAX_DAYS, first_second
from indexer.devnet.venue import EXAMPLE, demo_venue, read_venue

FC = TypeVar("FC", bound=Callable[..., Any])

PORT: Final = 8091
CLOCK_CHECK_SECONDS: Final = 1.0

block_time_option = click.option(
    "--block-time",
    type=click.FloatRange(0.1, 60.0),
    default=3.0,
    show_default=True,
    help="Seconds between blocks.",
)


def history_option(default: int) -> Callable[[FC], FC]:
    """The option `--history`."""
    return click.option(
        "--history",
        type=click.IntRange(0, MAX_DAYS),
        default=default,
        show_default=True,
        metavar="DAYS",
        help=f"Days of trades before now, at most {MAX_DAYS}; 0 for a new market.",
    )


@click.group(invoke_without_command=True)
@config.setting("venue", help="Create this venue's accounts and tokens; the example venue's by default.")
@config.setting("host")
@config.setting("port", default=PORT)
@block_time_option
@click.option("--bots/--no-bots", default=False, help="Run trading bots.")
@history_option(default=0)
@click.option("--seed", type=int, default=0, help="Seed of the bots and of the chain's keys.")
@click.option(
    "--nodes",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Number of nodes of the chain, on consecutive ports, each with its own faults.",
)
@config.setting("log-level")
@click.pass_context
def devnet(
    context: click.Context,
    venue: Path | None,
    host: str,
    port: int,
    block_time: float,
    bots: bool,
    history: int,
    seed: int,
    nodes: int,
    log_level: str,
) -> None:
    """Run a local Hive and Hive-Engine node for development. Never use it with real money.

    Without a subcommand it runs until Ctrl-C. The subcommands control a running devnet.

    Example: peakedex devnet --port 8091 --bots
    """
    if context.invoked_subcommand is not None:
        return
    start_logging(log_level)
    view = read_venue(demo_venue(EXAMPLE.read_text("utf-8")) if venue is None else read_venue_text(venue))
    stop = stop_event()
    end = int(time.time())
    markets: list[Market] = []

    def open_market(node: DevNode) -> None:
        markets.append(Market(node, view, seed=seed, bots=bots, history_days=history, end=end))
        markets[0].open()

    try:
        chain = start_devnet(
            view,
            block_time=block_time,
            host=host,
            port=port,
            seed=seed,
            begin=first_second(end, history) if history else None,
            prologue=open_market if bots or history else None,
            after_block=lambda: markets[0].step() if markets else None,
        )
    except OSError as error:
        raise ConfigurationError(f"--port {port}: {error.strerror or error}; choose another port") from error
    try:
        with _further_nodes(chain.node, host, port, nodes - 1):
            click.echo(f"Hive node {chain.url}, Hive-Engine node {chain.engine_url}")
            while not stop.wait(CLOCK_CHECK_SECONDS):
                if not chain.is_running:
                    raise CheckFailed("the chain makes no more blocks: the error above says why")
    finally:
        chain.stop()


@contextmanager
def _further_nodes(node: DevNode, host: str, port: int, count: int) -> Iterator[None]:
    """Further servers over the same chain, on the following ports."""
    servers: list[NodeServer] = []
    try:
        for at in range(1, count + 1):
            try:
                servers.append(NodeServer(node, host, port + at if port else 0))
            except OSError as error:
                raise ConfigurationError(
                    f"--nodes: port {port + at}: {error.strerror or error}; choose another --port"
                ) from error
            servers[-1].start()
            click.echo(f"Hive node {servers[-1].url}, Hive-Engine node {servers[-1].engine_url}")
        yield
    finally:
        for server in servers:
            server.stop()


for _call in CALLS:
    devnet.add_command(_call)
