"""Published evidence: from a bare machine to the operator's checkpoint, and every forgery with its sentence."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.ops.evidence.fetch import Fetcher
from indexer.ops.evidence.origin import HttpOrigin
from indexer.sources.evidence import Evidence
from indexer.sources.source import SourceError
from settlement.net.http_client import Limits
from tests.system.cli.command import FAILED, MISUSED, OK, Run, peakedex
from tests.system.cli.world import world
from tests.system.verify import evidence as made
from tests.system.verify.evidence import Exchange, RangeHandler


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Trades, a checkpoint, idle blocks, trades; published three times."""
    with world(blocks=6) as chain:
        here = Exchange(chain, tmp_path_factory.mktemp("exchange"))
        here.idle(12)
        here.follow()
        here.post_checkpoint()
        here.idle(24)
        chain.trade(2)
        here.idle(24)
        while chain.irreversible % made.PART_BLOCKS != made.PART_BLOCKS // 2:
            here.deposit()  # the unfinished part has receipts, too
        here.follow()
        here.publish()
        assert made.unpacked(here.folder / made.names(here.folder, "receipts")[-1])
        chain.trade(3)
        here.idle(24)
        here.follow()
        here.publish()
        made.copy_of(here.folder, here.older)
        here.idle(4)
        here.follow()
        here.publish()
        here.record()
        yield here


@pytest.fixture
def copy(exchange: Exchange, tmp_path: Path) -> Path:
    """A copy of the evidence to forge."""
    return made.copy_of(exchange.folder, tmp_path / "forged")


def verify(exchange: Exchange, folder: Path, *words: object) -> Run:
    return peakedex("verify", "--venue", exchange.venue, "--archive", folder, *words)


def facts(run: Run) -> dict[str, str]:
    assert run.code == OK, run.out + run.err
    return dict(line.split(maxsplit=1) for line in run.lines)


# ---------------------------------------------------------------- the same


def test_from_a_bare_machine_to_the_operator_s_checkpoint(exchange: Exchange, tmp_path: Path) -> None:
    with made.serving(made.static(exchange.folder)) as url:
        fetched = peakedex("fetch", "--from", f"{url}/", "--out", tmp_path / "got", "--json")
    assert fetched.code == OK, fetched.err
    venue = fetched.json["venue_file"]
    asked = exchange.node[1]
    run = peakedex(
        *("verify", "--venue", venue, "--archive", tmp_path / "got", *exchange.node, "--sample", "10000"),
    )
    said = facts(run)
    assert said["result"] == "same"
    assert said["compared"] == "journal, state"
    state = peakedex("state", "--db", exchange.database, "--json").json
    assert (said["journal_hash"], said["state_hash"]) == (state["journal_hash"], state["state_hash"])
    assert said["checkpoint"].startswith("same hashes as the checkpoint of block ")
    assert said["checkpoint"].endswith(f": confirmed by {asked}")
    assert said["last_block_id"] == f"confirmed by {asked}"
    total = said["sampled"].split(" ")[2]
    assert said["sampled"].startswith(
        f"{total} of {total} blocks published as headers only hold no operation"
    )
    assert said["odds"] == "all of them were read: nothing is hidden"


def test_without_a_node_it_says_that_none_was_asked(exchange: Exchange) -> None:
    said = facts(verify(exchange, exchange.folder, "--against", exchange.database))
    assert said["compared"] == "journal, state, rows"
    assert "not confirmed, no Hive node was asked" in said["checkpoint"]
    assert said["last_block_id"].startswith("not confirmed")


def test_a_sample_says_its_odds(exchange: Exchange) -> None:
    said = facts(verify(exchange, exchange.folder, *exchange.node, "--sample", 20, "--seed", 1))
    assert said["sampled"].startswith("20 of ")
    assert "hidden blocks" in said["odds"]
    assert "with 95%" in said["odds"]
    assert verify(exchange, exchange.folder, "--sample", 5).code == MISUSED


