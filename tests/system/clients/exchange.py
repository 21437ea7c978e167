"""A complete exchange for third-party clients: a devnet over HTTP, `peakedex follow` and `payouts`, the API."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from api.app import create_app
from api.settings import ApiSettings
from indexer.cli.demo import escrow_keys
from indexer.devnet.server import NodeServer, start_devnet
from indexer.devnet.venue import EXAMPLE, demo_venue, read_venue
from settlement.store.database import open_reader
from tests.support.api_client import ApiClient
from tests.support.waiting import wait_until
from tests.system.store.chains import journal

BLOCK_SECONDS = 0.4


class Exchange:
    """All processes run as in production, except the API, which is called in-process."""

    def __init__(self, home: Path) -> None:
        self.venue_file = home / "venue.toml"
        self.venue_file.write_text(demo_venue(EXAMPLE.read_text("utf-8")), "utf-8")
        self.db = f"sqlite:///{home / 'peakedex.db'}"
        self.view = read_venue(self.venue_file.read_text("utf-8"))
        self._log = home / "follow.log"
        self.devnet = start_devnet(self.view, block_time=BLOCK_SECONDS, lag=1)
        self.node = self.devnet.node
        # Clients have a node of their own, whose counted faults the indexer cannot use up.
        self.public = NodeServer(self.node)
        self.public.start()
        with self._log.open("wb") as log:
            follow = self._command("follow", "--trust-single-node")
            self._processes = [subprocess.Popen(follow, stderr=log, stdout=log)]
        self.api: ApiClient = ApiClient(
            create_app(ApiSettings(database_url=self.db, network="devnet", max_lag_blocks=1000))
        )

        self.wait("/api/health", lambda body: bool(body["block"]))
        payouts = self._command("payouts", "--first-run")
        keys = escrow_keys(self.venue_file.read_text("utf-8"))
        with self._log.open("ab") as log:
            self._processes.append(
                subprocess.Popen(payouts, stderr=log, stdout=log, env={**os.environ, **keys})
            )

    def _command(self, name: str, *options: str) -> list[str]:
        files = ("--venue", str(self.venue_file), "--db", self.db)
        nodes = ("--node", self.devnet.url, "--engine-node", self.devnet.engine_url, "--chain-id", "devnet")
        return [sys.executable, "-m", "indexer.cli", name, *files, *nodes, *options]

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(240)
        self.public.stop()
        self.devnet.stop()

    @property
    def url(self) -> str:
        """The Hive node that clients use."""
        return self.public.url

    def key(self, account: str, role: str = "active") -> str:
        """A private key in wallet import format."""
        return self.node.chain.accounts.private_key(account, role).wif

    def rich(self, account: str) -> None:
        """An account with a balance of every token that the tests trade."""
        for symbol, quantity in (("HIVE", "100"), ("HBD", "100"), ("PEK", "100000"), ("SWAP.HIVE", "100")):
            self.node.faucet(account, symbol, quantity)

    # -- the API -------------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        """The body of a GET, None unless the status is 200."""
        response = self.api.get(path)
        return response.get_json() if response.status_code == 200 else None

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve the API on a free port; its URL."""
        server = make_server("127.0.0.1", 0, self.api.application, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def wait(self, path: str, ready: Callable[[Any], bool] = bool) -> Any:
        """Wait until the body of a GET is `ready`."""

        def found() -> tuple[Any] | None:
            body = self.get(path)
            if body is not None and ready(body):
                return (body,)
            assert all(process.poll() is None for process in self._processes), self._log.read_text()
            return None

        [body] = wait_until(
            found, what=lambda: f"{path}; now: {self.get(path)}\n{self._log.read_text()}", poll=0.1
        )
        return body

    def intent(self, transaction_id: str) -> dict[str, Any]:
        """The outcome of a transaction with one intent."""
        [row] = self.wait(f"/api/intents/{transaction_id}")["intents"]
        found: dict[str, Any] = row
        return found

    def wait_for_balance(self, user: str, symbol: str, amount: str) -> None:
        """Wait until the available balance is `amount`."""
        self.wait(f"/api/balances?user={user}", lambda body: available(body, symbol) == amount)

    def journal(self) -> list[str]:
        """The lines of the journal so far."""
        reader = open_reader(self.db)
        try:
            return journal(reader).splitlines()
        finally:
            reader.dispose()

    def wait_for_line(self, start: str) -> str:
        """Wait for a journal line that starts with `start`."""

        def found() -> str | None:
            return next((line for line in self.journal() if line.startswith(start)), None)

        return str(wait_until(found, what=lambda: f"a line {start!r} in {self.journal()}", poll=0.3))


def available(body: Any, symbol: str) -> str | None:
    """The available amount in an answer of /api/balances."""
    for row in body["balances"]:
        if row["symbol"] == symbol:
            return str(row["available"])
    return None
