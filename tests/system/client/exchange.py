"""A whole exchange in this process: simulated nodes over HTTP, the indexer, and the API over HTTP.

Nothing happens by itself: `step` makes a block and indexes what became irreversible. A client's `sleep` is `step`, so
that nothing waits for a clock.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from werkzeug.serving import ThreadedWSGIServer

from api.app import DATABASE, PUBLISHER, create_app
from api.settings import ApiSettings
from indexer.chain.blocks import Block
from indexer.chain.receipts import Receipts
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.proxy import DevnetProxy
from indexer.devnet.server import NodeServer
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.traders.payloads import custom_json, intent
from indexer.devnet.traders.practice_accounts import practice_account
from indexer.devnet.venue import read_venue
from indexer.follow.loop import Follower
from indexer.sources.source import Cursor
from peakedex.client import Api, HiveNodes, KeySigner, Trader
from settlement.core.venue import parse_venue
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes
from tests.system.store.chains import VENUE_TEXT

PAIR = "PEK/SWAP.HIVE"


class _Server(ThreadedWSGIServer):
    """WSGI server whose open connections can be cut."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Irreversible:
    """Source of a node's irreversible blocks."""

    catching_up = False
    waiting = None

    def __init__(self, node: DevNode) -> None:
        self._node = node

    @property
    def where(self) -> str:
        return "the devnet"

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        for number in range(after.number + 1, self._node.chain.irreversible + 1):
            found = self._node.sidechain.block_of_hive(number)
            yield Block(self._node.chain.stored(number)), None if found is None else Receipts(found)


class Exchange:
    """`nodes` are servers of one chain, each with faults of its own; `address` is that of the API."""

    def __init__(self, folder: Path, *, nodes: int = 2, lag: int = 1, seed: int = 5) -> None:
        self.folder = folder
        self.block_seconds = 3  # of the chain's time
        self.venue = read_venue(VENUE_TEXT)
        self.node = DevNode(Chain(seed=seed, lag=lag), Sidechain())
        self.node.prepare(self.venue)
        self.nodes = [NodeServer(self.node) for _ in range(nodes)]
        url = f"sqlite:///{folder / 'peakedex.db'}"
        self._engine = open_writer(url)
        rules, projector = load_or_initialise(self._engine, parse_venue(VENUE_TEXT))
        make_read_indexes(self._engine)
        self._follower = Follower(rules, projector, Irreversible(self.node))
        self._lock = threading.Lock()
        self._app = create_app(ApiSettings(database_url=url, network="devnet"))
        self._server = _Server("127.0.0.1", 0, DevnetProxy(self._app.wsgi_app, self.nodes[0].url))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.address = f"http://127.0.0.1:{self._server.port}"
        for server in self.nodes:
            server.start()
        for _ in range(5):
            self.step()
        self._thread.start()

    @property
    def now(self) -> int:
        """Time of the newest block."""
        return self.node.chain.head_time

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.nodes]

    def step(self, _: float = 0.0) -> None:
        """Make a block, and index what is irreversible."""
        with self._lock:
            self.node.tick(self.now + self.block_seconds)
            self._follower.run(self.node.chain.irreversible)

    def fork(self) -> None:
        """Drop the newest block; its transactions are lost until somebody sends them again."""
        with self._lock:
            self.node.fork(1, forget=True)

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()

    def account(self) -> str:
        """A new account with some of every token at the venue, and as much in its wallet."""
        with self.node.lock:
            name = str(practice_account(self.node, self.venue)["account"])
        self.steps(3)
        return name

    def key(self, account: str, role: Any = "active") -> str:
        """Its private key."""
        return self.node.chain.accounts.private_key(account, role).wif

    def act(self, account: str, action: str, **payload: object) -> str:
        """Put an intent on the chain without a signature; returns its id. It is in the next block."""
        return self.node.broadcast([custom_json(self.venue, account, intent(self.venue, action, payload))])

    def cut_streams(self) -> None:
        """End all open connections, as a restarted server or a proxy does."""
        self._server.cut()

    def api(self, **options: Any) -> Api:
        return Api(self.address, **{"sleep": self.step, **options})

    def hive(self, **options: Any) -> HiveNodes:
        return HiveNodes(self.urls, **{"chain_id": "devnet", **options})

    def trader(self, signer: Any, name: str = "bot", **options: Any) -> Trader:
        """A trader whose pauses make blocks, and which sends again at every look."""
        given = {"sleep": self.step, "resend_seconds": 0.0, **options}
        hive = given.pop("nodes", None) or self.hive()
        return Trader(self.api(), hive, signer, self.folder / f"{name}.journal", **given)

    def close(self) -> None:
        self._server.shutdown()
        self._app.extensions[PUBLISHER].close()
        self._app.extensions[DATABASE].close()
        self._server.server_close()
        for server in self.nodes:
            server.stop()
        self._engine.dispose()


def signer_of(exchange: Exchange, account: str, environment: Any, role: Any = "active") -> KeySigner:
    """A signer with the account's key, out of the environment as a user would have it."""
    environment.setenv("BOT_KEY", exchange.key(account, role))
    return KeySigner(account, "BOT_KEY", role=role)
