"""Opening a database: for the one writer, or for readers who cannot write (SQLite by default)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import alembic.command
import alembic.config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

BUSY_TIMEOUT_MS: Final = 10_000
_WRITER_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=NORMAL",  # a power cut may lose the last commits, never tear one; the chain has them
    "cache_size=-65536",  # 64 MB
    "wal_autocheckpoint=20000",
    "temp_store=MEMORY",
)


class StoreError(RuntimeError):
    """A database that cannot be used, with the reason and the cure."""


def parse_url(url: str) -> URL:
    """A database URL; a bare path means SQLite. Raises StoreError for what is neither."""
    try:
        parsed = make_url(url if "://" in url else f"sqlite:///{url}")
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"database URL {url!r} is not valid: try sqlite:///peakedex.db") from error
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(f"database {parsed.get_backend_name()!r} is not supported: use sqlite:///FILE")
    return parsed


def open_writer(url: str) -> Engine:
    """The writer's engine, its schema migrated to the newest. Raises StoreError."""
    parsed = parse_url(url)
    if parsed.database and parsed.database != ":memory:":
        folder = Path(parsed.database).parent
        if not folder.is_dir():
            raise StoreError(f"database folder {folder} does not exist: create it, or mend --db")
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare_writer)
    event.listen(engine, "begin", _begin_immediate)
    upgrade(engine)
    return engine


def open_reader(url: str) -> Engine:
    """An engine that cannot write: SQLite opens the file read-only. Raises StoreError where it is missing."""
    parsed = parse_url(url)
    path = Path(parsed.database or "")
    if not path.is_file():
        raise StoreError(f"database {path} does not exist: start `peakedex follow` first, or mend --db")
    read_only = parsed.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(read_only)
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            check_revision(connection)
    except SQLAlchemyError as error:
        raise StoreError(f"database {path} cannot be read: {error}") from error
    return engine


def _prepare_writer(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # transactions are begun below, and only there
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", *_WRITER_PRAGMAS):
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None
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
        if inspect(connection).get_table_names():
            current = check_revision(connection, behind_is_fine=True)
            if current == newest_revision():
                return
        try:
            alembic.command.upgrade(_alembic_config(connection), "head")
        except CommandError as error:
            raise StoreError(f"the database cannot be migrated: {error}") from error


def newest_revision() -> str:
    """The revision of the schema that this version of the program writes."""
    return str(ScriptDirectory.from_config(_alembic_config()).get_current_head())


def check_revision(connection: Connection, *, behind_is_fine: bool = False) -> str | None:
    """The database's revision. Raises StoreError where the program cannot use it."""
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_alembic_config()).walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(f"the database (revision {current}) is newer than this program: upgrade peakedex")
    if current is None:
        raise StoreError("the database holds tables, but none of Peake DEX: name another with --db")
    if current != newest_revision() and not behind_is_fine:
        raise StoreError("the database is older than this program: run `peakedex db upgrade`")
    return current