def test_it_is_an_archive_for_replay_and_a_target_for_verify(exchange: Exchange) -> None:
    replayed = peakedex("replay", "--venue", exchange.venue, "--archive", exchange.folder, "--json").json
    state = peakedex("state", "--db", exchange.database, "--json").json
    assert replayed["state_hash"] == state["state_hash"]
    nodes = exchange.chain.nodes
    words = ("verify", "--venue", exchange.venue, *nodes, "--against", exchange.folder, "--json")
    said = peakedex(*words).json
    assert (said["result"], said["compared"]) == ("same", ["journal", "state"])


def test_publishing_adds_only_what_is_new(exchange: Exchange, tmp_path: Path) -> None:
    """A whole part is never uploaded again, the unfinished one is replaced, an equal run uploads nothing."""
    later = exchange.copy(tmp_path)
    made.copy_of(exchange.folder, later.folder)
    before = made.manifest_of(later.folder)
    assert later.publish()["uploaded_files"] == 0
    assert made.manifest_of(later.folder) == before
    assert {part["last"] - part["first"] + 1 for part in before["parts"][1:-1]} == {made.PART_BLOCKS}
    named = {path.name for path in later.folder.iterdir()}
    peakedex("fetch", "--from", later.folder, "--out", tmp_path / "got")
    later.idle(5)
    later.follow()
    assert later.publish()["blocks"] == 5
    after = made.manifest_of(later.folder)
    whole = [part for part in before["parts"] if (part["last"] + 1) % made.PART_BLOCKS == 0]
    assert after["parts"][: len(whole)] == whole
    assert named - {path.name for path in later.folder.iterdir()} != set(), "older states stay for ever"
    again = peakedex("fetch", "--from", later.folder, "--out", tmp_path / "got", "--json").json
    assert again["fetched_files"] < len(after["parts"])
    assert facts(verify(later, tmp_path / "got"))["result"] == "same"


def test_an_archive_serves_as_well_as_nodes(exchange: Exchange, tmp_path: Path) -> None:
    fresh = exchange.copy(tmp_path)
    said = fresh.publish("--archive", exchange.recorded)
    assert said["state_hash"] == made.manifest_of(exchange.folder)["state_hash"]
    assert made.names(fresh.folder, "headers") == made.names(exchange.folder, "headers")


# ---------------------------------------------------------------- publish that is killed


class _Killed(BaseException):
    """Not an Exception: nothing of the program may catch it."""


