"""Journal text and its hash chain (protocol, section 9)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from settlement.core.events import BlockHeader
from settlement.core.journal.entries import JournalEntry


def iso_time(timestamp: int) -> str:
    """Unix seconds as Hive writes them: ISO 8601 in UTC, without a zone."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def journal_text(header: BlockHeader, entries: Iterable[JournalEntry]) -> str:
    """The lines of one block, each with its LF; empty where it has no entries."""
    lines = [entry.line() for entry in entries]
    if not lines:
        return ""
    return f"block {header.number} {header.block_id} {iso_time(header.timestamp)}\n" + "".join(lines)


def chain_hash(previous: str, text: str) -> str:
    """The journal hash after a block with that text, 64 hex digits. An empty text leaves it unchanged."""
    if not text:
        return previous
    return sha256(f"{previous}\n{text}".encode()).hexdigest()
