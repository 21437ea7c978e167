"""Archives given on the command line: recorded blocks, or published evidence."""

from __future__ import annotations

from pathlib import Path

from indexer.chain.integrity.merkle import local_verifier
from indexer.sources.archive import ArchiveSource
from indexer.sources.evidence import Evidence, is_evidence
from indexer.sources.evidence_source import BlockObserver, EvidenceSource
from settlement.core.events import VenueFilter
from settlement.store.database import StoreError


def open_evidence(folder: Path, venue_hash: str) -> Evidence | None:
    """The evidence in a folder, with its files checked; None for a recorded archive.

    Raises SourceError for damaged evidence, StoreError for that of another venue.
    """
    if not is_evidence(folder):
        return None
    evidence = Evidence(folder)
    if evidence.manifest.venue_hash != venue_hash:
        raise StoreError(
            f"--archive {folder} is evidence of another venue ({evidence.manifest.venue_hash[:16]}…; the "
            f"venue file is {venue_hash[:16]}…)"
        )
    evidence.check_files()
    return evidence


def open_archive(
    folder: Path,
    evidence: Evidence | None,
    venue_filter: VenueFilter,
    observer: BlockObserver | None = None,
) -> ArchiveSource | EvidenceSource:
    """The source of the blocks in a folder; `evidence` is what `open_evidence` found there."""
    if evidence is None:
        return ArchiveSource(folder, venue_filter, verifier=local_verifier())
    return EvidenceSource(evidence, venue_filter, verifier=local_verifier(), observer=observer)
