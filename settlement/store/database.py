"""Opening a database, SQLite or PostgreSQL: for the one writer, or for readers who cannot write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import alembic.command
import alembic.config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from settlement.store import postgresql

BUSY_TIMEOUT_MS: Final = 10_000
_READERS: Final = 64
"""Read-only connections that one process keeps: as many as it has threads, and they are cheap."""
_WRITER_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=NORMAL",  # a power cut may lose the last commits, never tear one; the chain has them
    "cache_size=-65536",  # 64 MB
    "wal_autocheckpoint=20000",
)


_EXAMPLES: Final = "sqlite:///peakedex.db or postgresql://HOST/NAME"
# What SQLite says, and what to do about it.
_CURES: Final = {
    "database is locked": "another process writes to it; let one indexer alone do so",
    "database or disk is full": "make room and start again, nothing is lost",
    "disk I/O error": "look after the disk, then start again",
    "file is not a database": "name another with --db",
    "readonly database": "mend the permissions of the file and its folder",
    "unable to open database file": "mend the permissions, or name another with --db",
}


class StoreError(RuntimeError):
    """A database that cannot be used, with the reason and the cure."""


def explain(error: BaseException) -> str:
    """What the database itself complained about, in one line, with the cure where we know it."""
    if isinstance(error, StoreError):  # it has its cure
        return str(error)
    reason = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    cures = [cure for known, cure in {**_CURES, **postgresql.CURES}.items() if known in reason]
    return ": ".join((reason, *cures[:1]))


def is_lost(error: Exception) -> bool:
    """Whether the connection or its server is gone: the same may work again soon, perhaps on another host."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    return (
        isinstance(cause, DBAPIError)
        and not isinstance(cause.orig, sqlite3.Error)
        and postgresql.is_lost(cause)
    )


def parse_url(url: str) -> URL:
    """A database URL; a bare path means SQLite. Raises StoreError for what is neither."""
    if "://" not in url:
        return URL.create("sqlite", database=url)
    kind = url.partition("://")[0].partition("+")[0]
    try:
        if kind in ("postgresql", "postgres"):
            return postgresql.parse(url)
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            f"the database URL is not valid: try {_EXAMPLES} ({error})"  # it may hold a password: not shown
        ) from None
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise StoreError(f"database {kind!r} is not supported: use sqlite:///FILE or postgresql://HOST/NAME")
    return parsed


def is_sqlite(url: URL) -> bool:
    """Whether the database is a file of this machine, `url.database`; else it is PostgreSQL's."""
    return url.get_backend_name() == "sqlite"


def open_writer(url: str, *, durable: bool = False) -> Engine:
    """The writer's engine, its schema migrated to the newest. Raises StoreError.

    `durable`: every commit survives a power cut. Without, the last ones may be lost, and the chain has them.
    """
    parsed = parse_url(url)
    engine = (
        _sqlite_writer(parsed, durable) if is_sqlite(parsed) else postgresql.writer_engine(parsed, durable)
    )
    try:
        upgrade(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"database {_name(parsed)} cannot be opened: {explain(error)}") from error
    return engine


def _sqlite_writer(url: URL, durable: bool) -> Engine:
    if url.database and url.database != ":memory:":
        folder = Path(url.database).parent
        if not folder.is_dir():
            raise StoreError(f"database folder {folder} does not exist: create it, or mend --db")
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_writer)
    if durable:
        event.listen(engine, "connect", _sync_fully)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _name(url: URL) -> str:
    """What the database is called to people: never with the password."""
    if is_sqlite(url):
        return url.database or ""
    hosts = url.query.get("host")
    return f"{url.database or url.username}{'' if hosts is None else f' on {hosts}'}"


@contextmanager
def writing(url: str) -> Iterator[Engine]:
    """The writer's engine for as long as it is needed. At the end its connections are closed, so that SQLite
    puts everything into the one file: it can then be copied or moved alone. Raises StoreError."""
    engine = open_writer(url)
    try:
        yield engine
    finally:
        engine.dispose()


def open_reader(url: str) -> Engine:
    """An engine that cannot write, whose transactions are snapshots of one moment.

    SQLite opens the file read-only; PostgreSQL may be a standby, and the role one that only reads. Raises
    StoreError where there is no database of ours.
    """
    parsed = parse_url(url)
    engine = _sqlite_reader(parsed) if is_sqlite(parsed) else postgresql.reader_engine(parsed)
    try:
        with engine.connect() as connection:
            check_revision(connection)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"database {_name(parsed)} cannot be read: {explain(error)}") from error
    return engine


def _sqlite_reader(url: URL) -> Engine:
    path = Path(url.database or "")
    if not path.is_file():
        raise StoreError(f"database {path} does not exist: start `peakedex follow` first, or mend --db")
    read_only = url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(read_only, pool_size=_READERS)
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_writer(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # transactions are begun below, and only there
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", *_WRITER_PRAGMAS):
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _sync_fully(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.execute("PRAGMA synchronous=FULL")


def _prepare_reader(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None
    # ATTACH would make files: a read-only connection is so for its own file alone.
    dbapi_connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "query_only=ON", "temp_store=MEMORY"):
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _migrations() -> Path:
    """The folder of migrations: beside this package in a wheel, at the root of a checkout."""
    beside = Path(__file__).with_name("migrations")
    return beside if beside.is_dir() else Path(__file__).parents[2] / "alembic"


def _alembic_config(connection: Connection | None = None) -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision, in one transaction."""
    with engine.begin() as connection:
        if engine.dialect.name == postgresql.NAME:
            postgresql.lock_migrations(connection)
        if inspect(connection).get_table_names():
            current = check_revision(connection, behind_is_fine=True)
            if current == newest_revision():
                return
        try:
            alembic.command.upgrade(_alembic_config(connection), "head")
        except CommandError as error:
            raise StoreError(f"the database cannot be migrated: {error}") from error


@cache
def _known_revisions() -> tuple[str, frozenset[str]]:
    """The newest revision of the migrations, and all of them: they come with the program."""
    scripts = ScriptDirectory.from_config(_alembic_config())
    return str(scripts.get_current_head()), frozenset(each.revision for each in scripts.walk_revisions())


def newest_revision() -> str:
    """The revision of the schema that this version of the program writes."""
    return _known_revisions()[0]


def check_revision(connection: Connection, *, behind_is_fine: bool = False) -> str | None:
    """The database's revision. Raises StoreError where the program cannot use it."""
    current = MigrationContext.configure(connection).get_current_revision()
    newest, known = _known_revisions()
    if current is not None and current not in known:
        raise StoreError(f"the database (revision {current}) is newer than this program: upgrade peakedex")
    if current is None:
        raise StoreError("the database holds tables, but none of Peake DEX: name another with --db")
    if current != newest and not behind_is_fine:
        raise StoreError("the database is older than this program: run `peakedex db upgrade`")
    return current
