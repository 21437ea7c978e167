"""Errors of commands: a one-line message and an exit code.

Exit codes: 0 success; 1 a check failed or the input is invalid; 2 wrong usage or configuration.
"""

from __future__ import annotations

import click


class CheckFailed(click.ClickException):
    """A check failed, or the input is invalid (exit code 1)."""

    exit_code = 1

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))


class ConfigurationError(CheckFailed):
    """Wrong configuration (exit code 2)."""

    exit_code = 2
