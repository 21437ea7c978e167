"""The journal: what happened, as text, and its hash chain (protocol, section 9)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from settlement.core.events import BlockHeader
from settlement.core.journal.effects import Effect


def iso_time(timestamp: int) -> str:
    """Seconds since 1970 (UTC) as Hive writes them: ISO 8601 without a zone."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def journal_text(header: BlockHeader, effects: Iterable[Effect]) -> str:
    """The lines of one block, each with its LF; empty where nothing of ours happened."""
    lines = [effect.line() for effect in effects]
    if not lines:
        return ""
    return f"block {header.number} {header.block_id} {iso_time(header.timestamp)}\n" + "".join(lines)


def chain_hash(previous: str, text: str) -> str:
    """The journal hash after a block with that text; unchanged where there is none. 64 hex digits."""
    if not text:
        return previous
    return sha256(f"{previous}\n{text}".encode()).hexdigest()
