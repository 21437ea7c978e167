"""PostgreSQL: URLs, engines, COPY, locks, and the meaning of its errors.

The driver (psycopg 3) is imported only where needed. URLs are libpq's, with all its features: several hosts,
`target_session_attrs`, certificates, service files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import URL, Connection, Dialect, Engine, Table, create_engine, event, func, select, text
from sqlalchemy.exc import DBAPIError

NAME: Final = "postgresql"
"""The name of SQLAlchemy's dialect."""
CHANNEL: Final = "peakedex"
"""The NOTIFY channel; every commit of a writer notifies it."""
_WRITER_CONNECTIONS: Final = 4
_READER_CONNECTIONS: Final = 32
"""Connections of one reader process at most."""
_COPY_ROWS: Final = 1_000
"""Rows formatted as text at a time for COPY."""
_MIGRATION_LOCK: Final = 0x7065616B  # "peak"; any number not used by others
_SESSION: Final = {
    "connect_timeout": "5",
    "application_name": "peakedex",
    # A server that disappears without closing the connection is noticed within about 20 seconds.
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}

CHANGE_QUERY: Final = """SELECT pg_is_in_recovery(), (SELECT journal_hash FROM cursor),
(SELECT block FROM cursor), (SELECT updated FROM indexer_status)"""
"""Whether the server is a standby, and values that change with each write."""
_STANDBY_AGE: Final = """CASE WHEN pg_is_in_recovery()
THEN greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp()))::bigint END"""
_SERVER: Final = f"""SELECT current_setting('server_version'), current_setting('server_encoding'),
{_STANDBY_AGE}, has_table_privilege('cursor', 'UPDATE'), current_setting('synchronous_standby_names') <> ''"""
# Only where the server's own setting would not survive a crash; remote_apply is left as it is.
_COMMIT_DURABLY: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
)
# A generic plan reads the newest rows of all accounts until it has enough of one: for an account that is
# seldom active, all rows (30 ms in a market of 89,455 transfers, and more with each trade).
_PLAN_EACH_QUERY: Final = "SET plan_cache_mode = force_custom_plan"

HINTS: Final = {
    "password authentication failed": "fix the password in the URL or in ~/.pgpass",
    "no password supplied": "add it to the URL or to ~/.pgpass",
    "no pg_hba.conf entry": "allow this host and role in the server's pg_hba.conf",
    "Connection refused": "start the server, or fix the host and port in the URL",
    "could not translate host name": "fix the host in the URL",
    "failed to resolve host": "fix the host in the URL",
    "No such file or directory": "start the server, or add its host to the URL",
    "timeout expired": "check the network and the server's firewall",
    "session is read-only": "use the URL of the primary, or list all hosts of the cluster",
    "session is not read-only": "use the URL of a standby, or omit target_session_attrs",
    "permission denied": "grant the role the privileges listed in docs/operator.md",
    "too many clients": "raise max_connections, or run fewer workers",
    "remaining connection slots": "raise max_connections, or run fewer workers",
    "could not extend file": "free disk space and restart; no data is lost",
    "No space left on device": "free disk space and restart; no data is lost",
    "does not exist": "create it as described in docs/operator.md, or fix the URL",
    "read-only transaction": "use the URL of the primary, or list all hosts of the cluster",
}

# SQLSTATE classes and codes (PostgreSQL, appendix A) after which a new connection, perhaps to another host,
# may succeed.
_LOST_CLASSES: Final = ("08", "57P")
_LOST_CODES: Final = frozenset(
    (
        "25006",  # read_only_sql_transaction: the primary has become a standby
        "53300",  # too_many_connections
        "55000",  # object_not_in_prerequisite_state: not yet promoted
    )
)


class Server(NamedTuple):
    """A server, and what the connected role may do."""

    version: str
    encoding: str
    standby_age: int | None  # seconds since the last replayed commit; None on a primary
    may_write: bool
    is_synchronous: bool  # commits wait for a standby


def parse(url: str) -> URL:
    """A libpq URL as SQLAlchemy's URL. Raises ValueError."""
    import psycopg  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        options = {name: str(value) for name, value in conninfo_to_dict(plain).items() if value is not None}
    except psycopg.Error as error:
        raise ValueError(" ".join(str(error).replace(plain, "it").split())) from None
    user, password, database = (options.pop(name, None) for name in ("user", "password", "dbname"))
    return URL.create("postgresql+psycopg", user, password, database=database, query=options)


