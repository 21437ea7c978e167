"""`peakedex demo`: the whole exchange on one machine."""

from __future__ import annotations

import json
import random
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from indexer import settings as config
from indexer.cli.devnet.command import block_time_option, history_option
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.processes import ProcessGroup, peakedex, stop_event
from indexer.devnet.hive.accounts import Accounts
from indexer.devnet.traders.market_history import MAX_DAYS
from indexer.devnet.venue import EXAMPLE, demo_venue
from settlement.core.venue import parse_venue
from settlement.net.http_client import HttpClient, HttpError

NETWORK: Final = "devnet"
READY_SECONDS: Final = 300.0
LAST_LINES: Final = 10
VENUE_FILE: Final = "venue.toml"
DATABASE: Final = "peakedex.db"
CHECKPOINT_BLOCKS: Final = 20
REPORT_SECONDS: Final = 20.0
FRESH_SECONDS: Final = 10.0
_LOOPBACK: Final = "127.0.0.1"
_UNASSIGNED_PORTS: Final = range(20_000, 32_000)
"""Below those that kernels choose themselves, for outgoing connections for instance."""
_LOG: Final = ("--log-level", "warning")


class Demo(NamedTuple):
    """Addresses and files of a demo."""

    host: str  # of the API and the site
    port: int
    node: str  # URL of the devnet's Hive node
    venue_file: Path
    database: Path
    block_time: float  # seconds
    history: int  # days
    bots: bool

    @property
    def site(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def db(self) -> str:
        return f"sqlite:///{self.database}"


@click.command()
@config.setting("host")
@config.setting("port")
@block_time_option
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the venue file and the database; a temporary folder by default.",
)
@history_option(default=MAX_DAYS)
@click.option("--no-bots", is_flag=True, help="Do not run trading bots.")
def demo(host: str, port: int, block_time: float, folder: Path | None, history: int, no_bots: bool) -> None:
    """Run the whole exchange on this machine, with trading bots.

    It starts a devnet, the indexer, the API with the site, and payouts. It needs no account, key or
    network. Ctrl-C stops it.

    Example: peakedex demo --port 8080 --block-time 1
    """
    stop = stop_event()
    _check_port(host, port)
    home = _make_folder(folder)
    node = f"http://{_LOOPBACK}:{_free_port()}"
    setup = Demo(
        *(host, port, node, home / VENUE_FILE, home / DATABASE),
        block_time=block_time,
        history=history,
        bots=not no_bots,
    )
    processes = ProcessGroup(LAST_LINES)
    try:
        code = _run(setup, processes, stop)
    finally:
        processes.stop()
        if folder is None:
            shutil.rmtree(home, ignore_errors=True)
    raise SystemExit(code)


def _make_folder(folder: Path | None) -> Path:
    """The folder with the venue file. Raises ConfigurationError."""
    try:
        home = folder or Path(tempfile.mkdtemp(prefix="peakedex-demo-"))
        home.mkdir(parents=True, exist_ok=True)
        if (home / DATABASE).exists():
            raise ConfigurationError(
                f"--dir {home} contains the database of an earlier demo, whose chain no longer exists: "
                "choose another folder"
            )
        (home / VENUE_FILE).write_text(demo_venue(EXAMPLE.read_text("utf-8")), "utf-8")
    except OSError as error:
        where = "the folder for temporary files" if folder is None else f"--dir {folder}"
        raise ConfigurationError(
            f"{where} cannot be used ({error.strerror or error}): choose a folder that you may write to"
        ) from error
    return home


def _run(demo: Demo, processes: ProcessGroup, stop: threading.Event) -> int:
    """Start the processes one after another, and wait. The exit code."""
    devnet_port = demo.node.rpartition(":")[2]
    venue_and_db = ("--venue", str(demo.venue_file), "--db", demo.db)
    nodes = ("--node", demo.node, "--engine-node", f"{demo.node}/engine")
    processes.start(
        "devnet",
        peakedex(
            *("devnet", "--venue", str(demo.venue_file), "--port", devnet_port, *_LOG),
            *("--block-time", str(demo.block_time), "--history", str(demo.history)),
            "--bots" if demo.bots else "--no-bots",
        ),
    )
    trust = ("--trust-single-node", "--chain-id", NETWORK)
    if not _wait_for(lambda: _listens(int(devnet_port)), processes, stop):
        return processes.wait(stop)
    processes.start("follow", peakedex("follow", *venue_and_db, *nodes, *trust, *_LOG))
    if not _wait_for(demo.database.exists, processes, stop):
        return processes.wait(stop)
    processes.start(
        "serve",
        peakedex(
            *("serve", "--db", demo.db, "--host", demo.host, "--port", str(demo.port), *_LOG),
            *("--node", demo.node, "--network", NETWORK, "--practice-node", demo.node, "--rate-limit", "off"),
        ),
    )
    if _wait_for(lambda: _is_up_to_date(demo), processes, stop):
        _introduce(demo)
        processes.start(
            "payouts",
            peakedex(
                *("payouts", *venue_and_db, *nodes, "--first-run", "--chain-id", NETWORK, *_LOG),
                *("--checkpoint-every", str(CHECKPOINT_BLOCKS)),
            ),
            escrow_keys(demo.venue_file.read_text("utf-8")),
        )
        threading.Thread(target=_report, args=(demo.db, stop), daemon=True).start()
    return processes.wait(stop)


