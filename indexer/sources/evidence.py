"""Published evidence: what an auditor needs of chain and exchange, as a folder of files (docs/auditor.md).

`manifest.json` names every other file with its size and SHA-256: the state text, the venue file, and numbered
parts of consecutive blocks, each with its header lines (`chain.headers`), the whole blocks that may concern
the venue, the sidechain receipts that counted, and the journal. Nothing in it is signed, and nothing of it is
believed: names and hashes are checked here, ids and links by `evidence_source`, the rest by the replay.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from indexer.sources.source import SourceError

MANIFEST: Final = "manifest.json"
FORMAT: Final = "peakedex-evidence-1"
HEADERS_FORMAT: Final = "peakedex-headers-1"
MAX_MANIFEST_BYTES: Final = 1 << 26
MAX_FILE_BYTES: Final = 1 << 36
VENUE: Final = "venue.toml"
KINDS: Final = {
    "headers": "headers-{first:010}-{last:010}.txt.zst",
    "blocks": "blocks-{first:010}-{last:010}.jsonl.zst",
    "receipts": "receipts-{first:010}-{last:010}.jsonl.zst",
    "journal": "journal-{first:010}-{last:010}.txt.zst",
}
"""The files of a part."""
_CURE: Final = "fetch it again"

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
BlockId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")]
Number = Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)]


class EvidenceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the folder."""

    name: str
    size: Annotated[int, msgspec.Meta(ge=0, le=MAX_FILE_BYTES)]  # bytes
    sha256: Digest


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Consecutive blocks: their numbers, the id of the last one, and the files."""

    first: Number
    last: Number
    last_id: BlockId
    headers: EvidenceFile
    blocks: EvidenceFile
    receipts: EvidenceFile
    journal: EvidenceFile

    @property
    def files(self) -> tuple[EvidenceFile, ...]:
        """The part's files."""
        return tuple(getattr(self, kind) for kind in KINDS)


class EvidenceManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of `manifest.json`. The hashes are those of the last block."""

    format: Literal["peakedex-evidence-1"]
    program: str
    network: str
    venue_hash: Digest
    time: Annotated[str, msgspec.Meta(max_length=30)]  # of the last block
    journal_hash: Digest
    state_hash: Digest
    venue: EvidenceFile
    state: EvidenceFile
    parts: Annotated[list[Part], msgspec.Meta(min_length=1, max_length=1_000_000)]

    @property
    def first(self) -> int:
        """The first block."""
        return self.parts[0].first

    @property
    def last(self) -> int:
        """The last block."""
        return self.parts[-1].last

    @property
    def files(self) -> list[EvidenceFile]:
        """All files but the manifest."""
        return [self.venue, self.state, *(file for part in self.parts for file in part.files)]


def state_name(block: int) -> str:
    """The name of the file with the state text after a block."""
    return f"state-{block:010}.txt.zst"


def parse_manifest(text: bytes, where: str) -> EvidenceManifest:
    """Read and check a manifest; `where` is its origin, for messages. Raises SourceError."""
    try:
        manifest = msgspec.json.decode(text, type=EvidenceManifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"{where}: not a manifest of evidence: {error}") from None
    expected = {(VENUE, manifest.venue.name), (state_name(manifest.last), manifest.state.name)}
    after = manifest.first - 1
    for part in manifest.parts:
        if part.first != after + 1 or part.last < part.first or int(part.last_id[:8], 16) != part.last:
            raise SourceError(
                f"{where}: the part of blocks {part.first} to {part.last} cannot follow block {after}: "
                "a part is missing or misplaced"
            )
        after = part.last
        for kind, name in KINDS.items():
            expected.add((name.format(first=part.first, last=part.last), getattr(part, kind).name))
    for name, found in expected:
        if name != found:
            raise SourceError(f"{where}: a file is named {found[:80]!a}, it must be {name}")
    return manifest


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Evidence:
    """A folder of evidence on this machine, whose manifest is checked."""

    def __init__(self, folder: Path) -> None:
        """Raises SourceError."""
        self.folder = folder
        path = folder / MANIFEST
        try:
            with path.open("rb") as file:
                text = file.read(MAX_MANIFEST_BYTES + 1)
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}: {_CURE}") from None
        if len(text) > MAX_MANIFEST_BYTES:
            raise SourceError(f"{path}: longer than {MAX_MANIFEST_BYTES} bytes")
        self.manifest = parse_manifest(text, str(path))

    def check_files(self) -> None:
        """Compare every file with the manifest. Raises SourceError, naming the first one that differs."""
        for file in self.manifest.files:
            path = self.folder / file.name
            try:
                size = path.stat().st_size
                digest = sha256_of(path) if size == file.size else ""
            except OSError as error:
                raise SourceError(f"{path.name}: {error.strerror}: {_CURE}") from None
            if size != file.size:
                raise SourceError(f"{path.name}: {size} bytes instead of {file.size}: {_CURE}")
            if digest != file.sha256:
                raise SourceError(f"{path.name}: its content is not that of the manifest: {_CURE}")

    def path(self, file: EvidenceFile) -> Path:
        """The place of a file."""
        return self.folder / file.name


def is_evidence(folder: Path) -> bool:
    """Whether a folder holds evidence rather than a recorded archive: also one whose manifest is missing."""
    return (folder / MANIFEST).is_file() or any(folder.glob("headers-*.txt.zst"))
