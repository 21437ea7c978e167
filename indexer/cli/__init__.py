"""The `peakedex` command: one module a subcommand. The composition root, which may import every package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

import click

from indexer import settings as config
from indexer.rules_build import name_of_build

_MODULES: Final[Mapping[str, str]] = {
    "replay": "replay",
    "verify": "verify",
    "archive": "archive",
    "publish": "publish",
    "fetch": "fetch",
    "journal": "journal",
    "state": "journal",
    "prove": "prove",
    "export": "export",
    "statement": "statement",
    "venue": "venue",
    "follow": "follow",
    "serve": "serve",
    "run": "run",
    "site": "site",
    "payouts": "payouts.run",
    "snapshot": "snapshot",
    "backup": "backup",
    "restore": "backup",
    "db": "database",
    "doctor": "doctor",
    "demo": "demo",
    "devnet": "devnet.command",
    "intent": "intent",
    "mirror": "mirror",
    "notify": "notify",
}
"""The module of each command."""


class _Commands(MutableMapping[str, click.Command]):
    """The commands by name. Each is imported when it is used: all together take most of a second."""

    def __init__(self) -> None:
        self._added: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._added:
            command = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
            assert isinstance(command, click.Command)
            self._added[name] = command
        return self._added[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._added[name] = command

    def __delitem__(self, name: str) -> None:
        del self._added[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**_MODULES, **self._added})

    def __len__(self) -> int:
        return len({**_MODULES, **self._added})


def _default_map(command: click.Command, settings: dict[str, Any]) -> dict[str, Any]:
    """A click default map that gives every command, at any depth, the same settings."""
    if not isinstance(command, click.Group):
        return settings
    return settings | {name: _default_map(inner, settings) for name, inner in command.commands.items()}


class _DefaultMap(dict[str, Any]):
    """The default map of `main`, whose commands are not imported before they are looked up."""

    def __init__(self, group: click.Group, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self._group = group
        self._settings = settings

    def get(self, key: str, default: Any = None) -> Any:
        if key in self._group.commands:
            return _default_map(self._group.commands[key], self._settings)
        return super().get(key, default)


class _Group(click.Group):
    """Command group that applies the settings file, and shows expected failures as one-line errors."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        settings = config.read_file()
        extra.setdefault("default_map", _DefaultMap(self, settings))
        return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            # Only now: it imports the modules of all these errors.
            from indexer.cli.support.expected_errors import one_line

            line = one_line(error)
            if line is None:
                raise  # a bug keeps its traceback
            raise line from error


@click.group(
    cls=_Group,
    commands=_Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    version("peakedex"), prog_name="peakedex", message=f"%(prog)s, version %(version)s, {name_of_build()}"
)
def main() -> None:
    """Peake DEX: an order-book exchange on the Hive blockchain.

    Anyone can replay the chain and get the same state, byte for byte. Try it on your machine: peakedex demo
    """
