"""Replaces a PostgreSQL database by a new one beside it: both change their names in one transaction.

At any moment there is a complete database under the name: a process that is killed leaves the old one in use,
and the unfinished new one, which the next run deletes.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL

from settlement.store import postgresql
from settlement.store.database import StoreError

_MAINTENANCE: Final = "postgres"
"""The database to connect to while others are created and renamed."""
_UNFINISHED: Final = "_restoring"
_MOST_BYTES: Final = 63
"""Length of a name in PostgreSQL."""
_CLOSING_SECONDS: Final = 10.0
"""How long connections to the old database may take to close."""
_POLL_SECONDS: Final = 0.2

_OWNER: Final = """SELECT pg_get_userbyid(datdba), pg_get_userbyid(datdba) = current_user,
(SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user), current_user
FROM pg_database WHERE datname = %s"""
_CONNECTED: Final = "SELECT usename, application_name FROM pg_stat_activity WHERE datname = %s"

# Who was granted what, with the grantee quoted; 0 is everybody. Rights of the owner are its own anyway.
_RIGHTS: Final = """SELECT {name}, privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC'
ELSE quote_ident(pg_get_userbyid(grantee)) END FROM (SELECT *, (aclexplode({acl})).* FROM {catalog}) rights"""
_DATABASE_RIGHTS: Final = _RIGHTS.format(
    name="datname", acl="datacl", catalog="pg_database WHERE datname = current_database()"
)
_SCHEMA_RIGHTS: Final = _RIGHTS.format(
    name="nspname", acl="nspacl", catalog="pg_namespace WHERE nspname = 'public'"
)
_DEFAULT_RIGHTS: Final = _RIGHTS.format(
    name="'tables'",
    acl="defaclacl",
    catalog="pg_default_acl WHERE defaclobjtype = 'r' AND defaclrole = current_user::regrole "
    "AND defaclnamespace = 'public'::regnamespace",
)
_TABLE_RIGHTS: Final = _RIGHTS.format(
    name="relname",
    acl="relacl",
    catalog="pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
)
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


class DatabaseSwitch:
    """Context manager: a new, empty database beside an old one of the same server, and their exchange.

    Leaving it without `exchange` deletes the new one. Raises StoreError.
    """

    def __init__(self, url: URL) -> None:
        """Checks nothing yet. `url` is that of the old database."""
        self._url = url
        self._name = str(url.database or url.username)
        self._unfinished = f"{self._name}{_UNFINISHED}"

    @property
    def url(self) -> str:
        """URL of the new database."""
        new = self._url.set(database=self._unfinished, drivername="postgresql")
        return new.render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        """Check that this role may replace the database, and that nobody is connected to it."""
        if len(self._kept(datetime.now(UTC)).encode()) > _MOST_BYTES:
            raise StoreError(f"the name {self._name} is too long to keep the database under another one")
        self._maintenance = self._connect(_MAINTENANCE)
        try:
            self._check_role()
            self._wait_until_free()
        except BaseException:
            self._maintenance.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._drop_unfinished()
        except psycopg.Error:  # the server is gone: the next run deletes it
            if error is None:
                raise
        finally:
            self._maintenance.close()

    def create(self) -> None:
        """Create the new database, with the rights on database and schema and for tables to come."""
        self._drop_unfinished()
        create = SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
            Identifier(self._unfinished)
        )
        self._run(create)
        with self._connect(self._name) as old, self._connect(self._unfinished) as new:
            database = Identifier(self._unfinished)
            if rights := self._rows(old, _DATABASE_RIGHTS):
                new.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            for _, right, role in rights:
                new.execute(SQL("GRANT {} ON DATABASE {} TO {}").format(SQL(right), database, SQL(role)))
            new.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            for _, right, role in self._rows(old, _SCHEMA_RIGHTS):
                new.execute(f"GRANT {right} ON SCHEMA public TO {role}")
            for _, right, role in self._rows(old, _DEFAULT_RIGHTS):
                new.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {right} ON TABLES TO {role}")

    def copy_table_rights(self) -> None:
        """Grant each of the new tables to whom the old one of its name was granted."""
        with self._connect(self._name) as old, self._connect(self._unfinished) as new:
            tables = {table for (table,) in self._rows(new, _TABLES)}
            for table, right, role in self._rows(old, _TABLE_RIGHTS):
                if table in tables:
                    grant = SQL("GRANT {} ON TABLE {} TO {}")
                    new.execute(grant.format(SQL(right), Identifier(table), SQL(role)))

    def exchange(self) -> str:
        """Give the new database the name of the old one; returns the name under which that is kept."""
        kept = self._kept(datetime.now(UTC))
        self._wait_until_free()
        rename = SQL("ALTER DATABASE {} RENAME TO {}")
        try:
            with self._maintenance.transaction():
                self._maintenance.execute(rename.format(Identifier(self._name), Identifier(kept)))
                self._maintenance.execute(rename.format(Identifier(self._unfinished), Identifier(self._name)))
        except psycopg.Error as error:
            raise StoreError(f"the databases cannot be exchanged: {_line(error)}") from error
        return kept

    def _kept(self, now: datetime) -> str:
        return f"{self._name}_before_{now:%Y%m%dt%H%M%Sz}"

    def _check_role(self) -> None:
        found = self._rows(self._maintenance, _OWNER, self._name)
        if not found:
            raise StoreError(f"database {self._name} does not exist")
        owner, is_ours, may_create, role = found[0]
        if not is_ours:
            raise StoreError(f"role {role} does not own database {self._name}: connect as its owner, {owner}")
        if not may_create:
            raise StoreError(
                f"role {role} may not create the database that replaces {self._name}: as a superuser, "
                f'ALTER ROLE "{role}" CREATEDB (and NOCREATEDB afterwards), or restore into an empty database'
            )

    def _wait_until_free(self) -> None:
        """Raise StoreError if somebody stays connected to the old database. It cannot be renamed then."""
        until = time.monotonic() + _CLOSING_SECONDS
        while others := self._rows(self._maintenance, _CONNECTED, self._name):
            if time.monotonic() > until:
                names = ", ".join(
                    sorted({f"{role} ({program or 'unnamed program'})" for role, program in others})
                )
                raise StoreError(
                    f"database {self._name} is in use by {names}: stop indexer, payouts and API, and "
                    "what else is connected; nothing was changed"
                )
            time.sleep(_POLL_SECONDS)

    def _drop_unfinished(self) -> None:
        self._run(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(self._unfinished)))

    def _run(self, statement: Any) -> None:
        try:
            self._maintenance.execute(statement)
        except psycopg.Error as error:
            raise StoreError(f"database {self._unfinished}: {_line(error)}") from error

    def _connect(self, database: str) -> Any:
        session = {**self._url.query, "target_session_attrs": "read-write"}
        try:
            return postgresql.connect(self._url.set(database=database, query=session))
        except psycopg.Error as error:
            raise StoreError(f"cannot connect to database {database}: {_line(error)}") from error

    @staticmethod
    def _rows(connection: Any, query: str, *values: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = connection.execute(query, values or None).fetchall()
        return rows


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
