"""`peakedex demo` and `peakedex devnet`: the whole exchange, or the chain alone, on one machine."""

from __future__ import annotations

import logging
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import requests

from indexer import settings as config
from indexer.cli.devnet.calls import CALLS
from indexer.cli.support.common import start_logging
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.processes import Family, peakedex, stop_event
from indexer.devnet.hive.accounts import Accounts
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer, start_devnet
from indexer.devnet.traders.bots import Bots
from indexer.devnet.venue import demo_venue, read_venue
from settlement.core.journal.state_text import state_hash
from settlement.core.venue import parse_venue
from settlement.store.database import open_reader
from settlement.store.write.loader import load

NETWORK: Final = "devnet"
DEVNET_PORT: Final = 8091
READY_SECONDS: Final = 60.0
CHECKPOINT_BLOCKS: Final = 20
QUOTES_A_BLOCK: Final = 10
REPORT_SECONDS: Final = 20.0
_ANSWER_SECONDS: Final = 5.0
_LOOPBACK: Final = "127.0.0.1"

log = logging.getLogger("peakedex.devnet")

_block_time = click.option(
    "--block-time",
    type=click.FloatRange(0.1, 60.0),
    default=3.0,
    show_default=True,
    help="Seconds between blocks.",
)


def example_venue() -> str:
    """The text of the example venue, of a checkout or of an installed package."""
    beside = Path(__file__).parents[1] / "venues" / "example.toml"
    path = beside if beside.is_file() else Path(__file__).parents[2] / "venues" / "example.toml"
    return path.read_text("utf-8")


@click.group(invoke_without_command=True)
@config.setting("venue", help="The venue whose accounts and tokens it has; the example venue by default.")
@config.setting("host")
@config.setting("port", default=DEVNET_PORT)
@_block_time
@click.option("--bots/--no-bots", default=False, help="Let trading bots use it.")
@click.option("--seed", type=int, default=0, help="Seed of the bots and of the chain's keys.")
@click.option(
    "--nodes",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Nodes of the one chain, each on a port of its own (the next ones) and with faults of its own.",
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
    seed: int,
    nodes: int,
    log_level: str,
) -> None:
    """A local Hive and Hive-Engine node that makes blocks: for trying things out, never for real money.

    Without a command it runs until Ctrl-C; the commands talk to one that runs.

    Example: peakedex devnet --port 8091 --bots
    """
    if context.invoked_subcommand is not None:
        return
    start_logging(log_level)
    text = demo_venue(example_venue()) if venue is None else venue.read_text("utf-8")
    parse_venue(text)  # the devnet's own reader trusts the file
    view = read_venue(text)
    jobs: list[Callable[[], object]] = []
    stop = stop_event()
    try:
        chain = start_devnet(
            view, block_time=block_time, host=host, port=port, seed=seed, after_block=lambda: _do(jobs)
        )
    except OSError as error:
        raise ConfigurationError(f"--port {port}: {error.strerror or error}; name another") from error
    with _stopped(chain), _more_nodes(chain.node, host, port, nodes - 1):
        if bots:
            crowd = Bots(chain.node, view, seed=seed, traders=12, acts=8)
            crowd.start()
            crowd.quote_all()
            jobs += [crowd.step, lambda: crowd.quote(QUOTES_A_BLOCK)]
        click.echo(f"Hive node {chain.url}, Hive-Engine node {chain.engine_url}")
        stop.wait()


@contextmanager
def _more_nodes(node: DevNode, host: str, port: int, count: int) -> Iterator[None]:
    """Further servers over the same chain, on the ports that follow."""
    servers: list[NodeServer] = []
    try:
        for at in range(1, count + 1):
            try:
                servers.append(NodeServer(node, host, port + at if port else 0))
            except OSError as error:
                raise ConfigurationError(
                    f"--nodes: port {port + at}: {error.strerror or error}; name another --port"
                ) from error
            servers[-1].start()
            click.echo(f"Hive node {servers[-1].url}, Hive-Engine node {servers[-1].engine_url}")
        yield
    finally:
        for server in servers:
            server.stop()


@contextmanager
def _stopped(chain: Any) -> Iterator[None]:
    try:
        yield
    finally:
        chain.stop()


def _do(jobs: Sequence[Callable[[], object]]) -> None:
    """What happens after a block."""
    for job in jobs:
        job()


for _call in CALLS:
    devnet.add_command(_call)


@click.command()
@config.setting("host")
@config.setting("port")
@_block_time
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the venue file and the database here; a new temporary folder by default.",
)
@click.option("--no-bots", is_flag=True, help="Leave the market to you.")
def demo(host: str, port: int, block_time: float, folder: Path | None, no_bots: bool) -> None:
    """The whole exchange on this machine: a devnet, the indexer, the API and the site, with trading bots.

    No account, key or network is needed. Ctrl-C stops all.

    Example: peakedex demo --port 8080 --block-time 1
    """
    stop = stop_event()
    _check_port(host, port)
    home = folder or Path(tempfile.mkdtemp(prefix="peakedex-demo-"))
    home.mkdir(parents=True, exist_ok=True)
    database = home / "peakedex.db"
    if database.exists():
        raise ConfigurationError(
            f"--dir {home} holds the database of an earlier demo, whose chain is gone: name another folder"
        )
    venue_file = home / "venue.toml"
    venue_file.write_text(demo_venue(example_venue()), "utf-8")
    family = Family()
    try:
        code = _run_demo(family, stop, host, port, block_time, venue_file, f"sqlite:///{database}", no_bots)
    finally:
        family.stop()
        if folder is None:
            shutil.rmtree(home, ignore_errors=True)
    raise SystemExit(code)


