"""A replay whose rows are written by a second process; tests end either process at any moment.

`python -m tests.system.follow.writing ARCHIVE URL` is one that prints each batch's last block.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from indexer.cli.support.processes import interruptible_stop
from indexer.follow.batch_writer import BatchWriter
from indexer.follow.loop import Follower, Progress
from indexer.sources.archive import ArchiveSource
from settlement.core.state_machine import StateMachine
from settlement.net.backoff import Stopped
from settlement.store.database import closing_writer
from settlement.store.lease import Lease
from settlement.store.write.loader import load_or_initialise
from tests.system.store.chains import demo


def write(
    archive: Path, url: str, *, batch: int = 1, on_batch: Callable[[Progress], None] | None = None
) -> StateMachine:
    """Replay an archive; the second process writes all but the first batch."""
    with closing_writer(url) as engine, Lease(engine):
        rules, projector = load_or_initialise(engine, demo())
        with BatchWriter(engine, url, projector, large_batch_characters=1) as writer:
            source = ArchiveSource(archive, rules.venue_filter)
            Follower(rules, writer, source, batch_blocks=batch, on_batch=on_batch).run()
    return rules


def main() -> None:
    with interruptible_stop() as stop:

        def tell(progress: Progress) -> None:
            print(progress.last_block, flush=True)
            if stop.is_set():
                raise Stopped

        write(Path(sys.argv[1]), sys.argv[2], on_batch=tell)


if __name__ == "__main__":
    main()
