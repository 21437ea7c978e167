"""Evidence of a hundredth of a year: published, fetched over HTTP and verified, with time and size.

A real year has 10.5 million blocks. This chain has a hundredth: 3,000 generated blocks of 6 operations each (a
hundredth of `bench year`), then blocks in which nothing of the exchange happens, with headers as long as Hive's.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import zstandard

from bench.alone import alone, peak_mb
from indexer.audit.targets import EvidenceTarget
from indexer.chain.blocks import Block
from indexer.chain.integrity.block_id import block_id_of
from indexer.cli.support.archives import open_archive, open_evidence
from indexer.cli.support.verification import Verification
from indexer.devnet.generator.generate import Generator
from indexer.follow.loop import Follower
from indexer.follow.memory import tune_gc
from indexer.ops.backup.storage import Credentials, open_storage
from indexer.ops.evidence.fetch import Fetcher
from indexer.ops.evidence.origin import open_origin
from indexer.ops.evidence.publish import Publisher
from indexer.rules_build import name_of_build
from indexer.sources.archive import ArchiveSource
from settlement.core.journal.lines import iso_time
from settlement.core.state_machine import StateMachine
from settlement.store.database import open_reader, open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import make_read_indexes
from tests.system.store.chains import demo

SEED = 365
ACTIVE_BLOCKS = 3_000
BLOCKS = 105_000
OPS_PER_BLOCK = 6
TRADERS = 2_000
SHARE = 100
"""How many of these chains are a year."""
DATABASE = "share.db"


def main() -> None:
    """Generate, follow, publish, fetch and verify, and print what each took."""
    print(f"evidence of {BLOCKS:,} blocks, {ACTIVE_BLOCKS:,} of them active, {name_of_build()}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        print(f"  generated in {alone(generate, folder):,.0f} s", flush=True)
        print(f"  followed in {alone(follow, folder):,.0f} s", flush=True)
        seconds, size, headers = alone(publish, folder)
        print(
            f"  published in {seconds:,.0f} s: {size / 1e6:,.1f} MB, of them headers {headers / 1e6:,.1f} MB "
            f"({headers / BLOCKS:,.1f} bytes a block)",
            flush=True,
        )
        fetched, fetch_cpu = alone(fetch, folder)
        verified, cpu, memory = alone(verify, folder)
        print(
            f"  fetched over HTTP from this machine in {fetched:,.1f} s ({fetch_cpu:,.1f} s of processor time), verified in {verified:,.0f} s ({cpu:,.0f} s of "
            f"processor time), peak memory {memory:,.0f} MB\n"
            f"  a year, a hundred times that: {SHARE * size / 1e6:,.0f} MB, {SHARE * (fetch_cpu + cpu) / 60:,.1f} minutes of processor time (goal 10)"
        )


def generate(folder: Path) -> float:
    """Write the archive; returns seconds."""
    started = time.perf_counter()
    generator = Generator(SEED, ops_per_block=OPS_PER_BLOCK, accounts=TRADERS, halt_every=0)
    encode, last = msgspec.json.encode, None
    (folder / "chain").mkdir()
    with (
        zstandard.open(folder / "chain" / "blocks.jsonl.zst", "wb") as blocks,
        zstandard.open(folder / "chain" / "receipts.jsonl.zst", "wb") as receipts,
    ):
        for block, received in generator.stream(ACTIVE_BLOCKS):
            last = Block(encode(block))
            blocks.write(last.raw + b"\n")
            if received is not None:
                receipts.write(encode(received) + b"\n")
        assert last is not None
        write_idle(last, blocks)
    return time.perf_counter() - started


def write_idle(last: Block, blocks: zstandard.ZstdCompressionWriter) -> None:
    """Blocks of other people's transactions, whose text is left out; roots and signatures are random bytes."""
    chance = random.Random(SEED)
    witnesses = [f"witness-{n}" for n in range(21)]
    for number in range(last.number + 1, BLOCKS + 1):
        fields = {
            "block_id": f"{number:08x}" + "0" * 32,
            "previous": last.block_id,
            "timestamp": iso_time(last.timestamp + 3),
            "witness": chance.choice(witnesses),
            "transaction_merkle_root": chance.randbytes(20).hex(),
            "extensions": [],
            "witness_signature": chance.randbytes(65).hex(),
            "transaction_ids": [],
            "transactions": [],
        }
        fields["block_id"] = block_id_of(Block(msgspec.json.encode(fields)))
        last = Block(msgspec.json.encode(fields))
        blocks.write(last.raw + b"\n")


def follow(folder: Path) -> float:
    """Make the database; returns seconds."""
    started = time.perf_counter()
    engine = open_writer(f"sqlite:///{folder / DATABASE}")
    rules, projector = load_or_initialise(engine, demo())
    tune_gc()
    Follower(rules, projector, ArchiveSource(folder / "chain", rules.venue_filter)).run()
    make_read_indexes(engine)
    engine.dispose()
    return time.perf_counter() - started


def publish(folder: Path) -> tuple[float, int, int]:
    """Publish into a folder; returns seconds, bytes, and those of the headers."""
    started = time.perf_counter()
    (folder / "evidence").mkdir()
    with open_storage(str(folder / "evidence"), Credentials()) as storage:
        publisher = Publisher(open_reader(str(folder / DATABASE)), storage, network="bench")
        manifest = publisher.run(ArchiveSource(folder / "chain", publisher.venue.filter)).manifest
    size = sum(file.size for file in manifest.files)
    return time.perf_counter() - started, size, sum(part.headers.size for part in manifest.parts)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """No log."""


def fetch(folder: Path) -> tuple[float, float]:
    """Fetch it from a web server; returns seconds, and seconds of processor time of both."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder / "evidence")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    started, cpu_started = time.perf_counter(), time.process_time()
    Fetcher(open_origin(f"http://127.0.0.1:{server.server_port}"), folder / "fetched").run()
    server.shutdown()
    return time.perf_counter() - started, time.process_time() - cpu_started


def verify(folder: Path) -> tuple[float, float, float]:
    """Verify it against itself; returns seconds, seconds of processor time, and peak memory in MB."""
    started, cpu_started = time.perf_counter(), time.process_time()
    rules = StateMachine(demo())
    evidence = open_evidence(folder / "fetched", demo().hash)
    assert evidence is not None
    source = open_archive(folder / "fetched", evidence, rules.venue_filter)
    side = EvidenceTarget(evidence, demo().hash)
    done = Verification(
        rules, source, side, None, threading.Event(), expected_claim=None, on_block=lambda _number, _aim: None
    ).run()
    assert (done.last_block, done.compared) == (BLOCKS, ["journal", "state"])
    return time.perf_counter() - started, time.process_time() - cpu_started, peak_mb()


if __name__ == "__main__":
    main()