def writer_engine(url: URL, durable: bool) -> Engine:
    """Engine for the single writer; of several hosts in the URL it connects to the primary.

    Its transactions are READ COMMITTED, whatever the server's default: after waiting for a lock, a statement
    must see what the lock's last holder committed. With `durable`, commits survive a crash of the server;
    otherwise its `synchronous_commit` decides.
    """
    session = {**_SESSION, **url.query, "target_session_attrs": "read-write"}
    engine = create_engine(
        url.set(query=session),
        pool_size=_WRITER_CONNECTIONS,
        use_native_hstore=False,
        isolation_level="READ COMMITTED",
    )
    event.listen(engine, "commit", _notify)
    if durable:
        event.listen(engine, "connect", _set_up_durable_writer)
    return engine


def reader_engine(url: URL) -> Engine:
    """Read-only engine whose transactions are snapshots, on any server that the URL allows."""
    engine = create_engine(
        url.set(query={**_SESSION, **url.query}),
        pool_size=_READER_CONNECTIONS,
        max_overflow=0,
        use_native_hstore=False,
        isolation_level="REPEATABLE READ",
    )
    event.listen(engine, "connect", _set_up_reader)
    return engine


def connect(url: URL) -> Any:
    """A psycopg connection outside any pool, in autocommit mode."""
    import psycopg  # noqa: PLC0415

    login = {"user": url.username, "password": url.password, "dbname": url.database}
    options: dict[str, Any] = {**_SESSION, **url.query, **login}
    return psycopg.connect(**options, autocommit=True)


def standby_age(connection: Connection) -> int | None:
    """Seconds since the last commit that this standby has replayed; None on a primary."""
    return read_server(connection).standby_age


def read_server(connection: Connection) -> Server:
    """The server behind a connection."""
    return Server(*connection.exec_driver_sql(_SERVER).one())


def is_connection_lost(error: DBAPIError) -> bool:
    """Whether the connection or server is gone, or no longer the primary, so that a retry may succeed."""
    state = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated:
        return True
    if state is None:  # the error is the driver's: no server answered
        import psycopg  # noqa: PLC0415

        return isinstance(error.orig, psycopg.OperationalError)
    return state in _LOST_CODES or state.startswith(_LOST_CLASSES)


def lock_migrations(connection: Connection) -> None:
    """Block other changes of this database's schema until the end of the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))


def lock_table(connection: Connection, table: Table) -> None:
    """Block other writers of the table until the end of the transaction."""
    name = connection.dialect.identifier_preparer.format_table(table)
    connection.execute(text(f"LOCK TABLE {name} IN EXCLUSIVE MODE"))


def copy_sql(dialect: Dialect, table: Table) -> str:
    """The COPY statement of a table, for `copy`."""
    quoted = dialect.identifier_preparer
    columns = ", ".join(map(quoted.format_column, table.columns))
    return f"COPY {quoted.format_table(table)} ({columns}) FROM STDIN"


def copy(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]], line: str | None = None) -> None:
    """Insert rows by COPY. Raises DBAPIError, as any other statement.

    `line` is the %-format of a row's text, for rows of integers only: it takes a third of the driver's time.
    """
    import psycopg  # noqa: PLC0415

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(sql) as stream:
            if line is None:
                for row in rows:
                    stream.write_row(row)
            else:
                for first in range(0, len(rows), _COPY_ROWS):
                    stream.write("".join(map(line.__mod__, rows[first : first + _COPY_ROWS])))
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise DBAPIError.instance(
            sql, None, error, psycopg.Error, connection_invalidated=driver.closed
        ) from error


def _notify(connection: Connection) -> None:
    """Runs before each commit: the server sends the notification only if the commit succeeds."""
    connection.exec_driver_sql(f"NOTIFY {CHANNEL}")


def _set_up_reader(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.execute(_PLAN_EACH_QUERY)
    dbapi_connection.commit()
    dbapi_connection.read_only = True


def _set_up_durable_writer(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.execute(_COMMIT_DURABLY)
    dbapi_connection.commit()
