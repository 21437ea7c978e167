"""One life of the indexer: `peakedex follow`, in a process that was forked from one with everything imported.

Starting Python and importing takes longer than most of these lives last.
"""

from __future__ import annotations

import alembic.command  # noqa: F401  the database is migrated with it

import indexer.cli.follow  # noqa: F401  the command
from indexer.cli import main


def follow(arguments: list[str]) -> None:
    """What the command does, with the same arguments; ends the process."""
    main(["follow", *arguments])
