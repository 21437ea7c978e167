"""A complete exchange for browser tests: a devnet in this process; `follow`, `serve` and `payouts` as processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from indexer.cli.demo import escrow_keys
from indexer.devnet.node import DevNode
from indexer.devnet.server import start_devnet
from indexer.devnet.traders.bots import Bots
from indexer.devnet.traders.market import Market
from indexer.devnet.traders.market_history import first_second
from indexer.devnet.traders.payloads import custom_json, intent
from indexer.devnet.traders.practice_accounts import practice_account
from indexer.devnet.venue import EXAMPLE, demo_venue, read_venue
from tests.support.ports import free_port
from tests.support.waiting import wait_until

BLOCK_SECONDS = 0.3
WARM_BLOCKS = 12


class World:
    """Bots trade for some blocks and then stop, so that the market is still until a test trades.

    With `history_days` it has the demo's market, for pictures: its past, its bots and its market makers.
    """

    def __init__(self, home: Path, history_days: int = 0) -> None:
        self.home = home
        self.venue_file = home / "venue.toml"
        self.venue_file.write_text(demo_venue(EXAMPLE.read_text("utf-8")), "utf-8")
        self.db = f"sqlite:///{home / 'peakedex.db'}"
        self.view = read_venue(self.venue_file.read_text("utf-8"))
        self.jobs: list[Callable[[], object]] = []
        end = int(time.time())
        self.market: Market | None = None

        self.history_end = 0  # the last block of the history

        def open_market(node: DevNode) -> None:
            self.market = Market(node, self.view, bots=True, history_days=history_days, end=end)
            self.market.open()
            self.history_end = node.chain.head

        self.devnet = start_devnet(
            self.view,
            block_time=BLOCK_SECONDS,
            begin=first_second(end, history_days) if history_days else None,
            prologue=open_market if history_days else None,
            after_block=self._work,
        )
        self.node = self.devnet.node
        self.bots = Bots(self.node, self.view, seed=7, traders=8, acts=4)
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            self._open()
        except BaseException:
            self.close()  # nobody else would end its processes
            raise

    def _work(self) -> None:
        for job in self.jobs:
            job()

    def _open(self) -> None:
        home = self.home
        options = ("--venue", str(self.venue_file), "--trust-single-node", *self._nodes())
        self.processes.append(self._start("follow", *options))
        self._wait((home / "peakedex.db").exists)
        port = free_port()
        self.site = f"http://127.0.0.1:{port}"
        self.processes.append(self._serve(port))
        if self.market is not None:
            self.jobs.append(self.market.step)
            self._wait(lambda: (self.get("health")["block"] or 0) > self.history_end)
            self.processes.append(self._pay())
            return
        self.bots.start()
        self.bots.quote_all()
        self.jobs.append(self.bots.step)
        self._wait(lambda: self.get("health")["block"])
        self.processes.append(self._pay())
        self.wait_until(lambda: self.get("health")["last_trade"] is not None, WARM_BLOCKS)
        self.jobs.remove(self.bots.step)
        self.fill_book()

    def fill_book(self) -> None:
        """Place a dozen orders on both sides of the first pair, so that its book is never empty."""
        name = self.trader()
        for level in range(12):
            pair = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": str(5000 + 100 * level)}
            self.act(name, "sell", **pair, price=f"0.{500 + level:06d}")
            self.act(name, "buy", **pair, price=f"0.{320 - level:06d}")
        self.wait(f"orders?user={name}", lambda body: len(body["orders"]) == 24)

    def _nodes(self) -> tuple[str, ...]:
        urls = ("--node", self.devnet.url, "--engine-node", self.devnet.engine_url)
        return (*urls, "--chain-id", "devnet")

    def _serve(self, port: int) -> subprocess.Popen[bytes]:
        where = ("--port", str(port), "--workers", "1", "--threads", "48")
        devnet = ("--network", "devnet", "--practice-node", self.devnet.url, "--node", self.devnet.url)
        return self._start("serve", *devnet, "--rate-limit", "off", *where)

    def _pay(self) -> subprocess.Popen[bytes]:
        keys = escrow_keys(self.venue_file.read_text("utf-8"))
        options = ("--venue", str(self.venue_file), "--first-run", *self._nodes())
        return self._start("payouts", *options, environment=keys)

    def _start(
        self, command: str, *options: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.home / f"{command}.log").open("ab") as log:
            line = [sys.executable, "-m", "indexer.cli", command, "--db", self.db, *options]
            return subprocess.Popen(
                [*line, "--log-level", "warning"],
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(240)
        self.devnet.stop()

    # -- what it does --------------------------------------------------------------------------------

    def act(self, account: str, action: str, **payload: object) -> str:
        """Put an unsigned intent on the chain and return its id."""
        return self.node.broadcast([custom_json(self.view, account, intent(self.view, action, payload))])

    def trader(self) -> str:
        """Create a funded practice account, as the site does."""
        with self.node.lock:
            name = str(practice_account(self.node, self.view)["account"])
        self.wait(f"balances?user={name}", lambda body: len(body["balances"]) == len(self.view.tokens))
        return name

    # -- what the API says ---------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        """The body of a GET."""
        answer = requests.get(f"{self.site}/api/{path}", timeout=240)
        answer.raise_for_status()
        return answer.json()

    def wait(self, path: str, ready: Callable[[Any], object]) -> Any:
        """Repeat a GET until its body is `ready`, and return the body."""
        found: list[Any] = []

        def look() -> bool:
            found.append(self.get(path))
            return bool(ready(found[-1]))

        self._wait(look, lambda: f"{path}: {found[-1:]}")
        return found[-1]

    def wait_until(self, ready: Callable[[], object], blocks: int) -> None:
        """Wait until `ready`, and until so many blocks have been recorded."""
        self._wait(lambda: (self.get("health")["block"] or 0) >= blocks and ready())

    def _wait(self, ready: Callable[[], object], say: Callable[[], str] = str) -> None:
        def happened() -> bool:
            assert self.devnet.is_running, "the chain has stopped: a job of a test failed"
            for process in self.processes:
                assert process.poll() is None, self._logs()
            try:
                return bool(ready())
            except requests.RequestException:
                return False  # the API is only starting

        wait_until(happened, what=lambda: f"{say()}\n{self._logs()}", poll=0.1)

    def _logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.home.glob("*.log"))