class _DyingStorage:
    """A storage whose process is killed before, or half-way through, one of its operations."""

    def __init__(self, storage: Any, operations: int) -> None:
        self._storage = storage
        self._left = operations

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._storage, name)

        def call(*arguments: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                if name == "put":
                    path, to = arguments
                    half = path.with_suffix(".half")
                    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
                    method(half, to)
                raise _Killed
            return method(*arguments)

        return call


def test_publish_may_be_killed_at_each_step(exchange: Exchange, tmp_path: Path) -> None:
    """Whatever is named is whole after each; the next run completes it, and leaves nothing behind."""
    before, after = made.manifest_of(exchange.older), made.manifest_of(exchange.folder)
    ends = {before["parts"][-1]["last"], after["parts"][-1]["last"]}
    assert len(ends) == 2
    seen = set()
    for operations in range(1_000):
        place = made.copy_of(exchange.older, tmp_path / f"{operations}")
        try:
            with made.folder_storage(place) as storage:
                exchange.publisher(_DyingStorage(storage, operations))()
            break
        except _Killed:
            found = Evidence(place)
            found.check_files()
            seen.add(found.manifest.last)
        with made.folder_storage(place) as storage:
            exchange.publisher(storage)()
        assert made.manifest_of(place)["parts"] == after["parts"]
        Evidence(place).check_files()
        assert not [path.name for path in place.iterdir() if path.name.endswith(".part")]
    assert operations > 20
    assert seen >= ends
    assert facts(verify(exchange, place))["result"] == "same"


def test_a_manifest_that_was_half_replaced_is_put_in_place(exchange: Exchange, tmp_path: Path) -> None:
    """Some servers cannot rename over a file: it is deleted first, and the process may be killed then."""
    later = exchange.copy(tmp_path)
    made.copy_of(exchange.older, later.folder)
    (later.folder / made.MANIFEST).rename(later.folder / f"{made.MANIFEST}.part")
    said = later.publish("--archive", exchange.recorded)
    assert 0 < said["blocks"] < made.PART_BLOCKS
    assert made.manifest_of(later.folder)["parts"] == made.manifest_of(exchange.folder)["parts"]
    (later.folder / made.MANIFEST).rename(later.folder / f"{made.MANIFEST}.part")
    (later.folder / f"{made.MANIFEST}.part").write_bytes(b'{"format": ')
    assert later.publish("--archive", exchange.recorded)["blocks"] == said["last_block"]


# ---------------------------------------------------------------- forgeries

Forgery = Callable[[Path], None]
ORDER = b'\\"price\\":\\"'
"""Only orders have a price; whether quantities count, receipts decide."""
QUANTITY = b'quantity\\":\\"'


def in_file(kind: str, word: bytes, change: Callable[[bytes], bytes]) -> Forgery:
    return lambda folder: made.rewrite(folder, made.part_with(folder, kind, word), change)


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda text: text.replace(old, new, 1)


def without_line(word: bytes) -> Callable[[bytes], bytes]:
    """Drop the last line with a word."""

    def change(text: bytes) -> bytes:
        lines = text.splitlines(keepends=True)
        del lines[max(n for n, line in enumerate(lines) if word in line)]
        return b"".join(lines)

    return change


def drop_part(folder: Path) -> None:
    manifest = made.manifest_of(folder)
    del manifest["parts"][2]
    made.save(folder, manifest)


def rename_file(name: str) -> Forgery:
    def forge(folder: Path) -> None:
        manifest = made.manifest_of(folder)
        manifest["parts"][0]["blocks"]["name"] = name
        made.save(folder, manifest)

    return forge


def of_other_part(kind: str) -> Forgery:
    """A part's file takes the content of the one before."""

    def forge(folder: Path) -> None:
        one, other = made.names(folder, kind)[:2]
        shutil.copy(folder / one, folder / other)
        made.rehash(folder)

    return forge


FORGERIES: dict[str, tuple[Forgery, str]] = {
    "journal line": (
        in_file("journal", b"\ndeposit ", swap(b"\ndeposit ", b"\nrefund ")),
        "DIFFERS in a journal line",
    ),
    "state line": (
        lambda folder: made.rewrite(folder, made.manifest_of(folder)["state"]["name"], swap(b" 1", b" 2")),
        "DIFFERS in a state line",
    ),
    "dropped part": (drop_part, "a part is missing or misplaced"),
    "path out of the folder": (rename_file("../../x"), "a file is named '../../x', it must be blocks-"),
    "absolute path": (rename_file("/etc/passwd"), "a file is named '/etc/passwd'"),
    "price in a whole block": (
        in_file("blocks", ORDER, swap(ORDER, ORDER + b"9")),
        "DIFFERS in a journal line",
    ),
    "time of a header": (
        in_file("headers", b"\n3 ", swap(b"\n3 ", b"\n6 ")),
        ": the header lines give block ",
    ),
    "dropped header": (in_file("headers", b"\n3 ", without_line(b"3 ")), "the part ends at block "),
    "dropped whole block": (
        in_file("blocks", ORDER, without_line(ORDER)),
        "DIFFERS in a journal line",
    ),
    "dropped receipts": (
        in_file("receipts", b"{", without_line(b"{")),
        "INCOMPLETE: the archive has no receipts",
    ),
    "quantity in receipts": (
        in_file("receipts", b"quantity", swap(b'quantity\\":\\"', b'quantity\\":\\"7')),
        "DIFFERS in a journal line",
    ),
    "receipts of another part": (of_other_part("receipts"), "which is not among the whole blocks here"),
    "headers of another part": (of_other_part("headers"), "it does not begin with `peakedex-headers-1 "),
    "blocks of another part": (of_other_part("blocks"), " follows block 9"),
    "journal of another part": (of_other_part("journal"), "is not of this part"),
    "no zstd": (
        lambda folder: _plain(folder, made.names(folder, "headers")[0]),
        "cannot be read",
    ),
}


def _plain(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"peakedex-headers-1 1 " + b"0" * 40 + b"\n")
    made.rehash(folder)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_named(name: str, exchange: Exchange, copy: Path) -> None:
    forge, sentence = FORGERIES[name]
    forge(copy)
    run = verify(exchange, copy)
    assert run.code == FAILED, run.out
    assert sentence in (run.out + run.err)
    assert run.out == "" or run.err == ""


def test_a_file_that_is_not_the_manifest_s_is_named(exchange: Exchange, copy: Path, tmp_path: Path) -> None:
    name = made.names(copy, "journal")[0]
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-1] + bytes((content[-1] ^ 1,)))
    assert f"{name}: its content is not that of the manifest" in verify(exchange, copy).error
    run = peakedex("fetch", "--from", copy, "--out", tmp_path / "got")
    assert (run.code, run.complaint.count(name)) == (FAILED, 1)
    (copy / name).unlink()
    assert f"{name}: No such file" in verify(exchange, copy).error
    assert f"{name}: no such file" in peakedex("fetch", "--from", copy, "--out", tmp_path / "got").complaint


