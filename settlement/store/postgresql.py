"""PostgreSQL: how it is addressed and opened, and what its errors mean.

The driver (psycopg 3) is imported only where it is needed. A URL is libpq's own, so that everything that it
can do is there: several hosts, `target_session_attrs`, certificates, a service file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import URL, Connection, Dialect, Engine, Table, create_engine, event, func, select, text
from sqlalchemy.exc import DBAPIError

CHANNEL: Final = "peakedex"
"""Each transaction of a writer gives notice on it."""
NAME: Final = "postgresql"
_READERS: Final = 32
"""Connections that one process of readers keeps at most."""
_PATIENT: Final = {"connect_timeout": "5", "application_name": "peakedex"}
# A server that vanishes without a word is noticed within some 20 seconds.
_KEEPALIVE: Final = {
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
LOOK: Final = """SELECT pg_is_in_recovery(), (SELECT journal_hash FROM cursor), (SELECT block FROM cursor),
(SELECT updated FROM indexer_status)"""
"""What `watch` asks: whether this is a standby, and what differs when something was written."""
_AGE: Final = """CASE WHEN pg_is_in_recovery()
THEN greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp()))::bigint END"""
_SERVER: Final = f"""SELECT current_setting('server_version'), current_setting('server_encoding'), {_AGE},
has_table_privilege('cursor', 'UPDATE'), current_setting('synchronous_standby_names') <> ''"""
_COPIED: Final = 1_000
"""Rows that are made text at a time."""
_MIGRATION_LOCK: Final = 0x7065616B  # "peak": any number of our own

# Of all writers' sessions those in which a commit would not survive a crash are told to wait for it.
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
)

CURES: Final = {
    "password authentication failed": "mend the password in the URL, or in ~/.pgpass",
    "no password supplied": "put it into the URL, or into ~/.pgpass",
    "no pg_hba.conf entry": "allow this host and role in the server's pg_hba.conf",
    "Connection refused": "start the server, or mend the host and port in the URL",
    "could not translate host name": "mend the host in the URL",
    "failed to resolve host": "mend the host in the URL",
    "No such file or directory": "start the server, or name its host in the URL",
    "timeout expired": "look after the network and the server's firewall",
    "session is read-only": "name the primary in the URL, or all hosts of the cluster",
    "session is not read-only": "name a standby in the URL, or leave target_session_attrs out",
    "permission denied": "grant the role what docs/operator.md says",
    "too many clients": "raise max_connections, or run fewer workers",
    "remaining connection slots": "raise max_connections, or run fewer workers",
    "could not extend file": "make room and start again, nothing is lost",
    "No space left on device": "make room and start again, nothing is lost",
    "does not exist": "create it as docs/operator.md says, or mend the URL",
    "read-only transaction": "name the primary in the URL, or all hosts of the cluster",
}

# Classes and codes (PostgreSQL, appendix A) that another connection, perhaps to another host, may not meet.
_LOST_CLASSES: Final = ("08", "57P")
_LOST: Final = frozenset(
    (
        "25006",  # read_only_sql_transaction: the primary has become a standby
        "53300",  # too_many_connections
        "55000",  # object_not_in_prerequisite_state: not yet promoted
    )
)


class Server(NamedTuple):
    """`standby_age` in seconds, None on a primary; `is_synchronous`: commits wait for a standby."""

    version: str
    encoding: str
    standby_age: int | None
    may_write: bool
    is_synchronous: bool


def parse(url: str) -> URL:
    """A libpq URL as SQLAlchemy holds it. Raises ValueError with what is wrong in it."""
    import psycopg  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(plain).items() if value is not None}
    except psycopg.Error as error:
        raise ValueError(" ".join(str(error).replace(plain, "it").split())) from None
    user, password, database = (given.pop(name, None) for name in ("user", "password", "dbname"))
    return URL.create("postgresql+psycopg", user, password, database=database, query=given)


def writer_engine(url: URL, durable: bool) -> Engine:
    """For the one writer: it works on the primary, whatever hosts the URL names.

    Without `durable` the server's own `synchronous_commit` decides what a commit waits for.
    """
    session = {**_PATIENT, **_KEEPALIVE, **url.query, "target_session_attrs": "read-write"}
    engine = create_engine(url.set(query=session), pool_size=4, use_native_hstore=False)
    event.listen(engine, "commit", _notify)
    if durable:
        event.listen(engine, "connect", _commit_durably)
    return engine


def reader_engine(url: URL) -> Engine:
    """Read-only snapshots, of any server that the URL allows: a standby's, too."""
    engine = create_engine(
        url.set(query={**_PATIENT, **_KEEPALIVE, **url.query}),
        pool_size=_READERS,
        max_overflow=0,
        use_native_hstore=False,
        isolation_level="REPEATABLE READ",
    )
    event.listen(engine, "connect", _prepare_reading)
    return engine


