"""Fetches published evidence into a folder: resumes, and compares every file with the manifest.

A file is complete under its name; while it is fetched it has `.part` behind it, from which a later run goes
on. The manifest is written last.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeVar

from indexer.ops.backup.retention import PART
from indexer.ops.evidence.origin import Gone, Interrupted, Origin
from indexer.ops.evidence.publish import OURS
from indexer.ops.files import atomic_write
from indexer.sources.evidence import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    EvidenceFile,
    EvidenceManifest,
    parse_manifest,
    sha256_of,
)
from indexer.sources.source import SourceError
from settlement.net.backoff import Backoff

ATTEMPTS: Final = 6
"""Attempts without progress before it gives up."""
PROGRESS_BYTES: Final = 1 << 16
RENEWALS: Final = 5
"""How often the evidence may be replaced meanwhile."""
BACKOFF: Final = Backoff(0.5, 30.0)

_T = TypeVar("_T")


class Fetched(NamedTuple):
    """What a run did."""

    manifest: EvidenceManifest
    files: int  # that were fetched
    bytes: int  # that were transferred for them


class Fetcher:
    """Fetches one origin's evidence into one folder."""

    def __init__(
        self,
        origin: Origin,
        folder: Path,
        *,
        on_bytes: Callable[[int], object] = lambda _: None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._origin = origin
        self._folder = folder
        self._on_bytes = on_bytes
        self._sleep = sleep
        self._files = self._bytes = 0

    def run(self) -> Fetched:
        """Fetch whatever is missing. Raises SourceError, after which another run goes on."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._run()
        except OSError as error:
            raise SourceError(f"{self._folder}: {error.strerror or error}") from None

    def _run(self) -> Fetched:
        text = self._manifest()
        for renewals_left in reversed(range(RENEWALS)):
            manifest = parse_manifest(text, MANIFEST)
            try:
                self._fetch_all(manifest)
            except Gone:
                newer = self._manifest()  # a longer part has replaced an unfinished one
                if newer == text or not renewals_left:
                    raise
                text = newer
                continue
            with atomic_write(self._folder / MANIFEST) as file:
                file.write(text)
            self._delete_unnamed(manifest)
            return Fetched(manifest, self._files, self._bytes)
        raise AssertionError

    def _manifest(self) -> bytes:
        text = self._again(self._origin.manifest)
        if len(text) > MAX_MANIFEST_BYTES:
            raise SourceError(f"{MANIFEST}: longer than {MAX_MANIFEST_BYTES} bytes")
        return text

    def _fetch_all(self, manifest: EvidenceManifest) -> None:
        missing = [file for file in manifest.files if not self._has(file)]
        needed, free = sum(file.size for file in missing), shutil.disk_usage(self._folder).free
        if needed > free:
            raise SourceError(
                f"{self._folder}: the evidence needs {needed:,} bytes more, {free:,} are free: "
                "choose another folder with --out"
            )
        for file in missing:
            self._fetch(file)

    def _has(self, file: EvidenceFile) -> bool:
        path = self._folder / file.name
        return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256

    def _fetch(self, file: EvidenceFile) -> None:
        """Fetch a file, in as many attempts as bring it forward."""
        path = self._folder / file.name
        part = path.with_name(path.name + PART)
        if part.is_file() and part.stat().st_size > file.size:
            part.unlink()
        part.touch()
        is_resumed = part.stat().st_size > 0
        self._again(lambda: self._attempt(file, part), lambda: part.stat().st_size)
        if sha256_of(part) != file.sha256:
            part.unlink()
            if is_resumed:  # what was there before may be of an older run, and damaged
                return self._fetch(file)
            raise SourceError(
                f"{file.name}: its content is not that of the manifest: it was changed or damaged where it "
                "was fetched from"
            )
        with part.open("rb") as done:
            os.fsync(done.fileno())
        part.replace(path)
        self._files += 1
        return None

    def _attempt(self, file: EvidenceFile, part: Path) -> None:
        """Append what is missing. Raises Interrupted where the origin breaks off."""
        offset = part.stat().st_size
        if offset == file.size:
            return
        with self._origin.file(file.name, offset) as stream, part.open("r+b") as out:
            out.seek(stream.offset)
            out.truncate()
            size = stream.offset
            for piece in stream.pieces:
                size += len(piece)
                if size > file.size:
                    out.truncate(0)
                    raise SourceError(f"{file.name}: longer than the {file.size} bytes of the manifest")
                _write(out, piece, part)
                self._bytes += len(piece)
                self._on_bytes(len(piece))
        if size < file.size:
            raise Interrupted(f"{file.name}: ended after {size} of {file.size} bytes")

    def _again(self, action: Callable[[], _T], size: Callable[[], int] = lambda: 0) -> _T:
        """Repeat an action until it succeeds, or a few times nothing has come forward. Raises SourceError."""
        left, pause, before = ATTEMPTS, 0.0, size()
        while True:
            try:
                return action()
            except Interrupted as error:
                left -= 1
                if size() >= before + PROGRESS_BYTES:
                    left, pause, before = ATTEMPTS, 0.0, size()
                if not left:
                    raise SourceError(f"{error} ({ATTEMPTS} attempts): run it again to go on") from None
                pause = BACKOFF.after(pause)
                self._sleep(pause)

    def _delete_unnamed(self, manifest: EvidenceManifest) -> None:
        """Delete what an older manifest named."""
        kept = {file.name for file in manifest.files}
        for path in self._folder.iterdir():
            if path.name not in kept and OURS.fullmatch(path.name):
                path.unlink()


def _write(out: BinaryIO, piece: bytes, path: Path) -> None:
    """Write to the local file. Its errors are not the origin's: raises SourceError."""
    try:
        out.write(piece)
        out.flush()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from None
