"""Progress bars on a terminal, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Self

import click


class BlockProgress:
    """Progress bar of blocks. It appears with the first block that is done."""

    def __init__(self, number: int, *, quiet: bool) -> None:
        """`number` is the block before the first one; `quiet` shows no bar."""
        self._number = number
        self._quiet = quiet or not sys.stderr.isatty()
        self._bar: Any = None

    def reached(self, number: int, until: int | None) -> None:
        """Update to block `number`; `until` is the last block to do, None if unknown."""
        if self._quiet:
            return
        if self._bar is None:
            length = None if until is None else until - self._number
            blocks: Any = count() if length is None else range(length)
            self._bar = click.progressbar(blocks, label="blocks", file=sys.stderr, show_pos=True)
            self._bar.update_min_steps = max(1, (length or 0) // 1000)
        self._bar.update(number - self._number)
        self._number = number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()


@contextmanager
def row_progress(rows: int | None, *, quiet: bool, label: str = "rows") -> Iterator[Callable[[int], object]]:
    """Progress bar of rows: a function to call with the number of further rows. `rows`: None if unknown."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    length: Any = count() if rows is None else range(rows)
    with click.progressbar(length, label=label, file=sys.stderr, show_pos=True) as bar:
        yield bar.update
