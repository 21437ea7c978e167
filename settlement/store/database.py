"""Opens a database, SQLite or PostgreSQL, as its single writer or as a read-only reader; runs migrations.

Alembic is imported only where needed: the projector's process does without, and starts 0.1 s earlier.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import URL, Connection, Engine, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from settlement.store import postgresql, sqlite
from settlement.store.dialect import lock_migrations

if TYPE_CHECKING:
    from alembic.config import Config

_EXAMPLES: Final = "sqlite:///peakedex.db or postgresql://HOST/NAME"


class StoreError(RuntimeError):
    """A database cannot be used. The message says why and what to do."""


def explain(error: BaseException) -> str:
    """The database's own error message in one line, with a hint if the error is a known one."""
    if isinstance(error, StoreError):  # already has its hint
        return str(error)
    reason = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    hints = [hint for known, hint in {**sqlite.HINTS, **postgresql.HINTS}.items() if known in reason]
    return ": ".join((reason, *hints[:1]))


def is_connection_lost(error: Exception) -> bool:
    """Whether the connection or its server is gone, so that a retry may succeed, perhaps on another host."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    return (
        isinstance(cause, DBAPIError)
        and not isinstance(cause.orig, sqlite3.Error)
        and postgresql.is_connection_lost(cause)
    )


def parse_url(url: str) -> URL:
    """Parse a database URL; a bare path means SQLite. Raises StoreError."""
    if "://" not in url:
        return URL.create("sqlite", database=url)
    kind = url.partition("://")[0].partition("+")[0]
    try:
        if kind in ("postgresql", "postgres"):
            return postgresql.parse(url)
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The URL may hold a password, so the message does not show it.
        raise StoreError(f"invalid database URL: use {_EXAMPLES} ({error})") from None
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise StoreError(f"unsupported database {kind!r}: use {_EXAMPLES}")
    return parsed


def is_sqlite(url: URL) -> bool:
    """Whether the database is SQLite, in the local file `url.database`; otherwise it is PostgreSQL."""
    return url.get_backend_name() == "sqlite"


def open_writer(url: str, *, durable: bool = False, is_migrated: bool = False) -> Engine:
    """Engine of the single writer, with the schema migrated to the newest revision. Raises StoreError.

    With `durable`, every commit survives a power cut. Without it the last ones may be lost; the indexer
    reads them again from the chain. With `is_migrated` the schema is not looked at: a process that has the
    database open as its writer vouches for it.
    """
    parsed = parse_url(url)
    if is_sqlite(parsed):
        _check_folder(parsed)
        engine = sqlite.writer_engine(parsed, durable)
    else:
        engine = postgresql.writer_engine(parsed, durable)
    if is_migrated:
        return engine
    try:
        upgrade(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"cannot open database {_display_name(parsed)}: {explain(error)}") from error
    return engine


@contextmanager
def closing_writer(url: str, *, is_migrated: bool = False) -> Iterator[Engine]:
    """`open_writer` as a context manager.

    At the end its connections are closed; SQLite then merges its write-ahead log into the database file,
    which can be copied or moved alone.
    """
    engine = open_writer(url, is_migrated=is_migrated)
    try:
        yield engine
    finally:
        engine.dispose()


def open_reader(url: str) -> Engine:
    """Read-only engine whose transactions are snapshots. Raises StoreError.

    A PostgreSQL database may be a standby, and the role one without write privileges.
    """
    parsed = parse_url(url)
    if is_sqlite(parsed):
        try:
            is_file = Path(parsed.database or "").is_file()
        except PermissionError:
            raise StoreError(
                f"database {parsed.database} cannot be read by this user: use a member of its group, or root"
            ) from None
        if not is_file:
            raise StoreError(f"database {parsed.database} does not exist: run `peakedex follow` or fix --db")
        engine = sqlite.reader_engine(parsed)
    else:
        engine = postgresql.reader_engine(parsed)
    try:
        with engine.connect() as connection:
            check_revision(connection)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"cannot read database {_display_name(parsed)}: {explain(error)}") from error
    return engine


def _check_folder(url: URL) -> None:
    if url.database and url.database != ":memory:":
        folder = Path(url.database).parent
        if not folder.is_dir():
            raise StoreError(f"database folder {folder} does not exist: create it or fix --db")


def _display_name(url: URL) -> str:
    """The database's name for messages, without its password."""
    if is_sqlite(url):
        return url.database or ""
    hosts = url.query.get("host")
    return f"{url.database or url.username}{'' if hosts is None else f' on {hosts}'}"


def upgrade(engine: Engine) -> None:
    """Migrate the schema to the newest revision, in one transaction.

    Of several processes at once, one migrates; the others wait, and find it done.
    """
    import alembic.command  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    with engine.begin() as connection:
        lock_migrations(connection)
        if inspect(connection).get_table_names():
            current = check_revision(connection, allow_older=True)
            if current == newest_revision():
                return
        try:
            alembic.command.upgrade(_alembic_config(connection), "head")
        except CommandError as error:
            raise StoreError(f"cannot migrate the database: {error}") from error


def newest_revision() -> str:
    """The schema revision that this version of the program writes."""
    return _known_revisions()[0]


def check_revision(connection: Connection, *, allow_older: bool = False) -> str | None:
    """The database's schema revision. Raises StoreError if this program cannot use it."""
    from alembic.migration import MigrationContext  # noqa: PLC0415

    current = MigrationContext.configure(connection).get_current_revision()
    newest, known = _known_revisions()
    if current is None:
        raise StoreError("the database has tables, but not those of Peake DEX: choose another with --db")
    if current not in known:
        if current < min(known):
            raise StoreError(
                f"the database (revision {current}) is of an older protocol and cannot be migrated: choose a "
                "new one with --db, and `peakedex follow` or `replay` fills it from the chain"
            )
        raise StoreError(f"the database (revision {current}) is newer than this program: upgrade peakedex")
    if current != newest and not allow_older:
        raise StoreError("the database is older than this program: run `peakedex db upgrade`")
    return current


@cache
def _known_revisions() -> tuple[str, frozenset[str]]:
    """The newest revision, and all revisions, of the migrations that ship with the program."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = ScriptDirectory.from_config(_alembic_config())
    return str(scripts.get_current_head()), frozenset(each.revision for each in scripts.walk_revisions())


def _alembic_config(connection: Connection | None = None) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    packaged = Path(__file__).with_name("migrations")  # in a wheel; in a checkout they are at the root
    folder = packaged if packaged.is_dir() else Path(__file__).parents[2] / "alembic"
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
