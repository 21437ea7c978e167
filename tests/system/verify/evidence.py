"""A devnet exchange whose evidence is published, and what forgers do to a copy of it."""

from __future__ import annotations

import functools
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import zstandard

from indexer.devnet.traders.payloads import custom_json, intent, token_transfer
from indexer.ops.backup.storage import Credentials, open_storage
from indexer.ops.evidence.publish import Publisher
from indexer.sources.archive import ArchiveSource
from settlement.store.database import open_reader
from tests.system.cli.command import OK, peakedex
from tests.system.cli.world import World
from tests.system.store.chains import VENUE_TEXT

PART_BLOCKS = 10
MANIFEST = "manifest.json"


@dataclass
class Exchange:
    """A devnet with an indexed database, in a folder with `venue.toml`, `dex.db` and `pub`."""

    chain: World
    home: Path

    @property
    def venue(self) -> Path:
        return self.home / "venue.toml"

    @property
    def database(self) -> Path:
        return self.home / "dex.db"

    @property
    def folder(self) -> Path:
        """The evidence."""
        return self.home / "pub"

    @property
    def older(self) -> Path:
        """The evidence before the newest run."""
        return self.home / "older"

    @property
    def node(self) -> tuple[str, ...]:
        """Options with its Hive node."""
        return ("--node", self.chain.server.url, "--chain-id", "devnet")

    def copy(self, home: Path) -> Exchange:
        """The same chain with a copy of the database, in another folder."""
        other = Exchange(self.chain, home)
        with (
            closing(sqlite3.connect(self.database)) as ours,
            closing(sqlite3.connect(other.database)) as theirs,
        ):
            ours.backup(theirs)  # a copy of the file may lack what is in its log
        shutil.copy(self.venue, other.venue)
        return other

    def follow(self) -> None:
        """Index what is irreversible."""
        self.venue.write_text(VENUE_TEXT, "utf-8")
        self.chain.follow(self.database)

    def idle(self, blocks: int) -> None:
        """Blocks in which nothing of the exchange happens."""
        for _ in range(blocks):
            self.chain.node.tick()

    def deposit(self) -> None:
        """A block with a deposit of a sidechain token, which counts by its receipts."""
        node, venue = self.chain.node, self.chain.venue
        node.faucet("alice", "PEK", "5")
        node.broadcast([custom_json(venue, "alice", token_transfer("PEK", venue.tokens["PEK"].escrow, "5"))])
        node.tick()

    def post_checkpoint(self) -> None:
        """Post the checkpoint of the newest indexed block."""
        said = peakedex("state", "--db", self.database, "--json").json
        venue = self.chain.venue
        action = {
            "block": said["block"],
            "stateHash": said["state_hash"],
            "journalHash": said["journal_hash"],
        }
        payload = intent(venue, "checkpoint", action)
        self.chain.node.broadcast([custom_json(venue, venue.operator, payload)])
        self.chain.node.tick()

    @property
    def recorded(self) -> Path:
        """An archive of the whole chain."""
        return self.home / "recorded"

    def record(self) -> None:
        """Record the archive."""
        words = ("--venue", self.venue, *self.chain.nodes, "--out", self.recorded)
        assert peakedex("archive", "record", *words).code == OK

    def publish(self, *words: object) -> Any:
        """Run `peakedex publish`; returns what it says."""
        self.folder.mkdir(exist_ok=True)
        place = ("--db", self.database, "--to", self.folder, "--part-blocks", PART_BLOCKS)
        run = peakedex("publish", *place, *(words or self.node), "--json")
        assert run.code == OK, run.err
        return run.json

    def publisher(self, storage: Any) -> Callable[[], object]:
        """The same into any storage, in this process."""
        engine = open_reader(str(self.database))
        publisher = Publisher(engine, storage, network="devnet", part_blocks=PART_BLOCKS)
        source = ArchiveSource(self.recorded, publisher.venue.filter)
        return functools.partial(publisher.run, source)


@contextmanager
def folder_storage(folder: Path) -> Iterator[Any]:
    """The storage of a folder."""
    folder.mkdir(exist_ok=True)
    with open_storage(str(folder), Credentials()) as storage:
        yield storage


def copy_of(folder: Path, to: Path) -> Path:
    """A copy to forge."""
    return Path(shutil.copytree(folder, to))


def manifest_of(folder: Path) -> Any:
    """The manifest as plain JSON."""
    return json.loads((folder / MANIFEST).read_text("utf-8"))


def unpacked(path: Path) -> bytes:
    """The content of a zstd file."""
    with zstandard.open(path, "rb") as file:
        return bytes(file.read())


def rewrite(folder: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file's content as its publisher could: the manifest's hashes follow."""
    path = folder / name
    before = unpacked(path)
    after = change(before)
    assert after != before, f"the forgery changes nothing in {name}"
    path.write_bytes(zstandard.compress(after))
    rehash(folder)


def rehash(folder: Path) -> None:
    """Give the manifest the sizes and hashes that the files have, and the hash of its state text."""
    manifest = manifest_of(folder)
    files = [manifest["venue"], manifest["state"]]
    files += [value for part in manifest["parts"] for value in part.values() if isinstance(value, dict)]
    for file in files:
        content = (folder / file["name"]).read_bytes()
        file["size"], file["sha256"] = len(content), sha256(content).hexdigest()
    manifest["state_hash"] = sha256(unpacked(folder / manifest["state"]["name"])).hexdigest()
    save(folder, manifest)


def save(folder: Path, manifest: Any) -> None:
    """Write a manifest."""
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")


def names(folder: Path, kind: str) -> list[str]:
    """The manifest's files of a kind, in order."""
    return [part[kind]["name"] for part in manifest_of(folder)["parts"]]


def part_with(folder: Path, kind: str, word: bytes) -> str:
    """The name of the last file of a kind that holds a word."""
    return [name for name in names(folder, kind) if word in unpacked(folder / name)][-1]


@contextmanager
def serving(handler: Any) -> Iterator[str]:
    """A web server; yields its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """No log."""


def static(folder: Path) -> Any:
    """The handler of a static web server, which knows no ranges."""
    return functools.partial(_Quiet, directory=str(folder))


class RangeHandler(BaseHTTPRequestHandler):
    """A static web server that knows ranges, and does wrong what a subclass says."""

    folder: Path

    def log_message(self, *_: object) -> None:
        """No log."""

    def do_GET(self) -> None:
        path = self.folder / self.path.strip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        offset = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.answer(content, offset)

    def answer(self, content: bytes, offset: int) -> None:
        """Send a file from an offset on."""
        self.send_response(206 if offset else 200)
        if offset:
            self.send_header("Content-Range", f"bytes {offset}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - offset))
        self.end_headers()
        self.wfile.write(content[offset:])
