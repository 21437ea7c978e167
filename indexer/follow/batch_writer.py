"""Writer of batches into one database: in this process, or in another one while there is much to write."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from sqlalchemy import Engine

from indexer.follow.projector_process import ProjectorProcess
from settlement.net.backoff import Stopped
from settlement.store.database import is_sqlite
from settlement.store.write.projector import Batch, Projector

LARGE_BATCH_CHARACTERS: Final = 500_000
"""Journal text of a batch from which a process of its own is worth its start, of about half a second."""


class BatchWriter:
    """A BatchSink and context manager: leaving it commits what is queued, an interruption drops it.

    The first large batch while catching up starts a process that writes the batches after it. When the chain
    is followed live, that process ends, and each batch is committed before `project` returns. Only one of
    them writes at a time, both under the lease of this process. Discard the writer after an error.
    """

    def __init__(
        self,
        engine: Engine,
        url: str,
        projector: Projector,
        *,
        large_batch_characters: int = LARGE_BATCH_CHARACTERS,
    ) -> None:
        """`url` is the engine's, for the other process; `projector` must be of the newest block."""
        self._engine = engine
        self._url = url
        self._projector: Projector | None = projector
        self._large = large_batch_characters
        self._process: ProjectorProcess | None = None

    def project(self, batch: Batch) -> None:
        """Take a batch. Raises what the projector raises, also for an earlier batch."""
        if batch.live:
            self.finish()
        if self._process is not None:
            self._projector = None
            return self._hand_over(self._process, batch)
        if not batch.live and self._is_large(batch):
            self._process = ProjectorProcess(self._url)  # it starts while this batch is written here
        if self._projector is None:
            self._projector = Projector(self._engine)
        self._projector.project(batch)

    def _hand_over(self, process: ProjectorProcess, batch: Batch) -> None:
        try:
            process.project(batch)
        except BaseException:
            self._process = None
            process.kill()
            raise

    def finish(self) -> None:
        """Wait until all batches are committed. Raises what the projector raises."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.finish()
        finally:
            process.kill()

    def _is_large(self, batch: Batch) -> bool:
        url = self._engine.url
        in_memory = is_sqlite(url) and url.database in (None, "", ":memory:")
        return not in_memory and sum(len(entry.text) for entry in batch.entries) >= self._large

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Stopped | KeyboardInterrupt) and self._process is not None:
            self._process.kill()
        else:
            self.finish()