def test_evidence_without_its_manifest_is_no_archive_with_gaps(exchange: Exchange, copy: Path) -> None:
    """A fetch that was interrupted has none yet."""
    (copy / "manifest.json").unlink()
    assert "manifest.json: No such file or directory: fetch it again" in verify(exchange, copy).error


def test_a_hidden_block_is_found_by_a_sample(exchange: Exchange, copy: Path, tmp_path: Path) -> None:
    """The forger leaves a block with an order out, and derives journal and state without it."""
    name = made.part_with(copy, "blocks", ORDER)
    number = int(json.loads(made.unpacked(copy / name).splitlines()[-1])["block_id"][:8], 16)
    made.rewrite(copy, name, without_line(ORDER))
    database = tmp_path / "forged.db"
    replayed = peakedex("replay", "--venue", exchange.venue, "--archive", copy, "--db", database, "--json")
    assert replayed.code == OK
    _take_texts(copy, database)
    assert facts(verify(exchange, copy, *exchange.node))["result"] == "same"
    run = verify(exchange, copy, *exchange.node, "--sample", 10_000)
    assert run.code == FAILED
    assert run.lines[0].startswith("DIFFERS in a block published as a header only of block ")
    assert "has operations of the exchange in this block" in run.lines[-1]
    assert number >= int(run.lines[0].rsplit(" ", 1)[1])


def _take_texts(folder: Path, database: Path) -> None:
    """Give evidence the journal and state of a database."""
    for part in made.manifest_of(folder)["parts"]:
        words = ("--from", part["first"], "--to", part["last"])
        text = peakedex("journal", "--db", database, *words).out.encode()
        if text != made.unpacked(folder / part["journal"]["name"]):
            made.rewrite(folder, part["journal"]["name"], functools.partial(_replaced, text))
    state = peakedex("state", "--db", database).out.encode()
    made.rewrite(folder, made.manifest_of(folder)["state"]["name"], functools.partial(_replaced, state))


def _replaced(text: bytes, _: bytes) -> bytes:
    return text


def test_a_changed_order_is_found_by_a_sample_of_whole_blocks(
    exchange: Exchange, copy: Path, tmp_path: Path
) -> None:
    name = made.part_with(copy, "blocks", ORDER)
    made.rewrite(copy, name, swap(ORDER, ORDER + b"9"))
    database = tmp_path / "forged.db"
    assert peakedex("replay", "--venue", exchange.venue, "--archive", copy, "--db", database).code == OK
    _take_texts(copy, database)
    assert facts(verify(exchange, copy))["result"] == "same"
    run = verify(exchange, copy, *exchange.node, "--sample", 10_000)
    assert run.code == FAILED
    assert run.lines[0].startswith("DIFFERS in a published whole block of block ")
    assert "has other transactions under the same block id" in run.lines[-1]


