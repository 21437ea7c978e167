"""Errors of commands: a one-line message and an exit code.

Exit codes: 0 success; 1 a check failed or the input is invalid; 2 wrong usage or configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click


class CheckFailed(click.ClickException):
    """A check failed, or the input is invalid (exit code 1)."""

    exit_code = 1

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))


class ConfigurationError(CheckFailed):
    """Wrong configuration (exit code 2)."""

    exit_code = 2


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn expected failures into one-line errors. Any other exception is a bug and keeps its traceback."""
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except Exception as error:
        # Only now: it imports the modules of all these errors.
        from indexer.cli.support.expected_errors import one_line

        line = one_line(error)
        if line is None:
            raise
        raise line from error
