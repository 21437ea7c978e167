"""What the self-check and the go-live checklist look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indexer.ops.doctor.findings import Finding, fatal, ok, warn
from settlement.core.venue import Venue, VenueError, parse_venue
from settlement.net.chain_id import ExpectedChain

_VENUE: Final = "venue"


@dataclass(frozen=True)
class Subject:
    """What is checked."""

    venue_file: Path | None
    db: str | None  # database URL
    nodes: Sequence[str]  # URLs of Hive nodes
    engine_nodes: Sequence[str]  # URLs of Hive-Engine nodes
    quorum: int | None = None  # how many Hive nodes must agree; None for the default
    chain: ExpectedChain | None = None  # of the Hive nodes; None: not checked
    trust_single_node: bool = False  # whether one Hive-Engine node may be believed alone


def read_venue(path: Path | None) -> tuple[list[Finding], Venue | None]:
    """The venue, and a finding about it: one for each mistake where it is not valid."""
    if path is None:
        return [warn(_VENUE, "no venue file given", "give --venue, or set PEAKEDEX_VENUE")], None
    cure = "fix the file; `peakedex venue check` validates it"
    try:
        venue = parse_venue(path.read_text("utf-8"))
    except VenueError as error:
        return [fatal(_VENUE, f"{path}: {mistake}", cure) for mistake in error.mistakes], None
    except UnicodeDecodeError:
        return [fatal(_VENUE, f"{path} is not UTF-8 text", cure)], None
    except OSError as error:
        return [fatal(_VENUE, f"{path}: {error.strerror or error}", "correct --venue")], None
    return [ok(_VENUE, f"{venue.name}: {len(venue.tokens)} tokens, {len(venue.pairs)} pairs")], venue