def _run_demo(
    family: Family,
    stop: threading.Event,
    host: str,
    port: int,
    block_time: float,
    venue_file: Path,
    db: str,
    no_bots: bool,
) -> int:
    devnet_port = _free_port()
    node = f"http://{_LOOPBACK}:{devnet_port}"
    quiet = ("--log-level", "warning")
    family.start(
        peakedex(
            *("devnet", "--venue", str(venue_file), "--port", str(devnet_port), *quiet),
            *("--block-time", str(block_time), "--no-bots" if no_bots else "--bots"),
        )
    )
    family.start(
        peakedex(
            *("follow", "--venue", str(venue_file), "--db", db, *quiet),
            *("--node", node, "--engine-node", f"{node}/engine"),
        )
    )
    if not _wait_for(lambda: Path(db.removeprefix("sqlite:///")).exists(), family, stop):
        return family.wait(stop)
    family.start(
        peakedex(
            *("serve", "--db", db, "--host", host, "--port", str(port), "--node", node, *quiet),
            *("--network", NETWORK, "--practice-node", node, "--rate-limit", "off"),
        )
    )
    site = f"http://{host}:{port}"
    if _wait_for(lambda: bool(_health(site).get("block")), family, stop):
        family.start(
            peakedex(
                *("payouts", "--venue", str(venue_file), "--db", db, "--first-run", "--chain-id", "devnet"),
                *("--node", node, "--engine-node", f"{node}/engine", *quiet),
                *("--checkpoint-every", str(CHECKPOINT_BLOCKS)),
            ),
            escrow_keys(venue_file.read_text("utf-8")),
        )
        _introduce(site, node, venue_file, db)
        threading.Thread(target=_report, args=(db, stop), daemon=True).start()
    return family.wait(stop)


def escrow_keys(venue_text: str) -> dict[str, str]:
    """The variables that payouts read keys from, with those that a devnet gives the escrow accounts and the
    operator."""
    from settlement.payouts.authority import key_variable  # beem takes its time to load

    accounts, venue = Accounts(seed=0), parse_venue(venue_text)
    keys = {key_variable(token.symbol, token.key_env): token.escrow for token in venue.tokens}
    keys["PEK_OPERATOR_KEY"] = venue.operator
    return {variable: accounts.private_key(name, "active").wif for variable, name in keys.items()}


def _introduce(site: str, node: str, venue_file: Path, db: str) -> None:
    pair = "base=PEK&quote=SWAP.HIVE"
    click.echo(
        f"""
Peake DEX is running: a chain of its own, the indexer, the API and the site. Ctrl-C stops all.

  open    {site}/
  book    {site}/api/orderbook?{pair}
  trades  {site}/api/history?{pair}
  health  {site}/api/health
  chain   {node}   (Hive JSON-RPC; the sidechain under /engine, a faucet under /dev)

Try in another terminal:
  curl '{site}/api/pairs'
  {_program()} state --db {db} | tail
  {_program()} journal --db {db} | tail
  {_program()} venue check {venue_file}
  {_program()} payouts status --db {db}
  {_program()} devnet status --url {node}
  {_program()} devnet faults --url {node} stale=5      (and `faults --off`: docs/devnet.md has them all)
"""
    )


def _program() -> str:
    return ".venv/bin/peakedex" if Path(".venv/bin/peakedex").exists() else "peakedex"


def _report(db: str, stop: threading.Event) -> None:
    """A line now and then: the last block recorded, and the hashes that any replica must have there."""
    engine = open_reader(db)
    while not stop.is_set():
        state = load(engine).state
        click.echo(
            f"block {state.header.number if state.header else 0}  journal {state.journal_hash}  "
            f"state {state_hash(state)}"
        )
        stop.wait(REPORT_SECONDS)


def _health(site: str) -> dict[str, Any]:
    """What /api/health says; empty while nobody answers."""
    try:
        answer: dict[str, Any] = requests.get(f"{site}/api/health", timeout=_ANSWER_SECONDS).json()
    except (requests.RequestException, ValueError):
        return {}
    return answer


def _wait_for(ready: Callable[[], bool], family: Family, stop: threading.Event) -> bool:
    """Whether it came to be within a minute, while all processes live and nobody stops us."""
    deadline = time.monotonic() + READY_SECONDS
    while not stop.wait(0.2) and family.alive():
        if ready():
            return True
        if time.monotonic() > deadline:
            raise CheckFailed("the demo did not come up within a minute")
    return False


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"--port {port} on {host} cannot be used ({error.strerror}): name another"
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])
