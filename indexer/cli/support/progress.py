"""A progress bar on a terminal, for commands that take longer than a second."""

from __future__ import annotations

import sys
from typing import Any, Self

import click


class Bar:
    """Blocks done, from the first one on: only then its length is known."""

    def __init__(self, number: int, *, quiet: bool) -> None:
        """`number` is the block before the first; `quiet` for output that programs read."""
        self._number = number
        self._quiet = quiet or not sys.stderr.isatty()
        self._bar: Any = None

    def reached(self, number: int, until: int) -> None:
        """Show where it is."""
        if self._quiet:
            return
        if self._bar is None:
            length = until - self._number
            self._bar = click.progressbar(length=length, label="blocks", file=sys.stderr, show_pos=True)
            self._bar.update_min_steps = max(1, length // 1000)
        self._bar.update(number - self._number)
        self._number = number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()
