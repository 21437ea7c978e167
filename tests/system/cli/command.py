"""Runs the `peakedex` command: arguments in, exit code and output out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
from click.testing import CliRunner

from indexer.cli import main

OK, FAILED, MISUSED = 0, 1, 2


@dataclass(frozen=True)
class Run:
    """The result of a command. `lines` is its standard output."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The error message: the last line of standard error, after click's usage lines if any."""
        assert self.err.endswith("\n")
        return self.err.splitlines()[-1]

    @property
    def complaint(self) -> str:
        """The error message of a command that printed nothing else."""
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        return self.error


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PEAKEDEX_")}


def peakedex(*words: object, **environment: str) -> Run:
    """Run a command in this process. An exception fails the test."""
    hidden = {name: None for name in os.environ if name.startswith("PEAKEDEX_")}
    done = CliRunner().invoke(main, [str(word) for word in words], env={**hidden, **environment})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Run(done.exit_code, done.stdout, done.stderr)


def in_process(*words: object, timeout: float = 240, **options: Any) -> Run:
    """Run a command in its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "indexer.cli", *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=timeout,
        **{"env": clean_environment(), **options},
    )
    return Run(done.returncode, done.stdout, done.stderr)


def commands(
    command: click.Command = main, name: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is not a group, by its names."""
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield name, command
        for word, inner in command.commands.items():
            yield from commands(inner, (*name, word))
    else:
        yield name, command
