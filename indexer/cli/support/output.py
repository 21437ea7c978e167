"""Output of commands that write a file or standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from indexer.cli.support.errors import CheckFailed
from indexer.ops.files import atomic_write

out_option = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Output file; standard output by default.",
)


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """The output file, which appears when it is complete, or standard output; errors become one line."""
    with write_errors(path):
        if path is not None:
            with atomic_write(path) as file:
                yield file
        else:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()


@contextmanager
def write_errors(path: Path | None) -> Iterator[None]:
    """Show file system errors as one line; None is standard output."""
    try:
        yield
    except BrokenPipeError:
        raise  # click exits quietly
    except OSError as error:
        where, result = (
            ("standard output", "the output is incomplete") if path is None else (path, "nothing was written")
        )
        raise CheckFailed(f"{where}: {error.strerror or error}; {result}") from error
