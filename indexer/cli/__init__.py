"""The `peakedex` command: the composition root, which alone knows every room of the house."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import click

from indexer import settings as config
from indexer.cli.archive import archive
from indexer.cli.backup import backup, restore
from indexer.cli.database import db
from indexer.cli.demo import demo, devnet
from indexer.cli.doctor import doctor
from indexer.cli.export import export
from indexer.cli.intent import intent
from indexer.cli.journal import journal, state
from indexer.cli.payouts.run import payouts
from indexer.cli.prove import prove
from indexer.cli.replay import replay
from indexer.cli.services import follow, run, serve
from indexer.cli.snapshot import snapshot
from indexer.cli.support.errors import reported
from indexer.cli.venue import venue
from indexer.cli.verify import verify
from indexer.rules_build import name_of_build

_COMMANDS: tuple[click.Command, ...] = (
    replay,
    verify,
    archive,
    journal,
    state,
    prove,
    export,
    venue,
    follow,
    serve,
    run,
    payouts,
    snapshot,
    backup,
    restore,
    db,
    doctor,
    demo,
    devnet,
    intent,
)


def _for_each_command(command: click.Command, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as defaults for every command, however deep it lies: the same ones for all."""
    if not isinstance(command, click.Group):
        return settings
    return settings | {name: _for_each_command(inner, settings) for name, inner in command.commands.items()}


class _Group(click.Group):
    """Reads the settings file before anything else, and turns known failures into one-line errors."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        settings = config.read_file()
        extra.setdefault("default_map", _for_each_command(self, settings))
        return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with reported():
            return super().invoke(ctx)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(
    version("peakedex"), prog_name="peakedex", message=f"%(prog)s, version %(version)s, {name_of_build()}"
)
def main() -> None:
    """Peake DEX: an order-book exchange whose only input is a public blockchain.

    Anyone can replay the chain and must get the same state, byte for byte.
    """


for _command in _COMMANDS:
    main.add_command(_command)
