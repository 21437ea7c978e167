"""The `peakedex` command: one module a subcommand. The composition root, which may import every package."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import click

from indexer import settings as config
from indexer.cli.archive import archive
from indexer.cli.backup import backup, restore
from indexer.cli.database import db
from indexer.cli.demo import demo
from indexer.cli.devnet.command import devnet
from indexer.cli.doctor import doctor
from indexer.cli.export import export
from indexer.cli.follow import follow
from indexer.cli.intent import intent
from indexer.cli.journal import journal, state
from indexer.cli.payouts.run import payouts
from indexer.cli.prove import prove
from indexer.cli.replay import replay
from indexer.cli.run import run
from indexer.cli.serve import serve
from indexer.cli.site import site
from indexer.cli.snapshot import snapshot
from indexer.cli.support.errors import one_line_errors
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
    site,
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


def _default_map(command: click.Command, settings: dict[str, Any]) -> dict[str, Any]:
    """A click default map that gives every command, at any depth, the same settings."""
    if not isinstance(command, click.Group):
        return settings
    return settings | {name: _default_map(inner, settings) for name, inner in command.commands.items()}


class _Group(click.Group):
    """Command group that applies the settings file, and shows expected failures as one-line errors."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        settings = config.read_file()
        extra.setdefault("default_map", _default_map(self, settings))
        return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            return super().invoke(ctx)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(
    version("peakedex"), prog_name="peakedex", message=f"%(prog)s, version %(version)s, {name_of_build()}"
)
def main() -> None:
    """Peake DEX: an order-book exchange on the Hive blockchain.

    Anyone can replay the chain and get the same state, byte for byte. Try it on your machine: peakedex demo
    """


for _command in _COMMANDS:
    main.add_command(_command)
