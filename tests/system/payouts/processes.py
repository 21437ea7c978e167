"""Everything over HTTP: a devnet, and operators each with an indexer, a database and a payouts process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from indexer.devnet.hive.authority import Authority
from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.server import NodeServer, start_devnet
from indexer.devnet.traders.payloads import custom_json, intent, movement
from indexer.devnet.venue import read_venue
from settlement.store import schema
from settlement.store.database import open_reader
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.support.warm_program import program

BLOCK_SECONDS = 0.25
"""Each block takes at least a second of chain time: it runs four times as fast as ours."""
PATIENCE_SECONDS = 240.0
VENUE = """
[venue]
name = "Test"
protocol = 2
contract = "peakedex"
custom_json_id = "ssc-mainnet-hive"
start_block = 1
operator = "peakecoin"
checkpoint_account = "venue.proof"
fee_account = "peakecoin.fees"

[tokens.HBD]
precision = 3
escrow = "venue.hbd"
min_withdrawal = "0.001"
key_env = "TEST_HBD_KEY"

[tokens.PEK]
precision = 8
escrow = "venue.pek"
min_withdrawal = "0.001"
key_env = "TEST_PEK_KEY"

[[pairs]]
base = "PEK"
quote = "HBD"
price_decimals = 3
quantity_decimals = 0
"""
VIEW = read_venue(VENUE)
ROOT = Path(__file__).parents[3]


class Chain:
    """A devnet with the venue's accounts and two traders; `public` is a node with faults of its own."""

    def __init__(self) -> None:
        self.devnet = start_devnet(VIEW, block_time=BLOCK_SECONDS)
        self.node = self.devnet.node
        self.public = NodeServer(self.node)
        self.public.start()
        for trader in ("alice", "bob"):
            self.node.faucet(trader, "HBD", "1000")
            self.node.faucet(trader, "PEK", "1000")

    def authority(self, escrow: str, threshold: int, *keys: PrivateKey) -> None:
        """Give an account these keys with weight 1 and a threshold."""
        weights = tuple(sorted((key.public_key, 1) for key in keys))
        self.node.faucet(escrow, authorities={"active": Authority(threshold, weights)})

    def deposit(self, account: str, symbol: str, units: int) -> str:
        token = VIEW.tokens[symbol]
        return self.node.broadcast([movement(VIEW, token, account, token.escrow, units)])

    def withdraw(self, account: str, symbol: str, quantity: str, **more: str) -> str:
        element = intent(VIEW, "withdraw", {"symbol": symbol, "quantity": quantity, **more})
        return self.node.broadcast([custom_json(VIEW, account, element)])

    def holds(self, account: str, symbol: str) -> int:
        """Balance on the chain, in units."""
        with self.node.lock:
            if VIEW.tokens[symbol].chain == "hive":
                return self.node.chain.accounts.balance(account, symbol)
            return self.node.sidechain.balance(account, symbol)

    def close(self) -> None:
        self.public.stop()
        self.devnet.stop()


class Operator:
    """One operator's processes and files, all in one folder. `keys` are environment variables."""

    def __init__(self, chain: Chain, folder: Path, keys: Mapping[str, str], *options: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.venue = folder / "venue.toml"
        self.venue.write_text(VENUE)
        self.db = f"sqlite:///{folder / 'peakedex.db'}"
        self._chain = chain
        self.keys = dict(keys)
        self._options = options
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._program = program(folder)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """`follow`, `payouts` or `serve`; output goes into a file of its name."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith("PEAKEDEX_")}
        if name == "payouts":
            environ |= self.keys
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "indexer.cli", name, *self._arguments(name)],
                cwd=self.folder,
                env=environ | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        return self._running[name]

    def _arguments(self, name: str) -> Sequence[str]:
        devnet, public = self._chain.devnet, self._chain.public
        common = ("--db", self.db, "--log-level", "debug")
        files = ("--venue", str(self.venue))
        if name == "serve":
            return (*common, "--port", str(free_port()), "--workers", "1")
        if name == "follow":
            nodes = ("--node", devnet.url, "--engine-node", devnet.engine_url, "--chain-id", "devnet")
            return (*common, *files, *nodes, "--trust-single-node")
        nodes = ("--node", public.url, "--engine-node", public.engine_url, "--chain-id", "devnet")
        return (*common, *files, *nodes, *self._options)

    def up(self) -> None:
        """Start the indexer, then payouts, which need its database."""
        self.start("follow")
        wait_until(lambda: self.scalar(select(schema.cursor.c.block_id)), "a ledger")
        self.start("payouts")

    def kill(self, name: str) -> None:
        """Kill a process."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(240)

    def wait_ended(self, name: str) -> int:
        """Exit code of a process that ends by itself."""
        return self._running.pop(name).wait(240)

    def close(self) -> None:
        """In good order; a process that fails to end so fails the test."""
        codes = {}
        for process in self._running.values():
            process.terminate()
        for name, process in self._running.items():
            codes[name] = process.wait(240)
        assert {name: code for name, code in codes.items() if code not in (0, -signal.SIGTERM)} == {}, (
            self.log()
        )

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def log(self, name: str = "payouts") -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def scalar(self, query: Any) -> Any:
        """One value of the ledger; None while there is none."""
        if not (self.folder / "peakedex.db").exists():
            return None
        try:
            engine = open_reader(self.db)
        except Exception:  # the tables are only just being made
            return None
        try:
            with engine.connect() as connection:
                return connection.scalar(query)
        finally:
            engine.dispose()

    def status_of(self, withdrawal: str) -> int | None:
        """PENDING or PAID; None before the ledger knows it."""
        w = schema.withdrawals.c
        found: int | None = self.scalar(select(w.status).where(w.id == withdrawal))
        return found

    def wait_paid(self, *withdrawals: str) -> None:
        """Wait until the ledger shows them as paid."""

        def unpaid() -> list[str]:
            return [one for one in withdrawals if self.status_of(one) != schema.PAID]

        wait_until(lambda: not unpaid(), lambda: f"{unpaid()} are paid: {self.log()}")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A `peakedex` command, without keys."""
        return subprocess.run(
            [self._program, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def cosign(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        name, *rest = arguments
        where = ("--venue", str(self.venue), "--db", self.db, "--node", self._chain.public.url)
        return self.command("payouts", "cosign", name, *where, "--chain-id", "devnet", *rest)

    def json(self, *arguments: str) -> Any:
        """JSON output of a command."""
        done = self.command(*arguments, "--json", "--db", self.db)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
