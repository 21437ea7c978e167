"""Help texts and examples of every command."""

from __future__ import annotations

from importlib.metadata import version

import click
import pytest

from indexer.rules_build import name_of_build
from tests.system.cli.command import MISUSED, OK, commands, in_process, peakedex

ALL = dict(commands())


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_help_has_an_example_that_is_the_command_itself(name: tuple[str, ...]) -> None:
    run = peakedex(*name, "--help")
    assert run.code == OK
    (example,) = (line.strip() for line in run.lines if line.strip().startswith("Example:"))
    assert f"{example} ".startswith(f"Example: peakedex {' '.join(name)} ")


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_the_example_names_options_that_exist(name: tuple[str, ...]) -> None:
    command = ALL[name]
    assert command.help is not None
    example = command.help.split("Example:")[1].splitlines()[0].split("|")[0]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in example.split() if word.startswith("--")} <= known


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_every_option_says_what_it_is_for(name: tuple[str, ...]) -> None:
    silent = [
        parameter.name
        for parameter in ALL[name].params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    allowed = ["bots"] if name == ("devnet",) else []
    assert [option for option in silent if option not in allowed] == []


def test_the_commands_are_those_of_the_interfaces() -> None:
    expected = ["replay", "journal", "state", "follow", "serve", "run", "demo", "devnet"]
    assert {name[0] for name in ALL} >= set(expected)
    assert {("venue", "check"), ("venue", "hash"), ("db", "upgrade")} <= set(ALL)


def test_a_word_that_is_no_command_is_misuse() -> None:
    run = peakedex("relpay")
    assert run.code == MISUSED
    assert run.error.startswith("Error: No such command 'relpay'.")


def test_an_option_that_does_not_exist_is_misuse() -> None:
    run = peakedex("replay", "--archiv", ".")
    assert run.code == MISUSED
    assert "--archiv" in run.error


def test_the_installed_command_and_the_module_are_one() -> None:
    run = in_process("--version")
    assert (run.code, run.out) == (OK, f"peakedex, version {version('peakedex')}, {name_of_build()}\n")