def test_changed_receipts_are_found_by_a_sample_of_receipts(
    exchange: Exchange, copy: Path, tmp_path: Path
) -> None:
    """A deposit of the forger's own making, after the checkpoint, with everything that follows from it."""
    made.rewrite(copy, made.part_with(copy, "receipts", QUANTITY), swap(QUANTITY, QUANTITY + b"7"))
    database = tmp_path / "forged.db"
    assert peakedex("replay", "--venue", exchange.venue, "--archive", copy, "--db", database).code == OK
    _take_texts(copy, database)
    words = (*exchange.node, "--sample", 10_000)
    said = facts(verify(exchange, copy, *words))
    assert said["sampled_receipts"] == "none, no Hive-Engine node was asked: add --engine-node URL"
    engine = ("--engine-node", exchange.chain.server.engine_url)
    run = verify(exchange, copy, *words, *engine)
    assert run.code == FAILED
    assert run.lines[0].startswith("DIFFERS in a published receipt of block ")
    assert run.lines[-1] == f"cause    the second one is of {exchange.chain.server.engine_url}"
    said = facts(verify(exchange, exchange.folder, *words, *engine))
    assert said["sampled_receipts"].endswith(" blocks: as the Hive-Engine nodes have them")


def test_a_checkpoint_that_the_blocks_do_not_give_is_named(exchange: Exchange, tmp_path: Path) -> None:
    """The forger changes an order from before the checkpoint, and everything that follows from it."""
    copy = made.copy_of(exchange.folder, tmp_path / "forged")
    first = next(name for name in made.names(copy, "blocks") if ORDER in made.unpacked(copy / name))
    made.rewrite(copy, first, swap(ORDER, ORDER + b"9"))
    database = tmp_path / "forged.db"
    assert peakedex("replay", "--venue", exchange.venue, "--archive", copy, "--db", database).code == OK
    _take_texts(copy, database)
    run = verify(exchange, copy)
    assert run.code == FAILED
    assert run.lines[0].startswith("DIFFERS in a checkpoint of block ")
    assert run.lines[-1].startswith("cause    the checkpoint of peakecoin in block ")


def test_another_chain_is_named_by_the_node(exchange: Exchange) -> None:
    with world(genesis=1_600_000_000) as other:
        for _ in range(150):
            other.node.tick()
        words = ("--node", other.server.url, "--chain-id", "devnet")
        run = verify(exchange, exchange.folder, *words)
    assert run.code == FAILED, run.err
    assert "DIFFERS in a block id of block " in run.out
    assert "the archive is of another chain, or forged" in run.out


# ---------------------------------------------------------------- fetching from bad servers


class Faulty(RangeHandler):
    """Serves `folder`; a subclass does one thing wrong with files of evidence."""

    requests: list[tuple[str, int]]

    def answer(self, content: bytes, offset: int) -> None:
        if not self.path.endswith(".zst"):
            super().answer(content, offset)
            return
        self.requests.append((self.path, offset))
        self.fault(content, offset)

    def fault(self, content: bytes, offset: int) -> None:
        super().answer(content, offset)


class BreaksOff(Faulty):
    """A file comes in two pieces: the first connection ends early."""

    def fault(self, content: bytes, offset: int) -> None:
        self.send_response(206 if offset else 200)
        if offset:
            self.send_header("Content-Range", f"bytes {offset}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - offset))
        self.end_headers()
        self.wfile.write(content[offset:] if offset else content[: len(content) // 2])


class Short(Faulty):
    def fault(self, content: bytes, offset: int) -> None:
        super().fault(content[:-1] if offset == 0 else content, offset and len(content))


class Long(Faulty):
    def fault(self, content: bytes, offset: int) -> None:
        super().fault(content + b"x", offset)


class Endless(Faulty):
    def fault(self, content: bytes, _: int) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1 << 16))
        except OSError:
            return


class LiesAboutLength(Faulty):
    def fault(self, content: bytes, _: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) + 1000))
        self.end_headers()
        self.wfile.write(content[:10])


class WrongRange(BreaksOff):
    def fault(self, content: bytes, offset: int) -> None:
        if not offset:
            super().fault(content, 0)
            return
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 0-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content)


class Redirects(Faulty):
    def fault(self, content: bytes, offset: int) -> None:
        self.send_response(302)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()


class Missing(Faulty):
    def fault(self, content: bytes, offset: int) -> None:
        self.send_error(404)


class Changed(Faulty):
    def fault(self, content: bytes, offset: int) -> None:
        super().fault(bytes(len(content)), offset)