def connect(url: URL) -> Any:
    """A connection of the driver's own, outside any pool, where each statement stands alone."""
    import psycopg  # noqa: PLC0415

    given = {"user": url.username, "password": url.password, "dbname": url.database}
    options: dict[str, Any] = {**_PATIENT, **_KEEPALIVE, **url.query, **given}
    return psycopg.connect(**options, autocommit=True)


def standby_age(connection: Connection) -> int | None:
    """Seconds since what this standby has replayed last was committed; None on a primary."""
    return read_server(connection).standby_age


def read_server(connection: Connection) -> Server:
    """What kind of server answers, and what this role may do there."""
    return Server(*connection.exec_driver_sql(_SERVER).one())


def is_lost(error: DBAPIError) -> bool:
    """Whether the connection or the server is gone, or no longer the primary: trying again may help."""
    state = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated:
        return True
    if state is None:  # the server said nothing: there was none
        import psycopg  # noqa: PLC0415

        return isinstance(error.orig, psycopg.OperationalError)
    return state in _LOST or state.startswith(_LOST_CLASSES)


def lock_migrations(connection: Connection) -> None:
    """Until the end of the transaction nobody else migrates this database."""
    connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))


def lock_table(connection: Connection, table: Table) -> None:
    """Until the end of the transaction others only read the table."""
    name = connection.dialect.identifier_preparer.format_table(table)
    connection.execute(text(f"LOCK TABLE {name} IN EXCLUSIVE MODE"))


def copy_sql(dialect: Dialect, table: Table) -> str:
    """The statement that `copy` takes."""
    quoted = dialect.identifier_preparer
    columns = ", ".join(map(quoted.format_column, table.columns))
    return f"COPY {quoted.format_table(table)} ({columns}) FROM STDIN"


def copy(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]], line: str | None = None) -> None:
    """Insert rows, by the driver's own way. Raises DBAPIError as any other statement does.

    `line` is the format of a row's text, for rows of whole numbers alone: a third of the driver's time.
    """
    import psycopg  # noqa: PLC0415

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(sql) as stream:
            if line is None:
                write = stream.write_row
                for row in rows:
                    write(row)
            else:
                for first in range(0, len(rows), _COPIED):
                    stream.write("".join(map(line.__mod__, rows[first : first + _COPIED])))
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise DBAPIError.instance(
            sql, None, error, psycopg.Error, connection_invalidated=driver.closed
        ) from error


def _notify(connection: Connection) -> None:
    """Sent with the commit, and only if that succeeds."""
    connection.exec_driver_sql(f"NOTIFY {CHANNEL}")


def _prepare_reading(dbapi_connection: Any, _record: object) -> None:
    # A plan made for any account reads the newest rows of all until it has enough: of a rare one, all rows.
    dbapi_connection.execute("SET plan_cache_mode = force_custom_plan")
    dbapi_connection.commit()
    dbapi_connection.read_only = True


def _commit_durably(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.execute(_DURABLE)
    dbapi_connection.commit()