def escrow_keys(venue_text: str) -> dict[str, str]:
    """Environment variables of `peakedex payouts` with the devnet's keys of the escrow accounts and the
    checkpoint account."""
    from settlement.payouts.signing.authority import key_variable  # beem is slow to import

    accounts, venue = Accounts(seed=0), parse_venue(venue_text)
    keys = {key_variable(token.symbol, token.key_env): token.escrow for token in venue.tokens}
    keys["PEK_CHECKPOINT_KEY"] = venue.checkpoint_account
    return {variable: accounts.private_key(name, "active").wif for variable, name in keys.items()}


def _introduce(demo: Demo) -> None:
    pair = "base=PEK&quote=SWAP.HIVE"
    program = ".venv/bin/peakedex" if Path(".venv/bin/peakedex").exists() else "peakedex"
    click.echo(
        f"""
Peake DEX is running on its own local chain. Press Ctrl-C to stop.

  Site        {demo.site}/
  Order book  {demo.site}/api/orderbook?{pair}
  Trades      {demo.site}/api/history?{pair}
  Marks       {demo.site}/api/marks
  Health      {demo.site}/api/health
  Chain       {demo.node}   (Hive JSON-RPC; the sidechain is at /engine, control calls at /dev)

Try these commands in another terminal:
  curl '{demo.site}/api/pairs'
  {program} intent buy --symbol PEK --quantity 1000 --price 0.0004 --api {demo.site}
  {program} state --db {demo.db} | tail
  {program} journal --db {demo.db} | tail
  {program} venue check {demo.venue_file}
  {program} payouts status --db {demo.db}
  {program} devnet status --url {demo.node}
  {program} devnet faults --url {demo.node} stale=5   (--off ends all faults; see docs/devnet.md)

Every {REPORT_SECONDS:.0f} seconds: the last block and the hashes that every replica has there.
"""
    )


def _report(db: str, stop: threading.Event) -> None:
    """Print the last block with its journal and state hash every REPORT_SECONDS."""
    # Only now: they take a third of a second.
    from settlement.core.journal.state_text import state_hash
    from settlement.store.database import open_reader
    from settlement.store.write.loader import load

    engine = open_reader(db)
    while not stop.is_set():
        state = load(engine).state
        click.echo(
            f"block {state.header.number if state.header else 0}  journal {state.journal_hash}  "
            f"state {state_hash(state)}"
        )
        stop.wait(REPORT_SECONDS)


def _is_up_to_date(demo: Demo) -> bool:
    """Whether the site shows a block of the last seconds, after all of the history."""
    health = _health(demo.site)
    return bool(health.get("block")) and health["age_seconds"] < FRESH_SECONDS + 3 * demo.block_time


def _health(site: str) -> dict[str, Any]:
    """The answer of /api/health, empty while the server is not up."""
    try:
        answer: dict[str, Any] = json.loads(HttpClient().get(f"{site}/api/health").body)
    except (HttpError, ValueError):
        return {}
    return answer


def _wait_for(ready: Callable[[], bool], processes: ProcessGroup, stop: threading.Event) -> bool:
    """Wait until `ready`; False if a process ended or `stop` is set. Raises CheckFailed."""
    deadline = time.monotonic() + READY_SECONDS
    while not stop.wait(0.2) and processes.alive():
        if ready():
            return True
        if time.monotonic() > deadline:
            raise CheckFailed(f"the demo did not start within {READY_SECONDS:.0f} seconds")
    return False


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"--port {port} on {host} is not available ({error.strerror}): choose another port"
            ) from error


def _listens(port: int) -> bool:
    """Whether the devnet accepts connections; it answers when it has written its history."""
    with socket.socket() as probe:
        return probe.connect_ex((_LOOPBACK, port)) == 0


def _free_port() -> int:
    """A free port that the kernel gives to no other process before the devnet listens there."""
    for port in random.sample(_UNASSIGNED_PORTS, len(_UNASSIGNED_PORTS)):
        with suppress(OSError), socket.create_server((_LOOPBACK, port)):
            return port
    raise ConfigurationError("no free port for the devnet: stop other servers on this machine")