LIMITS = Limits(connect_seconds=5.0, read_seconds=20.0, total_seconds=60.0, max_bytes=1 << 20)


def fetch(handler: type[Faulty], folder: Path, out: Path) -> Any:
    """Fetch from a server, without its pauses."""
    requests: list[tuple[str, int]] = []
    kind = type(handler.__name__, (handler,), {"folder": folder, "requests": requests})
    with made.serving(kind) as url:
        done = Fetcher(HttpOrigin(url, LIMITS), out, sleep=lambda _: None).run()
        return done, requests


def test_a_broken_connection_is_taken_up_where_it_broke(exchange: Exchange, tmp_path: Path) -> None:
    done, requests = fetch(BreaksOff, exchange.folder, tmp_path / "got")
    assert done.bytes == sum(file.size for file in done.manifest.files)
    assert sum(1 for _, offset in requests if offset) == done.files - 1  # but for the venue file
    assert facts(verify(exchange, tmp_path / "got"))["result"] == "same"


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (Long, "longer than the "),
        (Endless, "longer than the "),
        (LiesAboutLength, "the connection broke off"),
        (WrongRange, "another range than the one that was asked for"),
        (Redirects, "redirections are not followed"),
        (Missing, "HTTP status 404"),
        (Changed, "its content is not that of the manifest"),
    ],
)
def test_a_bad_server_is_named(
    handler: type[Faulty], sentence: str, exchange: Exchange, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=sentence) as error:
        fetch(handler, exchange.folder, tmp_path / "got")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "got" / made.MANIFEST).exists()
    done, _ = fetch(Faulty, exchange.folder, tmp_path / "got")  # and it recovers
    assert facts(verify(exchange, tmp_path / "got"))["result"] == "same"
    assert done.manifest.last == made.manifest_of(exchange.folder)["parts"][-1]["last"]


def test_an_endless_manifest_is_refused(exchange: Exchange, tmp_path: Path) -> None:
    folder = tmp_path / "huge"
    folder.mkdir()
    (folder / made.MANIFEST).write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(SourceError, match="the answer is longer than"):
        fetch(Faulty, folder, tmp_path / "got")


def test_evidence_that_is_renewed_meanwhile_is_followed(exchange: Exchange, tmp_path: Path) -> None:
    """The manifest that was read first names files that are gone: the newer one is read."""
    stale = made.copy_of(exchange.folder, tmp_path / "stale")
    gone = made.manifest_of(stale)["parts"].pop()
    for file in gone.values():
        if isinstance(file, dict):
            (stale / file["name"]).unlink()

    class Renewed(Faulty):
        def do_GET(self) -> None:
            if self.path.endswith(gone["headers"]["name"]) and self.folder == stale:
                type(self).folder = exchange.folder
                self.send_error(404)
            else:
                super().do_GET()

    (stale / made.MANIFEST).write_text(json.dumps(made.manifest_of(exchange.folder)), "utf-8")
    done, _ = fetch(Renewed, stale, tmp_path / "got")
    assert done.manifest.last == gone["last"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--from", "nowhere"), "manifest.json: no such file: is it a folder of `peakedex publish`?"),
        (("--from", "sftp://host/x"), "evidence is fetched from https://, http:// or a folder"),
        (("--from", "https://host/x?y=1"), "is not a folder's URL"),
    ],
)
def test_usage_of_fetch(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    run = peakedex("fetch", *words, "--out", tmp_path / "got")
    assert run.code == FAILED
    assert sentence in run.complaint


def test_publish_refuses_what_would_not_be_evidence(exchange: Exchange, copy: Path, tmp_path: Path) -> None:
    """Another venue's folder, a place that is ahead of the database, a part that was damaged, no folder."""
    place = functools.partial(peakedex, "publish", "--db", exchange.database, *exchange.node, "--to")
    assert "no such file or folder" in place(tmp_path / "missing").complaint
    manifest = made.manifest_of(copy)
    made.save(copy, manifest | {"venue_hash": "0" * 64})
    assert "the evidence there is of another venue" in place(copy).complaint
    (copy / made.MANIFEST).write_text("{}")
    assert "not a manifest of evidence" in place(copy).complaint
