"""The roles of deploy/postgresql/roles.sql, as deploy.sh creates and uses them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from settlement.payouts.payout_log import open_payout_log
from settlement.store.database import open_reader, open_writer
from tests.support.postgres import drop_database, execute, new_database, programs
from tests.system.deploy.server import ROOT

ROLES = (ROOT / "deploy" / "postgresql" / "roles.sql").read_text("utf-8")


@pytest.fixture
def database() -> Iterator[str]:
    """A new database with the roles, migrated by the indexer; the roles are applied again, as after each migration."""
    url = new_database(migrated=False)
    execute(url, ROLES)
    open_writer(as_role(url, "peakedex-indexer")).dispose()
    execute(url, ROLES)
    yield url
    drop_database(url)


def as_role(url: str, role: str) -> str:
    given = conninfo_to_dict(url)
    place = "&".join(f"{name}={given[name]}" for name in ("host", "port") if given.get(name))
    return f"postgresql://{role}@/{given['dbname']}?{place}"


def test_each_role_may_do_what_its_service_needs_and_no_more(database: str) -> None:
    api, backup, payouts = (as_role(database, f"peakedex-{name}") for name in ("api", "backup", "payouts"))
    tables = [
        row[0] for row in execute(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    ]
    own = [name for name in tables if name.startswith("payout_")]
    assert len(own) >= 3
    assert len(tables) > len(own) + 10
    for url in (api, backup, payouts):
        with open_reader(url).connect() as connection:
            for name in tables:
                connection.execute(text(f"SELECT count(*) FROM {name}"))
    for name in tables:
        for url in (api, backup):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                execute(url, "SET default_transaction_read_only = off", f"DELETE FROM {name}")
        if name not in own:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                execute(payouts, f"DELETE FROM {name}")
    open_payout_log(payouts).dispose()
    execute(payouts, *(f"DELETE FROM {name}" for name in own))
    for url in (api, backup, payouts):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(url, "SET default_transaction_read_only = off", "CREATE TABLE mine (a integer)")


def test_a_copy_of_the_database_has_the_rights_of_all(database: str) -> None:
    """As the script makes it before an upgrade with another schema, with the roles applied before."""
    script = (ROOT / "deploy" / "deploy.sh").read_text("utf-8")
    dump, restore = re.findall(r"as_owner \S+ (pg_\w+ .*--dbname)", script)
    copy = new_database(migrated=False)
    execute(copy, ROLES)

    def run(words: str, url: str, given: bytes = b"") -> bytes:
        name, *options = words.split()
        command = [str(programs() / name), *options, as_role(url, "peakedex-indexer")]
        done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=240)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    execute(
        as_role(database, "peakedex-indexer"), "CREATE TABLE kept (a integer)", "INSERT INTO kept VALUES (1)"
    )
    run(restore, copy, run(dump, database))
    assert execute(as_role(copy, "peakedex-api"), "SELECT * FROM kept") == [(1,)]
    open_payout_log(as_role(copy, "peakedex-payouts")).dispose()
    open_writer(as_role(copy, "peakedex-indexer")).dispose()
    drop_database(copy)


def test_the_roles_of_tables_to_come_are_there_already(database: str) -> None:
    """A later version's tables are readable before the file runs again."""
    execute(as_role(database, "peakedex-indexer"), "CREATE TABLE later (a integer)")
    execute(as_role(database, "peakedex-api"), "SELECT * FROM later")


def test_the_superuser_calls_no_function_of_the_indexer(database: str) -> None:
    """The indexer owns the schema and the database's settings: its functions could take the superuser's rights."""
    name = conninfo_to_dict(database)["dbname"]
    planted = [
        f"""CREATE FUNCTION public.{function} RETURNS {result} LANGUAGE plpgsql AS $$ BEGIN
            EXECUTE 'ALTER ROLE "peakedex-indexer" CREATEROLE'; RETURN {value}; END $$"""
        for function, result, value in (
            ("starts_with(name, text)", "boolean", "false"),
            ("format(text, name)", "text", "'SELECT 1'"),
            ("format(text, text)", "text", "'SELECT 1'"),
            ("current_database()", "name", "'other'"),
        )
    ]
    execute(
        as_role(database, "peakedex-indexer"),
        *planted,
        f'ALTER DATABASE "{name}" SET search_path = public, pg_catalog',
    )
    execute(database, ROLES)
    assert execute(database, "SELECT rolcreaterole FROM pg_roles WHERE rolname = 'peakedex-indexer'") == [
        (False,)
    ]
