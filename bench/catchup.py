"""Indexing over HTTP: catching up, as a ratio to the raw transfer of the same bytes, and latency at the chain's head."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from statistics import quantiles
from typing import Any, Final

from coincurve import PrivateKey

from bench.chain import VENUE, foreign_blocks
from indexer.chain.blocks import NO_BLOCK, Block
from indexer.chain.integrity.block_id import header_digest, pack_header
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from indexer.devnet.sidechain.chain import Sidechain as DevSidechain
from indexer.follow.loop import Follower
from indexer.sources.hive import LARGEST_RANGE, HiveClient, HiveSource
from indexer.sources.sidechain import Sidechain
from settlement.core.venue import parse_venue
from settlement.net.backoff import Waiter
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise

BLOCKS: Final = 3_000
TIP_BLOCKS: Final = 60
POLL_SECONDS: Final = 0.02
NO_SIDECHAIN: Final = "http://127.0.0.1:9"


def linked(count: int) -> Iterator[bytes]:
    """Linked, signed blocks of about 27 KB without operations of the exchange."""
    key, previous = PrivateKey(b"\x11" * 32), NO_BLOCK
    for number, text in enumerate(foreign_blocks(count), 1):
        value = json.loads(text)
        fields = Block(text).fields
        root = "00" * 20
        value |= {"previous": previous, "transaction_merkle_root": root, "extensions": []}
        changed = type(fields)(value["block_id"], previous, fields.timestamp, fields.witness, root)
        signed = key.sign_recoverable(header_digest(changed), hasher=None)
        signature = bytes((31 + signed[64],)) + signed[:64]
        digest = hashlib.sha224(pack_header(changed) + signature).digest()
        previous = (struct.pack(">I", number) + digest[4:20]).hex()
        value |= {"block_id": previous, "witness_signature": signature.hex()}
        yield json.dumps(value, separators=(",", ":")).encode()


def serve(count: int, ports: Any) -> None:
    """A node that only sends prepared blocks; runs in a process of its own."""
    blocks = list(linked(count))

    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if request["method"] == "block_api.get_block_range":
                first = request["params"]["starting_block_num"] - 1
                chosen = b",".join(blocks[first : first + request["params"]["count"]])
                result = b'{"blocks":[' + chosen + b"]}"
            else:
                result = b'{"last_irreversible_block_num":%d}' % count
            body = b'{"jsonrpc":"2.0","result":' + result + b',"id":%d}' % request["id"]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    ports.put(server.server_port)
    server.serve_forever()


def main() -> None:
    """Print both figures."""
    catch_up()
    at_the_tip()


def catch_up() -> None:
    """Blocks a second through the whole loop into SQLite, from one node and from two that are compared."""
    context = multiprocessing.get_context("spawn")
    ports: Any = context.Queue()
    nodes = [context.Process(target=serve, args=(BLOCKS, ports), daemon=True) for _ in range(2)]
    for node in nodes:
        node.start()
    urls = [f"http://127.0.0.1:{ports.get()}" for _ in nodes]
    try:
        raw = max(_rate(lambda: _transfer(urls[0])) for _ in range(3))
        one = max(_rate(lambda: _follow(urls[:1])) for _ in range(3))
        two = max(_rate(lambda: _follow(urls)) for _ in range(3))
    finally:
        for node in nodes:
            node.terminate()
    print(f"catching up over HTTP, {BLOCKS} blocks of 27 KB (goal: ratio >= 0.8)")
    print(f"  raw transfer           {raw:>9,.0f} blocks/s")
    print(f"  from one node          {one:>9,.0f} blocks/s, ratio {one / raw:.2f}")
    print(f"  from two, compared     {two:>9,.0f} blocks/s, ratio {two / raw:.2f} (each byte comes twice)")


def _transfer(url: str) -> None:
    client = HiveClient([url])
    for first in range(1, BLOCKS + 1, LARGEST_RANGE):
        assert client.block_range(first, LARGEST_RANGE)


def _follow(urls: list[str]) -> None:
    venue = parse_venue(VENUE)
    with tempfile.TemporaryDirectory() as home:
        rules, projector = load_or_initialise(open_writer(f"sqlite:///{home}/live.db"), venue)
        waiter = Waiter()
        source = HiveSource(urls, Sidechain([NO_SIDECHAIN], waiter), rules.venue_filter, waiter)
        Follower(rules, projector, source).run(BLOCKS)
        source.close()


def _rate(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return BLOCKS / (time.perf_counter() - started)


def at_the_tip() -> None:
    """Time from a block's irreversibility on the node to the commit of its rows."""
    node = DevNode(Chain(lag=0), DevSidechain(heartbeat=0))
    servers = [NodeServer(node) for _ in range(2)]
    made: dict[int, float] = {}
    taken: list[float] = []
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as home:
        rules, projector = load_or_initialise(open_writer(f"sqlite:///{home}/live.db"), parse_venue(VENUE))
        waiter = Waiter(stop)
        for server in servers:
            server.start()
        sidechain = Sidechain([server.engine_url for server in servers], waiter, poll_seconds=POLL_SECONDS)
        urls = [server.url for server in servers]
        source = HiveSource(urls, sidechain, rules.venue_filter, waiter, poll_seconds=POLL_SECONDS)
        follower = Follower(
            rules,
            projector,
            source,
            on_batch=lambda progress: taken.append(time.perf_counter() - made[progress.last_block]),
        )
        thread = threading.Thread(target=follower.run)
        thread.start()
        for number in islice(range(1, BLOCKS), TIP_BLOCKS):
            with node.lock:
                made[number] = time.perf_counter()
                node.tick()
            time.sleep(0.1)
        stop.set()
        thread.join()
        source.close()
        for server in servers:
            server.stop()
    cuts = quantiles([1000 * seconds for seconds in taken], n=100)
    print(f"irreversible on the node to committed, polled every {1000 * POLL_SECONDS:.0f} ms, two nodes")
    print(f"  p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms (goal beyond the polling: 150 and 500)")


if __name__ == "__main__":
    main()
